/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch/x86/vmx/bitmaps.c: for every MSR number the bitmap lets the hardware do exactly what the
 * rows of msr.def say; every port exits. The layout is checked with a reader of this test's own.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "arch/x86/msr.h"
#include "arch/x86/vmx/bitmaps.h"
#include "core/lib/string.h"

#define PAGE  4096
#define GUARD 64

/* The manual's layout: four parts of 1024 bytes for reads of low MSRs, reads of high ones, writes
 * of low and writes of high ones; numbers outside both ranges always exit. */
static bool bit_says_exit(const uint8_t *page, uint32_t msr, bool write)
{
    uint32_t high = msr >= 0xc0000000, n = high ? msr - 0xc0000000 : msr;
    if (n > 0x1fff)
        return true;
    return page[(write ? 2048 : 0) + (high ? 1024 : 0) + n / 8] >> (n % 8) & 1;
}

static void check_msr(const uint8_t *page, uint32_t msr, const struct msr_features *f)
{
    const struct msr_row *row = msr_find(msr);
    bool offered = row && msr_row_offered(row, f);
    bool range = msr <= 0x1fff || (msr >= 0xc0000000 && msr <= 0xc0001fff);
    bool read = !(range && offered && row->read == MSR_HARDWARE);
    bool write = !(range && offered && row->write == MSR_HARDWARE);
    if (bit_says_exit(page, msr, false) != read || bit_says_exit(page, msr, true) != write)
        fail_msg("MSR %#x: read exits %d, write exits %d", msr, !read, !write);
    assert_int_equal(vmx_msr_bitmap_exits(page, msr, false), read);
    assert_int_equal(vmx_msr_bitmap_exits(page, msr, true), write);
}

static void test_every_msr(void **state)
{
    static uint8_t page[PAGE];
    (void)state;
    for (unsigned i = 0; i < 64; i++) {
        const struct msr_features f = {.rdtscp = i & 1, .xsaves = i & 2, .spec_ctrl = i & 4,
                                       .pred_cmd = i & 8, .flush_cmd = i & 16,
                                       .arch_capabilities = i & 32};
        memset(page, i, sizeof(page));
        vmx_build_msr_bitmap(page, &f);
        for (uint32_t n = 0; n <= 0x2000; n++) {
            check_msr(page, n, &f);
            check_msr(page, 0xc0000000 + n, &f);
        }
        check_msr(page, 0x40000000, &f);
        check_msr(page, 0xbfffffff, &f);
        check_msr(page, UINT32_MAX, &f);
    }
}

/* Opened: registers whose value in the page is always right, and what the hardware virtualises. */
static void test_x2apic(void **state)
{
    static uint8_t plain[PAGE], page[PAGE];
    const struct msr_features f = {.rdtscp = true};
    static const uint16_t must_exit[] = {0x80c, 0x82f, 0x830, 0x839, 0x83f};
    (void)state;
    vmx_build_msr_bitmap(plain, &f);
    memcpy(page, plain, sizeof(page));
    vmx_open_x2apic(page);
    for (uint32_t msr = 0; msr <= 0x2000; msr++) {
        bool x2apic = msr >= 0x800 && msr <= 0x8ff;
        bool opened = msr == 0x808 || msr == 0x80b;
        if (!x2apic)
            assert_int_equal(bit_says_exit(page, msr, false), bit_says_exit(plain, msr, false));
        if (opened != !bit_says_exit(page, msr, true) && x2apic)
            fail_msg("write of %#x", msr);
    }
    assert_false(bit_says_exit(page, 0x802, false));
    assert_false(bit_says_exit(page, 0x827, false));
    assert_true(bit_says_exit(page, 0x80b, false)); /* reading EOI faults */
    for (size_t i = 0; i < ARRAY_LEN(must_exit); i++)
        assert_true(bit_says_exit(page, must_exit[i], false));
}

static void test_tsc_aux_follows_rdtscp(void **state)
{
    static uint8_t page[PAGE];
    struct msr_features f = {.rdtscp = false};
    (void)state;
    vmx_build_msr_bitmap(page, &f);
    assert_true(vmx_msr_bitmap_exits(page, MSR_IA32_TSC_AUX, false));
    assert_true(vmx_msr_bitmap_exits(page, MSR_IA32_TSC_AUX, true));
    f.rdtscp = true;
    vmx_build_msr_bitmap(page, &f);
    assert_false(vmx_msr_bitmap_exits(page, MSR_IA32_TSC_AUX, false));
    assert_false(vmx_msr_bitmap_exits(page, MSR_IA32_TSC_AUX, true));
}

static void test_spec_ctrl(void **state)
{
    static uint8_t page[PAGE], before[PAGE];
    const struct msr_features f = {.spec_ctrl = true};
    unsigned bits = 0;
    (void)state;
    vmx_build_msr_bitmap(page, &f);
    memcpy(before, page, PAGE);
    assert_true(bit_says_exit(page, MSR_IA32_SPEC_CTRL, false));
    assert_true(bit_says_exit(page, MSR_IA32_SPEC_CTRL, true));
    vmx_open_spec_ctrl(page);
    assert_false(bit_says_exit(page, MSR_IA32_SPEC_CTRL, false));
    assert_false(bit_says_exit(page, MSR_IA32_SPEC_CTRL, true));
    for (unsigned i = 0; i < PAGE; i++)
        bits += (unsigned)__builtin_popcount(page[i] ^ before[i]);
    assert_int_equal(bits, 2);
}

/* Written out, so that a wrong row is seen as well as a wrong derivation. */
static void test_what_guests_touch_directly(void **state)
{
    static uint8_t page[PAGE];
    const struct msr_features f = {.rdtscp = true, .xsaves = true};
    (void)state;
    const uint32_t direct[] = {0x174,      0x175,      0x176,      0x277,      0xc0000081,
                               0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101,
                               0xc0000102, 0xc0000103};
    const uint32_t read_only[] = {MSR_IA32_TSC, MSR_IA32_EFER};
    unsigned open = 0;
    vmx_build_msr_bitmap(page, &f);
    for (size_t i = 0; i < ARRAY_LEN(direct); i++) {
        assert_false(vmx_msr_bitmap_exits(page, direct[i], false));
        assert_false(vmx_msr_bitmap_exits(page, direct[i], true));
    }
    for (size_t i = 0; i < ARRAY_LEN(read_only); i++) {
        assert_false(vmx_msr_bitmap_exits(page, read_only[i], false));
        assert_true(vmx_msr_bitmap_exits(page, read_only[i], true));
    }
    for (size_t i = 0; i < PAGE; i++)
        open += 8 - (unsigned)__builtin_popcount(page[i]);
    assert_int_equal(open, 2 * ARRAY_LEN(direct) + ARRAY_LEN(read_only));
}

static void test_every_port_exits(void **state)
{
    static uint8_t a[PAGE + GUARD], b[PAGE + GUARD];
    (void)state;
    vmx_build_io_bitmaps(a, b);
    for (size_t i = 0; i < PAGE; i++) {
        assert_int_equal(a[i], 0xff);
        assert_int_equal(b[i], 0xff);
    }
    for (size_t i = PAGE; i < PAGE + GUARD; i++) /* and not a byte more is written */
        assert_int_equal(a[i] | b[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_msr),
        cmocka_unit_test(test_x2apic),
        cmocka_unit_test(test_tsc_aux_follows_rdtscp),
        cmocka_unit_test(test_spec_ctrl),
        cmocka_unit_test(test_what_guests_touch_directly),
        cmocka_unit_test(test_every_port_exits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
