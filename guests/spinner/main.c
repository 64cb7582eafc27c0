/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spinner: a bad neighbour. Interrupts off, no HLT, no hypercall, no exit of any kind while it
 * counts: only a scheduler that takes the CPU away lets others run. Words: seconds=N, forever.
 */
#include "guests/lib/guest.h"

#define ROUND 10000u /* counts between two looks at the clock */

int guest_main(const char *cmdline)
{
    uint64_t ticks = guest_option_number(cmdline, "seconds", 2) * guest_tsc_khz() * 1000;
    bool forever = guest_option(cmdline, "forever");
    volatile uint64_t counted = 0;
    uint64_t start = rdtsc();

    __asm__ volatile("cli");
    while (forever || rdtsc() - start < ticks)
        for (unsigned i = 0; i < ROUND; i++)
            counted++;
    guest_print("spinner: counted %llu\n", (unsigned long long)counted);
    return 0;
}
