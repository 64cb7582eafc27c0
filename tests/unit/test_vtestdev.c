/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device for test programs.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "core/lib/string.h"
#include "drivers/emu/vtestdev.h"

static uint8_t memory[VTESTDEV_MEMORY_BYTES];
static struct vtestdev t;

static void put(const struct device_ops *ops, uint64_t offset, unsigned size, uint64_t value)
{
    struct io_access a = {.offset = offset, .size = (uint8_t)size, .write = true, .value = value};
    ops->access(&t, &a);
}

static uint64_t get(const struct device_ops *ops, uint64_t offset, unsigned size)
{
    struct io_access a = {.offset = offset, .size = (uint8_t)size, .value = UINT64_MAX};
    ops->access(&t, &a);
    return a.value;
}

static int setup(void **state)
{
    (void)state;
    memset(memory, 0, sizeof(memory));
    vtestdev_init(&t, memory);
    return 0;
}

static void lines(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 24; n++) {
        put(&vtestdev_lines_ops, n, 1, 1);
        assert_int_equal(t.lines, 1u << n);
        put(&vtestdev_lines_ops, n, 1, 0);
        assert_int_equal(t.lines, 0);
    }
    put(&vtestdev_lines_ops, 3, 1, 0x80); /* whatever is not 0 */
    put(&vtestdev_lines_ops, 23, 1, 2);
    assert_int_equal(t.lines, 0x800008);
    put(&vtestdev_lines_ops, 3, 2, 0);
    put(&vtestdev_lines_ops, 24, 1, 1);
    put(&vtestdev_lines_ops, UINT64_MAX, 1, 1);
    assert_int_equal(t.lines, 0x800008);
    assert_int_equal(get(&vtestdev_lines_ops, 3, 1), UINT64_MAX);
    vtestdev_lines_ops.reset(&t);
    assert_int_equal(t.lines, 0);
}

static void latch(void **state)
{
    (void)state;
    put(&vtestdev_latch_ops, 0, 4, 0x12345678);
    assert_int_equal(get(&vtestdev_latch_ops, 0, 4), 0x12345678);
    assert_int_equal(get(&vtestdev_latch_ops, 1, 1), 0x56);
    put(&vtestdev_latch_ops, 1, 2, 0xabcd);
    assert_int_equal(get(&vtestdev_latch_ops, 0, 4), 0x12abcd78);
    put(&vtestdev_latch_ops, 3, 1, 0xfe);
    assert_int_equal(get(&vtestdev_latch_ops, 2, 2), 0xfeab);
    put(&vtestdev_latch_ops, 3, 2, 0);
    put(&vtestdev_latch_ops, 0, 8, 0);
    put(&vtestdev_latch_ops, 4, 1, 0);
    assert_int_equal(get(&vtestdev_latch_ops, 0, 4), 0xfeabcd78);
    assert_int_equal(get(&vtestdev_latch_ops, 3, 2), UINT64_MAX);
}

static void device_memory(void **state)
{
    (void)state;
    for (unsigned size = 1; size <= 8; size *= 2) {
        put(&vtestdev_memory_ops, 0x100 * size, size, UINT64_C(0x1122334455667788));
        assert_int_equal(get(&vtestdev_memory_ops, 0x100 * size, size),
                         UINT64_C(0x1122334455667788) & UINT64_MAX >> (64 - 8 * size));
        assert_int_equal(memory[0x100 * size + size], 0); /* not a byte more */
    }
    put(&vtestdev_memory_ops, 0x1003, 4, 0xa1b2c3d4); /* unaligned */
    assert_int_equal(memory[0x1003], 0xd4);
    assert_int_equal(memory[0x1006], 0xa1);
    put(&vtestdev_memory_ops, 0xfff8, 8, 1);
    assert_int_equal(memory[0xfff8], 1);
    put(&vtestdev_memory_ops, 0xfff9, 8, 0);
    put(&vtestdev_memory_ops, 0x10000, 1, 0);
    put(&vtestdev_memory_ops, UINT64_MAX - 3, 8, 0);
    assert_int_equal(memory[0xfff8], 1);
    assert_int_equal(get(&vtestdev_memory_ops, 0xffff, 2), UINT64_MAX);
    vtestdev_memory_ops.reset(&t);
    assert_int_equal(get(&vtestdev_memory_ops, 0xfff8, 8), 1); /* its owner clears it */
    vtestdev_init(&t, NULL);
    put(&vtestdev_memory_ops, 0, 8, 0);
    assert_int_equal(get(&vtestdev_memory_ops, 0, 8), UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(lines, setup),
        cmocka_unit_test_setup(latch, setup),
        cmocka_unit_test_setup(device_memory, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
