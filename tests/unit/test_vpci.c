/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The empty PCI bus, on its own and with the reset register inside it on a real bus.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "core/bus.h"
#include "drivers/emu/vpci.h"
#include "drivers/emu/vreset.h"

static struct vpci p;
static struct vreset reset;
static struct bus b;

static void out(unsigned port, unsigned size, uint32_t value)
{
    struct io_access a = {.size = (uint8_t)size, .write = true, .value = value};
    bus_access(&b, port, &a);
}

static uint32_t in(unsigned port, unsigned size)
{
    struct io_access a = {.size = (uint8_t)size};
    bus_access(&b, port, &a);
    return (uint32_t)a.value;
}

static int setup(void **state)
{
    (void)state;
    vreset_init(&reset);
    vpci_init(&p, &vreset_control_ops, &reset);
    bus_init(&b);
    assert_int_equal(bus_add(&b, VPCI_PORT, VPCI_PORTS, 4, &vpci_ops, &p), PL_OK);
    return 0;
}

static void address_latch(void **state)
{
    (void)state;
    assert_int_equal(in(0xcf8, 4), 0);
    out(0xcf8, 4, 0x80000000); /* how systems find mechanism #1 */
    assert_int_equal(in(0xcf8, 4), 0x80000000);
    out(0xcf8, 4, 0xffffffff);
    assert_int_equal(in(0xcf8, 4), 0x80fffffc);
    out(0xcfb, 1, 0x01); /* smaller ones are not for it */
    out(0xcf8, 2, 0);
    out(0xcfa, 2, 0);
    assert_int_equal(in(0xcf8, 4), 0x80fffffc);
    assert_int_equal(in(0xcf8, 1), 0xff);
    assert_int_equal(in(0xcfa, 1), 0xff);
    assert_int_equal(in(0xcf8, 2), 0xffff);
    vpci_ops.reset(&p);
    assert_int_equal(in(0xcf8, 4), 0);
    assert_ptr_equal(p.inner_dev, &reset);
}

static void no_devices(void **state)
{
    (void)state;
    for (unsigned device = 0; device < 32; device++) {
        out(0xcf8, 4, 0x80000000 | device << 11);
        assert_int_equal(in(0xcfc, 4), 0xffffffff);
        assert_int_equal(in(0xcfe, 2), 0xffff);
        assert_int_equal(in(0xcff, 1), 0xff);
        out(0xcfc, 4, 0);
        assert_int_equal(in(0xcf8, 4), 0x80000000 | device << 11);
    }
}

static void reset_register(void **state)
{
    (void)state;
    assert_int_equal(in(0xcf9, 1), 0);
    out(0xcf9, 1, 0x02);
    assert_int_equal(in(0xcf9, 1), 0x02);
    out(0xcf8, 4, 0x80000600); /* its byte would be a reset: a dword never reaches it */
    assert_int_equal(in(0xcf9, 1), 0x02);
    assert_false(reset.reset_requested);
    out(0xcf9, 1, 0x06);
    assert_true(reset.reset_requested);
    assert_int_equal(in(0xcf8, 4), 0x80000600);
    vpci_init(&p, NULL, NULL);
    out(0xcf9, 1, 0x06);
    assert_int_equal(in(0xcf9, 1), 0xff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(address_latch, setup),
        cmocka_unit_test_setup(no_devices, setup),
        cmocka_unit_test_setup(reset_register, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
