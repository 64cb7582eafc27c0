/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two pools: sizes, their metadata, and how the hypervisor pool's pages are reached.
 */
#include "mm/pool.h"

#include "core/host.h"
#include "core/panic.h"

#define POOL_MIN       MIB(4)
#define POOL_PER_RAM   128 /* one byte of pool for so many of RAM */
#define BELOW_4G       GIB(4)

struct page_alloc hypervisor_pool, guest_pool;

static struct extent extent;
static uint64_t view; /* add to a host-physical address */

struct extent pool_extent(void)
{
    return extent;
}

void pool_set_view(uint64_t base)
{
    uint64_t old = view;
    view = base - extent.base.v;
    /* The allocators' metadata lie in the pool. */
    hypervisor_pool.block = (void *)((uint64_t)hypervisor_pool.block - old + view);
    guest_pool.block = (void *)((uint64_t)guest_pool.block - old + view);
}

enum pl_status pool_init(struct memmap *map)
{
    struct extent pool = {HPA(0), ALIGN_UP(POOL_MIN + map->total / POOL_PER_RAM, PAGE_SIZE_2M)};
    size_t own = page_alloc_metadata_size(&pool, 1);
    unsigned count = map->count < PAGE_ALLOC_EXTENTS_MAX ? map->count : PAGE_ALLOC_EXTENTS_MAX;
    /* The guest pool's metadata are bounded by what they would be before the carving, plus the one
     * extent that carving may split off. */
    size_t guests = page_alloc_metadata_size(map->extent, count) + 4096;
    size_t metadata = ALIGN_UP(own, PAGE_SIZE) + ALIGN_UP(guests, PAGE_SIZE);
    uint64_t size = ALIGN_UP(pool.size + metadata, PAGE_SIZE_2M);
    enum pl_status s = memmap_carve(map, size, PAGE_SIZE_2M, BELOW_4G, &extent.base);
    if (s != PL_OK)
        return s;
    extent.size = size;
    void *own_at = (void *)extent.base.v, *guests_at = (char *)own_at + ALIGN_UP(own, PAGE_SIZE);
    host_zero(own_at, metadata);
    pool = (struct extent){HPA(extent.base.v + metadata), size - metadata};
    s = page_alloc_init(&hypervisor_pool, "hypervisor pool", &pool, 1, own_at,
                        ALIGN_UP(own, PAGE_SIZE));
    if (s != PL_OK)
        return s;
    count = map->count < PAGE_ALLOC_EXTENTS_MAX ? map->count : PAGE_ALLOC_EXTENTS_MAX;
    if (count == 0)
        return PL_NO_MEMORY;
    return page_alloc_init(&guest_pool, "guest pool", map->extent, count, guests_at,
                           ALIGN_UP(guests, PAGE_SIZE));
}

void *pool_ptr(hpa_t at)
{
    return (void *)(at.v + view);
}

hpa_t pool_hpa(const void *ptr)
{
    return HPA((uint64_t)ptr - view);
}

void *pool_alloc(hpa_t *at)
{
    return pool_alloc_pages(1, at);
}

void *pool_alloc_pages(unsigned n, hpa_t *at)
{
    hpa_t page;
    bool ok = n == 1 ? page_alloc_4k(&hypervisor_pool, &page)
                     : page_alloc_contiguous(&hypervisor_pool, n, &page);
    if (!ok)
        return NULL;
    void *p = pool_ptr(page);
    host_zero(p, n * PAGE_SIZE);
    if (at)
        *at = page;
    return p;
}

void pool_free(void *page)
{
    pool_free_pages(page, 1);
}

void pool_free_pages(void *first, unsigned n)
{
    if (!page_free_contiguous(&hypervisor_pool, pool_hpa(first), n))
        panic("pool: free of %p, %u pages, which are not allocated", first, n);
}
