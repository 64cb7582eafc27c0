/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A discrete-event simulation of N entities on M CPUs that use core/runqueue.c and core/cap.c as
 * the scheduler does: a CPU charges, puts back, steals when hungry, picks; a sleeper wakes where it
 * slept or on an idle CPU; one that is alone goes on after its slice. Every turn is overrun by a
 * little, as real ones are. Time is in ticks of a nanosecond. Owns the behaviours; what is fair is
 * said in test_sched_shares.c.
 */
#ifndef TESTS_UNIT_SCHED_SIM_H
#define TESTS_UNIT_SCHED_SIM_H

#include <stdlib.h>
#include <string.h>

#include "core/cap.h"
#include "core/runqueue.h"

#define SIM_CPUS     8
#define SIM_ENTITIES 256
#define SIM_SLICE    UINT64_C(10000000)
#define SIM_OVERRUN  UINT64_C(20000)

struct sim_entity {
    struct runq_entity e;
    /* Behaviour: runs for burst ticks, then sleeps so long, or yields if that is 0. A burst of 0
     * never ends. until_slice_end: sleeps just before its turn would be over. */
    uint64_t burst, sleep;
    uint64_t overrun;   /* of each turn: its exits take long */
    bool until_slice_end;
    uint64_t mask;      /* CPUs it may run on */
    struct cap *cap;
    /* State. */
    unsigned cpu;       /* whose queue it was on last */
    uint64_t left;      /* of the burst */
    uint64_t wake_at;   /* UINT64_MAX: awake */
    uint64_t queued_at; /* when it last became ready */
    bool woken;         /* with credit, and has not run since */
    /* Results. */
    uint64_t ran, turns, moves, wakes;
    uint64_t longest_wait, longest_wake; /* ready to running; the latter after a wake with credit */
};

struct sim_cpu {
    struct runq rq;
    struct sim_entity *on;
    uint64_t since, until; /* until: its turn is seen to be over; UINT64_MAX: idle */
    bool preempting;       /* ... because somebody woke */
    bool goes_on;          /* its slice is over, and nobody wanted the CPU */
    unsigned index;
    uint64_t busy;
};

static struct sim {
    struct sim_cpu cpu[SIM_CPUS];
    struct sim_entity entity[SIM_ENTITIES];
    unsigned cpus, entities;
    uint64_t now, seed, epoch; /* epoch: the latest of all queues */
    bool wakers_preempt;
} sim;

static uint64_t sim_random(uint64_t below)
{
    sim.seed = sim.seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (sim.seed >> 33) % below;
}

static void sim_setup(unsigned cpus)
{
    memset(&sim, 0, sizeof(sim));
    sim.cpus = cpus;
    sim.seed = 42;
    for (unsigned i = 0; i < cpus; i++) {
        runq_init(&sim.cpu[i].rq, (int64_t)SIM_SLICE);
        sim.cpu[i].until = UINT64_MAX;
        sim.cpu[i].index = i;
    }
}

/* A spinner; the caller gives it another behaviour before time passes. */
static struct sim_entity *sim_add(uint32_t weight)
{
    struct sim_entity *s = &sim.entity[sim.entities];
    runq_entity_init(&s->e, weight);
    s->mask = UINT64_MAX;
    s->cpu = sim.entities++ % sim.cpus;
    s->wake_at = sim.now;
    return s;
}

static struct sim_entity *sim_of(struct runq_entity *e)
{
    return e ? container_of(e, struct sim_entity, e) : NULL;
}

static bool sim_may(void *ctx, const struct runq_entity *e)
{
    const struct sim_cpu *c = ctx;
    const struct sim_entity *s = container_of((struct runq_entity *)e, struct sim_entity, e);
    return s->mask >> c->index & 1;
}

static void sim_steal(struct sim_cpu *c)
{
    for (unsigned i = 1; i < sim.cpus; i++) {
        struct sim_cpu *from = &sim.cpu[(c->index + i) % sim.cpus];
        struct sim_entity *s = sim_of(runq_steal(&from->rq, &c->rq, sim_may, c));
        if (s) {
            s->cpu = c->index;
            s->moves++;
            return;
        }
    }
}

/* Out of its cap: off the queue until it has some again. */
static bool sim_capped(struct sim_cpu *c, struct sim_entity *s)
{
    if (!s->cap || cap_left(s->cap, sim.now) > 0)
        return false;
    runq_remove(&c->rq, &s->e);
    s->wake_at = cap_next(s->cap, sim.now);
    return true;
}

static void sim_begin(struct sim_cpu *c, struct sim_entity *s)
{
    uint64_t turn = (uint64_t)runq_turn(&c->rq, &s->e);
    uint64_t waited = sim.now - s->queued_at;
    s->longest_wait = max_u64(s->longest_wait, waited);
    if (s->woken)
        s->longest_wake = max_u64(s->longest_wake, waited);
    s->woken = false;
    if (s->until_slice_end)
        s->left = turn - turn / 100;
    if (s->cap)
        turn = min_u64(turn, cap_left(s->cap, sim.now));
    if (s->burst || s->until_slice_end)
        turn = min_u64(turn, s->left);
    c->on = s;
    c->since = sim.now;
    c->preempting = false;
    c->until = sim.now + max_u64(turn, 1) + s->overrun + sim_random(SIM_OVERRUN);
    s->turns++;
}

static void sim_dispatch(struct sim_cpu *c)
{
    struct sim_entity *s;
    do {
        if (runq_hungry(&c->rq))
            sim_steal(c);
        if (runq_hungry(&c->rq))
            runq_catch_up(&c->rq, sim.epoch);
        s = sim_of(runq_pick(&c->rq));
        if (s)
            sim.epoch = max_u64(sim.epoch, c->rq.epoch);
    } while (s && sim_capped(c, s));
    c->until = UINT64_MAX;
    if (s)
        sim_begin(c, s);
}

#define SIM_SLICES_ALONE 4

/* As sched_goes_on(). */
static bool sim_goes_on(struct sim_cpu *c)
{
    struct sim_entity *s = c->on;
    uint64_t ran = sim.now - c->since;
    bool sleeps = (s->burst || s->until_slice_end) && s->left <= ran;
    if (c->preempting || s->cap || sleeps)
        return false;
    for (unsigned i = 0; i < sim.cpus; i++)
        if (sim.cpu[i].rq.count)
            return false;
    c->busy += ran;
    s->ran += ran;
    s->left -= min_u64(s->left, ran);
    runq_go_on(&c->rq, &s->e, ran);
    sim.epoch = max_u64(sim.epoch, c->rq.epoch);
    c->goes_on = true;
    c->since = sim.now;
    c->until = sim.now + SIM_SLICES_ALONE * SIM_SLICE;
    if (s->burst || s->until_slice_end)
        c->until = min_u64(c->until, sim.now + s->left);
    return true;
}

/* The turn is over, or is ended by a waker. */
static void sim_end(struct sim_cpu *c)
{
    if (sim_goes_on(c))
        return;
    struct sim_entity *s = c->on;
    uint64_t ran = sim.now - c->since;
    c->on = NULL;
    c->busy += ran;
    s->ran += ran;
    s->queued_at = sim.now;
    runq_charge(&c->rq, &s->e, c->goes_on ? min_u64(ran, SIM_SLICE) : ran);
    c->goes_on = false;
    if (s->cap)
        cap_charge(s->cap, sim.now, ran);
    s->left -= min_u64(s->left, ran);
    if ((s->burst || s->until_slice_end) && s->left == 0) {
        s->left = s->burst;
        if (s->sleep) {
            runq_remove(&c->rq, &s->e);
            s->wake_at = sim.now + s->sleep;
            return;
        }
        runq_put(&c->rq, &s->e, RUNQ_YIELDED);
        return;
    }
    runq_put(&c->rq, &s->e, c->preempting ? RUNQ_PREEMPTED : RUNQ_USED);
}

static struct sim_cpu *sim_place(const struct sim_entity *s)
{
    struct sim_cpu *home = &sim.cpu[s->cpu];
    bool allowed = s->mask >> s->cpu & 1;
    if (allowed && !home->on)
        return home;
    for (unsigned i = 0; i < sim.cpus; i++)
        if (s->mask >> i & 1) {
            if (!sim.cpu[i].on)
                return &sim.cpu[i];
            if (!allowed)
                home = &sim.cpu[i], allowed = true;
        }
    return home;
}

static void sim_wake(struct sim_entity *s)
{
    struct sim_cpu *c = sim_place(s);
    s->wake_at = UINT64_MAX;
    s->queued_at = sim.now;
    s->wakes++;
    s->cpu = c->index;
    if (runq_load(&c->rq) == 0)
        runq_catch_up(&c->rq, sim.epoch);
    s->woken = runq_wake(&c->rq, &s->e);
    /* Not at once, or a few that wake often would leave the others nothing but switches. */
    if (((sim.wakers_preempt && s->woken) || c->goes_on) && c->on &&
        c->since + SIM_SLICE / 10 < c->until) {
        c->until = max_u64(sim.now, c->since + SIM_SLICE / 10);
        c->preempting = true;
    }
}

static void sim_step(void)
{
    for (unsigned i = 0; i < sim.entities; i++)
        if (sim.entity[i].wake_at <= sim.now)
            sim_wake(&sim.entity[i]);
    for (unsigned i = 0; i < sim.cpus; i++)
        if (sim.cpu[i].until <= sim.now) {
            sim_end(&sim.cpu[i]);
            if (!sim.cpu[i].on)
                sim_dispatch(&sim.cpu[i]);
        }
    for (unsigned i = 0; i < sim.cpus; i++)
        if (!sim.cpu[i].on)
            sim_dispatch(&sim.cpu[i]);
}

static void sim_run(uint64_t ticks)
{
    uint64_t end = sim.now + ticks;
    while (sim.now < end) {
        sim_step();
        uint64_t next = end;
        for (unsigned i = 0; i < sim.cpus; i++)
            next = min_u64(next, sim.cpu[i].until);
        for (unsigned i = 0; i < sim.entities; i++)
            next = min_u64(next, sim.entity[i].wake_at);
        sim.now = max_u64(next, sim.now + 1);
    }
}

#endif
