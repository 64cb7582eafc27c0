/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * state: proves that everything a guest can see switches with the vCPU. It fills what there is with
 * values made from seed=N, then computes, yields and sleeps for seconds=N and compares all the
 * time. Run several with different seeds. Words: seed=N, seconds=N, forever. Exit status: the
 * number of things that were wrong (at most 200).
 */
#include "guests/state/state.h"

#define COMPLAINTS 10u
#define NAP        UINT64_C(1500000) /* ns */

unsigned state_seed;
static unsigned wrong;

uint64_t state_pattern(unsigned item)
{
    /* A multiplicative mix; the multipliers are odd and otherwise of no meaning. */
    uint64_t x = ((uint64_t)state_seed << 32 | item) * UINT64_C(0x9e3779b97f4a7c15) + state_seed;
    x = (x ^ x >> 29) * UINT64_C(0xd6e8feb86659fd93);
    return x ^ x >> 32;
}

void state_same(const char *name, uint64_t got, uint64_t want)
{
    if (got == want)
        return;
    if (wrong++ < COMPLAINTS)
        guest_print("state: seed %u: WRONG: %s is %#llx, not %#llx\n", state_seed, name,
                    (unsigned long long)got, (unsigned long long)want);
}

void state_wrong(const char *what, uint64_t number)
{
    if (wrong++ < COMPLAINTS)
        guest_print("state: seed %u: WRONG: %s (%#llx)\n", state_seed, what,
                    (unsigned long long)number);
}

static void check_clocks(void)
{
    static uint64_t last_tsc, last_time;
    uint64_t tsc = rdtsc(), time = guest_on_plinth() ? (uint64_t)plinth_TIME() : 0;
    if (tsc < last_tsc)
        state_wrong("the TSC went back by", last_tsc - tsc);
    if (time < last_time)
        state_wrong("TIME went back by", last_time - time);
    last_tsc = tsc;
    last_time = time;
}

static void one_round(uint64_t round)
{
    regs_arm(round & 1);
    regs_spin(round % 3 == 0 && guest_on_plinth());
    if (round & 1)
        regs_trip();
    if (round % 7 == 3 && guest_on_plinth())
        plinth_YIELD((uint64_t)plinth_TIME() + NAP);
    regs_check();
    fpu_check();
    memory_check_some();
    check_clocks();
}

int guest_main(const char *cmdline)
{
    uint64_t ticks = guest_option_number(cmdline, "seconds", 1) * guest_tsc_khz() * 1000;
    bool forever = guest_option(cmdline, "forever");
    uint64_t rounds = 0;

    state_seed = (unsigned)guest_option_number(cmdline, "seed", 1);
    memory_check_fresh();
    regs_check_fresh();
    fpu_check_fresh();
    guest_print("state: seed %u: fresh, %u wrong\n", state_seed, wrong);
    memory_fill();
    regs_fill();
    fpu_fill();
    guest_print("state: seed %u: filled\n", state_seed);
    uint64_t start = rdtsc();
    while (forever || rdtsc() - start < ticks)
        one_round(rounds++);
    fpu_check_hidden();
    memory_check_all();
    guest_print("state: seed %u: %llu rounds, %u wrong\n", state_seed,
                (unsigned long long)rounds, wrong);
    return wrong < 200 ? (int)wrong : 200;
}
