/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A CPU's life: timers, the next vCPU's turn, others' work when there is none here, and rest. The
 * parts are sched_wake.c (who becomes runnable, where), sched_halt.c (who waits), sched_turn.c (who
 * runs), sched_control.c (for others), sched_boot.c (the boot CPU's other duties).
 */
#include "core/backend.h"
#include "core/power.h"
#include "core/sched_parts.h"
#include "core/trace.h"

struct cpu_sched sched_cpus[CPU_MAX];
static uint64_t slice; /* TSC ticks */
uint64_t sched_granule, sched_epoch;

static struct vcpu *of(struct runq_entity *e)
{
    return container_of(e, struct vcpu, run);
}

static struct cpu_sched *here(void)
{
    return &sched_cpus[host_cpu_index()];
}

void sched_init(uint64_t slice_ns)
{
    slice = host_ns_to_tsc(slice_ns);
    for (unsigned i = 0; i < host_cpu_count(); i++) {
        lock_init(&sched_cpus[i].lock, LOCK_ORDER_QUEUE, "queue");
        runq_init(&sched_cpus[i].queue, (int64_t)slice);
        timerq_init(&sched_cpus[i].timers);
    }
    sched_granule = slice / 10;
    sched_epoch = 0;
}

uint64_t sched_slice(void)
{
    return slice;
}

/* --- stealing --- */

struct thief {
    unsigned cpu;
    bool later; /* there is something that may be had in a moment */
};

static bool may_move(void *ctx, const struct runq_entity *e)
{
    const struct vcpu *v = container_of(e, const struct vcpu, run);
    struct thief *t = ctx;
    if (!sched_is_allowed(v, t->cpu))
        return false;
    if (!__atomic_load_n(&v->held_by, __ATOMIC_ACQUIRE))
        return true;
    t->later = true;
    return false;
}

/* From one CPU, whose lock is held, as c's is. */
static struct vcpu *steal_from(struct cpu_sched *from, struct cpu_sched *c, unsigned me,
                               bool *later)
{
    struct thief t = {me, false};
    bool all = runq_load(&c->queue) == 0; /* are looked at */
    struct runq_entity *e = runq_steal(&from->queue, &c->queue, may_move, &t);
    *later |= t.later;
    if (!e) {
        if (all && !t.later)
            sched_note_unwanted(from, me);
        return NULL;
    }
    struct vcpu *v = of(e);
    v->cpu = me;
    sched_note_wanted(c, v);
    return v;
}

/* c's lock is held. Others' locks are only tried: two CPUs may want each other's. False: nothing
 * was got, but in a moment something may be. */
static bool steal(struct cpu_sched *c, unsigned me)
{
    unsigned n = host_cpu_count();
    bool later = false;
    for (unsigned i = 1; i < n; i++) {
        struct cpu_sched *from = &sched_cpus[(me + i) % n];
        if (!runq_worth_stealing(&from->queue, &c->queue))
            continue;
        if (!lock_try(&from->lock)) {
            later = true;
            continue;
        }
        struct vcpu *v = steal_from(from, c, me, &later);
        lock_release(&from->lock);
        if (v) {
            trace_event(TRACE_STEAL, v, (me + i) % n);
            return true;
        }
    }
    return !later;
}

/* --- rounds --- */

static struct vcpu *pick(struct cpu_sched *c, unsigned me)
{
    lock_take(&c->lock);
    if (runq_hungry(&c->queue))
        (void)steal(c, me);
    if (runq_hungry(&c->queue))
        runq_catch_up(&c->queue, __atomic_load_n(&sched_epoch, __ATOMIC_RELAXED));
    struct runq_entity *e = runq_pick(&c->queue);
    if (e) {
        sched_set_state(of(e), VCPU_RUNNING);
        sched_note_epoch(c);
    }
    lock_release(&c->lock);
    return e ? of(e) : NULL;
}

/* First idle, then a last look, in this order: who queues something looks in the other one. What
 * may not run here (pins) is no reason to stay awake, so the look is an attempt. */
static void rest(struct cpu_sched *c, unsigned me, uint64_t until)
{
    sched_set_idle(me, true);
    lock_take(&c->lock);
    bool again = !c->queue.count && !steal(c, me);
    bool work = c->queue.count != 0;
    until = min_u64(until, timerq_next(&c->timers));
    lock_release(&c->lock);
    /* What there is to steal may still be held by a CPU that waits in host_call_others() for this
     * one: with interrupts closed, looking again and again, neither would ever get on. */
    if (!work && again)
        until = min_u64(until, host_now() + sched_granule / 8);
    if (!work) {
        trace_event(TRACE_IDLE, NULL, 0);
        host_idle(until);
        trace_event(TRACE_BUSY, NULL, 0);
    }
    sched_set_idle(me, false);
    c->paid_until = host_now(); /* what nobody used */
}

/* False: nobody is here to run. */
static bool pass(struct cpu_sched *c, unsigned me)
{
    /* With timers that are always due it may come neither to a guest nor to a HLT, and so to no
     * interrupt: who waits in host_call_others() must not depend on that. */
    host_serve();
    sched_run_timers(c, me);
    struct vcpu *v = pick(c, me);
    if (!v)
        return false;
    sched_take_turn(c, me, v);
    return true;
}

/* --- the end --- */

#define STOP_PATIENCE_NS 100000000 /* a CPU that runs on for longer is left to itself */

static uint32_t closing, closed; /* atomic */

void sched_stop_others(void)
{
    unsigned others = host_cpu_count() - 1;
    uint64_t until = host_now() + host_ns_to_tsc(STOP_PATIENCE_NS);
    if (__atomic_exchange_n(&closing, 1, __ATOMIC_SEQ_CST) || !backend)
        return;
    for (unsigned i = 1; i <= others; i++) {
        lock_take(&sched_cpus[i].lock);
        if (sched_cpus[i].running)
            vcpu_request(sched_cpus[i].running, REQUEST_RESCHEDULE);
        lock_release(&sched_cpus[i].lock);
        host_kick(i);
    }
    while (__atomic_load_n(&closed, __ATOMIC_ACQUIRE) < others && host_now() < until)
        host_relax();
}

static NORETURN void stay_closed(void)
{
    __atomic_fetch_add(&closed, 1, __ATOMIC_RELEASE);
    for (;;)
        host_idle(UINT64_MAX);
}

/* --- loops --- */

void sched_run(bool stop_when_idle)
{
    struct cpu_sched *c = here();
    c->paid_until = host_now();
    for (;;) {
        c->heard = host_interrupts();
        bool worked = sched_boot_work();
        c->short_turns = sched_lines_need_us();
        /* The operator's commands, and VMs that start and end, are in nobody's share. */
        c->paid_until = host_now();
        if (worked)
            c->heard = UINT64_MAX; /* there may be more of it: nobody waits here */
        if (!pass(c, 0) && !worked) {
            if (stop_when_idle && !vm_any_alive())
                power_off();
            rest(c, 0, sched_boot_deadline());
        }
    }
}

void sched_run_other(void)
{
    struct cpu_sched *c = here();
    unsigned me = host_cpu_index();
    c->paid_until = host_now();
    while (likely(!__atomic_load_n(&closing, __ATOMIC_ACQUIRE)))
        if (!pass(c, me))
            rest(c, me, UINT64_MAX);
    stay_closed();
}

void sched_interrupted(void)
{
    struct cpu_sched *c = here();
    if (c->goes_on && c->running) /* for sched_boot_work(), or somebody waits elsewhere: share() */
        vcpu_request(c->running, REQUEST_RESCHEDULE);
}

void sched_preempt(void)
{
    /* A timer that was armed for somebody else's slice may still be pending. */
    struct vcpu *v = here()->running;
    if (v && !v->halted && host_now() >= min_u64(v->slice_end, v->event_at))
        vcpu_request(v, REQUEST_LOOK);
}
