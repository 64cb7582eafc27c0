/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * steal: a guest that is told how long it had to wait, and holds that against what it sees itself:
 * while it does nothing but read the TSC, a gap is time without the CPU. Words: seconds=N; after=N,
 * sleep so many seconds first; percent=N, the share of the time that must have been stolen at
 * least; alone: next to none may have been.
 * Exit status: the number of things that were wrong. Have open: docs/abi.md, the KVM clock.
 */
#include "core/pvclock.h"
#include "guests/lib/guest.h"

/* Longer between two reads than any exit takes: the vCPU was off its CPU. */
#define GAP_NS 200000

static volatile struct pvclock_steal steal __attribute__((aligned(64)));
static int wrong;

static void check(const char *what, bool ok)
{
    if (ok)
        return;
    guest_print("steal: %s FAILED\n", what);
    wrong++;
}

/* As Linux reads it. */
static uint64_t read_steal(void)
{
    uint32_t version;
    uint64_t ns;
    do {
        version = steal.version;
        ns = steal.steal;
    } while ((version & 1) || version != steal.version);
    return ns;
}

/* Spins for so many ticks; returns the nanoseconds of gaps. */
static uint64_t watch(uint64_t ticks)
{
    uint64_t start = rdtsc(), last = start, now, gaps = 0;
    uint64_t least = guest_tsc_khz() * GAP_NS / 1000000;
    uint64_t back = 0, before = 0, preempted = 0;
    while ((now = rdtsc()) - start < ticks) {
        if (now - last > least) {
            uint64_t after = read_steal();
            gaps += now - last;
            back += after < before;
            before = after;
        }
        preempted += steal.preempted;
        last = now;
    }
    check("never-goes-back", back == 0);
    check("not-preempted-while-it-runs", preempted == 0);
    return guest_ticks_to_ns(gaps);
}

int guest_main(const char *cmdline)
{
    uint64_t ticks = guest_option_number(cmdline, "seconds", 1) * guest_tsc_khz() * 1000;
    uint64_t percent = guest_option_number(cmdline, "percent", 0);
    struct guest_regs r = {0};
    uint64_t time, tsc;
    guest_read_clocks(&time, &tsc);
    plinth_YIELD(time + guest_option_number(cmdline, "after", 0) * 1000000000);
    check("offered", cpuid(PVCLOCK_CPUID_BASE + 1, 0).eax & BIT(5));
    wrmsr(PVCLOCK_MSR_STEAL, (uint64_t)&steal | PVCLOCK_ENABLE);
    check("reads-back", rdmsr(PVCLOCK_MSR_STEAL) == ((uint64_t)&steal | PVCLOCK_ENABLE));
    check("starts-at-0", read_steal() == 0 && steal.version > 0);

    uint64_t total = guest_ticks_to_ns(ticks), gaps = watch(ticks), told = read_steal();
    uint64_t apart = told > gaps ? told - gaps : gaps - told;
    guest_print("steal: %llu ms in all, %llu ms of gaps, %llu ms said to be stolen\n",
                (unsigned long long)(total / 1000000), (unsigned long long)(gaps / 1000000),
                (unsigned long long)(told / 1000000));
    check("is-what-the-gaps-are", apart <= total / 50);
    check("beside-others", told * 100 >= total * percent);
    if (guest_option(cmdline, "alone"))
        check("alone", told <= total / 100);

    /* Bit 0 alone among the low six may be set. */
    r.rcx = PVCLOCK_MSR_STEAL;
    r.rax = 3;
    GUEST_RUN(&r, "wrmsr");
    check("reserved-bits", r.vector == 13);
    wrmsr(PVCLOCK_MSR_STEAL, 0);
    uint32_t version = steal.version;
    watch(ticks / 8);
    check("off", steal.version == version);
    guest_print("steal: done, %d wrong\n", wrong);
    return wrong;
}
