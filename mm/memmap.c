/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory map, cleaned up. PURE. Memory is swept from 0 upwards from border to border: between
 * two borders every address has the same owners, so it is enough to judge the first one. That needs
 * no sorting and no memory, and overlaps in any number do no harm. Bytes are joined before they are
 * cut to pages, so that two usable entries meeting in the middle of a page lose nothing.
 */
#include "mm/memmap.h"

struct input {
    const struct memmap_entry *entry;
    unsigned n_entries;
    const struct extent *reserved;
    unsigned n_reserved;
};

/* [*start, *end), cut at the top of memory; false: empty. */
static bool clip(uint64_t base, uint64_t size, uint64_t *start, uint64_t *end)
{
    if (size == 0 || base >= MEMMAP_TOP)
        return false;
    *start = base;
    *end = size > MEMMAP_TOP - base ? MEMMAP_TOP : base + size;
    return true;
}

static bool entry_range(const struct memmap_entry *e, uint64_t *start, uint64_t *end)
{
    if (e->type == MEMMAP_USABLE && e->length > UINT64_MAX - e->base)
        return false;
    return clip(e->base, e->length, start, end);
}

static void judge_range(uint64_t start, uint64_t end, uint64_t at, bool *covers, uint64_t *next)
{
    *covers = at >= start && at < end;
    if (start > at)
        *next = min_u64(*next, start);
    else if (end > at)
        *next = min_u64(*next, end);
}

/* Is the byte at `at` ours to use? *next: the border up to which that holds. */
static bool judge(const struct input *in, uint64_t at, uint64_t *next)
{
    bool usable = false, taken = false, covers;
    uint64_t start, end;
    *next = MEMMAP_TOP;
    for (unsigned i = 0; i < in->n_entries; i++) {
        if (!entry_range(&in->entry[i], &start, &end))
            continue;
        judge_range(start, end, at, &covers, next);
        if (covers && in->entry[i].type == MEMMAP_USABLE)
            usable = true;
        else if (covers)
            taken = true;
    }
    for (unsigned i = 0; i < in->n_reserved; i++) {
        if (!clip(in->reserved[i].base.v, in->reserved[i].size, &start, &end))
            continue;
        judge_range(start, end, at, &covers, next);
        taken |= covers;
    }
    return usable && !taken;
}

static void remove_slot(struct memmap *m, unsigned at)
{
    m->total -= m->extent[at].size;
    m->count--;
    for (unsigned i = at; i < m->count; i++)
        m->extent[i] = m->extent[i + 1];
}

/* Appends the whole pages of [start, end), which lies above all there is. With no slot free the
 * smallest extent gives way, which may be the new one. */
static void append_pages(struct memmap *m, uint64_t start, uint64_t end)
{
    start = ALIGN_UP(start, PAGE_SIZE);
    end = ALIGN_DOWN(end, PAGE_SIZE);
    if (start >= end)
        return;
    if (m->count == MEMMAP_EXTENTS_MAX) {
        unsigned smallest = 0;
        for (unsigned i = 1; i < m->count; i++)
            if (m->extent[i].size < m->extent[smallest].size)
                smallest = i;
        m->dropped += min_u64(m->extent[smallest].size, end - start);
        if (m->extent[smallest].size >= end - start)
            return;
        remove_slot(m, smallest);
    }
    m->extent[m->count++] = (struct extent){HPA(start), end - start};
    m->total += end - start;
}

void memmap_build(struct memmap *m, const struct memmap_entry *entries, unsigned n_entries,
                  const struct extent *reserved, unsigned n_reserved)
{
    const struct input in = {entries, n_entries, reserved, n_reserved};
    uint64_t start = 0, next;
    bool open = false;
    *m = (struct memmap){.count = 0};
    for (uint64_t at = 0; at < MEMMAP_TOP; at = next) {
        bool usable = judge(&in, at, &next);
        if (usable && !open)
            start = at;
        else if (!usable && open)
            append_pages(m, start, at);
        open = usable;
    }
    if (open)
        append_pages(m, start, MEMMAP_TOP);
}

/* Cuts [start, end) out of the middle of an extent. With no slot free the smaller rest is lost. */
static void split_extent(struct memmap *m, unsigned at, uint64_t start, uint64_t end)
{
    struct extent below = {m->extent[at].base, start - m->extent[at].base.v};
    struct extent above = {HPA(end), m->extent[at].base.v + m->extent[at].size - end};
    m->total -= end - start;
    if (m->count == MEMMAP_EXTENTS_MAX) {
        bool keep_below = below.size >= above.size;
        m->extent[at] = keep_below ? below : above;
        m->dropped += keep_below ? above.size : below.size;
        m->total -= keep_below ? above.size : below.size;
        return;
    }
    for (unsigned i = m->count++; i > at; i--)
        m->extent[i] = m->extent[i - 1];
    m->extent[at] = below;
    m->extent[at + 1] = above;
}

void memmap_remove(struct memmap *m, uint64_t base, uint64_t size)
{
    uint64_t start, end;
    if (!clip(base, size, &start, &end))
        return;
    start = ALIGN_DOWN(start, PAGE_SIZE);
    end = ALIGN_UP(end, PAGE_SIZE);
    for (unsigned i = 0; i < m->count;) {
        struct extent *e = &m->extent[i];
        uint64_t from = e->base.v, to = from + e->size;
        if (to <= start || from >= end) {
            i++;
        } else if (from < start && to > end) {
            split_extent(m, i, start, end);
            return;
        } else if (from >= start && to <= end) {
            remove_slot(m, i);
        } else {
            *e = from < start ? (struct extent){HPA(from), start - from}
                              : (struct extent){HPA(end), to - end};
            m->total -= to - from - e->size;
            i++;
        }
    }
}

enum pl_status memmap_carve(struct memmap *m, uint64_t size, uint64_t align, uint64_t limit,
                            hpa_t *out)
{
    if (size == 0 || !IS_ALIGNED(size, PAGE_SIZE) || align < PAGE_SIZE || (align & (align - 1)))
        return PL_INVALID;
    for (unsigned i = m->count; i-- > 0;) {
        uint64_t from = m->extent[i].base.v;
        uint64_t to = min_u64(from + m->extent[i].size, limit);
        if (to < from || to - from < size)
            continue;
        uint64_t at = ALIGN_DOWN(to - size, align);
        if (at < from)
            continue;
        memmap_remove(m, at, size);
        *out = HPA(at);
        return PL_OK;
    }
    return PL_NO_MEMORY;
}
