/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The I/O APIC: registers, edges, levels with Remote IRR, both kinds of EOI.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "core/apic_route.h"
#include "drivers/emu/vioapic.h"

#define LEVEL  0x8000u
#define MASKED 0x10000u
#define REMOTE 0x4000u

static struct vioapic p;
static struct apic_message m;

static void put(unsigned offset, unsigned size, uint64_t value)
{
    struct io_access a = {.offset = offset, .size = (uint8_t)size, .write = true, .value = value};
    vioapic_ops.access(&p, &a);
}

static uint64_t get(unsigned offset, unsigned size)
{
    struct io_access a = {.offset = offset, .size = (uint8_t)size, .value = 0xdeadbeef};
    vioapic_ops.access(&p, &a);
    return a.value;
}

static void write_reg(unsigned reg, uint32_t value)
{
    put(0, 4, reg);
    put(0x10, 4, value);
}

static uint32_t read_reg(unsigned reg)
{
    put(0, 4, reg);
    return (uint32_t)get(0x10, 4);
}

static void entry(unsigned pin, uint32_t low, uint32_t high)
{
    write_reg(0x11 + 2 * pin, high);
    write_reg(0x10 + 2 * pin, low);
}

static bool take(void)
{
    return vioapic_take(&p, &m);
}

static int setup(void **state)
{
    (void)state;
    vioapic_init(&p, 0);
    return 0;
}

static void registers(void **state)
{
    (void)state;
    assert_int_equal(read_reg(1), 0x00170020);
    assert_int_equal(read_reg(0), 0);
    write_reg(0, 0xffffffff);
    assert_int_equal(read_reg(0), 0x0f000000);
    assert_int_equal(read_reg(2), 0x0f000000);
    write_reg(1, 0);
    write_reg(2, 0);
    assert_int_equal(read_reg(1), 0x00170020);
    assert_int_equal(read_reg(2), 0x0f000000);
    for (unsigned pin = 0; pin < 24; pin++) {
        assert_int_equal(read_reg(0x10 + 2 * pin), MASKED);
        assert_int_equal(read_reg(0x11 + 2 * pin), 0);
    }
    entry(23, 0xffffffff, 0xffffffff);
    assert_int_equal(read_reg(0x3e), 0x0001afff); /* status bits cannot be written */
    assert_int_equal(read_reg(0x3f), 0xff000000);
    assert_int_equal(read_reg(0x40), 0);
    write_reg(0x40, 0xffffffff);
    write_reg(0xff, 0xffffffff);
    assert_int_equal(read_reg(0xff), 0);
    assert_int_equal(read_reg(3), 0);
    vioapic_init(&p, 9);
    assert_int_equal(read_reg(0), 0x09000000);
    vioapic_ops.reset(&p);
    assert_int_equal(read_reg(0), 0);
}

static void accesses(void **state)
{
    (void)state;
    put(0, 1, 0x01); /* IOREGSEL by a byte */
    assert_int_equal(get(0, 4), 1);
    assert_int_equal(get(0, 1), 1);
    assert_int_equal(get(0x10, 4), 0x00170020);
    assert_int_equal(get(0x10, 1) & 0xff, 0x20);
    assert_int_equal(get(0x12, 2) & 0xffff, 0x17);
    put(0, 4, 0x10);
    struct vioapic before = p;
    put(0x10, 1, 0);
    put(0x10, 2, 0);
    put(0x12, 2, 0);
    put(0x12, 4, 0);
    put(0x10, 8, 0);
    put(0x01, 1, 0x30);
    put(0x20, 4, 0x30);
    put(0x1000, 4, 0x30);
    put(0xffc, 4, 0x30);
    assert_memory_equal(&before, &p, sizeof(p));
    assert_int_equal(get(0x20, 4), 0);
    assert_int_equal(get(0x40, 4), 0);
    assert_int_equal(get(0x10, 8), 0xdeadbeef);
    assert_int_equal(get(0x11, 4), 0xdeadbeef);
    assert_int_equal(get(0x1000, 4), 0xdeadbeef);
}

static void edges(void **state)
{
    (void)state;
    entry(4, 0x31, 0x05000000);
    assert_false(take());
    vioapic_set_line(&p, 4, true);
    assert_true(take());
    assert_int_equal(m.vector, 0x31);
    assert_int_equal(m.mode, APIC_MODE_FIXED);
    assert_false(m.logical);
    assert_true(m.level_assert);
    assert_false(m.level_trigger);
    assert_int_equal(m.shorthand, APIC_TO_DESTINATION);
    assert_int_equal(m.destination, 5);
    assert_false(take());
    vioapic_set_line(&p, 4, true); /* no rise */
    assert_false(take());
    assert_int_equal(read_reg(0x18), 0x31);
    vioapic_set_line(&p, 4, false);
    vioapic_set_line(&p, 4, true);
    vioapic_set_line(&p, 4, false); /* an edge stays when the line has fallen */
    assert_true(take());
    assert_false(take());
    /* masked edges are lost */
    entry(4, 0x31 | MASKED, 0);
    vioapic_set_line(&p, 4, true);
    assert_false(take());
    entry(4, 0x31, 0);
    assert_false(take());
    vioapic_set_line(&p, 24, true);
    vioapic_set_line(&p, UINT32_MAX, true);
    assert_false(take());
}

static void levels(void **state)
{
    (void)state;
    entry(9, 0x49 | LEVEL | 0x2000, 0xff000000);
    vioapic_set_line(&p, 9, true);
    assert_true(take());
    assert_true(m.level_trigger);
    assert_int_equal(m.destination, 0xff);
    assert_int_equal(read_reg(0x22), 0x49 | LEVEL | 0x2000 | REMOTE);
    assert_false(take());
    vioapic_set_line(&p, 9, false);
    vioapic_set_line(&p, 9, true);
    assert_false(take()); /* not before the EOI */
    vioapic_eoi(&p, 0x48);
    assert_false(take());
    vioapic_eoi(&p, 0x49); /* still asserted: once more */
    assert_int_equal(read_reg(0x22) & REMOTE, 0);
    assert_true(take());
    vioapic_set_line(&p, 9, false);
    put(0x40, 4, 0x49); /* the EOI register does the same */
    assert_int_equal(read_reg(0x22) & REMOTE, 0);
    assert_false(take());
    /* masked: nothing happens until it is not */
    entry(9, 0x49 | LEVEL | MASKED, 0);
    vioapic_set_line(&p, 9, true);
    assert_false(take());
    entry(9, 0x49 | LEVEL, 0);
    assert_true(take());
    entry(9, 0x49 | LEVEL | MASKED, 0); /* masking does not end it */
    assert_int_equal(read_reg(0x22), 0x49 | LEVEL | MASKED | REMOTE);
    vioapic_eoi(&p, 0x49);
    assert_false(take());
    vioapic_set_line(&p, 9, false);
    entry(9, 0x49 | LEVEL, 0);
    assert_false(take());
}

/* Remote IRR says that a local APIC has it: not when nobody has. */
static void refused(void **state)
{
    (void)state;
    entry(9, 0x49 | LEVEL, 0x07000000);
    entry(4, 0x44, 0x07000000);
    vioapic_set_line(&p, 9, true);
    vioapic_set_line(&p, 4, true);
    assert_true(take());
    assert_int_equal(m.vector, 0x44);
    vioapic_refused(&p); /* an edge is lost */
    assert_true(take());
    assert_int_equal(m.vector, 0x49);
    vioapic_refused(&p);
    assert_int_equal(read_reg(0x22), 0x49 | LEVEL);
    assert_false(take()); /* asking again at once would never end */
    vioapic_retry(&p);
    assert_true(take());
    assert_int_equal(m.vector, 0x49);
    assert_int_equal(read_reg(0x22), 0x49 | LEVEL | REMOTE);
    assert_false(take());
    /* The line falls meanwhile: nothing is left to offer. */
    vioapic_eoi(&p, 0x49);
    assert_true(take());
    vioapic_refused(&p);
    vioapic_set_line(&p, 9, false);
    vioapic_retry(&p);
    assert_false(take());
}

/* How software ends an interrupt of an I/O APIC that has no EOI register. */
static void trigger_mode_changes(void **state)
{
    (void)state;
    entry(10, 0x50 | LEVEL, 0);
    vioapic_set_line(&p, 10, true);
    assert_true(take());
    entry(10, 0x50 | MASKED, 0);
    assert_int_equal(read_reg(0x24) & REMOTE, 0);
    entry(10, 0x50 | LEVEL, 0);
    assert_true(take());
    entry(10, 0x50, 0); /* an edge needs a rise */
    assert_false(take());
    vioapic_set_line(&p, 10, false);
    vioapic_set_line(&p, 10, true);
    entry(10, 0x50 | LEVEL | MASKED, 0);
    entry(10, 0x50, 0); /* the edge before is forgotten */
    assert_false(take());
}

static void several_pins(void **state)
{
    (void)state;
    entry(20, 0x60 | LEVEL, 0);
    entry(3, 0x60 | LEVEL, 0); /* the same vector */
    entry(7, 0x67 | 0x800 | 0x100, 0x03000000);
    vioapic_set_line(&p, 20, true);
    vioapic_set_line(&p, 7, true);
    vioapic_set_line(&p, 3, true);
    assert_true(take());
    assert_int_equal(m.vector, 0x60);
    assert_true(take());
    assert_int_equal(m.vector, 0x67);
    assert_true(m.logical);
    assert_int_equal(m.mode, APIC_MODE_LOWEST);
    assert_int_equal(m.destination, 3);
    assert_true(take());
    assert_int_equal(m.vector, 0x60);
    assert_false(take());
    vioapic_set_line(&p, 3, false);
    vioapic_eoi(&p, 0x60); /* ends both */
    assert_true(take());
    assert_int_equal(p.entry[20] & REMOTE, REMOTE);
    assert_int_equal(p.entry[3] & REMOTE, 0);
    assert_false(take());
}

static void other_modes(void **state)
{
    (void)state;
    for (unsigned mode = 0; mode < 8; mode++) {
        vioapic_init(&p, 0);
        entry(0, 0x30 | mode << 8 | LEVEL, 0);
        vioapic_set_line(&p, 0, true);
        bool reserved = mode == 3 || mode == 6;
        assert_int_equal(take(), !reserved);
        if (reserved)
            continue;
        assert_int_equal(m.mode, mode);
        assert_int_equal(m.level_trigger, mode < 2); /* the others are edges */
        assert_false(take());
        assert_int_equal((read_reg(0x10) & REMOTE) != 0, mode < 2);
        vioapic_eoi(&p, 0x30);
        assert_int_equal(take(), mode < 2);
    }
}

static void reset_keeps_lines(void **state)
{
    (void)state;
    vioapic_set_line(&p, 5, true);
    entry(6, 0x36, 0);
    vioapic_set_line(&p, 6, true);
    vioapic_ops.reset(&p);
    assert_false(take());
    entry(6, 0x36, 0);
    assert_false(take());
    entry(5, 0x35 | LEVEL, 0);
    assert_true(take());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(registers, setup),
        cmocka_unit_test_setup(accesses, setup),
        cmocka_unit_test_setup(edges, setup),
        cmocka_unit_test_setup(levels, setup),
        cmocka_unit_test_setup(refused, setup),
        cmocka_unit_test_setup(trigger_mode_changes, setup),
        cmocka_unit_test_setup(several_pins, setup),
        cmocka_unit_test_setup(other_modes, setup),
        cmocka_unit_test_setup(reset_keeps_lines, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
