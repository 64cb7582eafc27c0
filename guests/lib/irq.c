/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupt handlers and the local APIC of whoever asks. Have open: SDM, "Advanced Programmable
 * Interrupt Controller (APIC)".
 */
#include "guests/lib/irq.h"

#include "arch/x86/msr.h"

#define GATE (UINT64_C(0x8e) << 40)

extern uint64_t guest_idt[256][2];
extern const char irq_stubs[], irq_nmi_stub[]; /* smp.S; 16 bytes each, from vector 32 */
void irq_dispatch(unsigned vector, struct irq_frame *frame);

irq_fn *irq_handler[256];

static void set_gate(unsigned vector, uint64_t to)
{
    guest_idt[vector][0] = (to & 0xffff) | (uint64_t)GUEST_CODE64 << 16 | GATE
                         | (to & 0xffff0000) << 32;
    guest_idt[vector][1] = to >> 32;
}

void irq_init(void)
{
    struct PACKED {
        uint16_t limit;
        uint64_t base;
    } pointer = {256 * 16 - 1, (uint64_t)guest_idt};
    for (unsigned i = 32; i < 256; i++)
        set_gate(i, (uint64_t)irq_stubs + (i - 32) * 16);
    set_gate(2, (uint64_t)irq_nmi_stub);
    __asm__ volatile("lidt %0" : : "m"(pointer));
    wrmsr(MSR_IA32_GS_BASE, (uint64_t)&cpus[0]);
    /* Bare, a firmware has left the 8259s on vectors that are exceptions'. */
    out8(0x21, 0xff);
    out8(0xa1, 0xff);
}

void irq_dispatch(unsigned vector, struct irq_frame *frame)
{
    struct cpu *cpu = this_cpu();
    cpu->seen[vector]++;
    if (irq_handler[vector])
        irq_handler[vector](vector, frame);
}

void irq_eoi(unsigned vector, struct irq_frame *frame)
{
    (void)vector;
    (void)frame;
    apic_write(APIC_EOI, 0);
}

bool wait_for(const volatile uint32_t *word, uint32_t value, uint32_t ms)
{
    /* In ten parts: whoever is waited for may be about to move the TSC. */
    uint64_t start = rdtsc(), ticks = ms * guest_tsc_khz() / 10;
    for (unsigned parts = 0; *word < value && parts < 10; pause()) {
        if (rdtsc() - start <= ticks)
            continue;
        start = rdtsc();
        parts++;
    }
    return *word >= value;
}

void wait_us(uint64_t us)
{
    uint64_t start = rdtsc(), ticks = us * guest_tsc_khz() / 1000;
    while (rdtsc() - start < ticks)
        pause();
}

/* --- local APIC ----------------------------------------------------------------------------- */

static volatile uint32_t *mapped(unsigned reg)
{
    return (volatile uint32_t *)(uintptr_t)(APIC_BASE_ADDRESS + reg);
}

uint32_t apic_read(unsigned reg)
{
    return this_cpu()->x2apic ? (uint32_t)rdmsr(MSR_IA32_X2APIC_BASE + reg / 16) : *mapped(reg);
}

void apic_write(unsigned reg, uint32_t value)
{
    if (this_cpu()->x2apic)
        wrmsr(MSR_IA32_X2APIC_BASE + reg / 16, value);
    else
        *mapped(reg) = value;
}

void apic_send(uint32_t destination, uint32_t icr)
{
    if (this_cpu()->x2apic) {
        wrmsr(MSR_IA32_X2APIC_BASE + APIC_ICR / 16, (uint64_t)destination << 32 | icr);
        return;
    }
    *mapped(APIC_ICR_HIGH) = destination << 24;
    *mapped(APIC_ICR) = icr;
    while (*mapped(APIC_ICR) & ICR_BUSY)
        pause();
}

void apic_enable(void)
{
    apic_write(APIC_TPR, 0);
    apic_write(APIC_SVR, SVR_ENABLE | 0xff);
}

void apic_enter_x2apic(void)
{
    wrmsr(MSR_IA32_APIC_BASE, rdmsr(MSR_IA32_APIC_BASE) | APIC_BASE_ENABLE | APIC_BASE_X2APIC);
    this_cpu()->x2apic = true;
}

void apic_leave_x2apic(void)
{
    uint64_t base = rdmsr(MSR_IA32_APIC_BASE) & ~(APIC_BASE_ENABLE | APIC_BASE_X2APIC);
    wrmsr(MSR_IA32_APIC_BASE, base);
    wrmsr(MSR_IA32_APIC_BASE, base | APIC_BASE_ENABLE);
    this_cpu()->x2apic = false;
}

bool apic_bit(unsigned set, uint8_t vector)
{
    return apic_read(set + vector / 32u * 16) >> vector % 32 & 1;
}
