/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest page walk in every paging mode: translations, rights, reserved bits, accessed and dirty
 * flags, tables outside RAM, and copies over page borders.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "arch/x86/cr.h"
#include "arch/x86/msr.h"
#include "core/lib/string.h"
#include "mm/guest_walk.h"

#define PAGES 16
#define P     UINT64_C(1)
#define RW    UINT64_C(2)
#define US    UINT64_C(4)
#define A     UINT64_C(0x20)
#define D     UINT64_C(0x40)
#define PS    UINT64_C(0x80)
#define NX    BIT(63)
#define ALL   (P | RW | US)

static uint8_t ram[PAGES * 4096] __attribute__((aligned(4096)));
static struct guest_mem gm = {.window = ram, .n = 1, .range = {{0, sizeof(ram)}}};
static struct guest_paging g;
static struct walk_info info;

static void set64(uint64_t page, unsigned index, uint64_t entry)
{
    memcpy(ram + page * 4096 + index * 8, &entry, 8);
}

static uint64_t get64(uint64_t page, unsigned index)
{
    uint64_t entry;
    memcpy(&entry, ram + page * 4096 + index * 8, 8);
    return entry;
}

static void set32(uint64_t page, unsigned index, uint32_t entry)
{
    memcpy(ram + page * 4096 + index * 4, &entry, 4);
}

static uint32_t get32(uint64_t page, unsigned index)
{
    uint32_t entry;
    memcpy(&entry, ram + page * 4096 + index * 4, 4);
    return entry;
}

/* 4 levels: tables in pages 1 to 4, address 0x5000 maps to page 5, 2M page at 2M, 1G page at 1G. */
static int setup(void **state)
{
    (void)state;
    memset(ram, 0, sizeof(ram));
    g = (struct guest_paging){.cr0 = CR0_PE | CR0_PG | CR0_WP, .cr3 = 0x1000 | 0x18,
                              .cr4 = CR4_PAE, .efer = EFER_LME | EFER_LMA | EFER_NXE,
                              .maxphyaddr = 40, .has_1g = true};
    set64(1, 0, 0x2000 | ALL);
    set64(2, 0, 0x3000 | ALL);
    set64(3, 0, 0x4000 | ALL);
    set64(4, 5, 0x5000 | ALL);
    set64(3, 1, MIB(6) | ALL | PS);
    set64(2, 1, GIB(3) | ALL | PS);
    return 0;
}

static enum walk_result walk(uint64_t va, unsigned access)
{
    memset(&info, 0xee, sizeof(info));
    return guest_walk(&g, &gm, GVA(va), access, &info);
}

static void translates(uint64_t va, unsigned access, uint64_t gpa, uint64_t page_size)
{
    assert_int_equal(walk(va, access), WALK_OK);
    assert_int_equal(info.gpa.v, gpa);
    assert_int_equal(info.page_size, page_size);
}

static void faults(uint64_t va, unsigned access, uint32_t code)
{
    assert_int_equal(walk(va, access), WALK_FAULT);
    assert_int_equal(info.error_code, code);
}

static void no_paging(void **state)
{
    (void)state;
    g.cr0 = CR0_PE;
    g.efer = 0;
    translates(0x12345, WALK_WRITE | WALK_USER, 0x12345, PAGE_SIZE);
    translates(0xabcd00012345, 0, 0x12345, PAGE_SIZE);
}

static void four_levels(void **state)
{
    (void)state;
    translates(0x5123, 0, 0x5123, PAGE_SIZE);
    translates(MIB(2) + 0x12345, 0, MIB(6) + 0x12345, PAGE_SIZE_2M);
    translates(GIB(1) + 0x1234567, WALK_USER | WALK_EXEC, GIB(3) + 0x1234567, PAGE_SIZE_1G);
    faults(0x6000, 0, 0);
    faults(0x6000, WALK_WRITE | WALK_USER, PF_WRITE | PF_USER);
    faults(0x6000, WALK_EXEC, PF_FETCH);
    faults(BIT(39), WALK_EXEC | WALK_USER, PF_FETCH | PF_USER);
    g.efer &= ~EFER_NXE;
    faults(0x6000, WALK_EXEC, 0); /* neither NXE nor SMEP: no fetch bit */
    g.cr4 |= CR4_SMEP;
    faults(0x6000, WALK_EXEC, PF_FETCH);
    assert_int_equal(walk(0x800000000000, 0), WALK_NONCANONICAL);
    assert_int_equal(walk(0xffff7fffffffffff, 0), WALK_NONCANONICAL);
    faults(0xffff800000000000, 0, 0);
    faults(0x7fffffffffff, 0, 0);
}

static void five_levels(void **state)
{
    (void)state;
    g.cr4 |= CR4_LA57;
    g.cr3 = 0x6000;
    set64(6, 1, 0x1000 | ALL);
    translates(BIT(48) | 0x5008, 0, 0x5008, PAGE_SIZE);
    faults(0x5008, 0, 0);
    assert_int_equal(walk(BIT(56), 0), WALK_NONCANONICAL);
    faults(BIT(48) | BIT(47), 0, 0); /* canonical here */
    set64(6, 1, 0x1000 | ALL | PS);
    faults(BIT(48) | 0x5008, 0, PF_PRESENT | PF_RSVD);
}

static void rights(void **state)
{
    (void)state;
    const uint64_t va = 0x5000;
    /* read-only */
    set64(4, 5, 0x5000 | P | US);
    faults(va, WALK_WRITE, PF_PRESENT | PF_WRITE);
    faults(va, WALK_WRITE | WALK_USER, PF_PRESENT | PF_WRITE | PF_USER);
    g.cr0 &= ~CR0_WP;
    translates(va, WALK_WRITE, 0x5000, PAGE_SIZE);
    faults(va, WALK_WRITE | WALK_USER, PF_PRESENT | PF_WRITE | PF_USER);
    g.cr0 |= CR0_WP;
    /* rights are those of all levels together */
    set64(4, 5, 0x5000 | ALL);
    set64(2, 0, 0x3000 | P | US);
    faults(va, WALK_WRITE, PF_PRESENT | PF_WRITE);
    set64(2, 0, 0x3000 | P | RW);
    faults(va, WALK_USER, PF_PRESENT | PF_USER);
    faults(va, WALK_USER | WALK_EXEC, PF_PRESENT | PF_USER | PF_FETCH);
    translates(va, WALK_WRITE, 0x5000, PAGE_SIZE);
    set64(2, 0, 0x3000 | ALL);
    set64(3, 0, 0x4000 | ALL | NX);
    faults(va, WALK_EXEC, PF_PRESENT | PF_FETCH);
    faults(va, WALK_EXEC | WALK_USER, PF_PRESENT | PF_USER | PF_FETCH);
    translates(va, WALK_USER | WALK_WRITE, 0x5000, PAGE_SIZE);
}

static void smep_and_smap(void **state)
{
    (void)state;
    const uint64_t va = 0x5000;
    g.cr4 |= CR4_SMEP;
    faults(va, WALK_EXEC, PF_PRESENT | PF_FETCH);
    translates(va, WALK_EXEC | WALK_USER, va, PAGE_SIZE);
    translates(va, 0, va, PAGE_SIZE);
    g.cr4 |= CR4_SMAP;
    faults(va, 0, PF_PRESENT);
    faults(va, WALK_WRITE, PF_PRESENT | PF_WRITE);
    translates(va, WALK_USER, va, PAGE_SIZE);
    g.ac = true;
    translates(va, WALK_WRITE, va, PAGE_SIZE);
    faults(va, WALK_IMPLICIT, PF_PRESENT);
    set64(4, 5, 0x5000 | P | RW); /* a supervisor page */
    g.ac = false;
    translates(va, WALK_IMPLICIT, va, PAGE_SIZE);
    translates(va, WALK_EXEC, va, PAGE_SIZE);
}

static void reserved_bits(void **state)
{
    (void)state;
    const uint32_t rsvd = PF_PRESENT | PF_RSVD;
    const struct { unsigned page, index; uint64_t bits; uint64_t va; } rows[] = {
        {4, 5, BIT(40), 0x5000},  {4, 5, BIT(51), 0x5000}, {3, 0, BIT(45), 0x5000},
        {2, 0, BIT(40), 0x5000},  {1, 0, BIT(40), 0x5000}, {1, 0, PS, 0x5000},
        {3, 1, BIT(13), MIB(2)},  {3, 1, BIT(20), MIB(2)}, {2, 1, BIT(13), GIB(1)},
        {2, 1, BIT(29), GIB(1)},  {2, 1, BIT(50), GIB(1)},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t good = get64(rows[i].page, rows[i].index);
        set64(rows[i].page, rows[i].index, good | rows[i].bits);
        faults(rows[i].va, WALK_WRITE, rsvd | PF_WRITE);
        set64(rows[i].page, rows[i].index, good & ~P);
        faults(rows[i].va, 0, 0); /* not present: nothing is reserved */
        set64(rows[i].page, rows[i].index, good);
        assert_int_equal(walk(rows[i].va, 0), WALK_OK);
    }
    /* ignored bits and the PAT bit of a large page are not reserved */
    set64(3, 1, MIB(6) | ALL | PS | BIT(12) | BIT(52) | BIT(62) | BIT(9));
    translates(MIB(2), 0, MIB(6), PAGE_SIZE_2M);
    g.has_1g = false;
    faults(GIB(1), 0, rsvd);
    g.maxphyaddr = 52;
    set64(4, 5, 0x5000 | ALL | NX);
    translates(0x5000, 0, 0x5000, PAGE_SIZE);
    g.efer &= ~EFER_NXE;
    faults(0x5000, 0, rsvd);
}

static void accessed_and_dirty(void **state)
{
    (void)state;
    assert_int_equal(walk(0x5000, WALK_WRITE | WALK_PEEK), WALK_OK);
    assert_int_equal(get64(4, 5), 0x5000 | ALL);
    faults(0x6000, 0, 0);
    assert_int_equal(get64(1, 0), 0x2000 | ALL); /* a faulting walk leaves no traces */
    assert_int_equal(walk(0x5000, 0), WALK_OK);
    assert_int_equal(get64(1, 0), 0x2000 | ALL | A);
    assert_int_equal(get64(2, 0), 0x3000 | ALL | A);
    assert_int_equal(get64(3, 0), 0x4000 | ALL | A);
    assert_int_equal(get64(4, 5), 0x5000 | ALL | A);
    assert_int_equal(walk(0x5000, WALK_WRITE), WALK_OK);
    assert_int_equal(get64(3, 0), 0x4000 | ALL | A); /* dirty in the leaf only */
    assert_int_equal(get64(4, 5), 0x5000 | ALL | A | D);
    assert_int_equal(walk(MIB(2), WALK_WRITE), WALK_OK);
    assert_int_equal(get64(3, 1), MIB(6) | ALL | PS | A | D);
    /* one page as its own table at every level */
    set64(7, 1, 0x7000 | ALL);
    g.cr3 = 0x7000;
    translates(BIT(39) | BIT(30) | BIT(21) | BIT(12), WALK_WRITE, 0x7000, PAGE_SIZE);
    assert_int_equal(get64(7, 1), 0x7000 | ALL | A | D);
}

static void tables_outside_ram(void **state)
{
    (void)state;
    set64(3, 0, sizeof(ram) | ALL);
    assert_int_equal(walk(0x5000, 0), WALK_NO_MEMORY);
    assert_int_equal(info.gpa.v, sizeof(ram) + 5 * 8);
    g.cr3 = BIT(39);
    assert_int_equal(walk(0x5000, 0), WALK_NO_MEMORY);
    assert_int_equal(info.gpa.v, BIT(39));
}

static void thirty_two_bits(void **state)
{
    (void)state;
    g = (struct guest_paging){.cr0 = CR0_PE | CR0_PG | CR0_WP, .cr3 = 0x8000 | 0x18,
                              .maxphyaddr = 36};
    set32(8, 0, 0x9000 | ALL);
    set32(9, 7, 0xa000 | ALL);
    set32(8, 1023, 0x00400000 | ALL | PS | 5u << 13); /* 4M at 5 * 4G + 4M */
    translates(0x7abc, WALK_WRITE, 0xaabc, PAGE_SIZE);
    translates(0xffffffff00007abc, 0, 0xaabc, PAGE_SIZE);
    assert_int_equal(get32(8, 0), 0x9000 | ALL | A);
    assert_int_equal(get32(9, 7), 0xa000 | ALL | A | D);
    /* without PSE the bit is ignored and this is a table, not in RAM */
    assert_int_equal(walk(0xffc12345, 0), WALK_NO_MEMORY);
    g.cr4 = CR4_PSE;
    translates(0xffc12345, WALK_WRITE, 0x500412345, MIB(4));
    assert_int_equal(get32(8, 1023), 0x00400000 | ALL | PS | 5u << 13 | A | D);
    set32(8, 1023, 0x00400000 | ALL | PS | BIT(17)); /* 36 bits: address ends in bit 16 */
    faults(0xffc12345, 0, PF_PRESENT | PF_RSVD);
    g.maxphyaddr = 40;
    translates(0xffc12345, 0, 0x1000412345, MIB(4));
    set32(8, 1023, 0x00400000 | ALL | PS | BIT(21));
    faults(0xffc12345, 0, PF_PRESENT | PF_RSVD);
    faults(0x8000, WALK_EXEC, 0); /* no NX here */
}

static void pae(void **state)
{
    (void)state;
    g = (struct guest_paging){.cr0 = CR0_PE | CR0_PG | CR0_WP, .cr3 = 0xb020, .cr4 = CR4_PAE,
                              .efer = EFER_NXE, .maxphyaddr = 36};
    set64(0xb, 4 + 3, 0xc000 | P); /* the four entries start at 0xb020 */
    set64(0xc, 0, 0xd000 | ALL);
    set64(0xd, 2, 0xe000 | ALL | NX);
    set64(0xc, 1, MIB(4) | ALL | PS);
    translates(0xc0002468, WALK_WRITE | WALK_USER, 0xe468, PAGE_SIZE);
    translates(0xc0200000, 0, MIB(4), PAGE_SIZE_2M);
    assert_int_equal(get64(0xb, 7), 0xc000 | P); /* no accessed flag there */
    assert_int_equal(get64(0xc, 0), 0xd000 | ALL | A);
    assert_int_equal(get64(0xd, 2), 0xe000 | ALL | NX | A | D);
    faults(0xc0002468, WALK_EXEC, PF_PRESENT | PF_FETCH);
    faults(0x80000000, 0, 0);
    set64(0xd, 2, 0xe000 | ALL | BIT(55)); /* ignored with 4 levels, reserved here */
    faults(0xc0002468, 0, PF_PRESENT | PF_RSVD);
    set64(0xb, 7, 0xc000 | P | RW);
    faults(0xc0200000, 0, PF_PRESENT | PF_RSVD);
    /* what the processor has loaded wins over memory */
    g.pdpte_valid = true;
    g.pdpte[3] = 0xc000 | P;
    translates(0xc0200000, 0, MIB(4), PAGE_SIZE_2M);
    g.pdpte[3] = 0;
    faults(0xc0200000, 0, 0);
}

static void copies(void **state)
{
    (void)state;
    uint8_t buf[0x2000];
    set64(4, 6, 0xf000 | ALL); /* behind 0x5000 comes page 15 */
    memcpy(ram + 0x5ffc, "abcd", 4);
    memcpy(ram + 0xf000, "efgh", 4);
    assert_int_equal(guest_copy_from(&g, &gm, GVA(0x5ffc), 0, buf, 8, &info), WALK_OK);
    assert_memory_equal(buf, "abcdefgh", 8);
    assert_int_equal(guest_copy_to(&g, &gm, GVA(0x5ffe), 0, "WXYZ", 4, &info), WALK_OK);
    assert_memory_equal(ram + 0x5ffc, "abWX", 4);
    assert_memory_equal(ram + 0xf000, "YZgh", 4);
    assert_int_equal(get64(4, 6), 0xf000 | ALL | A | D);
    /* the second page faults: nothing was written to the first */
    set64(4, 6, 0xf000 | P | US);
    assert_int_equal(guest_copy_to(&g, &gm, GVA(0x5ffe), 0, "1234", 4, &info), WALK_FAULT);
    assert_int_equal(info.gva.v, 0x6000);
    assert_int_equal(info.error_code, PF_PRESENT | PF_WRITE);
    assert_memory_equal(ram + 0x5ffc, "abWX", 4);
    assert_int_equal(guest_copy_from(&g, &gm, GVA(0x6ff0), WALK_USER, buf, 0x11, &info),
                     WALK_FAULT);
    assert_int_equal(info.gva.v, 0x7000);
    assert_int_equal(info.error_code, PF_USER);
    /* data that is not RAM, at its own address */
    set64(4, 7, 0xfee00000 | ALL);
    assert_int_equal(guest_copy_from(&g, &gm, GVA(0x6ffc), 0, buf, 8, &info), WALK_NO_MEMORY);
    assert_int_equal(info.gpa.v, 0xfee00000);
    assert_int_equal(guest_copy_from(&g, &gm, GVA(0x9999), 0, buf, 0, &info), WALK_OK);
    /* over the top of the address space */
    set64(1, 511, 0x2000 | ALL);
    set64(2, 511, 0x3000 | ALL);
    set64(3, 511, 0x4000 | ALL);
    set64(4, 511, 0xe000 | ALL);
    set64(4, 0, 0xd000 | ALL);
    memcpy(ram + 0xeffe, "to", 2);
    memcpy(ram + 0xd000, "p!", 2);
    assert_int_equal(guest_copy_from(&g, &gm, GVA(UINT64_MAX - 1), 0, buf, 4, &info), WALK_OK);
    assert_memory_equal(buf, "top!", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(no_paging, setup),
        cmocka_unit_test_setup(four_levels, setup),
        cmocka_unit_test_setup(five_levels, setup),
        cmocka_unit_test_setup(rights, setup),
        cmocka_unit_test_setup(smep_and_smap, setup),
        cmocka_unit_test_setup(reserved_bits, setup),
        cmocka_unit_test_setup(accessed_and_dirty, setup),
        cmocka_unit_test_setup(tables_outside_ram, setup),
        cmocka_unit_test_setup(thirty_two_bits, setup),
        cmocka_unit_test_setup(pae, setup),
        cmocka_unit_test_setup(copies, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
