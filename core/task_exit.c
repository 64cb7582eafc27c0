/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exits for hardware task switches: gathers what task_switch.c needs, lends it memory and CR3, and
 * puts the new task's registers in place. What a switch does and checks is task_switch.c's. SDM:
 * "Treatment of Task Switches", "Exit Qualification for Task Switches".
 */
#include "core/task_switch.h"

#include "arch/x86/cr.h"
#include "arch/x86/regs.h"
#include "core/backend.h"
#include "core/linear.h"
#include "core/vm.h"

#define QUALIFICATION_SELECTOR BITS(15, 0)
#define QUALIFICATION_SOURCE   30 /* the lower of two bits */
#define DR6_BT                 BIT(15)
#define TASK_GPRS              8  /* a TSS knows no more */

static bool task_read(void *machine, uint32_t linear, void *buf, unsigned n)
{
    struct linear *l = machine;
    l->access = WALK_IMPLICIT;
    return linear_read(l, linear, buf, n);
}

static bool task_probe(void *machine, uint32_t linear, unsigned n)
{
    struct linear *l = machine;
    l->access = WALK_IMPLICIT;
    return linear_probe(l, linear, n, true);
}

static bool task_write(void *machine, uint32_t linear, const void *buf, unsigned n, bool user)
{
    struct linear *l = machine;
    l->access = user ? WALK_USER : WALK_IMPLICIT;
    return linear_write(l, linear, buf, n);
}

static bool task_load_cr3(void *machine, uint32_t cr3)
{
    struct linear *l = machine;
    backend->set_reg(l->v, VREG_CR3, cr3);
    l->paging.cr3 = cr3;
    bool good = !(l->paging.cr4 & CR4_PAE) || backend->load_pdptes(l->v);
    backend->flush_tlb(l->v);
    return good;
}

static const struct task_switch_ops task_ops = {
    .read = task_read,
    .probe = task_probe,
    .write = task_write,
    .load_cr3 = task_load_cr3,
};

static void get_task(struct vcpu *v, struct task_registers *r)
{
    r->eip = (uint32_t)backend->get_reg(v, VREG_RIP);
    r->eflags = (uint32_t)backend->get_reg(v, VREG_RFLAGS);
    r->cr0 = (uint32_t)backend->get_reg(v, VREG_CR0);
    r->cr3 = (uint32_t)backend->get_reg(v, VREG_CR3);
    r->dr7 = (uint32_t)backend->get_reg(v, VREG_DR7);
    for (unsigned i = 0; i < TASK_GPRS; i++)
        r->gpr[i] = (uint32_t)vcpu_gpr(v, i);
    for (unsigned i = 0; i < SEG_COUNT; i++)
        backend->get_segment(v, (enum seg_name)i, &r->seg[i]);
}

/* CR3 is in place already. */
static void set_task(struct vcpu *v, const struct task_registers *r)
{
    /* A shadow of STI or MOV SS ends here: with IF clear, VM entry would refuse it. RFLAGS without
     * TF, as no single-step trap is due for the old task's last instruction. */
    v->rflags = 0;
    backend->finish_step(v);
    for (unsigned i = 0; i < SEG_COUNT; i++)
        backend->set_segment(v, (enum seg_name)i, &r->seg[i]);
    for (unsigned i = 0; i < TASK_GPRS; i++)
        vcpu_set_gpr(v, i, r->gpr[i]);
    backend->set_reg(v, VREG_RIP, r->eip);
    backend->set_reg(v, VREG_RFLAGS, r->eflags);
    backend->set_reg(v, VREG_CR0, r->cr0);
    backend->set_reg(v, VREG_DR7, r->dr7);
}

/* #DB before the new task's first instruction. DR6 may be in the CPU: it is fetched, changed and
 * put back. */
static enum outcome raise_task_trap(struct vcpu *v)
{
    bool live = v->dr_live;
    if (live)
        backend->intercept_dr(v, true);
    v->dr6 |= DR6_BT;
    if (live)
        backend->intercept_dr(v, false);
    return vcpu_raise(v, EXCEPTION(VECTOR_DB));
}

/* Privileges of CALL, JMP and INT n have been checked before the exit. An event that a task gate
 * was to deliver is delivered by the switch itself; after a fault it stays in v->reinject, for the
 * two may add up to a double fault. */
enum outcome exit_task_switch(struct vcpu *v, struct vm_exit *x)
{
    struct task_registers regs;
    struct task_switch_outcome out;
    struct linear l;
    struct task_request req = {
        .source = (enum task_switch_source)(x->qualification >> QUALIFICATION_SOURCE & 3),
        .selector = (uint16_t)(x->qualification & QUALIFICATION_SELECTOR),
        .cpl = (uint8_t)backend->cpl(v),
        .insn_length = x->length,
        .gdt_base = backend->get_reg(v, VREG_GDTR_BASE),
        .gdt_limit = (uint32_t)backend->get_reg(v, VREG_GDTR_LIMIT),
    };
    if (req.source == TASK_GATE) {
        if (!v->reinject_valid)
            return vm_stop(v->vm, STOP_UNSUPPORTED, "a task gate (TSS %#x) without an event",
                           req.selector);
        req.event = v->reinject;
    }
    linear_init(&l, v);
    l.bits = 32; /* linear addresses are, whatever the code is */
    get_task(v, &regs);
    if (req.source == TASK_IRET)
        backend->block_nmi(v, false); /* whether it goes through or not */
    enum task_switch_result r = task_switch(&req, &task_ops, &l, &regs, &out);
    if (r != TASK_SWITCH_FAULT)
        set_task(v, &regs);
    if (r != TASK_SWITCH_FAULT && req.source == TASK_GATE && req.event.type == EVENT_NMI)
        backend->block_nmi(v, true); /* injecting it would have done that */
    if (r != TASK_SWITCH_DONE)
        return out.refused ? l.outcome : vcpu_raise(v, out.fault);
    v->reinject_valid = false;
    return out.debug_trap ? raise_task_trap(v) : OUTCOME_RETRY;
}
