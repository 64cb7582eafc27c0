/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The time-stamp counter: it never goes back, whichever instruction reads it, and it runs at the
 * rate that CPUID says. Have open: SDM "Time-Stamp Counter"; docs/abi.md "CPUID leaves".
 */
#include "guests/exits/exits.h"

#include "arch/x86/cr.h"
#include "arch/x86/msr.h"

#define ROUNDS 1000

static void check_monotonic(void)
{
    uint64_t last = rdtsc();
    bool ok = true;
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t now = rdtsc();
        ok = ok && now > last;
        last = now;
    }
    check_true("rdtsc-monotonic", ok);
    uint64_t msr = rdmsr(MSR_IA32_TSC), after = rdtsc();
    check_true("tsc-msr-agrees", msr > last && after > msr);
}

static void check_rdtscp(void)
{
    struct guest_regs r = {0};
    if (!(cpuid(0x80000001, 0).edx & BIT(27)))
        return;
    wrmsr(MSR_IA32_TSC_AUX, 0x1234);
    uint64_t before = rdtsc();
    GUEST_RUN(&r, "rdtscp");
    check_true("rdtscp-time", (r.rdx << 32 | r.rax) > before);
    check_equal("rdtscp-aux", r.rcx, 0x1234);
    wrmsr(MSR_IA32_TSC_AUX, 0);
}

/* CR4.TSD forbids it to user mode only. */
static void check_tsd(void)
{
    struct guest_regs r = {0};
    write_cr4(read_cr4() | CR4_TSD);
    GUEST_RUN(&r, "rdtsc");
    check_fault("rdtsc-tsd-kernel", &r, NONE, 0);
    write_cr4(read_cr4() & ~CR4_TSD);
    check_equal("rdtsc-upper-halves", (r.rax | r.rdx) >> 32, 0);
}

static void check_rate(void)
{
    uint64_t time0, tsc0, time, tsc;
    guest_read_clocks(&time0, &tsc0);
    uint64_t khz = guest_tsc_khz();
    while (rdtsc() - tsc0 < khz * 100) /* 100 ms */
        pause();
    guest_read_clocks(&time, &tsc);
    uint64_t ns = time - time0, by_tsc = guest_ticks_to_ns(tsc - tsc0);
    check_true("tsc-rate-is-time-rate", ns * 50 > by_tsc * 49 && ns * 50 < by_tsc * 51);
}

void exits_time(void)
{
    check_monotonic();
    check_rdtscp();
    check_tsd();
    if (exits_plinth)
        check_rate();
}
