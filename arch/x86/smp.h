/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starting the other CPUs. Who there is and what is said about them is the caller's.
 */
#ifndef ARCH_X86_SMP_H
#define ARCH_X86_SMP_H

#include "core/lib/bits.h"
#include "mm/types.h"

struct smp_start {
    hpa_t trampoline; /* a page below 1 MiB that is used for nothing else, ever */
    const uint32_t *apic_ids; /* of the CPUs to start; this one's is skipped */
    unsigned count;
    unsigned limit;   /* CPUs that may be online in the end, this one included; <= CPU_MAX */
    /* On each new CPU, when all but its virtualisation is set up: NULL, or why it is left out. It
     * must not print; the pools are its own meanwhile. */
    const char *(*prepare)(void);
    /* Each new CPU's life. */
    NORETURN void (*run)(void);
    /* On this CPU: what has become of one; why is NULL when it is online. */
    void (*report)(uint32_t apic_id, const char *why);
};

/* Starts them one after the other; each goes on to run() while the next one starts. Does nothing
 * without a local APIC. The boot CPU's set-up must be complete: the others copy it. */
void smp_start(const struct smp_start *start);

#endif
