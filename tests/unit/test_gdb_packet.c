/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets of gdb's remote protocol: what is cut out of a noisy line, and what is sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "core/gdb_packet.h"

static struct gdb_rx rx;
static struct gdb_tx tx;

/* The last event that is not GDB_NONE, of all of text. */
static enum gdb_event feed(const char *text, size_t n)
{
    enum gdb_event last = GDB_NONE;
    for (size_t i = 0; i < n; i++) {
        enum gdb_event e = gdb_rx_byte(&rx, (uint8_t)text[i]);
        if (e != GDB_NONE)
            last = e;
    }
    return last;
}

#define FEED(text) feed(text, strlen(text))

static int setup(void **state)
{
    (void)state;
    memset(&rx, 0, sizeof(rx));
    memset(&tx, 0, sizeof(tx));
    return 0;
}

static void test_a_packet_is_cut_out(void **state)
{
    (void)state;
    assert_int_equal(FEED("$m100,4#5e"), GDB_PACKET);
    assert_string_equal(rx.data, "m100,4");
    assert_int_equal(rx.size, 6);
    assert_int_equal(FEED("$#00"), GDB_PACKET);
    assert_int_equal(rx.size, 0);
}

static void test_a_wrong_checksum_is_broken(void **state)
{
    (void)state;
    assert_int_equal(FEED("$m100,4#5f"), GDB_BROKEN);
    assert_int_equal(FEED("$m100,4#5x"), GDB_BROKEN);
    assert_int_equal(FEED("$m100,4#x"), GDB_BROKEN);
    assert_int_equal(FEED("$m100,4#5E"), GDB_PACKET); /* capitals are digits, too */
}

static void test_single_bytes_between_packets(void **state)
{
    (void)state;
    assert_int_equal(FEED("+"), GDB_ACK);
    assert_int_equal(FEED("-"), GDB_NAK);
    assert_int_equal(FEED("\x03"), GDB_BREAK);
    assert_int_equal(FEED("noise \xff\x80"), GDB_NONE);
    assert_int_equal(FEED("+$?#3f"), GDB_PACKET);
    assert_int_equal(feed("$\x03#03", 5), GDB_PACKET); /* Ctrl-C inside is contents */
}

static void test_a_new_dollar_begins_anew(void **state)
{
    (void)state;
    assert_int_equal(FEED("$m10$?#3f"), GDB_PACKET);
    assert_string_equal(rx.data, "?");
}

static void test_a_packet_that_is_too_long_is_refused(void **state)
{
    (void)state;
    char end[3];
    for (size_t n = GDB_PACKET_MAX; n <= GDB_PACKET_MAX + 1; n++) {
        FEED("$");
        for (size_t i = 0; i < n; i++)
            assert_int_equal(gdb_rx_byte(&rx, 'a'), GDB_NONE);
        snprintf(end, sizeof(end), "%02x", (unsigned)(n * 'a' & 0xff));
        FEED("#");
        assert_int_equal(FEED(end), n == GDB_PACKET_MAX ? GDB_PACKET : GDB_BROKEN);
    }
    assert_int_equal(FEED("$?#3f"), GDB_PACKET);
}

static void test_numbers_and_bytes(void **state)
{
    (void)state;
    uint64_t n;
    uint8_t b[3];
    const char *at = "ffff800000100fF0,4";
    assert_true(gdb_number_then(&at, &n, ','));
    assert_int_equal(n, 0xffff800000100ff0);
    assert_string_equal(at, "4");
    at = "1ffff800000100fff0";
    assert_false(gdb_number(&at, &n));
    at = ",";
    assert_false(gdb_number(&at, &n));
    at = "12;";
    assert_false(gdb_number_then(&at, &n, ','));
    at = "00fF7a-";
    assert_true(gdb_bytes(&at, b, 3));
    assert_memory_equal(b, "\x00\xff\x7a", 3);
    assert_string_equal(at, "-");
    at = "00f";
    assert_false(gdb_bytes(&at, b, 2));
}

static void test_escapes_are_undone(void **state)
{
    (void)state;
    char data[] = "a}\x03}]b}";
    assert_int_equal(gdb_unescape(data, sizeof(data) - 1), 5);
    assert_memory_equal(data, "a#}b}", 5);
}

static void test_an_answer_has_frame_and_checksum(void **state)
{
    (void)state;
    gdb_tx_begin(&tx);
    gdb_tx_text(&tx, "T05thread:");
    gdb_tx_number(&tx, 0x10);
    gdb_tx_char(&tx, ';');
    gdb_tx_bytes(&tx, "\x01\xab", 2);
    gdb_tx_end(&tx);
    assert_int_equal(FEED("+"), GDB_ACK);
    assert_int_equal(feed(tx.data, tx.size), GDB_PACKET); /* our own reader takes it */
    assert_string_equal(rx.data, "T05thread:10;01ab");
    gdb_tx_begin(&tx);
    gdb_tx_number(&tx, 0);
    gdb_tx_end(&tx);
    assert_int_equal(tx.size, 5);
    assert_memory_equal(tx.data, "$0#30", 5);
}

static void test_binary_is_escaped_and_comes_back(void **state)
{
    (void)state;
    gdb_tx_begin(&tx);
    for (unsigned i = 0; i < 256; i++)
        assert_true(gdb_tx_binary(&tx, (uint8_t)i));
    gdb_tx_end(&tx);
    assert_int_equal(feed(tx.data, tx.size), GDB_PACKET);
    assert_int_equal(gdb_unescape(rx.data, rx.size), 256);
    for (unsigned i = 0; i < 256; i++)
        assert_int_equal((uint8_t)rx.data[i], i);
}

static void test_a_full_answer_says_so(void **state)
{
    (void)state;
    gdb_tx_begin(&tx);
    while (gdb_tx_room(&tx) > 1)
        gdb_tx_char(&tx, 'x');
    assert_false(gdb_tx_binary(&tx, '#'));
    assert_true(gdb_tx_binary(&tx, 'y'));
    assert_false(tx.overflow);
    gdb_tx_char(&tx, 'z');
    assert_true(tx.overflow);
    gdb_tx_end(&tx);
    assert_int_equal(feed(tx.data, tx.size), GDB_PACKET);
    assert_int_equal(rx.size, GDB_PACKET_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_packet_is_cut_out, setup),
        cmocka_unit_test_setup(test_a_wrong_checksum_is_broken, setup),
        cmocka_unit_test_setup(test_single_bytes_between_packets, setup),
        cmocka_unit_test_setup(test_a_new_dollar_begins_anew, setup),
        cmocka_unit_test_setup(test_a_packet_that_is_too_long_is_refused, setup),
        cmocka_unit_test_setup(test_numbers_and_bytes, setup),
        cmocka_unit_test_setup(test_escapes_are_undone, setup),
        cmocka_unit_test_setup(test_an_answer_has_frame_and_checksum, setup),
        cmocka_unit_test_setup(test_binary_is_escaped_and_comes_back, setup),
        cmocka_unit_test_setup(test_a_full_answer_says_so, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
