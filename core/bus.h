/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which device of a VM answers at a port or at a guest-physical address. PURE. One struct bus for
 * ports and one for memory per VM; regions are added when the VM is made and never overlap. What
 * devices leave in the upper bits of a value never reaches a guest.
 */
#ifndef CORE_BUS_H
#define CORE_BUS_H

#include "core/io.h"
#include "core/lib/bits.h"
#include "core/lib/status.h"

#define BUS_REGIONS 64

struct bus_region {
    uint64_t base, size; /* port numbers or guest-physical bytes; size is not 0 */
    const struct device_ops *ops;
    void *dev;
    uint8_t max_width;   /* widest access the device takes, bytes: 1, 2, 4 or 8 */
};

struct bus {
    unsigned count;
    struct bus_region region[BUS_REGIONS]; /* ascending by base */
};

/* An empty bus; all zero bytes are the same. */
void bus_init(struct bus *b);

/* Adds a region. PL_INVALID: it is empty, wraps, has an impossible width or overlaps another;
 * PL_NO_MEMORY: the bus is full. ops and dev must outlive the bus. */
MUST_CHECK enum pl_status bus_add(struct bus *b, uint64_t base, uint64_t size, unsigned max_width,
                                  const struct device_ops *ops, void *dev);

/* The region that contains addr, or NULL. */
const struct bus_region *bus_find(const struct bus *b, uint64_t addr);

/* Performs an access of a->size (1, 2, 4 or 8) bytes at addr; a->offset is the bus' to set. The
 * value of a read is all ones of that size where nobody answers, and so is every part that nobody
 * answers. An access wider than the device takes, or one that leaves the region, becomes several to
 * the addresses that follow, as on a PC's ISA bus, lowest first. The region at addr itself decides:
 * if there is none the whole access goes nowhere, so a dword at 0xcf8 does not hit a byte register
 * at 0xcf9. False: nobody at addr, or a size that is none. */
bool bus_access(struct bus *b, uint64_t addr, struct io_access *a);

#endif
