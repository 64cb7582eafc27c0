/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Address spaces of the hypervisor over mm/radix.c. SDM: "Paging". Nothing executable is writable
 * anywhere. Pages of the pool that serve as stacks have a second address there, and only that one
 * has guard pages.
 */
#include "mm/space.h"

#include "core/panic.h"
#include "mm/pool.h"

#define SHARED_FROM 256 /* root entries of the upper half */
#define SHARED_TO   512

struct space base_space;

static uint64_t next_device = DEVICE_BASE, next_stack = STACK_BASE;

static bool table_alloc(void *ctx, hpa_t *page)
{
    (void)ctx;
    return pool_alloc(page) != NULL;
}

static void table_free(void *ctx, hpa_t page)
{
    (void)ctx;
    pool_free(pool_ptr(page));
}

static void *table_ptr(void *ctx, hpa_t page)
{
    (void)ctx;
    return pool_ptr(page);
}

const struct radix_ops pool_radix_ops = {table_alloc, table_free, table_ptr};

static enum pl_status map(uint64_t virt, hpa_t phys, uint64_t size, uint64_t perms,
                          enum radix_type type)
{
    return radix_map(&base_space.tables, virt, phys, size, perms, type, PAGE_SIZE_2M);
}

/* VM roots copy the upper half's root entries: every region's must exist before the first VM does,
 * so that what is mapped later is seen everywhere. Mapping and unmapping a page would free the
 * table again, so each region keeps one page of the pool mapped at its very start, read only. */
static enum pl_status anchor(uint64_t region)
{
    hpa_t page;
    if (!pool_alloc(&page))
        return PL_NO_MEMORY;
    return map(region, page, PAGE_SIZE, RADIX_READ, RADIX_WB);
}

enum pl_status space_init(const struct image_part *parts, unsigned n)
{
    enum pl_status s = radix_create(&base_space.tables, &radix_host, &pool_radix_ops, NULL);
    if (s != PL_OK)
        return s;
    base_space.root = base_space.tables.root;
    for (unsigned i = 0; i < n && s == PL_OK; i++)
        if (parts[i].end > parts[i].start)
            s = map(parts[i].start, HPA(parts[i].start - IMAGE_BASE),
                    parts[i].end - parts[i].start, parts[i].perms, RADIX_WB);
    struct extent pool = pool_extent();
    if (s == PL_OK)
        s = map(POOL_BASE, pool.base, pool.size, RADIX_RW, RADIX_WB);
    /* MODULE_BASE + a holds host-physical a: page 0 is never a module's. */
    if (s == PL_OK)
        s = anchor(MODULE_BASE);
    if (s == PL_OK)
        s = anchor(DEVICE_BASE);
    if (s == PL_OK)
        s = anchor(STACK_BASE);
    if (s == PL_OK)
        s = anchor(STORE_BASE);
    next_device = DEVICE_BASE + PAGE_SIZE;
    next_stack = STACK_BASE + PAGE_SIZE;
    return s;
}

void *space_map_device(hpa_t at, uint64_t size, uint64_t perms, enum radix_type type)
{
    uint64_t first = ALIGN_DOWN(at.v, PAGE_SIZE), end = ALIGN_UP(at.v + size, PAGE_SIZE);
    if (size == 0 || end <= first)
        return NULL;
    uint64_t virt = next_device;
    if (map(virt, HPA(first), end - first, perms, type) != PL_OK)
        return NULL;
    /* One page is left out, so that running over the end of a device is caught. */
    next_device += end - first + PAGE_SIZE;
    return (void *)(virt + (at.v - first));
}

const void *space_map_module(hpa_t at, uint64_t size)
{
    uint64_t first = ALIGN_DOWN(at.v, PAGE_SIZE), end = ALIGN_UP(at.v + size, PAGE_SIZE);
    if (size == 0)
        return (const void *)(MODULE_BASE + at.v);
    /* Modules that share a page (a boot loader that does not align) find it mapped already. */
    for (uint64_t page = first; page < end;) {
        struct radix_leaf leaf;
        if (radix_lookup(&base_space.tables, MODULE_BASE + page, &leaf)) {
            page += PAGE_SIZE;
            continue;
        }
        uint64_t run = page + PAGE_SIZE;
        while (run < end && !radix_lookup(&base_space.tables, MODULE_BASE + run, &leaf))
            run += PAGE_SIZE;
        if (map(MODULE_BASE + page, HPA(page), run - page, RADIX_READ, RADIX_WB) != PL_OK)
            return NULL;
        page = run;
    }
    return (const void *)(MODULE_BASE + at.v);
}

enum pl_status space_map_store(uint64_t virt, hpa_t at, uint64_t size)
{
    return map(virt, at, size, RADIX_RW, RADIX_WB);
}

enum pl_status space_protect_store(uint64_t virt, uint64_t size)
{
    return radix_protect(&base_space.tables, virt, size, RADIX_READ);
}

struct space_leaf space_store_leaf(uint64_t virt)
{
    struct radix_leaf leaf;
    if (!radix_lookup(&base_space.tables, virt, &leaf))
        panic("store: %#lx is not mapped", virt);
    return (struct space_leaf){HPA(ALIGN_DOWN(leaf.phys.v, leaf.page_size)), leaf.page_size};
}

/* Whole pages as they were mapped: nothing is split, so it needs no memory and cannot fail. */
void space_unmap_store(uint64_t virt, uint64_t size)
{
    if (radix_unmap(&base_space.tables, virt, size) != PL_OK)
        panic("store: %#lx cannot be unmapped", virt);
}

uint64_t space_map_stack(unsigned n)
{
    hpa_t at;
    void *pages = pool_alloc_pages(n, &at);
    if (!pages)
        return 0;
    uint64_t bottom = next_stack + PAGE_SIZE; /* the page below stays unmapped */
    if (map(bottom, at, n * PAGE_SIZE, RADIX_RW, RADIX_WB) != PL_OK) {
        pool_free_pages(pages, n);
        return 0;
    }
    next_stack = bottom + n * PAGE_SIZE;
    return next_stack;
}

enum pl_status space_create(struct space *s)
{
    enum pl_status status = radix_create(&s->tables, &radix_host, &pool_radix_ops, NULL);
    if (status != PL_OK)
        return status;
    s->root = s->tables.root;
    radix_share(&s->tables, &base_space.tables, SHARED_FROM, SHARED_TO);
    return PL_OK;
}

enum pl_status space_map_window(struct space *s, gpa_t gpa, hpa_t hpa, uint64_t size)
{
    if (gpa.v >= WINDOW_SIZE || size > WINDOW_SIZE - gpa.v)
        return PL_INVALID;
    return radix_map(&s->tables, WINDOW_BASE + gpa.v, hpa, size, RADIX_RW, RADIX_WB, PAGE_SIZE_2M);
}

void space_free(struct space *s)
{
    if (!s->root.v)
        return;
    radix_free(&s->tables, 0, SHARED_FROM);
    pool_free(pool_ptr(s->root));
    s->root = HPA(0);
}
