/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What Plinth itself takes: memory, and time from its entry, or from a VM's start, to the first
 * guest instruction. Measured where it happens; shown by `mem`, `boot` and one line of the log.
 */
#ifndef CORE_FOOTPRINT_H
#define CORE_FOOTPRINT_H

#include "core/lib/bits.h"

struct vm;

/* Of a VM's last start. Times are TSC ticks. Written on the boot CPU, but for first. */
struct footprint {
    uint64_t begin;        /* TSC when it was asked for */
    uint64_t scrubbed;     /* spent on clearing its memory since then */
    uint64_t first;        /* TSC just before its first instruction; 0: not yet */
    uint64_t stop, off;    /* TSC when it was told to end, and when all its vCPUs were off */
    uint64_t gone;         /* TSC when its memory was given back */
    uint64_t scrubbed_after; /* of that, clearing */
    uint64_t tables, own;  /* pages of the hypervisor pool: page tables; all the rest */
};

/* Once, by boot/main.c: the TSC at entry.S's first instruction; bytes of the image in memory, and
 * of those, code. */
void footprint_set_boot(uint64_t entry_tsc, uint64_t image, uint64_t text);
uint64_t footprint_image(void);
uint64_t footprint_text(void);
/* Bytes that Plinth has taken: image, the pool's metadata, and what is used of the pool. */
uint64_t footprint_taken(void);
/* Ticks from entry to the first instruction of the first guest, those of scrubbing apart; 0: no
 * guest has run yet. */
uint64_t footprint_first_ticks(uint64_t *scrubbing);

void footprint_begin(struct footprint *f);
/* Ticks from the VM's start to its first instruction, without scrubbing; 0: it has not run. What
 * else the CPUs did in the meantime is in it. */
uint64_t footprint_start_ticks(const struct footprint *f);
/* From when it was told to end until no vCPU ran, and from then until its memory was free without
 * the clearing; 0: not yet. */
uint64_t footprint_stop_ticks(const struct footprint *f);
uint64_t footprint_end_ticks(const struct footprint *f);
/* vm is about to execute its first instruction. Any CPU. */
void footprint_first_turn(struct vm *vm);

#endif
