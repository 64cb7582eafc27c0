/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the run queue's rules add up to: shares and waits of simulated entities on simulated CPUs.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <cmocka.h>

#include "tests/unit/sched_sim.h"

#define RUN (1000 * SIM_SLICE)

static void assert_near(const char *what, double is, double want, double tolerance)
{
    if (is < want - tolerance || is > want + tolerance)
        fail_msg("%s: %.4f instead of %.4f", what, is, want);
}

/* So many slices' worth of time for s, within 1 % or 1.5 quanta. */
static void assert_slices(const char *what, const struct sim_entity *s, double want)
{
    double quanta = 1.5 * s->e.weight / RUNQ_WEIGHT_DEFAULT, percent = want / 100;
    assert_near(what, (double)s->ran / SIM_SLICE, want, percent > quanta ? percent : quanta);
}

static void forget_results(void)
{
    for (unsigned i = 0; i < sim.entities; i++) {
        struct sim_entity *s = &sim.entity[i];
        s->ran = s->turns = s->moves = s->wakes = s->longest_wait = s->longest_wake = 0;
    }
    for (unsigned i = 0; i < sim.cpus; i++)
        sim.cpu[i].busy = 0;
}

/* Slices' worth of time that s has had, the present turn included. */
static double slices_of(const struct sim_entity *s)
{
    const struct sim_cpu *c = &sim.cpu[s->cpu];
    return (double)(s->ran + (c->on == s ? sim.now - c->since : 0)) / SIM_SLICE;
}

/* At any time each has had its share, give or take a slice and what one overrun comes to. */
static void equal_spinners(unsigned cpus, unsigned entities)
{
    char what[40];
    snprintf(what, sizeof(what), "%u on %u", entities, cpus);
    sim_setup(cpus);
    for (unsigned i = 0; i < entities; i++)
        sim_add(RUNQ_WEIGHT_DEFAULT);
    while (sim.now < RUN) {
        sim_run(SIM_SLICE * 7 / 3);
        double now = (double)sim.now / SIM_SLICE;
        for (unsigned i = 0; i < entities; i++)
            assert_near(what, slices_of(&sim.entity[i]),
                        entities < cpus ? now : now * cpus / entities, 1.01);
    }
}

static void spinners_share_equally_however_many_on_however_many(void **state)
{
    (void)state;
    for (unsigned cpus = 1; cpus <= SIM_CPUS; cpus++)
        for (unsigned entities = 1; entities <= 4 * cpus; entities++)
            equal_spinners(cpus, entities);
    equal_spinners(1, 50);
    equal_spinners(3, 64);
    equal_spinners(8, 256);
}

static void spinners_that_come_and_stay_on_one_cpu_first(void **state)
{
    (void)state;
    sim_setup(3);
    for (unsigned i = 0; i < 7; i++) {
        sim_add(RUNQ_WEIGHT_DEFAULT)->cpu = 0;
        sim_run(SIM_SLICE / 3);
    }
    sim_run(RUN);
    forget_results();
    sim_run(RUN);
    for (unsigned i = 0; i < 7; i++)
        assert_slices("7 on 3, begun on one", &sim.entity[i], 3000.0 / 7);
}

static void weights_count_on_one_cpu(void **state)
{
    (void)state;
    sim_setup(1);
    for (unsigned i = 0; i < 3; i++)
        sim_add(RUNQ_WEIGHT_DEFAULT << i);
    sim_run(RUN);
    for (unsigned i = 0; i < 3; i++)
        assert_near("1:2:4", (double)sim.entity[i].ran / SIM_SLICE, 1000.0 * (1 << i) / 7,
                    10.0 * (1 << i) / 7);
    sim_setup(1);
    sim_add(RUNQ_WEIGHT_MIN);
    sim_add(RUNQ_WEIGHT_MAX);
    sim_add(95);
    sim_run(10 * RUN);
    assert_slices("10 of 1105", &sim.entity[0], 10000 * 10 / 1105.0);
    assert_slices("1000 of 1105", &sim.entity[1], 10000 * 1000 / 1105.0);
    assert_slices("95 of 1105", &sim.entity[2], 10000 * 95 / 1105.0);
}

/* Weights of which none is worth more than a CPU: what each is worth, within 1 %. */
static void weighted(const char *what, unsigned cpus, const uint32_t *weights)
{
    unsigned n = 0, sum = 0;
    sim_setup(cpus);
    for (; weights[n]; n++) {
        sim_add(weights[n]);
        sum += weights[n];
    }
    sim_run(RUN);
    forget_results();
    sim_run(RUN);
    for (unsigned i = 0; i < n; i++) {
        double want = 1000.0 * cpus * weights[i] / sum;
        assert_near(what, (double)sim.entity[i].ran / SIM_SLICE, want, want / 100);
    }
}

static void weights_count_on_several_cpus(void **state)
{
    (void)state;
    weighted("1:1:2:2 on 2", 2, (const uint32_t[]){100, 100, 200, 200, 0});
    weighted("1:2:3 on 2", 2, (const uint32_t[]){100, 200, 300, 0});
    weighted("1:1:1:3 on 2", 2, (const uint32_t[]){100, 100, 100, 300, 0});
    weighted("1:2:3:4 on 2", 2, (const uint32_t[]){100, 200, 300, 400, 0});
    weighted("extremes on 2", 2, (const uint32_t[]){1000, 1000, 10, 10, 10, 990, 0});
    weighted("9 on 4", 4, (const uint32_t[]){400, 400, 400, 400, 400, 200, 200, 100, 100, 0});
    weighted("11 on 4", 4,
             (const uint32_t[]){150, 20, 30, 90, 110, 260, 200, 100, 70, 130, 140, 0});
}

/* Worth more than a CPU: it has one, and the others share what is left by weight. */
static void a_weight_is_worth_one_cpu_at_most(void **state)
{
    (void)state;
    sim_setup(2);
    sim_add(100);
    sim_add(200);
    sim_add(900);
    sim_run(RUN);
    forget_results();
    sim_run(RUN);
    assert_slices("1 of 3", &sim.entity[0], 1000 / 3.0);
    assert_slices("2 of 3", &sim.entity[1], 2000 / 3.0);
    assert_slices("a CPU", &sim.entity[2], 1000);
}

static void pins_are_kept_and_the_rest_is_shared(void **state)
{
    (void)state;
    sim_setup(3);
    for (unsigned i = 0; i < 8; i++)
        sim_add(RUNQ_WEIGHT_DEFAULT);
    /* Four on CPU 0, more than its share; a free one would be worse off there than elsewhere. */
    for (unsigned i = 0; i < 4; i++) {
        sim.entity[i].mask = BIT(0);
        sim.entity[i].cpu = 0;
    }
    sim.entity[4].mask = BIT(1);
    sim.entity[4].cpu = 1;
    sim_run(RUN);
    forget_results();
    sim_run(RUN);
    for (unsigned i = 0; i < 4; i++) {
        assert_slices("pinned with three others", &sim.entity[i], 250);
        assert_int_equal(sim.entity[i].moves, 0);
    }
    for (unsigned i = 4; i < 8; i++)
        assert_slices("four on two", &sim.entity[i], 500);
    assert_int_equal(sim.entity[4].moves, 0);
}

/* Two that shared a CPU by their pins went through half as many epochs as one that was alone. When
 * that is over they shall not have for themselves what they lag behind. */
static void what_pins_did_is_forgotten_when_they_go(void **state)
{
    (void)state;
    sim_setup(2);
    for (unsigned i = 0; i < 3; i++) {
        struct sim_entity *s = sim_add(RUNQ_WEIGHT_DEFAULT);
        s->mask = i < 2 ? BIT(0) : BIT(1);
        s->cpu = i < 2 ? 0 : 1;
    }
    sim_run(RUN);
    assert_slices("alone", &sim.entity[2], 1000);
    /* The CPU that lags has one, now; and then one may go from either to the other. */
    sim.entity[1].mask = BIT(1);
    sim_run(30 * SIM_SLICE);
    sim.entity[1].mask = BIT(0) | BIT(1);
    forget_results();
    sim_run(30 * SIM_SLICE);
    for (unsigned i = 0; i < 3; i++)
        assert_near("three on two", (double)sim.entity[i].ran / SIM_SLICE, 20, 2);
}

/* One overruns each turn by half a slice, and pays for it, whatever other CPUs do meanwhile: one
 * that has a CPU to itself and little weight goes through many epochs. */
static void debts_are_paid_beside_a_cpu_that_is_ahead(void **state)
{
    (void)state;
    for (unsigned sleeps = 0; sleeps < 2; sleeps++) {
        sim_setup(2);
        struct sim_entity *debtor = sim_add(RUNQ_WEIGHT_DEFAULT);
        struct sim_entity *ahead = sim_add(RUNQ_WEIGHT_MIN), *other = sim_add(RUNQ_WEIGHT_DEFAULT);
        debtor->mask = other->mask = BIT(0);
        ahead->mask = BIT(1);
        debtor->overrun = SIM_SLICE / 2;
        if (sleeps) {
            debtor->burst = debtor->left = SIM_SLICE;
            debtor->sleep = SIM_SLICE / 10;
        }
        sim_run(RUN);
        assert_slices("ahead", ahead, 1000);
        assert_true(sim.cpu[1].rq.epoch > 1000);
        assert_true((double)other->ran / SIM_SLICE > 495);
    }
}

/* None has waited for more than so many rounds of everybody. */
static void assert_waits(uint64_t rounds)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < sim.entities; i++)
        sum += SIM_SLICE * sim.entity[i].e.weight / RUNQ_WEIGHT_DEFAULT + 2 * SIM_OVERRUN;
    for (unsigned i = 0; i < sim.entities; i++)
        if (sim.entity[i].longest_wait > sum * rounds)
            fail_msg("entity %u waited %lu ticks", i, sim.entity[i].longest_wait);
}

/* Beside each kind of player a batch job keeps its half, and the player gets no more than his. */
static void against(const char *what, struct sim_entity player, bool preempt)
{
    sim_setup(1);
    sim.wakers_preempt = preempt;
    struct sim_entity *batch = sim_add(RUNQ_WEIGHT_DEFAULT), *p = sim_add(RUNQ_WEIGHT_DEFAULT);
    p->burst = p->left = player.burst;
    p->sleep = player.sleep;
    p->until_slice_end = player.until_slice_end;
    sim_run(RUN);
    if (batch->ran < RUN / 2 - RUN / 100 || p->ran > RUN / 2 + RUN / 100)
        fail_msg("%s: %lu, batch %lu", what, p->ran, batch->ran);
    assert_true(p->turns > 400);
    assert_waits(2);
}

static void players_gain_nothing(void **state)
{
    (void)state;
    for (unsigned preempt = 0; preempt < 2; preempt++) {
        against("sleeps before its slice ends",
                (struct sim_entity){.until_slice_end = true, .sleep = 1000}, preempt);
        against("sleeps for half a slice before its slice ends",
                (struct sim_entity){.until_slice_end = true, .sleep = SIM_SLICE / 2}, preempt);
        against("yields all the time", (struct sim_entity){.burst = 5000}, preempt);
        against("yields before its slice ends", (struct sim_entity){.until_slice_end = true},
                preempt);
        against("wakes all the time", (struct sim_entity){.burst = 20000, .sleep = 20000}, preempt);
        against("wakes often", (struct sim_entity){.burst = 300000, .sleep = 100000}, preempt);
        against("sleeps long, runs long",
                (struct sim_entity){.burst = 40 * SIM_SLICE, .sleep = 10 * SIM_SLICE}, preempt);
    }
}

/* A storm of eight that wake, yield and play, beside two batch jobs, on two CPUs. */
static void a_storm_leaves_the_batch_its_share(void **state)
{
    (void)state;
    sim_setup(2);
    sim.wakers_preempt = true;
    for (unsigned i = 0; i < 10; i++)
        sim_add(RUNQ_WEIGHT_DEFAULT);
    for (unsigned i = 0; i < 8; i++) {
        struct sim_entity *s = &sim.entity[i];
        s->burst = s->left = 100000 + 250000 * i;
        s->sleep = i % 3 == 0 ? 0 : 50000;
        s->until_slice_end = i % 4 == 1;
    }
    sim_run(RUN);
    for (unsigned i = 8; i < 10; i++)
        if (sim.entity[i].ran < RUN / 5 - RUN / 100)
            fail_msg("batch job: %lu of %lu", sim.entity[i].ran, RUN);
    for (unsigned i = 0; i < 8; i++)
        if (sim.entity[i].ran > RUN / 5 + RUN / 50)
            fail_msg("storm %u: %lu of %lu", i, sim.entity[i].ran, RUN);
    assert_waits(2);
    assert_true(sim.cpu[0].busy + sim.cpu[1].busy > 2 * RUN - RUN / 100);
}

/* Sleepers that use less than their share run when they wake, after one slice at most. */
static void wakers_with_credit_wait_for_one_slice_at_most(void **state)
{
    (void)state;
    for (unsigned preempt = 0; preempt < 2; preempt++) {
        sim_setup(1);
        sim.wakers_preempt = preempt;
        struct sim_entity *sleeper = sim_add(RUNQ_WEIGHT_DEFAULT);
        sleeper->burst = sleeper->left = 200000;
        sleeper->sleep = 3700000;
        for (unsigned i = 0; i < 5; i++)
            sim_add(RUNQ_WEIGHT_DEFAULT);
        sim_run(RUN / 10); /* at first all have just woken */
        forget_results();
        sim_run(5 * RUN);
        assert_true(sleeper->wakes > 1000);
        uint64_t bound = SIM_SLICE / (preempt ? 10 : 1) + SIM_OVERRUN;
        assert_true(sleeper->longest_wake > bound / 2);
        assert_true(sleeper->longest_wake <= bound);
        assert_waits(2);
    }
}

/* All that is asked for is served while there is room. */
static void light_loads_are_served_in_full(void **state)
{
    (void)state;
    sim_setup(4);
    for (unsigned i = 0; i < 12; i++) {
        struct sim_entity *s = sim_add(RUNQ_WEIGHT_DEFAULT);
        s->burst = s->left = 1000000 + 100000 * i;
        s->sleep = 7000000;
    }
    sim_run(RUN);
    for (unsigned i = 0; i < 12; i++) {
        struct sim_entity *s = &sim.entity[i];
        assert_near("share asked for", (double)s->ran / RUN,
                    (double)s->burst / (double)(s->burst + s->sleep), 0.03);
    }
    assert_waits(1);
}

static void caps_hold_and_leave_the_rest_to_others(void **state)
{
    (void)state;
    static struct cap quarter, most;
    sim_setup(2);
    cap_init(&quarter, 25, 10 * SIM_SLICE, 0);
    cap_init(&most, 130, 10 * SIM_SLICE, 0);
    for (unsigned i = 0; i < 4; i++)
        sim_add(RUNQ_WEIGHT_DEFAULT);
    sim.entity[0].cap = &quarter;
    sim.entity[1].cap = sim.entity[2].cap = &most;
    sim_run(RUN);
    /* The four would have half a CPU each; what the first may not have goes to the others. */
    assert_near("25 %", (double)sim.entity[0].ran / RUN, 0.25, 0.0025);
    for (unsigned i = 1; i < 4; i++)
        assert_near("a third of the rest", (double)sim.entity[i].ran / RUN, 1.75 / 3, 0.0175 / 3);
    sim_setup(2);
    cap_init(&most, 130, 10 * SIM_SLICE, 0);
    for (unsigned i = 0; i < 2; i++)
        sim_add(RUNQ_WEIGHT_DEFAULT)->cap = &most;
    sim_run(RUN);
    assert_near("130 %", (double)(sim.entity[0].ran + sim.entity[1].ran) / RUN, 1.3, 0.013);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spinners_share_equally_however_many_on_however_many),
        cmocka_unit_test(spinners_that_come_and_stay_on_one_cpu_first),
        cmocka_unit_test(weights_count_on_one_cpu),
        cmocka_unit_test(weights_count_on_several_cpus),
        cmocka_unit_test(a_weight_is_worth_one_cpu_at_most),
        cmocka_unit_test(pins_are_kept_and_the_rest_is_shared),
        cmocka_unit_test(what_pins_did_is_forgotten_when_they_go),
        cmocka_unit_test(debts_are_paid_beside_a_cpu_that_is_ahead),
        cmocka_unit_test(players_gain_nothing),
        cmocka_unit_test(a_storm_leaves_the_batch_its_share),
        cmocka_unit_test(wakers_with_credit_wait_for_one_slice_at_most),
        cmocka_unit_test(light_loads_are_served_in_full),
        cmocka_unit_test(caps_hold_and_leave_the_rest_to_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
