/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * irq: interrupts from their lines to their handlers: I/O APIC, 8259s, timers and UART, and at
 * which instruction one is taken. Needs `devices = +testdev`. Exit status: the number of checks
 * that failed (at most 200).
 */
#include "guests/irq/irq_guest.h"

#define IOAPIC     UINT64_C(0xfec00000)
#define LINES_PORT 0x2000
#define WATCHDOG   0xf0

volatile uint32_t logged;
uint8_t log_vector[LOG_MAX];
uint64_t log_rip;

void irqs_log(void)
{
    logged = 0;
    log_rip = 0;
}

void log_only(unsigned vector, struct irq_frame *frame)
{
    if (logged == 0)
        log_rip = frame->rip;
    if (logged < LOG_MAX)
        log_vector[logged] = (uint8_t)vector;
    logged++;
}

void log_apic(unsigned vector, struct irq_frame *frame)
{
    log_only(vector, frame);
    apic_write(APIC_EOI, 0);
}

void log_pic(unsigned vector, struct irq_frame *frame)
{
    log_only(vector, frame);
    if (vector >= 0x38)
        out8(0xa0, 0x20);
    out8(0x20, 0x20);
}

static volatile uint32_t *ioapic(unsigned offset)
{
    return (volatile uint32_t *)(uintptr_t)(IOAPIC + offset);
}

uint32_t ioapic_read(unsigned reg)
{
    *ioapic(0) = reg;
    return *ioapic(0x10);
}

void ioapic_write(unsigned reg, uint32_t value)
{
    *ioapic(0) = reg;
    *ioapic(0x10) = value;
}

void ioapic_route(unsigned pin, uint32_t low, uint32_t destination)
{
    ioapic_write(0x10 + 2 * pin, IOAPIC_MASKED);
    ioapic_write(0x11 + 2 * pin, destination << 24);
    ioapic_write(0x10 + 2 * pin, low);
}

uint32_t ioapic_entry(unsigned pin)
{
    return ioapic_read(0x10 + 2 * pin);
}

void line_set(unsigned n, bool level)
{
    out8((uint16_t)(LINES_PORT + n), level);
}

/* The local APIC's timer keeps HLT from lasting forever. */
bool await_logged(uint32_t n)
{
    uint64_t start = rdtsc(), limit = 2500 * guest_tsc_khz();
    irq_handler[WATCHDOG] = irq_eoi;
    apic_write(APIC_DIVIDE, 0xb);
    apic_write(APIC_LVT_TIMER, LVT_PERIODIC | WATCHDOG);
    apic_write(APIC_INITIAL, (uint32_t)(100 * guest_tsc_khz()));
    while (logged < n && rdtsc() - start < limit)
        __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
    apic_write(APIC_INITIAL, 0);
    apic_write(APIC_LVT_TIMER, LVT_MASKED);
    return logged >= n;
}

int guest_main(const char *cmdline)
{
    (void)cmdline;
    test_begin("irq");
    irq_init();
    apic_enable();
    apic_write(APIC_LVT_LINT0, LVT_MASKED);
    test_mode("windows");
    irq_windows();
    test_mode("faults");
    irq_faults();
    test_mode("debug");
    irq_debug();
    test_mode("I/O APIC");
    irq_ioapic();
    test_mode("8259");
    irq_pic();
    irq_pic_modes();
    test_mode("8254");
    irq_pit();
    test_mode("timers");
    irq_timers();
    return test_end();
}
