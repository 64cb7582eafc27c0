/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Comparing a starting CPU's TSC with the boot CPU's. Time passes between CPUs as TSC values
 * (deadlines, a VM's clocks), so a vCPU that moves must not see it go back.
 */
#ifndef ARCH_X86_TSC_SYNC_H
#define ARCH_X86_TSC_SYNC_H

#include "core/lib/bits.h"

/* What the two CPUs write for each other; all zero at the start. */
struct tsc_sync {
    uint32_t ping; /* the boot CPU's question: a number, or one of the words in tsc_sync.c */
    uint32_t pong; /* the last question that was answered */
    uint64_t stamp; /* the answer: the TSC */
    int64_t correction; /* what to add to it */
    int64_t skew;         /* result: ticks ahead of the boot CPU's ... */
    uint64_t uncertainty; /* ... give or take so many */
    bool corrected;
};

/* On the boot CPU. Measures, corrects if it must and can, until it is right or hopeless. NULL: the
 * TSCs agree to within what can be measured; else why the other CPU must be left out. */
const char *tsc_sync_lead(struct tsc_sync *s);
/* Ends the other CPU's part; call it always. */
void tsc_sync_end(struct tsc_sync *s);
/* On the other one: answers until the boot CPU is through. */
void tsc_sync_follow(struct tsc_sync *s);

#endif
