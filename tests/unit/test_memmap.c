/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory map: overlaps, rounding, wrap-around, too many extents, carving.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "mm/memmap.h"

static void check(const struct memmap *m, const struct extent *want, unsigned n)
{
    uint64_t total = 0;
    assert_int_equal(m->count, n);
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(m->extent[i].base.v, want[i].base.v);
        assert_int_equal(m->extent[i].size, want[i].size);
        total += want[i].size;
    }
    assert_int_equal(m->total, total);
}

#define CHECK(m, ...) do { \
        const struct extent want_[] = {__VA_ARGS__}; \
        check((m), want_, ARRAY_LEN(want_)); \
    } while (0)

static void a_real_machine(void **state)
{
    (void)state;
    const struct memmap_entry raw[] = {
        {0xfffc0000, 0x40000, 2},  {0, 0x9fc00, 1},           {0x9fc00, 0x400, 2},
        {0xf0000, 0x10000, 2},     {0x100000, 0x7fee0000, 1}, {0x7ffe0000, 0x20000, 3},
        {GIB(4), GIB(2), 1},
    };
    const struct extent reserved[] = {
        {HPA(0), MIB(1)}, {HPA(MIB(2)), 0x123456}, {HPA(0x1000000), 1},
    };
    struct memmap m;
    memmap_build(&m, raw, ARRAY_LEN(raw), reserved, ARRAY_LEN(reserved));
    CHECK(&m, {HPA(MIB(1)), MIB(1)}, {HPA(0x324000), 0x1000000 - 0x324000},
          {HPA(0x1001000), 0x7ffe0000 - 0x1001000}, {HPA(GIB(4)), GIB(2)});
    assert_int_equal(m.dropped, 0);
}

static void others_win(void **state)
{
    (void)state;
    struct memmap m;
    const struct memmap_entry raw[] = {
        {0x2000, 0x10000, 1}, {0x1000, 0x4000, 1}, {0x8800, 0x10, 7}, {0x8000, 0x2000, 1},
        {0x10fff, 2, 2},
    };
    memmap_build(&m, raw, ARRAY_LEN(raw), NULL, 0);
    CHECK(&m, {HPA(0x1000), 0x7000}, {HPA(0x9000), 0x7000});
    /* nothing usable at all */
    memmap_build(&m, raw + 2, 1, NULL, 0);
    assert_int_equal(m.count, 0);
    memmap_build(&m, NULL, 0, NULL, 0);
    assert_int_equal(m.count, 0);
    assert_int_equal(m.total, 0);
}

static void joins_before_rounding(void **state)
{
    (void)state;
    struct memmap m;
    const struct memmap_entry raw[] = {{0x1800, 0x1800, 1}, {0x800, 0x1000, 1}, {0x9001, 0xffe, 1}};
    memmap_build(&m, raw, ARRAY_LEN(raw), NULL, 0);
    CHECK(&m, {HPA(0x1000), 0x2000});
}

static void wrap_around(void **state)
{
    (void)state;
    struct memmap m;
    const struct memmap_entry raw[] = {
        {0x100000, 0x100000, 1},
        {0x300000, UINT64_MAX, 1},             /* usable and wrapping: a lie */
        {0x180000, UINT64_MAX - 0x1000, 2},    /* reserved to the top */
        {UINT64_MAX, UINT64_MAX, 2},
        {0x400000, 0, 1},
    };
    memmap_build(&m, raw, ARRAY_LEN(raw), NULL, 0);
    CHECK(&m, {HPA(0x100000), 0x80000});
    memmap_build(&m, raw, 2, NULL, 0);
    CHECK(&m, {HPA(0x100000), 0x100000});
    const struct extent reserved[] = {{HPA(0x110000), UINT64_MAX}};
    memmap_build(&m, raw, 1, reserved, 1);
    CHECK(&m, {HPA(0x100000), 0x10000});
    /* cut at the top of what processors can address */
    const struct memmap_entry high[] = {{BIT(52) - 0x2000, 0x10000, 1}, {BIT(53), 0x10000, 1}};
    memmap_build(&m, high, 2, NULL, 0);
    CHECK(&m, {HPA(BIT(52) - 0x2000), 0x2000});
}

static void keeps_the_largest(void **state)
{
    (void)state;
    struct memmap_entry raw[MEMMAP_EXTENTS_MAX + 6];
    for (unsigned i = 0; i < ARRAY_LEN(raw); i++)
        raw[i] = (struct memmap_entry){i * MIB(1), (i % 7 == 3 ? 1 : 4) * PAGE_SIZE, 1};
    struct memmap m;
    memmap_build(&m, raw, ARRAY_LEN(raw), NULL, 0);
    assert_int_equal(m.count, MEMMAP_EXTENTS_MAX);
    assert_int_equal(m.dropped, 6 * PAGE_SIZE);
    uint64_t total = 0;
    for (unsigned i = 0; i < m.count; i++) {
        total += m.extent[i].size;
        if (i > 0)
            assert_true(m.extent[i - 1].base.v < m.extent[i].base.v);
    }
    assert_int_equal(total, m.total);
    assert_int_equal(total, (60 * 4 + 4) * PAGE_SIZE);
}

static void carve(void **state)
{
    (void)state;
    struct memmap m;
    hpa_t a = HPA(1);
    const struct memmap_entry raw[] = {{MIB(1), MIB(31), 1}, {GIB(4), MIB(64), 1}};
    memmap_build(&m, raw, 2, NULL, 0);
    assert_int_equal(memmap_carve(&m, 0, PAGE_SIZE, UINT64_MAX, &a), PL_INVALID);
    assert_int_equal(memmap_carve(&m, 0x800, PAGE_SIZE, UINT64_MAX, &a), PL_INVALID);
    assert_int_equal(memmap_carve(&m, 0x1000, 0x800, UINT64_MAX, &a), PL_INVALID);
    assert_int_equal(memmap_carve(&m, 0x1000, 0x3000, UINT64_MAX, &a), PL_INVALID);
    assert_int_equal(memmap_carve(&m, MIB(65), PAGE_SIZE, UINT64_MAX, &a), PL_NO_MEMORY);
    assert_int_equal(memmap_carve(&m, PAGE_SIZE, PAGE_SIZE, MIB(1), &a), PL_NO_MEMORY);
    assert_int_equal(a.v, 1);
    assert_int_equal(memmap_carve(&m, MIB(3), MIB(2), GIB(4), &a), PL_OK);
    assert_int_equal(a.v, MIB(28));
    CHECK(&m, {HPA(MIB(1)), MIB(27)}, {HPA(MIB(31)), MIB(1)}, {HPA(GIB(4)), MIB(64)});
    assert_int_equal(memmap_carve(&m, MIB(64), MIB(2), UINT64_MAX, &a), PL_OK);
    assert_int_equal(a.v, GIB(4));
    CHECK(&m, {HPA(MIB(1)), MIB(27)}, {HPA(MIB(31)), MIB(1)});
    assert_int_equal(memmap_carve(&m, MIB(2), PAGE_SIZE, MIB(5) + 0x1800, &a), PL_OK);
    assert_int_equal(a.v, MIB(3) + 0x1000);
}

static void removing(void **state)
{
    (void)state;
    struct memmap m;
    const struct memmap_entry raw[] = {{0x10000, 0x4000, 1}, {0x20000, 0x4000, 1},
                                       {0x30000, 0x4000, 1}};
    memmap_build(&m, raw, 3, NULL, 0);
    memmap_remove(&m, 0x13fff, 0xd002); /* tail of one, head of the next */
    CHECK(&m, {HPA(0x10000), 0x3000}, {HPA(0x22000), 0x2000}, {HPA(0x30000), 0x4000});
    memmap_remove(&m, 0x21000, 0x10000);
    CHECK(&m, {HPA(0x10000), 0x3000}, {HPA(0x31000), 0x3000});
    memmap_remove(&m, 0x32800, 1);
    CHECK(&m, {HPA(0x10000), 0x3000}, {HPA(0x31000), 0x1000}, {HPA(0x33000), 0x1000});
    memmap_remove(&m, 0x10000, 0);
    memmap_remove(&m, 0x31000, UINT64_MAX);
    CHECK(&m, {HPA(0x10000), 0x3000});
    memmap_remove(&m, 0, UINT64_MAX);
    assert_int_equal(m.count, 0);
    assert_int_equal(m.total, 0);
}

static void split_without_room(void **state)
{
    (void)state;
    struct memmap_entry raw[MEMMAP_EXTENTS_MAX];
    for (unsigned i = 0; i < ARRAY_LEN(raw); i++)
        raw[i] = (struct memmap_entry){i * MIB(1), 8 * PAGE_SIZE, 1};
    struct memmap m;
    memmap_build(&m, raw, ARRAY_LEN(raw), NULL, 0);
    memmap_remove(&m, MIB(5) + 2 * PAGE_SIZE, PAGE_SIZE);
    assert_int_equal(m.count, MEMMAP_EXTENTS_MAX);
    assert_int_equal(m.extent[5].base.v, MIB(5) + 3 * PAGE_SIZE);
    assert_int_equal(m.extent[5].size, 5 * PAGE_SIZE);
    assert_int_equal(m.dropped, 2 * PAGE_SIZE);
    assert_int_equal(m.total, (64 * 8 - 3) * PAGE_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_real_machine),    cmocka_unit_test(others_win),
        cmocka_unit_test(joins_before_rounding), cmocka_unit_test(wrap_around),
        cmocka_unit_test(keeps_the_largest), cmocka_unit_test(carve),
        cmocka_unit_test(removing),          cmocka_unit_test(split_without_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
