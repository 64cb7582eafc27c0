/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RDMSR and WRMSR: the registers that are there keep what is written, the rest and every reserved
 * bit is #GP(0) at the instruction. Have open: core/msr.def; SDM "Model-Specific Registers".
 */
#include "guests/exits/exits.h"

#include "arch/x86/msr.h"

#define NON_CANONICAL UINT64_C(0x0000800000000000)
#define CANONICAL     UINT64_C(0xffff8123456789ab)

static void check_read_gp(const char *name, uint32_t msr)
{
    struct guest_regs r = {.rcx = msr, .rax = 0x1111, .rdx = 0x2222};
    GUEST_RUN(&r, "rdmsr");
    check_gp_at(name, &r, 0);
    if (r.rax != 0x1111 || r.rdx != 0x2222)
        check_true("rdmsr-fault-keeps-registers", false);
}

static void check_write_gp(const char *name, uint32_t msr, uint64_t value)
{
    struct guest_regs r = {.rcx = msr, .rax = (uint32_t)value, .rdx = value >> 32};
    uint64_t before = 0;
    bool readable = msr != 0x12345678;
    if (readable)
        before = rdmsr(msr);
    GUEST_RUN(&r, "wrmsr");
    check_gp_at(name, &r, 0);
    if (readable && rdmsr(msr) != before)
        check_equal("wrmsr-fault-changes-nothing", rdmsr(msr), before);
}

static void check_keeps(const char *name, uint32_t msr, uint64_t value)
{
    uint64_t before = rdmsr(msr);
    wrmsr(msr, value);
    check_equal(name, rdmsr(msr), value);
    wrmsr(msr, before);
}

static void check_upper_halves(void)
{
    struct guest_regs r = {.rcx = UINT64_C(0xdead0000c0000080), .rax = ~UINT64_C(0),
                           .rdx = ~UINT64_C(0)};
    GUEST_RUN(&r, "rdmsr");
    check_fault("rdmsr-ecx-only", &r, NONE, 0);
    check_equal("rdmsr-upper-halves", (r.rax | r.rdx) >> 32, 0);
}

static void check_efer(void)
{
    uint64_t efer = rdmsr(MSR_IA32_EFER);
    check_equal("efer-long-mode", efer & (EFER_LME | EFER_LMA), EFER_LME | EFER_LMA);
    check_keeps("efer-sce-toggles", MSR_IA32_EFER, efer ^ EFER_SCE);
    if (cpuid(0x80000001, 0).edx & BIT(20))
        check_keeps("efer-nxe-toggles", MSR_IA32_EFER, efer ^ EFER_NXE);
}

/* What a CPU has against speculation is there with its CPUID bit, and only then. */
static void check_speculation(void)
{
    uint32_t edx = cpuid(7, 0).edx;
    if (edx & (CPUID_7_EDX_SPEC_CTRL | CPUID_7_EDX_STIBP | CPUID_7_EDX_SSBD)) {
        uint64_t bit = edx & CPUID_7_EDX_SPEC_CTRL ? BIT(0) : edx & CPUID_7_EDX_STIBP ? BIT(1)
                                                                                     : BIT(2);
        check_equal("spec-ctrl-reset", rdmsr(MSR_IA32_SPEC_CTRL), 0);
        check_write_gp("spec-ctrl-reserved-first", MSR_IA32_SPEC_CTRL, BIT(40));
        check_keeps("spec-ctrl", MSR_IA32_SPEC_CTRL, bit);
        check_write_gp("spec-ctrl-reserved", MSR_IA32_SPEC_CTRL, BIT(40));
        check_keeps("spec-ctrl-again", MSR_IA32_SPEC_CTRL, bit);
    } else {
        check_read_gp("no-spec-ctrl", MSR_IA32_SPEC_CTRL);
    }
    struct guest_regs r = {.rcx = MSR_IA32_PRED_CMD, .rax = PRED_CMD_IBPB};
    GUEST_RUN(&r, "wrmsr");
    check_fault("ibpb", &r, edx & CPUID_7_EDX_SPEC_CTRL ? NONE : 13, 0);
    r = (struct guest_regs){.rcx = MSR_IA32_FLUSH_CMD, .rax = FLUSH_CMD_L1D};
    GUEST_RUN(&r, "wrmsr");
    check_fault("l1d-flush", &r, edx & CPUID_7_EDX_L1D_FLUSH ? NONE : 13, 0);
    check_read_gp("pred-cmd-is-a-command", MSR_IA32_PRED_CMD);
    check_read_gp("flush-cmd-is-a-command", MSR_IA32_FLUSH_CMD);
    if (edx & CPUID_7_EDX_ARCH_CAPABILITIES)
        check_write_gp("arch-capabilities-write", MSR_IA32_ARCH_CAPABILITIES, 0);
    else
        check_read_gp("no-arch-capabilities", MSR_IA32_ARCH_CAPABILITIES);
}

static void check_plinth_only(void)
{
    uint64_t base = rdmsr(MSR_IA32_APIC_BASE), efer = rdmsr(MSR_IA32_EFER);
    check_equal("apic-base", base & APIC_BASE_BSP, APIC_BASE_BSP);
    wrmsr(MSR_IA32_APIC_BASE, base);
    check_equal("apic-base-same-write", rdmsr(MSR_IA32_APIC_BASE), base);
    check_equal("feature-control-locked", rdmsr(MSR_IA32_FEATURE_CONTROL) & 7,
                FEATURE_CONTROL_LOCK);
    check_write_gp("efer-reserved-bit", MSR_IA32_EFER, efer | BIT(1));
    check_write_gp("efer-reserved-high", MSR_IA32_EFER, efer | BIT(40));
    check_write_gp("efer-lme-while-paging", MSR_IA32_EFER, efer & ~EFER_LME);
    check_read_gp("rdmsr-unlisted", 0x12345678);
    check_write_gp("wrmsr-unlisted", 0x12345678, 0);
    check_read_gp("rdmsr-above-bitmap", 0xc0002000);
    check_read_gp("rdmsr-vmx-basic", MSR_IA32_VMX_BASIC);
    check_read_gp("rdmsr-ept-vpid-cap", MSR_IA32_VMX_EPT_VPID_CAP);
    check_read_gp("rdmsr-smm-range", 0x9e);
    check_read_gp("rdmsr-svm", 0xc0010114);
    check_write_gp("feature-control-write", MSR_IA32_FEATURE_CONTROL, 5);
    check_write_gp("efer-svme", MSR_IA32_EFER, efer | BIT(12));
}

void exits_msr(void)
{
    check_upper_halves();
    check_efer();
    check_keeps("fs-base", MSR_IA32_FS_BASE, CANONICAL);
    check_keeps("gs-base", MSR_IA32_GS_BASE, CANONICAL);
    check_keeps("kernel-gs-base", MSR_IA32_KERNEL_GS_BASE, CANONICAL);
    check_keeps("star", MSR_IA32_STAR, UINT64_C(0x0023001012345678));
    check_keeps("lstar", MSR_IA32_LSTAR, CANONICAL);
    check_keeps("cstar", MSR_IA32_CSTAR, CANONICAL);
    check_keeps("fmask", MSR_IA32_FMASK, 0x47700);
    check_keeps("sysenter-cs", MSR_IA32_SYSENTER_CS, 8);
    check_keeps("sysenter-esp", MSR_IA32_SYSENTER_ESP, CANONICAL);
    check_keeps("sysenter-eip", MSR_IA32_SYSENTER_EIP, CANONICAL);
    check_keeps("pat", MSR_IA32_PAT, UINT64_C(0x0001050600070406));
    if (!exits_plinth)
        return; /* QEMU's software CPU takes what follows without a word */
    check_write_gp("pat-bad-type", MSR_IA32_PAT, UINT64_C(0x0007040600070402));
    check_write_gp("fs-base-non-canonical", MSR_IA32_FS_BASE, NON_CANONICAL);
    check_write_gp("lstar-non-canonical", MSR_IA32_LSTAR, NON_CANONICAL);
    check_write_gp("kernel-gs-base-non-canonical", MSR_IA32_KERNEL_GS_BASE, NON_CANONICAL);
    check_write_gp("sysenter-eip-non-canonical", MSR_IA32_SYSENTER_EIP, NON_CANONICAL);
    check_plinth_only();
    check_speculation();
}
