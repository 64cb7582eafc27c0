/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The physical local APIC: switched on, its timer as a one-shot, end of interrupt. xAPIC or x2APIC,
 * whichever the firmware left on.
 */
#ifndef ARCH_X86_LAPIC_H
#define ARCH_X86_LAPIC_H

#include "core/lib/bits.h"
#include "mm/types.h"

/* Where interrupts arrive. */
#define LAPIC_VECTOR_TIMER    0xf0
#define LAPIC_VECTOR_ERROR    0xf1
#define LAPIC_VECTOR_KICK     0xf2 /* look around; serve calls: arch/x86/call.c */
#define LAPIC_VECTOR_SPURIOUS 0xff

/* The registers' physical address, or 0 when the CPU has no APIC or it is switched off for good. */
hpa_t lapic_address(void);
bool lapic_can_x2apic(void);
/* x2APIC mode, whatever the firmware left on; before lapic_init(). Other CPUs follow. */
void lapic_use_x2apic(void);
/* Switches the boot CPU's APIC on; mapped is its register page, mapped uncached (unused in x2APIC
 * mode). Measures the timer against the TSC, which must be known. */
void lapic_init(void *mapped);
/* Switches this CPU's on in the same mode and at the same address as the boot CPU's; NULL, or why
 * it cannot be. */
const char *lapic_init_cpu(void);
bool lapic_present(void);
bool lapic_is_x2apic(void);
/* This CPU's; 0 without an APIC. */
uint32_t lapic_id(void);
/* Interrupts for the CPU with this APIC ID (in xAPIC mode below 255). Everything written before is
 * visible to the target when it takes them. May be called in an NMI handler. */
void lapic_send(uint32_t apic_id, uint8_t vector);
void lapic_send_nmi(uint32_t apic_id);
/* For CPUs that are to be started: INIT, and the start-up IPI for the page at `page` << 12. */
void lapic_send_init(uint32_t apic_id);
void lapic_send_startup(uint32_t apic_id, uint8_t page);
void lapic_eoi(void);
/* One interrupt LAPIC_VECTOR_TIMER when the TSC reaches deadline (at once when it has passed);
 * 0 or UINT64_MAX disarms. May come early when the deadline is very far: check and arm again. */
void lapic_timer_arm(uint64_t tsc_deadline);

#endif
