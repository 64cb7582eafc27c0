/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The leak check: with no VM alive, both pools are as they were before the first one started.
 */
#ifndef CORE_POOLS_H
#define CORE_POOLS_H

#include "core/lib/bits.h"

/* Remembers the pools as they are: all VMs defined, none started. */
void pools_mark(void);
/* So many pages (negative: given back) have gone for good since then, and are no leak. */
void pools_moved(int64_t hypervisor, int64_t guest);
/* Says whether both are back to the page. Call only when no VM is alive. */
bool pools_check(void);

#endif
