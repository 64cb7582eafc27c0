/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vCPU's turn on a CPU, from being picked to being put away: whether it may run, for how long,
 * who pays for it, and where it goes afterwards.
 */
#include "core/backend.h"
#include "core/guest_time.h"
#include "core/report.h"
#include "core/sched_parts.h"
#include "core/trace.h"

struct turn {
    uint64_t begin;      /* TSC */
    bool ran;            /* it was in its guest */
    bool capped;         /* blocked until its VM's cap lets it run again */
    uint64_t until;      /* OUTCOME_BLOCK: for how long */
    uint32_t but;        /* requests for which it does not block */
};

/* c's lock is held; `but`: requests for which v does not go to sleep after all. */
static void block(struct cpu_sched *c, unsigned me, struct vcpu *v, uint64_t until, uint32_t but)
{
    runq_remove(&c->queue, &v->run);
    v->timer.cpu = me;
    timerq_set(&c->timers, &v->timer.entry, until);
    sched_set_state(v, VCPU_BLOCKED);
    if (likely(!(__atomic_load_n(&v->requests, __ATOMIC_SEQ_CST) & but)))
        return;
    timerq_cancel(&c->timers, &v->timer.entry);
    sched_set_state(v, VCPU_QUEUED);
    sched_join(c, me, v);
}

static void put_back(struct cpu_sched *c, struct vcpu *v)
{
    bool over = runq_turn(&c->queue, &v->run) == 0;
    sched_set_state(v, VCPU_QUEUED);
    v->runnable_since = host_now();
    runq_put(&c->queue, &v->run,
             over ? RUNQ_USED : v->yielded ? RUNQ_YIELDED : RUNQ_PREEMPTED);
    sched_note_wanted(c, v);
    v->yielded = false;
}

/* More to do here than one CPU can: idle ones shall come, one for each that waits, and then those
 * whose vCPU goes on because nobody waited. Several wakers in a row choose the same idle CPU, whose
 * bit stays until it is awake: all end up there. */
static void share(const struct cpu_sched *c)
{
    unsigned left = c->queue.count;
    for (unsigned w = 0; left && w * 64 < host_cpu_count(); w++) {
        uint64_t wanted = __atomic_load_n(&c->wanted[w], __ATOMIC_RELAXED);
        uint64_t idle = __atomic_load_n(&sched_idle[w], __ATOMIC_SEQ_CST) & wanted;
        uint64_t alone = __atomic_load_n(&sched_alone[w], __ATOMIC_SEQ_CST) & wanted & ~idle;
        for (; left && (idle | alone); left--) {
            uint64_t *some = idle ? &idle : &alone;
            host_kick(w * 64 + (unsigned)__builtin_ctzll(*some));
            *some &= *some - 1;
        }
    }
}

/* v's turn begins: how long it has waited for it. */
static __attribute__((noinline)) void note_turn(struct vcpu *v, uint64_t now)
{
    uint64_t waited = now > v->runnable_since ? now - v->runnable_since : 0;
    trace_event(TRACE_IN, v, (uint32_t)min_u64(waited, UINT32_MAX));
    if (!v->woken)
        return;
    v->woken = false;
    v->latency += waited;
    v->latency_max = max_u64(v->latency_max, waited);
}

/* `first`: the timer that is due first. */
static uint64_t slice_end(const struct vcpu *v, uint64_t room, const struct timerq_entry *first)
{
    uint64_t end = v->slice_begin + room;
    if (!first)
        return end;
    const struct sched_timer *timer = container_of(first, struct sched_timer, entry);
    return min_u64(end, sched_stop_for(v, timer->vm, first->at));
}

static inline void count_ran(struct cpu_sched *c, struct vcpu *v, uint64_t now)
{
    v->ran += now - c->ran_from - c->waited;
    c->ran_from = now;
    c->waited = 0;
}

/* v pays for all of this CPU's time since somebody has paid last, not only for what it has run: a
 * guest whose timers keep the scheduler busy shall not do that at others' expense. */
static uint64_t pay(struct cpu_sched *c, struct vcpu *v)
{
    struct vm *vm = v->vm;
    uint64_t now = host_now(), ticks = now - c->paid_until;
    c->paid_until = now;
    if (__atomic_load_n(&vm->owed, __ATOMIC_RELAXED))
        ticks += __atomic_exchange_n(&vm->owed, 0, __ATOMIC_RELAXED);
    cap_charge(&vm->cap, now, ticks);
    return ticks;
}

/* CPUs whose vCPU goes on; atomic. */
uint64_t sched_alone[CPU_MAX / 64];

/* So many slices at a time, but no longer than people would notice: who comes, and any interrupt,
 * ends them early. */
#define SLICES_ALONE 4
#define ALONE_NS     40000000

static void set_goes_on(struct cpu_sched *c, unsigned me, bool on)
{
    c->goes_on = on;
    if (on)
        __atomic_fetch_or(&sched_alone[me / 64], BIT(me % 64), __ATOMIC_SEQ_CST);
    else
        __atomic_fetch_and(&sched_alone[me / 64], ~BIT(me % 64), __ATOMIC_SEQ_CST);
}

static bool may_go_on(const struct cpu_sched *c, unsigned me, const struct vcpu *v, uint64_t until)
{
    return !__atomic_load_n(&v->requests, __ATOMIC_SEQ_CST) &&
           cap_left(&v->vm->cap, 0) == UINT64_MAX && sched_is_alone(c, me, v) &&
           (me != 0 || sched_boot_deadline() > until);
}

bool sched_goes_on(struct vcpu *v)
{
    unsigned me = host_cpu_index();
    struct cpu_sched *c = &sched_cpus[me];
    /* Bochs holds them back while a guest runs with interrupts off, and that may be for ever. */
    host_let_in();
    uint64_t now = host_now(), one = sched_slice();
    uint64_t room = max_u64(one, min_u64(SLICES_ALONE * one, host_ns_to_tsc(ALONE_NS)));
    if (!may_go_on(c, me, v, now + room))
        return false;
    lock_take(&c->lock);
    bool goes_on = !c->queue.count && timerq_next(&c->timers) > now;
    if (goes_on) {
        count_ran(c, v, now);
        runq_go_on(&c->queue, &v->run, pay(c, v));
        sched_note_epoch(c);
        set_goes_on(c, me, true);
        v->slice_begin = now;
        v->slice_end = slice_end(v, room, timerq_first(&c->timers));
    }
    lock_release(&c->lock);
    return goes_on;
}

static enum outcome run_guest(struct cpu_sched *c, struct vcpu *v, struct turn *t)
{
    uint64_t room = min_u64((uint64_t)runq_turn(&c->queue, &v->run),
                            cap_left(&v->vm->cap, t->begin));
    sched_switch_to(v);
    share(c); /* now that whoever ran before can be taken away */
    host_load_space(v->vm->space.root);
    guest_time_enter(v, t->begin);
    host_enter_domain(v->vm->slot + 1);
    if (v->woken || unlikely(trace_wanted()))
        note_turn(v, t->begin);
    v->slice_begin = t->begin;
    if (unlikely(c->short_turns))
        room = min_u64(room, sched_granule);
    lock_take(&c->lock);
    v->slice_end = slice_end(v, room, timerq_first(&c->timers));
    /* Others have woken, too, and would have shortened its slice had they come a moment later. */
    if (!list_empty(&c->queue.woken))
        v->slice_end = min_u64(v->slice_end, t->begin + sched_granule);
    c->running = v;
    lock_release(&c->lock);
    v->look_at = c->waited = 0;
    c->ran_from = t->begin;
    if (unlikely(v->debug.attached))
        vcpu_request(v, REQUEST_DEBUG);
    enum outcome outcome = backend->run(v);
    count_ran(c, v, host_now());
    t->ran = true;
    if (outcome == OUTCOME_RETRY)
        guest_time_preempted(v);
    return outcome;
}

/* The bit goes before the look: who ends the pause clears paused and then sets the bit, so either
 * paused is seen as 0 here, or the bit is seen at the last look in block(). */
static bool is_paused(struct vcpu *v)
{
    if (likely(!__atomic_load_n(&v->vm->paused, __ATOMIC_SEQ_CST)))
        return false;
    __atomic_fetch_and(&v->requests, ~(uint32_t)REQUEST_PAUSE, __ATOMIC_SEQ_CST);
    return __atomic_load_n(&v->vm->paused, __ATOMIC_SEQ_CST);
}

/* What it waits for has no list of those who wait: it looks again. An interrupt that it can take
 * goes in before that. */
static COLD enum outcome stall(const struct vcpu *v, struct turn *t)
{
    t->until = min_u64(host_now() + sched_granule, v->event_at);
    t->but = ~0u;
    return OUTCOME_BLOCK;
}

static enum outcome turn(struct cpu_sched *c, struct vcpu *v, struct turn *t)
{
    if (__atomic_load_n(&v->requests, __ATOMIC_ACQUIRE) & REQUEST_STOP)
        return OUTCOME_STOP;
    if (unlikely(is_paused(v))) {
        t->until = TIMERQ_NEVER;
        t->but = REQUEST_STOP | REQUEST_PAUSE;
        return OUTCOME_BLOCK;
    }
    if (unlikely(debug_held(v))) {
        t->until = UINT64_MAX;
        t->but = (uint32_t)(REQUEST_STOP | REQUEST_GO);
        return OUTCOME_BLOCK;
    }
    if (!cap_left(&v->vm->cap, t->begin)) {
        t->capped = true;
        t->but = REQUEST_STOP;
        return OUTCOME_BLOCK;
    }
    if (!v->halted || !sched_still_halted(v, t->begin)) {
        v->stalled = false;
        enum outcome outcome = run_guest(c, v, t);
        if (unlikely(v->stalled) && outcome == OUTCOME_RETRY)
            return stall(v, t);
        if (outcome != OUTCOME_BLOCK)
            return outcome;
        /* What wakes it may have come before it halted: in STI's shadow, say. */
        v->halted = true;
        if (!sched_still_halted(v, host_now()))
            return OUTCOME_RETRY;
    }
    t->until = min_u64(v->wake_at, v->event_at);
    t->but = ~0u;
    return sched_may_halt(v) ? OUTCOME_BLOCK : OUTCOME_STOP;
}

static COLD void trace_out(struct cpu_sched *c, struct vcpu *v, enum outcome outcome)
{
    enum trace_why why = TRACE_WHY_PREEMPTED;
    if (outcome == OUTCOME_STOP)
        why = TRACE_WHY_STOPPED;
    else if (outcome == OUTCOME_BLOCK)
        why = v->waits_for_startup ? TRACE_WHY_STARTUP
              : v->stalled         ? TRACE_WHY_STALLED
                                   : TRACE_WHY_HALTED;
    else if (runq_turn(&c->queue, &v->run) == 0)
        why = TRACE_WHY_SLICE;
    else if (v->yielded)
        why = TRACE_WHY_YIELDED;
    else if (!cap_left(&v->vm->cap, host_now()))
        why = TRACE_WHY_CAPPED;
    trace_event(TRACE_OUT, v, why);
}

/* v has been picked where it may no longer run. False: there is no better place. */
static bool migrate(struct cpu_sched *c, struct vcpu *v)
{
    int to = sched_least_loaded(v);
    if (to < 0)
        return false;
    if (host_current_vcpu() == v)
        sched_switch_to(NULL);
    lock_take(&c->lock);
    runq_remove(&c->queue, &v->run);
    sched_set_state(v, VCPU_QUEUED);
    sched_move(c, v, (unsigned)to);
    return true;
}

void sched_take_turn(struct cpu_sched *c, unsigned me, struct vcpu *v)
{
    if (unlikely(!sched_is_allowed(v, me)) && migrate(c, v))
        return;
    struct turn t = {.begin = host_now()};
    struct vm *vm = v->vm;
    enum outcome outcome = turn(c, v, &t);
    if (outcome == OUTCOME_STOP && vm->stop_reason >= STOP_TRIPLE_FAULT && vm->stopper == v)
        report_vcpu(v); /* while its state is here */
    uint64_t ticks = pay(c, v);
    /* What it has just paid for comes before its next turn, or it would wake too early for ever. */
    if (t.capped)
        t.until = cap_next(&vm->cap, host_now());
    lock_take(&c->lock);
    c->running = NULL;
    /* What it had beyond a slice was nobody's loss, and is no debt to those who come now. */
    runq_charge(&c->queue, &v->run, c->goes_on ? min_u64(ticks, sched_slice()) : ticks);
    if (c->goes_on)
        set_goes_on(c, me, false);
    if (unlikely(trace_wanted()) && t.ran)
        trace_out(c, v, outcome);
    if (outcome == OUTCOME_STOP) {
        runq_remove(&c->queue, &v->run);
        sched_set_state(v, VCPU_OFF);
    } else if (outcome == OUTCOME_BLOCK) {
        block(c, me, v, t.until, t.but);
    } else {
        put_back(c, v);
    }
    lock_release(&c->lock);
    if (outcome == OUTCOME_STOP)
        vm_vcpu_off(vm); /* v may be gone from here on */
}
