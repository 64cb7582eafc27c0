/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The real-time clock: time of day in every format, update cycles, the three interrupts.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "drivers/emu/vrtc.h"

#define SECOND   UINT64_C(1000000000)
#define MS       UINT64_C(1000000)
#define US       UINT64_C(1000)
/* Friday, 29 February 2008, 23:59:58 UTC */
#define LEAP_DAY INT64_C(1204329598)

static struct vrtc r;

static void out(unsigned index, unsigned value)
{
    struct io_access a = {.offset = 0, .size = 1, .write = true, .value = index};
    vrtc_ops.access(&r, &a);
    a = (struct io_access){.offset = 1, .size = 1, .write = true, .value = value};
    vrtc_ops.access(&r, &a);
}

static unsigned in(unsigned index)
{
    struct io_access a = {.offset = 0, .size = 1, .write = true, .value = index};
    vrtc_ops.access(&r, &a);
    a = (struct io_access){.offset = 1, .size = 1, .value = 0xff};
    vrtc_ops.access(&r, &a);
    return (unsigned)a.value;
}

static void to(uint64_t ns)
{
    vrtc_ops.advance(&r, ns);
}

static void expect(unsigned century, unsigned year, unsigned month, unsigned day, unsigned weekday,
                   unsigned hour, unsigned minute, unsigned second)
{
    assert_int_equal(in(0), second);
    assert_int_equal(in(2), minute);
    assert_int_equal(in(4), hour);
    assert_int_equal(in(6), weekday);
    assert_int_equal(in(7), day);
    assert_int_equal(in(8), month);
    assert_int_equal(in(9), year);
    assert_int_equal(in(0x32), century);
}

static int setup(void **state)
{
    (void)state;
    vrtc_init(&r, LEAP_DAY, 0);
    return 0;
}

static void after_reset(void **state)
{
    (void)state;
    expect(0x20, 0x08, 0x02, 0x29, 6, 0x23, 0x59, 0x58);
    assert_int_equal(in(0x0a), 0x26);
    assert_int_equal(in(0x0b), 0x02);
    assert_int_equal(in(0x0c), 0);
    assert_int_equal(in(0x0d), 0x80);
    for (unsigned i = 0x0e; i < 0x80; i++)
        if (i != 0x32)
            assert_int_equal(in(i), 0);
    assert_false(vrtc_ops.irq(&r));
    assert_int_equal(vrtc_ops.deadline(&r), UINT64_MAX);
    vrtc_init(&r, LEAP_DAY, 2 * SECOND + 1);
    expect(0x20, 0x08, 0x03, 0x01, 7, 0, 0, 0);
    out(0x40, 1);
    to(10 * SECOND);
    vrtc_ops.reset(&r);
    expect(0x20, 0x08, 0x03, 0x01, 7, 0, 0, 0x08);
    assert_int_equal(in(0x40), 0);
}

static void calendar(void **state)
{
    (void)state;
    to(SECOND - 1);
    expect(0x20, 0x08, 0x02, 0x29, 6, 0x23, 0x59, 0x58);
    to(SECOND);
    expect(0x20, 0x08, 0x02, 0x29, 6, 0x23, 0x59, 0x59);
    to(2 * SECOND);
    expect(0x20, 0x08, 0x03, 0x01, 7, 0, 0, 0);
    to(2 * SECOND + 306 * 86400 * SECOND); /* in one go: 1 January 2009, a Thursday */
    expect(0x20, 0x09, 0x01, 0x01, 5, 0, 0, 0);
    static const struct {
        int64_t unix_time;
        unsigned century, year, month, day, weekday, hour, minute, second;
    } known[] = {
        {0, 0x19, 0x70, 0x01, 0x01, 5, 0, 0, 0},
        {-1, 0x19, 0x69, 0x12, 0x31, 4, 0x23, 0x59, 0x59},
        {951782400, 0x20, 0x00, 0x02, 0x29, 3, 0, 0, 0},
        {INT64_C(4107542400), 0x21, 0x00, 0x03, 0x01, 2, 0, 0, 0},
        {1700000000, 0x20, 0x23, 0x11, 0x14, 3, 0x22, 0x13, 0x20},
        {INT64_C(253402300799), 0x99, 0x99, 0x12, 0x31, 6, 0x23, 0x59, 0x59},
        {INT64_C(253402300800), 0x19, 0x70, 0x01, 0x01, 5, 0, 0, 0},
        {INT64_C(-62167219200), 0x00, 0x00, 0x01, 0x01, 7, 0, 0, 0},
        {INT64_MIN, 0x19, 0x70, 0x01, 0x01, 5, 0, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        vrtc_init(&r, known[i].unix_time, 0);
        expect(known[i].century, known[i].year, known[i].month, known[i].day, known[i].weekday,
               known[i].hour, known[i].minute, known[i].second);
    }
    vrtc_init(&r, INT64_C(253402300799), 0);
    to(SECOND);
    expect(0, 0, 0x01, 0x01, 7, 0, 0, 0);
}

static void binary_and_12_hours(void **state)
{
    (void)state;
    static const struct {
        unsigned b, before, after;
    } rows[] = {
        {0x02, 0x11, 0x12}, {0x02, 0x12, 0x13}, {0x02, 0x23, 0x00}, {0x06, 11, 12},
        {0x06, 19, 20},     {0x00, 0x11, 0x92}, {0x00, 0x92, 0x81}, {0x00, 0x91, 0x12},
        {0x00, 0x12, 0x01}, {0x00, 0x89, 0x90}, {0x04, 0x8b, 0x0c}, {0x04, 0x0b, 0x8c},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        vrtc_init(&r, 0, 0);
        out(0x0b, 0x80 | rows[i].b);
        bool binary = rows[i].b & 4;
        out(0, binary ? 59 : 0x59);
        out(2, binary ? 59 : 0x59);
        out(4, rows[i].before);
        out(0x32, binary ? 20 : 0x20);
        out(9, binary ? 26 : 0x26);
        out(0x0b, rows[i].b);
        to(SECOND);
        assert_int_equal(in(0), 0);
        assert_int_equal(in(2), 0);
        assert_int_equal(in(4), rows[i].after);
        assert_int_equal(in(0x32), binary ? 20 : 0x20);
        assert_int_equal(in(9), binary ? 26 : 0x26);
    }
}

static void setting(void **state)
{
    (void)state;
    out(0x0b, 0x12);
    out(0x0b, 0x92); /* SET ends UIE */
    assert_int_equal(in(0x0b), 0x82);
    out(0, 0x30);
    to(5 * SECOND + 300 * MS);
    assert_int_equal(in(0), 0x30); /* stands still */
    assert_int_equal(in(0x0c), 0x40); /* the periodic flag comes all the same */
    out(0x0b, 0x02);
    to(6 * SECOND - 1);
    assert_int_equal(in(0), 0x30);
    to(6 * SECOND); /* the divider went on: the phase is the old one */
    assert_int_equal(in(0), 0x31);
    assert_int_equal(in(0x0c) & 0x10, 0x10);
    /* with the divider in reset, the first second takes half of one */
    to(6 * SECOND + 123 * MS);
    out(0x0a, 0x76);
    to(20 * SECOND);
    assert_int_equal(in(0), 0x31);
    assert_int_equal(in(0x0c) & 0x10, 0);
    out(0x0a, 0x26);
    to(20 * SECOND + 500 * MS - 1);
    assert_int_equal(in(0), 0x31);
    to(20 * SECOND + 500 * MS);
    assert_int_equal(in(0), 0x32);
    to(21 * SECOND + 500 * MS);
    assert_int_equal(in(0), 0x33);
    /* early in the VM's life the epoch lies before it */
    vrtc_init(&r, 0, 0);
    out(0x0a, 0x60);
    out(0x0a, 0x2f);
    out(0x0b, 0x42);
    assert_int_equal(vrtc_ops.deadline(&r), 500 * MS);
    to(500 * MS);
    assert_int_equal(in(0), 1);
    assert_true(vrtc_ops.irq(&r));
}

static void update_in_progress(void **state)
{
    (void)state;
    to(SECOND - 2229 * US);
    assert_int_equal(in(0x0a), 0x26);
    to(SECOND - 2227 * US);
    assert_int_equal(in(0x0a), 0xa6);
    assert_int_equal(in(0), 0x58);
    out(0x0b, 0x82);
    assert_int_equal(in(0x0a), 0x26);
    out(0x0b, 0x02);
    assert_int_equal(in(0x0a), 0xa6);
    out(0x0a, 0xa6); /* cannot be written */
    to(SECOND);
    assert_int_equal(in(0x0a), 0x26);
    assert_int_equal(in(0), 0x59);
    out(0x0a, 0x80);
    assert_int_equal(in(0x0a), 0);
}

static void update_interrupt(void **state)
{
    (void)state;
    out(0x0b, 0x12);
    assert_int_equal(vrtc_ops.deadline(&r), SECOND);
    to(SECOND - 1);
    assert_false(vrtc_ops.irq(&r));
    to(SECOND);
    assert_true(vrtc_ops.irq(&r));
    assert_int_equal(vrtc_ops.deadline(&r), UINT64_MAX); /* already up */
    to(5 * SECOND + 1);
    assert_int_equal(in(0x0c), 0xf0); /* five are one; PF, and AF of midnight, are not enabled */
    assert_false(vrtc_ops.irq(&r));
    assert_int_equal(in(0x0c), 0);
    assert_int_equal(vrtc_ops.deadline(&r), 6 * SECOND);
    out(0x0b, 0x02);
    to(7 * SECOND);
    assert_false(vrtc_ops.irq(&r));
    out(0x0b, 0x12); /* the flag was there already */
    assert_true(vrtc_ops.irq(&r));
}

static void periodic_interrupt(void **state)
{
    (void)state;
    static const unsigned hz[16] = {0,    256,  128, 8192, 4096, 2048, 1024, 512,
                                    256, 128, 64,  32,   16,   8,    4,    2};
    for (unsigned rate = 1; rate < 16; rate++) {
        vrtc_init(&r, 0, 0);
        out(0x0a, 0x20 | rate);
        out(0x0b, 0x42);
        for (uint64_t n = 1; n <= 2 * hz[rate]; n++) {
            uint64_t due = (n * SECOND + hz[rate] - 1) / hz[rate];
            assert_int_equal(vrtc_ops.deadline(&r), due);
            to(due - 1);
            assert_false(vrtc_ops.irq(&r));
            to(due);
            assert_true(vrtc_ops.irq(&r));
            assert_int_equal(in(0x0c) & 0xc0, 0xc0);
        }
    }
    out(0x0a, 0x20);
    assert_int_equal(vrtc_ops.deadline(&r), UINT64_MAX);
    out(0x0a, 0x26);
    uint64_t year = 31536000 * SECOND;
    to(year + 300 * US); /* late by many: one, and then in phase */
    assert_int_equal(in(0x0c) & 0xc0, 0xc0);
    assert_int_equal(in(0x0c), 0);
    assert_int_equal(vrtc_ops.deadline(&r), year + 976563);
}

static void alarm(void **state)
{
    (void)state;
    out(1, 0x02);
    out(3, 0x00);
    out(5, 0x00);
    out(0x0b, 0x22);
    assert_int_equal(vrtc_ops.deadline(&r), 4 * SECOND);
    to(4 * SECOND - 1);
    assert_false(vrtc_ops.irq(&r));
    to(4 * SECOND);
    assert_true(vrtc_ops.irq(&r));
    assert_int_equal(in(0x0c) & 0xa0, 0xa0);
    assert_int_equal(vrtc_ops.deadline(&r), (4 + 86400) * SECOND); /* tomorrow */
    out(5, 0xc0); /* every hour */
    assert_int_equal(vrtc_ops.deadline(&r), (4 + 3600) * SECOND);
    out(3, 0xff); /* every minute */
    assert_int_equal(vrtc_ops.deadline(&r), (4 + 60) * SECOND);
    out(1, 0xd5); /* every second */
    assert_int_equal(vrtc_ops.deadline(&r), 5 * SECOND);
    out(5, 0x13); /* every second of one hour */
    assert_int_equal(vrtc_ops.deadline(&r), (2 + 13 * 3600) * SECOND);
    out(5, 0x77); /* never */
    assert_int_equal(vrtc_ops.deadline(&r), UINT64_MAX);
    to(3 * 86400 * SECOND);
    assert_int_equal(in(0x0c) & 0x20, 0);
    out(5, 0x13);
    out(0x0b, 0x02); /* the flag comes without the interrupt, also when days pass at once */
    to(9 * 86400 * SECOND);
    assert_int_equal(in(0x0c), 0x70);
    out(0x0b, 0xa2); /* not while the clock is being set */
    assert_int_equal(vrtc_ops.deadline(&r), UINT64_MAX);
    /* 12 hours */
    vrtc_init(&r, 0, 0);
    out(0x0b, 0x20);
    out(4, 0x12); /* midnight */
    out(5, 0x91); /* 11 p.m. */
    assert_int_equal(vrtc_ops.deadline(&r), 23 * 3600 * SECOND);
}

static void garbage_is_survived(void **state)
{
    (void)state;
    for (unsigned b = 0; b < 8; b++) {
        out(0x0b, b);
        for (unsigned reg = 0; reg < 10; reg++)
            out(reg, 0xff);
        out(0x32, 0xff);
        to(r.now_ns + SECOND);
        assert_in_range(in(8), 1, 0x12);
        assert_in_range(in(7), 1, 0x31);
        assert_in_range(in(6), 1, 7);
        assert_in_range(in(0), 0, 0x59);
    }
    out(8, 0);
    out(7, 0);
    out(0x32, 0);
    out(9, 0);
    to(r.now_ns + SECOND);
    assert_in_range(in(7), 1, 0x31);
    to(UINT64_MAX); /* beyond what fits: not taken */
    assert_true(r.now_ns < INT64_MAX);
    to(INT64_MAX);
    assert_int_equal(r.now_ns, INT64_MAX);
}

static void memory_and_index(void **state)
{
    (void)state;
    for (unsigned i = 0x0e; i < 0x80; i++)
        out(i, i ^ 0x5a);
    for (unsigned i = 0x0e; i < 0x80; i++)
        assert_int_equal(in(i), i ^ 0x5a);
    out(0x0c, 0xff);
    out(0x0d, 0x00);
    assert_int_equal(in(0x0c) & 0x0f, 0);
    assert_int_equal(in(0x0d), 0x80);
    assert_false(r.nmi_masked);
    assert_int_equal(in(0x8f), 0x0f ^ 0x5a);
    assert_true(r.nmi_masked);
    struct io_access a = {.offset = 0, .size = 1, .value = 0xff};
    vrtc_ops.access(&r, &a);
    assert_int_equal(a.value, 0xff);
    vrtc_set_byte(&r, 0x15, 0x80);
    assert_int_equal(in(0x15), 0x80);
    assert_false(r.nmi_masked);
    struct vrtc before = r;
    vrtc_set_byte(&r, 0x0d, 1);
    vrtc_set_byte(&r, 0x32, 1);
    vrtc_set_byte(&r, 0x80, 1);
    vrtc_set_byte(&r, UINT32_MAX, 1);
    a = (struct io_access){.offset = 0, .size = 2, .write = true, .value = 0x1234};
    vrtc_ops.access(&r, &a);
    a = (struct io_access){.offset = 2, .size = 1, .write = true, .value = 0x12};
    vrtc_ops.access(&r, &a);
    assert_memory_equal(&before, &r, sizeof(r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(after_reset, setup),
        cmocka_unit_test_setup(calendar, setup),
        cmocka_unit_test_setup(binary_and_12_hours, setup),
        cmocka_unit_test_setup(setting, setup),
        cmocka_unit_test_setup(update_in_progress, setup),
        cmocka_unit_test_setup(update_interrupt, setup),
        cmocka_unit_test_setup(periodic_interrupt, setup),
        cmocka_unit_test_setup(alarm, setup),
        cmocka_unit_test_setup(garbage_is_survived, setup),
        cmocka_unit_test_setup(memory_and_index, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
