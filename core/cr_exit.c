/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exits for control registers, XCR0 and debug registers. What may be written is cr.c's; most
 * accesses never exit, since the backend masks only the bits that are not the guest's own. SDM:
 * "Control Registers", "Debug Registers", "XSETBV".
 */
#include "arch/x86/cr.h"
#include "arch/x86/msr.h"
#include "arch/x86/regs.h"
#include "arch/x86/seg.h"
#include "core/backend.h"
#include "core/cr.h"
#include "core/guest_cpu.h"
#include "core/host.h"
#include "core/interrupt.h"
#include "core/vm.h"

static enum outcome write_cr0(struct vcpu *v, uint64_t value)
{
    uint64_t old = backend->get_reg(v, VREG_CR0), cr4 = backend->get_reg(v, VREG_CR4);
    uint64_t efer = backend->get_reg(v, VREG_EFER), cr0;
    struct segment cs, tr;
    backend->get_segment(v, SEG_CS, &cs);
    if (cr0_check_write(old, value, cr4, efer, cs.access & AR_L, &cr0) != CR_OK)
        return vcpu_raise(v, GP(0));
    /* PAE paging, switched on or with its cacheability changed, loads its four entries anew. */
    if (((old ^ cr0) & (CR0_PG | CR0_CD | CR0_NW)) && (cr0 & CR0_PG) && !(efer & EFER_LME) &&
        (cr4 & CR4_PAE) && !backend->load_pdptes(v))
        return vcpu_raise(v, GP(0));
    backend->get_segment(v, SEG_TR, &tr);
    /* Activating IA-32e mode with a 16-bit TSS. */
    if (!(old & CR0_PG) && (cr0 & CR0_PG) && (efer & EFER_LME) &&
        (tr.access & AR_TYPE) != AR_TYPE_TSS_BUSY)
        return vcpu_raise(v, GP(0));
    backend->set_reg(v, VREG_CR0, cr0);
    if ((old ^ cr0) & (CR0_PG | CR0_WP))
        backend->flush_tlb(v);
    return OUTCOME_ADVANCE;
}

static enum outcome write_cr4(struct vcpu *v, uint64_t value)
{
    uint64_t old = backend->get_reg(v, VREG_CR4), cr0 = backend->get_reg(v, VREG_CR0);
    uint64_t efer = backend->get_reg(v, VREG_EFER);
    if (cr4_check_write(old, value, guest_cr4_bits(), cr0, backend->get_reg(v, VREG_CR3), efer) !=
        CR_OK)
        return vcpu_raise(v, GP(0));
    bool pae = (cr0 & CR0_PG) && (value & CR4_PAE) && !(efer & EFER_LMA);
    if (pae && cr4_needs_pdptes(old, value) && !backend->load_pdptes(v))
        return vcpu_raise(v, GP(0));
    backend->set_reg(v, VREG_CR4, value);
    backend->flush_tlb(v);
    return OUTCOME_ADVANCE;
}

static enum outcome mov_to_cr(struct vcpu *v, struct vm_exit *x)
{
    uint64_t value = vcpu_gpr(v, x->cr.gpr);
    if (backend->code_bits(v) != 64)
        value = (uint32_t)value;
    switch (x->cr.cr) {
    case 0:
        return write_cr0(v, value);
    case 4:
        return write_cr4(v, value);
    case 8:
        if (value & ~BITS(3, 0))
            return vcpu_raise(v, GP(0));
        vlapic_set_cr8(&v->apic, (uint8_t)value);
        interrupt_apic_effects(v);
        return OUTCOME_ADVANCE;
    default:
        return vm_stop(v->vm, STOP_UNSUPPORTED, "unexpected exit: MOV to CR%u", x->cr.cr);
    }
}

static enum outcome mov_from_cr(struct vcpu *v, struct vm_exit *x)
{
    if (x->cr.cr != 8)
        return vm_stop(v->vm, STOP_UNSUPPORTED, "unexpected exit: MOV from CR%u", x->cr.cr);
    vcpu_set_gpr(v, x->cr.gpr, vlapic_cr8(&v->apic));
    return OUTCOME_ADVANCE;
}

enum outcome exit_cr_access(struct vcpu *v, struct vm_exit *x)
{
    uint64_t cr0;
    switch (x->cr.access) {
    case CR_WRITE:
        return mov_to_cr(v, x);
    case CR_READ:
        return mov_from_cr(v, x);
    case CR_CLTS:
        return write_cr0(v, backend->get_reg(v, VREG_CR0) & ~CR0_TS);
    default: /* LMSW: the low four bits, and PE is never cleared */
        cr0 = backend->get_reg(v, VREG_CR0);
        return write_cr0(v, (cr0 & ~BITS(3, 1)) | (x->cr.lmsw & BITS(3, 0)));
    }
}

static NOINLINE enum outcome write_xcr0(struct vcpu *v, uint64_t value)
{
    if (xcr0_check_write((uint32_t)v->gpr[GPR_RCX], value, host_fpu_mask()) != CR_OK)
        return vcpu_raise(v, GP(0));
    v->xcr0 = value;
    host_fpu_set_xcr0(value);
    return OUTCOME_ADVANCE;
}

enum outcome exit_xsetbv(struct vcpu *v, struct vm_exit *x)
{
    (void)x;
    /* #UD without CR4.OSXSAVE comes before the exit, but CPL is for us to check. */
    if (unlikely(backend->cpl(v) != 0))
        return vcpu_raise(v, GP(0));
    uint64_t value = (uint32_t)v->gpr[GPR_RAX] | v->gpr[GPR_RDX] << 32;
    if (likely(value == v->xcr0) && likely((uint32_t)v->gpr[GPR_RCX] == 0))
        return OUTCOME_ADVANCE;
    return write_xcr0(v, value);
}

enum outcome exit_mov_dr(struct vcpu *v, struct vm_exit *x)
{
    if (unlikely(v->debug.dr7))
        return debug_mov_dr(v, x);
    /* The first use since the vCPU came here: load the registers and let the instruction run again;
     * the backend intercepts anew when the vCPU leaves. Faults by GD, DE and CPL are the CPU's. */
    backend->intercept_dr(v, false);
    return OUTCOME_RETRY;
}
