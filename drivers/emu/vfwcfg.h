/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * QEMU's firmware configuration device, as much as test programs ask for: signature, interface
 * version and number of CPUs. Items that are not there read as zeros. PURE, sans-I/O.
 * Have open: QEMU's document "QEMU Firmware Configuration (fw_cfg) Device".
 */
#ifndef DRIVERS_EMU_VFWCFG_H
#define DRIVERS_EMU_VFWCFG_H

#include "core/io.h"

/* The selector is written as a word, the data port after it is read by bytes. */
#define VFWCFG_PORT  0x510
#define VFWCFG_PORTS 2
#define VFWCFG_WIDTH 2

struct vfwcfg {
    uint16_t cpus;   /* wiring */
    uint16_t key;    /* the selected item */
    uint32_t offset; /* of its next byte */
};

extern const struct device_ops vfwcfg_ops;

void vfwcfg_init(struct vfwcfg *f, uint16_t cpus);

#endif
