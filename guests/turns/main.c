/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * turns: what a switch from one vCPU to the next costs, with 2, 16, 64 and 256 vCPUs on a CPU. Run
 * `of=N` VMs of one vCPU, all pinned to the same CPU and told apart by `index=`. All sleep until
 * `at=` seconds after Plinth's start; then two of them give their turns up to each other as fast as
 * they can, a second later 16, then 64, then 256. Number 0 measures: between two of its turns
 * everybody has had one. Exit status 1: with the most a switch costs over 10 % more than with two.
 */
#include "core/lib/bits.h"
#include "guests/lib/guest.h"

#define SECOND UINT64_C(1000000000) /* ns; also how long each size lasts */
#define ROUNDS 33u

static const unsigned sizes[] = {2, 16, 64, 256};

static uint64_t uptime(void)
{
    return (uint64_t)plinth_TIME();
}

static void sleep_until(uint64_t ns)
{
    while (uptime() < ns)
        plinth_YIELD(ns);
}

static void give_way_until(uint64_t ns)
{
    uint64_t now = uptime(), ms = ns > now ? (ns - now) / 1000000 : 0;
    uint64_t end = rdtsc() + ms * guest_tsc_khz();
    while (rdtsc() < end)
        plinth_YIELD(0);
}

/* The median of ROUNDS rounds, in TSC ticks: one is cut short by a timer now and then. */
static uint64_t measure_round(void)
{
    uint64_t took[ROUNDS];
    for (unsigned n = 0; n < ROUNDS; n++) {
        uint64_t start = rdtsc();
        plinth_YIELD(0);
        uint64_t ticks = rdtsc() - start;
        unsigned i = n;
        for (; i > 0 && took[i - 1] > ticks; i--)
            took[i] = took[i - 1];
        took[i] = ticks;
    }
    return took[ROUNDS / 2];
}

/* The number of sizes that `of` VMs can show. */
static unsigned sizes_for(unsigned of)
{
    unsigned n = 0;
    while (n < ARRAY_LEN(sizes) && sizes[n] <= of)
        n++;
    return n;
}

static int measure(uint64_t at, unsigned n)
{
    uint64_t first = 0, last = 0;
    for (unsigned i = 0; i < n; i++) {
        give_way_until(at + i * SECOND + SECOND / 2);
        last = measure_round() / sizes[i];
        first = first ? first : last;
        guest_print("turns: %u vCPUs: %llu ticks a switch\n", sizes[i], (unsigned long long)last);
        if (uptime() > at + (i + 1) * SECOND) {
            guest_print("turns: the second was over before that FAILED\n");
            return 1;
        }
    }
    give_way_until(at + n * SECOND);
    if (last * 10 <= first * 11)
        return 0;
    guest_print("turns: over 10 %% more FAILED\n");
    return 1;
}

int guest_main(const char *cmdline)
{
    unsigned index = (unsigned)guest_option_number(cmdline, "index", 0), size = 0;
    unsigned n = sizes_for((unsigned)guest_option_number(cmdline, "of", 2));
    uint64_t at = guest_option_number(cmdline, "at", 10) * SECOND;
    while (size < n && index >= sizes[size])
        size++;
    if (uptime() > at) {
        guest_print("turns: too late for at=, FAILED\n");
        return 1;
    }
    sleep_until(at + size * SECOND);
    if (index == 0)
        return measure(at, n);
    give_way_until(at + n * SECOND);
    return 0;
}
