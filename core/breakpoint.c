/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which breakpoints an access meets. PURE; see the header.
 */
#include "core/breakpoint.h"

/* DR7's R/W field. */
#define ON_WRITE     1
#define ON_IO        2
#define ON_READWRITE 3

static bool kind_fits(unsigned field, enum breakpoint_kind kind)
{
    if (kind == BREAKPOINT_IO)
        return field == ON_IO;
    return field == ON_READWRITE || (field == ON_WRITE && kind == BREAKPOINT_WRITE);
}

uint32_t breakpoint_hits(uint64_t dr7, const uint64_t dr[4], enum breakpoint_kind kind,
                         uint64_t address, unsigned size)
{
    static const uint8_t length[] = {1, 2, 8, 4};
    uint32_t hits = 0;
    for (unsigned i = 0; i < 4; i++) {
        if (!(dr7 >> 2 * i & 3) || !kind_fits(dr7 >> (16 + 4 * i) & 3, kind))
            continue;
        uint64_t n = length[dr7 >> (18 + 4 * i) & 3], first = dr[i] & ~(n - 1);
        /* Distances modulo 2^64: either range may touch the address space's end. */
        if (address - first < n || first - address < size)
            hits |= 1u << i;
    }
    return hits;
}
