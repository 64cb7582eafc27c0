/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scheduler: one run queue, one list of sleepers, no threads. Each pass of sched_run() looks at
 * the console, wakes who is due, does a piece of VM work and runs the vCPU at the head of the queue
 * for one slice. A vCPU is on the queue, on the sleepers' list, running, or off: never on two.
 */
#include "core/sched.h"

#include "core/backend.h"
#include "core/console.h"
#include "core/guest_time.h"
#include "core/host.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/power.h"
#include "core/vm.h"

static struct list queue, sleepers;
static uint64_t slice; /* TSC ticks */
static struct vcpu *running;
static uint64_t running_since; /* TSC */

void sched_init(uint64_t slice_ns)
{
    list_init(&queue);
    list_init(&sleepers);
    slice = host_ns_to_tsc(slice_ns);
}

static struct vcpu *of(struct list *l)
{
    return container_of(l, struct vcpu, run);
}

void sched_add(struct vcpu *v)
{
    list_remove(&v->run);
    v->state = VCPU_RUNNABLE;
    v->wake_at = UINT64_MAX;
    v->runnable_since = host_now();
    list_append(&queue, &v->run);
}

void sched_remove(struct vcpu *v)
{
    list_remove(&v->run);
    v->state = VCPU_OFF;
}

void sched_wake(struct vcpu *v)
{
    if (v->state == VCPU_BLOCKED)
        sched_add(v);
}

void sched_preempt(void)
{
    /* A timer that was armed for somebody else's slice may still be pending. */
    if (running && host_now() >= min_u64(running->slice_end, running->event_at))
        vcpu_request(running, REQUEST_EVENT);
}

/* The end of a slice because a sleeper is due then. Not at once, or a few that wake often would
 * leave the runner nothing but switches. */
static uint64_t slice_end_for(uint64_t begin, uint64_t due)
{
    return max_u64(due, begin + slice / 10);
}

void sched_due(uint64_t at)
{
    if (!running)
        return;
    running->slice_end = min_u64(running->slice_end, slice_end_for(running_since, at));
    running->look_at = 0; /* the backend has armed its timer for a later end */
}

void sched_switch_to(struct vcpu *v)
{
    struct vcpu *old = host_current_vcpu();
    if (old == v)
        return;
    if (old) {
        backend->save(old);
        host_fpu_save(old->fpu);
    }
    host_set_current_vcpu(v);
    if (!v)
        return;
    v->switches++;
    host_fpu_load(v->fpu, v->xcr0);
    backend->load(v);
}

void sched_forget(struct vcpu *v)
{
    sched_remove(v);
    if (v == host_current_vcpu())
        host_set_current_vcpu(NULL);
}

static void sleep(struct vcpu *v)
{
    if (v->waits_for_startup) {
        v->state = VCPU_OFF; /* never vCPU 0, which minds its VM's timers: its INIT is a reset */
        return;
    }
    if (interrupt_wakes(v)) {
        sched_add(v);
        return;
    }
    v->state = VCPU_BLOCKED;
    list_append(&sleepers, &v->run);
}

/* A sleeper for which something is due now, or NULL; *next is when something will be. */
static struct vcpu *due_sleeper(uint64_t now, uint64_t *next)
{
    *next = UINT64_MAX;
    list_for_each (l, &sleepers) {
        struct vcpu *v = of(l);
        uint64_t at = min_u64(v->wake_at, v->event_at);
        if (at <= now)
            return v;
        *next = min_u64(*next, at);
    }
    return NULL;
}

/* Wakes whose time has come; returns when the next one's will. Looks from the start again after
 * each, for one vCPU's timer may wake others of its VM. */
static uint64_t wake_due(void)
{
    uint64_t now = host_now(), next;
    struct vcpu *v;
    while ((v = due_sleeper(now, &next))) {
        if (v->event_at <= now)
            interrupt_time(v, now); /* leaves event_at behind now */
        if (v->state == VCPU_BLOCKED && v->wake_at <= now)
            sched_add(v);
    }
    return next;
}

/* A sleeper that is due ends the running slice, or it would wait for up to a slice per runner. */
static void run_slice(struct vcpu *v, uint64_t next_wake)
{
    uint64_t begin = host_now();
    sched_switch_to(v);
    host_load_space(v->vm->space.root);
    guest_time_enter(v, begin);
    host_enter_domain(v->vm->slot + 1);
    v->slice_end = min_u64(begin + slice, slice_end_for(begin, next_wake));
    v->look_at = v->slice_end;
    running = v;
    running_since = begin;
    enum outcome outcome = backend->run(v);
    running = NULL;
    v->ran += host_now() - begin;
    if (outcome == OUTCOME_RETRY)
        guest_time_preempted(v);
    if (outcome == OUTCOME_STOP)
        vm_finish(v->vm, v);
    else if (outcome == OUTCOME_BLOCK)
        sleep(v);
    else
        sched_add(v);
}

void sched_run(bool stop_when_idle)
{
    for (;;) {
        console_poll();
        uint64_t next_wake = wake_due();
        bool worked = vm_work();
        if (worked)
            host_enter_domain(0);
        if (!list_empty(&queue)) {
            struct vcpu *v = of(queue.next);
            list_remove(&v->run);
            run_slice(v, next_wake);
        } else if (!worked) {
            if (stop_when_idle && !vm_any_alive())
                power_off();
            host_idle(min_u64(next_wake, host_console_deadline()));
        }
    }
}
