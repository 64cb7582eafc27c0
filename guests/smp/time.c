/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smp: one TSC for all CPUs. Each reads it when it is its turn and compares with what the one
 * before has read; and a write on one moves it on all (docs/abi.md). Have open: SDM, "Time-Stamp
 * Counter".
 */
#include "guests/smp/smp.h"

#include "arch/x86/msr.h"

static uint64_t last;
static uint32_t backwards;
static volatile uint32_t turn;

static void read_in_turn(uint32_t me)
{
    while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) % smp_count != me)
        pause();
    uint64_t now = rdtsc();
    if (now < last)
        backwards++;
    last = now;
    __atomic_add_fetch(&turn, 1, __ATOMIC_RELEASE);
}

static void read_many(void *arg)
{
    (void)arg;
    for (uint32_t i = 0; i < smp_rounds; i++)
        read_in_turn(this_cpu()->id);
}

static void check_order(void)
{
    irq_on();
    for (unsigned i = 1; i < smp_count; i++)
        cpu_post(i, read_many, NULL);
    read_many(NULL);
    test_true("all have read", wait_for(&turn, smp_count * smp_rounds, 10000));
    irq_off();
    test_equal("the TSC goes back between CPUs", backwards, 0);
}

static uint64_t adjust, tsc;

static void read_time(void *arg)
{
    (void)arg;
    adjust = rdmsr(MSR_IA32_TSC_ADJUST);
    tsc = rdtsc();
}

static void set_adjust(void *arg)
{
    wrmsr(MSR_IA32_TSC_ADJUST, *(uint64_t *)arg);
}

static void set_tsc(void *arg)
{
    wrmsr(MSR_IA32_TSC, *(uint64_t *)arg);
}

static void check_moved(const char *name, uint64_t want_adjust, uint64_t at_least)
{
    uint64_t second = guest_tsc_khz() * 1000;
    for (unsigned i = 1; i < smp_count; i++) {
        test_true("reads its time", cpu_call(i, read_time, NULL));
        test_equal(name, adjust, want_adjust);
        test_range(name, tsc, at_least, at_least + 10 * second);
    }
    test_equal(name, rdmsr(MSR_IA32_TSC_ADJUST), want_adjust);
    test_range(name, rdtsc(), at_least, at_least + 10 * second);
}

static void check_adjust(void)
{
    uint64_t hour = guest_tsc_khz() * 3600000, value = hour, before = rdtsc();
    test_equal("TSC_ADJUST at the start", rdmsr(MSR_IA32_TSC_ADJUST), 0);
    irq_on();
    wrmsr(MSR_IA32_TSC_ADJUST, hour);
    check_moved("TSC_ADJUST set on CPU 0", hour, before + hour);
    value = 2 * hour;
    test_true("sets TSC_ADJUST", cpu_call(smp_count - 1, set_adjust, &value));
    check_moved("TSC_ADJUST set on another", value, before + value);
    /* Setting the TSC shows in TSC_ADJUST, by as much. */
    value = 5 * hour;
    test_true("sets the TSC", cpu_call(1, set_tsc, &value));
    check_moved("TSC set on another", rdmsr(MSR_IA32_TSC_ADJUST), value);
    test_range("TSC_ADJUST follows", rdmsr(MSR_IA32_TSC_ADJUST), 4 * hour, 5 * hour);
    wrmsr(MSR_IA32_TSC_ADJUST, 0);
    check_moved("TSC_ADJUST back to 0", 0, before);
    irq_off();
}

void smp_time(void)
{
    check_order();
    if (guest_on_plinth())
        check_adjust();
}
