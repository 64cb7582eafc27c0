/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other CPUs: started by INIT and start-up IPI through a trampoline in low memory, they wait
 * for jobs in a loop that needs nothing of what is being tested but memory. Have open: SDM,
 * "Multiple-Processor Initialization".
 */
#include "guests/lib/irq.h"

#include "arch/x86/msr.h"
#include "core/lib/string.h"

#define PATIENCE_MS 1000

extern const char smp_trampoline[], smp_trampoline_end[], smp_report[];
extern uint64_t guest_idt[256][2];
void smp_main(uint32_t id, const char *page);

struct cpu cpus[CPU_MAX];

unsigned cpu_count(void)
{
    return cpuid(1, 0).ebx >> 16 & 0xff;
}

/* On the stack that smp.S has chosen by the APIC ID. */
NORETURN void smp_main(uint32_t id, const char *page)
{
    struct cpu *cpu = &cpus[id];
    struct PACKED {
        uint16_t limit;
        uint64_t base;
    } pointer = {256 * 16 - 1, (uint64_t)guest_idt};
    __asm__ volatile("lidt %0" : : "m"(pointer));
    wrmsr(MSR_IA32_GS_BASE, (uint64_t)cpu);
    memcpy(&cpu->start, page + (smp_report - smp_trampoline), sizeof(cpu->start));
    cpu->id = id;
    cpu->x2apic = rdmsr(MSR_IA32_APIC_BASE) & APIC_BASE_X2APIC;
    cpu->jobs_done = cpu->jobs_posted; /* an INIT may have ended the last one */
    __atomic_add_fetch(&cpu->starts, 1, __ATOMIC_SEQ_CST);
    irq_on();
    for (;;) {
        cpu->beats++;
        if (cpu->jobs_done == cpu->jobs_posted) {
            pause();
            continue;
        }
        cpu->job(cpu->arg);
        irq_on();
        __atomic_add_fetch(&cpu->jobs_done, 1, __ATOMIC_SEQ_CST); /* the next may come at once */
    }
}

void cpu_prepare(uint8_t vector)
{
    memcpy((char *)((uintptr_t)vector << 12), smp_trampoline,
           (size_t)(smp_trampoline_end - smp_trampoline));
}

bool cpu_start(unsigned id, uint8_t vector)
{
    uint32_t before = cpus[id].starts;
    cpu_prepare(vector);
    apic_send(id, ICR_INIT | ICR_ASSERT);
    wait_us(20);
    apic_send(id, ICR_STARTUP | ICR_ASSERT | vector);
    return wait_for(&cpus[id].starts, before + 1, PATIENCE_MS);
}

void cpu_post(unsigned id, void (*job)(void *arg), void *arg)
{
    cpus[id].arg = arg;
    cpus[id].job = job;
    __atomic_add_fetch(&cpus[id].jobs_posted, 1, __ATOMIC_SEQ_CST);
}

bool cpu_finished(unsigned id)
{
    return cpus[id].jobs_done == cpus[id].jobs_posted;
}

bool cpu_call(unsigned id, void (*job)(void *arg), void *arg)
{
    cpu_post(id, job, arg);
    return wait_for(&cpus[id].jobs_done, cpus[id].jobs_posted, PATIENCE_MS);
}
