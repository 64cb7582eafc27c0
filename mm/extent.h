/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A run of host-physical memory: what the memory map is made of and what page allocators are given.
 */
#ifndef MM_EXTENT_H
#define MM_EXTENT_H

#include "mm/types.h"

struct extent {
    hpa_t base;
    uint64_t size; /* bytes */
};

#endif
