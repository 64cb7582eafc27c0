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
    uint64_t fast;       /* an access of up to max_width bytes below this offset is all inside */
    uint8_t max_width;   /* widest access the device takes, bytes: 1, 2, 4 or 8 */
    uint8_t tag[2];      /* the owner's, for reads and writes; see bus_tag() */
} __attribute__((aligned(64)));

#define BUS_HINTS 256

struct bus {
    unsigned count;
    uint8_t hint[BUS_HINTS]; /* by bus_hint(): the region to try before searching */
    struct bus_region region[BUS_REGIONS]; /* ascending by base */
};

/* An empty bus; all zero bytes are the same. */
void bus_init(struct bus *b);

/* Adds a region. PL_INVALID: it is empty, wraps, has an impossible width or overlaps another;
 * PL_NO_MEMORY: the bus is full. ops and dev must outlive the bus. */
MUST_CHECK enum pl_status bus_add(struct bus *b, uint64_t base, uint64_t size, unsigned max_width,
                                  const struct device_ops *ops, void *dev);

/* Gives the region that contains addr two numbers, for reads and for writes, that mean something to
 * the owner of the bus; 0 until then. No effect where no region is. */
void bus_tag(struct bus *b, uint64_t addr, uint8_t reads, uint8_t writes);

/* The region that contains addr, or NULL. */
const struct bus_region *bus_search(const struct bus *b, uint64_t addr);

static inline unsigned bus_hint(uint64_t addr)
{
    return (addr ^ addr >> 6) % BUS_HINTS;
}

/* The only region that may contain addr if the hint for it is right. */
static inline const struct bus_region *bus_hinted(const struct bus *b, uint64_t addr)
{
    return &b->region[b->hint[bus_hint(addr)]];
}

/* True: r takes an access of `size` bytes at addr as a whole. False for some that it takes at its
 * end, too, and for an r that does not contain addr. */
static inline bool bus_takes(const struct bus_region *r, uint64_t addr, unsigned size)
{
    return likely(addr - r->base < r->fast) && likely(size <= r->max_width);
}

/* The same as bus_search(), faster where a hint is right. */
static inline const struct bus_region *bus_find(const struct bus *b, uint64_t addr)
{
    const struct bus_region *r = bus_hinted(b, addr);
    return likely(addr - r->base < r->size) ? r : bus_search(b, addr);
}

/* All bits of `size` bytes: 1 to 8. */
static inline uint64_t bus_ones(unsigned size)
{
    return UINT64_MAX >> (64 - 8 * size);
}

/* Performs an access that r takes as a whole: a->size <= r->max_width, all of it inside. */
static inline void bus_access_region(const struct bus_region *r, uint64_t addr, struct io_access *a)
{
    uint64_t ones = bus_ones(a->size);
    a->offset = addr - r->base;
    if (a->write) {
        a->value &= ones;
        r->ops->access(r->dev, a);
    } else {
        a->value = ones;
        r->ops->access(r->dev, a);
        a->value &= ones;
    }
}

/* Performs an access of a->size (1, 2, 4 or 8) bytes at addr; a->offset is the bus' to set. The
 * value of a read is all ones of that size where nobody answers, and so is every part that nobody
 * answers. An access wider than the device takes, or one that leaves the region, becomes several to
 * the addresses that follow, as on a PC's ISA bus, lowest first. The region at addr itself decides:
 * if there is none the whole access goes nowhere, so a dword at 0xcf8 does not hit a byte register
 * at 0xcf9. False: nobody at addr, or a size that is none. */
bool bus_access(struct bus *b, uint64_t addr, struct io_access *a);

#endif
