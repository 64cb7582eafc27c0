/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupt messages, as local APICs and IOAPICs send them, and the question which local APIC one
 * is for. PURE: knows no VM and no device; the owner asks apic_matches() for each of its local
 * APICs, and apic_arbitrate() which of several takes a lowest-priority message.
 * Have open: SDM, "Determining IPI Destination" and "Logical Destination Mode in x2APIC Mode".
 */
#ifndef CORE_APIC_ROUTE_H
#define CORE_APIC_ROUTE_H

#include "core/lib/bits.h"

/* Delivery modes, encoded as in the ICR, in redirection entries and in the LVT. */
enum apic_mode {
    APIC_MODE_FIXED = 0,
    APIC_MODE_LOWEST = 1,
    APIC_MODE_SMI = 2,
    APIC_MODE_NMI = 4,
    APIC_MODE_INIT = 5,
    APIC_MODE_SIPI = 6,
    APIC_MODE_EXTINT = 7,
};

/* Destination shorthands, encoded as in the ICR. */
enum apic_shorthand {
    APIC_TO_DESTINATION = 0,
    APIC_TO_SELF = 1,
    APIC_TO_ALL = 2,
    APIC_TO_OTHERS = 3,
};

struct apic_message {
    uint8_t vector;
    uint8_t mode;         /* enum apic_mode */
    bool logical;         /* destination is a logical one, else a local APIC ID */
    bool level_assert;
    bool level_trigger;
    uint8_t shorthand;    /* enum apic_shorthand; anything but 0 overrides destination */
    uint32_t destination; /* 8 bits from an xAPIC, an IOAPIC or an MSI; 32 from an x2APIC */
};

/* What decides whether a local APIC is addressed. Ask only about APICs that are enabled in
 * IA32_APIC_BASE: the others hear nothing. */
struct apic_target {
    uint32_t id;  /* local APIC ID, as a number (not shifted) */
    bool x2apic;  /* in x2APIC mode */
    uint32_t ldr; /* logical destination register as the guest reads it */
    uint32_t dfr; /* destination format register; not looked at in x2APIC mode */
};

/* The LDR of an x2APIC with that ID: cluster in 31:16, one of 16 bits in 15:0. */
uint32_t apic_x2apic_ldr(uint32_t id);

/* True if the message reaches target. source_id is the sender's local APIC ID, used by shorthands
 * only. The target's own mode says what a broadcast is: FFH for an xAPIC, FFFFFFFFH for both. */
bool apic_matches(const struct apic_message *m, uint32_t source_id,
                  const struct apic_target *target);

/* Lowest-priority arbitration among n APICs: the candidate[] with the least priority[] (their PPR)
 * wins; equals take turns. *turn is the caller's memory of that, 0 at first. Returns an index, or
 * -1 when there is no candidate; *turn is unchanged then. */
int apic_arbitrate(const bool *candidate, const uint8_t *priority, unsigned n, unsigned *turn);

#endif
