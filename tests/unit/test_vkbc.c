/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keyboard controller without a keyboard, and the ways in which drivers look for one.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "drivers/emu/vkbc.h"

static struct vkbc k;

static void put(const struct device_ops *ops, unsigned value)
{
    struct io_access a = {.size = 1, .write = true, .value = value};
    ops->access(&k, &a);
}

static unsigned get(const struct device_ops *ops)
{
    struct io_access a = {.size = 1, .value = 0xff};
    ops->access(&k, &a);
    return (unsigned)a.value;
}

static void command(unsigned value)
{
    put(&vkbc_command_ops, value);
}

static void data(unsigned value)
{
    put(&vkbc_data_ops, value);
}

static unsigned status(void)
{
    return get(&vkbc_command_ops);
}

/* The answer, which must be there at once and the only one. */
static unsigned answer(void)
{
    assert_int_equal(status() & 0x03, 0x01);
    unsigned byte = get(&vkbc_data_ops);
    assert_int_equal(status() & 0x41, 0x00);
    return byte;
}

static int setup(void **state)
{
    (void)state;
    vkbc_init(&k);
    return 0;
}

static void idle(void **state)
{
    (void)state;
    assert_int_equal(status(), 0x14);
    assert_int_equal(get(&vkbc_data_ops), 0);
    assert_int_equal(status(), 0x14);
    assert_false(vkbc_data_ops.irq(&k));
    assert_true(k.a20);
    assert_false(k.reset_requested);
}

static void controller_commands(void **state)
{
    (void)state;
    static const unsigned rows[][2] = {
        {0xaa, 0x55}, {0xab, 0x00}, {0xa9, 0x01}, {0xc0, 0x80}, {0xd0, 0xcf}, {0xe0, 0x00},
        {0x20, 0x65}, {0x21, 0x00},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        command(rows[i][0]);
        assert_int_equal(status() & 0x08, 0x08);
        assert_int_equal(answer(), rows[i][1]);
    }
    for (unsigned c = 0; c < 0x20; c++) { /* commands that no controller knows */
        command(c);
        assert_int_equal(status() & 0x01, 0);
    }
    for (unsigned i = 0; i < 0x20; i++) {
        command(0x60 + i);
        data(i * 7 + 1);
        assert_int_equal(status() & 0x09, 0);
    }
    for (unsigned i = 1; i < 0x20; i++) {
        command(0x20 + i);
        assert_int_equal(answer(), (uint8_t)(i * 7 + 1));
    }
}

static void command_byte(void **state)
{
    (void)state;
    command(0x60);
    data(0x00);
    command(0x20);
    assert_int_equal(answer(), 0x20); /* the auxiliary port stays disabled */
    assert_int_equal(status() & 0x04, 0);
    command(0xaa);
    assert_int_equal(answer(), 0x55);
    assert_int_equal(status() & 0x04, 0x04);
    command(0xad);
    command(0x20);
    assert_int_equal(answer(), 0x34);
    command(0xae);
    command(0xa8); /* no auxiliary port to enable */
    command(0x20);
    assert_int_equal(answer(), 0x24);
    command(0xa7);
    command(0x20);
    assert_int_equal(answer(), 0x24);
    command(0x60);
    command(0x20); /* another command instead of the byte */
    assert_int_equal(answer(), 0x24);
    data(0x55); /* so this one is for the keyboard */
    command(0x20);
    assert_int_equal(answer(), 0x24);
}

static void nothing_plugged_in(void **state)
{
    (void)state;
    data(0xff); /* reset the keyboard */
    assert_int_equal(status(), 0x55); /* time-out */
    assert_true(vkbc_data_ops.irq(&k));
    assert_int_equal(get(&vkbc_data_ops), 0xfe);
    assert_int_equal(status(), 0x14);
    assert_false(vkbc_data_ops.irq(&k));
    command(0xd4); /* for the mouse */
    data(0xf2);
    assert_int_equal(status() & 0x60, 0x40);
    assert_int_equal(get(&vkbc_data_ops), 0xfe);
    data(0xf2);
    command(0xaa); /* the next answer has no time-out */
    assert_int_equal(status() & 0x41, 0x01);
    assert_int_equal(answer(), 0x55);
    command(0xd3); /* a looped byte does not come from the auxiliary port */
    data(0x5a);
    assert_int_equal(status() & 0x21, 0x01);
    assert_int_equal(answer(), 0x5a);
    command(0xd2);
    data(0xa5);
    assert_int_equal(answer(), 0xa5);
    command(0x60);
    data(0x64); /* no interrupt */
    data(0xf4);
    assert_false(vkbc_data_ops.irq(&k));
    assert_int_equal(status() & 1, 1);
}

static void resets_and_a20(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        vkbc_init(&k);
        command(c);
        assert_int_equal(k.reset_requested, c >= 0xf0 && !(c & 1));
    }
    vkbc_init(&k);
    command(0xd1);
    data(0xdd);
    assert_false(k.a20 || k.reset_requested);
    command(0xd0);
    assert_int_equal(answer(), 0xcd);
    data(0x00); /* not for the output port any more */
    assert_false(k.reset_requested);
    command(0xdf);
    assert_true(k.a20);
    command(0xdd);
    assert_false(k.a20);
    command(0xd1);
    data(0x02);
    assert_true(k.a20 && k.reset_requested);
    vkbc_command_ops.reset(&k);
    assert_false(k.reset_requested);
}

static void other_sizes(void **state)
{
    (void)state;
    struct vkbc before = k;
    struct io_access a = {.size = 2, .write = true, .value = 0xfe};
    vkbc_command_ops.access(&k, &a);
    vkbc_data_ops.access(&k, &a);
    a = (struct io_access){.offset = 1, .size = 1, .write = true, .value = 0xfe};
    vkbc_command_ops.access(&k, &a);
    vkbc_data_ops.access(&k, &a);
    assert_memory_equal(&before, &k, sizeof(k));
    a = (struct io_access){.size = 4, .value = 0x1234};
    vkbc_command_ops.access(&k, &a);
    vkbc_data_ops.access(&k, &a);
    assert_int_equal(a.value, 0x1234);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(idle, setup),
        cmocka_unit_test_setup(controller_commands, setup),
        cmocka_unit_test_setup(command_byte, setup),
        cmocka_unit_test_setup(nothing_plugged_in, setup),
        cmocka_unit_test_setup(resets_and_a20, setup),
        cmocka_unit_test_setup(other_sizes, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
