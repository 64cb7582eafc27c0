/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who becomes runnable, and on which CPU; and the timers that make them so. Nothing here decides
 * whose turn it is (runqueue.c) or runs anybody (sched_turn.c).
 *
 * No wake-up is lost: a waker sets a bit in v->requests and then reads v->state; a CPU that blocks
 * v writes v->state and then reads v->requests. Both are locked operations, so at least one sees
 * the other (tests/model/wakeup.pml).
 */
#include "core/interrupt.h"
#include "core/lib/string.h"
#include "core/sched_parts.h"
#include "core/trace.h"

uint64_t sched_idle[CPU_MAX / 64];

bool sched_is_idle(unsigned cpu)
{
    return __atomic_load_n(&sched_idle[cpu / 64], __ATOMIC_SEQ_CST) & BIT(cpu % 64);
}

void sched_set_idle(unsigned cpu, bool on)
{
    if (on)
        __atomic_fetch_or(&sched_idle[cpu / 64], BIT(cpu % 64), __ATOMIC_SEQ_CST);
    else
        __atomic_fetch_and(&sched_idle[cpu / 64], ~BIT(cpu % 64), __ATOMIC_SEQ_CST);
}

/* An idle CPU on which v may run, or -1. */
static int idle_cpu_for(const struct vcpu *v)
{
    for (unsigned w = 0; w * 64 < host_cpu_count(); w++) {
        uint64_t fit = __atomic_load_n(&sched_idle[w], __ATOMIC_SEQ_CST) & sched_allowed_word(v, w);
        if (fit)
            return (int)(w * 64) + __builtin_ctzll(fit);
    }
    return -1;
}

void sched_note_wanted(struct cpu_sched *c, const struct vcpu *v)
{
    for (unsigned w = 0; w * 64 < host_cpu_count(); w++)
        __atomic_store_n(&c->wanted[w], c->wanted[w] | sched_allowed_word(v, w), __ATOMIC_RELAXED);
}

void sched_note_unwanted(struct cpu_sched *c, unsigned me)
{
    uint64_t *word = &c->wanted[me / 64];
    __atomic_store_n(word, *word & ~BIT(me % 64), __ATOMIC_RELAXED);
}

/* --- becoming runnable --- */

/* Somebody stands in front of what runs on c, whose lock is held: let its slice end soon, but not
 * at once, or a few that wake often would leave it nothing but switches. */
static void shorten_slice(struct cpu_sched *c, unsigned cpu)
{
    struct vcpu *r = c->running;
    if (!r)
        return;
    uint64_t end = max_u64(r->slice_begin + sched_granule, host_now());
    if (end >= __atomic_load_n(&r->slice_end, __ATOMIC_RELAXED))
        return;
    __atomic_store_n(&r->slice_end, end, __ATOMIC_RELAXED);
    vcpu_request(r, REQUEST_LOOK);
    if (cpu != host_cpu_index())
        host_kick(cpu);
}

void sched_join(struct cpu_sched *c, unsigned cpu, struct vcpu *v)
{
    v->cpu = cpu;
    v->runnable_since = host_now();
    v->wakes++;
    v->woken = true;
    trace_event(TRACE_WAKE, v, cpu);
    if (runq_load(&c->queue) == 0)
        runq_catch_up(&c->queue, __atomic_load_n(&sched_epoch, __ATOMIC_RELAXED));
    bool front = runq_wake(&c->queue, &v->run);
    sched_note_wanted(c, v);
    if (sched_is_idle(cpu))
        host_kick(cpu);
    else if (front || c->goes_on)
        shorten_slice(c, cpu);
}

struct cpu_sched *sched_lock_home(const struct vcpu *v, unsigned *cpu)
{
    for (;;) {
        *cpu = __atomic_load_n(&v->cpu, __ATOMIC_ACQUIRE);
        struct cpu_sched *c = &sched_cpus[*cpu];
        lock_take(&c->lock);
        if (likely(v->cpu == *cpu))
            return c;
        lock_release(&c->lock); /* it has moved since */
    }
}

/* QUEUED on no list: nobody picks it. But inspect_parked() may look at it: with its old home's
 * lock, free from now on, it would load the VMCS here while the other CPU picks and loads it there.
 * So its home changes first: now both go by the lock under which it is queued. */
void sched_move(struct cpu_sched *c, struct vcpu *v, unsigned to)
{
    __atomic_store_n(&v->cpu, to, __ATOMIC_RELEASE);
    lock_release(&c->lock);
    c = &sched_cpus[to];
    lock_take(&c->lock);
    sched_join(c, to, v);
    lock_release(&c->lock);
}

/* A blocked vCPU wakes where it slept, unless that CPU is busy and another has nothing to do. One
 * whose state is still in its CPU's registers stays there. */
static void wake(struct vcpu *v)
{
    unsigned cpu;
    struct cpu_sched *c = sched_lock_home(v, &cpu);
    if (sched_state(v) != VCPU_BLOCKED) {
        lock_release(&c->lock);
        return;
    }
    timerq_cancel(&c->timers, &v->timer.entry);
    sched_set_state(v, VCPU_QUEUED);
    int other = sched_is_idle(cpu) || v->held_by ? -1 : idle_cpu_for(v);
    if (other < 0 || !c->running) {
        sched_join(c, cpu, v);
        lock_release(&c->lock);
        return;
    }
    sched_move(c, v, (unsigned)other);
}

void sched_notify(struct vcpu *v, uint32_t requests)
{
    __atomic_fetch_or(&v->requests, requests, __ATOMIC_SEQ_CST);
    switch (sched_state(v)) {
    case VCPU_BLOCKED:
        wake(v);
        break;
    case VCPU_RUNNING:
        if (v->cpu != host_cpu_index())
            host_kick(v->cpu);
        break;
    default: /* its CPU looks at the bits before it enters the guest */
        break;
    }
}

static void has_exited(void *arg)
{
    (void)arg; /* it runs behind an exit: the requests are looked at before the next entry */
}

void sched_await_exits(struct vm *vm, uint32_t requests)
{
    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        struct vcpu *v = vm->vcpu[i];
        if ((__atomic_load_n(&v->requests, __ATOMIC_SEQ_CST) & requests) &&
            sched_state(v) == VCPU_RUNNING && v->cpu != host_cpu_index())
            host_call_on(v->cpu, has_exited, NULL);
    }
}

void sched_give_way(struct vcpu *v)
{
    v->yielded = true;
    vcpu_request(v, REQUEST_RESCHEDULE);
}

void sched_stall(struct vcpu *v)
{
    v->stalled = true;
    vcpu_request(v, REQUEST_RESCHEDULE);
}

int sched_least_loaded(const struct vcpu *v)
{
    int best = -1;
    unsigned load = UINT32_MAX, n = host_cpu_count();
    for (unsigned i = 0; i < n; i++) {
        unsigned at = (v->vm->slot + v->index + i) % n; /* vCPUs of one VM spread */
        if (!sched_is_allowed(v, at) || runq_load(&sched_cpus[at].queue) >= load)
            continue;
        best = (int)at;
        load = runq_load(&sched_cpus[at].queue);
    }
    return best;
}

void sched_start(struct vcpu *v, bool runs)
{
    int to = sched_least_loaded(v);
    unsigned cpu = to < 0 ? 0 : (unsigned)to; /* vm_start() has looked: it is allowed somewhere */
    struct cpu_sched *c = &sched_cpus[cpu];
    lock_take(&c->lock);
    v->cpu = cpu;
    v->timer.cpu = cpu;
    sched_set_state(v, runs ? VCPU_QUEUED : VCPU_BLOCKED);
    /* Who asked while it was OFF (the operator, for its VM's end) has not woken it. */
    if (!runs && __atomic_load_n(&v->requests, __ATOMIC_SEQ_CST)) {
        sched_set_state(v, VCPU_QUEUED);
        runs = true;
    }
    if (runs)
        sched_join(c, cpu, v);
    lock_release(&c->lock);
}

/* --- timers --- */

uint64_t sched_stop_for(const struct vcpu *r, const struct vm *vm, uint64_t at)
{
    return r->vm == vm ? at : max_u64(at, r->slice_begin + sched_granule);
}

void sched_set_timer(struct sched_timer *t, uint64_t at)
{
    unsigned me = host_cpu_index();
    struct cpu_sched *c = &sched_cpus[t->cpu];
    if (t->cpu != me) {
        lock_take(&c->lock);
        timerq_cancel(&c->timers, &t->entry);
        lock_release(&c->lock);
        c = &sched_cpus[me];
    }
    lock_take(&c->lock);
    t->cpu = me;
    timerq_set(&c->timers, &t->entry, at);
    struct vcpu *r = c->running;
    if (r && at < r->slice_end) {
        r->slice_end = min_u64(r->slice_end, sched_stop_for(r, t->vm, at));
        r->look_at = 0;
    }
    lock_release(&c->lock);
}

void sched_run_timers(struct cpu_sched *c, unsigned me)
{
    struct timerq_entry *e;
    uint64_t now = host_now();
    lock_take(&c->lock);
    while ((e = timerq_pop_due(&c->timers, now))) {
        struct sched_timer *t = container_of(e, struct sched_timer, entry);
        if (t->v) {
            trace_event(TRACE_TIMER, t->v, TRACE_TIMER_VCPU);
            /* On this queue and not cancelled: it was BLOCKED. */
            sched_set_state(t->v, VCPU_QUEUED);
            sched_join(c, me, t->v);
            continue;
        }
        lock_release(&c->lock);
        uint64_t begin = host_now();
        struct vm *vm = t->vm;
        trace_event(TRACE_TIMER, vm->vcpu[0], TRACE_TIMER_DEVICES);
        interrupt_device_time(vm);
        /* Its own vCPUs' debt, not that of whoever runs here next. */
        uint64_t spent = host_now() - begin;
        __atomic_fetch_add(&vm->owed, spent, __ATOMIC_RELAXED);
        c->paid_until += spent;
        lock_take(&c->lock);
    }
    lock_release(&c->lock);
}
