/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * paging: the list of tries in 32-bit mode. The layout is known to switch.c's assembly.
 */
#ifndef GUESTS_PAGING_LEGACY_H
#define GUESTS_PAGING_LEGACY_H

#include "guests/paging/paging.h"

struct legacy_entry {
    uint32_t at, low, high;
};

struct legacy_try {
    uint32_t code, edi, esi, eflags;
    uint32_t user, cr0, cr4, wide;        /* wide: entries of 8 bytes */
    struct legacy_entry leaf, upper;      /* written in this order */
    uint32_t vector, error, eip, cr2;     /* what came */
    uint32_t leaf_after, upper_after;     /* low halves */
};

/* The code of each OP_*, 16 bytes apart; ends in #UD. */
extern const char legacy_ops[];
/* Carries tries out with paging as CR3 and each one's CR4 say. */
void legacy_run(struct legacy_try *tries, unsigned count, uint32_t cr3);

#endif
