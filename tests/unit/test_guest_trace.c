/* SPDX-License-Identifier: BSD-2-Clause */
/* Page tables for people: the entries that are read, and the same translation as guest_walk(). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "arch/x86/cr.h"
#include "mm/guest_trace.h"

#define RAM   0x100000u
#define P     1u
#define W     2u
#define PS    0x80u
#define LMA   0x500u /* EFER.LME, LMA */

static uint8_t ram[RAM] __attribute__((aligned(4096)));
static struct guest_mem gm;
static struct guest_trace t;

static int setup(void **state)
{
    (void)state;
    memset(ram, 0, sizeof(ram));
    gm = (struct guest_mem){.window = ram, .n = 1, .range = {{0, RAM}}};
    return 0;
}

static void put64(uint64_t at, uint64_t value)
{
    memcpy(ram + at, &value, sizeof(value));
}

static void put32(uint64_t at, uint32_t value)
{
    memcpy(ram + at, &value, sizeof(value));
}

/* guest_walk() must agree on whether and where. */
static void trace(const struct guest_paging *p, uint64_t gva)
{
    struct walk_info info;
    guest_trace(p, &gm, GVA(gva), &t);
    enum walk_result r = guest_walk(p, &gm, GVA(gva), WALK_PEEK, &info);
    assert_int_equal(r == WALK_OK, t.mapped);
    if (t.mapped)
        assert_int_equal(info.gpa.v, t.gpa);
}

static void test_without_paging(void **state)
{
    struct guest_paging p = {.cr0 = CR0_PE, .maxphyaddr = 40};
    (void)state;
    trace(&p, 0x12345);
    assert_int_equal(t.n, 0);
    assert_int_equal(t.gpa, 0x12345);
}

static void test_four_levels(void **state)
{
    struct guest_paging p = {.cr0 = CR0_PE | CR0_PG, .cr3 = 0x1000, .cr4 = CR4_PAE, .efer = LMA,
                             .maxphyaddr = 40, .has_1g = true};
    (void)state;
    put64(0x1000 + 8 * 511, 0x2000 | P | W);
    put64(0x2000 + 8 * 510, 0x3000 | P | W);
    put64(0x3000 + 8 * 0, 0x4000 | P | W);
    put64(0x4000 + 8 * 1, 0x5000 | P | W);
    put64(0x3000 + 8 * 1, 0x200000 | P | W | PS);
    trace(&p, 0xffffffff80001234);
    assert_int_equal(t.n, 4);
    assert_string_equal(t.level[0].name, "PML4E");
    assert_int_equal(t.level[0].gpa, 0x1ff8);
    assert_string_equal(t.level[3].name, "PTE");
    assert_int_equal(t.level[3].entry, 0x5000 | P | W);
    assert_int_equal(t.gpa, 0x5234);
    assert_int_equal(t.page_size, 4096);
    trace(&p, 0xffffffff80212345);
    assert_int_equal(t.n, 3);
    assert_int_equal(t.gpa, 0x212345);
    assert_int_equal(t.page_size, 0x200000);
    trace(&p, 0x1000);
    assert_int_equal(t.n, 1);
    assert_false(t.mapped);
}

static void test_pae_and_32_bit(void **state)
{
    struct guest_paging p = {.cr0 = CR0_PE | CR0_PG, .cr3 = 0x1020, .cr4 = CR4_PAE,
                             .maxphyaddr = 40};
    (void)state;
    put64(0x1020 + 8 * 3, 0x2000 | P);
    put64(0x2000 + 8 * 2, 0x3000 | P | W);
    put64(0x3000 + 8 * 5, 0x7000 | P | W);
    trace(&p, 0xc0405678);
    assert_int_equal(t.n, 3);
    assert_int_equal(t.gpa, 0x7678);
    p.cr4 = CR4_PSE;
    p.cr3 = 0x5000;
    put32(0x5000 + 4 * 768, 0x00000000 | P | W | PS);
    put32(0x5000 + 4 * 1, 0x6000 | P | W);
    put32(0x6000 + 4 * 2, 0x8000 | P | W);
    trace(&p, 0xc0012345);
    assert_int_equal(t.n, 1);
    assert_int_equal(t.gpa, 0x12345);
    assert_int_equal(t.page_size, 0x400000);
    trace(&p, 0x402abc);
    assert_int_equal(t.n, 2);
    assert_int_equal(t.gpa, 0x8abc);
}

static void test_a_table_outside_ram(void **state)
{
    struct guest_paging p = {.cr0 = CR0_PE | CR0_PG, .cr3 = RAM, .cr4 = CR4_PAE, .efer = LMA,
                             .maxphyaddr = 40};
    (void)state;
    trace(&p, 0x1000);
    assert_int_equal(t.n, 1);
    assert_false(t.level[0].read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_without_paging, setup),
        cmocka_unit_test_setup(test_four_levels, setup),
        cmocka_unit_test_setup(test_pae_and_32_bit, setup),
        cmocka_unit_test_setup(test_a_table_outside_ram, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
