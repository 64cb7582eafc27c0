/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of keys and what a terminal sends for them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "core/keys.h"

static struct keys k;

static int setup(void **state)
{
    (void)state;
    k.n = 0;
    return 0;
}

static void check(const char *bytes)
{
    assert_int_equal(k.n, strlen(bytes));
    for (unsigned i = 0; i < k.n; i++)
        assert_int_equal(k.code[i], (unsigned char)bytes[i]);
    k.n = 0;
}

static void names(void **state)
{
    static const struct {
        const char *word, *bytes;
    } rows[] = {
        {"enter", "\r"},         {"tab", "\t"},         {"esc", "\x1b"},     {"up", "\x1b[A"},
        {"f1", "\x1bOP"},        {"f12", "\x1b[24~"},   {"ctrl-c", "\x03"},  {"ctrl-]", "\x1d"},
        {"ctrl-z", "\x1a"},      {"ctrl-_", "\x1f"},    {"space", " "},
        {"pagedown", "\x1b[6~"},
        /* Nearly names, and text. */
        {"ctrl-", "ctrl-"},      {"ctrl-1", "ctrl-1"},  {"ctrl-cc", "ctrl-cc"},
        {"f13", "f13"},          {"Enter", "Enter"},    {"ls -l", "ls -l"},
        {"\xc3\xbc", "\xc3\xbc"}, {"", ""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_true(keys_add(&k, rows[i].word));
        check(rows[i].bytes);
    }
}

static void in_order(void **state)
{
    (void)state;
    assert_true(keys_add(&k, "break") && keys_add(&k, "h") && keys_add(&k, "enter"));
    assert_int_equal(k.n, 3);
    assert_int_equal(k.code[0], KEY_BREAK);
    keys_drop(&k, 1);
    check("h\r");
}

/* What does not fit as a whole is not begun. */
static void full(void **state)
{
    (void)state;
    for (unsigned i = 0; i < KEYS_MAX - 2; i++)
        assert_true(keys_add(&k, "x"));
    assert_false(keys_add(&k, "up"));
    assert_int_equal(k.n, KEYS_MAX - 2);
    assert_true(keys_add(&k, "yz"));
    assert_false(keys_add(&k, "x") || keys_add(&k, "break"));
    keys_drop(&k, KEYS_MAX - 1);
    check("z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(names, setup),
        cmocka_unit_test_setup(in_order, setup),
        cmocka_unit_test_setup(full, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
