/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Breakpoints met by emulated accesses: kinds, lengths, overlap at either end, which are enabled.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "core/breakpoint.h"

#define SLOT(i, rw, len) ((uint64_t)((len) << 2 | (rw)) << (16 + 4 * (i)) | 2u << 2 * (i))

static void test_kinds(void **state)
{
    static const uint8_t want[4][3] = { /* by R/W field: READ, WRITE, IO */
        {0, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, 1, 0},
    };
    const uint64_t dr[4] = {0x80, 0, 0, 0};
    (void)state;
    for (unsigned rw = 0; rw < 4; rw++)
        for (unsigned kind = 0; kind < 3; kind++)
            assert_int_equal(breakpoint_hits(SLOT(0, rw, 0), dr, (enum breakpoint_kind)kind, 0x80,
                                             1), want[rw][kind]);
}

static void test_overlap(void **state)
{
    static const uint8_t lengths[] = {1, 2, 8, 4};
    (void)state;
    for (unsigned len = 0; len < 4; len++) {
        for (unsigned size = 1; size <= 16; size *= 2) {
            const uint64_t dr[4] = {0, 0x1000, 0, 0};
            for (uint64_t at = 0xfe0; at < 0x1020; at++) {
                bool meets = at < 0x1000u + lengths[len] && at + size > 0x1000;
                assert_int_equal(breakpoint_hits(SLOT(1, 3, len), dr, BREAKPOINT_READ, at, size),
                                 meets ? 2 : 0);
            }
        }
    }
}

static void test_alignment_and_ends(void **state)
{
    const uint64_t dr[4] = {0x1003, UINT64_MAX, 0, 0};
    (void)state;
    /* The low bits of an address do not count for longer ones. */
    assert_int_equal(breakpoint_hits(SLOT(0, 1, 3), dr, BREAKPOINT_WRITE, 0x1000, 1), 1);
    assert_int_equal(breakpoint_hits(SLOT(0, 1, 3), dr, BREAKPOINT_WRITE, 0x1004, 1), 0);
    assert_int_equal(breakpoint_hits(SLOT(1, 1, 0), dr, BREAKPOINT_WRITE, UINT64_MAX - 3, 4), 2);
    assert_int_equal(breakpoint_hits(SLOT(1, 1, 0), dr, BREAKPOINT_WRITE, 0, 4), 0);
}

static void test_enabled(void **state)
{
    const uint64_t dr[4] = {8, 8, 8, 8};
    uint64_t all = SLOT(0, 3, 0) | SLOT(1, 3, 0) | SLOT(2, 3, 0) | SLOT(3, 3, 0);
    (void)state;
    assert_int_equal(breakpoint_hits(all, dr, BREAKPOINT_READ, 8, 1), 15);
    assert_int_equal(breakpoint_hits(all & ~BITS(7, 0), dr, BREAKPOINT_READ, 8, 1), 0);
    assert_int_equal(breakpoint_hits((all & ~BITS(7, 0)) | 0x10, dr, BREAKPOINT_READ, 8, 1), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_overlap),
        cmocka_unit_test(test_alignment_and_ends),
        cmocka_unit_test(test_enabled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
