/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The timer queue against an array that is searched from end to end.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "core/timerq.h"

#define TIMERS     300
#define OPERATIONS 100000
#define DEEP       200000

static struct timerq q;
static struct timerq_entry timer[TIMERS];
static uint64_t model[TIMERS]; /* TIMERQ_NEVER: not queued */
static uint64_t seed;

static uint64_t random_below(uint64_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 33) % below;
}

static void setup(void)
{
    seed = 1;
    timerq_init(&q);
    for (unsigned i = 0; i < TIMERS; i++) {
        timerq_entry_init(&timer[i]);
        model[i] = TIMERQ_NEVER;
    }
}

static uint64_t model_first(void)
{
    uint64_t first = TIMERQ_NEVER;
    for (unsigned i = 0; i < TIMERS; i++)
        first = min_u64(first, model[i]);
    return first;
}

static void pop_all_due(uint64_t now)
{
    struct timerq_entry *t;
    while ((t = timerq_pop_due(&q, now))) {
        size_t i = (size_t)(t - timer);
        assert_true(i < TIMERS);
        assert_true(model[i] <= now);
        assert_int_equal(model[i], model_first());
        assert_false(timerq_queued(t));
        model[i] = TIMERQ_NEVER;
    }
    assert_true(model_first() > now);
}

static void an_empty_queue_has_nothing_due(void **state)
{
    (void)state;
    setup();
    assert_null(timerq_first(&q));
    assert_null(timerq_pop_due(&q, UINT64_MAX));
    assert_int_equal(timerq_next(&q), TIMERQ_NEVER);
    assert_false(timerq_cancel(&q, &timer[0]));
}

static void timers_come_in_order_and_not_before_their_time(void **state)
{
    (void)state;
    setup();
    timerq_set(&q, &timer[0], 30);
    timerq_set(&q, &timer[1], 10);
    timerq_set(&q, &timer[2], 20);
    assert_ptr_equal(timerq_first(&q), &timer[1]);
    assert_int_equal(timerq_next(&q), 10);
    assert_null(timerq_pop_due(&q, 9));
    assert_ptr_equal(timerq_pop_due(&q, 10), &timer[1]);
    assert_null(timerq_pop_due(&q, 10));
    assert_ptr_equal(timerq_pop_due(&q, 100), &timer[2]);
    assert_ptr_equal(timerq_pop_due(&q, 100), &timer[0]);
    assert_null(timerq_pop_due(&q, UINT64_MAX));
}

static void a_timer_is_moved_both_ways(void **state)
{
    (void)state;
    setup();
    for (unsigned i = 0; i < 10; i++)
        timerq_set(&q, &timer[i], 100 + i);
    timerq_set(&q, &timer[0], 200);
    assert_ptr_equal(timerq_first(&q), &timer[1]);
    timerq_set(&q, &timer[9], 50);
    assert_ptr_equal(timerq_first(&q), &timer[9]);
    timerq_set(&q, &timer[9], TIMERQ_NEVER);
    assert_false(timerq_queued(&timer[9]));
    assert_ptr_equal(timerq_first(&q), &timer[1]);
    assert_true(timerq_cancel(&q, &timer[1]));
    assert_false(timerq_cancel(&q, &timer[1]));
    assert_int_equal(timerq_next(&q), 102);
}

static void a_hundred_thousand_operations_agree_with_a_model(void **state)
{
    (void)state;
    setup();
    uint64_t now = 0;
    for (unsigned n = 0; n < OPERATIONS; n++) {
        size_t i = random_below(TIMERS);
        switch (random_below(8)) {
        case 0:
            assert_int_equal(timerq_cancel(&q, &timer[i]), model[i] != TIMERQ_NEVER);
            model[i] = TIMERQ_NEVER;
            break;
        case 1:
            now += random_below(500);
            pop_all_due(now);
            break;
        default:
            model[i] = now + random_below(10000);
            timerq_set(&q, &timer[i], model[i]);
            break;
        }
        assert_int_equal(timerq_queued(&timer[i]), model[i] != TIMERQ_NEVER);
        if (n % 16 == 0)
            assert_int_equal(timerq_next(&q), model_first());
    }
    pop_all_due(TIMERQ_NEVER - 1);
    assert_null(timerq_first(&q));
}

/* Set in falling order they hang in one long chain, set in rising order all hang under the first:
 * neither may cost the stack or time without end. */
static void the_worst_shapes_do_no_harm(void **state)
{
    (void)state;
    static struct timerq_entry many[DEEP];
    for (unsigned falling = 0; falling < 2; falling++) {
        timerq_init(&q);
        for (unsigned i = 0; i < DEEP; i++) {
            timerq_entry_init(&many[i]);
            timerq_set(&q, &many[i], falling ? DEEP - i : i);
        }
        for (unsigned i = 0; i < DEEP; i++)
            assert_ptr_equal(timerq_pop_due(&q, DEEP), &many[falling ? DEEP - 1 - i : i]);
        assert_null(timerq_first(&q));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_queue_has_nothing_due),
        cmocka_unit_test(timers_come_in_order_and_not_before_their_time),
        cmocka_unit_test(a_timer_is_moved_both_ways),
        cmocka_unit_test(a_hundred_thousand_operations_agree_with_a_model),
        cmocka_unit_test(the_worst_shapes_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
