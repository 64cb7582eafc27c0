/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * irq: the 8254's channel 2 in all six modes, with its gate and its output at port 61h; how counts
 * and status are read; and channel 0 behind masks. Times are never short; others may make them
 * long. Have open: data sheet "8254", "Mode Definitions", "Read-Back Command".
 */
#include "guests/irq/irq_guest.h"

#define PIT_HZ  UINT64_C(1193182)
#define CONTROL 0x43
#define CHANNEL 0x42
#define SPEAKER 0x61
#define BOTH    0x30u /* low byte, then high byte */
#define STATUS_OUT  0x80
#define STATUS_NULL 0x40

static uint64_t hz;

static uint64_t ticks(uint64_t clocks)
{
    return clocks * hz / PIT_HZ;
}

static void gate(bool on)
{
    out8(SPEAKER, on);
}

static bool out(void)
{
    return in8(SPEAKER) & 0x20;
}

static void program(unsigned mode, uint16_t count)
{
    out8(CONTROL, (uint8_t)(0x80 | BOTH | mode << 1));
    out8(CHANNEL, (uint8_t)count);
    out8(CHANNEL, (uint8_t)(count >> 8));
}

static uint16_t count_now(void)
{
    out8(CONTROL, 0x80); /* latches it */
    uint16_t low = in8(CHANNEL);
    return (uint16_t)(low | in8(CHANNEL) << 8);
}

static uint8_t status(void)
{
    out8(CONTROL, 0xe8);
    return in8(CHANNEL);
}

/* Waits until OUT is as said: TSC ticks since `start`, or 0 if it has not come within a second. */
static uint64_t until(bool level, uint64_t start)
{
    while (out() != level)
        if (rdtsc() - start > hz)
            return 0;
    return rdtsc() - start;
}

static void check_time(const char *name, uint64_t got, uint64_t clocks)
{
    /* A clock's difference in phase on either side; the rest is for other VMs. */
    test_range(name, got, ticks(clocks - 2), ticks(clocks + 2) + hz / 4);
}

static void check_mode0(void)
{
    gate(false);
    program(0, 3000);
    test_true("mode 0: low from the start", !out());
    wait_us(4000);
    test_true("mode 0: the gate holds it", !out() && count_now() == 3000);
    uint64_t start = rdtsc();
    gate(true);
    check_time("mode 0: high after the count", until(true, start), 3000);
    program(0, 60000);
    test_true("mode 0: low again", !out());
    wait_us(2000);
    gate(false);
    uint16_t held = count_now();
    test_range("mode 0: it has counted", held, 1, 60000 - 2386);
    wait_us(2000);
    test_equal("mode 0: and stands", count_now(), held);
    gate(true);
    wait_us(1000);
    test_true("mode 0: and goes on", count_now() < held);
    out8(CHANNEL, 0xb8); /* the first byte of a new count stops the old one */
    test_true("mode 0: half a count", !out());
    start = rdtsc();
    out8(CHANNEL, 0x0b);
    check_time("mode 0: a new count", until(true, start), 3000);
}

static void check_mode1(void)
{
    gate(false);
    program(1, 3000);
    test_true("mode 1: high", out());
    wait_us(4000);
    test_true("mode 1: until it is triggered", out());
    test_equal("mode 1: the count has not been loaded", status() & STATUS_NULL, STATUS_NULL);
    uint64_t start = rdtsc();
    gate(true);
    wait_us(10);
    test_true("mode 1: a pulse", !out());
    test_equal("mode 1: loaded", status() & STATUS_NULL, 0);
    check_time("mode 1: its length", until(true, start), 3000);
    gate(false);
    gate(true);
    wait_us(1000);
    gate(false);
    start = rdtsc();
    gate(true); /* in the middle */
    check_time("mode 1: triggered again", until(true, start), 3000);
}

static void check_mode2(void)
{
    gate(true);
    program(2, 1000);
    unsigned wrong = 0;
    for (unsigned i = 0; i < 200; i++)
        wrong += count_now() - 1u >= 1000;
    test_equal("mode 2: counts are 1 to 1000", wrong, 0);
    gate(false);
    test_true("mode 2: high without the gate", out());
    uint16_t held = count_now();
    wait_us(300);
    test_equal("mode 2: and no counting", count_now(), held);
    gate(true);
    test_range("mode 2: the gate starts it anew", count_now(), 1, 1000);
    test_equal("mode 2: status", status() & 0x3f, BOTH | 2 << 1);
}

static void check_mode3(void)
{
    uint64_t high = 0, low = 0, last;
    gate(true);
    program(3, 2000);
    last = rdtsc();
    for (unsigned i = 0; i < 4000; i++) {
        bool is = out();
        uint64_t now = rdtsc();
        if (now - last < ticks(200)) /* or somebody else has run */
            *(is ? &high : &low) += now - last;
        last = now;
    }
    test_range("mode 3: as long high as low, per cent", high * 100 / (high + low + 1), 35, 65);
    unsigned odd = 0;
    for (unsigned i = 0; i < 100; i++)
        odd += count_now() & 1;
    test_equal("mode 3: it counts by two", odd, 0);
    gate(false);
    test_true("mode 3: high without the gate", out());
    wait_us(2000);
    test_true("mode 3: still", out());
}

static void check_strobes(void)
{
    for (unsigned mode = 4; mode < 6; mode++) {
        gate(mode == 4);
        program(mode, 2000);
        test_true("mode 4, 5: high", out());
        gate(true);
        wait_us(100);
        test_range("mode 4, 5: it counts", count_now(), 1, 1900);
        wait_us(3000);
        test_true("mode 4, 5: high behind the strobe", out());
        test_range("mode 4, 5: and counts on below 0", count_now(), 0x8000, 0xffff);
        test_equal("mode 4, 5: status", status() & 0x3f, BOTH | mode << 1);
        gate(false);
    }
}

static void check_reading(void)
{
    gate(false);
    program(0, 0x1234);
    test_equal("both bytes", count_now(), 0x1234);
    gate(true);
    out8(CONTROL, 0x80);
    wait_us(100);
    out8(CONTROL, 0x80); /* no effect as long as the first has not been read */
    uint16_t first = in8(CHANNEL);
    first = (uint16_t)(first | in8(CHANNEL) << 8);
    uint16_t second = count_now();
    test_range("the first latch stays", first, second + 100, 0x1234);
    out8(CONTROL, 0xc8); /* status and count */
    test_equal("read-back: status comes first", in8(CHANNEL) & 0x3f, BOTH);
    second = in8(CHANNEL);
    second = (uint16_t)(second | in8(CHANNEL) << 8);
    test_true("read-back: then the count", second < first);
    gate(false);
    out8(CONTROL, 0x90); /* low byte only */
    test_equal("no count yet", status(), STATUS_NULL | 0x10);
    out8(CHANNEL, 0x55);
    test_true("low byte: both reads are that", in8(CHANNEL) == 0x55 && in8(CHANNEL) == 0x55);
    out8(CONTROL, 0xa0); /* high byte only */
    out8(CHANNEL, 0x66);
    test_true("high byte", in8(CHANNEL) == 0x66 && in8(CHANNEL) == 0x66);
    out8(CONTROL, 0xb1); /* mode 0, BCD */
    out8(CHANNEL, 0x00);
    out8(CHANNEL, 0x40);
    test_equal("BCD", count_now(), 0x4000);
    gate(true);
    unsigned wrong = 0;
    for (unsigned i = 0; i < 100; i++) {
        uint16_t n = count_now();
        for (unsigned digit = 0; digit < 16; digit += 4)
            wrong += (n >> digit & 15) > 9;
    }
    test_equal("BCD: digits", wrong, 0);
    gate(false);
}

/* Channel 0 runs unseen; what it did is there when somebody looks or opens a mask. */
static void check_masked(void)
{
    irq_handler[PIC_BASE] = log_pic;
    pics_start(1);
    out8(0x21, 0xff);
    out8(CONTROL, 0x34);
    out8(0x40, 2000 & 0xff);
    out8(0x40, 2000 >> 8);
    out8(0x20, 0x0a);
    (void)in8(0x20);
    wait_us(4200); /* two periods and a half: not to meet the low pulse, which ends a request */
    test_equal("masked: the 8259 has a request", in8(0x20) & 1, 1);
    irqs_log();
    irq_window();
    test_equal("masked: no interrupt", logged, 0);
    apic_write(APIC_LVT_LINT0, 0x700);
    out8(0x21, 0xfe);
    irq_window();
    test_equal("open: at once", logged, 1);
    test_true("and then each period", await_logged(4));
    out8(0x21, 0xff);
    irq_window();
    irqs_log();
    uint64_t start = rdtsc();
    ioapic_route(2, 0x50, 0);
    irq_handler[0x50] = log_apic;
    irq_window();
    test_true("I/O APIC: nothing is kept", logged == 0 || rdtsc() - start > ticks(100));
    irqs_log();
    test_true("I/O APIC: the next ones come", await_logged(3));
    ioapic_route(2, IOAPIC_MASKED, 0);
    out8(CONTROL, 0x30);
    apic_write(APIC_LVT_LINT0, LVT_MASKED);
}

void irq_pit(void)
{
    hz = guest_tsc_khz() * 1000;
    check_mode0();
    check_mode1();
    check_mode2();
    check_mode3();
    check_strobes();
    check_reading();
    check_masked();
}
