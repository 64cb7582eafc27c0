/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine's two pools: the hypervisor pool (tables, VMCSs, stacks; always mapped) and the guest
 * pool (guest RAM; mapped by no shared table, reachable only through a VM's own window). The
 * functions below may be called on any CPU; who uses page_alloc_*() on a pool himself has to see to
 * it that he is alone.
 */
#ifndef MM_POOL_H
#define MM_POOL_H

#include "core/lib/status.h"
#include "mm/memmap.h"
#include "mm/page_alloc.h"
#include "mm/types.h"

extern struct page_alloc hypervisor_pool, guest_pool;

/* Takes the hypervisor pool out of map (below 4 GiB, sized by the machine's memory) and makes the
 * rest the guest pool. Everything taken is seen one to one until pool_set_view(). PL_NO_MEMORY. */
MUST_CHECK enum pl_status pool_init(struct memmap *map);
/* Where the hypervisor pool's memory lies. */
struct extent pool_extent(void);
/* From now on host-physical address a of the pool is at base + (a - pool start). */
void pool_set_view(uint64_t base);

/* One zeroed page of the hypervisor pool; its address to *at unless that is NULL. NULL: none. */
void *pool_alloc(hpa_t *at);
/* n adjoining zeroed pages (n <= 512). */
void *pool_alloc_pages(unsigned n, hpa_t *at);
/* Pages that pool_alloc() or pool_alloc_pages() gave. Panics on any other. */
void pool_free(void *page);
void pool_free_pages(void *first, unsigned n);
void *pool_ptr(hpa_t at);
hpa_t pool_hpa(const void *ptr);

#endif
