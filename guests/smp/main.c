/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smp: several CPUs, from their start to sleeping and waking each other, and one time for all of
 * them. Needs `cpus = 2` to 8. Words: rounds=N, of the longer checks; x2apic, the same in x2APIC
 * mode. Exit status: the number of checks that failed (at most 200).
 */
#include "guests/smp/smp.h"

unsigned smp_count;
uint32_t smp_rounds;

int guest_main(const char *cmdline)
{
    bool x2apic = guest_option(cmdline, "x2apic");
    test_begin("smp");
    smp_rounds = (uint32_t)guest_option_number(cmdline, "rounds", 1000);
    smp_count = cpu_count();
    test_range("CPUs by CPUID", smp_count, 2, CPU_MAX);
    if (test_failures())
        return test_end();
    irq_init();
    if (x2apic)
        apic_enter_x2apic();
    test_mode(x2apic ? "x2APIC" : "xAPIC");
    apic_enable();
    smp_starts();
    if (!test_failures()) {
        smp_ipis();
        smp_time();
        smp_wake_ups();
        smp_restarts();
    }
    guest_print("smp: %u CPUs%s: ", smp_count, x2apic ? " in x2APIC mode" : "");
    return test_end();
}
