/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The run queue's rules one by one; test_sched_shares.c shows what they add up to.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "core/runqueue.h"

#define SLICE INT64_C(10000000)

static struct runq rq, other;
static struct runq_entity a, b, c;

static void setup_abc(void)
{
    runq_init(&rq, SLICE);
    runq_init(&other, SLICE);
    runq_entity_init(&a, RUNQ_WEIGHT_DEFAULT);
    runq_entity_init(&b, RUNQ_WEIGHT_DEFAULT);
    runq_entity_init(&c, RUNQ_WEIGHT_DEFAULT);
}

/* Picks, which must be e, and runs it for so long. */
static void run(struct runq_entity *e, int64_t ticks)
{
    assert_ptr_equal(runq_pick(&rq), e);
    assert_ptr_equal(rq.running, e);
    runq_charge(&rq, e, (uint64_t)ticks);
}

static void turns_go_round_and_end_with_the_slice(void **state)
{
    (void)state;
    setup_abc();
    assert_null(runq_pick(&rq));
    assert_true(runq_wake(&rq, &a));
    assert_true(runq_wake(&rq, &b));
    assert_int_equal(runq_load(&rq), 2);
    for (int round = 0; round < 3; round++) {
        run(&a, SLICE / 4);
        assert_int_equal(runq_turn(&rq, &a), SLICE - SLICE / 4);
        runq_charge(&rq, &a, (uint64_t)(SLICE - SLICE / 4));
        assert_int_equal(runq_turn(&rq, &a), 0);
        runq_put(&rq, &a, RUNQ_USED);
        run(&b, SLICE);
        runq_put(&rq, &b, RUNQ_USED);
        assert_true(runq_hungry(&rq));
        assert_int_equal(rq.epoch, round + 1);
    }
}

static void one_that_yields_keeps_its_credit(void **state)
{
    (void)state;
    setup_abc();
    runq_wake(&rq, &a);
    runq_wake(&rq, &b);
    run(&a, SLICE / 4);
    runq_put(&rq, &a, RUNQ_YIELDED);
    run(&b, SLICE);
    runq_put(&rq, &b, RUNQ_USED);
    run(&a, 0);
    assert_int_equal(runq_turn(&rq, &a), SLICE - SLICE / 4);
}

static void one_that_is_preempted_goes_on_with_its_turn(void **state)
{
    (void)state;
    setup_abc();
    runq_wake(&rq, &a);
    runq_wake(&rq, &b);
    run(&a, SLICE / 4);
    runq_wake(&rq, &c);
    runq_put(&rq, &a, RUNQ_PREEMPTED);
    run(&b, SLICE / 4); /* woke before c */
    runq_remove(&rq, &b);
    run(&c, SLICE / 4);
    runq_remove(&rq, &c);
    run(&a, SLICE - SLICE / 4 - 1);
    assert_int_equal(runq_turn(&rq, &a), 1);
    /* What is left is not worth a switch. */
    runq_wake(&rq, &b);
    runq_put(&rq, &a, RUNQ_PREEMPTED);
    run(&b, 0);
}

static void a_wake_within_the_epoch_brings_no_credit(void **state)
{
    (void)state;
    setup_abc();
    runq_wake(&rq, &b);
    run(&b, 0);
    runq_put(&rq, &b, RUNQ_USED);
    runq_wake(&rq, &a);
    for (int i = 0; i < 4; i++) {
        run(&a, 0);
        assert_int_equal(runq_turn(&rq, &a), SLICE - i * (SLICE / 4));
        runq_charge(&rq, &a, (uint64_t)(SLICE / 4));
        runq_remove(&rq, &a);
        assert_int_equal(runq_wake(&rq, &a), i < 3); /* in front of b while it has credit */
    }
    run(&b, SLICE);
    runq_put(&rq, &b, RUNQ_USED);
    assert_int_equal(rq.epoch, 1);
}

static void sleep_saves_one_quantum_at_most(void **state)
{
    (void)state;
    setup_abc();
    runq_wake(&rq, &a);
    for (int i = 0; i < 10; i++) {
        run(&a, SLICE);
        runq_put(&rq, &a, RUNQ_USED);
    }
    assert_true(runq_wake(&rq, &b));
    assert_int_equal(b.credit, SLICE);
    assert_int_equal(b.epoch, 10);
}

static void an_overrun_is_paid_back(void **state)
{
    (void)state;
    setup_abc();
    runq_wake(&rq, &a);
    runq_wake(&rq, &b);
    run(&a, 3 * SLICE); /* two more than it had */
    runq_put(&rq, &a, RUNQ_USED);
    for (int i = 0; i < 3; i++) {
        run(&b, SLICE);
        runq_put(&rq, &b, RUNQ_USED);
    }
    run(&a, 0);
    assert_int_equal(a.credit, SLICE);
    assert_int_equal(rq.epoch, 4);
}

static void a_debt_beyond_measure_is_forgiven(void **state)
{
    (void)state;
    setup_abc();
    runq_wake(&rq, &a);
    run(&a, INT64_MAX);
    assert_int_equal(a.credit, -RUNQ_DEBT_MAX * SLICE);
    runq_charge(&rq, &a, UINT64_MAX);
    assert_int_equal(a.credit, -RUNQ_DEBT_MAX * SLICE);
    runq_put(&rq, &a, RUNQ_USED);
    run(&a, 0);
    assert_int_equal(rq.epoch, 2 + RUNQ_DEBT_MAX);
    assert_int_equal(runq_turn(&rq, &a), SLICE);
}

static void weights_and_slices_are_moved_into_range(void **state)
{
    (void)state;
    setup_abc();
    runq_set_weight(&rq, &a, 0);
    assert_int_equal(a.weight, RUNQ_WEIGHT_MIN);
    runq_set_weight(&rq, &a, UINT32_MAX);
    assert_int_equal(a.weight, RUNQ_WEIGHT_MAX);
    runq_wake(&rq, &a);
    assert_int_equal(a.credit, 10 * SLICE);
    runq_set_weight(&rq, &a, 50);
    assert_int_equal(a.credit, SLICE);
    runq_init(&rq, -1);
    assert_int_equal(rq.slice, RUNQ_SLICE_MIN);
    runq_init(&rq, INT64_MAX);
    runq_entity_init(&b, UINT32_MAX);
    runq_wake(&rq, &b);
    run(&b, INT64_MAX);
    runq_put(&rq, &b, RUNQ_USED);
    run(&b, 0);
    assert_true(b.credit > 0);
}

static bool only_b(void *ctx, const struct runq_entity *e)
{
    (void)ctx;
    return e == &b;
}

static void a_thief_takes_what_would_come_later(void **state)
{
    (void)state;
    setup_abc();
    runq_wake(&rq, &a);
    runq_wake(&rq, &b);
    /* An idle one takes anybody that may. */
    assert_true(runq_worth_stealing(&rq, &other));
    assert_ptr_equal(runq_steal(&rq, &other, only_b, NULL), &b);
    assert_null(runq_steal(&rq, &other, NULL, NULL)); /* not hungry any more */
    assert_ptr_equal(runq_pick(&other), &b);
    runq_charge(&other, &b, (uint64_t)SLICE);
    runq_put(&other, &b, RUNQ_USED);
    /* A hungry one takes who has credit in its epoch. */
    assert_null(runq_steal(&rq, &other, only_b, NULL));
    assert_ptr_equal(runq_steal(&rq, &other, NULL, NULL), &a);
    assert_ptr_equal(runq_pick(&other), &a);
    assert_int_equal(other.epoch, 1);
}

static void a_thief_leaves_who_has_had_its_epoch(void **state)
{
    (void)state;
    setup_abc();
    runq_wake(&rq, &a);
    runq_wake(&rq, &b);
    run(&a, SLICE);
    runq_put(&rq, &a, RUNQ_USED);
    run(&b, 0);
    runq_wake(&other, &c);
    assert_ptr_equal(runq_pick(&other), &c);
    runq_charge(&other, &c, (uint64_t)SLICE);
    runq_put(&other, &c, RUNQ_USED);
    assert_false(runq_worth_stealing(&rq, &other));
    assert_null(runq_steal(&rq, &other, NULL, NULL));
    /* An epoch later a, which waits behind b's long turn, is due on the other queue. */
    assert_ptr_equal(runq_pick(&other), &c);
    runq_charge(&other, &c, (uint64_t)SLICE);
    runq_put(&other, &c, RUNQ_USED);
    assert_int_equal(other.epoch, 2);
    assert_ptr_equal(runq_steal(&rq, &other, NULL, NULL), &a);
    assert_ptr_equal(runq_pick(&other), &a);
    assert_int_equal(a.credit, SLICE);
    assert_int_equal(other.epoch, 2);
}

static void an_idle_queue_joins_the_others_epoch(void **state)
{
    (void)state;
    setup_abc();
    runq_wake(&rq, &a);
    for (int i = 0; i < 5; i++) {
        run(&a, SLICE);
        runq_put(&rq, &a, RUNQ_USED);
    }
    /* By a wake: the share of epoch 5 has been had. */
    runq_remove(&rq, &a);
    assert_false(runq_wake(&other, &a));
    assert_int_equal(other.epoch, 5);
    assert_ptr_equal(runq_pick(&other), &a);
    assert_int_equal(other.epoch, 6);
    /* By theft: the same. */
    setup_abc();
    runq_wake(&rq, &a);
    runq_wake(&rq, &b);
    for (int i = 0; i < 5; i++) {
        run(&a, SLICE);
        runq_put(&rq, &a, RUNQ_USED);
        run(&b, SLICE);
        runq_put(&rq, &b, RUNQ_USED);
    }
    assert_ptr_equal(runq_steal(&rq, &other, NULL, NULL), &a);
    assert_int_equal(other.epoch, 5);
    assert_ptr_equal(runq_pick(&other), &a);
    assert_int_equal(other.epoch, 6);
    assert_int_equal(a.credit, SLICE);
}

static void one_from_a_faster_queue_waits_for_two_epochs_at_most(void **state)
{
    (void)state;
    setup_abc();
    runq_wake(&rq, &b);
    run(&b, SLICE);
    runq_put(&rq, &b, RUNQ_USED);
    a.epoch = 1000; /* and no credit */
    assert_false(runq_wake(&rq, &a));
    for (int i = 0; i < 2; i++) {
        run(&b, SLICE);
        runq_put(&rq, &b, RUNQ_USED);
    }
    run(&a, SLICE);
    assert_int_equal(rq.epoch, 3);
}

static void no_turn_is_begun_for_a_sliver_of_credit(void **state)
{
    (void)state;
    setup_abc();
    runq_wake(&rq, &a);
    runq_wake(&rq, &b);
    run(&a, SLICE - 100);
    runq_put(&rq, &a, RUNQ_USED);
    run(&b, SLICE);
    runq_put(&rq, &b, RUNQ_USED);
    /* In the next epoch it has the 100 ticks on top, but no turn of its own for them. */
    run(&a, SLICE);
    assert_int_equal(a.credit, 100);
    runq_put(&rq, &a, RUNQ_USED);
    run(&b, SLICE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_go_round_and_end_with_the_slice),
        cmocka_unit_test(one_that_yields_keeps_its_credit),
        cmocka_unit_test(one_that_is_preempted_goes_on_with_its_turn),
        cmocka_unit_test(a_wake_within_the_epoch_brings_no_credit),
        cmocka_unit_test(sleep_saves_one_quantum_at_most),
        cmocka_unit_test(an_overrun_is_paid_back),
        cmocka_unit_test(a_debt_beyond_measure_is_forgiven),
        cmocka_unit_test(weights_and_slices_are_moved_into_range),
        cmocka_unit_test(a_thief_takes_what_would_come_later),
        cmocka_unit_test(a_thief_leaves_who_has_had_its_epoch),
        cmocka_unit_test(an_idle_queue_joins_the_others_epoch),
        cmocka_unit_test(one_from_a_faster_queue_waits_for_two_epochs_at_most),
        cmocka_unit_test(no_turn_is_begun_for_a_sliver_of_credit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
