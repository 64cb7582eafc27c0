/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The I/O APIC: 24 pins, each with a redirection entry. PURE, sans-I/O: lines come in, messages go
 * out as data, and the owner carries them to the local APICs. Must not know how many CPUs there
 * are. INTPOL is kept for the guest to read and has no effect: a line is told as asserted or not.
 * Have open: Intel's data sheet "82093AA I/O Advanced Programmable Interrupt Controller"; a newer
 * chipset's for the EOI register of version 20h.
 */
#ifndef DRIVERS_EMU_VIOAPIC_H
#define DRIVERS_EMU_VIOAPIC_H

#include "core/io.h"

#define VIOAPIC_BASE  0xfec00000
#define VIOAPIC_BYTES 0x1000 /* size of its region; accesses of at most 4 bytes */
#define VIOAPIC_PINS  24

struct apic_message; /* core/apic_route.h */

struct vioapic {
    uint8_t id;          /* bits 27:24 of its register */
    uint8_t select;      /* IOREGSEL */
    uint32_t lines;      /* asserted pins */
    uint32_t edges;      /* edge-triggered pins that rose and wait to be taken */
    uint32_t refused;    /* level-triggered pins whose message nobody accepted */
    uint8_t taken;       /* pin of the last message */
    uint64_t entry[VIOAPIC_PINS]; /* Remote IRR included, Delivery Status always 0 */
};

extern const struct device_ops vioapic_ops;

/* After power-on: every pin masked, every line idle. id is 0 to 15; a guest may change it. A reset
 * returns to 0 and keeps the lines, which are others' to drive. */
void vioapic_init(struct vioapic *p, uint8_t id);

/* Pin (0 to 23, others are ignored) is asserted or not. A rise on a masked edge-triggered pin is
 * lost, as the data sheet says. */
void vioapic_set_line(struct vioapic *p, unsigned pin, bool level);
/* A rise on the pin would send a message, now or when its turn comes: it is not masked. */
bool vioapic_hears(const struct vioapic *p, unsigned pin);
/* The next message that waits, lowest pin first; false: none. Call until false after each line
 * change, access and EOI. Taking a level-triggered one sets its Remote IRR. */
bool vioapic_take(struct vioapic *p, struct apic_message *out);
/* No local APIC has accepted the message taken last. If it is level triggered, its Remote IRR is
 * clear again, or no EOI would ever end it, and it waits until vioapic_retry(). */
void vioapic_refused(struct vioapic *p);
/* Local APICs may accept by now what they refused: offers that again. */
void vioapic_retry(struct vioapic *p);
/* A local APIC ended the level-triggered interrupt of that vector. */
void vioapic_eoi(struct vioapic *p, uint8_t vector);

#endif
