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
#include "core/interrupt.h"
#include "core/vm.h"

#define SHADOW_STI      BIT(0)
#define SHADOW_MOV_SS   BIT(1)
#define BLOCKED_BY_NMI  BIT(3)
#define PENDING_BREAKPOINT BIT(12) /* an enabled one was met */
#define PENDING_BS      BIT(14)

/* Interrupt and NMI windows: an exit as soon as the guest can take what waits. */
static void set_windows(struct vmx_vcpu *xv, const struct event_choice *c)
{
    uint32_t controls = xv->proc_controls &
                        ~(VMX_CTL(INTERRUPT_WINDOW_EXITING) | VMX_CTL(NMI_WINDOW_EXITING));
    if (c->interrupt_window)
        controls |= VMX_CTL(INTERRUPT_WINDOW_EXITING);
    if (c->nmi_window && (vmx_caps.word[WORD_PIN] & VMX_CTL(VIRTUAL_NMIS)))
        controls |= VMX_CTL(NMI_WINDOW_EXITING);
    if (controls == xv->proc_controls)
        return;
    xv->proc_controls = controls;
    vmcs_set(PROC_BASED_CONTROLS, controls);
}

/* An interrupt that the task priority holds back: exit when the guest lowers it below. */
static void set_tpr_threshold(struct vcpu *v)
{
    struct vmx_vcpu *xv = vmx_of(v);
    int irr = vlapic_highest_irr(&v->apic);
    uint8_t threshold = irr >= 0 ? (uint8_t)irr >> 4 : 0;
    if (threshold > vlapic_tpr(&v->apic) >> 4)
        threshold = 0; /* not the task priority's doing */
    if (!xv->tpr_shadow || threshold == xv->tpr_threshold)
        return;
    xv->tpr_threshold = threshold;
    vmcs_set(TPR_THRESHOLD, threshold);
}

void vmx_clear_tpr_threshold(struct vcpu *v)
{
    struct vmx_vcpu *xv = vmx_of(v);
    if (!xv->tpr_threshold)
        return;
    xv->tpr_threshold = 0;
    vmcs_set(TPR_THRESHOLD, 0);
}

/* After IRR or ISR have changed: when the CPU has to come back for what still waits. */
static void update_apic(struct vcpu *v)
{
    if (vmx_of(v)->apicv)
        vmx_apicv_update(v);
    else
        set_tpr_threshold(v);
}

/* The same when the APIC's vector has been taken and nothing else is in IRR or TMR. */
static inline void update_apic_taken(struct vcpu *v, uint8_t vector)
{
    const struct vmx_vcpu *xv = vmx_of(v);
    if (unlikely(xv->eoi_exits))
        update_apic(v);
    else if (xv->apicv)
        vmcs_set(GUEST_INTERRUPT_STATUS, (uint16_t)(vector << 8)); /* SVI, and no RVI */
    else if (xv->tpr_threshold)
        set_tpr_threshold(v);
}

/* GUEST_INTERRUPTIBILITY_STATE. NMIs are blocked only since one was injected: Bochs 2.7 leaves them
 * so when it enters another guest, whose next exit then saves a blocking that no IRET will end. */
uint32_t vmx_blocking(struct vcpu *v)
{
    struct vmx_vcpu *xv = vmx_of(v);
    uint32_t blocking = vmcs_get(GUEST_INTERRUPTIBILITY_STATE);
    if (likely(!(blocking & BLOCKED_BY_NMI))) {
        xv->nmi_blocked = false;
    } else if (!xv->nmi_blocked) {
        blocking &= ~(uint32_t)BLOCKED_BY_NMI;
        vmcs_set(GUEST_INTERRUPTIBILITY_STATE, blocking);
    }
    return blocking;
}

/* What core has for v, and what of v's state decides about it. */
static void gather(struct vcpu *v, struct event_state *s)
{
    uint32_t blocking = vmx_blocking(v);
    int vector = interrupt_next(v);
    *s = (struct event_state){
        .reinject_valid = v->reinject_valid,
        .exception_valid = v->exception_valid,
        .reinject = v->reinject,
        .exception = v->exception,
        .nmi_pending = v->nmi_pending,
        .nmi_blocked = blocking & BLOCKED_BY_NMI,
        .interrupt_pending = vector >= 0,
        .interrupt_vector = (uint8_t)vector,
        .interrupts_enabled = vmcs_get(GUEST_RFLAGS) & RFLAGS_IF,
        .sti_shadow = blocking & SHADOW_STI,
        .mov_ss_shadow = blocking & SHADOW_MOV_SS,
    };
}

static void inject(struct vcpu *v, struct event e)
{
    if (e.type == EVENT_NMI)
        vmx_of(v)->nmi_blocked = true;
    /* An error code in real mode makes the entry fail. */
    if (!(vmcs_get(GUEST_CR0) & CR0_PE))
        e.has_error = false;
    if (e.has_error)
        vmcs_set(ENTRY_EXCEPTION_ERROR_CODE, e.error_code);
    if (e.insn_length)
        vmcs_set(ENTRY_INSTRUCTION_LENGTH, e.insn_length);
    vmcs_set(ENTRY_INTERRUPTION_INFORMATION, event_to_vmx(&e));
}

/* The CPU is ready for an interrupt at once: no blocking, no shadow. */
static bool takes_interrupts(struct vcpu *v)
{
    return (vmcs_get(GUEST_RFLAGS) & RFLAGS_IF) &&
           !(vmx_blocking(v) & (SHADOW_STI | SHADOW_MOV_SS));
}

/* Something but interrupts of the local APIC waits, or a window is open. */
static inline bool has_more(const struct vcpu *v)
{
    const uint32_t windows = VMX_CTL(INTERRUPT_WINDOW_EXITING) | VMX_CTL(NMI_WINDOW_EXITING);
    /* Also when the 8259s have more than one: see interrupt_more(). */
    return v->reinject_valid || v->exception_valid || v->nmi_pending ||
           (vmx_of(v)->proc_controls & windows) || (v->index == 0 && unlikely(v->vm->pic_intr));
}

static inline void inject_vector(uint8_t vector)
{
    vmcs_set(ENTRY_INTERRUPTION_INFORMATION, (uint32_t)BIT(31) | EVENT_EXTINT << 8 | vector);
}

/* What event_next() comes to in the common case. False: it has to be asked. */
static inline bool inject_interrupt(struct vcpu *v)
{
    if (unlikely(has_more(v)) || (v->apic.irr_words && !takes_interrupts(v)))
        return false;
    int vector = vlapic_take(&v->apic);
    if (vector >= 0)
        inject_vector((uint8_t)vector);
    if (vector >= 0 && likely(!(v->apic.irr_words | v->apic.tmr_words)))
        update_apic_taken(v, (uint8_t)vector);
    else
        update_apic(v);
    return true;
}

bool vmx_inject_timer(struct vcpu *v, uint64_t now)
{
    if (unlikely(has_more(v)) || !takes_interrupts(v))
        return false;
    int vector = vlapic_fire(&v->apic, now + v->tsc_offset);
    if (vector < 0)
        return false;
    v->event_at = UINT64_MAX;
    inject_vector((uint8_t)vector);
    update_apic_taken(v, (uint8_t)vector);
    return true;
}

void vmx_inject(struct vcpu *v, uint8_t vector)
{
    inject_vector(vector);
    update_apic_taken(v, vector);
}

/* What vmx_inject() has done, since the entry is not certain any more: the interrupt is taken with
 * whatever entry comes next, before anything else. (An exit leaves nothing to be injected.) */
void vmx_take_back(struct vcpu *v)
{
    uint32_t info = vmcs_get(ENTRY_INTERRUPTION_INFORMATION);
    if (likely(!(info & BIT(31))))
        return;
    vmcs_set(ENTRY_INTERRUPTION_INFORMATION, 0);
    v->reinject = (struct event){.type = EVENT_EXTINT, .vector = (uint8_t)info};
    v->reinject_valid = true;
    vcpu_request(v, REQUEST_EVENT);
}

static NOINLINE bool inject_by_the_rules(struct vcpu *v)
{
    struct event_state s;
    struct event_choice choice;
    gather(v, &s);
    event_next(&s, &choice);
    set_windows(vmx_of(v), &choice);
    switch (choice.source) {
    case EVENT_SHUTDOWN:
        return false;
    case EVENT_NONE:
        update_apic(v);
        return true;
    case EVENT_FROM_NMI:
        v->nmi_pending = false;
        break;
    case EVENT_FROM_INTERRUPT:
        choice.event.vector = interrupt_take(v);
        if (unlikely(interrupt_more(v))) {
            choice.interrupt_window = true;
            set_windows(vmx_of(v), &choice);
        }
        break;
    default:
        v->reinject_valid = v->exception_valid = false;
        break;
    }
    /* One that is injected again has its address in CR2 already. */
    if (choice.source == EVENT_FROM_EXCEPTION && choice.event.vector == VECTOR_PF)
        write_cr2(v->fault_address);
    inject(v, choice.event);
    update_apic(v);
    return true;
}

/* Writes what the guest receives at this entry. False: the exceptions add up to a triple fault. */
bool vmx_inject_events(struct vcpu *v)
{
    return likely(inject_interrupt(v)) || inject_by_the_rules(v);
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

/* The trap comes at the next entry, as the CPU's own would have come behind the instruction. */
void vmx_queue_breakpoints(struct vcpu *v, uint32_t hits)
{
    (void)v;
    vmcs_set(GUEST_PENDING_DEBUG_EXCEPTIONS,
             vmcs_get(GUEST_PENDING_DEBUG_EXCEPTIONS) | hits | PENDING_BREAKPOINT);
}

/* The instruction that exited has not completed, so no single-step trap is due for it. Bochs has
 * saved one as pending all the same; on hardware there is nothing to clear. */
void vmx_cancel_step(void)
{
    uint64_t pending = vmcs_get(GUEST_PENDING_DEBUG_EXCEPTIONS);
    if (pending & PENDING_BS)
        vmcs_set(GUEST_PENDING_DEBUG_EXCEPTIONS, pending & ~PENDING_BS);
}

void vmx_block_nmi(struct vcpu *v, bool block)
{
    uint32_t state = vmcs_get(GUEST_INTERRUPTIBILITY_STATE) & ~(uint32_t)BLOCKED_BY_NMI;
    vmx_of(v)->nmi_blocked = block;
    vmcs_set(GUEST_INTERRUPTIBILITY_STATE, block ? state | BLOCKED_BY_NMI : state);
    vcpu_request(v, REQUEST_EVENT); /* one that waits may be due */
}

bool vmx_interrupts_enabled(struct vcpu *v)
{
    (void)v;
    return vmcs_get(GUEST_RFLAGS) & RFLAGS_IF;
}
