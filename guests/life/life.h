/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts of the guest life: a table of registers with their values after power-on, and the ways
 * to end.
 */
#ifndef GUESTS_LIFE_LIFE_H
#define GUESTS_LIFE_LIFE_H

#include "guests/lib/guest.h"

struct probe {
    const char *name;
    uint64_t (*read)(uint32_t where);
    void (*write)(uint32_t where, uint64_t value);
    uint32_t where; /* port, MSR, offset or index */
    uint64_t reset; /* as it has to be found */
    uint64_t dirt;  /* what is written; reads back as something other than reset */
    uint64_t mask;  /* bits that count; 0: all */
};

extern const struct probe probes[];
extern const size_t probe_count;

/* Does what "end=" says; returns if that has not ended the VM. */
void end_life(const char *cmdline);

#endif
