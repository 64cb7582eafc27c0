/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/log_filter.c: lines as core/log.c writes them, against every level and a VM.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "core/lib/string.h"
#include "core/log_filter.h"

static bool passes(enum log_level level, const char *vm, const char *line)
{
    struct log_filter f = {level, vm};
    return log_filter_passes(&f, line, strlen(line));
}

static void levels(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum log_level level;
    } rows[] = {
        {"[a] plinth: error: forged\n", LOG_ALL}, {"plinth: started\n", LOG_INFO},
        {"  rip 0008:1234\n", LOG_INFO},          {"plinth: warning: x\n", LOG_WARN},
        {"plinth: error: x\n", LOG_ERROR},        {"plinth: panic: x\n", LOG_ERROR},
        {"plinth: errors\n", LOG_INFO},           {"", LOG_INFO},
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
        for (enum log_level l = LOG_ALL; l <= LOG_ERROR; l++)
            assert_int_equal(passes(l, NULL, rows[i].line), l <= rows[i].level);
}

static void names(void **state)
{
    (void)state;
    assert_true(passes(LOG_ALL, "a", "[a] text\n"));
    assert_false(passes(LOG_ALL, "a", "[ab] text\n"));
    assert_false(passes(LOG_ALL, "ab", "[a] text\n"));
    assert_false(passes(LOG_ALL, "a", "[b] [a] text\n"));
    assert_true(passes(LOG_ALL, "a", "plinth: vm a: started\n"));
    assert_true(passes(LOG_WARN, "a", "plinth: warning: vm a: x\n"));
    assert_true(passes(LOG_ERROR, "a", "plinth: error: vm a is bad\n"));
    assert_true(passes(LOG_ALL, "a", "plinth: vm a"));
    assert_false(passes(LOG_ALL, "a", "plinth: vm ab: started\n"));
    assert_false(passes(LOG_ALL, "a", "plinth: started\n"));
    assert_false(passes(LOG_INFO, "a", "[a] text\n"));
    assert_false(passes(LOG_ALL, "a", "[a"));
}

static void level_names(void **state)
{
    (void)state;
    enum log_level l;
    assert_true(log_level_parse("warn", &l) && l == LOG_WARN);
    assert_true(log_level_parse("all", &l) && l == LOG_ALL);
    assert_false(log_level_parse("warning", &l));
    assert_false(log_level_parse("", &l));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(levels), cmocka_unit_test(names),
                                       cmocka_unit_test(level_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
