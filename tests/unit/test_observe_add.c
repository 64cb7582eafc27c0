/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Measured exits: least, most and sum by kind; details told apart by what, which and direction; a
 * full table loses details, never counts.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "core/lib/string.h"
#include "core/observe.h"

static struct observe_stats s;

static int setup(void **state)
{
    (void)state;
    memset(&s, 0, sizeof(s));
    return 0;
}

static void add(uint8_t kind, uint8_t about, uint32_t detail, uint64_t ticks)
{
    struct observed_exit x = {.begin = 1000, .end = 1000 + ticks, .kind = kind, .about = about,
                              .detail = detail};
    observe_add(&s, &x);
}

static const struct observe_detail *find(uint8_t about, uint32_t detail)
{
    const struct observe_detail *found = NULL;
    for (unsigned i = 0; i < OBSERVE_DETAILS; i++)
        if (s.detail[i].about == about && s.detail[i].detail == detail) {
            assert_null(found); /* once */
            found = &s.detail[i];
        }
    return found;
}

static void test_least_most_and_sum(void **state)
{
    (void)state;
    add(EXIT_CPUID, OBSERVE_PLAIN, 0, 50);
    add(EXIT_CPUID, OBSERVE_PLAIN, 0, 10);
    add(EXIT_CPUID, OBSERVE_PLAIN, 0, 90);
    const struct observe_count *n = &s.kind[EXIT_CPUID];
    assert_int_equal(n->count, 3);
    assert_int_equal(n->ticks, 150);
    assert_int_equal(n->min, 10);
    assert_int_equal(n->max, 90);
}

static void test_a_clock_that_went_back_counts_as_nothing(void **state)
{
    struct observed_exit x = {.begin = 10, .end = 5, .kind = EXIT_HLT};
    (void)state;
    observe_add(&s, &x);
    assert_int_equal(s.kind[EXIT_HLT].count, 1);
    assert_int_equal(s.kind[EXIT_HLT].ticks, 0);
}

static void test_a_kind_out_of_range_changes_nothing(void **state)
{
    static const struct observe_stats empty;
    (void)state;
    add(EXIT_KINDS, OBSERVE_PORT, 1, 1);
    add(255, OBSERVE_PORT, 1, 1);
    assert_memory_equal(&s, &empty, sizeof(s));
}

static void test_details_are_told_apart(void **state)
{
    (void)state;
    add(EXIT_IO, OBSERVE_PORT, 0x3f8, 5);
    add(EXIT_IO, OBSERVE_PORT, 0x3f8 | 1 << 24, 7);
    add(EXIT_IO, OBSERVE_PORT, 0x3f8, 9);
    add(EXIT_MEMORY, OBSERVE_PAGE, 0x3f8, 11);
    assert_int_equal(find(OBSERVE_PORT, 0x3f8)->n.count, 2);
    assert_int_equal(find(OBSERVE_PORT, 0x3f8)->n.ticks, 14);
    assert_int_equal(find(OBSERVE_PORT, 0x3f8 | 1 << 24)->n.max, 7);
    assert_int_equal(find(OBSERVE_PAGE, 0x3f8)->n.min, 11);
}

static void test_reading_and_writing_an_msr_are_two(void **state)
{
    unsigned places = 0;
    (void)state;
    add(EXIT_RDMSR, OBSERVE_MSR, 0x10, 1);
    add(EXIT_WRMSR, OBSERVE_MSR, 0x10, 1);
    for (unsigned i = 0; i < OBSERVE_DETAILS; i++)
        places += s.detail[i].about == OBSERVE_MSR;
    assert_int_equal(places, 2);
}

static void test_a_full_table_still_counts(void **state)
{
    uint64_t sum = 0;
    (void)state;
    for (uint32_t i = 0; i < 3 * OBSERVE_DETAILS; i++)
        add(EXIT_IO, OBSERVE_PORT, i, 1);
    for (unsigned i = 0; i < OBSERVE_DETAILS; i++)
        sum += s.detail[i].n.count;
    assert_int_equal(sum, OBSERVE_DETAILS);
    assert_int_equal(s.others.count, 2 * OBSERVE_DETAILS);
    assert_int_equal(s.kind[EXIT_IO].count, 3 * OBSERVE_DETAILS);
    add(EXIT_IO, OBSERVE_PORT, 5, 1); /* one that has its place keeps it */
    assert_int_equal(find(OBSERVE_PORT, 5)->n.count, 2);
}

static void test_very_long_ones_saturate(void **state)
{
    (void)state;
    add(EXIT_IO, OBSERVE_PLAIN, 0, UINT64_C(1) << 40);
    assert_int_equal(s.kind[EXIT_IO].max, UINT32_MAX);
    assert_true(s.kind[EXIT_IO].ticks == UINT64_C(1) << 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_least_most_and_sum, setup),
        cmocka_unit_test_setup(test_a_clock_that_went_back_counts_as_nothing, setup),
        cmocka_unit_test_setup(test_a_kind_out_of_range_changes_nothing, setup),
        cmocka_unit_test_setup(test_details_are_told_apart, setup),
        cmocka_unit_test_setup(test_reading_and_writing_an_msr_are_two, setup),
        cmocka_unit_test_setup(test_a_full_table_still_counts, setup),
        cmocka_unit_test_setup(test_very_long_ones_saturate, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
