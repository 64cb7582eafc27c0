/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device bus: who answers, how wide accesses are cut, what nobody answers.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "core/bus.h"
#include "core/lib/string.h"

/* A device that notes every access and answers its letter and the offset, with rubbish above. */
static char notes[256];

static void note_access(void *dev, struct io_access *a)
{
    char name = *(const char *)dev;
    size_t at = strlen(notes);
    snprintf(notes + at, sizeof(notes) - at, "%c%s%x/%x ", name, a->write ? "w" : "r",
             (unsigned)a->offset, (unsigned)a->size);
    if (a->write) {
        at = strlen(notes) - 1;
        snprintf(notes + at, sizeof(notes) - at, "=%llx ", (unsigned long long)a->value);
    } else if (name == 'S') {
        /* silent: leaves the preset */
    } else {
        a->value = UINT64_C(0xdeadbeef00000000) | (unsigned)name << 8 | a->offset;
        if (a->size == 1)
            a->value = UINT64_C(0xdeadbeefdead0000) | 0x5500 | (0xa0 + a->offset);
    }
}

static const struct device_ops ops = {.access = note_access};
static struct bus b;
static char A = 'A', B = 'B', W = 'W', S = 'S';

static int setup(void **state)
{
    (void)state;
    bus_init(&b);
    notes[0] = 0;
    return 0;
}

static uint64_t rd(uint64_t addr, unsigned size, bool found)
{
    struct io_access a = {.size = (uint8_t)size, .value = 0x1234};
    notes[0] = 0;
    assert_int_equal(bus_access(&b, addr, &a), found);
    return a.value;
}

static void wr(uint64_t addr, unsigned size, uint64_t value, bool found)
{
    struct io_access a = {.size = (uint8_t)size, .write = true, .value = value};
    notes[0] = 0;
    assert_int_equal(bus_access(&b, addr, &a), found);
}

static void adding(void **state)
{
    (void)state;
    assert_int_equal(bus_add(&b, 0x100, 0x10, 1, &ops, &A), PL_OK);
    const struct { uint64_t base, size; unsigned width; } bad[] = {
        {0x100, 1, 1}, {0x10f, 1, 1}, {0xff, 2, 1}, {0, 0x1000, 1}, {0x104, 2, 1}, {0x200, 0, 1},
        {0x200, 1, 0}, {0x200, 1, 3}, {0x200, 1, 16}, {UINT64_MAX, 2, 1}, {2, UINT64_MAX, 1},
        {1, UINT64_MAX, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(bus_add(&b, bad[i].base, bad[i].size, bad[i].width, &ops, &A),
                         PL_INVALID);
    assert_int_equal(b.count, 1);
    assert_int_equal(bus_add(&b, 0x110, 1, 1, &ops, &B), PL_OK);
    assert_int_equal(bus_add(&b, 0xff, 1, 1, &ops, &B), PL_OK);
    assert_int_equal(bus_add(&b, UINT64_MAX - 1, 2, 8, &ops, &W), PL_OK);
    assert_ptr_equal(bus_find(&b, 0xff)->dev, &B);
    assert_ptr_equal(bus_find(&b, 0x100)->dev, &A);
    assert_ptr_equal(bus_find(&b, 0x10f)->dev, &A);
    assert_ptr_equal(bus_find(&b, 0x110)->dev, &B);
    assert_ptr_equal(bus_find(&b, UINT64_MAX)->dev, &W);
    assert_null(bus_find(&b, 0xfe));
    assert_null(bus_find(&b, 0x111));
    assert_null(bus_find(&b, 0));
}

static void full(void **state)
{
    (void)state;
    /* in an order that makes every insertion shift */
    for (unsigned i = BUS_REGIONS; i-- > 0;)
        assert_int_equal(bus_add(&b, i * 0x10, 8, 1, &ops, i % 2 ? &A : &B), PL_OK);
    assert_int_equal(bus_add(&b, 0x4000, 1, 1, &ops, &A), PL_NO_MEMORY);
    for (unsigned i = 0; i < BUS_REGIONS; i++) {
        assert_ptr_equal(bus_find(&b, i * 0x10 + 7)->dev, i % 2 ? &A : &B);
        assert_null(bus_find(&b, i * 0x10 + 8));
    }
}

static void nobody(void **state)
{
    (void)state;
    assert_int_equal(rd(0x55, 1, false), 0xff);
    assert_int_equal(rd(0x55, 2, false), 0xffff);
    assert_int_equal(rd(0x55, 4, false), 0xffffffff);
    assert_int_equal(rd(0x55, 8, false), UINT64_MAX);
    assert_int_equal(bus_add(&b, 0xcf9, 1, 1, &ops, &A), PL_OK);
    wr(0xcf8, 4, 0x80000600, false); /* PCI's address must not reset the machine */
    assert_string_equal(notes, "");
    wr(0x55, 4, 1, false);
    struct io_access a = {.size = 3};
    assert_false(bus_access(&b, 0xcf9, &a));
    a.size = 0;
    assert_false(bus_access(&b, 0xcf9, &a));
    a.size = 255;
    assert_false(bus_access(&b, 0xcf9, &a));
    assert_string_equal(notes, "");
}

static void values_are_cut(void **state)
{
    (void)state;
    assert_int_equal(bus_add(&b, 0x40, 8, 8, &ops, &W), PL_OK);
    assert_int_equal(bus_add(&b, 0x60, 8, 8, &ops, &S), PL_OK);
    assert_int_equal(rd(0x43, 1, true), 0xa3);
    assert_int_equal(rd(0x44, 2, true), 'W' << 8 | 4);
    assert_int_equal(rd(0x44, 4, true), 'W' << 8 | 4);
    assert_int_equal(rd(0x40, 8, true), UINT64_C(0xdeadbeef00000000) | 'W' << 8);
    assert_int_equal(rd(0x60, 2, true), 0xffff);
    assert_int_equal(rd(0x60, 8, true), UINT64_MAX);
    wr(0x41, 1, 0x12345678, true);
    assert_string_equal(notes, "Ww1/1=78 ");
    wr(0x41, 4, UINT64_MAX, true); /* unaligned, but inside and not too wide */
    assert_string_equal(notes, "Ww1/4=ffffffff ");
}

static void wide_access_to_narrow_device(void **state)
{
    (void)state;
    assert_int_equal(bus_add(&b, 0x3f8, 8, 1, &ops, &A), PL_OK);
    assert_int_equal(rd(0x3f8, 4, true), 0xa3a2a1a0);
    assert_string_equal(notes, "Ar0/1 Ar1/1 Ar2/1 Ar3/1 ");
    wr(0x3fa, 2, 0xbbaa, true);
    assert_string_equal(notes, "Aw2/1=aa Aw3/1=bb ");
    bus_init(&b);
    assert_int_equal(bus_add(&b, 0x100, 8, 2, &ops, &B), PL_OK);
    wr(0x101, 4, 0x44332211, true); /* parts are aligned */
    assert_string_equal(notes, "Bw1/1=11 Bw2/2=3322 Bw4/1=44 ");
    assert_int_equal(rd(0x100, 4, true), ('B' << 8 | 2) << 16 | 'B' << 8);
}

static void over_the_end(void **state)
{
    (void)state;
    assert_int_equal(bus_add(&b, 0x20, 2, 1, &ops, &A), PL_OK);
    assert_int_equal(bus_add(&b, 0x23, 1, 4, &ops, &B), PL_OK);
    assert_int_equal(rd(0x21, 4, true), 0xffa0ffa1);
    assert_string_equal(notes, "Ar1/1 Br0/1 ");
    wr(0x21, 4, 0x44332211, true);
    assert_string_equal(notes, "Aw1/1=11 Bw0/1=33 ");
    /* the last port there is */
    assert_int_equal(bus_add(&b, 0xffff, 1, 1, &ops, &A), PL_OK);
    assert_int_equal(rd(0xffff, 2, true), 0xffa0);
    /* the last byte of memory: what follows is address 0 */
    assert_int_equal(bus_add(&b, UINT64_MAX, 1, 8, &ops, &A), PL_OK);
    assert_int_equal(bus_add(&b, 0, 1, 8, &ops, &B), PL_OK);
    assert_int_equal(rd(UINT64_MAX, 2, true), 0xa0a0);
    assert_string_equal(notes, "Ar0/1 Br0/1 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(adding, setup),
        cmocka_unit_test_setup(full, setup),
        cmocka_unit_test_setup(nobody, setup),
        cmocka_unit_test_setup(values_are_cut, setup),
        cmocka_unit_test_setup(wide_access_to_narrow_device, setup),
        cmocka_unit_test_setup(over_the_end, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
