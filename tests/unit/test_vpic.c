/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 8259A pair: initialisation, priorities, every way to end an interrupt, the cascade, levels.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "drivers/emu/vpic.h"

static struct vpic p;

static void put(const struct device_ops *ops, unsigned offset, unsigned value)
{
    struct io_access a = {.offset = offset, .size = 1, .write = true, .value = value};
    ops->access(&p, &a);
}

static unsigned get(const struct device_ops *ops, unsigned offset)
{
    struct io_access a = {.offset = offset, .size = 1, .value = 0xff};
    ops->access(&p, &a);
    return (unsigned)a.value;
}

static void master(unsigned offset, unsigned value)
{
    put(&vpic_master_ops, offset, value);
}

static void slave(unsigned offset, unsigned value)
{
    put(&vpic_slave_ops, offset, value);
}

/* Both chips as an operating system sets them up, all lines allowed. */
static void initialise(unsigned master_icw4, unsigned slave_icw4)
{
    master(0, 0x11);
    master(1, 0x30);
    master(1, 0x04);
    master(1, master_icw4);
    slave(0, 0x11);
    slave(1, 0x38);
    slave(1, 0x02);
    slave(1, slave_icw4);
}

static int setup(void **state)
{
    (void)state;
    vpic_init(&p);
    initialise(0x01, 0x01);
    return 0;
}

static void pulse(unsigned irq)
{
    vpic_set_line(&p, irq, false);
    vpic_set_line(&p, irq, true);
}

static unsigned isr(const struct device_ops *ops)
{
    put(ops, 0, 0x0b);
    return get(ops, 0);
}

static unsigned irr(const struct device_ops *ops)
{
    put(ops, 0, 0x0a);
    return get(ops, 0);
}

static void after_reset(void **state)
{
    (void)state;
    vpic_master_ops.reset(&p);
    assert_int_equal(get(&vpic_master_ops, 1), 0xff);
    assert_int_equal(get(&vpic_slave_ops, 1), 0xff);
    assert_int_equal(get(&vpic_master_ops, 0), 0);
    assert_int_equal(get(&vpic_elcr_ops, 0), 0);
    pulse(0);
    pulse(9);
    assert_false(vpic_output(&p));
    master(1, 0xfa);
    assert_true(vpic_output(&p));
    assert_int_equal(vpic_acknowledge(&p), 0x08);
    master(0, 0x20);
    slave(1, 0xfd);
    assert_int_equal(vpic_acknowledge(&p), 0x71);
}

static void initialisation(void **state)
{
    (void)state;
    pulse(1);
    assert_int_equal(vpic_acknowledge(&p), 0x31);
    pulse(0);
    master(1, 0x5a);
    master(0, 0x68); /* special mask */
    master(0, 0xc3); /* 3 is lowest */
    assert_true(vpic_output(&p));
    master(0, 0x11);
    assert_false(vpic_output(&p)); /* not before the sequence ends */
    assert_int_equal(get(&vpic_master_ops, 1), 0); /* the mask is cleared */
    assert_int_equal(get(&vpic_master_ops, 0), 0); /* reads IRR: edges are forgotten */
    master(1, 0x57); /* only the upper five bits count */
    assert_int_equal(p.chip[0].isr, 0);
    master(1, 0x04);
    master(1, 0x01);
    assert_int_equal(p.chip[0].lowest, 7);
    assert_false(p.chip[0].special_mask);
    assert_false(vpic_output(&p)); /* line 0 is still high: no edge, no request */
    vpic_set_line(&p, 0, false);
    vpic_set_line(&p, 0, true);
    assert_int_equal(vpic_acknowledge(&p), 0x50);
    assert_int_equal(get(&vpic_master_ops, 1), 0);
    master(1, 0xa5); /* the sequence is over: OCW1 */
    assert_int_equal(get(&vpic_master_ops, 1), 0xa5);
}

static void short_initialisations(void **state)
{
    (void)state;
    initialise(0x03, 0x01);
    master(0, 0x10); /* no ICW4: its functions are off */
    master(1, 0x40);
    pulse(3);
    assert_false(vpic_output(&p));
    master(1, 0x04);
    assert_true(vpic_output(&p)); /* a rise in the middle of the sequence counts after it */
    assert_int_equal(vpic_acknowledge(&p), 0x43);
    assert_int_equal(isr(&vpic_master_ops), 0x08); /* no automatic EOI any more */
    master(0, 0x13); /* single: no ICW3 */
    master(1, 0x48);
    master(1, 0x01);
    pulse(10);
    assert_int_equal(vpic_acknowledge(&p), 0x4a);  /* input 2 is one like any other */
    master(0, 0x12); /* single, no ICW4: one word */
    master(1, 0x60);
    master(1, 0xfe);
    assert_int_equal(get(&vpic_master_ops, 1), 0xfe);
}

static void edges(void **state)
{
    (void)state;
    vpic_set_line(&p, 4, true);
    assert_int_equal(irr(&vpic_master_ops), 0x10);
    vpic_set_line(&p, 4, true);
    assert_int_equal(vpic_acknowledge(&p), 0x34);
    assert_int_equal(irr(&vpic_master_ops), 0);
    assert_int_equal(isr(&vpic_master_ops), 0x10);
    vpic_set_line(&p, 4, true); /* high still: no other edge */
    master(0, 0x20);
    assert_false(vpic_output(&p));
    pulse(4);
    assert_true(vpic_output(&p));
    vpic_set_line(&p, 4, false); /* withdrawn */
    assert_false(vpic_output(&p));
    assert_int_equal(irr(&vpic_master_ops), 0);
    assert_int_equal(vpic_acknowledge(&p), 0x37); /* spurious */
    assert_int_equal(isr(&vpic_master_ops), 0);
    /* masked edges wait */
    master(1, 0x10);
    pulse(4);
    assert_false(vpic_output(&p));
    assert_int_equal(irr(&vpic_master_ops), 0x10);
    master(1, 0);
    assert_true(vpic_output(&p));
    master(1, 0x10); /* masked between INTR and the acknowledge */
    assert_int_equal(vpic_acknowledge(&p), 0x37);
    vpic_set_line(&p, 2, true);
    vpic_set_line(&p, 16, true);
    vpic_set_line(&p, UINT32_MAX, true);
    assert_int_equal(irr(&vpic_master_ops), 0x10);
    assert_int_equal(irr(&vpic_slave_ops), 0);
}

static void priorities(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 16; i++)
        pulse(i);
    static const int order[] = {0x30, 0x31, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f,
                                0x33, 0x34, 0x35, 0x36, 0x37};
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        assert_true(vpic_output(&p));
        assert_int_equal(vpic_acknowledge(&p), order[i]);
        assert_false(vpic_output(&p)); /* only lower ones are left */
        if (order[i] >= 0x38)
            slave(0, 0x20);
        master(0, 0x20);
    }
    assert_false(vpic_output(&p));
    /* nesting */
    pulse(5);
    assert_int_equal(vpic_acknowledge(&p), 0x35);
    pulse(6);
    assert_false(vpic_output(&p));
    pulse(3);
    assert_int_equal(vpic_acknowledge(&p), 0x33);
    assert_int_equal(isr(&vpic_master_ops), 0x28);
    master(0, 0x20); /* ends the more urgent one */
    assert_int_equal(isr(&vpic_master_ops), 0x20);
    assert_false(vpic_output(&p));
    master(0, 0x65); /* specific */
    assert_int_equal(vpic_acknowledge(&p), 0x36);
    master(0, 0x60); /* of one that is not in service */
    assert_int_equal(isr(&vpic_master_ops), 0x40);
    master(0, 0x40); /* no operation */
    assert_int_equal(isr(&vpic_master_ops), 0x40);
}

static void cascade(void **state)
{
    (void)state;
    pulse(12);
    assert_int_equal(irr(&vpic_master_ops), 0x04);
    assert_int_equal(vpic_acknowledge(&p), 0x3c);
    assert_int_equal(isr(&vpic_master_ops), 0x04);
    assert_int_equal(isr(&vpic_slave_ops), 0x10);
    pulse(8); /* more urgent on the slave, locked out by the master */
    assert_false(vpic_output(&p));
    master(0, 0x20);
    assert_int_equal(vpic_acknowledge(&p), 0x38);
    pulse(15);
    slave(0, 0x20);
    master(0, 0x20);
    assert_false(vpic_output(&p)); /* 12 is in service */
    slave(0, 0x20);
    assert_int_equal(vpic_acknowledge(&p), 0x3f);
    slave(0, 0x20);
    master(0, 0x20);
    /* the request goes away between the two chips' acknowledges: the slave's own input 7 */
    pulse(9);
    vpic_set_line(&p, 9, false);
    assert_false(vpic_output(&p));
    pulse(9);
    p.chip[1].edges = 0; /* as if it fell within the cycle */
    assert_int_equal(vpic_acknowledge(&p), 0x3f);
    assert_int_equal(isr(&vpic_slave_ops), 0);
    assert_int_equal(isr(&vpic_master_ops), 0x04); /* the master does not know */
}

static void special_fully_nested(void **state)
{
    (void)state;
    initialise(0x11, 0x01);
    pulse(12);
    assert_int_equal(vpic_acknowledge(&p), 0x3c);
    pulse(14);
    assert_false(vpic_output(&p)); /* less urgent on the slave itself */
    pulse(8);
    assert_int_equal(vpic_acknowledge(&p), 0x38);
    pulse(3);
    assert_false(vpic_output(&p));
    pulse(1);
    assert_int_equal(vpic_acknowledge(&p), 0x31);
    pulse(1);
    assert_false(vpic_output(&p));
}

static void automatic_eoi(void **state)
{
    (void)state;
    initialise(0x03, 0x03);
    for (unsigned i = 0; i < 2; i++) {
        pulse(5);
        assert_int_equal(vpic_acknowledge(&p), 0x35);
        assert_int_equal(isr(&vpic_master_ops), 0);
        pulse(13);
        assert_int_equal(vpic_acknowledge(&p), 0x3d);
        assert_int_equal(isr(&vpic_slave_ops) | isr(&vpic_master_ops), 0);
    }
    /* two on the slave, one after the other without an EOI: a new edge for the master each time */
    pulse(9);
    pulse(10);
    assert_int_equal(vpic_acknowledge(&p), 0x39);
    assert_true(vpic_output(&p));
    assert_int_equal(vpic_acknowledge(&p), 0x3a);
    assert_false(vpic_output(&p));
    master(0, 0x80); /* rotate with it */
    pulse(4);
    pulse(6);
    assert_int_equal(vpic_acknowledge(&p), 0x34);
    pulse(4);
    assert_int_equal(vpic_acknowledge(&p), 0x36);
    assert_int_equal(vpic_acknowledge(&p), 0x34);
    assert_int_equal(p.chip[0].lowest, 4);
    master(0, 0x00);
    pulse(6);
    assert_int_equal(vpic_acknowledge(&p), 0x36);
    assert_int_equal(p.chip[0].lowest, 4);
}

static void rotation(void **state)
{
    (void)state;
    pulse(4);
    pulse(6);
    assert_int_equal(vpic_acknowledge(&p), 0x34);
    master(0, 0xa0); /* rotate on non-specific EOI: 4 becomes lowest */
    assert_int_equal(isr(&vpic_master_ops), 0);
    pulse(4);
    pulse(5);
    assert_int_equal(vpic_acknowledge(&p), 0x35);
    pulse(7);
    assert_false(vpic_output(&p));
    master(0, 0xe5); /* rotate on specific EOI: 5 becomes lowest */
    assert_int_equal(vpic_acknowledge(&p), 0x36);
    master(0, 0xa0);
    assert_int_equal(vpic_acknowledge(&p), 0x37);
    master(0, 0xc0); /* set priority: 0 is lowest, 1 highest; EOI follows that order */
    pulse(1);
    assert_int_equal(vpic_acknowledge(&p), 0x31);
    master(0, 0x20);
    assert_int_equal(isr(&vpic_master_ops), 0x80);
    master(0, 0xa0);
    assert_int_equal(p.chip[0].lowest, 7);
    master(0, 0xa0); /* nothing in service: nothing rotates */
    assert_int_equal(p.chip[0].lowest, 7);
}

static void special_mask(void **state)
{
    (void)state;
    pulse(3);
    assert_int_equal(vpic_acknowledge(&p), 0x33);
    pulse(6);
    assert_false(vpic_output(&p));
    master(1, 0x08);
    assert_false(vpic_output(&p));
    master(0, 0x68);
    assert_true(vpic_output(&p)); /* 3 is masked and so blocks nobody */
    master(0, 0x28); /* ESMM 0: SMM is not looked at */
    assert_int_equal(vpic_acknowledge(&p), 0x36);
    assert_int_equal(isr(&vpic_master_ops), 0x48);
    master(0, 0x20); /* passes over the masked one */
    assert_int_equal(isr(&vpic_master_ops), 0x08);
    master(0, 0x20);
    assert_int_equal(isr(&vpic_master_ops), 0x08);
    master(0, 0x63);
    assert_int_equal(isr(&vpic_master_ops), 0);
    master(0, 0x48);
    assert_false(p.chip[0].special_mask);
}

static void poll(void **state)
{
    (void)state;
    master(0, 0x0c);
    assert_int_equal(get(&vpic_master_ops, 0), 0);
    pulse(5);
    master(0, 0x0c);
    assert_int_equal(get(&vpic_master_ops, 1), 0x85); /* whatever the address */
    assert_int_equal(isr(&vpic_master_ops), 0x20);
    assert_int_equal(get(&vpic_master_ops, 1), 0);
    pulse(11);
    slave(0, 0x0e); /* poll wins over "read a register" */
    assert_int_equal(get(&vpic_slave_ops, 0), 0x83);
    assert_int_equal(irr(&vpic_master_ops) & 4, 0);
    assert_int_equal(isr(&vpic_slave_ops), 0x08);
    pulse(1);
    master(0, 0x0c);
    assert_int_equal(get(&vpic_master_ops, 0), 0x81);
    assert_false(vpic_output(&p));
}

static void levels(void **state)
{
    (void)state;
    put(&vpic_elcr_ops, 0, 0xff);
    put(&vpic_elcr_ops, 1, 0xff);
    assert_int_equal(get(&vpic_elcr_ops, 0), 0xf8);
    assert_int_equal(get(&vpic_elcr_ops, 1), 0xde);
    vpic_set_line(&p, 5, true);
    assert_int_equal(vpic_acknowledge(&p), 0x35);
    assert_int_equal(irr(&vpic_master_ops), 0x20); /* still there */
    assert_false(vpic_output(&p));
    master(0, 0x20);
    assert_true(vpic_output(&p));
    assert_int_equal(vpic_acknowledge(&p), 0x35);
    vpic_set_line(&p, 5, false);
    master(0, 0x20);
    assert_false(vpic_output(&p));
    /* a level outlasts initialisation, an edge does not */
    vpic_set_line(&p, 11, true);
    vpic_set_line(&p, 8, true);
    initialise(0x01, 0x01);
    assert_int_equal(get(&vpic_elcr_ops, 1), 0xde);
    assert_int_equal(vpic_acknowledge(&p), 0x3b);
    slave(0, 0x20);
    master(0, 0x20);
    assert_true(vpic_output(&p)); /* the cascade input is edge triggered: a new edge came */
    put(&vpic_elcr_ops, 1, 0);
    assert_int_equal(irr(&vpic_slave_ops), 0);
    assert_false(vpic_output(&p));
}

static void other_accesses(void **state)
{
    (void)state;
    struct vpic before = p;
    struct io_access a = {.offset = 0, .size = 2, .write = true, .value = 0x11};
    vpic_master_ops.access(&p, &a);
    a = (struct io_access){.offset = 2, .size = 1, .write = true, .value = 0x11};
    vpic_slave_ops.access(&p, &a);
    vpic_elcr_ops.access(&p, &a);
    assert_memory_equal(&before, &p, sizeof(p));
    a = (struct io_access){.offset = 0, .size = 4, .value = 0x1234};
    vpic_master_ops.access(&p, &a);
    vpic_elcr_ops.access(&p, &a);
    assert_int_equal(a.value, 0x1234);
    assert_false(vpic_master_ops.irq(&p));
    pulse(0);
    assert_true(vpic_master_ops.irq(&p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(after_reset, setup),
        cmocka_unit_test_setup(initialisation, setup),
        cmocka_unit_test_setup(short_initialisations, setup),
        cmocka_unit_test_setup(edges, setup),
        cmocka_unit_test_setup(priorities, setup),
        cmocka_unit_test_setup(cascade, setup),
        cmocka_unit_test_setup(special_fully_nested, setup),
        cmocka_unit_test_setup(automatic_eoi, setup),
        cmocka_unit_test_setup(rotation, setup),
        cmocka_unit_test_setup(special_mask, setup),
        cmocka_unit_test_setup(poll, setup),
        cmocka_unit_test_setup(levels, setup),
        cmocka_unit_test_setup(other_accesses, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
