/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUID: the hypervisor's own leaves, what must be hidden, what follows CR4, and that the upper
 * halves of the four registers are cleared. Have open: SDM "CPUID"; docs/abi.md "CPUID leaves".
 */
#include "guests/exits/exits.h"

#include "arch/x86/cr.h"
#include "core/lib/string.h"

#define HIGH UINT64_C(0xdeadbeef00000000)

static void check_upper_halves(void)
{
    struct guest_regs r = {.rax = HIGH | 1, .rbx = HIGH, .rcx = HIGH, .rdx = HIGH, .rsi = HIGH};
    GUEST_RUN(&r, "cpuid");
    check_equal("cpuid-upper-halves", (r.rax | r.rbx | r.rcx | r.rdx) >> 32, 0);
    check_equal("cpuid-other-register-kept", r.rsi, HIGH);
}

static void check_osxsave(void)
{
    uint64_t cr4 = read_cr4();
    if (!(cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE))
        return;
    write_cr4(cr4 & ~CR4_OSXSAVE);
    check_equal("cpuid-osxsave-clear", cpuid(1, 0).ecx & CPUID_1_ECX_OSXSAVE, 0);
    write_cr4(cr4 | CR4_OSXSAVE);
    check_equal("cpuid-osxsave-set", cpuid(1, 0).ecx & CPUID_1_ECX_OSXSAVE, CPUID_1_ECX_OSXSAVE);
    check_true("cpuid-xsave-area", cpuid(0xd, 0).ebx >= 576 && cpuid(0xd, 0).ecx >= 576);
    check_true("cpuid-xcr0-has-x87", cpuid(0xd, 0).eax & 1);
    write_cr4(cr4);
}

static void check_hypervisor_leaves(void)
{
    struct cpuid_regs r = cpuid(PLINTH_CPUID_BASE, 0);
    check_equal("cpuid-hypervisor-max", r.eax, PLINTH_CPUID_FREQUENCY);
    check_equal("cpuid-abi-version", cpuid(PLINTH_CPUID_ABI, 0).eax, PLINTH_ABI_VERSION);
    check_true("cpuid-tsc-khz", cpuid(PLINTH_CPUID_FREQUENCY, 0).eax > 1000);
    r = cpuid(0x40000002, 0);
    check_equal("cpuid-hypervisor-unused-leaf", r.eax | r.ebx | r.ecx | r.edx, 0);
    r = cpuid(0x400000ff, 0);
    check_equal("cpuid-hypervisor-above-max", r.eax | r.ebx | r.ecx | r.edx, 0);
}

/* A leaf above the maximum answers as the highest basic leaf, as Intel's CPUs do. */
static void check_out_of_range(const char *name, uint32_t leaf)
{
    struct cpuid_regs top = cpuid(cpuid(0, 0).eax, 0), r = cpuid(leaf, 0);
    check_true(name, memcmp(&top, &r, sizeof(r)) == 0);
}

static void check_hidden(void)
{
    struct cpuid_regs r = cpuid(1, 0);
    check_equal("cpuid-hypervisor-bit", r.ecx & CPUID_1_ECX_HYPERVISOR, CPUID_1_ECX_HYPERVISOR);
    check_equal("cpuid-vmx-hidden", r.ecx & CPUID_1_ECX_VMX, 0);
    check_equal("cpuid-monitor-hidden", r.ecx & CPUID_1_ECX_MONITOR, 0);
    check_equal("cpuid-smx-hidden", r.ecx & BIT(6), 0);
    if (cpuid(0, 0).eax >= 7) {
        r = cpuid(7, 0);
        check_equal("cpuid-sgx-hidden", r.ebx & BIT(2), 0);
        check_equal("cpuid-intel-pt-hidden", r.ebx & BIT(25), 0);
    }
    check_equal("cpuid-svm-hidden", cpuid(0x80000001, 0).ecx & BIT(2), 0);
}

/* The emulated local APIC, whatever the machine's is. */
static void check_apic(void)
{
    struct cpuid_regs r = cpuid(1, 0), top = cpuid(0xb, 1);
    uint32_t cpus = r.ebx >> 16 & 0xff, id = r.ebx >> 24;
    check_true("cpuid-apic", r.edx & CPUID_1_EDX_APIC);
    check_true("cpuid-x2apic", r.ecx & CPUID_1_ECX_X2APIC);
    check_true("cpuid-tsc-deadline", r.ecx & CPUID_1_ECX_TSC_DEADLINE);
    check_true("cpuid-vcpus", cpus >= 1 && id < cpus);
    check_equal("cpuid-htt-with-several", (r.edx >> 28 & 1), cpus > 1);
    check_equal("cpuid-topology-vcpus", top.ebx, cpus);
    check_equal("cpuid-topology-id", top.edx, id);
    check_true("cpuid-topology-bits", UINT64_C(1) << top.eax >= cpus);
    check_equal("cpuid-apic-timer-khz", cpuid(PLINTH_CPUID_FREQUENCY, 0).ebx,
                cpuid(PLINTH_CPUID_FREQUENCY, 0).eax);
}

static void check_kvm_clock_leaves(void)
{
    struct cpuid_regs r = cpuid(0x40000100, 0);
    check_true("cpuid-kvm-signature", r.eax == 0x40000101 && memcmp(&r.ebx, "KVMK", 4) == 0);
    check_equal("cpuid-kvm-features", cpuid(0x40000101, 0).eax,
                BIT(1) | BIT(3) | BIT(5) | BIT(24));
}

void exits_cpuid(void)
{
    check_upper_halves();
    check_osxsave();
    check_true("cpuid-long-mode", cpuid(0x80000001, 0).edx & BIT(29));
    if (!exits_plinth)
        return;
    check_hypervisor_leaves();
    check_hidden();
    check_apic();
    check_kvm_clock_leaves();
    check_out_of_range("cpuid-above-basic-max", cpuid(0, 0).eax + 1);
    check_out_of_range("cpuid-above-extended-max", 0x80000100);
    check_out_of_range("cpuid-nowhere", 0x12345678);
}
