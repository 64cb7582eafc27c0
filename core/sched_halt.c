/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vCPUs that have halted: what ends that, what can never end it, and waiting on the CPU itself when
 * it has nothing else to do. docs/scheduler.md, "Sleeping and waking".
 */
#include "core/interrupt.h"
#include "core/sched_parts.h"
#include "core/trace.h"

/* What a halted vCPU must look at before it goes on waiting; the rest is for the entry. */
#define REQUEST_WAKING (REQUEST_EVENT | REQUEST_POSTED | REQUEST_NMI | REQUEST_LINT0 | \
                        REQUEST_TSC)
/* What is done with when it is put away. One that stays where it is must not lose it: whoever
 * pauses its VM waits for it to leave. */
#define REQUEST_LEAVING (REQUEST_RESCHEDULE | REQUEST_LOOK | REQUEST_DEBUG | REQUEST_PAUSE)

/* A start-up IPI is for one that waits for it; one that follows an INIT stays. */
static void ignore_startup(struct vcpu *v)
{
    uint32_t r = __atomic_load_n(&v->requests, __ATOMIC_SEQ_CST);
    while ((r & REQUEST_STARTUP) && !(r & REQUEST_INIT) &&
           !__atomic_compare_exchange_n(&v->requests, &r, r & ~REQUEST_STARTUP_ALL, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
}

/* done: the requests that it has no more afterwards. */
static bool wakes(struct vcpu *v, uint64_t now, uint32_t done)
{
    uint32_t r = __atomic_fetch_and(&v->requests, ~done, __ATOMIC_SEQ_CST);
    if ((r & REQUEST_INIT) || ((r & REQUEST_STARTUP) && v->waits_for_startup)) {
        vcpu_request(v, r & done); /* after the signal */
        return true;
    }
    ignore_startup(v);
    interrupt_collect(v, r);
    if (now >= v->event_at)
        interrupt_time(v, now);
    return !v->waits_for_startup && (interrupt_wakes(v) || now >= v->wake_at);
}

static bool still_halted(struct vcpu *v, uint64_t now, uint32_t done)
{
    /* Before its requests are taken, or a sibling that halts between the two finds all hopeless and
     * nothing asked for, though an NMI wakes v here. If it stays halted, sched_may_halt() counts
     * it. */
    if (v->hopeless) {
        v->hopeless = false;
        __atomic_fetch_sub(&v->vm->hopeless, 1, __ATOMIC_SEQ_CST);
    }
    if (!wakes(v, now, done))
        return true;
    v->halted = false;
    vcpu_request(v, REQUEST_EVENT);
    return false;
}

bool sched_still_halted(struct vcpu *v, uint64_t now)
{
    return still_halted(v, now, (uint32_t)(REQUEST_WAKING | REQUEST_LEAVING));
}

static bool nothing_asked(const struct vm *vm)
{
    uint32_t any = 0;
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        any |= __atomic_load_n(&vm->vcpu[i]->requests, __ATOMIC_SEQ_CST);
    return !(any & (REQUEST_WAKING | REQUEST_INIT | REQUEST_STARTUP | REQUEST_STOP));
}

bool sched_may_halt(struct vcpu *v)
{
    struct vm *vm = v->vm;
    bool hopeless = v->waits_for_startup || (!v->wake_on_interrupt && v->wake_at == UINT64_MAX);
    if (!hopeless || v->hopeless)
        return true;
    v->hopeless = true;
    if (__atomic_add_fetch(&vm->hopeless, 1, __ATOMIC_SEQ_CST) < vm->vcpu_count ||
        !nothing_asked(vm))
        return true;
    vm_stop(vm, STOP_HALTED, "halted with interrupts off");
    return false;
}

/* --- waiting in place --- */

/* Somebody waits for this CPU, or for another that is busy: what a CPU without work may take. One
 * that is idle has been kicked by whom it queued. */
static bool anybody_waits(unsigned me)
{
    for (unsigned i = 0; i < host_cpu_count(); i++)
        if (__atomic_load_n(&sched_cpus[i].queue.count, __ATOMIC_RELAXED) &&
            (i == me || !sched_is_idle(i)))
            return true;
    return false;
}

/* Until when c has nothing to do beside what runs there. */
static uint64_t next_duty(struct cpu_sched *c, unsigned me)
{
    lock_take(&c->lock);
    uint64_t until = timerq_next(&c->timers);
    lock_release(&c->lock);
    return me == 0 ? min_u64(until, sched_boot_deadline()) : until;
}

bool sched_is_alone(const struct cpu_sched *c, unsigned me, const struct vcpu *v)
{
    return !v->debug.attached && !trace_wanted() && !c->short_turns &&
           (me != 0 || host_interrupts() == c->heard) && !anybody_waits(me);
}

/* Who comes while this CPU seems idle does not end the turn here, but kicks: that may be seen by
 * the guest only, when v wakes just then. The lock: whoever saw this CPU idle has queued by now. */
static bool nobody_came(struct cpu_sched *c, unsigned me)
{
    lock_take(&c->lock);
    sched_set_idle(me, false);
    bool nobody = !c->queue.count;
    lock_release(&c->lock);
    return nobody;
}

bool sched_wait_here(struct vcpu *v)
{
    unsigned me = host_cpu_index();
    struct cpu_sched *c = &sched_cpus[me];
    uint64_t now = host_now();
    /* Once a slice it goes the long way: what a turn begins and ends with is not put off. */
    if (!v->wake_on_interrupt || v->wake_at != UINT64_MAX || now >= v->slice_end ||
        now - v->slice_begin >= sched_slice())
        return false;
    v->halted = true;
    if (!still_halted(v, now, REQUEST_WAKING))
        return false;
    sched_set_idle(me, true); /* and then the look at queues, as in rest() */
    uint64_t duty = next_duty(c, me), until = min_u64(duty, v->event_at);
    bool wait = until > now && sched_is_alone(c, me, v) &&
                !__atomic_load_n(&v->requests, __ATOMIC_SEQ_CST);
    if (wait) {
        host_idle(until);
        /* Nobody has used the time between, v least of all. */
        uint64_t slept = host_now() - now;
        c->paid_until += slept;
        c->waited += slept;
        v->slice_end = min_u64(duty, v->slice_end + slept);
        v->halted = false; /* until it has looked */
    }
    return nobody_came(c, me) && wait;
}

bool sched_still_waits(struct vcpu *v)
{
    v->halted = true;
    return still_halted(v, host_now(), REQUEST_WAKING);
}
