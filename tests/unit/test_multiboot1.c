/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/multiboot1.c: the information structure at the offsets that the specification gives, and
 * what does not fit into it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "core/lib/string.h"
#include "core/multiboot1.h"

#define GPA UINT64_C(0x10000)

static const struct e820_range map[] = {
    {0, 0x9fc00, E820_RAM}, {0x9fc00, 0x60400, E820_RESERVED}, {0x100000, 0x700000, E820_RAM},
    {0x800000, 0x100000, E820_RAM}, {0xa00000, 0x100000, E820_RAM},
    {UINT64_C(0x100000000), 0x40000000, E820_RAM}};

static const struct multiboot1_module modules[] = {
    {0x300000, 0x1234, "first.img x=1, junk", 13}, {0x302000, 0, NULL, 0}};

static uint8_t *mem;
static size_t mem_len;

static uint64_t get(size_t at, size_t n)
{
    uint64_t v = 0;
    assert_true(at <= mem_len && n <= mem_len - at);
    memcpy(&v, mem + at, n);
    return v;
}

/* The text that the field at `at` points to. */
static const char *text(size_t at)
{
    uint64_t where = get(at, 4) - GPA;
    assert_true(where < mem_len);
    assert_non_null(memchr(mem + where, 0, mem_len - where));
    return (const char *)mem + where;
}

/* Builds into a heap buffer of the exact size; every smaller one must be refused. */
static void build(const struct multiboot1_args *args)
{
    static uint8_t probe[65536];
    size_t n = multiboot1_build_info(probe, sizeof(probe), GPA, args);
    assert_true(n > 0);
    for (mem_len = 0; mem_len <= n; mem_len++) {
        free(mem);
        mem = malloc(mem_len ? mem_len : 1);
        memset(mem, 0x55, mem_len ? mem_len : 1);
        size_t got = multiboot1_build_info(mem, mem_len, GPA, args);
        assert_int_equal(got, mem_len == n ? n : 0);
    }
    mem_len = n;
}

static int teardown(void **state)
{
    (void)state;
    free(mem);
    mem = NULL;
    return 0;
}

static void test_full(void **state)
{
    const struct multiboot1_args args = {"kernel.elf", "a=b  c", modules, 2, map, ARRAY_LEN(map)};
    (void)state;
    build(&args);
    assert_int_equal(get(0, 4), 0x24d);
    assert_int_equal(get(4, 4), 639);
    assert_int_equal(get(8, 4), 8192); /* two ranges without a gap; the third has one before it */
    assert_int_equal(get(12, 4), 0);
    assert_string_equal(text(16), "kernel.elf a=b  c");
    assert_string_equal(text(64), "Plinth");
    assert_int_equal(get(20, 4), 2);
    size_t row = get(24, 4) - GPA;
    assert_int_equal(get(row, 4), 0x300000);
    assert_int_equal(get(row + 4, 4), 0x301234);
    assert_string_equal(text(row + 8), "first.img x=1");
    assert_int_equal(get(row + 12, 4), 0);
    assert_int_equal(get(row + 16, 4), 0x302000);
    assert_int_equal(get(row + 20, 4), 0x302000);
    assert_string_equal(text(row + 24), "");
    assert_int_equal(get(44, 4), ARRAY_LEN(map) * 24);
    row = get(48, 4) - GPA;
    assert_int_equal(row % 4, 0);
    for (size_t i = 0; i < ARRAY_LEN(map); i++, row += 24) {
        assert_int_equal(get(row, 4), 20);
        assert_int_equal(get(row + 4, 8), map[i].base);
        assert_int_equal(get(row + 12, 8), map[i].length);
        assert_int_equal(get(row + 20, 4), map[i].type);
    }
    for (size_t at = 68; at < 116; at += 4) /* no APM, VBE, framebuffer */
        assert_int_equal(get(at, 4), 0);
    for (size_t at = 28; at < 44; at += 4) /* no symbols */
        assert_int_equal(get(at, 4), 0);
}

static void test_empty(void **state)
{
    const struct multiboot1_args args = {0};
    (void)state;
    build(&args);
    assert_int_equal(mem_len, 116 + 1 + 7);
    assert_int_equal(get(0, 4), 0x205);
    assert_int_equal(get(4, 8), 0);
    assert_string_equal(text(16), "");
    assert_int_equal(get(20, 8), 0);
    assert_int_equal(get(44, 8), 0);
}

static void test_command_lines(void **state)
{
    struct multiboot1_args args = {.name = "k", .cmdline = ""};
    (void)state;
    build(&args);
    assert_string_equal(text(16), "k");
    args = (struct multiboot1_args){.cmdline = "x"};
    build(&args);
    assert_string_equal(text(16), "x");
    args = (struct multiboot1_args){.name = "k", .cmdline = "x"};
    build(&args);
    assert_string_equal(text(16), "k x");
}

static void test_memory_fields(void **state)
{
    static const struct e820_range flat[] = {{0, 0x40000000, E820_RAM}},
                                   holes[] = {{0x1000, 0x9e000, E820_RAM},
                                              {0x101000, 0x100000, E820_RAM}},
                                   huge[] = {{0x100000, BIT(52), E820_RAM}},
                                   acpi[] = {{0, 0x100000, E820_ACPI}};
    struct multiboot1_args args = {.e820 = flat, .e820_count = 1};
    (void)state;
    build(&args);
    assert_int_equal(get(4, 4), 640);
    assert_int_equal(get(8, 4), 1023 * 1024);
    args = (struct multiboot1_args){.e820 = holes, .e820_count = 2};
    build(&args);
    assert_int_equal(get(4, 8), 0);
    args = (struct multiboot1_args){.e820 = huge, .e820_count = 1};
    build(&args);
    assert_int_equal(get(8, 4), UINT32_MAX);
    args = (struct multiboot1_args){.e820 = acpi, .e820_count = 1};
    build(&args);
    assert_int_equal(get(4, 8), 0);
}

static void test_refusals(void **state)
{
    static struct e820_range many[E820_MAX + 1];
    static struct multiboot1_module more[MULTIBOOT1_MODULES_MAX + 1];
    static uint8_t buf[16384];
    struct multiboot1_module high = {UINT32_MAX, 1, NULL, 0};
    struct multiboot1_args args = {.modules = &high, .module_count = 1};
    (void)state;
    assert_int_equal(multiboot1_build_info(buf, sizeof(buf), GPA, &args), 0);
    high = (struct multiboot1_module){0xfffff000, 0xfff, NULL, 0};
    assert_true(multiboot1_build_info(buf, sizeof(buf), GPA, &args));
    high = (struct multiboot1_module){0x1000, UINT64_MAX - 5, NULL, 0};
    assert_int_equal(multiboot1_build_info(buf, sizeof(buf), GPA, &args), 0);
    high = (struct multiboot1_module){BIT(32), 0, NULL, 0};
    assert_int_equal(multiboot1_build_info(buf, sizeof(buf), GPA, &args), 0);
    high = (struct multiboot1_module){0x1000, 1, "x", SIZE_MAX};
    assert_int_equal(multiboot1_build_info(buf, sizeof(buf), GPA, &args), 0);
    args = (struct multiboot1_args){.modules = more, .module_count = ARRAY_LEN(more)};
    assert_int_equal(multiboot1_build_info(buf, sizeof(buf), GPA, &args), 0);
    args.module_count--;
    assert_true(multiboot1_build_info(buf, sizeof(buf), GPA, &args));
    args = (struct multiboot1_args){.e820 = many, .e820_count = ARRAY_LEN(many)};
    assert_int_equal(multiboot1_build_info(buf, sizeof(buf), GPA, &args), 0);
    args.e820_count--;
    assert_true(multiboot1_build_info(buf, sizeof(buf), GPA, &args));
    args = (struct multiboot1_args){0};
    assert_int_equal(multiboot1_build_info(buf, sizeof(buf), GPA + 2, &args), 0);
    assert_int_equal(multiboot1_build_info(buf, sizeof(buf), BIT(32) - 0x40, &args), 0);
    assert_int_equal(multiboot1_build_info(buf, sizeof(buf), BIT(32), &args), 0);
    assert_true(multiboot1_build_info(buf, sizeof(buf), BIT(32) - 0x80, &args));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full),          cmocka_unit_test(test_empty),
        cmocka_unit_test(test_command_lines), cmocka_unit_test(test_memory_fields),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
