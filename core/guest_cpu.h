/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The processor that guests see on this machine: core/cpuid.def applied to the host's CPUID once.
 */
#ifndef CORE_GUEST_CPU_H
#define CORE_GUEST_CPU_H

#include "core/lib/bits.h"

struct msr_features;

/* After the backend has been chosen. */
void guest_cpu_init(void);
/* CR4 bits that a guest may set. */
uint64_t guest_cr4_bits(void);
/* EFER bits that a guest may set. */
uint64_t guest_efer_bits(void);
unsigned guest_maxphyaddr(void);
bool guest_has_1g_pages(void);
/* Which MSRs there are beside those that always are: as CPUID says. */
const struct msr_features *guest_msr_features(void);

#endif
