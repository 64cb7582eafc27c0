/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vCPU's registers: those in the current VMCS, and those the CPU itself holds, which change hands
 * when the vCPU changes. SDM: "Guest-State Area", "Guest/Host Masks and Read Shadows for CR0 and
 * CR4".
 */
#include "arch/x86/cr.h"
#include "arch/x86/exception.h"
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/percpu.h"
#include "arch/x86/regs.h"
#include "arch/x86/seg.h"
#include "arch/x86/vmx/vmcs.h"
#include "arch/x86/vmx/vmx.h"
#include "core/cr.h"
#include "core/guest_cpu.h"
#include "core/msr.h"
#include "core/panic.h"
#include "core/vm.h"

static uint64_t masked(uint64_t real, uint64_t mask, uint64_t shadow)
{
    return (real & ~mask) | (shadow & mask);
}

uint64_t vmx_get_reg(struct vcpu *v, enum vreg reg)
{
    (void)v;
    switch (reg) {
    case VREG_RIP:
        return vmcs_get(GUEST_RIP);
    case VREG_RSP:
        return vmcs_get(GUEST_RSP);
    case VREG_RFLAGS:
        return vmcs_get(GUEST_RFLAGS);
    case VREG_CR0:
        return masked(vmcs_get(GUEST_CR0), vmcs_get(CR0_GUEST_HOST_MASK),
                      vmcs_get(CR0_READ_SHADOW));
    case VREG_CR3:
        return vmcs_get(GUEST_CR3);
    case VREG_CR4:
        return masked(vmcs_get(GUEST_CR4), vmcs_get(CR4_GUEST_HOST_MASK),
                      vmcs_get(CR4_READ_SHADOW));
    case VREG_EFER:
        return vmcs_get(GUEST_IA32_EFER);
    case VREG_DR7:
        return vmcs_get(GUEST_DR7);
    case VREG_GDTR_BASE:
        return vmcs_get(GUEST_GDTR_BASE);
    case VREG_GDTR_LIMIT:
        return vmcs_get(GUEST_GDTR_LIMIT);
    default:
        panic("vmx: no register %d", reg);
    }
}

/* LMA follows LME and PG, and the entry control follows LMA. */
static void set_efer(uint64_t efer)
{
    bool active = (efer & EFER_LME) && (vmcs_get(GUEST_CR0) & CR0_PG);
    uint32_t entry = vmcs_get(ENTRY_CONTROLS), lma = VMX_CTL(IA32E_MODE_GUEST);
    vmcs_set(GUEST_IA32_EFER, (efer & ~EFER_LMA) | (active ? EFER_LMA : 0));
    vmcs_set(ENTRY_CONTROLS, active ? entry | lma : entry & ~lma);
}

static void set_cr0(uint64_t cr0)
{
    /* Caches stay on whatever the guest says: CD would slow the whole CPU down for everybody. The
     * bits that VMX fixes count except PE and PG, which UNRESTRICTED_GUEST frees. */
    uint64_t fixed = vmx_raw.cr0_fixed0 & ~(CR0_PE | CR0_PG);
    vmcs_set(CR0_READ_SHADOW, cr0);
    vmcs_set(GUEST_CR0, (cr0 & ~(CR0_CD | CR0_NW)) | fixed);
    set_efer(vmcs_get(GUEST_IA32_EFER));
}

static void set_cr4(uint64_t cr4)
{
    /* MCE stays on: a machine check with MCE clear shuts the machine down. */
    vmcs_set(CR4_READ_SHADOW, cr4);
    vmcs_set(GUEST_CR4, cr4 | vmx_raw.cr4_fixed0 | CR4_MCE);
}

void vmx_set_reg(struct vcpu *v, enum vreg reg, uint64_t value)
{
    switch (reg) {
    case VREG_RIP:
        v->rip = value;
        vmcs_set(GUEST_RIP, value);
        break;
    case VREG_RSP:
        vmcs_set(GUEST_RSP, value);
        break;
    case VREG_RFLAGS:
        v->rflags = value;
        vmcs_set(GUEST_RFLAGS, value);
        break;
    case VREG_CR0:
        set_cr0(value);
        break;
    case VREG_CR3:
        vmcs_set(GUEST_CR3, value);
        break;
    case VREG_CR4:
        set_cr4(value);
        break;
    case VREG_EFER:
        set_efer(value);
        break;
    case VREG_DR7:
        vmcs_set(GUEST_DR7, value);
        break;
    default:
        panic("vmx: no register %d", reg);
    }
}

/* The segment fields of one kind are two apart, in the order of enum seg_name. */
#define SEGMENT_FIELD(field, seg) (VMCS_GUEST_ES_##field + 2 * (uint64_t)(seg))
_Static_assert(SEGMENT_FIELD(SELECTOR, SEG_TR) == VMCS_GUEST_TR_SELECTOR, "order of segments");
_Static_assert(SEGMENT_FIELD(BASE, SEG_LDTR) == VMCS_GUEST_LDTR_BASE, "order of segments");
_Static_assert(SEGMENT_FIELD(LIMIT, SEG_CS) == VMCS_GUEST_CS_LIMIT, "order of segments");
_Static_assert(SEGMENT_FIELD(ACCESS_RIGHTS, SEG_GS) == VMCS_GUEST_GS_ACCESS_RIGHTS, "order");

void vmx_get_segment(struct vcpu *v, enum seg_name seg, struct segment *out)
{
    (void)v;
    out->selector = (uint16_t)vmx_vmread(SEGMENT_FIELD(SELECTOR, seg));
    out->base = vmx_vmread(SEGMENT_FIELD(BASE, seg));
    out->limit = (uint32_t)vmx_vmread(SEGMENT_FIELD(LIMIT, seg));
    out->access = (uint32_t)vmx_vmread(SEGMENT_FIELD(ACCESS_RIGHTS, seg));
}

unsigned vmx_cpl(struct vcpu *v)
{
    (void)v;
    return AR_DPL(vmcs_get(GUEST_SS_ACCESS_RIGHTS));
}

unsigned vmx_code_bits(struct vcpu *v)
{
    uint32_t cs = vmcs_get(GUEST_CS_ACCESS_RIGHTS);
    (void)v;
    /* L means something only with LMA. */
    if ((cs & AR_L) && (vmcs_get(GUEST_IA32_EFER) & EFER_LMA))
        return 64;
    return cs & AR_DB ? 32 : 16;
}

void vmx_set_segment(struct vcpu *v, enum seg_name seg, const struct segment *s)
{
    (void)v;
    vmx_vmwrite(SEGMENT_FIELD(SELECTOR, seg), s->selector);
    vmx_vmwrite(SEGMENT_FIELD(BASE, seg), s->base);
    vmx_vmwrite(SEGMENT_FIELD(LIMIT, seg), s->limit);
    vmx_vmwrite(SEGMENT_FIELD(ACCESS_RIGHTS, seg), s->access);
}

uint64_t vmx_get_msr(struct vcpu *v, uint32_t msr)
{
    (void)v;
    switch (msr) {
    case MSR_IA32_DEBUGCTL:
        return vmcs_get(GUEST_IA32_DEBUGCTL);
    case MSR_IA32_SPEC_CTRL:
        return 0; /* it exits only until the first value other than 0 */
    default:
        panic("vmx: MSR %#x has no place in the VMCS", msr);
    }
}

void vmx_choose_msr_bitmap(const struct vmx_vcpu *xv)
{
    unsigned open = (unsigned)((xv->apicv ? VMX_OPEN_X2APIC : 0) |
                               (xv->spec_ctrl_used ? VMX_OPEN_SPEC_CTRL : 0));
    vmcs_set(MSR_BITMAP, vmx_msr_bitmap[open].v);
}

/* A vCPU that never gives IA32_SPEC_CTRL a value pays nothing for it, not even when it changes. The
 * first value is tried out on the CPU, which knows what is reserved; from then on the guest has the
 * register to itself and the hypervisor runs with the guest's value. */
static bool first_spec_ctrl(struct vcpu *v, uint64_t value)
{
    struct vmx_vcpu *xv = vmx_of(v);
    if (value == 0)
        return true;
    if (!wrmsr_safe(MSR_IA32_SPEC_CTRL, value))
        return false;
    xv->spec_ctrl_used = this_cpu()->spec_ctrl_used = true;
    vmx_choose_msr_bitmap(xv);
    return true;
}

bool vmx_set_msr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    switch (msr) {
    case MSR_IA32_DEBUGCTL:
        vmcs_set(GUEST_IA32_DEBUGCTL, value);
        return true;
    case MSR_IA32_TSC:
        vmcs_set(TSC_OFFSET, value);
        return true;
    case MSR_IA32_SPEC_CTRL:
        return first_spec_ctrl(v, value);
    default:
        panic("vmx: MSR %#x has no place in the VMCS", msr);
    }
}

bool vmx_load_pdptes(struct vcpu *v)
{
    uint64_t pdpte[4];
    gpa_t at = GPA(vmcs_get(GUEST_CR3) & BITS(31, 5));
    if (!guest_read(&v->vm->mem, at, pdpte, sizeof(pdpte)))
        return false;
    for (unsigned i = 0; i < ARRAY_LEN(pdpte); i++)
        if (!pdpte_valid(pdpte[i], guest_maxphyaddr()))
            return false;
    vmcs_set(GUEST_PDPTE0, pdpte[0]);
    vmcs_set(GUEST_PDPTE1, pdpte[1]);
    vmcs_set(GUEST_PDPTE2, pdpte[2]);
    vmcs_set(GUEST_PDPTE3, pdpte[3]);
    return true;
}

void vmx_flush_tlb(struct vcpu *v)
{
    struct vmx_vcpu *xv = vmx_of(v);
    /* Without VPIDs every entry starts with an empty TLB. */
    if (!xv->vpid)
        return;
    if (vmx_caps.invvpid_single)
        vmx_invvpid(INVVPID_SINGLE, xv->vpid);
    else
        vmx_invvpid(INVVPID_ALL, 0);
}

void vmx_intercept_dr(struct vcpu *v, bool on)
{
    struct vmx_vcpu *xv = vmx_of(v);
    uint32_t bit = VMX_CTL(MOV_DR_EXITING);
    if (!on && !v->dr_live) {
        write_dr0(v->dr[0]);
        write_dr1(v->dr[1]);
        write_dr2(v->dr[2]);
        write_dr3(v->dr[3]);
        write_dr6(v->dr6);
    } else if (on && v->dr_live) {
        v->dr[0] = read_dr0();
        v->dr[1] = read_dr1();
        v->dr[2] = read_dr2();
        v->dr[3] = read_dr3();
        v->dr6 = read_dr6();
    }
    v->dr_live = !on;
    xv->proc_controls = on ? xv->proc_controls | bit : xv->proc_controls & ~bit;
    vmcs_set(PROC_BASED_CONTROLS, xv->proc_controls);
}

/* MSRs whose rows say SWITCHED, in the order of the rows. */
static uint32_t switched[VMX_MSR_SWITCHED];
static unsigned switched_count;

void vmx_find_switched_msrs(const struct msr_features *features)
{
    for (size_t i = 0; i < msr_row_count; i++) {
        if (!msr_rows[i].switched || !msr_row_offered(&msr_rows[i], features))
            continue;
        ASSERT(switched_count < VMX_MSR_SWITCHED);
        switched[switched_count++] = msr_rows[i].first;
    }
}

void vmx_load(struct vcpu *v)
{
    struct vmx_vcpu *xv = vmx_of(v);
    if (!vmx_vmptrld(xv->vmcs))
        panic("vmx: VMPTRLD refused the VMCS of a vCPU");
    if (xv->host_cpu != this_cpu())
        vmx_move_here(v);
    for (unsigned i = 0; i < switched_count; i++)
        wrmsr(switched[i], xv->msr[i]);
    /* The last vCPU's value stands there until somebody else's has to. */
    if (xv->spec_ctrl_used || this_cpu()->spec_ctrl_used) {
        wrmsr(MSR_IA32_SPEC_CTRL, xv->spec_ctrl);
        this_cpu()->spec_ctrl_used = xv->spec_ctrl_used;
    }
    write_cr2(v->cr2);
    vmcs_set(TSC_OFFSET, v->tsc_offset); /* it may have followed a move while it was away */
    /* Enabled breakpoints need the guest's addresses in DR0-3, not the last vCPU's. */
    if (unlikely(v->debug.dr7))
        vmx_load_debug_registers(v);
    else if (v->dr_used && (vmcs_get(GUEST_DR7) & BITS(7, 0)))
        vmx_intercept_dr(v, false);
}

void vmx_save(struct vcpu *v)
{
    struct vmx_vcpu *xv = vmx_of(v);
    for (unsigned i = 0; i < switched_count; i++)
        xv->msr[i] = rdmsr(switched[i]);
    if (xv->spec_ctrl_used)
        xv->spec_ctrl = rdmsr(MSR_IA32_SPEC_CTRL);
    v->cr2 = read_cr2();
    (void)vmx_blocking(v); /* from here on other guests' blocking could be taken for v's */
    if (v->dr_live) {
        vmx_intercept_dr(v, true);
        v->dr_used = true;
    }
    /* The CPU may keep a VMCS to itself: only VMCLEAR makes it fit for another CPU. */
    if (host_cpu_count() > 1) {
        (void)vmx_vmclear(xv->vmcs);
        xv->launched = false;
    }
}
