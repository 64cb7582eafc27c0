/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between an exit that is not the common case and the next entry: what was asked for meanwhile, the
 * preemption timer, a vCPU that halts; and the first entry of a turn. Decides nothing about
 * events (event.c) or about who runs (core/sched.c). SDM: "VMX-Preemption Timer", "VM Entries",
 * "Guest Non-Register State".
 */
#include "arch/x86/insn.h"
#include "arch/x86/vmx/vmcs.h"
#include "arch/x86/vmx/vmx.h"
#include "core/host.h"
#include "core/interrupt.h"
#include "core/observe.h"
#include "core/sched.h"
#include "core/vm.h"

/* What a guest gets at least between two events, TSC ticks: with a timer that is due again before
 * its last interrupt has been injected it would execute nothing at all. */
#define TIMER_MIN 256
/* What passes at least from setting the timer until the guest runs: so many instructions, which in
 * sum take a tick each or more. */
#define ENTRY_TICKS 40

static bool has_preemption_timer(void)
{
    return vmx_caps.word[WORD_PIN] & VMX_CTL(ACTIVATE_PREEMPTION_TIMER);
}

/* Sets the preemption timer to what is left of the slice or until the next timer event. The timer
 * stands still in root mode, so a guest that exits much would get more than its slice: from look_at
 * on, an exit comes here and sets it again; the times between shrink with what is left. */
static void arm_timer(struct vcpu *v)
{
    uint64_t now = rdtsc() + ENTRY_TICKS; /* what came before has taken time */
    uint64_t until = min_u64(v->slice_end, v->event_at);
    uint64_t left = until > now ? until - now : 0;
    uint64_t value = (max_u64(left, TIMER_MIN) >> vmx_caps.timer_shift) + 1;
    v->armed_for = until;
    vmcs_set(PREEMPTION_TIMER_VALUE, (uint32_t)min_u64(value, UINT32_MAX));
    v->look_at = now + max_u64(left / 4, 1);
}

static bool leave(struct vcpu *v, enum outcome outcome)
{
    vmx_of(v)->outcome = (uint8_t)outcome;
    return false;
}

/* Requests beyond those of the common case. False: leave the guest. */
static NOINLINE bool serve_requests(struct vcpu *v, uint32_t *requests)
{
    if (*requests & REQUEST_STOP) {
        vcpu_request(v, REQUEST_STOP); /* for good */
        return leave(v, OUTCOME_STOP);
    }
    if (*requests & (REQUEST_POSTED | REQUEST_NMI | REQUEST_LINT0 | REQUEST_TSC))
        interrupt_collect(v, *requests);
    if ((*requests & (REQUEST_INIT | REQUEST_STARTUP)) && !vcpu_handle_signals(v, *requests))
        return leave(v, OUTCOME_BLOCK);
    if (unlikely(*requests & REQUEST_DEBUG))
        *requests = vmx_debug_look(v, *requests);
    return true;
}

static NOINLINE bool give_back(struct vcpu *v, uint32_t requests)
{
    vcpu_request(v, requests & REQUEST_EVENT);
    return leave(v, OUTCOME_RETRY);
}

static COLD bool triple_fault(struct vcpu *v)
{
    return leave(v, vm_stop(v->vm, STOP_TRIPLE_FAULT,
                            "an exception while delivering a double fault"));
}

/* What has to happen before an entry when something was asked for. False: leave the guest. Events
 * are injected only when the entry is certain: a second injection would overwrite the first. */
static bool look(struct vcpu *v, uint64_t now)
{
    uint32_t requests = 0;
    if (now >= v->event_at)
        interrupt_time(v, now);
    if (v->requests)
        requests = __atomic_exchange_n(&v->requests, 0, __ATOMIC_ACQUIRE);
    if (unlikely(requests & ~(uint32_t)(REQUEST_EVENT | REQUEST_RESCHEDULE | REQUEST_LOOK)) &&
        !serve_requests(v, &requests))
        return false;
    if (unlikely(requests & REQUEST_RESCHEDULE) ||
        (unlikely(now >= v->slice_end) && !sched_goes_on(v)))
        return give_back(v, requests);
    if ((requests & REQUEST_EVENT) && unlikely(!vmx_inject_events(v)))
        return triple_fault(v);
    /* The timer is right as it is: nothing became due earlier since it was set. */
    if (now < v->look_at && min_u64(v->slice_end, v->event_at) >= v->armed_for)
        return true;
    if (likely(has_preemption_timer()))
        arm_timer(v);
    else
        host_set_slice_timer(v->armed_for = v->look_at = min_u64(v->slice_end, v->event_at));
    return true;
}

/* The common case of what has come: the guest's own timer, and nothing else. True: its interrupt
 * goes in with the next entry. */
static inline bool own_timer(struct vcpu *v, uint64_t now)
{
    if (now < v->event_at || now >= v->slice_end || v->requests || !vmx_inject_timer(v, now))
        return false;
    arm_timer(v);
    return true;
}

enum vmx_next vmx_time_is_up(struct vcpu *v)
{
    if (likely(own_timer(v, rdtsc())))
        return VMX_RESUME_FAST;
    v->look_at = 0; /* whatever it was armed for */
    return look(v, rdtsc()) ? VMX_RESUME : VMX_LEAVE;
}

enum vmx_next vmx_resume(struct vcpu *v)
{
    uint64_t now = rdtsc();
    if (vmx_may_resume(v, now))
        return VMX_RESUME;
    return look(v, now) ? VMX_RESUME : VMX_LEAVE;
}

/* v has halted. Nothing that only the CPU knows of may be there to wake it: no virtual interrupt,
 * no trap that is pending. */
static bool may_wait(const struct vcpu *v)
{
    return !vmx_of(v)->observed && !v->apic.irr_words &&
           !vmcs_get(GUEST_PENDING_DEBUG_EXCEPTIONS);
}

static enum vmx_next halt(struct vcpu *v)
{
    if (may_wait(v) && sched_wait_here(v)) {
        v->look_at = 0; /* the preemption timer stood still; the host's was set for the wait */
        if (has_preemption_timer() && own_timer(v, rdtsc()))
            return VMX_RESUME_FAST;
        if (!sched_still_waits(v))
            return look(v, rdtsc()) ? VMX_RESUME : VMX_LEAVE;
    }
    vmx_of(v)->outcome = OUTCOME_BLOCK;
    return VMX_LEAVE;
}

/* --- the end of an exit, and the first entry --- */

enum vmx_next vmx_after_exit(struct vcpu *v, enum outcome outcome)
{
    if (outcome == OUTCOME_ADVANCE)
        vmx_take_back(v);
    if (outcome == OUTCOME_ADVANCE || outcome == OUTCOME_BLOCK)
        vmcs_set(GUEST_RIP, v->rip);
    else if (v->exit.slow_step && outcome <= OUTCOME_FAULT)
        vmx_cancel_step();
    if (outcome < OUTCOME_BLOCK)
        return vmx_resume(v);
    if (outcome == OUTCOME_BLOCK)
        return halt(v);
    vmx_of(v)->outcome = (uint8_t)outcome;
    return VMX_LEAVE;
}

static inline enum outcome enter(struct vcpu *v, struct vmx_vcpu *xv)
{
    if (!vmx_enter(v, xv->launched)) {
        uint32_t error = vmcs_get(INSTRUCTION_ERROR);
        return vm_stop(v->vm, STOP_ENTRY_FAILED, "VM entry refused: error %u, %s", error,
                       vmx_instruction_error(error));
    }
    xv->launched = true;
    v->cr2 = read_cr2();
    return (enum outcome)xv->outcome;
}

static COLD enum outcome vmx_run_observed(struct vcpu *v);

enum outcome vmx_run(struct vcpu *v)
{
    struct vmx_vcpu *xv = vmx_of(v);
    if (unlikely(xv->observed) || unlikely(observe_wanted(v)))
        return vmx_run_observed(v);
    if (!look(v, rdtsc()))
        return (enum outcome)xv->outcome;
    return enter(v, xv);
}

/* The same by the second way out, or back from it. */
static COLD enum outcome vmx_run_observed(struct vcpu *v)
{
    struct vmx_vcpu *xv = vmx_of(v);
    vmx_choose_way(v, observe_wanted(v));
    if (!look(v, rdtsc()))
        return (enum outcome)xv->outcome;
    vmx_observe_entry(v);
    return enter(v, xv);
}
