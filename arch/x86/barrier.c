/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads what the CPU says of its flaws, and cleans it when another VM is about to run. Never on the
 * exit path: an exit sees its own VM's memory and the hypervisor's, nothing of a neighbour. SDM:
 * "IA32_PRED_CMD", "IA32_FLUSH_CMD", "VERR/VERW".
 */
#include "arch/x86/barrier.h"

#include "arch/x86/cpuid.h"
#include "arch/x86/exception.h"
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/percpu.h"
#include "arch/x86/seg.h"
#include "core/host.h"

#define CPUID_0_EBX_INTEL 0x756e6547u /* "Genu" */

static struct remedy_row rows[REMEDY_COUNT];

void barrier_init(bool off)
{
    struct flaws_raw raw = {.signature = cpuid(1, 0).eax};
    struct cpuid_regs r = cpuid(0, 0);
    raw.intel = r.ebx == CPUID_0_EBX_INTEL;
    if (r.eax >= 7) {
        r = cpuid(7, 0);
        raw.ebx = r.ebx;
        raw.edx = r.edx;
    }
    if (!(raw.edx & CPUID_7_EDX_ARCH_CAPABILITIES) ||
        !rdmsr_safe(MSR_IA32_ARCH_CAPABILITIES, &raw.capabilities))
        raw.capabilities = 0;
    flaws_judge(&raw, off, rows);
}

const struct remedy_row *barrier_row(enum remedy r)
{
    return &rows[r];
}

void host_enter_domain(uint32_t domain)
{
    struct cpu *c = this_cpu();
    if (c->domain == domain)
        return;
    c->domain = domain;
    if (domain == 0)
        return;
    if (barrier_on(REMEDY_IBPB))
        wrmsr(MSR_IA32_PRED_CMD, PRED_CMD_IBPB);
    if (barrier_on(REMEDY_L1D))
        wrmsr(MSR_IA32_FLUSH_CMD, FLUSH_CMD_L1D);
    if (barrier_on(REMEDY_VERW)) {
        uint16_t selector = SEL_DATA; /* any writable segment; the memory form is what clears */
        __asm__ volatile("verw %0" : : "m"(selector) : "cc", "memory");
    }
}
