/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * counter: a good neighbour. Sleeps a second between lines, and holds the hypervisor's clock
 * against its own TSC: both must have moved by a second, and by the same amount within 2 %.
 * Words: ticks=N, forever, late=N: woken so many milliseconds late is wrong. Exit status: the
 * number of things that were wrong.
 */
#include "guests/lib/guest.h"

#define SECOND UINT64_C(1000000000) /* ns */

static void sleep_until(uint64_t tsc, uint64_t ns)
{
    if (guest_on_plinth())
        plinth_YIELD(ns);
    else
        while ((int64_t)(rdtsc() - tsc) < 0)
            pause();
}

int guest_main(const char *cmdline)
{
    uint64_t ticks = guest_option_number(cmdline, "ticks", 3), khz = guest_tsc_khz();
    uint64_t late = guest_option_number(cmdline, "late", 1000000);
    bool forever = guest_option(cmdline, "forever");
    uint64_t time0, tsc0, time, tsc;
    int wrong = 0;

    guest_read_clocks(&time0, &tsc0);
    for (uint64_t n = 1; forever || n <= ticks; n++) {
        sleep_until(tsc0 + n * khz * 1000, time0 + n * SECOND);
        guest_read_clocks(&time, &tsc);
        uint64_t by_tsc = guest_ticks_to_ns(tsc - tsc0), by_time = time - time0;
        uint64_t apart = by_tsc > by_time ? by_tsc - by_time : by_time - by_tsc;

        guest_print("counter: tick %llu\n", (unsigned long long)n);
        if (by_time < n * SECOND || by_tsc < n * SECOND / 100 * 98) {
            guest_print("counter: woken early: TIME %llu ns, TSC %llu ns after %llu s\n",
                        (unsigned long long)by_time, (unsigned long long)by_tsc,
                        (unsigned long long)n);
            wrong++;
        }
        if (by_time > n * SECOND + late * 1000000) {
            guest_print("counter: woken late: TIME %llu ns after %llu s\n",
                        (unsigned long long)by_time, (unsigned long long)n);
            wrong++;
        }
        if (apart > n * SECOND / 50) {
            guest_print("counter: clocks drift: TIME %llu ns, TSC %llu ns\n",
                        (unsigned long long)by_time, (unsigned long long)by_tsc);
            wrong++;
        }
    }
    return wrong;
}
