/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The CPUs: which there are, and starting all but the first. SDM: "Multiple-Processor Management".
 */
#include "arch/x86/smp.h"

#include "arch/x86/percpu.h"

static unsigned online = 1;

unsigned host_cpu_index(void)
{
    return this_cpu_index();
}

unsigned host_cpu_count(void)
{
    return __atomic_load_n(&online, __ATOMIC_ACQUIRE);
}

uint32_t host_cpu_apic_id(unsigned cpu)
{
    return cpu_table[cpu]->apic_id;
}

int64_t host_cpu_tsc_skew(unsigned cpu, uint64_t *uncertainty)
{
    *uncertainty = cpu_table[cpu]->tsc_uncertainty;
    return cpu_table[cpu]->tsc_skew;
}

void *host_cpu_vcpu(unsigned cpu)
{
    return __atomic_load_n(&cpu_table[cpu]->current_vcpu, __ATOMIC_RELAXED);
}

uint64_t host_cpu_idle(unsigned cpu)
{
    return __atomic_load_n(&cpu_table[cpu]->idle_ticks, __ATOMIC_RELAXED);
}
