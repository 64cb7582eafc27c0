/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vCPU's VMCS: controls and host state, which never change, and the guest's state at its start.
 * SDM: "Virtual Machine Control Structures"; "Processor State After Reset" for START_REAL.
 */
#include "arch/x86/cr.h"
#include "arch/x86/exception.h"
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/percpu.h"
#include "arch/x86/regs.h"
#include "arch/x86/vmx/vmcs.h"
#include "arch/x86/vmx/vmx.h"
#include "core/guest_cpu.h"
#include "core/host.h"
#include "core/lib/string.h"
#include "core/vm.h"
#include "mm/pool.h"

/* #DB and #AC are taken since a guest can make them loop inside one instruction for ever
 * (CVE-2015-5307, CVE-2015-8104); #MC since it is the machine's. All others are the guest's own. */
#define EXCEPTIONS (BIT(VECTOR_DB) | BIT(VECTOR_AC) | BIT(VECTOR_MC))

/* A PAUSE within PLE_GAP TSC ticks of the one before is the same loop; PLE_WINDOW ticks of it are a
 * lock holder that does not run. */
#define PLE_GAP    128
#define PLE_WINDOW 4096

uint32_t vmx_exceptions(void)
{
    return EXCEPTIONS;
}

static void init_controls(struct vcpu *v)
{
    struct vmx_vcpu *xv = vmx_of(v);
    const struct vmx_vm *vm = v->vm->arch;
    xv->proc_controls = vmx_caps.word[WORD_PROC];
    vmcs_set(PIN_BASED_CONTROLS, vmx_caps.word[WORD_PIN]);
    vmcs_set(PROC_BASED_CONTROLS, xv->proc_controls);
    xv->proc_controls2 = vmx_caps.word[WORD_PROC2] | vmx_apic_controls(v);
    vmcs_set(PROC_BASED_CONTROLS2, xv->proc_controls2);
    vmcs_set(EXIT_CONTROLS, vmx_caps.word[WORD_EXIT]);
    vmcs_set(ENTRY_CONTROLS, vmx_caps.word[WORD_ENTRY]);
    vmcs_set(EXCEPTION_BITMAP, (uint32_t)EXCEPTIONS);
    vmcs_set(PAGE_FAULT_ERROR_CODE_MASK, 0);
    vmcs_set(PAGE_FAULT_ERROR_CODE_MATCH, 0);
    vmcs_set(CR3_TARGET_COUNT, 0);
    vmcs_set(EXIT_MSR_STORE_COUNT, 0);
    vmcs_set(EXIT_MSR_LOAD_COUNT, 0);
    vmcs_set(ENTRY_MSR_LOAD_COUNT, 0);
    vmcs_set(ENTRY_INTERRUPTION_INFORMATION, 0);
    vmcs_set(IO_BITMAP_A, vmx_io_bitmap_a.v);
    vmcs_set(IO_BITMAP_B, vmx_io_bitmap_b.v);
    vmx_choose_msr_bitmap(xv);
    vmcs_set(EPT_POINTER, vm->eptp);
    vmcs_set(VMCS_LINK_POINTER, UINT64_MAX);
    if (xv->vpid)
        vmcs_set(VPID, xv->vpid);
    if (xv->tpr_shadow) {
        vmcs_set(VIRTUAL_APIC_ADDRESS, pool_hpa(v->apic_page).v);
        vmcs_set(TPR_THRESHOLD, 0);
    }
    if (vm->apic_page)
        vmcs_set(APIC_ACCESS_ADDRESS, pool_hpa(vm->apic_page).v);
    if (vmx_caps.word[WORD_PROC2] & VMX_CTL(PAUSE_LOOP_EXITING)) {
        vmcs_set(PLE_GAP, PLE_GAP);
        vmcs_set(PLE_WINDOW, PLE_WINDOW);
    }
    if (vmx_caps.word[WORD_PROC2] & VMX_CTL(ENABLE_XSAVES))
        vmcs_set(XSS_EXITING_BITMAP, 0);
}

void vmx_move_here(struct vcpu *v)
{
    struct cpu *c = this_cpu();
    vmcs_set(HOST_GS_BASE, (uint64_t)c);
    vmcs_set(HOST_TR_BASE, (uint64_t)&c->tss);
    vmcs_set(HOST_GDTR_BASE, (uint64_t)c->gdt);
    vmx_of(v)->host_cpu = c;
    /* What this CPU knows of its VPID is as old as its last visit, or another VM's. */
    vmx_flush_tlb(v);
}

static void init_host(struct vcpu *v)
{
    vmcs_set(HOST_CR0, read_cr0());
    vmcs_set(HOST_CR3, v->vm->space.root.v);
    vmcs_set(HOST_CR4, read_cr4());
    vmcs_set(HOST_CS_SELECTOR, SEL_CODE);
    vmcs_set(HOST_SS_SELECTOR, SEL_DATA);
    vmcs_set(HOST_DS_SELECTOR, SEL_DATA);
    vmcs_set(HOST_ES_SELECTOR, SEL_DATA);
    vmcs_set(HOST_FS_SELECTOR, SEL_NULL);
    vmcs_set(HOST_GS_SELECTOR, SEL_NULL);
    vmcs_set(HOST_TR_SELECTOR, SEL_TSS);
    vmcs_set(HOST_FS_BASE, 0);
    vmcs_set(HOST_IDTR_BASE, exception_idt_base());
    vmcs_set(HOST_IA32_SYSENTER_CS, 0);
    vmcs_set(HOST_IA32_SYSENTER_ESP, 0);
    vmcs_set(HOST_IA32_SYSENTER_EIP, 0);
    vmcs_set(HOST_IA32_PAT, rdmsr(MSR_IA32_PAT));
    vmcs_set(HOST_IA32_EFER, rdmsr(MSR_IA32_EFER));
    vmcs_set(HOST_RSP, (uint64_t)&v->gpr[GPR_COUNT]);
    vmcs_set(HOST_RIP, (uint64_t)vmx_exit_entry);
}

void vmx_vmcs_init(struct vcpu *v)
{
    init_controls(v);
    init_host(v);
    struct vcpu_start reset = {.mode = START_REAL, .rip = 0xfff0, .cs_base = 0xf0000,
                                .idt_limit = 0xffff};
    /* An INIT leaves these, as all MSRs, alone: they are not vmx_vcpu_start()'s. */
    vmcs_set(GUEST_IA32_PAT, PAT_RESET);
    vmcs_set(GUEST_IA32_SYSENTER_CS, 0);
    vmcs_set(GUEST_IA32_SYSENTER_ESP, 0);
    vmcs_set(GUEST_IA32_SYSENTER_EIP, 0);
    vmx_vcpu_start(v, &reset);
}

static const struct segment unusable = {.access = AR_UNUSABLE};

static void start_segments(struct vcpu *v, const struct vcpu_start *start)
{
    bool real = start->mode == START_REAL, wide = start->mode == START_LONG;
    uint32_t limit = real ? 0xffff : 0xffffffff;
    uint32_t flags = AR_P | AR_S | (real ? 0 : AR_G);
    /* Selectors as the Linux and PVH boot protocols want them: 10h code, 18h data. */
    struct segment code = {start->cs_base, limit,
                           flags | AR_TYPE_CODE_RX | (real ? 0 : wide ? AR_L : AR_DB),
                           real ? (uint16_t)(start->cs_base >> 4) : 0x10};
    struct segment data = {0, limit, flags | AR_TYPE_DATA_RW | (real ? 0 : AR_DB), real ? 0 : 0x18};
    struct segment tss = {0, 0x67, AR_P | AR_TYPE_TSS_BUSY, 0};
    vmx_set_segment(v, SEG_CS, &code);
    for (enum seg_name s = SEG_ES; s <= SEG_GS; s++)
        if (s != SEG_CS)
            vmx_set_segment(v, s, &data);
    vmx_set_segment(v, SEG_LDTR, &unusable);
    vmx_set_segment(v, SEG_TR, &tss);
}

/* Those that the CPU itself holds while v is the current vCPU. */
static void reset_live_registers(struct vcpu *v)
{
    if (v->dr_live)
        vmx_intercept_dr(v, true);
    memset(v->dr, 0, sizeof(v->dr));
    v->dr6 = DR6_RESET;
    v->dr_used = false;
    vmx_of(v)->nmi_blocked = false;
    v->cr2 = 0;
    if (v == host_current_vcpu())
        write_cr2(0);
}

void vmx_vcpu_start(struct vcpu *v, const struct vcpu_start *start)
{
    bool wide = start->mode == START_LONG;
    start_segments(v, start);
    vmcs_set(GUEST_GDTR_BASE, start->gdt_base);
    vmcs_set(GUEST_GDTR_LIMIT, start->mode == START_REAL ? 0xffff : start->gdt_limit);
    vmcs_set(GUEST_IDTR_BASE, 0);
    vmcs_set(GUEST_IDTR_LIMIT, start->idt_limit);
    vmcs_set(GUEST_INTERRUPTIBILITY_STATE, 0);
    vmcs_set(GUEST_ACTIVITY_STATE, 0);
    vmcs_set(GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
    vmcs_set(GUEST_IA32_DEBUGCTL, 0);
    vmcs_set(GUEST_DR7, DR7_RESET);
    vmcs_set(GUEST_RFLAGS, RFLAGS_FIXED1);
    vmcs_set(GUEST_CR3, start->cr3);
    vmcs_set(GUEST_RIP, start->rip);
    vmcs_set(GUEST_RSP, start->rsp);
    vmcs_set(CR0_GUEST_HOST_MASK, CR0_NE | CR0_CD | CR0_NW);
    vmcs_set(CR4_GUEST_HOST_MASK, ~guest_cr4_bits() | CR4_MCE);
    vmcs_set(GUEST_IA32_EFER, wide ? EFER_LME | EFER_LMA | EFER_NXE : 0);
    vmcs_set(ENTRY_CONTROLS,
             vmx_caps.word[WORD_ENTRY] | (wide ? VMX_CTL(IA32E_MODE_GUEST) : 0));
    vmx_set_reg(v, VREG_CR4, wide ? CR4_PAE : 0);
    vmcs_set(GUEST_CR0, 0);
    vmcs_set(CR0_READ_SHADOW, 0);
    vmx_set_reg(v, VREG_CR0,
                CR0_ET | (start->mode != START_REAL ? CR0_PE : 0) | (wide ? CR0_PG : 0));
    memcpy(v->gpr, start->gpr, sizeof(v->gpr));
    reset_live_registers(v);
    vmx_clear_tpr_threshold(v); /* nothing waits in an APIC that has been reset */
    vmx_apicv_reset(v);
    if (v->debug.attached)
        vmx_set_debug(v, true, v->debug.dr7); /* GUEST_DR7 has been written */
}
