/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spinner: a bad neighbour. Interrupts off, no HLT, no hypercall, no exit of any kind while it
 * counts: only a scheduler that takes the CPU away lets others run. It also measures its share of
 * the CPU: the time of rounds that took about as long as the shortest one. Words: after=N
 * (how many seconds it waits first), seconds=N, forever, share=N: per cent, less is wrong.
 */
#include "guests/lib/guest.h"

#define ROUND 100u /* counts between two looks at the clock */
#define LONG  4u    /* a round that takes so many times the shortest was interrupted */

/* Leaves the CPU to others for so long: all that is asked of the hypervisor here. */
static void wait_first(uint64_t seconds)
{
    uint64_t time, tsc;
    guest_read_clocks(&time, &tsc);
    if (seconds && guest_on_plinth())
        plinth_YIELD(time + seconds * UINT64_C(1000000000));
}

int guest_main(const char *cmdline)
{
    wait_first(guest_option_number(cmdline, "after", 0));
    uint64_t ticks = guest_option_number(cmdline, "seconds", 2) * guest_tsc_khz() * 1000;
    bool forever = guest_option(cmdline, "forever");
    volatile uint64_t counted = 0;
    uint64_t start = rdtsc();

    uint64_t last = start, mine = 0, shortest = UINT64_MAX;

    __asm__ volatile("cli");
    while (forever || last - start < ticks) {
        for (unsigned i = 0; i < ROUND; i++)
            counted++;
        uint64_t now = rdtsc(), took = now - last;
        last = now;
        if (took < shortest)
            shortest = took;
        if (took < shortest * LONG)
            mine += took;
    }
    uint64_t share = mine / ((last - start) / 100);
    guest_print("spinner: counted %llu in %llu %% of the time\n", (unsigned long long)counted,
                (unsigned long long)share);
    return share < guest_option_number(cmdline, "share", 0);
}
