/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * irq: what the PC's own timers and its UART do with their lines: PIT at several rates, RTC, COM1.
 * Compared with the TSC; others may run beside, so ticks may be late and merged, never early. Have
 * open: data sheets "8254", "MC146818A", "16550D".
 */
#include "guests/irq/irq_guest.h"

#define VECTOR 0x71
#define PIT_HZ UINT64_C(1193182)
#define COM1   0x3f8

static uint64_t hz, late;

static void pit(uint8_t mode, uint16_t count)
{
    out8(0x43, (uint8_t)(0x30 | mode << 1));
    out8(0x40, (uint8_t)count);
    out8(0x40, (uint8_t)(count >> 8));
}

static void check_pit(void)
{
    static const uint16_t counts[] = {1193, 2386, 5966, 11932};
    irq_handler[VECTOR] = log_apic;
    ioapic_route(2, VECTOR, 0);
    for (unsigned i = 0; i < ARRAY_LEN(counts); i++) {
        for (uint8_t mode = 2; mode <= 3; mode++) {
            uint64_t period = counts[i] * hz / PIT_HZ, start = rdtsc();
            irqs_log();
            pit(mode, counts[i]);
            irqs_log();
            test_true("PIT: ticks", await_logged(10));
            test_range("PIT: ten periods", rdtsc() - start, 9 * period, 11 * period + late);
        }
    }
    uint64_t start = rdtsc(), wait = 3000 * hz / PIT_HZ;
    pit(0, 3000);
    irq_window();
    irqs_log();
    test_true("PIT: mode 0", await_logged(1));
    test_range("PIT: mode 0 is not early", rdtsc() - start, wait, wait + late);
    irq_on();
    wait_us(5000);
    irq_off();
    test_equal("PIT: mode 0 once", logged, 1);
    ioapic_route(2, IOAPIC_MASKED, 0);
    /* The same through the 8259. */
    out8(0x21, 0xfe);
    apic_write(APIC_LVT_LINT0, 0x700);
    irq_handler[0x30] = log_pic;
    pit(2, 1193);
    irqs_log();
    test_true("PIT: through the 8259", await_logged(5));
    test_equal("PIT: its vector", log_vector[0], 0x30);
    out8(0x21, 0xff);
    apic_write(APIC_LVT_LINT0, LVT_MASKED);
    pit(0, 0);
}

/* --- RTC ------------------------------------------------------------------------------------ */

static uint8_t rtc_flags;

static uint8_t rtc_read(uint8_t reg)
{
    out8(0x70, reg);
    return in8(0x71);
}

static void rtc_write(uint8_t reg, uint8_t value)
{
    out8(0x70, reg);
    out8(0x71, value);
}

/* The line stays up until register C is read. */
static void log_rtc(unsigned vector, struct irq_frame *frame)
{
    rtc_flags |= rtc_read(0xc);
    log_apic(vector, frame);
}

static void check_rtc(void)
{
    uint64_t period = hz / 1024;
    irq_handler[VECTOR] = log_rtc;
    ioapic_route(8, VECTOR, 0);
    rtc_write(0xa, 0x26); /* 1024 a second */
    rtc_write(0xb, 0x42); /* periodic, 24 hours */
    (void)rtc_read(0xc);
    irq_window(); /* one from before that waits */
    irqs_log();
    rtc_flags = 0;
    uint64_t start = rdtsc();
    test_true("RTC: periodic", await_logged(20));
    test_range("RTC: 20 periods", rdtsc() - start, 18 * period, 21 * period + late);
    test_equal("RTC: its flags", rtc_flags & 0xc0, 0xc0);
    rtc_write(0xb, 0x12); /* update-ended */
    (void)rtc_read(0xc);
    irq_window(); /* one from before that waits */
    irqs_log();
    rtc_flags = 0;
    test_true("RTC: update", await_logged(1));
    start = rdtsc();
    uint8_t second = rtc_read(0);
    test_true("RTC: next update", await_logged(2));
    test_range("RTC: a second", rdtsc() - start, hz * 9 / 10, hz * 11 / 10 + late);
    test_true("RTC: the second is another", rtc_read(0) != second);
    test_equal("RTC: its flags", rtc_flags & 0x90, 0x90);
    rtc_write(0xb, 0x02);
    (void)rtc_read(0xc);
    ioapic_route(8, IOAPIC_MASKED, 0);
}

/* --- UART ----------------------------------------------------------------------------------- */

static void check_uart(void)
{
    irq_handler[VECTOR] = log_apic;
    ioapic_route(4, VECTOR, 0);
    irqs_log();
    while (!(in8(COM1 + 5) & 0x40))
        pause();
    uint8_t mcr = in8(COM1 + 4);
    out8(COM1 + 4, mcr | 8);  /* OUT2 lets it through */
    out8(COM1 + 1, 2);        /* transmitter empty */
    test_true("COM1: transmitter empty", await_logged(1));
    test_equal("COM1: why", in8(COM1 + 2) & 0x0f, 2);
    test_equal("COM1: reading that ends it", in8(COM1 + 2) & 0x0f, 1);
    out8(COM1, '\n');
    test_true("COM1: empty again", await_logged(2));
    out8(COM1 + 1, 0);
    out8(COM1 + 4, mcr & ~8);
    irqs_log();
    out8(COM1 + 1, 2);
    irq_window();
    test_equal("COM1: without OUT2", logged, 0);
    out8(COM1 + 1, 0);
    ioapic_route(4, IOAPIC_MASKED, 0);
}

void irq_timers(void)
{
    hz = guest_tsc_khz() * 1000;
    late = hz / 4;
    check_pit();
    check_rtc();
    check_uart();
}
