/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page allocator against a model that keeps one byte per page. Input: extents, then operations
 * of 4 bytes. All memory lies in the first 8M, so that collisions are frequent.
 */
#include <stdint.h>
#include <stdlib.h>

#include "core/lib/string.h"
#include "mm/page_alloc.h"

#define MODEL_PAGES 2048u
#define METADATA    (64 * 1024)

enum { ABSENT, FREE, USED, USED_2M };

static uint8_t model[MODEL_PAGES];
static unsigned model_free;

static void check(bool ok)
{
    if (!ok)
        abort();
}

/* Moves n pages from one state to another; false, with nothing changed, if one is in neither. */
static bool move(uint64_t page, unsigned n, uint8_t from, uint8_t to)
{
    if (page >= MODEL_PAGES || n > MODEL_PAGES - page)
        return false;
    for (unsigned i = 0; i < n; i++)
        if (model[page + i] != from)
            return false;
    memset(model + page, to, n);
    if (from == FREE)
        model_free -= n;
    if (to == FREE)
        model_free += n;
    return true;
}

static bool any_run(unsigned n)
{
    unsigned run = 0;
    for (unsigned i = 0; i < MODEL_PAGES; i++) {
        run = model[i] != FREE ? 0 : i % 512 == 0 ? 1 : run + 1;
        if (run == n)
            return true;
    }
    return false;
}

static unsigned whole_blocks(void)
{
    unsigned count = 0;
    for (unsigned b = 0; b < MODEL_PAGES; b += 512) {
        unsigned i = 0;
        while (i < 512 && model[b + i] == FREE)
            i++;
        count += i == 512;
    }
    return count;
}

/* True if two extents of the pool share a block or meet in one: the model then knows no borders. */
static bool same_block(const struct extent *e, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        for (unsigned j = 0; j < i; j++) {
            uint64_t a0 = e[i].base.v >> 21, a1 = (e[i].base.v + e[i].size - 1) >> 21;
            uint64_t b0 = e[j].base.v >> 21, b1 = (e[j].base.v + e[j].size - 1) >> 21;
            if (a0 <= b1 && b0 <= a1)
                return true;
        }
    return false;
}

static void step(struct page_alloc *pa, const uint8_t *op)
{
    uint64_t page = (op[1] | op[2] << 8) % (MODEL_PAGES + 16);
    unsigned n = (op[3] | (op[0] & 0x80) << 1) % 513 + (op[0] >> 6 & 1) * 2;
    hpa_t a;
    switch (op[0] & 7) {
    case 0:
        if (page_alloc_4k(pa, &a))
            check(move(a.v >> 12, 1, FREE, USED));
        else
            check(model_free == 0);
        break;
    case 1:
        if (page_alloc_2m(pa, &a))
            check(IS_ALIGNED(a.v, PAGE_SIZE_2M) && move(a.v >> 12, 512, FREE, USED_2M));
        else
            check(whole_blocks() == 0);
        break;
    case 2:
        if (page_alloc_contiguous(pa, n, &a))
            check(n > 0 && a.v / PAGE_SIZE_2M == (a.v + n * PAGE_SIZE - 1) / PAGE_SIZE_2M &&
                  move(a.v >> 12, n, FREE, USED));
        else
            check(n == 0 || n > 512 || !any_run(n));
        break;
    case 3:
        check(page_free_4k(pa, HPA(page << 12)) == move(page, 1, USED, FREE));
        break;
    case 4:
        check(page_free_2m(pa, HPA(page << 12)) ==
              (page % 512 == 0 && move(page, 512, USED_2M, FREE)));
        break;
    case 5:
        check(page_free_contiguous(pa, HPA(page << 12), n) ==
              (n > 0 && n <= 512 - page % 512 && move(page, n, USED, FREE)));
        break;
    default: /* addresses that can be nobody's */
        check(!page_free_4k(pa, HPA((page << 12) + 1 + op[3])));
        check(!page_free_2m(pa, HPA(~UINT64_C(0) << (op[3] % 64))));
        break;
    }
    check(page_alloc_free(pa) == model_free);
    check(page_alloc_free_2m(pa) == whole_blocks());
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint64_t metadata[METADATA / 8];
    struct extent e[4];
    struct page_alloc pa;
    if (size < 1)
        return 0;
    unsigned n = data[0] % 4 + 1;
    if (size < 1 + n * 4)
        return 0;
    memset(model, ABSENT, sizeof(model));
    model_free = 0;
    for (unsigned i = 0; i < n; i++) {
        const uint8_t *d = data + 1 + i * 4;
        uint64_t first = (d[0] | d[1] << 8) % MODEL_PAGES;
        uint64_t count = (d[2] | d[3] << 8) % (MODEL_PAGES - first + 1);
        e[i] = (struct extent){HPA(first << 12), count << 12};
    }
    size_t need = page_alloc_metadata_size(e, n);
    check(need <= sizeof(metadata));
    if (need == 0) {
        check(page_alloc_init(&pa, "fuzz", e, n, metadata, sizeof(metadata)) == PL_INVALID);
        return 0;
    }
    if (same_block(e, n))
        n = 1;
    check(page_alloc_init(&pa, "fuzz", e, n, metadata, sizeof(metadata)) == PL_OK);
    for (unsigned i = 0; i < n; i++) {
        check(move(e[i].base.v >> 12, (unsigned)(e[i].size >> 12), ABSENT, FREE));
    }
    check(page_alloc_total(&pa) == model_free);
    for (size_t at = 1 + 16; at + 4 <= size; at += 4)
        step(&pa, data + at);
    return 0;
}
