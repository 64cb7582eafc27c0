/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the bench guest share: timing a statement, and reporting. Figures are TSC
 * ticks; under Bochs a tick is an instruction.
 */
#ifndef GUESTS_BENCH_BENCH_H
#define GUESTS_BENCH_BENCH_H

#include "guests/lib/guest.h"

#include "arch/x86/cr.h"
#include "arch/x86/msr.h"

#define WARM_UPS 100
#define SAMPLES  1000

extern uint64_t samples[SAMPLES];

/* Prints one line from samples[], with what timing nothing costs taken off. */
void report(const char *name);
/* The same, nothing taken off: for times until a handler runs. */
void report_raw(const char *name);
/* The same, "-N" added to the name. */
void report_pair(const char *name, unsigned n);

/* Times `statement` SAMPLES times; a macro, so that no call gets into the measurement. */
#define MEASURE(statement)                               \
    do {                                                 \
        for (int i_ = -WARM_UPS; i_ < SAMPLES; i_++) {   \
            uint64_t before_ = rdtsc();                  \
            statement;                                   \
            uint64_t after_ = rdtsc();                   \
            if (i_ >= 0)                                 \
                samples[i_] = after_ - before_;          \
        }                                                \
    } while (0)

/* MEASURE() and report(). */
#define TIME(name, statement) \
    do {                      \
        MEASURE(statement);   \
        report(name);         \
    } while (0)

/* interrupts.c: rows that end in an interrupt handler; the local APIC's and #BP's. */
void measure_interrupts(void);
/* loops.c: millions of instructions, without exits, under timer ticks, switching threads. */
void measure_loops(void);
/* smp.c: rows of two vCPUs, which are on so many physical CPUs. Needs a VM of two. */
void measure_pair(unsigned physical);

#endif
