/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Address spaces of the hypervisor. The upper half is shared: image, hypervisor pool, modules,
 * devices, stacks. The lower half is a VM's window, where its guest-physical address g appears at
 * WINDOW_BASE + g, and belongs to one root alone. Layout and reasons: docs/architecture.md.
 */
#ifndef MM_SPACE_H
#define MM_SPACE_H

#include "core/lib/status.h"
#include "mm/radix.h"
#include "mm/types.h"

#define WINDOW_BASE  UINT64_C(0x0000008000000000) /* root entry 1: entry 0 stays empty for NULL */
#define WINDOW_SIZE  (UINT64_C(0x0000800000000000) - WINDOW_BASE)
#define POOL_BASE    UINT64_C(0xffff800000000000)
#define MODULE_BASE  UINT64_C(0xffff880000000000)
#define DEVICE_BASE  UINT64_C(0xffff900000000000)
#define STACK_BASE   UINT64_C(0xffff980000000000)
#define STORE_BASE   UINT64_C(0xffffa00000000000)
#define IMAGE_BASE   UINT64_C(0xffffffff80000000)

struct space {
    struct radix tables;
    hpa_t root;
};

/* The space without a window: what runs when no VM does. */
extern struct space base_space;
/* Table pages from the hypervisor pool, for every struct radix in the house. */
extern const struct radix_ops pool_radix_ops;

/* One part of the image, page-aligned. */
struct image_part {
    uint64_t start, end; /* host-virtual */
    uint64_t perms;      /* RADIX_* */
};

/* Builds base_space: image parts and the hypervisor pool. PL_NO_MEMORY. The caller loads it and
 * then calls pool_set_view(POOL_BASE). */
MUST_CHECK enum pl_status space_init(const struct image_part *parts, unsigned n);
/* Device memory or firmware tables, any alignment: NULL when there is no memory for tables. */
void *space_map_device(hpa_t at, uint64_t size, uint64_t perms, enum radix_type type);
/* A boot module, read only. */
const void *space_map_module(hpa_t at, uint64_t size);
/* A stack of n pages from the hypervisor pool, with an unmapped page below it; returns its top, 0
 * when there is no memory. */
uint64_t space_map_stack(unsigned n);

/* Pages of the guest pool at an address from STORE_BASE on: written, then made read only, then
 * taken away. Who protects or unmaps sees to the TLBs of all CPUs. */
MUST_CHECK enum pl_status space_map_store(uint64_t virt, hpa_t at, uint64_t size);
MUST_CHECK enum pl_status space_protect_store(uint64_t virt, uint64_t size);
void space_unmap_store(uint64_t virt, uint64_t size);
/* The page, 4K or 2M, that virt (which is mapped) lies in. */
struct space_leaf {
    hpa_t at; /* its first byte */
    uint64_t size;
};
struct space_leaf space_store_leaf(uint64_t virt);

/* A VM's space: the shared half and an empty window. */
MUST_CHECK enum pl_status space_create(struct space *s);
MUST_CHECK enum pl_status space_map_window(struct space *s, gpa_t gpa, hpa_t hpa, uint64_t size);
/* Frees the window's tables and the root; must not be loaded. */
void space_free(struct space *s);

#endif
