/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the firmware's memory map to the memory that is ours to use. PURE. The firmware's entries
 * may be unsorted, overlap, wrap around and start anywhere; what comes out is sorted, disjoint and
 * page-aligned, and never contains a byte that somebody reserved or called unusable.
 */
#ifndef MM_MEMMAP_H
#define MM_MEMMAP_H

#include "core/lib/bits.h"
#include "core/lib/status.h"
#include "mm/extent.h"

#define MEMMAP_EXTENTS_MAX 64
#define MEMMAP_USABLE      1u /* entry type: ordinary RAM; every other number is not ours */
/* No processor has more physical address bits. */
#define MEMMAP_TOP         BIT(52)

/* One entry as the firmware gave it. */
struct memmap_entry {
    uint64_t base, length; /* host-physical, bytes; any alignment, may wrap */
    uint32_t type;
};

struct memmap {
    unsigned count;
    struct extent extent[MEMMAP_EXTENTS_MAX]; /* ascending, disjoint, 4K-aligned, not adjoining */
    uint64_t total;   /* bytes of all extents */
    uint64_t dropped; /* bytes of usable pages left out since there were too many extents */
};

/* Computes the usable memory: bytes of MEMMAP_USABLE entries that lie in no entry of another type
 * and in no reserved range, in whole pages. A usable entry that wraps around is ignored as a lie;
 * an unusable or reserved one that wraps reaches to the top. When there are more than
 * MEMMAP_EXTENTS_MAX extents, the smallest are left out. Takes time in n^2: n is some hundreds. */
void memmap_build(struct memmap *m, const struct memmap_entry *entries, unsigned n_entries,
                  const struct extent *reserved, unsigned n_reserved);

/* Takes size bytes (a multiple of 4K, not 0), aligned to align (a power of two of at least 4K), out
 * of the map: the highest place that ends at or below limit. PL_NO_MEMORY: no extent has it;
 * PL_INVALID: size or align break the rule. */
MUST_CHECK enum pl_status memmap_carve(struct memmap *m, uint64_t size, uint64_t align,
                                       uint64_t limit, hpa_t *out);

/* Takes a range of any alignment out of the map, in whole pages; parts not in the map don't matter.
 * A range that wraps reaches to the top. */
void memmap_remove(struct memmap *m, uint64_t base, uint64_t size);

#endif
