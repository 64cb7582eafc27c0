/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A debugger's means in VMX: INT3 as an exit, single steps, and its own debug registers in the
 * place of the guest's. Steps are made by the monitor trap flag, which the guest cannot see, and
 * where the CPU has none (Bochs) by RFLAGS.TF, which it can. All of it stands in the VMCS only
 * while core/debug.c wants it. SDM: "Monitor Trap Flag", "Debug Exceptions".
 */
#include "arch/x86/insn.h"
#include "arch/x86/regs.h"
#include "arch/x86/vmx/vmcs.h"
#include "arch/x86/vmx/vmx.h"
#include "core/debug.h"

#define SHADOW     3u /* interruptibility: STI or MOV SS */
#define SHADOW_STI 1u

static bool has_trap_flag(void)
{
    return vmx_raw.word[WORD_PROC] >> 32 & VMX_CTL(MONITOR_TRAP_FLAG);
}

/* TF and a shadow together would need a trap that is pending already: the shadow ends. */
static void arm_tf(struct vcpu *v)
{
    uint64_t rflags = vmcs_get(GUEST_RFLAGS);
    v->debug.guest_tf = rflags & RFLAGS_TF;
    v->debug.tf_used = true;
    v->debug.pushf = !v->debug.guest_tf && debug_at_pushf(v);
    vmcs_set(GUEST_RFLAGS, rflags | RFLAGS_TF);
    vmcs_set(GUEST_INTERRUPTIBILITY_STATE, vmcs_get(GUEST_INTERRUPTIBILITY_STATE) & ~SHADOW);
}

static void disarm_tf(struct vcpu *v)
{
    if (!v->debug.guest_tf)
        vmcs_set(GUEST_RFLAGS, vmcs_get(GUEST_RFLAGS) & ~RFLAGS_TF);
    vmx_cancel_step();
    if (v->debug.pushf)
        debug_clean_pushf(v);
    v->debug.pushf = false;
}

static void set_trap(struct vcpu *v, bool on)
{
    struct vmx_vcpu *xv = vmx_of(v);
    uint32_t bit = VMX_CTL(MONITOR_TRAP_FLAG);
    uint32_t controls = on ? xv->proc_controls | bit : xv->proc_controls & ~bit;
    if (controls == xv->proc_controls)
        return;
    xv->proc_controls = controls;
    vmcs_set(PROC_BASED_CONTROLS, controls);
}

static void arm(struct vcpu *v)
{
    v->debug.armed = true;
    if (has_trap_flag())
        set_trap(v, true);
    else
        arm_tf(v);
}

static void disarm(struct vcpu *v)
{
    if (!v->debug.armed)
        return;
    v->debug.armed = false;
    if (has_trap_flag())
        set_trap(v, false);
    else
        disarm_tf(v);
}

void vmx_load_debug_registers(const struct vcpu *v)
{
    write_dr0(v->debug.dr[0]);
    write_dr1(v->debug.dr[1]);
    write_dr2(v->debug.dr[2]);
    write_dr3(v->debug.dr[3]);
}

static void take_registers(struct vcpu *v, uint64_t dr7)
{
    if (v->dr_live)
        vmx_intercept_dr(v, true); /* the guest's are fetched, and MOV DR exits from now on */
    v->debug.guest_dr7 = vmcs_get(GUEST_DR7);
    v->debug.dr7 = dr7;
    vmcs_set(GUEST_DR7, dr7 | DR7_FIXED1);
    vmx_load_debug_registers(v);
}

/* Also after an INIT, which has written GUEST_DR7: then dr7 is what v->debug has already. */
void vmx_set_debug(struct vcpu *v, bool attached, uint64_t dr7)
{
    uint32_t exceptions = vmx_exceptions();
    vmcs_set(EXCEPTION_BITMAP, attached ? exceptions | (uint32_t)BIT(VECTOR_BP) : exceptions);
    if (!attached)
        disarm(v);
    if (v->debug.dr7 && vmcs_get(GUEST_DR7) == (v->debug.dr7 | DR7_FIXED1)) {
        vmcs_set(GUEST_DR7, v->debug.guest_dr7);
        v->debug.dr7 = 0;
        if (v->debug.guest_dr7 & DR7_ENABLES)
            vmx_intercept_dr(v, false); /* its own addresses again */
    }
    if (dr7)
        take_registers(v, dr7);
}

/* A trap that an earlier step left behind (TF in a frame that an interrupt or a system call pushed
 * meanwhile) is nothing the guest should see. */
bool vmx_debug_hit(struct vcpu *v)
{
    uint64_t enabled = 0, q = vmcs_get(EXIT_QUALIFICATION);
    for (unsigned i = 0; i < 4; i++)
        enabled |= (v->debug.dr7 >> (2 * i + 1) & 1) << i;
    v->debug.hits = (uint8_t)(q & enabled);
    v->debug.stepped = (q & DR6_BS) && v->debug.step == STEP_GOING;
    v->debug.stray = (q & DR6_BS) && !v->debug.stepped && v->debug.tf_used && !v->debug.guest_tf;
    if (v->debug.stray)
        vmcs_set(GUEST_RFLAGS, vmcs_get(GUEST_RFLAGS) & ~RFLAGS_TF);
    if (v->debug.hits || v->debug.stepped)
        vcpu_request(v, (uint32_t)REQUEST_DEBUG); /* the step is over */
    return v->debug.hits || v->debug.stepped || v->debug.stray;
}

/* An interrupt that waits would be the step's first instruction, and the stepping person would see
 * nothing but handlers: it is held back, and in STI's shadow the CPU delivers none by itself. */
static uint32_t hold_interrupts(struct vcpu *v, uint32_t requests)
{
    uint32_t blocking = vmcs_get(GUEST_INTERRUPTIBILITY_STATE);
    uint64_t rflags = vmcs_get(GUEST_RFLAGS);
    if (v->exception_valid || v->reinject_valid)
        return requests;
    if (has_trap_flag() && (rflags & RFLAGS_IF) && !(rflags & RFLAGS_TF) && !(blocking & SHADOW))
        vmcs_set(GUEST_INTERRUPTIBILITY_STATE, blocking | SHADOW_STI);
    vmx_clear_tpr_threshold(v);
    vcpu_request(v, requests & REQUEST_EVENT);
    return requests & ~(uint32_t)REQUEST_EVENT;
}

uint32_t vmx_debug_look(struct vcpu *v, uint32_t requests)
{
    uint64_t rip = vmcs_get(GUEST_RIP);
    /* An instruction that exited has been carried out in software: no trap comes for it. */
    if (v->debug.step == STEP_GOING && rip != v->debug.step_from)
        debug_stop(v, DEBUG_STEPPED);
    if (v->debug.step == STEP_NONE) {
        disarm(v);
        return requests | (v->requests & REQUEST_RESCHEDULE);
    }
    if (v->debug.step == STEP_WANTED) {
        v->debug.step_from = rip;
        v->debug.step = STEP_GOING;
        arm(v);
    }
    vcpu_request(v, REQUEST_DEBUG); /* look again after every exit */
    return hold_interrupts(v, requests);
}
