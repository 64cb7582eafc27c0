/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device bus. PURE. Regions are kept sorted, so finding one is a binary search and no state
 * changes by looking. See the header for who answers what.
 */
#include "core/bus.h"

#include "core/lib/string.h"

void bus_init(struct bus *b)
{
    memset(b, 0, sizeof(*b));
}

static bool width_valid(unsigned w)
{
    return w == 1 || w == 2 || w == 4 || w == 8;
}

/* How many regions start at or below addr. */
static unsigned count_up_to(const struct bus *b, uint64_t addr)
{
    unsigned low = 0, high = b->count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (b->region[middle].base <= addr)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* A later region wins a place that several want; the others are found by searching. */
static void set_hints(struct bus *b)
{
    memset(b->hint, 0, sizeof(b->hint));
    for (unsigned i = 0; i < b->count; i++)
        for (uint64_t n = 0; n < b->region[i].size && n < BUS_HINTS; n++)
            b->hint[bus_hint(b->region[i].base + n)] = (uint8_t)i;
}

enum pl_status bus_add(struct bus *b, uint64_t base, uint64_t size, unsigned max_width,
                       const struct device_ops *ops, void *dev)
{
    if (size == 0 || size - 1 > UINT64_MAX - base || !width_valid(max_width))
        return PL_INVALID;
    unsigned at = count_up_to(b, base);
    if (at > 0 && base - b->region[at - 1].base < b->region[at - 1].size)
        return PL_INVALID;
    if (at < b->count && b->region[at].base - base < size)
        return PL_INVALID;
    if (b->count == BUS_REGIONS)
        return PL_NO_MEMORY;
    memmove(&b->region[at + 1], &b->region[at], (b->count - at) * sizeof(b->region[0]));
    b->region[at] = (struct bus_region){
        .base = base,
        .size = size,
        .ops = ops,
        .dev = dev,
        .fast = size < max_width ? 0 : size - max_width + 1,
        .max_width = (uint8_t)max_width,
    };
    b->count++;
    set_hints(b);
    return PL_OK;
}

void bus_tag(struct bus *b, uint64_t addr, uint8_t reads, uint8_t writes)
{
    const struct bus_region *r = bus_search(b, addr);
    if (!r)
        return;
    b->region[r - b->region].tag[0] = reads;
    b->region[r - b->region].tag[1] = writes;
}

const struct bus_region *bus_search(const struct bus *b, uint64_t addr)
{
    unsigned n = count_up_to(b, addr);
    if (n == 0 || addr - b->region[n - 1].base >= b->region[n - 1].size)
        return NULL;
    return &b->region[n - 1];
}

/* Bytes of the next part of an access with `left` bytes to go at addr: what r takes at a time and
 * what stays inside it. r NULL: nobody is there. */
static unsigned part_size(const struct bus_region *r, uint64_t addr, unsigned left)
{
    if (!r)
        return 1;
    unsigned part = r->max_width;
    while (part > left || part - 1 > r->size - 1 - (addr - r->base) || !IS_ALIGNED(addr, part))
        part /= 2;
    return part;
}

static void access_in_parts(struct bus *b, uint64_t addr, struct io_access *a)
{
    uint64_t value = a->write ? a->value : 0;
    unsigned part;
    for (unsigned done = 0; done < a->size; done += part) {
        /* addr + done may wrap on a memory bus: then it is simply another address. */
        const struct bus_region *r = bus_find(b, addr + done);
        part = part_size(r, addr + done, a->size - done);
        struct io_access piece = {.size = (uint8_t)part, .write = a->write,
                                  .value = a->write ? value >> (8 * done) : bus_ones(part)};
        if (r)
            bus_access_region(r, addr + done, &piece);
        if (!a->write)
            value |= piece.value << (8 * done);
    }
    a->value = value;
}

bool bus_access(struct bus *b, uint64_t addr, struct io_access *a)
{
    if (!width_valid(a->size))
        return false;
    const struct bus_region *r = bus_find(b, addr);
    if (!r) {
        if (!a->write)
            a->value = bus_ones(a->size);
        return false;
    }
    if (a->size <= r->max_width && a->size - 1u <= r->size - 1 - (addr - r->base))
        bus_access_region(r, addr, a);
    else
        access_in_parts(b, addr, a);
    return true;
}
