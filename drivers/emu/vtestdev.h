/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device for test programs, laid out like QEMU's pc-testdev: ports that set interrupt lines, a
 * latch of four bytes, and memory that answers like a device's. PURE, sans-I/O. It is not there
 * unless the VM's configuration asks for it.
 */
#ifndef DRIVERS_EMU_VTESTDEV_H
#define DRIVERS_EMU_VTESTDEV_H

#include "core/io.h"

#define VTESTDEV_LINES_PORT   0x2000 /* one port for each line, accesses are single bytes */
#define VTESTDEV_LINES        24
#define VTESTDEV_LATCH_PORT   0xe0   /* accesses of at most 4 bytes */
#define VTESTDEV_LATCH_PORTS  4
#define VTESTDEV_MEMORY       0xff000000 /* accesses of at most 8 bytes */
#define VTESTDEV_MEMORY_BYTES 0x10000

struct vtestdev {
    uint32_t lines;   /* bit n: line n is high; its owner looks after each access */
    uint32_t seen;    /* lines as the owner looked last; written by it alone */
    uint8_t latch[VTESTDEV_LATCH_PORTS];
    uint8_t *memory;  /* VTESTDEV_MEMORY_BYTES of the owner's, or NULL: reads all ones */
};

/* Regions of one struct vtestdev. */
extern const struct device_ops vtestdev_lines_ops, vtestdev_latch_ops, vtestdev_memory_ops;

/* memory is the owner's to allocate and to clear; it must outlive the device. A reset leaves its
 * contents alone. */
void vtestdev_init(struct vtestdev *t, uint8_t *memory);

#endif
