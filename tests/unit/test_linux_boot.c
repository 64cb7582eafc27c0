/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/linux_boot.c: the bytes of boot_params and hvm_start_info at the offsets that the protocols
 * give, and where things may be placed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "core/lib/string.h"
#include "core/linux_boot.h"

static uint8_t kernel[0x400], page[BOOT_PARAMS_SIZE];
static struct image bz;
static const char *why;

static const struct e820_range map[] = {
    {0, 0x9fc00, E820_RAM}, {0x9fc00, 0x400, E820_RESERVED},
    {UINT64_C(0x123456789000), 0x1000, E820_ACPI}};

static uint64_t get(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    memcpy(&v, p, n);
    return v;
}

static int setup(void **state)
{
    (void)state;
    memset(kernel, 0xab, sizeof(kernel));
    kernel[0x211] = 0x81; /* LOADED_HIGH, CAN_USE_HEAP */
    memset(&bz, 0, sizeof(bz));
    bz.kind = IMAGE_BZIMAGE;
    bz.segment_count = 1;
    bz.segments[0] = (struct image_segment){0x400, 0x1000, 0x1000000, 0x1000};
    bz.bz.header_end = 0x26c;
    bz.bz.cmdline_size = 10;
    bz.bz.runtime_start = 0x1000000;
    bz.bz.init_size = 0x2000000;
    bz.bz.initrd_addr_max = 0x7fffffff;
    return 0;
}

static void test_boot_params(void **state)
{
    const struct linux_boot_args args = {
        .cmdline = UINT64_C(0x120000), .text = "0123456789", .initrd = UINT64_C(0x5f0000000),
        .initrd_size = UINT64_C(0x100001234), .rsdp = 0xe0000, .e820 = map, .e820_count = 3};
    (void)state;
    memset(page, 0x55, sizeof(page));
    assert_true(linux_fill_boot_params(kernel, sizeof(kernel), &bz, &args, page, &why));
    assert_null(why);
    assert_int_equal(page[0x1f0], 0);    /* before the header: zero */
    assert_int_equal(page[0x1f1], 0xab); /* the file's */
    assert_int_equal(page[0x26b], 0xab);
    assert_int_equal(page[0x26c], 0); /* behind it */
    assert_int_equal(page[0x210], 0xff);
    assert_int_equal(page[0x211], 0x01);
    assert_int_equal(get(page + 0x1fa, 2), 0xffff);
    assert_int_equal(get(page + 0x214, 4), 0x1000000);
    assert_int_equal(get(page + 0x218, 4), 0xf0000000);
    assert_int_equal(get(page + 0x0c0, 4), 0x5);
    assert_int_equal(get(page + 0x21c, 4), 0x1234);
    assert_int_equal(get(page + 0x0c4, 4), 0x1);
    assert_int_equal(get(page + 0x228, 4), 0x120000);
    assert_int_equal(get(page + 0x0c8, 4), 0);
    assert_int_equal(get(page + 0x250, 8), 0);
    assert_int_equal(get(page + 0x070, 8), 0xe0000);
    assert_int_equal(page[0x1e8], 3);
    assert_int_equal(get(page + 0x2d0, 8), 0);
    assert_int_equal(get(page + 0x2d8, 8), 0x9fc00);
    assert_int_equal(get(page + 0x2e0, 4), 1);
    assert_int_equal(get(page + 0x2d0 + 40, 8), UINT64_C(0x123456789000));
    assert_int_equal(get(page + 0x2d0 + 56, 4), 3);
    assert_int_equal(get(page + 0x2d0 + 60, 8), 0);
    assert_int_equal(page[4095], 0);
}

static void test_boot_params_without_initrd(void **state)
{
    const struct linux_boot_args args = {.initrd = 0x5000, .text = NULL};
    (void)state;
    assert_true(linux_fill_boot_params(kernel, sizeof(kernel), &bz, &args, page, &why));
    assert_int_equal(get(page + 0x218, 8), 0);
    assert_int_equal(page[0x1e8], 0);
}

static void test_boot_params_refusals(void **state)
{
    static struct e820_range many[E820_MAX + 1];
    struct linux_boot_args args = {.text = "0123456789x"};
    (void)state;
    assert_false(linux_fill_boot_params(kernel, sizeof(kernel), &bz, &args, page, &why));
    assert_non_null(why);
    args = (struct linux_boot_args){.e820 = many, .e820_count = E820_MAX + 1};
    assert_false(linux_fill_boot_params(kernel, sizeof(kernel), &bz, &args, page, &why));
    args.e820_count = E820_MAX;
    assert_true(linux_fill_boot_params(kernel, sizeof(kernel), &bz, &args, page, &why));
    assert_int_equal(page[0x1e8], 128);
    assert_false(linux_fill_boot_params(kernel, 0x26b, &bz, &args, page, &why));
    assert_true(linux_fill_boot_params(kernel, 0x26c, &bz, &args, page, &why));
    bz.bz.header_end = 0x2d1; /* would run into the E820 table */
    assert_false(linux_fill_boot_params(kernel, sizeof(kernel), &bz, &args, page, &why));
    bz.kind = IMAGE_PVH_ELF;
    assert_false(linux_fill_boot_params(kernel, sizeof(kernel), &bz, &args, page, &why));
}

static void test_pvh_start_info(void **state)
{
    const struct linux_boot_args args = {.text = "console=x", .initrd = 0x7000000,
                                         .initrd_size = 0x1234, .rsdp = 0xe0000, .e820 = map,
                                         .e820_count = 3};
    const size_t need = 56 + 32 + 3 * 24 + 10;
    (void)state;
    for (size_t size = 0; size < need; size++) {
        uint8_t *buf = malloc(size ? size : 1);
        assert_int_equal(pvh_build_start_info(buf, size, 0x6000, &args), 0);
        free(buf);
    }
    uint8_t *buf = malloc(need);
    memset(buf, 0x55, need);
    assert_int_equal(pvh_build_start_info(buf, need, 0x6000, &args), need);
    assert_int_equal(get(buf, 4), 0x336ec578);
    assert_int_equal(get(buf + 4, 4), 1);
    assert_int_equal(get(buf + 8, 4), 0);
    assert_int_equal(get(buf + 12, 4), 1);
    assert_int_equal(get(buf + 16, 8), 0x6000 + 56);
    assert_int_equal(get(buf + 24, 8), 0x6000 + 56 + 32 + 72);
    assert_int_equal(get(buf + 32, 8), 0xe0000);
    assert_int_equal(get(buf + 40, 8), 0x6000 + 56 + 32);
    assert_int_equal(get(buf + 48, 4), 3);
    assert_int_equal(get(buf + 52, 4), 0);
    assert_int_equal(get(buf + 56, 8), 0x7000000);
    assert_int_equal(get(buf + 64, 8), 0x1234);
    assert_int_equal(get(buf + 72, 8), 0);
    assert_int_equal(get(buf + 80, 8), 0);
    assert_int_equal(get(buf + 88 + 24, 8), 0x9fc00);
    assert_int_equal(get(buf + 88 + 32, 8), 0x400);
    assert_int_equal(get(buf + 88 + 40, 8), 2); /* type, and reserved is zero */
    assert_string_equal((char *)buf + 88 + 72, "console=x");
    free(buf);
}

static void test_pvh_start_info_minimal(void **state)
{
    const struct linux_boot_args args = {.initrd = 0x7000000};
    uint8_t buf[57];
    (void)state;
    assert_int_equal(pvh_build_start_info(buf, sizeof(buf), 0x6000, &args), 57);
    assert_int_equal(get(buf + 12, 4), 0);
    assert_int_equal(get(buf + 16, 8), 0);
    assert_int_equal(get(buf + 40, 8), 0);
    assert_int_equal(get(buf + 24, 8), 0x6038);
    assert_int_equal(buf[56], 0);
}

/* 16 to 48 MiB belong to the kernel. */
static void test_place_high(void **state)
{
    uint64_t at = 0;
    (void)state;
    assert_true(boot_place_high(&bz, 0x1000, 0, 0x10000000, &at));
    assert_int_equal(at, 0xffff000);
    assert_true(boot_place_high(&bz, 0x1001, 0, 0x10000000, &at));
    assert_int_equal(at, 0xfffe000);
    assert_true(boot_place_high(&bz, 0x1000, 0, 0x3001000, &at));
    assert_int_equal(at, 0x3000000);
    assert_true(boot_place_high(&bz, 0x1000, 0, 0x3000fff, &at)); /* must go below the kernel */
    assert_int_equal(at, 0xfff000);
    assert_true(boot_place_high(&bz, 0x2000, 0, 0x3001000, &at));
    assert_int_equal(at, 0xffe000);
    assert_false(boot_place_high(&bz, 0x2000, 0xffe001, 0x3001000, &at));
    assert_true(boot_place_high(&bz, 0x2000, 0xffe000, 0x3001000, &at));
    assert_false(boot_place_high(&bz, 0x1000001, 0, 0x3000000, &at));
    assert_true(boot_place_high(&bz, 0x1000000, 0, 0x3000000, &at));
    assert_int_equal(at, 0);
    assert_false(boot_place_high(&bz, 0, 0, 0x10000000, &at));
    assert_false(boot_place_high(&bz, UINT64_MAX, 0, 0x10000000, &at));
}

static void test_place_low(void **state)
{
    uint64_t at = 0;
    (void)state;
    assert_true(boot_place_low(&bz, 0x1000, 0x1001, 0x9f000, &at));
    assert_int_equal(at, 0x2000);
    assert_true(boot_place_low(&bz, 0x9d000, 0x2000, 0x9f000, &at));
    assert_false(boot_place_low(&bz, 0x9d001, 0x2000, 0x9f000, &at));
    assert_true(boot_place_low(&bz, 0x1000, 0xfff001, UINT64_MAX, &at));
    assert_int_equal(at, 0x3000000);
    assert_true(boot_place_low(&bz, 0x2000, 0xfff000, UINT64_MAX, &at));
    assert_int_equal(at, 0x3000000);
    assert_false(boot_place_low(&bz, 0x1000, 0x1000000, 0x3000fff, &at));
    assert_false(boot_place_low(&bz, 0, 0, 0x9f000, &at));
    assert_false(boot_place_low(&bz, 1, UINT64_MAX, UINT64_MAX, &at));
}

static void test_place_initrd(void **state)
{
    uint64_t at = 0;
    (void)state;
    assert_true(linux_place_initrd(&bz, 0x1234, 0x8000000, &at));
    assert_int_equal(at, 0x7ffe000);
    bz.bz.initrd_addr_max = 0x37ffffff;
    assert_true(linux_place_initrd(&bz, 0x1000, 0x40000000, &at));
    assert_int_equal(at, 0x37fff000);
    bz.bz.initrd_addr_max = 0xffffffff;
    assert_true(linux_place_initrd(&bz, 0x1000, UINT64_C(0x200000000), &at));
    assert_int_equal(at, 0xbffff000);
    assert_false(linux_place_initrd(&bz, 0xf00001, 0x3000000, &at)); /* below 1 MiB */
    assert_true(linux_place_initrd(&bz, 0xf00000, 0x3000000, &at));
    assert_int_equal(at, 0x100000);
    bz.kind = IMAGE_PVH_ELF;
    bz.bz.initrd_addr_max = 0;
    assert_true(linux_place_initrd(&bz, 0x1000, 0x8000000, &at));
    assert_int_equal(at, 0x7fff000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_boot_params, setup),
        cmocka_unit_test_setup(test_boot_params_without_initrd, setup),
        cmocka_unit_test_setup(test_boot_params_refusals, setup),
        cmocka_unit_test_setup(test_pvh_start_info, setup),
        cmocka_unit_test_setup(test_pvh_start_info_minimal, setup),
        cmocka_unit_test_setup(test_place_high, setup),
        cmocka_unit_test_setup(test_place_low, setup),
        cmocka_unit_test_setup(test_place_initrd, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
