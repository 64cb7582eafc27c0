/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TSC calibration. The measurement is the truth: Bochs' leaf 15h claims a rate which its TSC does
 * not have, and hypervisors under us may do the same. SDM: "Time-Stamp Counter"; 8254 data sheet.
 */
#include "arch/x86/tsc.h"

#include "arch/x86/insn.h"

#define PIT_HZ       1193182u
#define PIT_CHANNEL2 0x42
#define PIT_COMMAND  0x43
#define PORT_B       0x61
#define PM_TIMER_HZ  3579545u
#define MEASURE_MS   10
/* How long to believe that a clock which does not move is dead, in TSC ticks. */
#define GIVE_UP      UINT64_C(2000000000)

static uint64_t khz, start;
/* Fixed point, as fine as 64 bits allow for 1 MHz to 16 GHz: an hour is exact to a few ticks. */
#define NS_SHIFT   44
#define TICK_SHIFT 40
static uint64_t ns_per_tick, ticks_per_ns;
static const char *source = "nothing";

/* Counts TSC ticks while channel 2 counts MEASURE_MS down in mode 0. 0 when it never ends. */
static uint64_t measure_pit(void)
{
    uint32_t count = PIT_HZ * MEASURE_MS / 1000;
    uint8_t port_b = in8(PORT_B);
    out8(PORT_B, (uint8_t)((port_b & ~2u) | 1));
    out8(PIT_COMMAND, 0xb0);
    out8(PIT_CHANNEL2, (uint8_t)count);
    out8(PIT_CHANNEL2, (uint8_t)(count >> 8));
    uint64_t begin = rdtsc(), end = begin;
    while (!(in8(PORT_B) & 0x20) && end - begin < GIVE_UP)
        end = rdtsc();
    out8(PORT_B, port_b);
    if (end - begin >= GIVE_UP || end == begin)
        return 0;
    return (end - begin) * PIT_HZ / count / 1000;
}

static uint64_t measure_pm_timer(uint16_t port)
{
    uint32_t want = PM_TIMER_HZ * MEASURE_MS / 1000, first = in32(port), passed = 0;
    uint64_t begin = rdtsc(), end = begin;
    while (passed < want && end - begin < GIVE_UP) {
        passed = (in32(port) - first) & 0xffffff;
        end = rdtsc();
    }
    if (passed < want)
        return 0;
    return (end - begin) * PM_TIMER_HZ / passed / 1000;
}

static uint64_t cpuid_khz(void)
{
    if (cpuid(0, 0).eax < 0x15)
        return 0;
    struct cpuid_regs r = cpuid(0x15, 0);
    if (!r.eax || !r.ebx || !r.ecx)
        return 0;
    return (uint64_t)r.ecx * r.ebx / r.eax / 1000;
}

static bool agrees(uint64_t a, uint64_t b)
{
    uint64_t diff = a > b ? a - b : b - a;
    return diff <= b / 100;
}

void tsc_init(uint16_t pm_timer_port)
{
    start = rdtsc();
    uint64_t claimed = cpuid_khz(), measured = 0;
    if (pm_timer_port && in32(pm_timer_port) != 0xffffffff) {
        measured = measure_pm_timer(pm_timer_port);
        source = "ACPI PM timer";
    }
    if (!measured) {
        measured = measure_pit();
        source = "PIT";
    }
    if (claimed && measured && agrees(claimed, measured)) {
        measured = claimed;
        source = "CPUID 15h, confirmed by measurement";
    }
    if (!measured) {
        measured = claimed ? claimed : 1000000;
        source = claimed ? "CPUID 15h, unconfirmed" : "a guess";
    }
    khz = measured;
    ns_per_tick = (UINT64_C(1000000) << NS_SHIFT) / khz;
    ticks_per_ns = (khz << TICK_SHIFT) / 1000000;
}

uint64_t tsc_khz(void)
{
    return khz;
}

const char *tsc_source(void)
{
    return source;
}

uint64_t tsc_at_start(void)
{
    return start;
}

/* Saturates: "never" stays never. */
static uint64_t scale(uint64_t v, uint64_t factor, unsigned shift)
{
    unsigned __int128 r = (unsigned __int128)v * factor >> shift;
    return r > UINT64_MAX ? UINT64_MAX : (uint64_t)r;
}

/* What has passed is nowhere near "never". */
uint64_t tsc_ns_since(uint64_t begin)
{
    return (uint64_t)((unsigned __int128)(rdtsc() - begin) * ns_per_tick >> NS_SHIFT);
}

uint64_t tsc_to_ns(uint64_t ticks)
{
    return scale(ticks, ns_per_tick, NS_SHIFT);
}

uint64_t tsc_from_ns(uint64_t ns)
{
    return scale(ns, ticks_per_ns, TICK_SHIFT);
}
