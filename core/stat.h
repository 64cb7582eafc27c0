/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rates: what vCPUs and CPUs have done within the last second or two. The boot CPU takes a sample
 * of all counters every second while a VM runs; a rate is the difference between the older of the
 * last two samples and now. The counters themselves are their owners'; reading them needs no lock.
 */
#ifndef CORE_STAT_H
#define CORE_STAT_H

#include "core/vcpu.h"
#include "core/vm.h"

/* Between two moments. */
struct stat_rate {
    uint64_t window; /* TSC ticks between them, at least 1 */
    uint64_t ran, waited, latency; /* ticks */
    uint64_t wakes, switches, all_exits;
    uint64_t exits[EXIT_KINDS];
};

/* Of v now; v belongs to a running VM. */
void stat_vcpu(const struct vcpu *v, struct stat_rate *out);
/* Tenths of a percent that cpu has been idle for. */
unsigned stat_cpu_idle(unsigned cpu);
/* value, counted within window ticks, for a second. */
uint64_t stat_per_second(uint64_t value, uint64_t window);
/* Tenths of a percent. */
unsigned stat_share(uint64_t part, uint64_t window);

/* The boot CPU, often; and until when it may sleep. */
void stat_poll(void);
uint64_t stat_deadline(void);

#endif
