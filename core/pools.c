/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page accounting over both pools.
 */
#include "core/pools.h"

#include "core/log.h"
#include "core/vm.h"
#include "mm/pool.h"

static uint64_t mark_hypervisor, mark_guest; /* free pages; records count as free */

void pools_mark(void)
{
    mark_hypervisor = page_alloc_free(&hypervisor_pool) + vm_record_pages();
    mark_guest = page_alloc_free(&guest_pool);
}

void pools_moved(int64_t hypervisor, int64_t guest)
{
    mark_hypervisor -= (uint64_t)hypervisor;
    mark_guest -= (uint64_t)guest;
}

bool pools_check(void)
{
    int64_t h = (int64_t)(mark_hypervisor - vm_record_pages() -
                          page_alloc_free(&hypervisor_pool));
    int64_t g = (int64_t)(mark_guest - page_alloc_free(&guest_pool));
    if (h || g) {
        log_error("leak: %ld pages of the hypervisor pool, %ld of the guest pool", h, g);
        return false;
    }
    log_info("both pools are back to the page");
    return true;
}
