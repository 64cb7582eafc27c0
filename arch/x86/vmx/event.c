/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events at VM entry and exit: what core decided is written to the VMCS; what an exit interrupted
 * is read back. The rules themselves are core/event.c's. SDM: "Event Injection", "Information for
 * VM Exits That Occur During Event Delivery", "Guest Non-Register State".
 */
#include "arch/x86/cr.h"
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/regs.h"
#include "arch/x86/vmx/vmcs.h"
#include "arch/x86/vmx/vmx.h"
#include "core/event.h"
#include "core/log.h"

#define SHADOW_STI      BIT(0)
#define SHADOW_MOV_SS   BIT(1)
#define BLOCKED_BY_NMI  BIT(3)
#define PENDING_BS      BIT(14)

/* Writes what the guest receives at this entry. False: the exceptions add up to a triple fault. */
bool vmx_inject_events(struct vcpu *v)
{
    uint32_t blocking = vmcs_get(GUEST_INTERRUPTIBILITY_STATE);
    struct event_state s = {
        .reinject_valid = v->reinject_valid,
        .exception_valid = v->exception_valid,
        .reinject = v->reinject,
        .exception = v->exception,
        .nmi_blocked = blocking & BLOCKED_BY_NMI,
        .interrupts_enabled = vmcs_get(GUEST_RFLAGS) & RFLAGS_IF,
        .sti_shadow = blocking & SHADOW_STI,
        .mov_ss_shadow = blocking & SHADOW_MOV_SS,
    };
    struct event_choice choice;
    event_next(&s, &choice);
    if (choice.source == EVENT_SHUTDOWN)
        return false;
    if (choice.source == EVENT_NONE)
        return true;
    v->reinject_valid = v->exception_valid = false;
    const struct event *e = &choice.event;
    if (e->type == EVENT_HW_EXCEPTION && e->vector == VECTOR_PF)
        write_cr2(v->cr2);
    /* An error code in real mode makes the entry fail. */
    struct event sent = *e;
    if (!(vmcs_get(GUEST_CR0) & CR0_PE))
        sent.has_error = false;
    if (sent.has_error)
        vmcs_set(ENTRY_EXCEPTION_ERROR_CODE, sent.error_code);
    if (sent.insn_length)
        vmcs_set(ENTRY_INSTRUCTION_LENGTH, sent.insn_length);
    vmcs_set(ENTRY_INTERRUPTION_INFORMATION, event_to_vmx(&sent));
    return true;
}

/* The event whose delivery this exit interrupted goes out again at the next entry. */
void vmx_save_interrupted_event(struct vcpu *v)
{
    uint32_t info = vmcs_get(IDT_VECTORING_INFORMATION);
    struct event e;
    if (likely(!(info & BIT(31))))
        return;
    if (!event_from_vmx(info, vmcs_get(IDT_VECTORING_ERROR_CODE),
                        vmcs_get(EXIT_INSTRUCTION_LENGTH), &e))
        return;
    /* An NMI that was not delivered blocks nothing; injecting it again will. */
    if (e.type == EVENT_NMI)
        vmcs_set(GUEST_INTERRUPTIBILITY_STATE,
                 vmcs_get(GUEST_INTERRUPTIBILITY_STATE) & ~(uint32_t)BLOCKED_BY_NMI);
    v->reinject = e;
    v->reinject_valid = true;
    vcpu_request(v, REQUEST_EVENT);
}

/* The CPU has completed an instruction in software: STI's and MOV SS' shadow end, and if RFLAGS.TF
 * was set the single-step trap is due, unless it traps on branches only. */
void vmx_finish_step(struct vcpu *v)
{
    uint32_t blocking = vmcs_get(GUEST_INTERRUPTIBILITY_STATE);
    vmcs_set(GUEST_INTERRUPTIBILITY_STATE, blocking & ~(uint32_t)(SHADOW_STI | SHADOW_MOV_SS));
    if ((v->rflags & RFLAGS_TF) && !(vmcs_get(GUEST_IA32_DEBUGCTL) & DEBUGCTL_BTF))
        vmcs_set(GUEST_PENDING_DEBUG_EXCEPTIONS,
                 vmcs_get(GUEST_PENDING_DEBUG_EXCEPTIONS) | PENDING_BS);
}

bool vmx_interrupts_enabled(struct vcpu *v)
{
    (void)v;
    return vmcs_get(GUEST_RFLAGS) & RFLAGS_IF;
}
