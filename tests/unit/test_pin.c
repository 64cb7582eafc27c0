/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sets of physical CPUs as text: what the words mean, for whom they are, what is refused.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "core/pin.h"

static void assert_set(const char *text, unsigned vcpu, uint64_t low, uint64_t high)
{
    const char *why = NULL;
    uint64_t cpus[PIN_WORDS];
    if (!pin_check(text, &why))
        fail_msg("'%s': %s", text, why);
    pin_allowed(text, vcpu, cpus);
    assert_int_equal(cpus[0], low);
    assert_int_equal(cpus[1], high);
    assert_int_equal(cpus[2], high);
    assert_int_equal(cpus[3] & ~BIT(63), high & ~BIT(63));
}

static void lists_and_ranges_are_for_all_vcpus(void **state)
{
    (void)state;
    assert_set("0", 0, 1, 0);
    assert_set("0,2-3", 7, 0xd, 0);
    assert_set("  63 ", 63, BIT(63), 0);
    assert_set("5-5,5", 1, 0x20, 0);
    assert_set("0-255", 1, UINT64_MAX, UINT64_MAX);
}

static void no_word_means_any_cpu(void **state)
{
    (void)state;
    assert_set("", 0, UINT64_MAX, UINT64_MAX);
    assert_set(" \t", 3, UINT64_MAX, UINT64_MAX);
    assert_set("1:4", 0, UINT64_MAX, UINT64_MAX);
}

static void a_numbered_word_goes_before_one_for_all(void **state)
{
    (void)state;
    assert_set("0:1 1:2-3", 0, 2, 0);
    assert_set("0:1 1:2-3", 1, 0xc, 0);
    assert_set("1 0:0", 0, 1, 0);
    assert_set("0:0 1", 0, 1, 0);
    assert_set("0:0 1", 1, 2, 0);
    assert_set("0:0 0:4", 0, 0x10, 0);
    assert_set("1 2", 0, 4, 0);
}

static void ranges_cross_words(void **state)
{
    uint64_t cpus[PIN_WORDS];
    (void)state;
    pin_allowed("62-65,255", 0, cpus);
    assert_int_equal(cpus[0], BIT(62) | BIT(63));
    assert_int_equal(cpus[1], 3);
    assert_int_equal(cpus[2], 0);
    assert_int_equal(cpus[3], BIT(63));
}

static void everything_else_is_refused(void **state)
{
    static const char *const bad[] = {
        "a", "-1", "1-", "1,", ",1", "1,,2", "256", "0-256", "3-2", "1:", ":1", "64:1", "0:0:0",
        "0:1-", "1 x", "0x1", "99999999999", "1;2", "4294967296", "0: 1", "1 -2", "all"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        const char *why = NULL;
        if (pin_check(bad[i], &why))
            fail_msg("'%s' was taken", bad[i]);
        assert_non_null(why);
        assert_true(strlen(why) > 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_and_ranges_are_for_all_vcpus),
        cmocka_unit_test(no_word_means_any_cpu),
        cmocka_unit_test(a_numbered_word_goes_before_one_for_all),
        cmocka_unit_test(ranges_cross_words),
        cmocka_unit_test(everything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
