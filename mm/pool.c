/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two pools: sizes, their metadata, and how the hypervisor pool's pages are reached.
 */
#include "mm/pool.h"

#include "core/host.h"
#include "core/lib/lock.h"
#include "core/panic.h"

#define POOL_MIN       MIB(4)
#define POOL_PER_RAM   64  /* one byte of pool for so many of RAM ... */
#define POOL_MAX       MIB(256) /* ... up to this */
#define BELOW_4G       GIB(4)

struct page_alloc hypervisor_pool, guest_pool;

/* Protects hypervisor_pool. The guest pool is the boot CPU's alone: core/vm.c. */
static struct lock lock = LOCK_INIT(LOCK_ORDER_POOL, "hypervisor pool");

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

/* The pool's size grows with the machine, but what is below 4 GiB does not. */
static uint64_t wanted_size(uint64_t ram)
{
    return ALIGN_UP(POOL_MIN + min_u64(ram / POOL_PER_RAM, POOL_MAX), PAGE_SIZE_2M);
}

/* Carves pool and metadata; a smaller pool where there is no room for the wanted one. */
static enum pl_status carve(struct memmap *map, uint64_t metadata)
{
    for (uint64_t size = wanted_size(map->total); size >= POOL_MIN; size /= 2) {
        extent.size = ALIGN_UP(size + metadata, PAGE_SIZE_2M);
        if (memmap_carve(map, extent.size, PAGE_SIZE_2M, BELOW_4G, &extent.base) == PL_OK)
            return PL_OK;
    }
    return PL_NO_MEMORY;
}

enum pl_status pool_init(struct memmap *map)
{
    struct extent pool = {HPA(0), wanted_size(map->total)};
    size_t own = ALIGN_UP(page_alloc_metadata_size(&pool, 1), PAGE_SIZE);
    /* Bounded by what they would be before the carving, plus the extent it may split off. */
    size_t guests = ALIGN_UP(page_alloc_metadata_size(map->extent, map->count) + 4096, PAGE_SIZE);
    enum pl_status s = carve(map, own + guests);
    if (s != PL_OK)
        return s;
    char *own_at = (char *)extent.base.v, *guests_at = own_at + own;
    pool = (struct extent){HPA(extent.base.v + own + guests), extent.size - own - guests};
    s = page_alloc_init(&hypervisor_pool, "hypervisor pool", &pool, 1, own_at, own);
    if (s != PL_OK)
        return s;
    return page_alloc_init(&guest_pool, "guest pool", map->extent, map->count, guests_at, guests);
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
    lock_take(&lock);
    bool ok = n == 1 ? page_alloc_4k(&hypervisor_pool, &page)
                     : page_alloc_contiguous(&hypervisor_pool, n, &page);
    lock_release(&lock);
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
    lock_take(&lock);
    bool ok = page_free_contiguous(&hypervisor_pool, pool_hpa(first), n);
    lock_release(&lock);
    if (!ok)
        panic("pool: free of %p, %u pages, which are not allocated", first, n);
}
