/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * apic: what its files share. All checks run on CPU 0, with interrupts off but in irq_window().
 */
#ifndef GUESTS_APIC_APIC_H
#define GUESTS_APIC_APIC_H

#include "guests/lib/irq.h"
#include "guests/lib/test.h"

extern unsigned apic_cpus;
/* IA32_APIC_BASE has never been written: an APIC that hardware virtualises is so until then. */
extern bool apic_untouched;

/* The local APIC as after a change from disabled: registers reset, then software-enabled. */
void apic_fresh(void);
/* RDMSR and WRMSR by GUEST_RUN: what exception they raise. */
struct guest_regs apic_try_rdmsr(uint32_t msr);
struct guest_regs apic_try_wrmsr(uint32_t msr, uint64_t value);
/* The vectors seen so far, added up. */
uint32_t apic_seen(unsigned first, unsigned last);

/* registers.c */
void apic_xapic_registers(void);
void apic_x2apic_registers(void);
void apic_modes(void);
/* The first write of IA32_APIC_BASE. */
void apic_move(void);
/* interrupts.c: in the present mode. */
void apic_priorities(void);
void apic_errors(void);
void apic_local_sources(void);
/* Never ends: for a debugger, see tests/system/gdb-priority.toml. */
NORETURN void apic_lower_priorities(void);
/* timer.c */
void apic_timer(void);
/* destinations.c: the other CPUs, in the mode of this one. */
void apic_start_others(void);
void apic_destinations(void);

#endif
