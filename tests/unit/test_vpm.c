/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI's fixed hardware: the timer and its carry, events and SCI, S5.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "drivers/emu/vpm.h"

static struct vpm p;

static void out(unsigned offset, unsigned size, uint32_t value)
{
    struct io_access a = {.offset = offset, .size = (uint8_t)size, .write = true, .value = value};
    vpm_ops.access(&p, &a);
}

static uint32_t in(unsigned offset, unsigned size)
{
    struct io_access a = {.offset = offset, .size = (uint8_t)size, .value = 0xaaaaaaaa};
    vpm_ops.access(&p, &a);
    return (uint32_t)a.value;
}

static int setup(void **state)
{
    (void)state;
    vpm_init(&p, false, 0);
    return 0;
}

static void timer(void **state)
{
    (void)state;
    assert_int_equal(in(8, 4), 0);
    vpm_ops.advance(&p, UINT64_C(1000000000));
    assert_int_equal(in(8, 4), 3579545);
    assert_int_equal(in(8, 1) | in(9, 1) << 8 | in(10, 1) << 16, 3579545);
    assert_int_equal(in(10, 2), 3579545 >> 16);
    out(8, 4, 0);
    assert_int_equal(in(8, 4), 3579545);
    vpm_ops.advance(&p, 1); /* never back */
    assert_int_equal(in(8, 4), 3579545);
    vpm_ops.advance(&p, UINT64_C(88000) * 1000000); /* 315 million ticks exactly */
    assert_int_equal(in(8, 4), 315000000 & 0xffffff);
    vpm_init(&p, true, UINT64_C(88000) * 1000000);
    assert_int_equal(in(8, 4), 315000000);
    vpm_ops.advance(&p, UINT64_C(88000) * 100000000);
    assert_int_equal(in(8, 4), UINT64_C(31500000000) & 0xffffffff);
    vpm_ops.reset(&p); /* the clock goes on */
    assert_int_equal(in(8, 4), UINT64_C(31500000000) & 0xffffffff);
}

static void carry(void **state)
{
    (void)state;
    /* 2^23 ticks end at 8388608 * 88000 / 315 ns */
    uint64_t first = (UINT64_C(8388608) * 88000 + 314) / 315;
    uint64_t second = (UINT64_C(2) * 8388608 * 88000 + 314) / 315;
    assert_int_equal(vpm_ops.deadline(&p), UINT64_MAX);
    out(2, 2, 1);
    assert_int_equal(vpm_ops.deadline(&p), first);
    assert_false(vpm_ops.advance(&p, first - 1));
    assert_int_equal(in(8, 4), 0x7fffff);
    assert_false(vpm_ops.irq(&p));
    assert_true(vpm_ops.advance(&p, first));
    assert_int_equal(in(8, 4), 0x800000);
    assert_true(vpm_ops.irq(&p));
    assert_int_equal(in(0, 2), 1);
    assert_int_equal(vpm_ops.deadline(&p), UINT64_MAX);
    out(0, 2, 1);
    assert_false(vpm_ops.irq(&p));
    assert_int_equal(vpm_ops.deadline(&p), second); /* bit 23 falls: that counts too */
    vpm_ops.advance(&p, second);
    assert_int_equal(in(8, 4), 0);
    assert_true(vpm_ops.irq(&p));
    out(2, 2, 0);
    assert_false(vpm_ops.irq(&p));
    vpm_init(&p, true, 0);
    out(2, 2, 1);
    assert_int_equal(vpm_ops.deadline(&p), (BIT(31) * 88000 + 314) / 315);
    vpm_ops.advance(&p, (BIT(31) * 88000 + 314) / 315 - 1);
    assert_int_equal(in(8, 4), 0x7fffffff);
    assert_int_equal(in(0, 2), 0);
    vpm_ops.advance(&p, (BIT(31) * 88000 + 314) / 315);
    assert_int_equal(in(0, 2), 1);
    out(0, 2, 1);
    vpm_ops.advance(&p, UINT64_MAX);
    out(0, 2, 1);
    assert_int_equal(vpm_ops.deadline(&p), UINT64_MAX); /* beyond the end of the clock */
}

static void power_button(void **state)
{
    (void)state;
    vpm_press_power_button(&p);
    assert_false(vpm_ops.irq(&p));
    assert_int_equal(in(0, 4), 0x00000100);
    out(2, 2, 0xffff);
    assert_int_equal(in(2, 2), 0x0721);
    assert_true(vpm_ops.irq(&p));
    out(0, 1, 0xff); /* the other byte */
    assert_true(vpm_ops.irq(&p));
    out(1, 1, 0x01);
    assert_false(vpm_ops.irq(&p));
    out(3, 1, 0x00);
    assert_int_equal(in(2, 2), 0x0021);
    vpm_press_power_button(&p);
    assert_false(vpm_ops.irq(&p));
    out(0, 4, 0x01000100); /* status and enable at once */
    assert_int_equal(in(0, 4), 0x01000000);
}

static void soft_off(void **state)
{
    (void)state;
    assert_int_equal(in(4, 2), 0x0001);
    out(4, 2, 0);
    assert_int_equal(in(4, 2), 0x0001); /* ACPI mode cannot be left */
    for (unsigned type = 0; type < 8; type++) {
        vpm_init(&p, false, 0);
        out(4, 2, type << 10);
        assert_int_equal(in(4, 2), 1 | type << 10);
        assert_false(p.s5_requested);
        out(4, 2, type << 10 | 0x2000);
        assert_int_equal(in(4, 2), 1 | type << 10); /* SLP_EN reads 0 */
        assert_int_equal(p.s5_requested, type == VPM_SLP_TYP_S5);
    }
    vpm_init(&p, false, 0);
    out(4, 1, 0xff);
    assert_int_equal(in(4, 2), 0x0003); /* BM_RLD is stored, GBL_RLS is not */
    assert_false(p.s5_requested);
    out(5, 1, 0x34); /* by the byte */
    assert_true(p.s5_requested);
    vpm_ops.reset(&p);
    assert_false(p.s5_requested);
}

static void other_accesses(void **state)
{
    (void)state;
    assert_int_equal(in(6, 2), 0);
    struct vpm before = p;
    out(6, 2, 0xffff);
    out(10, 4, 0xffffffff);
    out(12, 1, 0xff);
    out(4, 8, 0x3400);
    assert_memory_equal(&before, &p, sizeof(p));
    assert_int_equal(in(10, 4), 0xaaaaaaaa);
    assert_int_equal(in(12, 1), 0xaaaaaaaa);
    assert_int_equal(in(0, 8), 0xaaaaaaaa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(timer, setup),
        cmocka_unit_test_setup(carry, setup),
        cmocka_unit_test_setup(power_button, setup),
        cmocka_unit_test_setup(soft_off, setup),
        cmocka_unit_test_setup(other_accesses, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
