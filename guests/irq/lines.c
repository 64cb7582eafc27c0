/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * irq: from a line to the CPU: the I/O APIC's redirection entries and the 8259s, with the lines of
 * the test device. Have open: data sheets "82093AA" and "8259A".
 */
#include "guests/irq/irq_guest.h"

#define VECTOR    0x61
#define ELCR      0x4d0

/* --- I/O APIC ------------------------------------------------------------------------------- */

static void check_pins(void)
{
    for (unsigned n = 0; n < 24; n++) {
        if (n < 5 || n == 8 || n == 9)
            continue; /* other devices' */
        irqs_log();
        irq_handler[0x80 + n] = log_apic;
        ioapic_route(n, 0x80 + n, 0);
        line_set(n, true);
        irq_window();
        test_equal("edge: it comes", logged, 1);
        test_equal("edge: its vector", log_vector[0], 0x80 + n);
        irq_window();
        line_set(n, false);
        irq_window();
        test_equal("edge: once", logged, 1);
        test_equal("edge: no remote IRR", ioapic_entry(n), 0x80 + n);
        ioapic_route(n, IOAPIC_MASKED, 0);
        line_set(n, true);
        line_set(n, false);
        ioapic_route(n, 0x80 + n, 0);
        irq_window();
        test_equal("edge: lost while masked", logged, 1);
        ioapic_route(n, IOAPIC_MASKED, 0);
    }
}

/* The handler lowers the line as a driver would. */
static void log_and_lower(unsigned vector, struct irq_frame *frame)
{
    log_only(vector, frame);
    if (logged >= 3)
        line_set(20, false);
    test_true("level: TMR", apic_bit(APIC_TMR, (uint8_t)vector));
    test_equal("level: remote IRR", ioapic_entry(20) & IOAPIC_REMOTE_IRR, IOAPIC_REMOTE_IRR);
    apic_write(APIC_EOI, 0);
}

static void check_level(void)
{
    irqs_log();
    irq_handler[VECTOR] = log_and_lower;
    ioapic_route(20, IOAPIC_LEVEL | VECTOR, 0);
    line_set(20, true);
    test_equal("level: remote IRR", ioapic_entry(20) & IOAPIC_REMOTE_IRR, IOAPIC_REMOTE_IRR);
    irq_on();
    wait_us(50);
    irq_off();
    test_equal("level: until the line is low", logged, 3);
    test_equal("level: no remote IRR at the end", ioapic_entry(20), IOAPIC_LEVEL | VECTOR);
    /* Masked while it is high; it comes when that ends. */
    irqs_log();
    irq_handler[VECTOR] = log_only;
    ioapic_route(20, IOAPIC_MASKED | IOAPIC_LEVEL | VECTOR, 0);
    line_set(20, true);
    irq_window();
    test_equal("level: masked", logged, 0);
    ioapic_route(20, IOAPIC_LEVEL | VECTOR, 0);
    irq_window();
    test_equal("level: unmasked", logged, 1);
    irq_window();
    test_equal("level: not again before its EOI", logged, 1);
    apic_write(APIC_EOI, 0);
    irq_window();
    test_equal("level: again behind its EOI", logged, 2);
    /* EOI broadcasts suppressed: the I/O APIC's own EOI register does it. */
    apic_write(APIC_SVR, 0x11ff);
    apic_write(APIC_EOI, 0);
    irq_window();
    test_equal("no broadcast: not again", logged, 2);
    test_equal("no broadcast: remote IRR", ioapic_entry(20) & IOAPIC_REMOTE_IRR,
               IOAPIC_REMOTE_IRR);
    *(volatile uint32_t *)(uintptr_t)0xfec00040 = VECTOR + 1;
    irq_window();
    test_equal("EOI register: another vector", logged, 2);
    line_set(20, false);
    *(volatile uint32_t *)(uintptr_t)0xfec00040 = VECTOR;
    irq_window();
    test_equal("EOI register: the line is low", logged, 2);
    test_equal("EOI register: no remote IRR", ioapic_entry(20) & IOAPIC_REMOTE_IRR, 0);
    apic_write(APIC_SVR, 0x1ff);
    ioapic_route(20, IOAPIC_MASKED, 0);
}

static void pulse(unsigned n)
{
    line_set(n, true);
    line_set(n, false);
}

/* One edge of pin 21 with this entry: how many interrupts there are then. */
static void check_pulse(const char *what, uint32_t entry, uint8_t to, unsigned count)
{
    ioapic_route(21, entry, to);
    pulse(21);
    irq_window();
    test_equal(what, logged, count);
}

static void check_modes(void)
{
    uint32_t nmis = this_cpu()->seen[2];
    irqs_log();
    irq_handler[VECTOR] = log_apic;
    ioapic_route(21, 0x400 | VECTOR, 0);
    pulse(21);
    __asm__ volatile("nop");
    test_equal("delivery mode NMI", this_cpu()->seen[2], nmis + 1);
    check_pulse("delivery mode SMI", 0x200, 0, 0);
    check_pulse("lowest priority", 0x100 | VECTOR, 0, 1);
    check_pulse("nobody's ID", VECTOR, 7, 1);
    check_pulse("broadcast", VECTOR, 0xff, 2);
    apic_write(APIC_LDR, 0x04000000);
    check_pulse("logical destination", 0x800 | VECTOR, 4, 3);
    check_pulse("another logical destination", 0x800 | VECTOR, 8, 3);
    ioapic_route(21, IOAPIC_MASKED, 0);
}

void irq_ioapic(void)
{
    test_equal("version", ioapic_read(1), 0x00170020);
    test_equal("ID", ioapic_read(0), 0);
    for (unsigned n = 0; n < 24; n++)
        test_equal("masked at the start", ioapic_entry(n) & IOAPIC_MASKED, IOAPIC_MASKED);
    check_pins();
    check_level();
    check_modes();
}

/* --- 8259s ---------------------------------------------------------------------------------- */

void pics_start(uint8_t icw4)
{
    out8(0x20, 0x11);
    out8(0xa0, 0x11);
    out8(0x21, PIC_BASE);
    out8(0xa1, PIC_BASE + 8);
    out8(0x21, 4);
    out8(0xa1, 2);
    out8(0x21, icw4);
    out8(0xa1, 1);
    out8(0x21, 0x1b); /* 2, 5, 6, 7 */
    out8(0xa1, 0xe3); /* 10, 11, 12 */
}

uint8_t pic_read(uint16_t port, uint8_t ocw3)
{
    out8(port, ocw3);
    return in8(port);
}

/* From IRQ 6's handler others knock. */
static void nest_pic(unsigned vector, struct irq_frame *frame)
{
    log_only(vector, frame);
    test_equal("ISR", pic_read(0x20, 0x0b), 0x40);
    pulse(7);
    line_set(5, true);
    line_set(10, true);
    irq_window(); /* 10 is above 5 is above 6 is above 7 */
    out8(0x20, 0x20);
}

static void log_slave(unsigned vector, struct irq_frame *frame)
{
    if (vector == PIC_BASE + 10) {
        test_equal("slave's ISR", pic_read(0xa0, 0x0b), 0x04);
        test_equal("master's ISR", pic_read(0x20, 0x0b) & 4, 4);
        line_set(10, false);
    } else {
        line_set(5, false);
    }
    log_pic(vector, frame);
}

static void check_log(const char *name, const uint8_t *want, unsigned n)
{
    test_equal(name, logged, n);
    for (unsigned i = 0; i < n && i < logged; i++)
        test_equal(name, log_vector[i], want[i]);
    irqs_log();
}

static void check_priorities(void)
{
    static const uint8_t nested[] = {0x36, 0x3a, 0x35};
    static const uint8_t order[] = {0x3a, 0x3b, 0x35, 0x36, 0x37};
    static const unsigned raised[] = {7, 5, 11, 6, 10};
    irq_handler[0x36] = nest_pic;
    irq_handler[0x35] = irq_handler[0x3a] = log_slave;
    irq_handler[0x37] = irq_handler[0x3b] = log_pic;
    irqs_log();
    line_set(6, true);
    irq_window();
    line_set(6, false);
    check_log("nested", nested, 3);
    irq_handler[0x35] = irq_handler[0x36] = irq_handler[0x3a] = log_pic;
    for (unsigned i = 0; i < ARRAY_LEN(raised); i++)
        line_set(raised[i], true);
    test_equal("master's IRR", pic_read(0x20, 0x0a), 0xe4);
    test_equal("slave's IRR", pic_read(0xa0, 0x0a), 0x0c);
    irq_on();
    wait_us(50);
    irq_off();
    for (unsigned i = 0; i < ARRAY_LEN(raised); i++)
        line_set(raised[i], false);
    check_log("order of priority", order, 5);
    /* One that is gone before anybody has asked. */
    pulse(5);
    irq_window();
    check_log("edge that is over", NULL, 0);
}

static void check_commands(void)
{
    static const uint8_t five[] = {0x35}, rotated[] = {0x36, 0x35};
    irq_handler[0x35] = irq_handler[0x36] = log_only;
    line_set(5, true);
    irq_window();
    line_set(5, false);
    test_equal("in service without EOI", pic_read(0x20, 0x0b), 0x20);
    line_set(6, true);
    irq_window();
    check_log("holds lower ones back", five, 1);
    out8(0x20, 0x65); /* specific EOI of 5 */
    test_equal("specific EOI", pic_read(0x20, 0x0b), 0);
    irq_window();
    line_set(6, false);
    test_equal("then the lower one", logged, 1);
    out8(0x20, 0x66);
    irqs_log();
    /* Rotated: 5 is the lowest, 6 the highest. */
    irq_handler[0x35] = irq_handler[0x36] = log_pic;
    out8(0x20, 0xc5);
    line_set(5, true);
    line_set(6, true);
    irq_on();
    wait_us(20);
    irq_off();
    line_set(5, false);
    line_set(6, false);
    check_log("rotated priorities", rotated, 2);
    out8(0x20, 0xc7);
    /* Polling instead of an interrupt. */
    test_equal("poll: nothing", pic_read(0x20, 0x0c) & 0x80, 0);
    line_set(6, true);
    test_equal("poll: IRQ 6", pic_read(0x20, 0x0c), 0x86);
    test_equal("poll: in service", pic_read(0x20, 0x0b), 0x40);
    irq_window();
    test_equal("poll: no interrupt", logged, 0);
    line_set(6, false);
    out8(0x20, 0x20);
    out8(0x21, 0xff);
    line_set(6, true);
    irq_window();
    test_equal("masked", logged, 0);
    line_set(6, false);
    out8(0x21, 0x1b);
}

static void log_pic_and_lower(unsigned vector, struct irq_frame *frame)
{
    if (logged == 2)
        line_set(5, false);
    log_pic(vector, frame);
}

static void check_trigger_modes(void)
{
    irq_handler[0x35] = log_pic_and_lower;
    out8(ELCR, 0x20);
    test_equal("ELCR", in8(ELCR), 0x20);
    line_set(5, true);
    irq_on();
    wait_us(50);
    irq_off();
    test_equal("level: until the line is low", logged, 3);
    out8(ELCR, 0);
    irqs_log();
    pics_start(3); /* automatic EOI */
    irq_handler[0x35] = log_only;
    line_set(5, true);
    irq_window();
    line_set(5, false);
    test_equal("automatic EOI: nothing in service", pic_read(0x20, 0x0b), 0);
    test_equal("automatic EOI: one", logged, 1);
    line_set(5, true);
    irq_window();
    line_set(5, false);
    test_equal("automatic EOI: another", logged, 2);
    pics_start(1);
    irqs_log();
}

/* The way to the CPU: LINT0 as ExtINT, open or masked. */
static void check_lint0(void)
{
    irqs_log();
    irq_handler[0x35] = log_pic;
    apic_write(APIC_LVT_LINT0, LVT_MASKED | 0x700);
    line_set(5, true);
    irq_window();
    test_equal("LINT0 masked", logged, 0);
    apic_write(APIC_LVT_LINT0, 0x700);
    irq_window();
    test_equal("LINT0 open", logged, 1);
    line_set(5, false);
    test_true("ExtINT is not in the local APIC", !apic_bit(APIC_ISR, 0x35));
    /* As a fixed interrupt LINT0 has its own vector, and the 8259s are not asked. */
    irqs_log();
    irq_handler[VECTOR] = log_apic;
    apic_write(APIC_LVT_LINT0, VECTOR);
    line_set(5, true);
    irq_window();
    test_equal("LINT0 fixed", logged, 1);
    test_equal("LINT0 fixed: vector", log_vector[0], VECTOR);
    line_set(5, false);
    apic_write(APIC_LVT_LINT0, 0x700);
    irqs_log();
}

void irq_pic(void)
{
    pics_start(1);
    apic_write(APIC_LVT_LINT0, 0x700);
    check_lint0();
    check_priorities();
    check_commands();
    check_trigger_modes();
    out8(0x21, 0xff);
    out8(0xa1, 0xff);
    apic_write(APIC_LVT_LINT0, LVT_MASKED);
}
