/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's page tables for people: every entry that a walk reads, to where it ends. PURE; checks
 * no permission and changes nothing. What the processor makes of the entries is guest_walk.c's.
 * Have open: SDM, "Paging".
 */
#ifndef MM_GUEST_TRACE_H
#define MM_GUEST_TRACE_H

#include "mm/guest_walk.h"

#define GUEST_TRACE_LEVELS 4

struct guest_trace {
    unsigned n;          /* entries read; 0: paging is off */
    struct {
        const char *name; /* "PML4E" */
        uint64_t gpa;     /* where it is */
        uint64_t entry;
        bool read;        /* false: no RAM there */
    } level[GUEST_TRACE_LEVELS];
    bool mapped;
    uint64_t gpa;        /* mapped: the translation */
    uint64_t page_size;  /* mapped: bytes; 0 without paging */
};

void guest_trace(const struct guest_paging *p, const struct guest_mem *gm, gva_t gva,
                 struct guest_trace *out);

#endif
