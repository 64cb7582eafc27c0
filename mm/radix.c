/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page-table walker. PURE. One rule carries most of it: a table is linked only when it is
 * complete, by one 64-bit store to its parent, and a linked table is never empty. So the processor,
 * which may be walking at any moment, sees the old tree or the new one; a failed allocation leaves
 * no trace; and an entry that points to a table says that something below is mapped.
 * Have open: SDM, "Paging" and "VMX Support for Address Translation".
 */
#include "mm/radix.h"

#include "core/lib/string.h"

#define X86_P        BIT(0)
#define X86_RW       BIT(1)
#define X86_US       BIT(2)
#define X86_PWT      BIT(3)
#define X86_PCD      BIT(4)
#define X86_A        BIT(5)
#define X86_D        BIT(6)
#define X86_PS       BIT(7)
#define X86_PAT_4K   BIT(7)
#define X86_PAT_2M   BIT(12)
#define X86_NX       BIT(63)
#define EPT_TYPE(t)  ((uint64_t)(t) << 3)

#define LEVEL_MAX_LEAF 2 /* 1G; level 0 is 4K */

const struct radix_format radix_host = {
    .name = "x86-64",
    .levels = 4,
    .sign_extended = true,
    .present = X86_P,
    .large = X86_PS,
    .address = BITS(51, 12),
    .table = X86_P | X86_RW | X86_US | X86_A, /* leaves decide */
    .leaf = X86_A | X86_D,
    .required = RADIX_READ,
    .perm = {{X86_P, 0}, {X86_RW, 0}, {0, X86_NX}, {X86_US, 0}},
    .type_mask = {X86_PWT | X86_PCD | X86_PAT_4K, X86_PWT | X86_PCD | X86_PAT_2M},
    .type = {
        {
            [RADIX_WB] = 0,
            [RADIX_WT] = X86_PWT,
            [RADIX_UC] = X86_PCD | X86_PWT,
            [RADIX_WP] = X86_PAT_4K | X86_PWT,
            [RADIX_WC] = X86_PAT_4K | X86_PCD,
        },
        {
            [RADIX_WB] = 0,
            [RADIX_WT] = X86_PWT,
            [RADIX_UC] = X86_PCD | X86_PWT,
            [RADIX_WP] = X86_PAT_2M | X86_PWT,
            [RADIX_WC] = X86_PAT_2M | X86_PCD,
        },
    },
};

#define EPT_TYPES {                     \
        [RADIX_UC] = EPT_TYPE(0),       \
        [RADIX_WC] = EPT_TYPE(1),       \
        [RADIX_WT] = EPT_TYPE(4),       \
        [RADIX_WP] = EPT_TYPE(5),       \
        [RADIX_WB] = EPT_TYPE(6),       \
    }

const struct radix_format radix_ept = {
    .name = "EPT",
    .levels = 4,
    .sign_extended = false,
    .present = BITS(2, 0),
    .large = BIT(7),
    .address = BITS(51, 12),
    .table = BITS(2, 0),
    .leaf = 0,
    .required = RADIX_READ, /* execute-only is optional, write-only a misconfiguration */
    .perm = {{BIT(0), 0}, {BIT(1), 0}, {BIT(2), 0}, {0, 0}},
    .type_mask = {BITS(5, 3), BITS(5, 3)},
    .type = {EPT_TYPES, EPT_TYPES},
};

/* --- entries -------------------------------------------------------------------------------- */

static uint64_t level_size(unsigned level)
{
    return UINT64_C(1) << (PAGE_SHIFT + 9 * level);
}

static unsigned index_of(uint64_t virt, unsigned level)
{
    return (unsigned)(virt >> (PAGE_SHIFT + 9 * level)) & (RADIX_ENTRIES - 1);
}

static bool is_present(const struct radix *r, uint64_t entry)
{
    return (entry & r->format->present) != 0;
}

static bool is_leaf(const struct radix *r, uint64_t entry, unsigned level)
{
    return level == 0 || (entry & r->format->large) != 0;
}

static uint64_t *table_at(const struct radix *r, uint64_t entry)
{
    return r->ops->ptr(r->ctx, HPA(entry & r->format->address));
}

static uint64_t *root_of(const struct radix *r)
{
    return r->ops->ptr(r->ctx, r->root);
}

/* The one store by which a change becomes visible to a processor that walks the tables. */
static void publish(uint64_t *slot, uint64_t entry)
{
    __atomic_store_n(slot, entry, __ATOMIC_RELEASE);
}

static uint64_t leaf_phys(const struct radix *r, uint64_t entry, unsigned level)
{
    return entry & r->format->address & ~(level_size(level) - 1);
}

/* All bits of a leaf but the physical address. */
static uint64_t leaf_bits(const struct radix_format *f, uint64_t perms, unsigned type,
                          unsigned level)
{
    uint64_t bits = f->leaf | f->type[level > 0][type] | (level > 0 ? f->large : 0);
    for (unsigned i = 0; i < RADIX_PERMS; i++)
        bits |= perms & BIT(i) ? f->perm[i].set : f->perm[i].clear;
    return bits;
}

static uint64_t leaf_perms(const struct radix_format *f, uint64_t entry)
{
    uint64_t perms = 0;
    for (unsigned i = 0; i < RADIX_PERMS; i++) {
        uint64_t set = f->perm[i].set, clear = f->perm[i].clear;
        if ((set | clear) && (entry & set) == set && !(entry & clear))
            perms |= BIT(i);
    }
    return perms;
}

static unsigned leaf_type(const struct radix_format *f, uint64_t entry, unsigned level)
{
    for (unsigned t = 0; t < RADIX_TYPES; t++)
        if ((entry & f->type_mask[level > 0]) == f->type[level > 0][t])
            return t;
    return RADIX_UC; /* bits nobody here writes; the cautious reading */
}

/* --- arguments ------------------------------------------------------------------------------ */

/* Cuts virt to the bits the tables translate. False: misaligned, empty, or not all translatable. */
static bool range_valid(const struct radix_format *f, uint64_t *virt, uint64_t size)
{
    uint64_t span = level_size(f->levels), half = span / 2;
    if (size == 0 || !IS_ALIGNED(*virt | size, PAGE_SIZE) || size > span)
        return false;
    if (!f->sign_extended)
        return *virt <= span - size;
    /* Canonical: the bits above are copies of the topmost one. */
    uint64_t low = *virt & (span - 1);
    uint64_t canonical = low >= half ? low | ~(span - 1) : low;
    if (canonical != *virt)
        return false;
    *virt = low;
    return low >= half ? size <= span - low : size <= half - low;
}

static bool perms_valid(const struct radix_format *f, uint64_t perms)
{
    if ((perms & f->required) != f->required || (perms >> RADIX_PERMS) != 0)
        return false;
    for (unsigned i = 0; i < RADIX_PERMS; i++)
        if ((perms & BIT(i)) && (f->perm[i].set | f->perm[i].clear) == 0)
            return false;
    return true;
}

/* --- mapping -------------------------------------------------------------------------------- */

enum pl_status radix_create(struct radix *r, const struct radix_format *format,
                            const struct radix_ops *ops, void *ctx)
{
    *r = (struct radix){.format = format, .ops = ops, .ctx = ctx};
    if (!ops->alloc(ctx, &r->root))
        return PL_NO_MEMORY;
    memset(root_of(r), 0, PAGE_SIZE);
    return PL_OK;
}

/* Fills the empty *slot of a table at `level` so that virt's entry at `target` (below or at level)
 * becomes leaf. New tables are chained from the bottom up and linked last. */
static enum pl_status fill_slot(const struct radix *r, uint64_t *slot, unsigned level,
                                uint64_t virt, uint64_t leaf, unsigned target)
{
    hpa_t made[RADIX_LEVELS_MAX];
    unsigned n = 0;
    uint64_t entry = leaf;
    for (unsigned l = target; l < level; l++) {
        if (!r->ops->alloc(r->ctx, &made[n])) {
            while (n > 0)
                r->ops->free(r->ctx, made[--n]);
            return PL_NO_MEMORY;
        }
        uint64_t *table = r->ops->ptr(r->ctx, made[n]);
        memset(table, 0, PAGE_SIZE);
        table[index_of(virt, l)] = entry;
        entry = made[n++].v | r->format->table;
    }
    publish(slot, entry);
    return PL_OK;
}

static enum pl_status map_page(const struct radix *r, uint64_t virt, uint64_t leaf,
                               unsigned target)
{
    unsigned level = r->format->levels - 1;
    uint64_t *slot = &root_of(r)[index_of(virt, level)];
    while (level > target && is_present(r, *slot)) {
        if (is_leaf(r, *slot, level))
            return PL_INVALID;
        level--;
        slot = &table_at(r, *slot)[index_of(virt, level)];
    }
    /* At the target level a table counts as mapped as well, since no table is empty. */
    if (is_present(r, *slot))
        return PL_INVALID;
    return fill_slot(r, slot, level, virt, leaf, target);
}

static unsigned best_level(uint64_t virt, uint64_t phys, uint64_t size, uint64_t max_page)
{
    unsigned level = LEVEL_MAX_LEAF;
    while (level > 0 && (level_size(level) > max_page || level_size(level) > size ||
                         !IS_ALIGNED(virt | phys, level_size(level))))
        level--;
    return level;
}

/* Undoes the mapping of [virt, virt + size), just made by radix_map(): nothing needs a split. */
static void unmap_range(const struct radix *r, uint64_t virt, uint64_t end);

enum pl_status radix_map(const struct radix *r, uint64_t virt, hpa_t phys, uint64_t size,
                         uint64_t perms, enum radix_type type, uint64_t max_page)
{
    const struct radix_format *f = r->format;
    if (!range_valid(f, &virt, size) || !perms_valid(f, perms) || (unsigned)type >= RADIX_TYPES)
        return PL_INVALID;
    if ((phys.v & ~f->address) || size - PAGE_SIZE > f->address - phys.v)
        return PL_INVALID;
    if (max_page != PAGE_SIZE && max_page != PAGE_SIZE_2M && max_page != PAGE_SIZE_1G)
        return PL_INVALID;
    for (uint64_t done = 0; done < size;) {
        unsigned level = best_level(virt + done, phys.v + done, size - done, max_page);
        uint64_t leaf = (phys.v + done) | leaf_bits(f, perms, type, level);
        enum pl_status s = map_page(r, virt + done, leaf, level);
        if (s != PL_OK) {
            if (done)
                unmap_range(r, virt, virt + done);
            return s;
        }
        done += level_size(level);
    }
    return PL_OK;
}

/* --- splitting and unmapping ---------------------------------------------------------------- */

/* Replaces a large leaf by a table of 512 leaves one level down, same translation throughout. */
static enum pl_status split_leaf(const struct radix *r, uint64_t *slot, unsigned level)
{
    const struct radix_format *f = r->format;
    uint64_t old = *slot;
    hpa_t page;
    if (!r->ops->alloc(r->ctx, &page))
        return PL_NO_MEMORY;
    uint64_t *table = r->ops->ptr(r->ctx, page);
    uint64_t bits = leaf_bits(f, leaf_perms(f, old), leaf_type(f, old, level), level - 1);
    for (unsigned i = 0; i < RADIX_ENTRIES; i++)
        table[i] = (leaf_phys(r, old, level) + i * level_size(level - 1)) | bits;
    publish(slot, page.v | f->table);
    return PL_OK;
}

/* Sees to it that no page crosses the address virt. */
static enum pl_status split_at(const struct radix *r, uint64_t virt)
{
    unsigned level = r->format->levels - 1;
    uint64_t *slot = &root_of(r)[index_of(virt, level)];
    while (!IS_ALIGNED(virt, level_size(level)) && is_present(r, *slot)) {
        if (is_leaf(r, *slot, level) && split_leaf(r, slot, level) != PL_OK)
            return PL_NO_MEMORY;
        level--;
        slot = &table_at(r, *slot)[index_of(virt, level)];
    }
    return PL_OK;
}

/* Both edges of a range; after that, changing it needs no memory any more. */
static enum pl_status split_edges(const struct radix *r, uint64_t virt, uint64_t end)
{
    enum pl_status s = split_at(r, virt);
    if (s != PL_OK || end == level_size(r->format->levels))
        return s;
    return split_at(r, end);
}

static bool table_empty(const struct radix *r, const uint64_t *table)
{
    for (unsigned i = 0; i < RADIX_ENTRIES; i++)
        if (is_present(r, table[i]))
            return false;
    return true;
}

/* Clears virt's entry and, going up, tables that become empty by it. Returns where to go on: the
 * first address behind the hole or page that was found. */
static uint64_t unmap_one(const struct radix *r, uint64_t virt)
{
    uint64_t *slot[RADIX_LEVELS_MAX], *table[RADIX_LEVELS_MAX];
    unsigned top = r->format->levels - 1, level = top;
    table[level] = root_of(r);
    for (;; level--) {
        slot[level] = &table[level][index_of(virt, level)];
        if (!is_present(r, *slot[level]) || is_leaf(r, *slot[level], level))
            break;
        table[level - 1] = table_at(r, *slot[level]);
    }
    uint64_t next = ALIGN_DOWN(virt, level_size(level)) + level_size(level);
    if (!is_present(r, *slot[level]))
        return next;
    publish(slot[level], 0);
    for (; level < top && table_empty(r, table[level]); level++) {
        hpa_t page = HPA(*slot[level + 1] & r->format->address);
        publish(slot[level + 1], 0);
        r->ops->free(r->ctx, page);
    }
    return next;
}

static void unmap_range(const struct radix *r, uint64_t virt, uint64_t end)
{
    while (virt < end)
        virt = unmap_one(r, virt);
}

enum pl_status radix_unmap(const struct radix *r, uint64_t virt, uint64_t size)
{
    if (!range_valid(r->format, &virt, size))
        return PL_INVALID;
    enum pl_status s = split_edges(r, virt, virt + size);
    if (s == PL_OK)
        unmap_range(r, virt, virt + size);
    return s;
}

/* virt's leaf and its level, or NULL with the level of the empty entry. */
static uint64_t *find_leaf(const struct radix *r, uint64_t virt, unsigned *level)
{
    *level = r->format->levels - 1;
    uint64_t *slot = &root_of(r)[index_of(virt, *level)];
    while (is_present(r, *slot)) {
        if (is_leaf(r, *slot, *level))
            return slot;
        --*level;
        slot = &table_at(r, *slot)[index_of(virt, *level)];
    }
    return NULL;
}

enum pl_status radix_protect(const struct radix *r, uint64_t virt, uint64_t size, uint64_t perms)
{
    const struct radix_format *f = r->format;
    if (!range_valid(f, &virt, size) || !perms_valid(f, perms))
        return PL_INVALID;
    enum pl_status s = split_edges(r, virt, virt + size);
    if (s != PL_OK)
        return s;
    for (uint64_t at = virt, end = virt + size; at < end;) {
        unsigned level;
        uint64_t *slot = find_leaf(r, at, &level);
        if (slot)
            publish(slot, leaf_phys(r, *slot, level) |
                              leaf_bits(f, perms, leaf_type(f, *slot, level), level));
        at = ALIGN_DOWN(at, level_size(level)) + level_size(level);
    }
    return PL_OK;
}

bool radix_lookup(const struct radix *r, uint64_t virt, struct radix_leaf *out)
{
    uint64_t page = virt & PAGE_MASK;
    unsigned level;
    if (!range_valid(r->format, &page, PAGE_SIZE))
        return false;
    const uint64_t *slot = find_leaf(r, page, &level);
    if (!slot)
        return false;
    out->phys = HPA(leaf_phys(r, *slot, level) | (virt & (level_size(level) - 1)));
    out->perms = leaf_perms(r->format, *slot);
    out->type = (enum radix_type)leaf_type(r->format, *slot, level);
    out->page_size = level_size(level);
    return true;
}

/* --- whole trees ---------------------------------------------------------------------------- */

void radix_share(const struct radix *r, const struct radix *src, unsigned from, unsigned to)
{
    uint64_t *dst_root = root_of(r);
    const uint64_t *src_root = root_of(src);
    for (unsigned i = from; i < to && i < RADIX_ENTRIES; i++)
        publish(&dst_root[i], src_root[i]);
}

/* Frees the table that entry, of a table at `level`, points to and all below it. Depth is bounded
 * by the number of levels. */
static void free_below(const struct radix *r, uint64_t entry, unsigned level)
{
    if (!is_present(r, entry) || is_leaf(r, entry, level))
        return;
    const uint64_t *table = table_at(r, entry);
    for (unsigned i = 0; i < RADIX_ENTRIES; i++)
        free_below(r, table[i], level - 1);
    r->ops->free(r->ctx, HPA(entry & r->format->address));
}

void radix_free(const struct radix *r, unsigned from, unsigned to)
{
    uint64_t *root = root_of(r);
    for (unsigned i = from; i < to && i < RADIX_ENTRIES; i++) {
        uint64_t entry = root[i];
        publish(&root[i], 0);
        free_below(r, entry, r->format->levels - 1);
    }
}
