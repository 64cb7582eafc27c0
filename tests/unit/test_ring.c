/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A byte ring: what goes in comes out in order, at every place of the buffer; a full one refuses,
 * or forgets the oldest.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "core/lib/ring.h"

#define SIZE 16u

static char buffer[SIZE + 1]; /* the last byte is nobody's */
static struct ring ring;

/* Empty, with its positions at `at`. */
static void begin_at(uint64_t at)
{
    memset(buffer, '.', sizeof(buffer));
    ring_init(&ring, buffer, SIZE);
    ring.head = ring.tail = at;
}

static void assert_holds(const char *text, size_t len)
{
    char c;
    assert_int_equal(ring_used(&ring), len);
    for (size_t i = 0; i < len; i++) {
        assert_true(ring_get(&ring, &c));
        assert_int_equal(c, text[i]);
    }
    assert_false(ring_get(&ring, &c));
    assert_int_equal(buffer[SIZE], '.');
}

static void a_full_ring_refuses(void **state)
{
    (void)state;
    for (uint64_t at = 0; at < SIZE; at++) {
        begin_at(at);
        for (unsigned i = 0; i < SIZE; i++)
            assert_true(ring_put(&ring, (char)('a' + i)));
        assert_false(ring_put(&ring, 'z'));
        assert_holds("abcdefghijklmnop", SIZE);
    }
}

static void a_full_log_forgets_the_oldest(void **state)
{
    static const char text[] = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEF";
    (void)state;
    for (uint64_t at = 0; at < SIZE; at++)
        for (size_t first = 0; first < SIZE; first++)
            for (size_t len = first; len < sizeof(text); len++) {
                begin_at(at);
                ring_push(&ring, text, first);
                ring_push(&ring, text + first, len - first);
                size_t kept = len < SIZE ? len : SIZE;
                assert_holds(text + len - kept, kept);
            }
}

static void what_has_no_room_is_left(void **state)
{
    (void)state;
    for (uint64_t at = 0; at < SIZE; at++) {
        begin_at(at);
        assert_int_equal(ring_put_some(&ring, "abcdefghij", 10), 10);
        assert_int_equal(ring_put_some(&ring, "klmnopqrst", 10), SIZE - 10);
        assert_int_equal(ring_put_some(&ring, "z", 1), 0);
        assert_holds("abcdefghijklmnop", SIZE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_ring_refuses),
        cmocka_unit_test(what_has_no_room_is_left),
        cmocka_unit_test(a_full_log_forgets_the_oldest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
