/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory map: any entries and reserved ranges, then removals and carvings. What comes out is
 * always sound, and where nothing was left out it is exactly what a page-by-page look says.
 */
#include <stdint.h>
#include <stdlib.h>

#include "core/lib/string.h"
#include "mm/memmap.h"

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void check_sound(const struct memmap *m)
{
    uint64_t total = 0, last = 0;
    check(m->count <= MEMMAP_EXTENTS_MAX);
    for (unsigned i = 0; i < m->count; i++) {
        const struct extent *e = &m->extent[i];
        check(e->size > 0 && IS_ALIGNED(e->base.v | e->size, PAGE_SIZE));
        check(e->base.v < MEMMAP_TOP && e->size <= MEMMAP_TOP - e->base.v);
        check(i == 0 || e->base.v > last); /* > : extents that adjoin would be one */
        last = e->base.v + e->size;
        total += e->size;
    }
    check(total == m->total);
}

static bool inside(uint64_t base, uint64_t length, bool usable, uint64_t at)
{
    if (usable && base + length < base)
        return false;
    return at >= base && at - base < length;
}

static bool byte_ours(const struct memmap_entry *e, unsigned n, const struct extent *r, unsigned nr,
                      uint64_t at)
{
    bool usable = false;
    for (unsigned i = 0; i < n; i++) {
        bool covers = inside(e[i].base, e[i].length, e[i].type == MEMMAP_USABLE, at);
        if (covers && e[i].type != MEMMAP_USABLE)
            return false;
        usable |= covers;
    }
    for (unsigned i = 0; i < nr; i++)
        if (inside(r[i].base.v, r[i].size, false, at))
            return false;
    return usable;
}

static bool in_map(const struct memmap *m, uint64_t at)
{
    for (unsigned i = 0; i < m->count; i++)
        if (at >= m->extent[i].base.v && at - m->extent[i].base.v < m->extent[i].size)
            return true;
    return false;
}

/* Every border is a place where something may be off by one. */
static void check_around(const struct memmap *m, const struct memmap_entry *e, unsigned n,
                         const struct extent *r, unsigned nr, uint64_t border)
{
    for (int d = -2; d <= 1; d++) {
        uint64_t at = border + (uint64_t)(int64_t)d;
        if (in_map(m, at))
            check(byte_ours(e, n, r, nr, at));
    }
}

/* A page is all ours if its first byte is, and the byte at every border that lies in it. */
static bool page_ours(const struct memmap_entry *e, unsigned n, const struct extent *r, unsigned nr,
                      uint64_t page)
{
    if (!byte_ours(e, n, r, nr, page))
        return false;
    for (unsigned i = 0; i < 2 * (n + nr); i++) {
        uint64_t start = i / 2 < n ? e[i / 2].base : r[i / 2 - n].base.v;
        uint64_t length = i / 2 < n ? e[i / 2].length : r[i / 2 - n].size;
        uint64_t border = i & 1 ? start + length : start;
        if (border - page < PAGE_SIZE && !byte_ours(e, n, r, nr, border))
            return false;
    }
    return true;
}

static uint64_t number(const uint8_t *d)
{
    uint64_t v;
    memcpy(&v, d, sizeof(v));
    /* Mostly small and near each other, sometimes wild. */
    return v >> 62 ? v & 0xfffff : v;
}

static void checks_after_build(const struct memmap *m, const struct memmap_entry *e, unsigned n,
                               const struct extent *r, unsigned nr)
{
    check_sound(m);
    for (unsigned i = 0; i < n; i++) {
        check_around(m, e, n, r, nr, e[i].base);
        check_around(m, e, n, r, nr, e[i].base + e[i].length);
    }
    for (unsigned i = 0; i < nr; i++) {
        check_around(m, e, n, r, nr, r[i].base.v);
        check_around(m, e, n, r, nr, r[i].base.v + r[i].size);
    }
    for (uint64_t page = 0; m->dropped == 0 && page < 0x40000; page += PAGE_SIZE)
        check(in_map(m, page) == page_ours(e, n, r, nr, page));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct memmap_entry e[96];
    static struct extent r[16];
    struct memmap m;
    unsigned n = 0, nr = 0;
    size_t at = 0;
    for (; at + 17 <= size && data[at] < 0xc0; at += 17) {
        uint64_t base = number(data + at + 1), length = number(data + at + 9);
        if (data[at] & 8 && nr < ARRAY_LEN(r))
            r[nr++] = (struct extent){HPA(base), length};
        else if (n < ARRAY_LEN(e))
            e[n++] = (struct memmap_entry){base, length, data[at] & 7};
    }
    memmap_build(&m, e, n, r, nr);
    checks_after_build(&m, e, n, r, nr);
    for (; at + 17 <= size; at += 17) {
        uint64_t a = number(data + at + 1), b = number(data + at + 9), had = m.total;
        if (data[at] & 1) {
            memmap_remove(&m, a, b);
            check(m.total <= had);
            check(b == 0 || !in_map(&m, a));
        } else {
            uint64_t align = BIT(12 + data[at] % 10);
            hpa_t out;
            uint64_t dropped = m.dropped;
            if (memmap_carve(&m, a & PAGE_MASK, align, b, &out) == PL_OK) {
                check(IS_ALIGNED(out.v, align) && out.v + (a & PAGE_MASK) <= b);
                check(had - m.total == (a & PAGE_MASK) + (m.dropped - dropped));
                check(!in_map(&m, out.v) && !in_map(&m, out.v + (a & PAGE_MASK) - 1));
            }
        }
        check_sound(&m);
    }
    return 0;
}
