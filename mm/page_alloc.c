/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page allocator. PURE. Owns the metadata and nothing else; see the header. A block whose pages
 * are all free is "whole" and can become a 2M page; all others that have a free page are "partial".
 * 4K pages come from partial blocks first, so that whole ones stay whole. A block that the pool
 * only has a part of (an extent's ragged head or tail) is never whole. Everything here is a few
 * words of work but for page_alloc_contiguous(), which looks through the partial blocks.
 */
#include "mm/page_alloc.h"

#include "core/lib/string.h"

#define WORDS       (PAGES_PER_BLOCK / 64)
#define BLOCK_PAGES ((uint64_t)PAGES_PER_BLOCK)
#define PAGE_TOP    (UINT64_C(1) << (52 - PAGE_SHIFT))

enum block_state {
    BLOCK_SPLIT,   /* pages are handed out one by one; on the partial list if any is free */
    BLOCK_WHOLE,   /* all free, on the whole list */
    BLOCK_USED_2M, /* handed out as one */
};

struct page_block {
    uint64_t free[WORDS];  /* bit set: the page is in the pool and free */
    uint32_t next, prev;   /* links of the list it is on: index + 1, 0 = end */
    uint16_t free_count;   /* bits set in free */
    uint8_t state;         /* enum block_state */
    uint8_t extent;        /* index of the extent it belongs to */
};

static uint64_t first_block_page(const struct page_alloc *pa, const struct page_block *b)
{
    uint32_t nth = (uint32_t)(b - pa->block) - pa->extent[b->extent].first_block;
    return ALIGN_DOWN(pa->extent[b->extent].first_page, BLOCK_PAGES) + nth * BLOCK_PAGES;
}

static hpa_t page_address(const struct page_alloc *pa, const struct page_block *b, unsigned bit)
{
    return HPA((first_block_page(pa, b) + bit) << PAGE_SHIFT);
}

/* --- lists ---------------------------------------------------------------------------------- */

static void list_push(struct page_alloc *pa, uint32_t *head, struct page_block *b)
{
    uint32_t self = (uint32_t)(b - pa->block) + 1;
    b->prev = 0;
    b->next = *head;
    if (*head)
        pa->block[*head - 1].prev = self;
    *head = self;
}

static void list_unlink(struct page_alloc *pa, uint32_t *head, struct page_block *b)
{
    if (b->prev)
        pa->block[b->prev - 1].next = b->next;
    else
        *head = b->next;
    if (b->next)
        pa->block[b->next - 1].prev = b->prev;
    b->next = b->prev = 0;
}

static struct page_block *list_first(const struct page_alloc *pa, uint32_t head)
{
    return head ? &pa->block[head - 1] : NULL;
}

/* --- setting up ----------------------------------------------------------------------------- */

static bool extents_valid(const struct extent *e, unsigned n)
{
    if (n == 0 || n > PAGE_ALLOC_EXTENTS_MAX)
        return false;
    for (unsigned i = 0; i < n; i++) {
        if (e[i].size == 0 || !IS_ALIGNED(e[i].base.v | e[i].size, PAGE_SIZE))
            return false;
        if (e[i].base.v >= BIT(52) || e[i].size > BIT(52) - e[i].base.v)
            return false;
        for (unsigned j = 0; j < i; j++)
            if (e[i].base.v < e[j].base.v + e[j].size && e[j].base.v < e[i].base.v + e[i].size)
                return false;
    }
    return true;
}

static uint64_t blocks_of(const struct extent *e)
{
    uint64_t end = e->base.v + e->size;
    return (ALIGN_UP(end, PAGE_SIZE_2M) - ALIGN_DOWN(e->base.v, PAGE_SIZE_2M)) / PAGE_SIZE_2M;
}

size_t page_alloc_metadata_size(const struct extent *extents, unsigned n)
{
    uint64_t blocks = 0;
    if (!extents_valid(extents, n))
        return 0;
    for (unsigned i = 0; i < n; i++)
        blocks += blocks_of(&extents[i]);
    /* Indexes are 32 bits; a pool of 2^32 blocks would be more than any machine has. */
    if (blocks >= UINT32_MAX)
        return 0;
    return (size_t)blocks * sizeof(struct page_block);
}

/* Sets bits from (included) to to (not). */
static void set_bits(uint64_t *words, unsigned from, unsigned to)
{
    for (unsigned w = from / 64; w * 64 < to; w++) {
        unsigned first = w * 64 < from ? from % 64 : 0;
        unsigned end = to - w * 64 < 64 ? to - w * 64 : 64;
        words[w] |= BITS(end - 1, first);
    }
}

static void init_block(struct page_alloc *pa, struct page_block *b, unsigned extent)
{
    b->extent = (uint8_t)extent;
    b->state = BLOCK_SPLIT;
    uint64_t start = first_block_page(pa, b), end = start + BLOCK_PAGES;
    unsigned from = (unsigned)(max_u64(start, pa->extent[extent].first_page) - start);
    unsigned to = (unsigned)(min_u64(end, pa->extent[extent].end_page) - start);
    set_bits(b->free, from, to);
    b->free_count = (uint16_t)(to - from);
    if (b->free_count == PAGES_PER_BLOCK) {
        b->state = BLOCK_WHOLE;
        pa->whole_blocks++;
        list_push(pa, &pa->whole, b);
    } else {
        list_push(pa, &pa->partial, b);
    }
    pa->total_pages += b->free_count;
}

enum pl_status page_alloc_init(struct page_alloc *pa, const char *name,
                               const struct extent *extents, unsigned n, void *metadata,
                               size_t size)
{
    size_t need = page_alloc_metadata_size(extents, n);
    if (need == 0)
        return PL_INVALID;
    if (size < need)
        return PL_NO_MEMORY;
    memset(pa, 0, sizeof(*pa));
    memset(metadata, 0, need);
    pa->name = name;
    pa->block = metadata;
    pa->extent_count = n;
    for (unsigned i = 0; i < n; i++) {
        pa->extent[i].first_page = extents[i].base.v >> PAGE_SHIFT;
        pa->extent[i].end_page = (extents[i].base.v + extents[i].size) >> PAGE_SHIFT;
        pa->extent[i].first_block = pa->block_count;
        pa->block_count += (uint32_t)blocks_of(&extents[i]);
    }
    /* Backwards, since lists are pushed to in front: pages then come out ascending, which makes
     * logs easier to read and runs reproducible. */
    unsigned extent = n - 1;
    for (uint32_t b = pa->block_count; b-- > 0;) {
        while (b < pa->extent[extent].first_block)
            extent--;
        init_block(pa, &pa->block[b], extent);
    }
    pa->free_pages = pa->total_pages;
    return PL_OK;
}

/* --- handing out ---------------------------------------------------------------------------- */

/* Marks n pages from bit on as used; the block is SPLIT or becomes it. */
static void take_pages(struct page_alloc *pa, struct page_block *b, unsigned bit, unsigned n)
{
    if (b->state == BLOCK_WHOLE) {
        list_unlink(pa, &pa->whole, b);
        pa->whole_blocks--;
        b->state = BLOCK_SPLIT;
        list_push(pa, &pa->partial, b);
    }
    for (unsigned i = bit; i < bit + n; i++)
        b->free[i / 64] &= ~BIT(i % 64);
    b->free_count = (uint16_t)(b->free_count - n);
    pa->free_pages -= n;
    if (b->free_count == 0)
        list_unlink(pa, &pa->partial, b);
}

bool page_alloc_4k(struct page_alloc *pa, hpa_t *out)
{
    struct page_block *b = list_first(pa, pa->partial ? pa->partial : pa->whole);
    if (!b)
        return false;
    unsigned word = 0;
    while (b->free[word] == 0)
        word++;
    unsigned bit = word * 64 + (unsigned)__builtin_ctzll(b->free[word]);
    take_pages(pa, b, bit, 1);
    *out = page_address(pa, b, bit);
    return true;
}

bool page_alloc_2m(struct page_alloc *pa, hpa_t *out)
{
    struct page_block *b = list_first(pa, pa->whole);
    if (!b)
        return false;
    list_unlink(pa, &pa->whole, b);
    b->state = BLOCK_USED_2M;
    b->free_count = 0;
    memset(b->free, 0, sizeof(b->free));
    pa->whole_blocks--;
    pa->free_pages -= PAGES_PER_BLOCK;
    *out = page_address(pa, b, 0);
    return true;
}

/* The first of n adjoining free pages, or PAGES_PER_BLOCK. */
static unsigned find_run(const struct page_block *b, unsigned n)
{
    unsigned run = 0;
    for (unsigned bit = 0; bit < PAGES_PER_BLOCK; bit++) {
        run = b->free[bit / 64] & BIT(bit % 64) ? run + 1 : 0;
        if (run == n)
            return bit + 1 - n;
    }
    return PAGES_PER_BLOCK;
}

bool page_alloc_contiguous(struct page_alloc *pa, unsigned n, hpa_t *out)
{
    if (n == 0 || n > PAGES_PER_BLOCK)
        return false;
    struct page_block *b;
    unsigned bit = PAGES_PER_BLOCK;
    for (b = list_first(pa, pa->partial); b; b = list_first(pa, b->next)) {
        bit = b->free_count >= n ? find_run(b, n) : PAGES_PER_BLOCK;
        if (bit < PAGES_PER_BLOCK)
            break;
    }
    if (!b) {
        b = list_first(pa, pa->whole);
        bit = 0;
    }
    if (!b)
        return false;
    take_pages(pa, b, bit, n);
    *out = page_address(pa, b, bit);
    return true;
}

/* --- taking back ---------------------------------------------------------------------------- */

/* The block of n pages from address on, if all of them are in one extent and one block. */
static struct page_block *find_block(struct page_alloc *pa, hpa_t address, unsigned n,
                                     unsigned *bit)
{
    uint64_t page = address.v >> PAGE_SHIFT;
    if (!IS_ALIGNED(address.v, PAGE_SIZE) || page >= PAGE_TOP)
        return NULL;
    *bit = (unsigned)(page % BLOCK_PAGES);
    if (n == 0 || n > PAGES_PER_BLOCK - *bit)
        return NULL;
    for (unsigned i = 0; i < pa->extent_count; i++) {
        if (page < pa->extent[i].first_page || page + n > pa->extent[i].end_page)
            continue;
        uint64_t nth = page / BLOCK_PAGES - pa->extent[i].first_page / BLOCK_PAGES;
        return &pa->block[pa->extent[i].first_block + nth];
    }
    return NULL;
}

bool page_free_contiguous(struct page_alloc *pa, hpa_t first, unsigned n)
{
    unsigned bit;
    struct page_block *b = find_block(pa, first, n, &bit);
    if (!b || b->state != BLOCK_SPLIT)
        return false;
    for (unsigned i = bit; i < bit + n; i++)
        if (b->free[i / 64] & BIT(i % 64))
            return false;
    if (b->free_count == 0)
        list_push(pa, &pa->partial, b);
    for (unsigned i = bit; i < bit + n; i++)
        b->free[i / 64] |= BIT(i % 64);
    b->free_count = (uint16_t)(b->free_count + n);
    pa->free_pages += n;
    if (b->free_count == PAGES_PER_BLOCK) {
        list_unlink(pa, &pa->partial, b);
        b->state = BLOCK_WHOLE;
        pa->whole_blocks++;
        list_push(pa, &pa->whole, b);
    }
    return true;
}

bool page_free_4k(struct page_alloc *pa, hpa_t page)
{
    return page_free_contiguous(pa, page, 1);
}

bool page_free_2m(struct page_alloc *pa, hpa_t block)
{
    unsigned bit;
    struct page_block *b = find_block(pa, block, PAGES_PER_BLOCK, &bit);
    if (!b || b->state != BLOCK_USED_2M)
        return false;
    b->state = BLOCK_WHOLE;
    b->free_count = PAGES_PER_BLOCK;
    memset(b->free, 0xff, sizeof(b->free));
    pa->whole_blocks++;
    pa->free_pages += PAGES_PER_BLOCK;
    list_push(pa, &pa->whole, b);
    return true;
}
