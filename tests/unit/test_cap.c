/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Caps: what is run in ten seconds, by one CPU and by several, by spinners and by those that save
 * up; and the bucket under real threads.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <setjmp.h>
#include <cmocka.h>

#include "core/cap.h"

#define MS      UINT64_C(1000000) /* ticks: a nanosecond each */
#define PERIOD  (100 * MS)
#define SLICE   (10 * MS)
#define SECONDS (1000 * MS)
#define CPUS    16
#define START   (123 * SECONDS)

static struct cap cap;

/* CPUs that run whenever they may, ten seconds long; each turn overruns by up to `overrun`. */
static uint64_t spin(unsigned cpus, uint64_t overrun)
{
    uint64_t begun[CPUS] = {0}, until[CPUS] = {0}, total = 0, seed = 7, now = START;
    while (now < START + 10 * SECONDS) {
        uint64_t next = UINT64_MAX;
        for (unsigned i = 0; i < cpus; i++) {
            if (begun[i] && until[i] <= now) {
                cap_charge(&cap, now, now - begun[i]);
                total += now - begun[i];
                begun[i] = 0;
            }
            if (!begun[i] && cap_left(&cap, now)) {
                seed = seed * UINT64_C(6364136223846793005) + 1;
                begun[i] = now;
                until[i] = now + min_u64(SLICE, cap_left(&cap, now));
                if (overrun)
                    until[i] += (seed >> 33) % overrun;
            }
            next = min_u64(next, begun[i] ? until[i] : cap_next(&cap, now));
        }
        assert_true(next > now);
        now = next;
    }
    return total;
}

static void assert_percent(uint64_t ran, uint32_t percent)
{
    uint64_t want = 10 * SECONDS / 100 * percent;
    if (ran < want - want / 100 || ran > want + want / 100)
        fail_msg("%u %%: ran %lu, may %lu", percent, ran, want);
}

static void caps_hold_within_a_percent_over_ten_seconds(void **state)
{
    (void)state;
    static const struct {
        uint32_t percent;
        unsigned cpus;
        uint64_t overrun;
    } row[] = {
        {25, 1, 0}, {25, 1, MS}, {25, 4, 0}, {25, 4, MS}, {1, 1, 0}, {2, 2, MS / 10}, {99, 1, 0},
        {100, 2, 0}, {150, 2, 0}, {150, 2, MS}, {150, 8, MS}, {399, 4, 0}, {777, 16, MS},
        {5, 16, MS / 10},
    };
    for (unsigned i = 0; i < ARRAY_LEN(row); i++) {
        cap_init(&cap, row[i].percent, PERIOD, START);
        assert_percent(spin(row[i].cpus, row[i].overrun), row[i].percent);
    }
}

static void without_a_cap_there_is_no_end(void **state)
{
    (void)state;
    cap_init(&cap, CAP_NONE, PERIOD, START);
    cap_charge(&cap, START, UINT64_MAX);
    assert_true(cap_left(&cap, START) == UINT64_MAX);
    assert_int_equal(cap_next(&cap, START), START);
}

/* However it spaces its bursts, no second has more than its percent and the bucket. */
static void saving_up_gains_half_a_period(void **state)
{
    (void)state;
    for (uint64_t pause = 10 * MS; pause < 3 * SECONDS; pause = pause * 3 / 2) {
        uint64_t now = START, ran = 0;
        cap_init(&cap, 25, PERIOD, now);
        now += SECONDS; /* the bucket is full */
        uint64_t begin = now;
        while (now < begin + 10 * SECONDS) {
            uint64_t left = cap_left(&cap, now), turn = min_u64(left, 100 * MS);
            assert_true(left <= PERIOD / 2 / 4);
            now += turn;
            ran += turn;
            cap_charge(&cap, now, turn);
            if (!turn)
                now += pause;
            assert_true(ran <= (now - begin + PERIOD / 2) / 4);
        }
        assert_true(ran <= 2500 * MS + 2500 * MS / 100);
    }
}

static void an_overrun_is_paid_before_it_runs_again(void **state)
{
    (void)state;
    cap_init(&cap, 25, PERIOD, START);
    assert_int_equal(cap_left(&cap, START), 0);
    cap_charge(&cap, START, 100 * MS);
    uint64_t next = cap_next(&cap, START);
    assert_in_range(next, START + 400 * MS, START + 400 * MS + PERIOD / 8);
    assert_int_equal(cap_left(&cap, next - 1), 0);
    assert_true(cap_left(&cap, next) > 0);
    assert_int_equal(cap_next(&cap, next), next);
}

static void no_input_overflows(void **state)
{
    (void)state;
    static const uint64_t odd[] = {0, 1, 99, CAP_PERIOD_MIN, PERIOD, CAP_PERIOD_MAX, UINT64_MAX / 2,
                                   UINT64_MAX - 1, UINT64_MAX};
    for (unsigned i = 0; i < ARRAY_LEN(odd); i++)
        for (unsigned j = 0; j < ARRAY_LEN(odd); j++)
            for (unsigned k = 0; k < ARRAY_LEN(odd); k++)
                for (unsigned shift = 0; shift < 32; shift += 3) {
                    cap_init(&cap, (uint32_t)BIT(shift), odd[i], odd[j]);
                    assert_in_range(cap.period, CAP_PERIOD_MIN, CAP_PERIOD_MAX);
                    uint64_t before = cap.paid;
                    cap_charge(&cap, odd[j], odd[k]);
                    assert_true(cap.paid >= before);
                    assert_true(cap.paid - before <= cap.period * CAP_DEBT_PERIODS);
                    assert_true(cap_next(&cap, odd[j]) >= odd[j]);
                }
}

static void a_cap_may_change_at_any_time(void **state)
{
    (void)state;
    cap_init(&cap, CAP_NONE, PERIOD, 0);
    cap_set(&cap, 50);
    assert_percent(spin(2, 0), 50);
    cap_set(&cap, UINT32_MAX);
    assert_int_equal(cap.percent, CAP_PERCENT_MAX);
}

static void *charge_many(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < 100000; i++)
        cap_charge(&cap, START, 10);
    return NULL;
}

static void nothing_is_lost_between_cpus(void **state)
{
    (void)state;
    pthread_t thread[4];
    cap_init(&cap, 50, CAP_PERIOD_MAX, START);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, charge_many, NULL), 0);
    for (unsigned i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(cap.paid - START, 4 * 100000 * 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(caps_hold_within_a_percent_over_ten_seconds),
        cmocka_unit_test(without_a_cap_there_is_no_end),
        cmocka_unit_test(saving_up_gains_half_a_period),
        cmocka_unit_test(an_overrun_is_paid_before_it_runs_again),
        cmocka_unit_test(no_input_overflows),
        cmocka_unit_test(a_cap_may_change_at_any_time),
        cmocka_unit_test(nothing_is_lost_between_cpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
