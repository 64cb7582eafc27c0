/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The debug ports.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "drivers/emu/vdebug.h"

static struct vdebug d;

static void put(const struct device_ops *ops, unsigned offset, unsigned size, uint64_t value)
{
    struct io_access a = {.offset = offset, .size = (uint8_t)size, .write = true, .value = value};
    ops->access(&d, &a);
}

static uint64_t get(const struct device_ops *ops, unsigned offset, unsigned size)
{
    struct io_access a = {.offset = offset, .size = (uint8_t)size, .value = 0xabcd};
    ops->access(&d, &a);
    return a.value;
}

static int setup(void **state)
{
    (void)state;
    vdebug_init(&d);
    return 0;
}

static void post(void **state)
{
    (void)state;
    assert_int_equal(get(&vdebug_post_ops, 0, 1), 0);
    put(&vdebug_post_ops, 0, 1, 0x5a);
    assert_int_equal(get(&vdebug_post_ops, 0, 1), 0x5a);
    put(&vdebug_post_ops, 0, 2, 0x77);
    put(&vdebug_post_ops, 1, 1, 0x77);
    assert_int_equal(d.post, 0x5a);
    assert_int_equal(get(&vdebug_post_ops, 0, 2), 0xabcd); /* what the bus preset stays */
    assert_int_equal(get(&vdebug_post_ops, 1, 1), 0xabcd);
}

static void console(void **state)
{
    (void)state;
    char buf[VDEBUG_CONSOLE_BYTES + 1];
    assert_int_equal(get(&vdebug_console_ops, 0, 1), 0xe9);
    assert_int_equal(vdebug_take(&d, buf, sizeof(buf)), 0);
    put(&vdebug_console_ops, 0, 1, 'h');
    put(&vdebug_console_ops, 0, 1, 'i');
    put(&vdebug_console_ops, 0, 4, 'x');
    put(&vdebug_console_ops, 1, 1, 'x');
    assert_int_equal(vdebug_take(&d, buf, 1), 1);
    assert_int_equal(buf[0], 'h');
    assert_int_equal(vdebug_take(&d, buf, sizeof(buf)), 1);
    assert_int_equal(buf[0], 'i');
    for (unsigned i = 0; i < VDEBUG_CONSOLE_BYTES + 3; i++)
        put(&vdebug_console_ops, 0, 1, i);
    assert_int_equal(d.console_lost, 3);
    assert_int_equal(vdebug_take(&d, buf, sizeof(buf)), VDEBUG_CONSOLE_BYTES);
    for (unsigned i = 0; i < VDEBUG_CONSOLE_BYTES; i++)
        assert_int_equal(buf[i], i);
}

static void leaving(void **state)
{
    (void)state;
    assert_int_equal(get(&vdebug_exit_ops, 0, 1), 0xabcd);
    put(&vdebug_exit_ops, 1, 1, 3);
    put(&vdebug_exit_ops, 0, 8, 3);
    assert_false(d.exit_requested);
    put(&vdebug_exit_ops, 0, 4, 0x12345678);
    assert_true(d.exit_requested);
    assert_int_equal(d.exit_status, 0x12345678);
    put(&vdebug_exit_ops, 0, 1, 0); /* the first counts */
    assert_int_equal(d.exit_status, 0x12345678);
    vdebug_exit_ops.reset(&d);
    assert_false(d.exit_requested);
    put(&vdebug_exit_ops, 0, 1, 0);
    assert_true(d.exit_requested);
    assert_int_equal(d.exit_status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(post, setup),
        cmocka_unit_test_setup(console, setup),
        cmocka_unit_test_setup(leaving, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
