/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page tables of both formats: exact bits, page sizes, splits, failures that leave no trace, leaks.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "core/lib/string.h"
#include "mm/radix.h"

#define TABLES 32

/* Table page n is at host-physical (n + 1) * 4K. */
static struct {
    uint64_t page[TABLES][512];
    bool used[TABLES];
    unsigned in_use, limit;
} store;

static bool table_alloc(void *ctx, hpa_t *out)
{
    assert_ptr_equal(ctx, &store);
    for (unsigned i = 0; i < TABLES && store.in_use < store.limit; i++) {
        if (store.used[i])
            continue;
        store.used[i] = true;
        store.in_use++;
        memset(store.page[i], 0xff, sizeof(store.page[i])); /* radix has to zero it */
        *out = HPA((uint64_t)(i + 1) * PAGE_SIZE);
        return true;
    }
    return false;
}

static void table_free(void *ctx, hpa_t page)
{
    assert_ptr_equal(ctx, &store);
    unsigned i = (unsigned)(page.v / PAGE_SIZE - 1);
    assert_true(i < TABLES && store.used[i]);
    store.used[i] = false;
    store.in_use--;
    memset(store.page[i], 0xff, sizeof(store.page[i])); /* nobody may look at it any more */
}

static void *table_ptr(void *ctx, hpa_t page)
{
    assert_ptr_equal(ctx, &store);
    unsigned i = (unsigned)(page.v / PAGE_SIZE - 1);
    assert_true(IS_ALIGNED(page.v, PAGE_SIZE) && i < TABLES && store.used[i]);
    return store.page[i];
}

static const struct radix_ops ops = {table_alloc, table_free, table_ptr};

static void make(struct radix *r, const struct radix_format *format)
{
    memset(&store, 0, sizeof(store));
    store.limit = TABLES;
    assert_int_equal(radix_create(r, format, &ops, &store), PL_OK);
    assert_int_equal(store.in_use, 1);
}

/* The raw entry for virt at the given level. */
static uint64_t entry_at(const struct radix *r, uint64_t virt, unsigned level)
{
    const uint64_t *t = table_ptr(&store, r->root);
    for (unsigned l = 3; l > level; l--)
        t = table_ptr(&store, HPA(t[virt >> (12 + 9 * l) & 511] & BITS(51, 12)));
    return t[virt >> (12 + 9 * level) & 511];
}

static void expect(const struct radix *r, uint64_t virt, uint64_t phys, uint64_t perms,
                   enum radix_type type, uint64_t page_size)
{
    struct radix_leaf leaf;
    assert_true(radix_lookup(r, virt, &leaf));
    assert_int_equal(leaf.phys.v, phys);
    assert_int_equal(leaf.perms, perms);
    assert_int_equal(leaf.type, type);
    assert_int_equal(leaf.page_size, page_size);
}

static bool mapped(const struct radix *r, uint64_t virt)
{
    struct radix_leaf leaf;
    return radix_lookup(r, virt, &leaf);
}

static void host_bits(void **state)
{
    (void)state;
    struct radix r;
    make(&r, &radix_host);
    const uint64_t high = 0xffffffff80000000, nx = BIT(63);
    assert_int_equal(radix_map(&r, high, HPA(MIB(2)), 0x1000, RADIX_RX, RADIX_WB, PAGE_SIZE_1G),
                     PL_OK);
    assert_int_equal(entry_at(&r, high, 0), MIB(2) | 0x61);
    assert_int_equal(entry_at(&r, high, 1) & 0xfff, 0x27);
    assert_int_equal(radix_map(&r, high + 0x1000, HPA(0x5000), 0x1000, RADIX_RW, RADIX_UC,
                               PAGE_SIZE), PL_OK);
    assert_int_equal(entry_at(&r, high + 0x1000, 0), 0x5000 | 0x7b | nx);
    assert_int_equal(radix_map(&r, high + 0x2000, HPA(0x6000), 0x1000, RADIX_READ | RADIX_USER,
                               RADIX_WC, PAGE_SIZE), PL_OK);
    assert_int_equal(entry_at(&r, high + 0x2000, 0), 0x6000 | 0xf5 | nx);
    assert_int_equal(radix_map(&r, high + MIB(2), HPA(MIB(4)), MIB(2), RADIX_RW, RADIX_WC,
                               PAGE_SIZE_2M), PL_OK);
    assert_int_equal(entry_at(&r, high + MIB(2), 1), MIB(4) | 0x10f3 | nx);
    expect(&r, high + 0x123, MIB(2) + 0x123, RADIX_RX, RADIX_WB, PAGE_SIZE);
    expect(&r, high + 0x2fff, 0x6fff, RADIX_READ | RADIX_USER, RADIX_WC, PAGE_SIZE);
    expect(&r, high + MIB(3) + 5, MIB(5) + 5, RADIX_RW, RADIX_WC, PAGE_SIZE_2M);
    assert_false(mapped(&r, 0x80000000));          /* the same index bits, not the same address */
    assert_false(mapped(&r, 0x0000ffffffff80000000u & BITS(47, 0)));
    radix_free(&r, 0, 512);
    assert_int_equal(store.in_use, 1);
}

static void ept_bits(void **state)
{
    (void)state;
    struct radix r;
    make(&r, &radix_ept);
    assert_int_equal(radix_map(&r, 0, HPA(GIB(5)), GIB(1), RADIX_RWX, RADIX_WB, PAGE_SIZE_1G),
                     PL_OK);
    assert_int_equal(entry_at(&r, 0, 2), GIB(5) | 0xb7);
    assert_int_equal(store.in_use, 2);
    assert_int_equal(radix_map(&r, GIB(1), HPA(MIB(2)), MIB(2), RADIX_RX, RADIX_WT, PAGE_SIZE_2M),
                     PL_OK);
    assert_int_equal(entry_at(&r, GIB(1), 1), MIB(2) | 0xa5);
    assert_int_equal(entry_at(&r, GIB(1), 3) & 0xfff, 7);
    assert_int_equal(radix_map(&r, GIB(2), HPA(0xfee00000), 0x1000, RADIX_RW, RADIX_UC,
                               PAGE_SIZE_2M), PL_OK);
    assert_int_equal(entry_at(&r, GIB(2), 0), 0xfee00003);
    const struct { enum radix_type t; unsigned bits; } types[] = {
        {RADIX_WC, 1}, {RADIX_WT, 4}, {RADIX_WP, 5}, {RADIX_WB, 6},
    };
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        uint64_t v = GIB(3) + i * PAGE_SIZE;
        assert_int_equal(radix_map(&r, v, HPA(v), PAGE_SIZE, RADIX_READ, types[i].t, PAGE_SIZE),
                         PL_OK);
        assert_int_equal(entry_at(&r, v, 0), v | types[i].bits << 3 | 1);
        expect(&r, v, v, RADIX_READ, types[i].t, PAGE_SIZE);
    }
    assert_false(mapped(&r, BIT(48)));
}

static void largest_pages(void **state)
{
    (void)state;
    struct radix r;
    make(&r, &radix_ept);
    /* 4K up to 2M, 2M up to 1G, one 1G, one 2M, one 4K */
    uint64_t start = GIB(1) - MIB(2) - 0x1000, size = MIB(2) + 0x1000 + GIB(1) + MIB(2) + 0x1000;
    assert_int_equal(radix_map(&r, start, HPA(start + GIB(8)), size, RADIX_RWX, RADIX_WB,
                               PAGE_SIZE_1G), PL_OK);
    expect(&r, start, start + GIB(8), RADIX_RWX, RADIX_WB, PAGE_SIZE);
    expect(&r, GIB(1) - MIB(2), GIB(9) - MIB(2), RADIX_RWX, RADIX_WB, PAGE_SIZE_2M);
    expect(&r, GIB(1) + 7, GIB(9) + 7, RADIX_RWX, RADIX_WB, PAGE_SIZE_1G);
    expect(&r, GIB(2), GIB(10), RADIX_RWX, RADIX_WB, PAGE_SIZE_2M);
    expect(&r, GIB(2) + MIB(2), GIB(10) + MIB(2), RADIX_RWX, RADIX_WB, PAGE_SIZE);
    assert_false(mapped(&r, start - 1));
    assert_false(mapped(&r, start + size));
    assert_int_equal(radix_unmap(&r, 0, BIT(48)), PL_OK);
    assert_int_equal(store.in_use, 1);
    /* physical alignment counts too */
    assert_int_equal(radix_map(&r, 0, HPA(0x1000), MIB(2), RADIX_RWX, RADIX_WB, PAGE_SIZE_1G),
                     PL_OK);
    expect(&r, 0, 0x1000, RADIX_RWX, RADIX_WB, PAGE_SIZE);
}

static void bad_arguments(void **state)
{
    (void)state;
    struct radix r;
    make(&r, &radix_host);
    const struct { uint64_t virt, phys, size, perms, max; } bad[] = {
        {0x1000, 0x1000, 0, RADIX_RW, PAGE_SIZE},
        {0x1001, 0x1000, 0x1000, RADIX_RW, PAGE_SIZE},
        {0x1000, 0x1008, 0x1000, RADIX_RW, PAGE_SIZE},
        {0x1000, 0x1000, 0x1800, RADIX_RW, PAGE_SIZE},
        {0x1000, 0x1000, 0x1000, RADIX_RW, 0x2000},
        {0x1000, 0x1000, 0x1000, RADIX_RW, 0},
        {0x1000, 0x1000, 0x1000, RADIX_WRITE, PAGE_SIZE},
        {0x1000, 0x1000, 0x1000, RADIX_READ | BIT(4), PAGE_SIZE},
        {0x1000, BIT(52), 0x1000, RADIX_RW, PAGE_SIZE},
        {0x1000, BIT(52) - 0x1000, 0x2000, RADIX_RW, PAGE_SIZE},
        {0x0000800000000000, 0x1000, 0x1000, RADIX_RW, PAGE_SIZE},
        {0xffff000000000000, 0x1000, 0x1000, RADIX_RW, PAGE_SIZE},
        {0x00007ffffffff000, 0x1000, 0x2000, RADIX_RW, PAGE_SIZE}, /* into the hole */
        {0xfffffffffffff000, 0x1000, 0x2000, RADIX_RW, PAGE_SIZE}, /* past the end */
        {0, 0, BIT(49), RADIX_RW, PAGE_SIZE_1G},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(radix_map(&r, bad[i].virt, HPA(bad[i].phys), bad[i].size, bad[i].perms,
                                   RADIX_WB, bad[i].max), PL_INVALID);
    assert_int_equal(radix_map(&r, 0, HPA(0), 0x1000, RADIX_RW, RADIX_TYPES, PAGE_SIZE),
                     PL_INVALID);
    assert_int_equal(store.in_use, 1);
    /* the very last page is fine */
    assert_int_equal(radix_map(&r, 0xfffffffffffff000, HPA(BIT(52) - 0x1000), 0x1000, RADIX_RW,
                               RADIX_WB, PAGE_SIZE), PL_OK);
    assert_int_equal(radix_unmap(&r, 0xfffffffffffff000, 0x1000), PL_OK);
    assert_int_equal(store.in_use, 1);
    make(&r, &radix_ept);
    assert_int_equal(radix_map(&r, 0, HPA(0), 0x1000, RADIX_EXEC, RADIX_WB, PAGE_SIZE),
                     PL_INVALID);
    assert_int_equal(radix_map(&r, 0, HPA(0), 0x1000, RADIX_READ | RADIX_USER, RADIX_WB,
                               PAGE_SIZE), PL_INVALID);
    assert_int_equal(radix_map(&r, BIT(48) - 0x1000, HPA(0), 0x2000, RADIX_RW, RADIX_WB,
                               PAGE_SIZE), PL_INVALID);
    assert_int_equal(radix_unmap(&r, BIT(48), 0x1000), PL_INVALID);
}

static void already_mapped(void **state)
{
    (void)state;
    struct radix r;
    make(&r, &radix_ept);
    assert_int_equal(radix_map(&r, MIB(4), HPA(MIB(4)), 0x1000, RADIX_RW, RADIX_WB, PAGE_SIZE),
                     PL_OK);
    unsigned before = store.in_use;
    /* 2M of holes in front, then the page in the way: all undone, tables and all */
    assert_int_equal(radix_map(&r, 0, HPA(GIB(1)), MIB(8), RADIX_RW, RADIX_WB, PAGE_SIZE_2M),
                     PL_INVALID);
    assert_int_equal(radix_map(&r, MIB(4) - 0x2000, HPA(GIB(1)), 0x4000, RADIX_RW, RADIX_WB,
                               PAGE_SIZE), PL_INVALID);
    assert_int_equal(store.in_use, before);
    assert_false(mapped(&r, 0));
    assert_false(mapped(&r, MIB(4) - 0x1000));
    expect(&r, MIB(4), MIB(4), RADIX_RW, RADIX_WB, PAGE_SIZE);
    /* a small page under a large one */
    assert_int_equal(radix_map(&r, GIB(1), HPA(0), MIB(2), RADIX_RW, RADIX_WB, PAGE_SIZE_2M),
                     PL_OK);
    assert_int_equal(radix_map(&r, GIB(1) + 0x5000, HPA(0), 0x1000, RADIX_RW, RADIX_WB,
                               PAGE_SIZE), PL_INVALID);
}

static void out_of_memory(void **state)
{
    (void)state;
    struct radix r;
    for (unsigned limit = 1; limit < 6; limit++) {
        make(&r, &radix_host);
        store.limit = limit;
        /* needs 3 tables for the first 2M, 1 for the second */
        enum pl_status s = radix_map(&r, MIB(1), HPA(MIB(1)), MIB(2), RADIX_RW, RADIX_WB,
                                     PAGE_SIZE);
        assert_int_equal(s, limit < 5 ? PL_NO_MEMORY : PL_OK);
        if (s != PL_OK) {
            assert_int_equal(store.in_use, 1);
            assert_false(mapped(&r, MIB(1)));
        }
    }
    store.limit = 0;
    assert_int_equal(radix_create(&r, &radix_host, &ops, &store), PL_NO_MEMORY);
}

static void unmap_splits(void **state)
{
    (void)state;
    struct radix r;
    make(&r, &radix_ept);
    assert_int_equal(radix_map(&r, 0, HPA(GIB(4)), GIB(1), RADIX_RX, RADIX_WP, PAGE_SIZE_1G),
                     PL_OK);
    store.limit = store.in_use + 1; /* room for one split, two are needed */
    assert_int_equal(radix_unmap(&r, MIB(6) + 0x3000, 0x2000), PL_NO_MEMORY);
    expect(&r, MIB(6) + 0x3000, GIB(4) + MIB(6) + 0x3000, RADIX_RX, RADIX_WP, PAGE_SIZE_2M);
    store.limit = TABLES;
    assert_int_equal(radix_unmap(&r, MIB(6) + 0x3000, 0x2000), PL_OK);
    assert_false(mapped(&r, MIB(6) + 0x3000));
    assert_false(mapped(&r, MIB(6) + 0x4fff));
    expect(&r, MIB(6) + 0x2000, GIB(4) + MIB(6) + 0x2000, RADIX_RX, RADIX_WP, PAGE_SIZE);
    expect(&r, MIB(6) + 0x5000, GIB(4) + MIB(6) + 0x5000, RADIX_RX, RADIX_WP, PAGE_SIZE);
    expect(&r, MIB(8), GIB(4) + MIB(8), RADIX_RX, RADIX_WP, PAGE_SIZE_2M);
    expect(&r, GIB(1) - 1, GIB(5) - 1, RADIX_RX, RADIX_WP, PAGE_SIZE_2M);
    /* holes don't matter, empty tables go */
    assert_int_equal(radix_unmap(&r, MIB(6), MIB(2)), PL_OK);
    assert_int_equal(store.in_use, 3);
    assert_int_equal(radix_unmap(&r, 0, GIB(2)), PL_OK);
    assert_int_equal(store.in_use, 1);
    assert_int_equal(radix_unmap(&r, 0, GIB(2)), PL_OK);
}

static void split_keeps_the_large_pat_bit(void **state)
{
    (void)state;
    struct radix r;
    make(&r, &radix_host);
    assert_int_equal(radix_map(&r, 0, HPA(MIB(2)), MIB(2), RADIX_RW, RADIX_WC, PAGE_SIZE_2M),
                     PL_OK);
    assert_int_equal(radix_unmap(&r, 0, 0x1000), PL_OK);
    assert_int_equal(entry_at(&r, 0x1000, 0), (MIB(2) + 0x1000) | 0xf3 | BIT(63));
}

static void protect(void **state)
{
    (void)state;
    struct radix r;
    make(&r, &radix_host);
    assert_int_equal(radix_map(&r, 0, HPA(0), MIB(4), RADIX_RW, RADIX_WT, PAGE_SIZE_2M), PL_OK);
    assert_int_equal(radix_protect(&r, 0x1000, 0x1000, RADIX_RX), PL_OK);
    expect(&r, 0x1000, 0x1000, RADIX_RX, RADIX_WT, PAGE_SIZE);
    expect(&r, 0x2000, 0x2000, RADIX_RW, RADIX_WT, PAGE_SIZE);
    assert_int_equal(radix_protect(&r, MIB(2), MIB(8), RADIX_READ), PL_OK);
    expect(&r, MIB(2), MIB(2), RADIX_READ, RADIX_WT, PAGE_SIZE_2M);
    assert_false(mapped(&r, MIB(4)));
    assert_int_equal(radix_protect(&r, 0, MIB(2), RADIX_WRITE), PL_INVALID);
}

static void sharing(void **state)
{
    (void)state;
    struct radix a, b;
    make(&a, &radix_host);
    const uint64_t high = 0xffff800000000000;
    assert_int_equal(radix_map(&a, high, HPA(0), 0x1000, RADIX_RW, RADIX_WB, PAGE_SIZE), PL_OK);
    assert_int_equal(radix_create(&b, &radix_host, &ops, &store), PL_OK);
    assert_int_equal(radix_root_index(&radix_host, high), 256);
    radix_share(&b, &a, 256, 512);
    expect(&b, high, 0, RADIX_RW, RADIX_WB, PAGE_SIZE);
    assert_int_equal(radix_map(&a, high + 0x1000, HPA(0x1000), 0x1000, RADIX_RW, RADIX_WB,
                               PAGE_SIZE), PL_OK);
    expect(&b, high + 0x1000, 0x1000, RADIX_RW, RADIX_WB, PAGE_SIZE);
    assert_int_equal(radix_map(&b, 0, HPA(0), 0x1000, RADIX_RW, RADIX_WB, PAGE_SIZE), PL_OK);
    assert_false(mapped(&a, 0));
    assert_int_equal(store.in_use, 8);
    radix_free(&b, 0, 256);
    assert_int_equal(store.in_use, 5);
    expect(&a, high, 0, RADIX_RW, RADIX_WB, PAGE_SIZE);
    radix_free(&a, 256, 512);
    assert_int_equal(store.in_use, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(host_bits),      cmocka_unit_test(ept_bits),
        cmocka_unit_test(largest_pages),  cmocka_unit_test(bad_arguments),
        cmocka_unit_test(already_mapped), cmocka_unit_test(out_of_memory),
        cmocka_unit_test(unmap_splits),   cmocka_unit_test(split_keeps_the_large_pat_bit),
        cmocka_unit_test(protect),        cmocka_unit_test(sharing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
