/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * apic: who gets an IPI: physical and logical destinations in the flat, the cluster and the x2APIC
 * model, shorthands, lowest priority, CPUs whose local APIC is disabled. Have open: SDM,
 * "Determining IPI Destination".
 */
#include "guests/apic/apic.h"

#include "arch/x86/msr.h"

#define VECTOR       0x88
#define HELD         0x41
#define START_VECTOR 0x20

static void nothing(void *arg)
{
    (void)arg;
}

/* Each CPU lets in what waits, so that what has not come will not come. */
static void settle(void)
{
    irq_window();
    for (unsigned i = 1; i < apic_cpus; i++)
        test_true("a CPU answers", cpu_call(i, nothing, NULL));
    irq_window();
}

static void check_to(const char *name, uint32_t destination, uint32_t icr, unsigned want)
{
    unsigned vector = (icr & 0x700) == ICR_NMI ? 2 : icr & 0xff;
    uint32_t before[CPU_MAX];
    unsigned got = 0;
    for (unsigned i = 0; i < apic_cpus; i++)
        before[i] = cpus[i].seen[vector];
    apic_send(destination, icr);
    settle();
    for (unsigned i = 0; i < apic_cpus; i++) {
        got |= cpus[i].seen[vector] != before[i] ? 1u << i : 0;
        test_range(name, cpus[i].seen[vector] - before[i], 0, 1);
    }
    test_equal(name, got, want);
}

/* --- what each CPU sets for itself ---------------------------------------------------------- */

static void set_mode(void *arg)
{
    bool x2apic = arg != NULL;
    if (x2apic && !this_cpu()->x2apic)
        apic_enter_x2apic();
    apic_enable();
}

static void set_flat(void *arg)
{
    (void)arg;
    apic_write(APIC_DFR, 0xffffffff);
    apic_write(APIC_LDR, 1u << (24 + this_cpu()->id));
}

/* Two CPUs a cluster. */
static void set_cluster(void *arg)
{
    uint32_t id = this_cpu()->id;
    (void)arg;
    apic_write(APIC_DFR, 0x0fffffff);
    apic_write(APIC_LDR, (id / 2 << 4 | 1u << id % 2) << 24);
}

static void set_priority(void *arg)
{
    apic_write(APIC_TPR, *(uint32_t *)arg);
}

static void set_spurious(void *arg)
{
    apic_write(APIC_SVR, *(uint32_t *)arg);
}

static void set_enable(void *arg)
{
    uint64_t base = rdmsr(MSR_IA32_APIC_BASE);
    bool on = *(uint32_t *)arg;
    wrmsr(MSR_IA32_APIC_BASE, on ? base | APIC_BASE_ENABLE
                                 : base & ~(APIC_BASE_ENABLE | APIC_BASE_X2APIC));
    if (on && this_cpu()->x2apic)
        apic_enter_x2apic();
    if (on)
        apic_enable();
}

static void on_all(void (*job)(void *arg), void *arg)
{
    job(arg);
    for (unsigned i = 1; i < apic_cpus; i++)
        test_true("a CPU does as told", cpu_call(i, job, arg));
}

void apic_start_others(void)
{
    for (unsigned i = 1; i < apic_cpus; i++)
        test_true("a CPU starts", cpu_start(i, START_VECTOR));
}

/* --- checks --------------------------------------------------------------------------------- */

static void check_physical(unsigned all)
{
    bool x2apic = this_cpu()->x2apic;
    for (unsigned i = 0; i < apic_cpus; i++) {
        check_to("physical", i, VECTOR, 1u << i);
        check_to("physical, level", i, ICR_LEVEL | ICR_ASSERT | VECTOR, 1u << i);
        check_to("physical NMI", i, ICR_NMI | ICR_ASSERT, 1u << i);
        check_to("physical, lowest priority", i, ICR_LOWEST | VECTOR, 1u << i);
    }
    check_to("physical, nobody", apic_cpus, VECTOR, 0);
    check_to("physical, nobody's NMI", 0x7f, ICR_NMI | ICR_ASSERT, 0);
    check_to("physical, broadcast", x2apic ? 0xffffffff : 0xff, VECTOR, all);
    if (x2apic) {
        check_to("physical, FFH is an ID", 0xff, VECTOR, 0);
        check_to("physical, 100H is not 0", 0x100, VECTOR, 0);
        check_to("physical, 1000001H is not 1", 0x1000001, VECTOR, 0);
    }
    for (unsigned i = 0; i < 2; i++) { /* shorthands look at no destination */
        check_to("self", i, ICR_SELF | VECTOR, 1);
        check_to("all", i, ICR_ALL | VECTOR, all);
        check_to("others", i, ICR_OTHERS | VECTOR, all & ~1u);
    }
    check_to("NMI to the others", 0, ICR_OTHERS | ICR_NMI | ICR_ASSERT, all & ~1u);
    check_to("SMI to the others", 0, ICR_OTHERS | ICR_SMI | ICR_ASSERT | VECTOR, 0);
}

static void check_flat(unsigned all)
{
    on_all(set_flat, NULL);
    for (unsigned set = 0; set <= all; set++)
        check_to("flat", set, ICR_LOGICAL | VECTOR, set);
    check_to("flat, broadcast", 0xff, ICR_LOGICAL | VECTOR, all);
    check_to("flat, nobody's bit", 0x80, ICR_LOGICAL | VECTOR, apic_cpus == 8 ? 0x80 : 0);
    check_to("flat, NMI", 6, ICR_LOGICAL | ICR_NMI | ICR_ASSERT, 6 & all);
}

static void check_cluster(unsigned all)
{
    on_all(set_cluster, NULL);
    for (unsigned cluster = 0; cluster * 2 < apic_cpus; cluster++)
        for (unsigned set = 0; set < 16; set++)
            check_to("cluster", cluster << 4 | set, ICR_LOGICAL | VECTOR,
                     (set & 3) << cluster * 2 & all);
    check_to("cluster, one that nobody is in", 0x73, ICR_LOGICAL | VECTOR, 0);
    check_to("cluster, broadcast", 0xff, ICR_LOGICAL | VECTOR, all);
    on_all(set_flat, NULL);
}

static void check_x2apic_logical(unsigned all)
{
    for (unsigned set = 0; set <= all; set++)
        check_to("x2APIC cluster", set, ICR_LOGICAL | VECTOR, set);
    check_to("x2APIC cluster, 8000H", 0x8000, ICR_LOGICAL | VECTOR, 0);
    check_to("x2APIC cluster, another", 0x1ffff, ICR_LOGICAL | VECTOR, 0);
    check_to("x2APIC cluster, broadcast", 0xffffffff, ICR_LOGICAL | VECTOR, all);
}

/* Of several, the one whose processor priority is lowest; of equals any, but one. */
static void check_lowest(unsigned all)
{
    static uint32_t low = 0x00, high = 0x30;
    for (unsigned i = 0; i < 2 * apic_cpus; i++) {
        uint32_t before = 0, after = 0;
        for (unsigned k = 0; k < apic_cpus; k++)
            before += cpus[k].seen[VECTOR];
        apic_send(all, ICR_LOGICAL | ICR_LOWEST | VECTOR);
        settle();
        for (unsigned k = 0; k < apic_cpus; k++)
            after += cpus[k].seen[VECTOR];
        test_equal("lowest priority: one", after - before, 1);
    }
    on_all(set_priority, &high);
    for (unsigned i = 0; i < apic_cpus; i++) {
        if (i)
            cpu_call(i, set_priority, &low);
        else
            set_priority(&low);
        check_to("lowest priority", all, ICR_LOGICAL | ICR_LOWEST | VECTOR, 1u << i);
        if (i)
            cpu_call(i, set_priority, &high);
        else
            set_priority(&high);
    }
    on_all(set_priority, &low);
}

static void check_disabled(void)
{
    static uint32_t soft = 0xff, on = 0x1ff, no, yes = 1;
    bool x2apic = this_cpu()->x2apic;
    test_true("software-disables", cpu_call(1, set_spurious, &soft));
    check_to("to a software-disabled one", 1, VECTOR, 0);
    check_to("NMI to a software-disabled one", 1, ICR_NMI | ICR_ASSERT, 2);
    test_true("software-enables", cpu_call(1, set_spurious, &on));
    check_to("enabled again", 1, VECTOR, 2);
    test_true("disables", cpu_call(1, set_enable, &no));
    check_to("to a disabled one", 1, VECTOR, 0);
    check_to("NMI to a disabled one", 1, ICR_NMI | ICR_ASSERT, 0);
    check_to("broadcast past a disabled one", x2apic ? 0xffffffff : 0xff, VECTOR,
             ((1u << apic_cpus) - 1) & ~2u);
    test_true("enables", cpu_call(1, set_enable, &yes));
    check_to("enabled again", 1, VECTOR, 2);
}

/* --- a CPU that starts again ---------------------------------------------------------------- */

static volatile bool holds;

static void hold_one_back(void *arg)
{
    (void)arg;
    irq_off();
    if (!apic_untouched) { /* off and on: the hypervisor has to do it all, here */
        uint64_t base = rdmsr(MSR_IA32_APIC_BASE);
        if (!this_cpu()->x2apic) {
            wrmsr(MSR_IA32_APIC_BASE, base & ~APIC_BASE_ENABLE);
            wrmsr(MSR_IA32_APIC_BASE, base);
        }
    }
    apic_enable();
    apic_write(APIC_TPR, 0x50);
    apic_send(this_cpu()->id, HELD);
    (void)apic_read(APIC_PPR);
    holds = true;
    for (;;)
        pause();
}

/* INIT takes away what a task priority holds back, and the priority. */
static void check_restart(void)
{
    holds = false;
    cpu_post(1, hold_one_back, NULL);
    while (!holds)
        ;
    wait_us(100);
    uint32_t before = cpus[1].seen[HELD];
    test_true("INIT of one that holds an interrupt back", cpu_start(1, START_VECTOR));
    test_true("it answers", cpu_call(1, set_mode, this_cpu()->x2apic ? &before : NULL));
    test_equal("what was held back is gone", cpus[1].seen[HELD], before);
}

void apic_destinations(void)
{
    unsigned all = (1u << apic_cpus) - 1;
    bool x2apic = this_cpu()->x2apic;
    if (apic_cpus < 4)
        return;
    on_all(set_mode, x2apic ? &all : NULL);
    check_restart();
    check_physical(all);
    if (x2apic) {
        check_x2apic_logical(all);
    } else {
        check_flat(all);
        check_cluster(all);
    }
    check_lowest(all);
    check_disabled();
}
