/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/pvclock.c: the structures are laid out as Linux expects them, and the scaling factors keep
 * time from 1 MHz to 10 GHz: never ahead, behind by less than a part in 2^31, never going back.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "core/lib/string.h"
#include "core/pvclock.h"

/* kHz: round ones, what TSCs really have, powers of two and their neighbours. */
static const uint64_t rates[] = {
    1000,    1001,    1024,    14318,   33333,   65536,   99999,   100000,  499999,   500000,
    666667,  999999,  1000000, 1000001, 1048576, 1193182, 1600000, 1999999, 2000000,  2000001,
    2097152, 2394230, 2893437, 3000000, 3400000, 3999999, 4000000, 4000001, 4194304,  5000000,
    5999997, 7999999, 8000000, 8000001, 8388608, 9999999, 10000000,
};

static const uint64_t seconds[] = {0, 1, 2, 59, 3600, 3601, 12 * 3600, 86400, 30 * 86400};

/* Nanoseconds that so many ticks take, rounded down. */
static uint64_t exact(uint64_t ticks, uint64_t khz)
{
    return (uint64_t)((unsigned __int128)ticks * 1000000 / khz);
}

static void check(const struct pvclock_system *s, uint64_t khz, uint64_t ticks)
{
    uint64_t want = exact(ticks, khz), got = pvclock_read(s, s->tsc + ticks) - s->ns;
    /* A part in 2^31 is the factor's, a nanosecond the rounding's, and a shift to the right drops
     * up to 2^-shift - 1 ticks. */
    uint64_t dropped = s->shift < 0 ? exact(BIT(-s->shift), khz) : 0;
    if (got > want || want - got > (want >> 31) + dropped + 2)
        fail_msg("%lu kHz, %lu ticks: %lu ns, should be %lu", khz, ticks, got, want);
}

static void test_accuracy(void **state)
{
    struct pvclock_system s;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        uint64_t khz = rates[i];
        pvclock_fill(&s, 2, UINT64_C(0x123456789abc), UINT64_C(987654321), khz);
        for (size_t k = 0; k < ARRAY_LEN(seconds); k++) {
            uint64_t ticks = seconds[k] * khz * 1000;
            check(&s, khz, ticks);
            check(&s, khz, ticks + 1);
            check(&s, khz, ticks + khz - 1);
            check(&s, khz, ticks + khz * 777);
        }
    }
}

/* Every rate between two of the list's ends, an hour later. */
static void test_all_rates(void **state)
{
    struct pvclock_system s;
    (void)state;
    for (uint64_t khz = 1000; khz <= 10000000; khz += 1 + khz / 997) {
        pvclock_fill(&s, 2, 5, 7, khz);
        assert_true(s.mul >= BIT(31)); /* all 32 bits of precision are used */
        check(&s, khz, khz * 1000 * 3600);
    }
}

static void test_starts_where_it_is_told(void **state)
{
    struct pvclock_system s;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        pvclock_fill(&s, 2, UINT64_MAX - 10, UINT64_C(1) << 62, rates[i]);
        assert_int_equal(pvclock_read(&s, UINT64_MAX - 10), UINT64_C(1) << 62);
        /* The TSC may wrap. */
        uint64_t at = pvclock_read(&s, rates[i] * 1000);
        assert_true(at - (UINT64_C(1) << 62) > 999999990 && at - (UINT64_C(1) << 62) < 1000100000);
    }
}

static void test_never_goes_back(void **state)
{
    struct pvclock_system s;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        pvclock_fill(&s, 2, 0, 0, rates[i]);
        uint64_t last = 0;
        for (uint64_t tsc = 0; tsc < 3000; tsc++) {
            uint64_t ns = pvclock_read(&s, tsc);
            assert_true(ns >= last);
            last = ns;
        }
        for (uint64_t tsc = 1; tsc < UINT64_C(1) << 50; tsc += 1 + tsc / 31) {
            uint64_t ns = pvclock_read(&s, tsc);
            assert_true(ns >= last || tsc < 3000);
            last = max_u64(ns, last);
        }
    }
}

/* Two moments of one clock: what either says of a third differs by nanoseconds only. */
static void test_updates_agree(void **state)
{
    struct pvclock_system early, late;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        uint64_t hour = rates[i] * 1000 * 3600;
        pvclock_fill(&early, 2, 0, 0, rates[i]);
        pvclock_fill(&late, 4, hour, exact(hour, rates[i]), rates[i]);
        uint64_t a = pvclock_read(&early, 2 * hour), b = pvclock_read(&late, 2 * hour);
        assert_true(b >= a && b - a < 4000);
    }
}

static void test_record(void **state)
{
    struct pvclock_system s;
    (void)state;
    memset(&s, 0xa5, sizeof(s));
    pvclock_fill(&s, 8, 11, 12, 1000000);
    assert_int_equal(s.version, 8);
    assert_int_equal(s.tsc, 11);
    assert_int_equal(s.ns, 12);
    assert_int_equal(s.flags, 1);
    assert_int_equal(s.pad0 | s.pad[0] | s.pad[1], 0);
    pvclock_fill(&s, 9, 11, 12, 1000000); /* odd: being changed, which is the writer's to say */
    assert_int_equal(s.version, 9);
    /* 1 GHz: one tick is one nanosecond, exactly. */
    assert_int_equal(pvclock_read(&s, 11 + 123456789), 12 + 123456789);
}

static void test_layout(void **state)
{
    (void)state;
    assert_int_equal(sizeof(struct pvclock_wall), 12);
    assert_int_equal(sizeof(struct pvclock_system), 32);
    assert_int_equal(offsetof(struct pvclock_system, tsc), 8);
    assert_int_equal(offsetof(struct pvclock_system, ns), 16);
    assert_int_equal(offsetof(struct pvclock_system, mul), 24);
    assert_int_equal(offsetof(struct pvclock_system, shift), 28);
    assert_int_equal(offsetof(struct pvclock_system, flags), 29);
}

/* Rates that no machine has: the sanitizers watch, and a reader does not trap. */
static void test_absurd_rates(void **state)
{
    static const uint64_t absurd[] = {0, 1, 2, 999, UINT32_MAX, BIT(50), BIT(63), UINT64_MAX};
    struct pvclock_system s;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(absurd); i++) {
        pvclock_fill(&s, 2, 0, 100, absurd[i]);
        assert_true(s.shift >= -31 && s.shift <= 31);
        assert_true(pvclock_read(&s, 0) == 100);
        (void)pvclock_read(&s, UINT64_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accuracy),        cmocka_unit_test(test_all_rates),
        cmocka_unit_test(test_starts_where_it_is_told), cmocka_unit_test(test_never_goes_back),
        cmocka_unit_test(test_updates_agree),   cmocka_unit_test(test_record),
        cmocka_unit_test(test_layout),          cmocka_unit_test(test_absurd_rates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
