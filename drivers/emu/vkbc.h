/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keyboard controller (8042), ports 0x60 and 0x64, of a machine without keyboard and mouse. It
 * tests well and answers every command at once; bytes for the keyboard come back as a time-out.
 * PURE, sans-I/O: a reset is recorded, its owner looks after each access.
 * Have open: the data sheet of an 8042 keyboard controller for PC/AT, "Commands".
 */
#ifndef DRIVERS_EMU_VKBC_H
#define DRIVERS_EMU_VKBC_H

#include "core/io.h"

#define VKBC_DATA_PORT    0x60 /* one port each, accesses are single bytes */
#define VKBC_COMMAND_PORT 0x64
#define VKBC_IRQ          1

struct vkbc {
    bool reset_requested; /* stays until reset; only the CPUs, never a hard one */
    bool a20;             /* bit 1 of the output port; no address line is ever masked here */
    uint8_t ram[32];      /* ram[0] is the command byte */
    uint8_t argument_for; /* the command that waits for its byte at 0x60, or 0 */
    uint8_t data;         /* the output buffer */
    uint8_t status;       /* bits that are not derived: OBF, command/data, time-out */
};

/* Regions of one struct vkbc. irq of the data port's ops is IRQ 1; the other has none. */
extern const struct device_ops vkbc_data_ops, vkbc_command_ops;

void vkbc_init(struct vkbc *k);

#endif
