/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The firmware configuration device.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "drivers/emu/vfwcfg.h"

static struct vfwcfg f;

static void select_key(unsigned key)
{
    struct io_access a = {.offset = 0, .size = 2, .write = true, .value = key};
    vfwcfg_ops.access(&f, &a);
}

static unsigned next(void)
{
    struct io_access a = {.offset = 1, .size = 1, .value = 0xff};
    vfwcfg_ops.access(&f, &a);
    return (unsigned)a.value;
}

static int setup(void **state)
{
    (void)state;
    vfwcfg_init(&f, 0x0104);
    return 0;
}

static void items(void **state)
{
    (void)state;
    static const struct {
        unsigned key;
        const char bytes[5];
    } rows[] = {
        {0, "QEMU"}, {1, "\1\0\0\0"}, {5, "\4\1\0\0"}, {15, "\4\1\0\0"}, {0, "QEMU"},
        {2, "\0\0\0\0"}, {3, "\0\0\0\0"}, {0x19, "\0\0\0\0"}, {0xffff, "\0\0\0\0"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        select_key(rows[i].key);
        for (unsigned n = 0; n < 4; n++)
            assert_int_equal(next(), rows[i].bytes[n]);
        for (unsigned n = 0; n < 300; n++)
            assert_int_equal(next(), 0);
    }
    vfwcfg_ops.reset(&f);
    assert_int_equal(next(), 'Q');
    select_key(5);
    assert_int_equal(next(), 4);
}

static void other_accesses(void **state)
{
    (void)state;
    select_key(5);
    struct vfwcfg before = f;
    struct io_access a = {.offset = 0, .size = 1, .write = true, .value = 0};
    vfwcfg_ops.access(&f, &a);
    a = (struct io_access){.offset = 1, .size = 1, .write = true, .value = 0};
    vfwcfg_ops.access(&f, &a);
    a = (struct io_access){.offset = 1, .size = 2, .write = true, .value = 0};
    vfwcfg_ops.access(&f, &a);
    a = (struct io_access){.offset = 0, .size = 2, .value = 0x1234};
    vfwcfg_ops.access(&f, &a);
    assert_int_equal(a.value, 0x1234);
    a = (struct io_access){.offset = 0, .size = 1, .value = 0x12};
    vfwcfg_ops.access(&f, &a);
    assert_int_equal(a.value, 0x12);
    assert_memory_equal(&before, &f, sizeof(f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(items, setup),
        cmocka_unit_test_setup(other_accesses, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
