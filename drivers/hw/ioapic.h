/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The physical IOAPICs: all pins masked, single ones routed to a CPU's vector.
 */
#ifndef DRIVERS_HW_IOAPIC_H
#define DRIVERS_HW_IOAPIC_H

#include "core/lib/bits.h"

/* Takes an IOAPIC whose registers are mapped (uncached) and whose pins start at gsi_base; masks
 * every pin. Up to 8. */
void ioapic_add(void *registers, uint32_t gsi_base);
/* Routes a global system interrupt to (apic_id, vector). False: no IOAPIC has that pin. */
bool ioapic_route(uint32_t gsi, uint8_t vector, uint32_t apic_id, bool level, bool active_low);

#endif
