/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reset ports.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "drivers/emu/vreset.h"

static struct vreset r;

static void put(const struct device_ops *ops, unsigned size, uint64_t value)
{
    struct io_access a = {.size = (uint8_t)size, .write = true, .value = value};
    ops->access(&r, &a);
}

static uint64_t get(const struct device_ops *ops, unsigned offset, unsigned size)
{
    struct io_access a = {.offset = offset, .size = (uint8_t)size, .value = 0xabcd};
    ops->access(&r, &a);
    return a.value;
}

static int setup(void **state)
{
    (void)state;
    vreset_init(&r);
    return 0;
}

static void control_register(void **state)
{
    (void)state;
    assert_int_equal(get(&vreset_control_ops, 0, 1), 0);
    put(&vreset_control_ops, 1, 0x02);
    assert_false(r.reset_requested);
    assert_int_equal(get(&vreset_control_ops, 0, 1), 0x02);
    put(&vreset_control_ops, 4, 0x06);
    assert_false(r.reset_requested);
    put(&vreset_control_ops, 1, 0x06);
    assert_true(r.reset_requested && r.hard);
    vreset_control_ops.reset(&r);
    assert_false(r.reset_requested || r.hard);
    put(&vreset_control_ops, 1, 0x04);
    assert_true(r.reset_requested);
    assert_false(r.hard);
    r.reset_requested = false;
    put(&vreset_control_ops, 1, 0x06); /* no rising edge */
    assert_false(r.reset_requested);
    assert_int_equal(get(&vreset_control_ops, 1, 1), 0xabcd);
    assert_int_equal(get(&vreset_control_ops, 0, 4), 0xabcd);
}

static void fast_a20(void **state)
{
    (void)state;
    assert_int_equal(get(&vreset_fast_a20_ops, 0, 1), 0x02);
    put(&vreset_fast_a20_ops, 1, 0x00);
    assert_int_equal(get(&vreset_fast_a20_ops, 0, 1), 0x00);
    assert_false(r.reset_requested);
    put(&vreset_fast_a20_ops, 1, 0x03);
    assert_true(r.reset_requested);
    assert_false(r.hard);
    r.reset_requested = false;
    put(&vreset_fast_a20_ops, 1, 0x01);
    assert_false(r.reset_requested);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(control_register, setup),
        cmocka_unit_test_setup(fast_a20, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
