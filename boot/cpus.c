/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Chooses the CPUs to be started and says what became of them; how it is done is arch/x86/smp.c's.
 * Works without VMX, too: such a machine has a console and no VMs, but all its CPUs. ACPI
 * specification: "Multiple APIC Description Table".
 */
#include "boot/cpus.h"

#include "arch/x86/lapic.h"
#include "arch/x86/percpu.h"
#include "arch/x86/smp.h"
#include "arch/x86/vmx/vmx.h"
#include "boot/platform.h"
#include "core/backend.h"
#include "core/host.h"
#include "core/lib/string.h"
#include "core/log.h"
#include "core/sched.h"

#define SKEW_NOTED_NS  10000
#define PROGRESS_EVERY 32 /* lines for every CPU would be too many */

static uint32_t released;

/* --- on each new CPU --- */

static const char *prepare(void)
{
    return backend ? vmx_init_cpu() : NULL;
}

static NORETURN void run(void)
{
    /* The kick of cpus_release() may come between the look and the HLT: host_idle() opens
     * interrupts only for the HLT, which then ends at once. */
    while (!__atomic_load_n(&released, __ATOMIC_ACQUIRE))
        host_idle(UINT64_MAX);
    if (backend)
        sched_run_other();
    for (;;)
        host_idle(UINT64_MAX);
}

/* --- on the boot CPU --- */

static void report(uint32_t apic_id, const char *why)
{
    if (why)
        log_error("cpu with APIC ID %u is left out: %s", apic_id, why);
    else if (host_cpu_count() % PROGRESS_EVERY == 0)
        log_info("cpus: %u so far", host_cpu_count());
}

/* cpus=N; CPU_MAX without it. */
static unsigned limit(const char *cmdline)
{
    char option[16];
    unsigned n = 0;
    if (!boot_option(cmdline, "cpus", option, sizeof(option)))
        return CPU_MAX;
    const char *s = option;
    for (; *s >= '0' && *s <= '9' && n <= CPU_MAX; s++)
        n = n * 10 + (unsigned)(*s - '0');
    if (*s || n == 0 || n > CPU_MAX) {
        log_warn("cpus=%s: not a number from 1 to %u: all CPUs are started", option, CPU_MAX);
        return CPU_MAX;
    }
    return n;
}

/* The largest distance between a TSC and the boot CPU's that cannot be excluded, in ns. */
static uint64_t worst_skew(void)
{
    uint64_t worst = 0;
    for (unsigned i = 1; i < host_cpu_count(); i++) {
        uint64_t uncertainty;
        int64_t skew = host_cpu_tsc_skew(i, &uncertainty);
        worst = max_u64(worst, (skew < 0 ? -(uint64_t)skew : (uint64_t)skew) + uncertainty);
    }
    return host_tsc_to_ns(worst);
}

static void summarise(unsigned present, unsigned allowed)
{
    if (host_cpu_count() == 1) {
        log_info("cpus: 1 of %u runs", present);
        return;
    }
    log_info("cpus: %u of %u run (%s mode), TSCs within %lu ns of each other%s", host_cpu_count(),
             present, lapic_is_x2apic() ? "x2APIC" : "xAPIC", worst_skew(),
             allowed < present ? "; cpus= allows no more" : "");
    unsigned tscs = 0, mtrrs = 0;
    for (unsigned i = 1; i < host_cpu_count(); i++) {
        tscs += cpu_table[i]->tsc.corrected;
        mtrrs += cpu_table[i]->mtrr_corrected;
    }
    if (worst_skew() > SKEW_NOTED_NS)
        log_warn("cpus: the TSCs could be compared no better: is something below us busy?");
    if (tscs)
        log_warn("cpus: the TSCs of %u were off and have been corrected", tscs);
    if (mtrrs)
        log_info("cpus: the MTRRs of %u differed and follow the boot CPU's now", mtrrs);
}

void cpus_start(const char *cmdline, hpa_t trampoline)
{
    static uint32_t ids[ACPI_CPUS];
    unsigned listed, n = 0, allowed = limit(cmdline);
    const struct acpi_cpu *cpus = platform_cpus(&listed);
    bool found_self = false;
    for (unsigned i = 0; i < listed; i++) {
        if (!cpus[i].enabled)
            continue;
        ids[n++] = cpus[i].apic_id;
        found_self |= cpus[i].apic_id == host_cpu_apic_id(0);
    }
    if (n && !found_self)
        log_warn("acpi: MADT does not know the boot CPU (APIC ID %u)", host_cpu_apic_id(0));
    unsigned present = n + !found_self;
    if (present > 1 && allowed > 1 && (!trampoline.v || !lapic_present()))
        log_error("cpus: only the boot CPU runs: %s", trampoline.v ? "no local APIC"
                  : "no page of memory below 640 KiB for the others to start in");
    else if (present > 1 && allowed > 1)
        smp_start(&(struct smp_start){trampoline, ids, n, allowed, prepare, run, report});
    summarise(present, allowed);
}

void cpus_release(void)
{
    __atomic_store_n(&released, 1, __ATOMIC_RELEASE);
    for (unsigned i = 1; i < host_cpu_count(); i++)
        host_kick(i);
}
