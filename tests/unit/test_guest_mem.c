/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The door to guest memory: every edge of its ranges.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "core/lib/string.h"
#include "mm/guest_mem.h"

/* Pages 1 and 2 are two adjoining ranges, page 4 is a third; the buffer ends with it. */
static uint8_t ram[5 * 4096] __attribute__((aligned(4096)));
static struct guest_mem gm = {
    .window = ram, .n = 3, .range = {{0x1000, 0x1000}, {0x4000, 0x1000}, {0x2000, 0x1000}},
};

static void ranges(void **state)
{
    (void)state;
    const struct { uint64_t gpa, n; bool in; } rows[] = {
        {0x1000, 1, true},       {0xfff, 1, false},      {0xfff, 2, false},
        {0x1000, 0x2000, true},  {0x1000, 0x2001, false}, {0x2fff, 1, true},
        {0x2fff, 2, false},      {0x3000, 1, false},     {0x1ffc, 8, true},
        {0x4000, 0x1000, true},  {0x4fff, 2, false},     {0x5000, 1, false},
        {0, 0, true},            {0x3333, 0, true},      {UINT64_MAX, 0, true},
        {UINT64_MAX, 1, false},  {UINT64_MAX, 2, false}, {0x1000, UINT64_MAX, false},
        {UINT64_MAX - 0xfff, 0x3000, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(guest_mem_contains(&gm, GPA(rows[i].gpa), rows[i].n), rows[i].in);
    struct guest_mem none = {.window = ram};
    assert_false(guest_mem_contains(&none, GPA(0), 1));
    assert_true(guest_mem_contains(&none, GPA(0), 0));
    /* a range that reaches the very top */
    struct guest_mem top = {.n = 1, .range = {{UINT64_MAX - 0xfff, 0xfff}}};
    assert_true(guest_mem_contains(&top, GPA(UINT64_MAX - 1), 1));
    assert_false(guest_mem_contains(&top, GPA(UINT64_MAX - 1), 2));
}

static void copies(void **state)
{
    (void)state;
    uint8_t buf[16];
    memset(ram, 0xaa, sizeof(ram));
    memcpy(ram + 0x1ff8, "0123456789abcdef", 16);
    assert_true(guest_read(&gm, GPA(0x1ff8), buf, 16));
    assert_memory_equal(buf, "0123456789abcdef", 16);
    memset(buf, 'x', sizeof(buf));
    assert_false(guest_read(&gm, GPA(0x2ff8), buf, 16));
    assert_memory_equal(buf, "xxxxxxxxxxxxxxxx", 16);
    assert_false(guest_write(&gm, GPA(0x2ff8), buf, 16));
    assert_int_equal(ram[0x2ff8], 0xaa);
    assert_true(guest_write(&gm, GPA(0x2ff0), buf, 16));
    assert_memory_equal(ram + 0x2ff0, "xxxxxxxxxxxxxxxx", 16);
    assert_int_equal(ram[0x3000], 0xaa);
    assert_true(guest_fill(&gm, GPA(0x4000), 0, 0x1000));
    assert_int_equal(ram[0x4000] | ram[0x4fff], 0);
    assert_false(guest_fill(&gm, GPA(0x3fff), 1, 2));
    assert_int_equal(ram[0x4000], 0);
    assert_int_equal(ram[0x3fff], 0xaa);
    assert_true(guest_read(&gm, GPA(0), NULL, 0));
    assert_true(guest_write(&gm, GPA(0), NULL, 0));
    assert_true(guest_fill(&gm, GPA(0), 1, 0));
}

static void atomics(void **state)
{
    (void)state;
    uint64_t v64 = 0x1122334455667788;
    uint32_t v32;
    assert_true(guest_write(&gm, GPA(0x1008), &v64, 8));
    v64 = 0;
    assert_true(guest_load64(&gm, GPA(0x1008), &v64));
    assert_int_equal(v64, 0x1122334455667788);
    assert_true(guest_load32(&gm, GPA(0x100c), &v32));
    assert_int_equal(v32, 0x11223344);
    assert_false(guest_load64(&gm, GPA(0x100c), &v64));
    assert_false(guest_load32(&gm, GPA(0x1002), &v32));
    assert_false(guest_load64(&gm, GPA(0x3000), &v64));
    assert_int_equal(guest_cmpxchg64(&gm, GPA(0x1008), 0x1122334455667788, 5), GUEST_CMPXCHG_DONE);
    assert_int_equal(guest_cmpxchg64(&gm, GPA(0x1008), 6, 7), GUEST_CMPXCHG_CHANGED);
    assert_true(guest_load64(&gm, GPA(0x1008), &v64));
    assert_int_equal(v64, 5);
    assert_int_equal(guest_cmpxchg32(&gm, GPA(0x100c), 0, 9), GUEST_CMPXCHG_DONE);
    assert_int_equal(guest_cmpxchg32(&gm, GPA(0x100c), 0, 9), GUEST_CMPXCHG_CHANGED);
    assert_true(guest_load64(&gm, GPA(0x1008), &v64));
    assert_int_equal(v64, 0x900000005);
    assert_int_equal(guest_cmpxchg64(&gm, GPA(0x1004), 0, 0), GUEST_CMPXCHG_NO_RAM);
    assert_int_equal(guest_cmpxchg32(&gm, GPA(0x5000), 0, 0), GUEST_CMPXCHG_NO_RAM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges), cmocka_unit_test(copies), cmocka_unit_test(atomics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
