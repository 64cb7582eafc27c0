/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The emulated 16550A, register by register, and what Linux' driver probes for.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "drivers/emu/vuart.h"

static struct vuart u;

static void out(unsigned reg, unsigned value)
{
    struct io_access a = {.offset = reg, .size = 1, .write = true, .value = value};
    vuart_ops.access(&u, &a);
}

static unsigned in(unsigned reg)
{
    struct io_access a = {.offset = reg, .size = 1, .value = 0xff};
    vuart_ops.access(&u, &a);
    return (unsigned)a.value;
}

static int setup(void **state)
{
    (void)state;
    vuart_ops.reset(&u);
    return 0;
}

static void after_reset(void **state)
{
    (void)state;
    assert_int_equal(in(1), 0);
    assert_int_equal(in(2), 0x01);
    assert_int_equal(in(3), 0);
    assert_int_equal(in(4), 0);
    assert_int_equal(in(5), 0x60);
    assert_int_equal(in(6), 0xb0);
    assert_int_equal(in(7), 0);
    assert_false(vuart_ops.irq(&u));
}

static void registers_hold(void **state)
{
    (void)state;
    out(7, 0x5a);
    assert_int_equal(in(7), 0x5a);
    out(1, 0xff);
    assert_int_equal(in(1), 0x0f);
    out(4, 0xef);
    assert_int_equal(in(4), 0x0f);
    out(3, 0x83); /* DLAB: data and IER become the divisor */
    out(0, 0x34);
    out(1, 0x12);
    assert_int_equal(in(0), 0x34);
    assert_int_equal(in(1), 0x12);
    out(3, 0x03);
    assert_int_equal(in(1), 0x0f);
    assert_int_equal(in(0), 0); /* empty receiver */
    char c;
    assert_int_equal(vuart_take(&u, &c, 1), 0); /* the divisor is not output */
    out(5, 0xff);
    out(6, 0xff);
    assert_int_equal(in(5), 0x60);
    assert_int_equal(in(6), 0xb0);
}

static void other_sizes(void **state)
{
    (void)state;
    struct io_access a = {.offset = 0, .size = 2, .value = 0xffff};
    vuart_ops.access(&u, &a);
    assert_int_equal(a.value, 0xffff);
    a = (struct io_access){.offset = 7, .size = 4, .write = true, .value = 1};
    vuart_ops.access(&u, &a);
    assert_int_equal(in(7), 0);
    a = (struct io_access){.offset = 8, .size = 1, .value = 0xff};
    vuart_ops.access(&u, &a);
    assert_int_equal(a.value, 0xff);
    a = (struct io_access){.offset = UINT64_MAX, .size = 1, .write = true};
    vuart_ops.access(&u, &a);
}

static void output_without_fifo(void **state)
{
    (void)state;
    char buf[4];
    out(0, 'a');
    assert_int_equal(in(5), 0x00);
    assert_true(vuart_tx_full(&u));
    out(0, 'b'); /* lost */
    assert_int_equal(u.tx_lost, 1);
    assert_int_equal(vuart_take(&u, buf, sizeof(buf)), 1);
    assert_int_equal(buf[0], 'a');
    assert_int_equal(in(5), 0x60);
    assert_false(vuart_tx_full(&u));
}

static void output_with_fifo(void **state)
{
    (void)state;
    char buf[32];
    out(2, 0x01);
    assert_int_equal(in(2), 0xc1);
    for (unsigned i = 0; i < 16; i++) {
        assert_false(vuart_tx_full(&u));
        out(0, 'A' + i);
    }
    assert_true(vuart_tx_full(&u));
    assert_int_equal(in(5), 0);
    out(0, 'z');
    assert_int_equal(u.tx_lost, 1);
    assert_int_equal(vuart_take(&u, buf, 10), 10);
    assert_memory_equal(buf, "ABCDEFGHIJ", 10);
    assert_int_equal(in(5), 0); /* not empty yet */
    for (unsigned i = 0; i < 10; i++)
        out(0, 'a' + i); /* wraps in the ring */
    assert_int_equal(vuart_take(&u, buf, sizeof(buf)), 16);
    assert_memory_equal(buf, "KLMNOPabcdefghij", 16);
    assert_int_equal(in(5), 0x60);
}

static void thre_interrupt(void **state)
{
    (void)state;
    char c;
    out(4, 0x08);
    out(1, 0x02); /* allowed while empty: raised at once */
    assert_true(vuart_ops.irq(&u));
    assert_int_equal(in(2), 0x02);
    assert_false(vuart_ops.irq(&u)); /* reading IIR took it */
    assert_int_equal(in(2), 0x01);
    out(0, 'x');
    assert_false(vuart_ops.irq(&u));
    assert_int_equal(vuart_take(&u, &c, 1), 1);
    assert_true(vuart_ops.irq(&u));
    out(0, 'y'); /* writing takes it as well */
    assert_false(vuart_ops.irq(&u));
    assert_int_equal(vuart_take(&u, &c, 1), 1);
    out(1, 0x00);
    assert_false(vuart_ops.irq(&u));
    out(1, 0x02); /* Linux' test for a working THRE interrupt */
    assert_true(vuart_ops.irq(&u));
    out(1, 0x02); /* no edge, no new one */
    assert_int_equal(in(2), 0x02);
    out(1, 0x02);
    assert_false(vuart_ops.irq(&u));
}

static void out2_gates(void **state)
{
    (void)state;
    out(1, 0x02);
    assert_false(vuart_ops.irq(&u));
    out(4, 0x08);
    assert_true(vuart_ops.irq(&u));
    out(4, 0x18); /* loopback holds the pins inactive */
    assert_false(vuart_ops.irq(&u));
}

static void input_and_priorities(void **state)
{
    (void)state;
    out(4, 0x08);
    assert_int_equal(vuart_room(&u), 1);
    assert_int_equal(vuart_give(&u, "ab", 2), 1);
    assert_int_equal(vuart_room(&u), 0);
    assert_false(vuart_ops.irq(&u));
    assert_int_equal(in(5), 0x61);
    out(1, 0x03); /* receiver beats transmitter */
    assert_int_equal(in(2), 0x04);
    assert_int_equal(in(2), 0x04); /* reading IIR does not take this one */
    assert_int_equal(in(0), 'a');
    assert_int_equal(in(2), 0x02);
    assert_int_equal(in(5), 0x60);
}

static void trigger_levels(void **state)
{
    (void)state;
    static const unsigned level[4] = {1, 4, 8, 14};
    out(1, 0x01);
    for (unsigned t = 0; t < 4; t++) {
        out(2, 0x03 | t << 6);
        for (unsigned n = 1; n <= 16; n++) {
            assert_int_equal(vuart_give(&u, "q", 1), 1);
            assert_int_equal(in(2), n >= level[t] ? 0xc4 : 0xcc);
        }
        assert_int_equal(vuart_give(&u, "q", 1), 0);
        for (unsigned n = 0; n < 16; n++)
            assert_int_equal(in(0), 'q');
        assert_int_equal(in(2), 0xc1);
    }
}

static void fifo_control(void **state)
{
    (void)state;
    char buf[4];
    out(2, 0xc1);
    assert_int_equal(vuart_give(&u, "abc", 3), 3);
    out(0, 'x');
    out(2, 0x03); /* receiver reset only */
    assert_int_equal(in(5) & 1, 0);
    assert_int_equal(vuart_take(&u, buf, 4), 1);
    assert_int_equal(vuart_give(&u, "abc", 3), 3);
    out(0, 'x');
    out(2, 0x05); /* transmitter reset only */
    assert_int_equal(in(5), 0x61);
    assert_int_equal(vuart_take(&u, buf, 4), 0);
    assert_int_equal(in(0), 'a');
    out(0, 'x');
    out(2, 0x00); /* switching FIFOs off clears both */
    assert_int_equal(in(5), 0x60);
    assert_int_equal(in(2), 0x01);
    out(2, 0xc0); /* trigger without enable is ignored */
    assert_int_equal(in(2), 0x01);
}

static void loopback(void **state)
{
    (void)state;
    char c;
    out(2, 0x01);
    out(4, 0x10);
    assert_int_equal(in(6), 0x0b | 0x00); /* CTS, DSR and DCD went away */
    assert_int_equal(in(6), 0x00);
    out(4, 0x1f);
    assert_int_equal(in(6), 0xfb); /* all four came: RI's coming does not count */
    out(4, 0x1b);
    assert_int_equal(in(6), 0xb4); /* RI's end does */
    out(4, 0x1a); /* what Linux' autoconfig does: RTS and OUT2 */
    assert_int_equal(in(6) & 0xf0, 0x90);
    assert_int_equal(vuart_room(&u), 0);
    assert_int_equal(vuart_give(&u, "x", 1), 0);
    for (unsigned i = 0; i < 16; i++) {
        assert_false(vuart_tx_full(&u));
        out(0, i);
    }
    assert_int_equal(in(5), 0x61);
    out(1, 0x04);
    out(0, 99);
    assert_int_equal(in(2), 0xc6); /* line status first */
    assert_int_equal(in(5), 0x63);
    assert_int_equal(in(5), 0x61); /* reading cleared the overrun */
    assert_int_equal(in(2), 0xc1);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(in(0), i);
    assert_int_equal(vuart_take(&u, &c, 1), 0); /* nothing left the chip */
    assert_int_equal(u.tx_lost, 0);
}

static void modem_interrupt(void **state)
{
    (void)state;
    out(1, 0x08);
    assert_int_equal(in(2), 0x01);
    out(4, 0x10);
    assert_int_equal(in(2), 0x00);
    assert_int_equal(in(6) & 0x0f, 0x0b);
    assert_int_equal(in(2), 0x01);
}

/* BI comes with a byte of zeroes, in order with the bytes around it, and goes by a read of LSR. */
static void break_received(void **state)
{
    (void)state;
    out(2, 0x01);
    out(1, 0x05); /* data and line status */
    out(4, 0x08);
    assert_int_equal(vuart_give(&u, "a", 1), 1);
    assert_false(vuart_break(&u));
    assert_int_equal(in(5) & 0x11, 0x01);
    assert_int_equal(in(0), 'a');
    assert_true(vuart_break(&u));
    assert_int_equal(vuart_give(&u, "h", 1), 1);
    assert_true(vuart_ops.irq(&u));
    assert_int_equal(in(2), 0xc6); /* receiver line status comes first */
    assert_int_equal(in(5) & 0x11, 0x11);
    assert_int_equal(in(0), 0);
    assert_int_equal(in(5) & 0x11, 0x01);
    assert_int_equal(in(0), 'h');
    assert_false(vuart_ops.irq(&u));
    out(4, 0x10); /* loopback: the line is cut off */
    assert_false(vuart_break(&u));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(after_reset, setup),
        cmocka_unit_test_setup(registers_hold, setup),
        cmocka_unit_test_setup(other_sizes, setup),
        cmocka_unit_test_setup(output_without_fifo, setup),
        cmocka_unit_test_setup(output_with_fifo, setup),
        cmocka_unit_test_setup(thre_interrupt, setup),
        cmocka_unit_test_setup(out2_gates, setup),
        cmocka_unit_test_setup(input_and_priorities, setup),
        cmocka_unit_test_setup(trigger_levels, setup),
        cmocka_unit_test_setup(fifo_control, setup),
        cmocka_unit_test_setup(loopback, setup),
        cmocka_unit_test_setup(modem_interrupt, setup),
        cmocka_unit_test_setup(break_received, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
