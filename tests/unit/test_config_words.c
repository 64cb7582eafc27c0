/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Words of `vm create` as configuration text: read back by the real parser they mean what was
 * typed, and none can break out of its line.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "core/config.h"
#include "core/config_words.h"

static struct config c;
static struct config_errors e;
static char text[4096];
static const char *wrong;

static bool parse(const char *name, const char *const *words, unsigned n)
{
    if (!config_words(name, words, n, text, sizeof(text), &wrong))
        return false;
    config_parse(text, strlen(text), &c, &e);
    return true;
}

static void words_mean_what_they_mean_in_the_file(void **state)
{
    static const char *const words[] = {"kernel=vmlinuz", "memory=64M", "cpus=3", "pin=0:1 1:2-3",
                                        "cmdline=console=ttyS0 # \"x\" \\n", "initrd="};
    (void)state;
    assert_true(parse("web", words, 6));
    assert_int_equal(e.count, 0);
    assert_int_equal(c.vm_count, 1);
    assert_string_equal(c.vms[0].name, "web");
    assert_true(c.vms[0].valid);
    assert_string_equal(config_text(&c, c.vms[0].kernel), "vmlinuz");
    assert_int_equal(c.vms[0].memory, 64 << 20);
    assert_int_equal(c.vms[0].cpus, 3);
    assert_string_equal(config_text(&c, c.vms[0].pin), "0:1 1:2-3");
    assert_string_equal(config_text(&c, c.vms[0].cmdline), "console=ttyS0 # \"x\" \\n");
    assert_string_equal(config_text(&c, c.vms[0].initrd), "");
}

static void the_parser_says_what_is_wrong(void **state)
{
    static const char *const words[] = {"memory=60K", "kernle=x"};
    (void)state;
    assert_true(parse("web", words, 2));
    assert_int_equal(e.count, 3);
    assert_non_null(strstr(e.list[0].text, "kernel is missing"));
    assert_non_null(strstr(e.list[1].text, "64K to 1024G"));
    assert_non_null(strstr(e.list[2].text, "did you mean kernel"));
}

static void what_is_no_key_and_value_is_named(void **state)
{
    static const char *const bad[] = {"kernel", "=x", "", "[vm=x", "#a=b", "a=b\n[vm x]"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_false(parse("web", &bad[i], 1));
        assert_ptr_equal(wrong, bad[i]);
    }
}

static void a_name_makes_one_section_at_most(void **state)
{
    static const char *const names[] = {"", "a]", "a] # ", "a b", "a\"", "9", "a][vm b"};
    static const char *const words[] = {"kernel=k"};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        assert_true(parse(names[i], words, 1));
        assert_true(c.vm_count <= 1);
        assert_true(c.vm_count == 0 || strcmp(c.vms[0].name, names[i]) != 0);
    }
}

static void no_room_is_said(void **state)
{
    static const char *const words[] = {"kernel=\"\"\"\""};
    char small[64];
    (void)state;
    size_t need = strlen("[vm a]\nkernel = \"\\\"\\\"\\\"\\\"\"\n") + 1;
    for (size_t size = 0; size < need; size++) {
        assert_false(config_words("a", words, 1, small, size, &wrong));
        assert_null(wrong);
    }
    assert_true(config_words("a", words, 1, small, need, &wrong));
    assert_int_equal(strlen(small) + 1, need);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_mean_what_they_mean_in_the_file),
        cmocka_unit_test(the_parser_says_what_is_wrong),
        cmocka_unit_test(what_is_no_key_and_value_is_named),
        cmocka_unit_test(a_name_makes_one_section_at_most),
        cmocka_unit_test(no_room_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
