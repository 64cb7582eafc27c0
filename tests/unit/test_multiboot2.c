/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot/multiboot2.c on information blocks made here tag by tag. Each block is parsed from a heap
 * buffer of its exact size at an odd address, so that ASan and UBSan see a read too far or aligned.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "boot/multiboot2.h"
#include "core/lib/string.h"

struct block {
    uint8_t b[65536];
    size_t n;
};

static struct block blk;
static struct boot_info info;
static const char *why;

static void put(size_t at, const void *p, size_t n)
{
    memcpy(blk.b + at, p, n);
}

static void put32(size_t at, uint32_t v)
{
    put(at, &v, 4);
}

static void put64(size_t at, uint64_t v)
{
    put(at, &v, 8);
}

static void begin(void)
{
    memset(&blk, 0, sizeof(blk));
    blk.n = 8;
}

/* Adds a tag with len bytes of body (zero when body is NULL); returns the body's offset. */
static size_t tag(uint32_t type, const void *body, size_t len)
{
    size_t at = blk.n + 8;
    put32(blk.n, type);
    put32(blk.n + 4, (uint32_t)(8 + len));
    if (body)
        put(at, body, len);
    blk.n = ALIGN_UP(at + len, 8);
    assert_true(blk.n < sizeof(blk.b));
    return at;
}

static enum pl_status parse_n(size_t max_len)
{
    uint8_t *copy = malloc(max_len + 1);
    memcpy(copy + 1, blk.b, max_len);
    enum pl_status st = mb2_parse(MB2_MAGIC, copy + 1, max_len, &info, &why);
    free(copy);
    assert_true((st == PL_OK) == (why == NULL));
    return st;
}

static enum pl_status finish(void)
{
    tag(0, NULL, 0);
    put32(0, (uint32_t)blk.n);
    return parse_n(blk.n);
}

static void test_wrong_magic(void **state)
{
    (void)state;
    begin();
    assert_int_equal(mb2_parse(0x2badb002, blk.b, sizeof(blk.b), &info, &why), PL_INVALID);
    assert_non_null(why);
}

static void test_empty_block(void **state)
{
    (void)state;
    begin();
    assert_int_equal(finish(), PL_OK);
    assert_int_equal(info.info_size, 16);
    assert_int_equal(info.module_count + info.memory_count + info.rsdp_length, 0);
    assert_false(info.framebuffer.present);
    assert_string_equal(info.cmdline, "");
}

static void test_texts(void **state)
{
    static char longest[2000];
    (void)state;
    begin();
    tag(1, "console=com1 x", 15);
    tag(2, "GRUB 2.06", 10);
    assert_int_equal(finish(), PL_OK);
    assert_string_equal(info.cmdline, "console=com1 x");
    assert_false(info.cmdline_cut);
    assert_string_equal(info.loader, "GRUB 2.06");

    memset(longest, 'a', sizeof(longest));
    begin();
    tag(1, longest, sizeof(longest)); /* without a terminator, too */
    tag(2, longest, 100);
    assert_int_equal(finish(), PL_OK);
    assert_int_equal(strlen(info.cmdline), BOOT_CMDLINE_MAX - 1);
    assert_true(info.cmdline_cut);
    assert_int_equal(strlen(info.loader), 63);

    begin();
    tag(1, longest, BOOT_CMDLINE_MAX - 1);
    assert_int_equal(finish(), PL_OK);
    assert_false(info.cmdline_cut);
}

static void add_module(uint32_t start, uint32_t end, const char *text)
{
    uint8_t body[600] = {0};
    size_t n = strlen(text) + 1;
    memcpy(body, &start, 4);
    memcpy(body + 4, &end, 4);
    memcpy(body + 8, text, n);
    tag(3, body, 8 + n);
}

static void test_modules(void **state)
{
    (void)state;
    begin();
    add_module(0x100000, 0x100123, "plinth.cfg");
    add_module(0x200000, 0x300000, "  /boot/vmlinuz quiet\tx");
    add_module(0x400000, 0x400000, "");
    add_module(0x500000, 0x4fffff, "backwards");
    assert_int_equal(finish(), PL_OK);
    assert_int_equal(info.module_count, 3);
    assert_int_equal(info.modules_dropped, 1);
    assert_int_equal(info.modules[0].start, 0x100000);
    assert_int_equal(info.modules[0].end, 0x100123);
    assert_string_equal(info.modules[0].name, "plinth.cfg");
    assert_string_equal(info.modules[1].name, "/boot/vmlinuz");
    assert_string_equal(info.modules[1].string, "  /boot/vmlinuz quiet\tx");
    assert_string_equal(info.modules[2].name, "");
}

static void test_too_many_modules_and_long_names(void **state)
{
    char text[500];
    (void)state;
    memset(text, 'n', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    begin();
    for (int i = 0; i < BOOT_MODULES + 5; i++)
        add_module(0x1000, 0x2000, text);
    assert_int_equal(finish(), PL_OK);
    assert_int_equal(info.module_count, BOOT_MODULES);
    assert_int_equal(info.modules_dropped, 5);
    assert_int_equal(strlen(info.modules[63].name), BOOT_STRING_MAX - 1);
    assert_string_equal(info.modules[63].string, info.modules[63].name);
}

/* A map tag of n entries of `step` bytes, all zero; returns the offset of the first entry. */
static size_t map_tag(uint32_t type, uint32_t step, uint32_t version, size_t n)
{
    size_t at = tag(type, NULL, 8 + n * step);
    put32(at, step);
    put32(at + 4, version);
    return at + 8;
}

static void put_entry(size_t at, uint64_t base, uint64_t len, uint32_t type)
{
    put64(at, base);
    put64(at + 8, len);
    put32(at + 16, type);
}

static void test_memory_map(void **state)
{
    static const uint32_t steps[] = {20, 24, 40};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        begin();
        size_t e = map_tag(6, steps[i], 0, 5), step = steps[i];
        put_entry(e, 0, 0x9f000, 1);
        put_entry(e + step, 0x9f000, 0, 2); /* empty */
        put_entry(e + 2 * step, 0x100000, 0x7ff00000, 1);
        put_entry(e + 3 * step, ~UINT64_C(0) - 10, 0x1000, 1); /* wraps */
        put_entry(e + 4 * step, 0xfee00000, 0x1000, 77);       /* unknown */
        assert_int_equal(finish(), PL_OK);
        assert_int_equal(info.memory_count, 3);
        assert_int_equal(info.memory_dropped, 1);
        assert_int_equal(info.memory[1].base, 0x100000);
        assert_int_equal(info.memory[1].length, 0x7ff00000);
        assert_int_equal(info.memory[1].type, BOOT_MEMORY_AVAILABLE);
        assert_int_equal(info.memory[2].type, BOOT_MEMORY_RESERVED);
        assert_false(info.memory_from_efi);
    }
}

static void test_memory_map_overflow(void **state)
{
    (void)state;
    begin();
    size_t e = map_tag(6, 24, 0, BOOT_MEMORY_RANGES + 7);
    for (uint64_t i = 0; i < BOOT_MEMORY_RANGES + 7; i++)
        put_entry(e + i * 24, i << 20, 0x1000, 1);
    assert_int_equal(finish(), PL_OK);
    assert_int_equal(info.memory_count, BOOT_MEMORY_RANGES);
    assert_int_equal(info.memory_dropped, 7);
}

static void put_efi(size_t at, uint32_t type, uint64_t base, uint64_t pages)
{
    put32(at, type);
    put64(at + 8, base);
    put64(at + 24, pages);
}

static void make_efi_map(void)
{
    static const uint32_t types[] = {7, 4, 3, 1, 2, 0, 5, 6, 8, 9, 10, 11, 12, 99};
    size_t e = map_tag(17, 48, 1, ARRAY_LEN(types) + 2);
    for (uint64_t i = 0; i < ARRAY_LEN(types); i++)
        put_efi(e + i * 48, types[i], i << 20, 2);
    put_efi(e + ARRAY_LEN(types) * 48, 7, 0x1000, UINT64_C(1) << 53);
    put_efi(e + (ARRAY_LEN(types) + 1) * 48, 7, 0x1000, 0);
}

static void test_efi_map(void **state)
{
    static const int want[] = {1, 1, 1, 1, 1, 2, 2, 2, 5, 3, 4, 2, 2, 2};
    (void)state;
    for (int services = 0; services < 2; services++) {
        begin();
        make_efi_map();
        if (services)
            tag(18, NULL, 0); /* behind the map: the order must not matter */
        assert_int_equal(finish(), PL_OK);
        assert_true(info.memory_from_efi);
        assert_int_equal(info.efi_boot_services, services);
        assert_int_equal(info.memory_count, ARRAY_LEN(want));
        assert_int_equal(info.memory_dropped, 1);
        for (size_t i = 0; i < ARRAY_LEN(want); i++) {
            int type = services && (i == 1 || i == 2) ? BOOT_MEMORY_RESERVED : want[i];
            assert_int_equal(info.memory[i].type, type);
            assert_int_equal(info.memory[i].base, i << 20);
            assert_int_equal(info.memory[i].length, 0x2000);
        }
    }
}

static void test_multiboot_map_wins_over_efi(void **state)
{
    (void)state;
    begin();
    make_efi_map();
    put_entry(map_tag(6, 24, 0, 1), 0x100000, 0x1000, 1);
    assert_int_equal(finish(), PL_OK);
    assert_false(info.memory_from_efi);
    assert_int_equal(info.memory_count, 1);
}

static void test_framebuffer(void **state)
{
    static const uint8_t rgb[] = {16, 8, 8, 8, 0, 8};
    (void)state;
    begin();
    size_t at = tag(8, NULL, 30);
    put64(at, 0xfd000000);
    put32(at + 8, 4096);
    put32(at + 12, 1024);
    put32(at + 16, 768);
    blk.b[at + 20] = 32;
    blk.b[at + 21] = BOOT_FB_RGB;
    put(at + 24, rgb, 6);
    assert_int_equal(finish(), PL_OK);
    assert_true(info.framebuffer.present);
    assert_int_equal(info.framebuffer.addr, 0xfd000000);
    assert_int_equal(info.framebuffer.pitch, 4096);
    assert_int_equal(info.framebuffer.width, 1024);
    assert_int_equal(info.framebuffer.height, 768);
    assert_int_equal(info.framebuffer.bpp, 32);
    assert_int_equal(info.framebuffer.red_pos, 16);
    assert_int_equal(info.framebuffer.green_pos, 8);
    assert_int_equal(info.framebuffer.blue_size, 8);

    begin();
    at = tag(8, NULL, 24); /* text mode needs no colours ... */
    blk.b[at + 21] = BOOT_FB_TEXT;
    assert_int_equal(finish(), PL_OK);
    assert_true(info.framebuffer.present);
    begin();
    at = tag(8, NULL, 24); /* ... RGB does */
    blk.b[at + 21] = BOOT_FB_RGB;
    assert_int_equal(finish(), PL_INVALID);
    assert_false(info.framebuffer.present);
}

static void test_rsdp_prefers_acpi2(void **state)
{
    uint8_t old[20], new[36], huge[100];
    (void)state;
    memset(old, 'o', sizeof(old));
    memset(new, 'n', sizeof(new));
    memset(huge, 'h', sizeof(huge));
    for (int order = 0; order < 2; order++) {
        begin();
        tag(order ? 15 : 14, order ? new : old, order ? 36 : 20);
        tag(order ? 14 : 15, order ? old : new, order ? 20 : 36);
        assert_int_equal(finish(), PL_OK);
        assert_int_equal(info.rsdp_length, 36);
        assert_true(info.rsdp_from_acpi2);
        assert_memory_equal(info.rsdp, new, 36);
        assert_int_equal(info.rsdp[36], 0);
    }
    begin();
    tag(14, old, 20);
    assert_int_equal(finish(), PL_OK);
    assert_int_equal(info.rsdp_length, 20);
    assert_false(info.rsdp_from_acpi2);
    begin();
    tag(14, old, 20);
    tag(14, new, 20); /* of two of a kind the first counts */
    assert_int_equal(finish(), PL_OK);
    assert_memory_equal(info.rsdp, old, 20);
    begin();
    tag(15, new, 36);
    tag(15, huge, 36);
    assert_int_equal(finish(), PL_OK);
    assert_memory_equal(info.rsdp, new, 36);
    begin();
    tag(15, huge, sizeof(huge));
    assert_int_equal(finish(), PL_OK);
    assert_int_equal(info.rsdp_length, BOOT_RSDP_MAX);
}

static void test_efi_pointer_and_load_base(void **state)
{
    uint64_t table = 0x123456789abc;
    uint32_t base = 0x200000;
    (void)state;
    begin();
    tag(12, &table, 8);
    tag(21, &base, 4);
    tag(4242, "unknown", 7); /* skipped, with its padding */
    tag(1, "x", 2);
    assert_int_equal(finish(), PL_OK);
    assert_int_equal(info.efi_system_table, table);
    assert_true(info.load_base_present);
    assert_int_equal(info.load_base, base);
    assert_string_equal(info.cmdline, "x");
}

static void test_broken_blocks(void **state)
{
    (void)state;
    begin();
    put32(0, 12);
    assert_int_equal(parse_n(16), PL_INVALID); /* too short for a tag */
    put32(0, 24);
    assert_int_equal(parse_n(16), PL_INVALID); /* longer than its memory */
    assert_int_equal(parse_n(0), PL_INVALID);
    assert_int_equal(parse_n(7), PL_INVALID);

    begin();
    tag(1, "x", 2);
    put32(0, (uint32_t)blk.n);
    assert_int_equal(parse_n(blk.n), PL_INVALID); /* no end tag */
    put32(0, (uint32_t)blk.n + 4);
    assert_int_equal(parse_n(blk.n + 4), PL_INVALID); /* half an end tag */

    static const uint32_t sizes[] = {0, 7, 9, 0x7fffffff, 0xffffffff};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        begin();
        put32(8, 4242);
        put32(12, sizes[i]);
        blk.n = 16;
        put32(0, 16);
        assert_int_equal(parse_n(16), PL_INVALID);
    }
}

/* One byte more than the block has: ASan would see it read. */
static void test_tags_past_the_end(void **state)
{
    static const uint32_t types[] = {1, 2, 3, 6, 8, 12, 14, 15, 17, 21};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        begin();
        size_t at = tag(types[i], NULL, 40);
        put32(at - 4, 49);
        put32(at, 24); /* the step, where it is a map */
        memset(blk.b + at + 8, 'x', 32);
        put32(0, (uint32_t)blk.n);
        assert_int_equal(parse_n(blk.n), PL_INVALID);
        assert_string_equal(why, "a tag runs past the end of the information block");
    }
}

static void test_short_tags(void **state)
{
    static const struct {
        uint32_t type;
        size_t body;
    } cases[] = {{3, 7}, {6, 7}, {17, 7}, {8, 22}, {12, 7}, {21, 3}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        begin();
        tag(cases[i].type, NULL, cases[i].body);
        assert_int_equal(finish(), PL_INVALID);
    }
    static const uint32_t steps[] = {0, 1, 19};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        begin();
        size_t at = tag(6, NULL, 64);
        put32(at, steps[i]);
        assert_int_equal(finish(), PL_INVALID);
    }
    begin();
    map_tag(17, 39, 1, 1);
    assert_int_equal(finish(), PL_INVALID);
    begin();
    map_tag(17, 48, 2, 1);
    assert_int_equal(finish(), PL_INVALID);
}

static void test_entry_cut_at_the_tags_end(void **state)
{
    (void)state;
    begin();
    size_t at = tag(6, NULL, 8 + 24 + 23);
    put32(at, 24);
    put_entry(at + 8, 0x1000, 0x1000, 1);
    put_entry(at + 32, 0x5000, 0x1000, 1);
    assert_int_equal(finish(), PL_OK);
    assert_int_equal(info.memory_count, 1);
    begin();
    at = tag(6, NULL, 8 + 24); /* a step beyond the tag */
    put32(at, 0xffffffff);
    assert_int_equal(finish(), PL_OK);
    assert_int_equal(info.memory_count, 0);
}

static void test_boot_option(void **state)
{
    char v[8] = "keep";
    (void)state;
    assert_false(boot_option("", "a", v, sizeof(v)));
    assert_false(boot_option("ab=1 xa", "a", v, sizeof(v)));
    assert_false(boot_option("a", "", v, sizeof(v)));
    assert_string_equal(v, "keep");
    assert_true(boot_option("x a y", "a", v, sizeof(v)));
    assert_string_equal(v, "");
    assert_true(boot_option("a=1 b=2", "b", v, sizeof(v)));
    assert_string_equal(v, "2");
    assert_true(boot_option("\t a=1\ta=2  ", "a", v, sizeof(v))); /* the last one counts */
    assert_string_equal(v, "2");
    assert_true(boot_option("a=", "a", v, sizeof(v)));
    assert_string_equal(v, "");
    assert_true(boot_option("a=x=y", "a", v, sizeof(v)));
    assert_string_equal(v, "x=y");
    assert_true(boot_option("a=0123456789", "a", v, sizeof(v)));
    assert_string_equal(v, "0123456");
    assert_true(boot_option("a=\"p q\" z", "a", v, sizeof(v)));
    assert_string_equal(v, "p q");
    assert_false(boot_option("b=\"a a=1\"", "a", v, sizeof(v)));
    assert_true(boot_option("a=\"", "a", v, sizeof(v)));
    assert_string_equal(v, "\"");
    assert_true(boot_option("a=1", "a", NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_magic),
        cmocka_unit_test(test_empty_block),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_modules),
        cmocka_unit_test(test_too_many_modules_and_long_names),
        cmocka_unit_test(test_memory_map),
        cmocka_unit_test(test_memory_map_overflow),
        cmocka_unit_test(test_efi_map),
        cmocka_unit_test(test_multiboot_map_wins_over_efi),
        cmocka_unit_test(test_framebuffer),
        cmocka_unit_test(test_rsdp_prefers_acpi2),
        cmocka_unit_test(test_efi_pointer_and_load_base),
        cmocka_unit_test(test_broken_blocks),
        cmocka_unit_test(test_tags_past_the_end),
        cmocka_unit_test(test_short_tags),
        cmocka_unit_test(test_entry_cut_at_the_tags_end),
        cmocka_unit_test(test_boot_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
