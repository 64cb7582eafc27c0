/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The CPU's half of core/host.h: time, idling, address spaces, the slice timer.
 */
#include "core/host.h"

#include "arch/x86/cr.h"
#include "arch/x86/insn.h"
#include "arch/x86/lapic.h"
#include "arch/x86/percpu.h"
#include "arch/x86/tsc.h"

uint64_t host_now(void)
{
    return rdtsc();
}

uint64_t host_tsc_khz(void)
{
    return tsc_khz();
}

uint64_t host_tsc_to_ns(uint64_t ticks)
{
    return tsc_to_ns(ticks);
}

uint64_t host_ns_to_tsc(uint64_t ns)
{
    return tsc_from_ns(ns);
}

uint64_t host_ns_since(uint64_t tsc)
{
    return tsc_ns_since(tsc);
}

uint64_t host_uptime_ns(void)
{
    return tsc_ns_since(tsc_at_start());
}

void host_idle(uint64_t deadline)
{
    if (deadline <= rdtsc())
        return;
    if (!lapic_present()) {
        /* Nothing would wake a HLT: wait awake. */
        pause();
        return;
    }
    struct cpu *c = this_cpu();
    uint64_t begin = rdtsc();
    __atomic_store_n(&c->idle_since, begin, __ATOMIC_RELAXED);
    lapic_timer_arm(deadline);
    sti_hlt_cli();
    uint64_t end = rdtsc();
    if (end < deadline)
        lapic_timer_arm(0);
    /* In this order, a reader in between misses a sleep but never counts it twice. */
    __atomic_store_n(&c->idle_since, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&c->idle_ticks, c->idle_ticks + end - begin, __ATOMIC_RELEASE);
}

uint64_t host_interrupts(void)
{
    return this_cpu()->interrupts;
}

void host_set_slice_timer(uint64_t deadline)
{
    lapic_timer_arm(deadline);
}

void host_load_space(hpa_t root)
{
    struct cpu *c = this_cpu();
    if (c->root.v == root.v)
        return;
    c->root = root;
    write_cr3(root.v);
}

hpa_t host_current_space(void)
{
    return this_cpu()->root;
}

void host_flush_tlb(void)
{
    /* Toggling PGE drops global translations too. */
    uint64_t cr4 = read_cr4();
    write_cr4(cr4 & ~CR4_PGE);
    write_cr4(cr4);
    write_cr3(read_cr3());
}

void host_zero(void *p, size_t n)
{
    n /= 8;
    __asm__ volatile("rep stosq" : "+D"(p), "+c"(n) : "a"(UINT64_C(0)) : "memory");
}

void host_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
{
    *out = cpuid(leaf, subleaf);
}

void *host_current_vcpu(void)
{
    return this_cpu()->current_vcpu;
}

void host_set_current_vcpu(void *vcpu)
{
    this_cpu()->current_vcpu = vcpu;
}
