/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Allocator of host-physical 4K pages and 2M blocks over a pool made of a few extents. PURE: it
 * touches nothing but the metadata it was given, never the pages, so it neither zeroes nor maps
 * them. It takes no lock: whoever owns a pool owns its lock. Every 2M-aligned block of the pool has
 * a record with a map of its free pages; blocks that can give something hang on one of two lists.
 */
#ifndef MM_PAGE_ALLOC_H
#define MM_PAGE_ALLOC_H

#include "core/lib/bits.h"
#include "core/lib/status.h"
#include "mm/extent.h"

#define PAGE_ALLOC_EXTENTS_MAX 64 /* as many as mm/memmap.h keeps */
#define PAGES_PER_BLOCK        512u

struct page_block; /* in page_alloc.c */

struct page_alloc {
    const char *name;          /* for reports, not copied */
    struct page_block *block;  /* the metadata, block_count records */
    uint32_t block_count;
    uint32_t whole, partial;   /* list heads: index of a block + 1, 0 = empty */
    uint64_t total_pages;      /* 4K pages of the pool */
    uint64_t free_pages;       /* 4K pages not handed out */
    uint64_t whole_blocks;     /* 2M blocks that are free as a whole */
    unsigned extent_count;
    struct {
        uint64_t first_page, end_page; /* page numbers, [first, end) */
        uint32_t first_block;          /* index of the record of the first block */
    } extent[PAGE_ALLOC_EXTENTS_MAX];
};

/* Bytes of metadata that a pool over these n extents needs; 0 if page_alloc_init() would refuse
 * them. The metadata must be aligned to 8 bytes. */
size_t page_alloc_metadata_size(const struct extent *extents, unsigned n);

/* Makes a pool in which every page is free. Extents: 1 to PAGE_ALLOC_EXTENTS_MAX of them, aligned
 * to 4K, not empty, below 2^52, disjoint, in any order. PL_INVALID: they break one of these rules;
 * PL_NO_MEMORY: size is less than page_alloc_metadata_size(). The metadata stays in use. */
MUST_CHECK enum pl_status page_alloc_init(struct page_alloc *pa, const char *name,
                                          const struct extent *extents, unsigned n,
                                          void *metadata, size_t size);

/* Hand out one 4K page, one 2M block aligned to 2M, or n adjoining 4K pages (1 <= n <= 512, within
 * one 2M-aligned block, aligned to 4K only). False: the pool has none; *out is untouched then. */
MUST_CHECK bool page_alloc_4k(struct page_alloc *pa, hpa_t *out);
MUST_CHECK bool page_alloc_2m(struct page_alloc *pa, hpa_t *out);
MUST_CHECK bool page_alloc_contiguous(struct page_alloc *pa, unsigned n, hpa_t *out);

/* Take back what was handed out. Pages of page_alloc_contiguous() may also come back one by one or
 * in parts; a 2M block comes back only as a 2M block. False, with nothing changed, if any of it is
 * not of this pool, misaligned, or not handed out (a double free): a bug of the caller's. */
MUST_CHECK bool page_free_4k(struct page_alloc *pa, hpa_t page);
MUST_CHECK bool page_free_2m(struct page_alloc *pa, hpa_t block);
MUST_CHECK bool page_free_contiguous(struct page_alloc *pa, hpa_t first, unsigned n);

/* Memory that need not adjoin, a block at a time: 2M if there are so many bytes left and the pool
 * has one, else 4K; *size says which. */
MUST_CHECK static inline bool page_alloc_block(struct page_alloc *pa, uint64_t left, hpa_t *out,
                                               uint64_t *size)
{
    *size = PAGE_SIZE_2M;
    if (left >= PAGE_SIZE_2M && page_alloc_2m(pa, out))
        return true;
    *size = PAGE_SIZE;
    return page_alloc_4k(pa, out);
}

MUST_CHECK static inline bool page_free_block(struct page_alloc *pa, hpa_t at, uint64_t size)
{
    return size == PAGE_SIZE_2M ? page_free_2m(pa, at) : page_free_4k(pa, at);
}

/* Counts in 4K pages. */
static inline uint64_t page_alloc_total(const struct page_alloc *pa)
{
    return pa->total_pages;
}

static inline uint64_t page_alloc_free(const struct page_alloc *pa)
{
    return pa->free_pages;
}

/* How many page_alloc_2m() would succeed now. */
static inline uint64_t page_alloc_free_2m(const struct page_alloc *pa)
{
    return pa->whole_blocks;
}

#endif
