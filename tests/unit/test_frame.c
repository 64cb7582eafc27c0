/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames: they come back as they went, wherever text stands around them; damage of any one byte is
 * noticed and costs one frame; nothing in a frame looks like a control key.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "core/frame.h"
#include "core/lib/string.h"

static struct frame_rx rx;
static char wire[FRAME_WIRE_MAX], said[8192];
static size_t said_len;
static unsigned whole, broken;
static struct frame last;
static uint8_t payload[FRAME_PAYLOAD_MAX];

static int setup(void **state)
{
    (void)state;
    memset(&rx, 0, sizeof(rx));
    said_len = whole = broken = 0;
    for (size_t i = 0; i < sizeof(payload); i++)
        payload[i] = (uint8_t)(i * 7 + (i >> 8));
    return 0;
}

static void feed(const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        enum frame_event e = frame_rx_byte(&rx, (uint8_t)bytes[i]);
        whole += e == FRAME_WHOLE;
        broken += e == FRAME_BROKEN;
        if (e == FRAME_WHOLE)
            last = rx.frame;
        if (e == FRAME_TEXT) {
            assert_in_range(rx.text_len, 1, 2);
            memcpy(said + said_len, rx.text, rx.text_len);
            said_len += rx.text_len;
        }
    }
}

static size_t encode(uint8_t type, size_t len)
{
    struct frame f = {.type = type, .seq = 0xa5, .channel = 0x1234, .payload = payload, .len = len};
    return frame_encode(wire, &f);
}

static void comes_back_at_every_length(void **state)
{
    (void)state;
    for (size_t len = 0; len <= FRAME_PAYLOAD_MAX; len++) {
        size_t n = encode('C', len);
        assert_int_equal(n, FRAME_WIRE(len + FRAME_OVERHEAD));
        assert_true(n <= FRAME_WIRE_MAX);
        feed(wire, n);
        assert_int_equal(whole, len + 1);
        assert_int_equal(last.type, 'C');
        assert_int_equal(last.seq, 0xa5);
        assert_int_equal(last.channel, 0x1234);
        assert_int_equal(last.len, len);
        assert_memory_equal(last.payload, payload, len);
    }
    assert_int_equal(broken, 0);
    assert_int_equal(said_len, 0);
}

/* As tools/plinthlib/frame.py writes it: tests/tools/test_frame.py has the same bytes. */
static void known_bytes(void **state)
{
    (void)state;
    struct frame f = {.type = 'C', .seq = 1, .channel = 2, .payload = (const uint8_t *)"vm list",
                      .len = 7};
    size_t n = frame_encode(wire, &f);
    assert_int_equal(n, 23);
    assert_memory_equal(wire, "\xfePQwECAHZtIGxpc3QvfIZ6\n", 23);
}

static void nothing_looks_like_a_key(void **state)
{
    (void)state;
    size_t n = encode('D', FRAME_PAYLOAD_MAX);
    for (size_t i = 1; i < n - 1; i++)
        assert_in_range((uint8_t)wire[i], ' ', '~');
}

static void text_goes_past(void **state)
{
    (void)state;
    size_t n = encode('l', 10);
    feed("plinth> vm", 10);
    feed(wire, n);
    feed(" list\r\xfeX\xfe\xfeY\xc3\xbe", 13);
    assert_int_equal(whole, 1);
    assert_int_equal(said_len, 23);
    assert_memory_equal(said, "plinth> vm list\r\xfeX\xfe\xfeY\xc3\xbe", 23);
}

static void any_wrong_byte_costs_one_frame(void **state)
{
    (void)state;
    size_t n = encode('C', 20);
    char good[FRAME_WIRE_MAX];
    memcpy(good, wire, n);
    for (size_t at = 0; at < n; at++) {
        for (unsigned wrong = 0; wrong < 256; wrong++) {
            if ((char)wrong == good[at] || (wrong == '\r' && at >= 2))
                continue;
            setup(state);
            memcpy(wire, good, n);
            wire[at] = (char)wrong;
            feed(wire, n);
            unsigned before = whole;
            feed(good, n);
            /* Its own last bits are spare: two more, whose frame is the same. */
            bool spare = at == n - 2 && before == 1;
            assert_true(before == 0 || spare);
            /* Without its end it goes on until the next begins. */
            assert_int_equal(whole, before + 1);
        }
    }
}

static void any_lost_byte_costs_one_frame(void **state)
{
    (void)state;
    size_t n = encode('C', 20);
    for (size_t at = 0; at < n; at++) {
        setup(state);
        feed(wire, at);
        feed(wire + at + 1, n - at - 1);
        assert_int_equal(whole, 0);
        feed(wire, n);
        assert_int_equal(whole, 1);
    }
}

static void too_long_is_dropped(void **state)
{
    (void)state;
    feed("\xfeP", 2);
    for (unsigned i = 0; i < 10000; i++)
        feed("A", 1);
    assert_int_equal(broken, 1);
    assert_int_equal(said_len, 0);
    feed("\n", 1);
    feed("x", 1);
    assert_int_equal(said_len, 1);
    feed(wire, encode('C', 3));
    assert_int_equal(whole, 1);
}

static void too_short_is_broken(void **state)
{
    (void)state;
    feed("\xfeP\n\xfePAAAA\n\xfePAAAAA\n\xfePAAAAAAAAAA\n", 31);
    assert_int_equal(whole, 0);
    assert_int_equal(broken, 4);
}

static void a_cut_frame_does_not_hurt_the_next(void **state)
{
    (void)state;
    size_t n = encode('C', 30);
    feed(wire, n / 2);
    feed(wire, n);
    assert_int_equal(broken, 1);
    assert_int_equal(whole, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(comes_back_at_every_length, setup),
        cmocka_unit_test_setup(known_bytes, setup),
        cmocka_unit_test_setup(nothing_looks_like_a_key, setup),
        cmocka_unit_test_setup(text_goes_past, setup),
        cmocka_unit_test_setup(any_wrong_byte_costs_one_frame, setup),
        cmocka_unit_test_setup(any_lost_byte_costs_one_frame, setup),
        cmocka_unit_test_setup(too_long_is_dropped, setup),
        cmocka_unit_test_setup(too_short_is_broken, setup),
        cmocka_unit_test_setup(a_cut_frame_does_not_hurt_the_next, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
