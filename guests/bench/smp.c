/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench: what one vCPU does to another. The second vCPU runs the other end of each row. Times from
 * one to the other compare their TSCs, which Plinth keeps equal. The rows' names end in what the
 * word "physical" of the command line says: on how many CPUs the two are.
 */
#include "guests/bench/bench.h"
#include "guests/lib/irq.h"

#define TRAMPOLINE 0x08
#define PING       0x41
#define PONG       0x42

static volatile bool finished;
/* The other's APIC ID: with Xen every second one is left out. */
static unsigned other_id = 1;
static volatile uint64_t arrived; /* TSC in the other's handler; 0: not yet */

static void ping(unsigned vector, struct irq_frame *frame)
{
    (void)vector;
    (void)frame;
    arrived = rdtsc();
    apic_write(APIC_EOI, 0);
    apic_send(0, ICR_ASSERT | PONG);
}

static void other_x2apic(void *arg)
{
    (void)arg;
    apic_enter_x2apic();
    apic_enable();
}

static void other_yields(void *arg)
{
    (void)arg;
    while (!finished)
        plinth_YIELD(0);
}

static void other_halts(void *arg)
{
    (void)arg;
    while (!finished) {
        irq_off();
        if (!finished)
            __asm__ volatile("sti\n\thlt" : : : "memory");
    }
    irq_on();
}

static void other_spins(void *arg)
{
    (void)arg;
    while (!finished)
        pause();
}

/* Sends, and sleeps until the answer; on one CPU that lets the other run. */
static uint64_t send_and_halt(void)
{
    uint32_t before = cpus[0].seen[PONG];
    arrived = 0;
    uint64_t at = rdtsc();
    apic_send(other_id, ICR_ASSERT | PING);
    while (cpus[0].seen[PONG] == before)
        __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
    return at;
}

static void measure_ipi(const char *name, unsigned physical, void (*other)(void *))
{
    finished = false;
    cpu_post(other_id, other, NULL);
    for (int i = -WARM_UPS; i < SAMPLES; i++) {
        uint64_t at = send_and_halt();
        if (i >= 0)
            samples[i] = arrived - at;
    }
    finished = true;
    (void)send_and_halt(); /* it may be asleep */
    (void)wait_for(&cpus[other_id].jobs_done, cpus[other_id].jobs_posted, 1000);
    report_pair(name, physical);
}

static void measure_switch(unsigned physical)
{
    finished = false;
    cpu_post(other_id, other_yields, NULL);
    MEASURE(plinth_YIELD(0));
    finished = true;
    for (unsigned i = 0; i < 1000 && !cpu_finished(other_id); i++)
        plinth_YIELD(0);
    report_pair("yield-to-other", physical);
}

void measure_pair(unsigned physical)
{
    irq_init();
    irq_handler[PING] = ping;
    irq_handler[PONG] = irq_eoi;
    apic_enter_x2apic();
    apic_enable();
    cpu_prepare(TRAMPOLINE);
    if (guest_hypervisor_is("XenVMMXenVMM"))
        other_id = 2;
    if (!cpu_start(other_id, TRAMPOLINE) || !cpu_call(other_id, other_x2apic, NULL)) {
        guest_print("bench: the second vCPU did not start\n");
        return;
    }
    if (physical == 1 && guest_on_plinth())
        measure_switch(physical);
    measure_ipi("ipi-halted", physical, other_halts);
    if (physical > 1)
        measure_ipi("ipi-spinning", physical, other_spins);
}
