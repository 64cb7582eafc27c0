/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How fast the TSC runs, and its conversion to nanoseconds.
 */
#ifndef ARCH_X86_TSC_H
#define ARCH_X86_TSC_H

#include "core/lib/bits.h"

/* Measures the TSC against the PIT (8254) channel 2, or the ACPI PM timer when pm_timer_port is not
 * 0, and takes CPUID leaf 15h's word only where it agrees with the measurement. */
void tsc_init(uint16_t pm_timer_port);
uint64_t tsc_khz(void);
/* What the frequency was taken from, for the log. */
const char *tsc_source(void);
uint64_t tsc_at_start(void);
/* From TSC value begin until now, which is later. */
uint64_t tsc_ns_since(uint64_t begin);
uint64_t tsc_to_ns(uint64_t ticks);
uint64_t tsc_from_ns(uint64_t ns);

#endif
