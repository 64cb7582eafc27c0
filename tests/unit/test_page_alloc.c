/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page allocator: ragged extents, exhaustion, double frees, coalescing. What random sequences do is
 * tests/fuzz/fuzz_page_alloc.c's.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "mm/page_alloc.h"

struct pool {
    struct page_alloc pa;
    void *metadata;
};

static void make(struct pool *p, const struct extent *e, unsigned n)
{
    size_t size = page_alloc_metadata_size(e, n);
    assert_true(size > 0);
    p->metadata = malloc(size);
    assert_non_null(p->metadata);
    assert_int_equal(page_alloc_init(&p->pa, "test", e, n, p->metadata, size), PL_OK);
}

static void refuses_bad_extents(void **state)
{
    (void)state;
    static uint64_t meta[8192];
    struct page_alloc pa;
    const struct extent bad[][2] = {
        {{HPA(0x1001), 0x1000}, {HPA(0x10000), 0x1000}},         /* misaligned base */
        {{HPA(0x1000), 0x1800}, {HPA(0x10000), 0x1000}},         /* misaligned size */
        {{HPA(0x1000), 0}, {HPA(0x10000), 0x1000}},              /* empty */
        {{HPA(0x1000), 0x3000}, {HPA(0x3000), 0x1000}},          /* overlap */
        {{HPA(0x10000), 0x1000}, {HPA(0x1000), 0x100000}},       /* one inside the other */
        {{HPA(BIT(52) - 0x1000), 0x2000}, {HPA(0x1000), 0x1000}}, /* above the top */
        {{HPA(~UINT64_C(0xfff)), 0x1000}, {HPA(0x1000), 0x1000}},
        {{HPA(0x1000), ~UINT64_C(0xfff)}, {HPA(0x1000), 0x1000}},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(page_alloc_metadata_size(bad[i], 2), 0);
        assert_int_equal(page_alloc_init(&pa, "bad", bad[i], 2, meta, sizeof(meta)), PL_INVALID);
    }
    struct extent many[PAGE_ALLOC_EXTENTS_MAX + 1];
    for (unsigned i = 0; i < ARRAY_LEN(many); i++)
        many[i] = (struct extent){HPA(i * 0x2000), 0x1000};
    assert_int_equal(page_alloc_metadata_size(many, 0), 0);
    assert_int_equal(page_alloc_metadata_size(many, ARRAY_LEN(many)), 0);
    size_t need = page_alloc_metadata_size(many, ARRAY_LEN(many) - 1);
    assert_true(need > 0 && need <= sizeof(meta));
    unsigned most = PAGE_ALLOC_EXTENTS_MAX;
    assert_int_equal(page_alloc_init(&pa, "x", many, most, meta, need - 1), PL_NO_MEMORY);
    assert_int_equal(page_alloc_init(&pa, "x", many, most, meta, need), PL_OK);
    assert_int_equal(page_alloc_total(&pa), PAGE_ALLOC_EXTENTS_MAX);
}

static void ragged_head_and_tail(void **state)
{
    (void)state;
    /* 3 pages, a whole block, 2 pages */
    struct extent e = {HPA(MIB(2) - 0x3000), MIB(2) + 0x5000};
    struct pool p;
    make(&p, &e, 1);
    assert_int_equal(page_alloc_total(&p.pa), 517);
    assert_int_equal(page_alloc_free_2m(&p.pa), 1);
    hpa_t a;
    assert_true(page_alloc_2m(&p.pa, &a));
    assert_int_equal(a.v, MIB(2));
    assert_false(page_alloc_2m(&p.pa, &a));
    /* ascending, and never out of the block that is in use */
    const uint64_t want[] = {MIB(2) - 0x3000, MIB(2) - 0x2000, MIB(2) - 0x1000, MIB(4),
                             MIB(4) + 0x1000};
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        assert_true(page_alloc_4k(&p.pa, &a));
        assert_int_equal(a.v, want[i]);
    }
    a = HPA(77);
    assert_false(page_alloc_4k(&p.pa, &a));
    assert_int_equal(a.v, 77);
    assert_int_equal(page_alloc_free(&p.pa), 0);
    /* all free again does not make a ragged block whole */
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_true(page_free_4k(&p.pa, HPA(want[i])));
    assert_int_equal(page_alloc_free_2m(&p.pa), 0);
    assert_true(page_free_2m(&p.pa, HPA(MIB(2))));
    assert_int_equal(page_alloc_free_2m(&p.pa), 1);
    assert_int_equal(page_alloc_free(&p.pa), 517);
    free(p.metadata);
}

static void split_and_coalesce(void **state)
{
    (void)state;
    struct extent e = {HPA(GIB(4)), MIB(4)};
    struct pool p;
    hpa_t page[512], a;
    make(&p, &e, 1);
    for (unsigned i = 0; i < 512; i++)
        assert_true(page_alloc_4k(&p.pa, &page[i]));
    /* they all came from one block */
    assert_int_equal(page_alloc_free_2m(&p.pa), 1);
    assert_true(page_alloc_2m(&p.pa, &a));
    assert_false(page_alloc_4k(&p.pa, &page[0]));
    for (unsigned i = 0; i < 512; i += 2)
        assert_true(page_free_4k(&p.pa, page[i]));
    assert_int_equal(page_alloc_free_2m(&p.pa), 0);
    for (unsigned i = 1; i < 512; i += 2)
        assert_true(page_free_4k(&p.pa, page[i]));
    assert_int_equal(page_alloc_free_2m(&p.pa), 1);
    assert_int_equal(page_alloc_free(&p.pa), 512);
    free(p.metadata);
}

static void partial_first(void **state)
{
    (void)state;
    struct extent e = {HPA(0), MIB(8)};
    struct pool p;
    hpa_t a, b;
    make(&p, &e, 1);
    assert_true(page_alloc_4k(&p.pa, &a));
    assert_int_equal(page_alloc_free_2m(&p.pa), 3);
    assert_true(page_alloc_4k(&p.pa, &b));
    assert_int_equal(page_alloc_free_2m(&p.pa), 3);
    assert_true(page_free_4k(&p.pa, a));
    assert_true(page_free_4k(&p.pa, b));
    assert_int_equal(page_alloc_free_2m(&p.pa), 4);
    free(p.metadata);
}

static void bad_frees(void **state)
{
    (void)state;
    struct extent e[2] = {{HPA(MIB(2)), MIB(4)}, {HPA(MIB(10) + 0x1000), 0x2000}};
    struct pool p;
    hpa_t a, big;
    make(&p, e, 2);
    assert_true(page_alloc_2m(&p.pa, &big));
    assert_true(page_alloc_contiguous(&p.pa, 2, &a));
    uint64_t left = page_alloc_free(&p.pa);
    assert_false(page_free_4k(&p.pa, HPA(0)));
    assert_false(page_free_4k(&p.pa, HPA(MIB(10))));
    assert_false(page_free_4k(&p.pa, HPA(MIB(10) + 0x3000)));
    assert_false(page_free_4k(&p.pa, HPA(BIT(52))));
    assert_false(page_free_4k(&p.pa, HPA(~UINT64_C(0xfff))));
    assert_false(page_free_4k(&p.pa, HPA(a.v + 8)));
    assert_false(page_free_4k(&p.pa, big));
    assert_false(page_free_2m(&p.pa, HPA(big.v + 0x1000)));
    assert_false(page_free_2m(&p.pa, a));
    assert_false(page_free_contiguous(&p.pa, a, 0));
    assert_false(page_free_contiguous(&p.pa, a, 3)); /* one of them is not handed out */
    assert_false(page_free_contiguous(&p.pa, a, 513));
    assert_int_equal(page_alloc_free(&p.pa), left);
    assert_true(page_free_contiguous(&p.pa, a, 2));
    assert_false(page_free_4k(&p.pa, a));
    assert_true(page_free_2m(&p.pa, big));
    assert_false(page_free_2m(&p.pa, big));
    assert_int_equal(page_alloc_free(&p.pa), page_alloc_total(&p.pa));
    free(p.metadata);
}

static void contiguous(void **state)
{
    (void)state;
    struct extent e = {HPA(MIB(2) - 0x8000), MIB(2) + 0x8000};
    struct pool p;
    hpa_t a, b, c, d;
    make(&p, &e, 1);
    assert_false(page_alloc_contiguous(&p.pa, 0, &a));
    assert_false(page_alloc_contiguous(&p.pa, 513, &a));
    assert_true(page_alloc_contiguous(&p.pa, 3, &a));
    assert_int_equal(a.v, MIB(2) - 0x8000);
    assert_true(page_alloc_contiguous(&p.pa, 5, &b));
    assert_int_equal(b.v, MIB(2) - 0x5000);
    assert_int_equal(page_alloc_free_2m(&p.pa), 1);
    /* the hole of 3 is too small for 4 */
    assert_true(page_free_contiguous(&p.pa, a, 3));
    assert_true(page_alloc_contiguous(&p.pa, 4, &c));
    assert_int_equal(c.v, MIB(2));
    assert_true(page_alloc_contiguous(&p.pa, 508, &d));
    assert_int_equal(d.v, MIB(2) + 0x4000);
    assert_false(page_alloc_contiguous(&p.pa, 4, &a));
    assert_true(page_alloc_contiguous(&p.pa, 3, &a));
    assert_int_equal(page_alloc_free(&p.pa), 0);
    /* back in parts, in any order */
    assert_true(page_free_contiguous(&p.pa, HPA(d.v + 0x64000), 408));
    assert_true(page_free_contiguous(&p.pa, d, 100));
    assert_true(page_free_contiguous(&p.pa, c, 3));
    assert_true(page_free_4k(&p.pa, HPA(c.v + 0x3000)));
    assert_int_equal(page_alloc_free_2m(&p.pa), 1);
    assert_true(page_alloc_contiguous(&p.pa, 512, &d));
    assert_int_equal(d.v, MIB(2));
    free(p.metadata);
}

static void two_extents_in_one_block(void **state)
{
    (void)state;
    struct extent e[2] = {{HPA(0x190000), 0x70000}, {HPA(0x100000), 0x80000}};
    struct pool p;
    hpa_t a;
    make(&p, e, 2);
    assert_int_equal(page_alloc_total(&p.pa), 0xf0);
    for (unsigned i = 0; i < 0xf0; i++) {
        assert_true(page_alloc_4k(&p.pa, &a));
        assert_true((a.v >= 0x190000 && a.v < 0x200000) || (a.v >= 0x100000 && a.v < 0x180000));
    }
    assert_false(page_alloc_4k(&p.pa, &a));
    assert_false(page_free_4k(&p.pa, HPA(0x180000)));
    assert_true(page_free_contiguous(&p.pa, HPA(0x17f000), 1));
    assert_false(page_free_contiguous(&p.pa, HPA(0x17e000), 3));
    free(p.metadata);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_bad_extents), cmocka_unit_test(ragged_head_and_tail),
        cmocka_unit_test(split_and_coalesce),  cmocka_unit_test(partial_first),
        cmocka_unit_test(bad_frees),           cmocka_unit_test(contiguous),
        cmocka_unit_test(two_extents_in_one_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
