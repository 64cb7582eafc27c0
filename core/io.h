/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sans-I/O device interface: an access and the time go in, state, a deadline and an interrupt
 * level come out. Models in drivers/emu implement it and include nothing of the hypervisor;
 * core/machine.c places them, core/bus.c finds them.
 */
#ifndef CORE_IO_H
#define CORE_IO_H

#include "core/lib/bits.h"

/* One access of 1, 2, 4 or 8 bytes to a device's region, port or memory alike. */
struct io_access {
    uint64_t offset; /* bytes from the start of the region */
    uint8_t size;    /* 1, 2, 4 or 8 */
    bool write;
    uint64_t value;  /* written: zero-extended; read: the device stores here, preset to all ones;
                      * bits beyond size mean nothing then */
};

struct device_ops {
    /* To the state after power-on; the device's wiring (names, clocks) stays. */
    void (*reset)(void *dev);
    void (*access)(void *dev, struct io_access *a);
    /* Lets time pass up to now (nanoseconds of the VM's clock, never going back). False: what irq()
     * says is what it said before, and nothing has happened meanwhile. NULL: timeless. */
    bool (*advance)(void *dev, uint64_t now_ns);
    /* When advance() must be called next, UINT64_MAX for never. NULL: timeless. */
    uint64_t (*deadline)(const void *dev);
    /* Level of the interrupt output. NULL: it has none. */
    bool (*irq)(const void *dev);
};

#endif
