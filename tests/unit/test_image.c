/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/image.c on images made here: a good one of each kind, then one header field wrong at a time.
 * Every image is parsed from a heap buffer of its exact size.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/image.h"
#include "core/lib/string.h"

#define ROOM 600000

static uint8_t file[ROOM];
static size_t file_len;
static struct image img;
static char why[256];

static void put16(size_t at, uint16_t v)
{
    memcpy(file + at, &v, 2);
}

static void put32(size_t at, uint32_t v)
{
    memcpy(file + at, &v, 4);
}

static void put64(size_t at, uint64_t v)
{
    memcpy(file + at, &v, 8);
}

static bool parse_n(size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    memcpy(copy, file, len);
    memset(why, 'Z', sizeof(why));
    bool ok = image_parse(copy, len, &img, why, sizeof(why));
    free(copy);
    assert_true(strlen(why) < sizeof(why) - 1);
    assert_true(ok == (why[0] == '\0'));
    assert_true(ok == (img.kind != IMAGE_UNKNOWN));
    return ok;
}

static void assert_refused(const char *part)
{
    if (parse_n(file_len))
        fail_msg("accepted; wanted: %s", part);
    if (!strstr(why, part))
        fail_msg("said \"%s\"; wanted: %s", why, part);
}

static void assert_good(void)
{
    if (!parse_n(file_len))
        fail_msg("refused: %s", why);
}

/* --- bzImage ------------------------------------------------------------------------------- */

/* Two setup sectors and 1024 bytes of kernel. */
static void make_bzimage(void)
{
    memset(file, 0, sizeof(file));
    memcpy(file, "MZ", 2); /* a bzImage is a PE file as well */
    file[0x1f1] = 1;
    put32(0x1f4, 1024 / 16);
    put16(0x1fe, 0xaa55);
    file[0x200] = 0xeb;
    file[0x201] = 0x6a;
    memcpy(file + 0x202, "HdrS", 4);
    put16(0x206, 0x020f);
    file[0x211] = 1;
    put32(0x214, 0x100000);
    put32(0x22c, 0x7fffffff);
    put32(0x230, 0x200000);
    file[0x234] = 1;
    put16(0x236, 0x7f);
    put32(0x238, 2047);
    put64(0x258, 0x1000000);
    put32(0x260, 0x2000000);
    file_len = 1024 + 1024;
}

static void test_bzimage(void **state)
{
    (void)state;
    make_bzimage();
    assert_good();
    assert_int_equal(img.kind, IMAGE_BZIMAGE);
    assert_int_equal(img.entry, 0x1000200);
    assert_int_equal(img.segment_count, 1);
    assert_int_equal(img.segments[0].offset, 1024);
    assert_int_equal(img.segments[0].filesz, 1024);
    assert_int_equal(img.segments[0].paddr, 0x1000000);
    assert_int_equal(img.bz.setup_size, 1024);
    assert_int_equal(img.bz.header_end, 0x26c);
    assert_int_equal(img.bz.version, 0x20f);
    assert_int_equal(img.bz.cmdline_size, 2047);
    assert_int_equal(img.bz.initrd_addr_max, 0x7fffffff);
    assert_int_equal(img.bz.runtime_start, 0x1000000);
    assert_int_equal(img.bz.init_size, 0x2000000);
    assert_int_equal(image_min_memory(&img), 0x3000000);
    assert_true(image_overlaps(&img, 0x2ffffff, 1));
    assert_false(image_overlaps(&img, 0x3000000, 0x1000));
    assert_false(image_overlaps(&img, 0xfff000, 0x1000));
    assert_true(image_overlaps(&img, 0xfff000, 0x1001));
    assert_false(image_overlaps(&img, 0x1000000, 0));
}

static void test_bzimage_placement(void **state)
{
    (void)state;
    make_bzimage();
    put64(0x258, 0x1234567); /* relocatable: rounded up to its alignment */
    assert_good();
    assert_int_equal(img.segments[0].paddr, 0x1400000);
    put64(0x258, 0);
    assert_good();
    assert_int_equal(img.segments[0].paddr, 0x200000);
    file[0x234] = 0; /* not relocatable: loaded at code32_start, runs at pref_address */
    put64(0x258, 0x3000000);
    assert_good();
    assert_int_equal(img.segments[0].paddr, 0x100000);
    assert_int_equal(img.entry, 0x100200);
    assert_int_equal(img.bz.runtime_start, 0x3000000);
    assert_int_equal(image_min_memory(&img), 0x5000000);
    assert_true(image_overlaps(&img, 0x100000, 1));
    assert_true(image_overlaps(&img, 0x3000000, 1));
    assert_false(image_overlaps(&img, 0x200000, 0x1000));
}

static void test_bzimage_default_setup_sectors(void **state)
{
    (void)state;
    make_bzimage();
    file[0x1f1] = 0; /* means 4 */
    file_len = 5 * 512 + 1024;
    assert_good();
    assert_int_equal(img.bz.setup_size, 5 * 512);
}

static void test_bzimage_truncated(void **state)
{
    (void)state;
    make_bzimage();
    file_len -= 15; /* syssize counts whole 16 bytes */
    assert_good();
    assert_int_equal(img.segments[0].filesz, 1024 - 15);
    file_len--;
    assert_refused("truncated");
    for (file_len = 0x208; file_len < 1536; file_len += 7)
        assert_false(parse_n(file_len));
    make_bzimage();
    put32(0x1f4, 0xffffffff);
    assert_refused("truncated");
    file_len += 4096; /* what follows, a signature, is not loaded */
    put32(0x1f4, 64);
    assert_good();
    assert_int_equal(img.segments[0].filesz, 1024);
}

static void test_bzimage_refusals(void **state)
{
    (void)state;
    make_bzimage();
    put16(0x206, 0x020b);
    assert_refused("boot protocol 2.11; 2.12 or newer");
    make_bzimage();
    put16(0x236, 0x7e);
    assert_refused("64-bit entry");
    make_bzimage();
    file[0x211] = 0;
    assert_refused("zImage");
    make_bzimage();
    put32(0x1f4, 0);
    assert_refused("syssize 0");
    make_bzimage();
    put32(0x1f4, 0x20);
    assert_refused("ends before its 64-bit entry");
    make_bzimage();
    file[0x201] = 0x61;
    assert_refused("bad length");
    make_bzimage();
    file[0x201] = 0x8f;
    assert_refused("bad length");
    static const uint32_t alignments[] = {0, 3, 0x200001, 0x80000000};
    for (size_t i = 0; i < ARRAY_LEN(alignments); i++) {
        make_bzimage();
        put32(0x230, alignments[i]);
        assert_refused("kernel_alignment");
    }
    make_bzimage();
    put64(0x258, UINT64_MAX - 5);
    assert_refused("pref_address");
}

/* --- ELF ----------------------------------------------------------------------------------- */

#define PHDR64(i) (64u + (i) * 56u)

static void segment64(unsigned i, uint32_t type, uint64_t off, uint64_t filesz, uint64_t paddr,
                      uint64_t memsz)
{
    size_t p = PHDR64(i);
    put32(p, type);
    put64(p + 8, off);
    put64(p + 16, 0xffffffff80000000 + paddr);
    put64(p + 24, paddr);
    put64(p + 32, filesz);
    put64(p + 40, memsz);
    put64(p + 48, 4);
}

static size_t note(size_t at, uint32_t type, const char *name, uint32_t name_size, const void *desc,
                   uint32_t desc_size)
{
    put32(at, name_size);
    put32(at + 4, desc_size);
    put32(at + 8, type);
    memcpy(file + at + 12, name, name_size);
    at += 12 + ALIGN_UP(name_size, 4);
    memcpy(file + at, desc, desc_size);
    return at + ALIGN_UP(desc_size, 4);
}

/* Two segments at 1 and 2 MiB; the note segment has a stranger's note before the right one. */
static void make_elf64(void)
{
    uint64_t entry = 0x100010;
    memset(file, 0, sizeof(file));
    memcpy(file, "\177ELF\2\1\1", 7);
    put16(16, 2);
    put16(18, 62);
    put64(32, 64);
    put16(54, 56);
    put16(56, 3);
    segment64(0, 1, 0x1000, 0x800, 0x100000, 0x1000);
    segment64(1, 1, 0x1800, 0x100, 0x200000, 0x3000);
    size_t end = note(0x200, 3, "GNU", 4, "abcdefg", 7);
    end = note(end, 18, "Xen", 4, &entry, 8);
    segment64(2, 4, 0x200, end - 0x200, 0, end - 0x200);
    file_len = 0x1900;
}

static void make_elf32(void)
{
    uint32_t entry = 0x100010;
    memset(file, 0, sizeof(file));
    memcpy(file, "\177ELF\1\1\1", 7);
    put16(16, 2);
    put16(18, 3);
    put32(28, 52);
    put16(42, 32);
    put16(44, 2);
    put32(52, 1); /* PT_LOAD */
    put32(56, 0x200);
    put32(64, 0x100000);
    put32(68, 0x100);
    put32(72, 0x200);
    put32(84, 4); /* PT_NOTE */
    put32(88, 0x180);
    put32(100, 20);
    put32(104, 20);
    note(0x180, 18, "Xen", 4, &entry, 4);
    file_len = 0x300;
}

static void test_elf64(void **state)
{
    (void)state;
    make_elf64();
    assert_good();
    assert_int_equal(img.kind, IMAGE_PVH_ELF);
    assert_int_equal(img.entry, 0x100010);
    assert_int_equal(img.segment_count, 2);
    assert_int_equal(img.segments[1].offset, 0x1800);
    assert_int_equal(img.segments[1].filesz, 0x100);
    assert_int_equal(img.segments[1].paddr, 0x200000);
    assert_int_equal(img.segments[1].memsz, 0x3000);
    assert_int_equal(image_min_memory(&img), 0x203000);
    assert_true(image_overlaps(&img, 0x202fff, 1));
    assert_false(image_overlaps(&img, 0x101000, 0xff000));
}

static void test_elf32(void **state)
{
    (void)state;
    make_elf32();
    assert_good();
    assert_int_equal(img.kind, IMAGE_PVH_ELF);
    assert_int_equal(img.entry, 0x100010);
    assert_int_equal(img.segment_count, 1);
    assert_int_equal(img.segments[0].offset, 0x200);
    assert_int_equal(img.segments[0].filesz, 0x100);
    assert_int_equal(img.segments[0].memsz, 0x200);
}

static void test_elf_cut_anywhere(void **state)
{
    (void)state;
    make_elf64();
    for (size_t n = 4; n < file_len; n++)
        assert_false(parse_n(n));
    make_elf32();
    for (size_t n = 4; n < 0x300; n++)
        assert_false(parse_n(n));
}

static void test_elf_headers(void **state)
{
    (void)state;
    make_elf64();
    file[4] = 3;
    assert_refused("32 or 64 bits");
    make_elf64();
    file[5] = 2;
    assert_refused("little-endian");
    make_elf64();
    put16(18, 183);
    assert_refused("another machine (183)");
    make_elf64();
    put16(16, 1);
    assert_refused("type 1");
    make_elf64();
    put16(56, 0);
    assert_refused("without program headers");
    make_elf64();
    put16(56, 65535);
    assert_refused("65535 program headers");
    make_elf64();
    put16(54, 55);
    assert_refused("program headers of 55 bytes");
    make_elf64();
    put16(54, 65535);
    assert_refused("beyond the end");
    make_elf64();
    put64(32, UINT64_MAX - 10);
    assert_refused("beyond the end");
    make_elf64();
    put64(32, file_len - 100);
    assert_refused("beyond the end");
}

static void test_elf_segments(void **state)
{
    (void)state;
    make_elf64();
    segment64(1, 1, 0x1800, 0x100, 0x200000, 0xff);
    assert_refused("smaller than p_filesz");
    make_elf64();
    segment64(1, 1, 0x1800, 0x101, 0x200000, 0x1000);
    assert_refused("segment 1 lies beyond the end");
    make_elf64();
    segment64(1, 1, UINT64_MAX - 1, 0x100, 0x200000, 0x1000);
    assert_refused("segment 1 lies beyond the end");
    make_elf64();
    segment64(1, 1, 0x1800, 0x100, UINT64_MAX - 0xfff, 0x2000);
    assert_refused("wild p_paddr");
    make_elf64();
    segment64(1, 1, 0x1800, 0x100, 0x200000, UINT64_MAX);
    assert_refused("wild p_paddr");
    make_elf64();
    segment64(1, 1, 0x1800, 0x100, 0x100fff, 0x1000);
    assert_refused("overlaps");
    make_elf64();
    segment64(1, 1, 0x1800, 0x100, 0xff000, 0x1001);
    assert_refused("overlaps");
    make_elf64();
    segment64(1, 1, 0x1800, 0x100, 0x101000, 0x1000); /* side by side */
    assert_good();
    make_elf64();
    segment64(1, 1, 0, 0, 0x100000, 0); /* empty: not loaded, cannot overlap */
    assert_good();
    assert_int_equal(img.segment_count, 1);
}

static void test_elf_many_segments(void **state)
{
    (void)state;
    for (unsigned n = IMAGE_SEGMENTS; n <= IMAGE_SEGMENTS + 1; n++) {
        uint64_t entry = 0x100000;
        make_elf64();
        put16(56, (uint16_t)(n + 1));
        for (unsigned i = 0; i < n; i++)
            segment64(i, 1, 0x1000, 16, 0x100000 + i * 0x1000, 0x1000);
        segment64(n, 4, 0x800, 24, 0, 24);
        note(0x800, 18, "Xen", 4, &entry, 8);
        if (n <= IMAGE_SEGMENTS)
            assert_good();
        else
            assert_refused("more than 16 segments");
    }
}

static void test_elf_notes(void **state)
{
    uint64_t entry = 0x100010;
    (void)state;
    make_elf64();
    segment64(2, 6, 0x200, 64, 0, 64);
    assert_refused("without a PVH note");
    make_elf64();
    segment64(2, 4, 0x200, 20, 0, 20); /* cut inside the right note */
    assert_refused("without a PVH note");
    make_elf64();
    segment64(2, 4, UINT64_MAX - 4, 64, 0, 64);
    assert_refused("without a PVH note");
    make_elf64();
    put32(0x200, 0xffffffff); /* wild name size */
    assert_refused("without a PVH note");
    make_elf64();
    put32(0x204, 0xfffffff0); /* wild desc size */
    assert_refused("without a PVH note");
    make_elf64();
    segment64(2, 4, 0x200, 18, 0, 18);
    note(0x200, 18, "Xen", 4, &entry, 2);
    assert_refused("without a PVH note");
    make_elf64();
    note(0x200, 18, "Xan", 4, &entry, 8);
    segment64(2, 4, 0x200, 24, 0, 24);
    assert_refused("without a PVH note");
    note(0x200, 18, "Xen", 4, &entry, 8);
    assert_good();
}

static void test_elf_notes_padded_to_8(void **state)
{
    uint64_t entry = 0x100010;
    (void)state;
    make_elf64();
    /* 12 + 5 bytes of name are padded to 24, not 20. */
    put32(0x200, 5);
    put32(0x204, 8);
    put32(0x208, 1);
    put64(0x218, 0);
    put32(0x220, 4);
    put32(0x224, 8);
    put32(0x228, 18);
    memcpy(file + 0x22c, "Xen", 4);
    put64(0x230, entry);
    segment64(2, 4, 0x200, 0x38, 0, 0x38);
    put64(PHDR64(2) + 48, 8);
    assert_good();
    assert_int_equal(img.entry, entry);
}

static void test_elf_entry(void **state)
{
    static const uint64_t bad[] = {0, 0xfffff, 0x100800, 0x101000, UINT64_C(0x100100010)};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        make_elf64();
        note(0x200, 18, "Xen", 4, &bad[i], 8);
        assert_refused("PVH entry");
    }
    uint64_t last = 0x1007ff;
    note(0x200, 18, "Xen", 4, &last, 8);
    assert_good();
    make_elf64();
    segment64(0, 6, 0, 0, 0, 0);
    segment64(1, 6, 0, 0, 0, 0);
    assert_refused("nothing to load");
}

/* --- Multiboot1 ---------------------------------------------------------------------------- */

#define MB1_MAGIC 0x1badb002u

static void mb1_header(size_t at, uint32_t flags)
{
    put32(at, MB1_MAGIC);
    put32(at + 4, flags);
    put32(at + 8, 0u - MB1_MAGIC - flags);
}

/* Two segments at 1 and 2 MiB, virtual addresses high, the header in the first one. */
static void make_mb1_elf64(uint64_t entry)
{
    make_elf64();
    put16(56, 2); /* without the note */
    put64(24, entry);
    mb1_header(0x1000, 3);
}

static void make_mb1_elf32(uint32_t entry)
{
    make_elf32();
    put16(44, 1);
    put32(24, entry);
    put32(60, 0xc0100000); /* p_vaddr */
    mb1_header(0x200, 0);
}

/* The file's 64 bytes before the header and all behind it go to 2 MiB. */
static void make_mb1_raw(void)
{
    memset(file, 0x90, sizeof(file));
    file_len = 0x1000;
    mb1_header(0x140, 0x10003);
    put32(0x14c, 0x200040); /* header_addr */
    put32(0x150, 0x200000); /* load_addr */
    put32(0x154, 0x200800); /* load_end_addr */
    put32(0x158, 0x203000); /* bss_end_addr */
    put32(0x15c, 0x200100); /* entry_addr */
}

static void test_mb1_elf(void **state)
{
    static const uint64_t entries[] = {0x100010, 0xffffffff80100010};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
        make_mb1_elf64(entries[i]);
        assert_good();
        assert_int_equal(img.kind, IMAGE_MULTIBOOT1);
        assert_int_equal(img.entry, 0x100010);
        assert_int_equal(img.segment_count, 2);
        assert_int_equal(img.segments[1].paddr, 0x200000);
        assert_int_equal(img.segments[1].memsz, 0x3000);
        assert_int_equal(image_min_memory(&img), 0x203000);
    }
    make_mb1_elf32(0x1000ff);
    assert_good();
    assert_int_equal(img.kind, IMAGE_MULTIBOOT1);
    assert_int_equal(img.entry, 0x1000ff);
    make_mb1_elf32(0xc0100008);
    assert_good();
    assert_int_equal(img.entry, 0x100008);
    assert_int_equal(img.segments[0].memsz, 0x200);
}

static void test_mb1_elf_entry(void **state)
{
    static const uint32_t bad[] = {0, 0xfffff, 0x100100, 0xc0100100, 0xc00fffff, UINT32_MAX};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        make_mb1_elf32(bad[i]);
        assert_refused("Multiboot1 kernel whose entry");
    }
    make_mb1_elf64(0x100010);
    put64(PHDR64(0) + 24, UINT64_C(0x100000000)); /* physical: above 4 GiB */
    put64(24, UINT64_C(0x100000010));
    assert_refused("Multiboot1 kernel whose entry 0x100000010");
}

static void test_mb1_header_place(void **state)
{
    static const struct {
        size_t at;
        const char *refusal; /* NULL: it is found */
    } cases[] = {{0x1004, NULL}, {0x17f0, NULL}, {8192 - 12, NULL},
                 {8192 - 8, "header (that at 0x1ff8 is not in the first 8 KiB); Linux"},
                 {8192, "header (that at 0x2000 is not in the first 8 KiB); Linux"},
                 {0x2100 - 12, "header (that at 0x20f4 is not in the first 8 KiB); Linux"},
                 {0x2100 - 8, "or a Multiboot1 header; Linux"}, /* cut off by the file's end */
                 {0x1002, "or a Multiboot1 header; Linux"}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        make_mb1_elf64(0x100010);
        file_len = 0x2100;
        memset(file + 0x1000, 0, 12);
        mb1_header(cases[i].at, 3);
        if (!cases[i].refusal)
            assert_good();
        else
            assert_refused(cases[i].refusal);
    }
    make_mb1_elf64(0x100010);
    file[0x1008] ^= 1; /* the checksum */
    assert_refused("header (that at 0x1000 has a wrong checksum); Linux");
    mb1_header(0x1010, 7); /* the second candidate counts */
    assert_good();
}

static void test_mb1_flags(void **state)
{
    (void)state;
    for (uint32_t bit = 3; bit < 16; bit++) {
        make_mb1_elf64(0x100010);
        mb1_header(0x1000, 1u << bit);
        assert_refused("unknown features");
    }
    for (uint32_t bit = 17; bit < 32; bit++) {
        make_mb1_elf64(0x100010);
        mb1_header(0x1000, 1u << bit); /* may be ignored */
        assert_good();
    }
}

/* PVH wins where both are there, unless its entry leads nowhere. */
static void test_mb1_beside_pvh(void **state)
{
    uint64_t nowhere = 0x300000;
    (void)state;
    make_elf64();
    put64(24, 0x100020);
    mb1_header(0x1000, 0);
    assert_good();
    assert_int_equal(img.kind, IMAGE_PVH_ELF);
    assert_int_equal(img.entry, 0x100010);
    note(0x200 + 24, 18, "Xen", 4, &nowhere, 8);
    assert_good();
    assert_int_equal(img.kind, IMAGE_MULTIBOOT1);
    assert_int_equal(img.entry, 0x100020);
}

static void test_mb1_raw(void **state)
{
    (void)state;
    make_mb1_raw();
    assert_good();
    assert_int_equal(img.kind, IMAGE_MULTIBOOT1);
    assert_int_equal(img.entry, 0x200100);
    assert_int_equal(img.segment_count, 1);
    assert_int_equal(img.segments[0].offset, 0x100);
    assert_int_equal(img.segments[0].paddr, 0x200000);
    assert_int_equal(img.segments[0].filesz, 0x800);
    assert_int_equal(img.segments[0].memsz, 0x3000);
    put32(0x154, 0); /* to the end of the file */
    put32(0x158, 0); /* no bss */
    assert_good();
    assert_int_equal(img.segments[0].filesz, 0xf00);
    assert_int_equal(img.segments[0].memsz, 0xf00);
    make_mb1_raw();
    put16(510, 0xaa55); /* a boot sector as well */
    assert_good();
    assert_int_equal(img.kind, IMAGE_MULTIBOOT1);
    mb1_header(0x140, 3); /* without addresses it is nothing but one */
    assert_good();
    assert_int_equal(img.kind, IMAGE_FLAT);
    put16(510, 0);
    assert_refused("no known kind");
    make_mb1_elf64(0x100010); /* the addresses come before the ELF headers */
    mb1_header(0x1000, 0x10000);
    put32(0x100c, 0x400000);
    put32(0x1010, 0x400000);
    put32(0x1014, 0x400400);
    put32(0x1018, 0);
    put32(0x101c, 0x4003ff);
    assert_good();
    assert_int_equal(img.segment_count, 1);
    assert_int_equal(img.segments[0].offset, 0x1000);
    assert_int_equal(img.entry, 0x4003ff);
}

static void test_mb1_raw_refusals(void **state)
{
    static const struct {
        size_t at;
        uint32_t value;
        const char *part;
    } cases[] = {
        {0x150, 0x200041, "load_addr"},      /* above the header */
        {0x150, 0x1ffeff, "load_addr"},      /* before the file's first byte */
        {0x150, 0, "load_addr"},
        {0x154, 0x200000, "load_end_addr"},  /* nothing to load */
        {0x154, 0x1fffff, "load_end_addr"},
        {0x154, 0x200f01, "truncated"},
        {0x154, UINT32_MAX, "truncated"},
        {0x158, 0x2007ff, "bss_end_addr"},
        {0x158, 1, "bss_end_addr"},
        {0x15c, 0x1fffff, "entry 0x1fffff"},
        {0x15c, 0x200800, "entry 0x200800"}, /* in the bss */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        make_mb1_raw();
        put32(cases[i].at, cases[i].value);
        assert_refused(cases[i].part);
    }
    make_mb1_raw();
    file_len = 0x140 + 31;
    assert_refused("cut off inside its header");
    make_mb1_raw();
    mb1_header(0x140, 0x10008);
    assert_refused("unknown features");
    make_mb1_raw();
    for (size_t n = 0; n < 0x900; n++)
        assert_false(parse_n(n));
    assert_true(parse_n(0x900));
}

/* --- flat and others ----------------------------------------------------------------------- */

static void test_flat(void **state)
{
    (void)state;
    memset(file, 0x90, sizeof(file));
    put16(510, 0xaa55);
    file_len = 512;
    assert_good();
    assert_int_equal(img.kind, IMAGE_FLAT);
    assert_int_equal(img.entry, 0x7c00);
    assert_int_equal(img.segments[0].paddr, 0x7c00);
    assert_int_equal(img.segments[0].filesz, 512);
    assert_int_equal(image_min_memory(&img), 0x8000);
    file_len = 0x80000 - 0x7c00;
    assert_good();
    assert_int_equal(image_min_memory(&img), 0x80000);
    file_len++;
    assert_refused("flat boot image of");
    file_len = 511;
    assert_refused("no known kind");
    file_len = 512;
    put16(510, 0x55aa);
    assert_refused("no known kind (starts with bytes 90 90 90 90)");
}

static void test_strangers(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *part;
    } cases[] = {
        {"", 0, "an empty file"},
        {"abc", 3, "too short"},
        {"\x1f\x8b\x08\0", 4, "gunzip it first"},
        {"\xfd" "7zXZ\0", 6, "unxz it first"},
        {"\x28\xb5\x2f\xfd", 4, "zstd"},
        {"\x04\x22\x4d\x18", 4, "lz4"},
        {"BZh9", 4, "bzip2"},
        {"07070100", 8, "cpio"},
        {"!<arch>\n", 8, "ar archive"},
        {"MZ\0\0", 4, "PE (EFI)"},
        {"#!/bin/sh", 9, "starts with bytes 23 21 2f 62"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        memcpy(file, cases[i].bytes, cases[i].n);
        file_len = cases[i].n;
        assert_refused(cases[i].part);
        assert_refused("a kernel is a bzImage");
    }
}

static void test_small_reason_buffers(void **state)
{
    char small[4] = "ZZZ";
    (void)state;
    assert_false(image_parse((const uint8_t *)"abcd", 4, &img, small, 3));
    assert_string_equal(small, "of");
    assert_false(image_parse((const uint8_t *)"abcd", 4, &img, NULL, 0));
}

static void test_kind_names(void **state)
{
    (void)state;
    assert_string_equal(image_kind_name(IMAGE_BZIMAGE), "bzImage");
    assert_string_equal(image_kind_name(IMAGE_PVH_ELF), "PVH ELF");
    assert_string_equal(image_kind_name(IMAGE_FLAT), "flat");
    assert_string_equal(image_kind_name(IMAGE_MULTIBOOT1), "Multiboot1");
    assert_string_equal(image_kind_name(IMAGE_UNKNOWN), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bzimage),
        cmocka_unit_test(test_bzimage_placement),
        cmocka_unit_test(test_bzimage_default_setup_sectors),
        cmocka_unit_test(test_bzimage_truncated),
        cmocka_unit_test(test_bzimage_refusals),
        cmocka_unit_test(test_elf64),
        cmocka_unit_test(test_elf32),
        cmocka_unit_test(test_elf_cut_anywhere),
        cmocka_unit_test(test_elf_headers),
        cmocka_unit_test(test_elf_segments),
        cmocka_unit_test(test_elf_many_segments),
        cmocka_unit_test(test_elf_notes),
        cmocka_unit_test(test_elf_notes_padded_to_8),
        cmocka_unit_test(test_elf_entry),
        cmocka_unit_test(test_mb1_elf),
        cmocka_unit_test(test_mb1_elf_entry),
        cmocka_unit_test(test_mb1_header_place),
        cmocka_unit_test(test_mb1_flags),
        cmocka_unit_test(test_mb1_beside_pvh),
        cmocka_unit_test(test_mb1_raw),
        cmocka_unit_test(test_mb1_raw_refusals),
        cmocka_unit_test(test_flat),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_small_reason_buffers),
        cmocka_unit_test(test_kind_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
