/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * irq: the 8259s' rarer modes: special mask, rotation, special fully nested, polling of the slave,
 * requests that are withdrawn. Have open: data sheet "8259A", "Operation Command Words".
 */
#include "guests/irq/irq_guest.h"

#define MASTER 0x20
#define SLAVE  0xa0
#define IRR    0x0a
#define ISR    0x0b
#define POLL   0x0c
#define EOI    0x20

/* Lines up, all that comes logged without an EOI, lines down again. */
static void raise(uint32_t lines, bool eoi)
{
    for (unsigned n = 0; n < 16; n++) {
        irq_handler[PIC_BASE + n] = eoi ? log_pic : log_only;
        if (lines & BIT(n))
            line_set(n, true);
    }
    irq_on();
    wait_us(30);
    irq_off();
    for (unsigned n = 0; n < 16; n++)
        if (lines & BIT(n))
            line_set(n, false);
}

static void check_log(const char *name, unsigned n, uint8_t first, uint8_t second)
{
    test_equal(name, logged, n);
    if (n > 0)
        test_equal(name, log_vector[0], (unsigned)(PIC_BASE + first));
    if (n > 1)
        test_equal(name, log_vector[1], (unsigned)(PIC_BASE + second));
    irqs_log();
}

static void check_special_mask(void)
{
    pics_start(1);
    irqs_log();
    raise(BIT(5), false);
    raise(BIT(6), false);
    check_log("in service: 5 holds 6 back", 1, 5, 0);
    out8(MASTER + 1, 0x1b | BIT(5));
    raise(BIT(6), false);
    check_log("masked, 5 holds 6 back still", 0, 0, 0);
    out8(MASTER, 0x68); /* special mask mode */
    raise(BIT(6), false);
    check_log("special mask: 6 comes", 1, 6, 0);
    test_equal("special mask: both in service", pic_read(MASTER, ISR), BIT(5) | BIT(6));
    out8(MASTER, EOI);
    test_equal("special mask: EOI leaves the masked one", pic_read(MASTER, ISR), BIT(5));
    raise(BIT(7), false);
    check_log("special mask: and 7", 1, 7, 0);
    out8(MASTER, EOI);
    out8(MASTER, 0x48); /* off */
    raise(BIT(6), false);
    check_log("special mask off: 5 holds 6 back", 0, 0, 0);
    out8(MASTER + 1, 0x1b);
    out8(MASTER, EOI);
    test_equal("EOI ends 5", pic_read(MASTER, ISR), 0);
    raise(BIT(6), true);
    check_log("then 6", 1, 6, 0);
}

static void check_rotation(void)
{
    pics_start(1);
    irqs_log();
    raise(BIT(5), false);
    irqs_log();
    out8(MASTER, 0xa0); /* rotate on non-specific EOI */
    test_equal("rotating EOI ends 5", pic_read(MASTER, ISR), 0);
    raise(BIT(5) | BIT(6), true);
    check_log("5 is the lowest now", 2, 6, 5);
    raise(BIT(6), false);
    irqs_log();
    out8(MASTER, 0xe6); /* rotate on specific EOI */
    raise(BIT(5) | BIT(7), true);
    check_log("7 above 5", 2, 7, 5);
    out8(MASTER, 0xc7);
    raise(BIT(5) | BIT(7), true);
    check_log("as after the start", 2, 5, 7);
    pics_start(3); /* automatic EOI */
    out8(MASTER, 0x80);
    raise(BIT(5), false);
    irqs_log();
    raise(BIT(5) | BIT(6), false);
    check_log("rotation with automatic EOI", 2, 6, 5);
    /* The second of them, 5, is the lowest again: 6 first, without end; so switch it off. */
    out8(MASTER, 0x00);
    raise(BIT(6), false);
    irqs_log();
    raise(BIT(6) | BIT(7), false);
    check_log("no rotation any more", 2, 6, 7);
}

static void check_fully_nested(void)
{
    pics_start(1);
    irqs_log();
    raise(BIT(11), false);
    raise(BIT(10), false);
    check_log("the slave's 10 waits for 11", 1, 11, 0);
    out8(SLAVE, EOI);
    out8(MASTER, EOI);
    pics_start(0x11); /* special fully nested */
    raise(BIT(11), false);
    raise(BIT(10), false);
    check_log("special fully nested: 10 interrupts 11", 2, 11, 10);
    test_equal("the slave serves both", pic_read(SLAVE, ISR), BIT(2) | BIT(3));
    out8(SLAVE, EOI);
    test_equal("one of them ends", pic_read(SLAVE, ISR), BIT(3));
    raise(BIT(12), false);
    check_log("12 is below 11", 0, 0, 0);
    out8(SLAVE, EOI);
    out8(MASTER, EOI);
    test_equal("nothing in service", pic_read(MASTER, ISR) | pic_read(SLAVE, ISR), 0);
}

static void check_poll(void)
{
    pics_start(1);
    irqs_log();
    test_equal("poll of the slave: nothing", pic_read(SLAVE, POLL) & 0x80, 0);
    line_set(11, true);
    line_set(12, true);
    test_equal("poll of the master: the cascade", pic_read(MASTER, POLL), 0x82);
    test_equal("poll of the slave: 11", pic_read(SLAVE, POLL), 0x83);
    test_equal("it is in service", pic_read(SLAVE, ISR), BIT(3));
    test_equal("poll is over with one read", in8(SLAVE), BIT(3));
    test_equal("12 waits", pic_read(SLAVE, IRR), BIT(4));
    test_equal("poll: nothing above 11", pic_read(SLAVE, POLL) & 0x80, 0);
    out8(SLAVE, EOI);
    out8(SLAVE, POLL);
    test_equal("poll by the other port: 12", in8(SLAVE + 1), 0x84);
    test_equal("that is the mask again", in8(SLAVE + 1), 0xe3);
    line_set(11, false);
    line_set(12, false);
    out8(SLAVE, EOI);
    out8(MASTER, EOI);
    irq_window();
    check_log("polled ones do not interrupt", 0, 0, 0);
}

/* What is gone before the CPU has asked leaves nothing in service; if anything comes at all, it is
 * the spurious input 7 of the chip. */
static void check_withdrawn(void)
{
    pics_start(1);
    irqs_log();
    line_set(5, true);
    out8(MASTER + 1, 0x1b | BIT(5));
    irq_window();
    line_set(5, false);
    out8(MASTER + 1, 0x1b);
    irq_window();
    check_log("masked before it was taken", 0, 0, 0);
    line_set(10, true);
    out8(SLAVE + 1, 0xe3 | BIT(2));
    irq_window();
    check_log("masked at the slave", 0, 0, 0);
    out8(SLAVE + 1, 0xe3);
    irq_handler[PIC_BASE + 10] = log_pic;
    irq_window();
    check_log("and open again", 1, 10, 0);
    line_set(10, false);
    test_equal("nothing in service", pic_read(MASTER, ISR) | pic_read(SLAVE, ISR), 0);
}

/* The local APIC's goes first; behind it the 8259's comes although nothing exits in between. */
static void check_both(void)
{
    pics_start(1);
    irqs_log();
    irq_handler[0x51] = log_only;
    apic_send(0, ICR_SELF | 0x51);
    raise(BIT(5), false);
    test_equal("local APIC and 8259: both", logged, 2);
    test_equal("local APIC first", log_vector[0], 0x51);
    test_equal("then the 8259", log_vector[1], PIC_BASE + 5);
    apic_write(APIC_EOI, 0);
    out8(MASTER, EOI);
    irqs_log();
}

/* ICW1 forgets masks, requests and what is in service; the lines stay. */
static void check_start(void)
{
    pics_start(1);
    irqs_log();
    raise(BIT(6), false);
    out8(MASTER, 0x68);
    out8(MASTER, 0x11);
    irq_window();
    out8(MASTER + 1, PIC_BASE);
    out8(MASTER + 1, 4);
    out8(MASTER + 1, 1);
    test_equal("ICW1: no mask", in8(MASTER + 1), 0);
    out8(MASTER + 1, 0xff);
    test_equal("ICW1: IRR is what is read", in8(MASTER) & 0xe0, 0);
    test_equal("ICW1: nothing in service", pic_read(MASTER, ISR), 0);
    irqs_log();
    pics_start(1);
    raise(BIT(5), false);
    raise(BIT(6), false);
    check_log("ICW1: no special mask", 1, 5, 0);
    out8(MASTER, EOI);
}

void irq_pic_modes(void)
{
    apic_write(APIC_LVT_LINT0, 0x700);
    check_special_mask();
    check_rotation();
    check_fully_nested();
    check_poll();
    check_withdrawn();
    check_both();
    check_start();
    out8(MASTER + 1, 0xff);
    out8(SLAVE + 1, 0xff);
    apic_write(APIC_LVT_LINT0, LVT_MASKED);
}
