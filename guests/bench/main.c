/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench: what operations cost, in TSC ticks. Each is timed alone 1000 times after 100 warm-ups;
 * what timing nothing costs is subtracted. One line an operation, for programs to read:
 *   bench: NAME min MIN median MEDIAN
 * Run it alone: a preempted sample is long, which the median, not the mean, forgives.
 */
#include "guests/lib/guest.h"

#include "arch/x86/cr.h"
#include "arch/x86/msr.h"

#define WARM_UPS 100
#define SAMPLES  1000
#define HOLE     0xfeb00000u

static uint64_t samples[SAMPLES];
static uint64_t empty_min, empty_median;
static uint64_t saved; /* the register value an operation writes back */

/* Shell sort: 1000 numbers, no stack, no library. */
static void sort_samples(void)
{
    for (unsigned gap = SAMPLES / 2; gap; gap /= 2)
        for (unsigned i = gap; i < SAMPLES; i++) {
            uint64_t x = samples[i];
            unsigned j = i;
            for (; j >= gap && samples[j - gap] > x; j -= gap)
                samples[j] = samples[j - gap];
            samples[j] = x;
        }
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static void report(const char *name)
{
    sort_samples();
    guest_print("bench: %s min %llu median %llu\n", name,
                (unsigned long long)less(samples[0], empty_min),
                (unsigned long long)less(samples[SAMPLES / 2], empty_median));
}

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

static void measure_empty(void)
{
    MEASURE((void)0);
    sort_samples();
    empty_min = samples[0];
    empty_median = samples[SAMPLES / 2];
    guest_print("bench: empty min %llu median %llu\n", (unsigned long long)empty_min,
                (unsigned long long)empty_median);
}

static void measure_instructions(void)
{
    MEASURE(cpuid(0, 0));
    report("cpuid");
    MEASURE(rdmsr(MSR_IA32_APIC_BASE));
    report("rdmsr-apic-base");
    saved = rdmsr(MSR_IA32_EFER);
    MEASURE(wrmsr(MSR_IA32_EFER, saved));
    report("wrmsr-efer");
    MEASURE(in8(0x40));
    report("in-port-40");
    MEASURE(out8(0x80, 0));
    report("out-port-80");
    saved = read_cr0();
    MEASURE(write_cr0(saved ^= CR0_WP));
    report("cr0-wp");
    write_cr0(saved & ~CR0_WP);
}

static void measure_xsetbv(void)
{
    if (!(cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE))
        return;
    write_cr4(read_cr4() | CR4_OSXSAVE);
    MEASURE(__asm__ volatile("xsetbv" : : "a"(1), "d"(0), "c"(0)));
    report("xsetbv");
}

static void measure_plinth(void)
{
    if (!guest_on_plinth())
        return;
    MEASURE(plinth_VERSION());
    report("hypercall-version");
    MEASURE(plinth_YIELD(0));
    report("hypercall-yield");
    MEASURE((void)*(volatile uint32_t *)(uintptr_t)HOLE);
    report("mmio-read-hole");
}

/* No exit in here: what is left of the CPU beside the hypervisor's own needs. */
static void measure_compute(void)
{
    MEASURE({
        uint64_t x = 1;
        for (unsigned i = 0; i < 1000; i++) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            __asm__ volatile("" : "+r"(x));
        }
    });
    report("compute-1000");
}

int guest_main(const char *cmdline)
{
    do {
        measure_empty();
        measure_instructions();
        measure_xsetbv();
        measure_plinth();
        measure_compute();
    } while (guest_option(cmdline, "forever"));
    guest_print("bench: done\n");
    return 0;
}
