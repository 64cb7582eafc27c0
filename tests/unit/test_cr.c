/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/cr.c: each rule of the control registers, IA32_EFER, XCR0 and PDPTEs, once kept and once
 * broken.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "arch/x86/cr.h"
#include "arch/x86/msr.h"
#include "arch/x86/regs.h"
#include "core/cr.h"

#define PROTECTED (CR0_PE | CR0_ET | CR0_NE)
#define PAGED     (PROTECTED | CR0_PG)
#define UNTOUCHED UINT64_C(0x1122334455667788)

struct cr0_case {
    const char *name;
    uint64_t old, value, cr4, efer;
    bool cs_l;
    enum cr_verdict verdict;
    uint64_t out;
};

static const struct cr0_case cr0_cases[] = {
    {"real mode to protected mode", CR0_ET, CR0_PE, 0, 0, false, CR_OK, CR0_PE | CR0_ET},
    {"ET cannot be cleared", CR0_ET, 0, 0, 0, false, CR_OK, CR0_ET},
    {"unknown low bits are dropped", CR0_ET, BITS(28, 19) | BIT(17) | BITS(15, 6) | CR0_WP, 0, 0,
     false, CR_OK, CR0_ET | CR0_WP},
    {"all known bits", CR0_ET, PAGED | CR0_MP | CR0_EM | CR0_TS | CR0_WP | CR0_AM | CR0_NW | CR0_CD,
     0, 0, false, CR_OK, PAGED | CR0_MP | CR0_EM | CR0_TS | CR0_WP | CR0_AM | CR0_NW | CR0_CD},
    {"bit 32", CR0_ET, BIT(32), 0, 0, false, CR_GP, 0},
    {"bit 63", CR0_ET, BIT(63), 0, 0, false, CR_GP, 0},
    {"PG without PE", CR0_ET, CR0_PG, 0, 0, false, CR_GP, 0},
    {"NW without CD", CR0_ET, CR0_NW, 0, 0, false, CR_GP, 0},
    {"CD without NW", CR0_ET, CR0_CD, 0, 0, false, CR_OK, CR0_CD | CR0_ET},
    {"NW with CD", CR0_ET, CR0_NW | CR0_CD, 0, 0, false, CR_OK, CR0_NW | CR0_CD | CR0_ET},
    {"32-bit paging", PROTECTED, PAGED, 0, 0, false, CR_OK, PAGED},
    {"32-bit paging does not look at CS.L", PROTECTED, PAGED, 0, 0, true, CR_OK, PAGED},
    {"long mode with PAE", PROTECTED, PAGED, CR4_PAE, EFER_LME, false, CR_OK, PAGED},
    {"long mode without PAE", PROTECTED, PAGED, 0, EFER_LME, false, CR_GP, 0},
    {"long mode from CS.L", PROTECTED, PAGED, CR4_PAE, EFER_LME, true, CR_GP, 0},
    {"in long mode other bits change", PAGED, PAGED | CR0_WP, CR4_PAE, EFER_LME | EFER_LMA, true,
     CR_OK, PAGED | CR0_WP},
    {"out of long mode from compatibility mode", PAGED, PROTECTED, CR4_PAE, EFER_LME | EFER_LMA,
     false, CR_OK, PROTECTED},
    {"out of long mode from 64-bit code", PAGED, PROTECTED, CR4_PAE, EFER_LME | EFER_LMA, true,
     CR_GP, 0},
    {"paging off with PCIDE", PAGED, PROTECTED, CR4_PAE | CR4_PCIDE, EFER_LME | EFER_LMA, false,
     CR_GP, 0},
    {"paging stays off with PCIDE", PROTECTED, PROTECTED, CR4_PCIDE, 0, false, CR_OK, PROTECTED},
    {"WP clear with CET", PAGED | CR0_WP, PAGED, CR4_CET, 0, false, CR_GP, 0},
    {"all the way back to real mode", PAGED, 0, 0, 0, false, CR_OK, CR0_ET},
};

static void test_cr0(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cr0_cases); i++) {
        const struct cr0_case *c = &cr0_cases[i];
        uint64_t out = UNTOUCHED;
        enum cr_verdict got = cr0_check_write(c->old, c->value, c->cr4, c->efer, c->cs_l, &out);
        if (got != c->verdict || out != (c->verdict == CR_OK ? c->out : UNTOUCHED))
            fail_msg("%s: verdict %d, CR0 %#llx", c->name, got, (unsigned long long)out);
    }
}

#define ALLOWED (CR4_PAE | CR4_PGE | CR4_PSE | CR4_PCIDE | CR4_SMEP | CR4_TSD)
#define LONG    (EFER_LME | EFER_LMA)

static void test_cr4(void **state)
{
    (void)state;
    const struct {
        const char *name;
        uint64_t old, value, allowed, cr0, cr3, efer;
        enum cr_verdict verdict;
    } cases[] = {
        {"nothing", 0, 0, ALLOWED, 0, 0, 0, CR_OK},
        {"all that is allowed, in long mode", CR4_PAE, ALLOWED, ALLOWED, PAGED, 0, LONG, CR_OK},
        {"VMXE", 0, CR4_VMXE, ALLOWED, 0, 0, 0, CR_GP},
        {"a bit that was set already", CR4_VMXE, CR4_VMXE, ALLOWED, 0, 0, 0, CR_GP},
        {"bit 63", 0, BIT(63), ALLOWED, 0, 0, 0, CR_GP},
        {"bit 32", 0, BIT(32), ALLOWED, 0, 0, 0, CR_GP},
        {"PAE off in long mode", CR4_PAE, 0, ALLOWED, PAGED, 0, LONG, CR_GP},
        {"PAE off outside long mode", CR4_PAE, 0, ALLOWED, PAGED, 0, EFER_LME, CR_OK},
        {"PCIDE outside long mode", 0, CR4_PCIDE, ALLOWED, 0, 0, EFER_LME, CR_GP},
        {"PCIDE with a PCID in CR3", CR4_PAE, CR4_PAE | CR4_PCIDE, ALLOWED, PAGED, 0x1001, LONG,
         CR_GP},
        {"PCIDE with bit 11 of CR3", CR4_PAE, CR4_PAE | CR4_PCIDE, ALLOWED, PAGED, 0x800, LONG,
         CR_GP},
        {"PCIDE with PCID 0", CR4_PAE, CR4_PAE | CR4_PCIDE, ALLOWED, PAGED, 0x1000, LONG, CR_OK},
        {"PCIDE stays set with a PCID", CR4_PAE | CR4_PCIDE, CR4_PAE | CR4_PCIDE | CR4_PGE, ALLOWED,
         PAGED, 0x1001, LONG, CR_OK},
        {"LA57 on in long mode", CR4_PAE, CR4_PAE | CR4_LA57, ALLOWED | CR4_LA57, PAGED, 0, LONG,
         CR_GP},
        {"LA57 off in long mode", CR4_PAE | CR4_LA57, CR4_PAE, ALLOWED | CR4_LA57, PAGED, 0, LONG,
         CR_GP},
        {"LA57 outside long mode", CR4_PAE, CR4_PAE | CR4_LA57, ALLOWED | CR4_LA57, 0, 0, 0, CR_OK},
        {"CET without WP", 0, CR4_CET, ALLOWED | CR4_CET, PAGED, 0, 0, CR_GP},
        {"CET with WP", 0, CR4_CET, ALLOWED | CR4_CET, PAGED | CR0_WP, 0, 0, CR_OK},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (cr4_check_write(cases[i].old, cases[i].value, cases[i].allowed, cases[i].cr0,
                            cases[i].cr3, cases[i].efer) != cases[i].verdict)
            fail_msg("%s", cases[i].name);
}

static void test_cr4_single_bits(void **state)
{
    (void)state;
    /* Outside long mode a bit may be set exactly if it is allowed (PCIDE has its own rule). */
    for (unsigned bit = 0; bit < 64; bit++) {
        bool ok = (ALLOWED & BIT(bit)) && BIT(bit) != CR4_PCIDE;
        assert_int_equal(cr4_check_write(0, BIT(bit), ALLOWED, PAGED | CR0_WP, 0, 0) == CR_OK, ok);
    }
}

static void test_pdpte_reload(void **state)
{
    (void)state;
    const uint64_t reload = CR4_PGE | CR4_PSE | CR4_PAE | CR4_SMEP;
    for (unsigned bit = 0; bit < 64; bit++) {
        assert_int_equal(cr4_needs_pdptes(0, BIT(bit)), !!(reload & BIT(bit)));
        assert_int_equal(cr4_needs_pdptes(BIT(bit), 0), !!(reload & BIT(bit)));
        assert_false(cr4_needs_pdptes(BIT(bit), BIT(bit)));
    }
}

static void test_efer(void **state)
{
    (void)state;
    const uint64_t allowed = EFER_SCE | EFER_LME | EFER_NXE;
    const struct {
        const char *name;
        uint64_t old, value, cr0, allowed;
        enum cr_verdict verdict;
        uint64_t out;
    } cases[] = {
        {"SCE, LME and NXE", 0, allowed, 0, allowed, CR_OK, allowed},
        {"NXE that is not offered", 0, EFER_NXE, 0, EFER_SCE | EFER_LME, CR_GP, 0},
        {"bit 1", 0, BIT(1), 0, allowed, CR_GP, 0},
        {"SVME", 0, BIT(12), 0, allowed, CR_GP, 0},
        {"bit 63", 0, BIT(63), 0, allowed, CR_GP, 0},
        {"LMA is not set by a write", 0, EFER_LMA, 0, allowed, CR_OK, 0},
        {"LMA is not cleared by a write", LONG, EFER_LME | EFER_SCE, PAGED, allowed, CR_OK,
         LONG | EFER_SCE},
        {"LMA where the caller allows it", 0, EFER_LMA, 0, allowed | EFER_LMA, CR_OK, 0},
        {"LME on with paging", 0, EFER_LME, PAGED, allowed, CR_GP, 0},
        {"LME off with paging", LONG, EFER_SCE, PAGED, allowed, CR_GP, 0},
        {"LME off without paging", EFER_LME, 0, PROTECTED, allowed, CR_OK, 0},
        {"LME unchanged with paging", LONG, EFER_LME | EFER_NXE, PAGED, allowed, CR_OK,
         LONG | EFER_NXE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t out = UNTOUCHED;
        enum cr_verdict got = efer_check_write(cases[i].old, cases[i].value, cases[i].cr0,
                                               cases[i].allowed, &out);
        if (got != cases[i].verdict || out != (got == CR_OK ? cases[i].out : UNTOUCHED))
            fail_msg("%s: verdict %d, EFER %#llx", cases[i].name, got, (unsigned long long)out);
    }
}

static void test_xcr0(void **state)
{
    (void)state;
    /* Every value of the eight low bits against the rules, in the order of the manual. */
    const uint64_t all = BITS(7, 0);
    for (uint64_t value = 0; value <= 0xff; value++) {
        bool avx = value & 4, sse = value & 2, mpx0 = value & 8, mpx1 = value & 16;
        unsigned wide = (unsigned)(value >> 5);
        bool ok = (value & 1) && (!avx || sse) && mpx0 == mpx1 && (wide == 0 || wide == 7) &&
                  (wide == 0 || avx);
        assert_int_equal(xcr0_check_write(0, value, all) == CR_OK, ok);
        /* What is not offered is never accepted. */
        if (value & ~UINT64_C(7))
            assert_int_equal(xcr0_check_write(0, value, 7), CR_GP);
        assert_int_equal(xcr0_check_write(1, value, all), CR_GP);
    }
    assert_int_equal(xcr0_check_write(0, 1 | BIT(9), all), CR_GP);
    assert_int_equal(xcr0_check_write(0, 1 | BIT(63), all), CR_GP);
    assert_int_equal(xcr0_check_write(0, 0, 0), CR_GP);
    assert_int_equal(xcr0_check_write(UINT32_MAX, 1, all), CR_GP);
}

static void test_pdpte(void **state)
{
    (void)state;
    const unsigned widths[] = {36, 39, 46, 52};
    for (size_t i = 0; i < ARRAY_LEN(widths); i++) {
        assert_true(pdpte_valid(0, widths[i]));
        assert_true(pdpte_valid(~UINT64_C(1), widths[i])); /* not present: nothing is checked */
        for (unsigned bit = 1; bit < 64; bit++) {
            bool reserved = bit == 1 || bit == 2 || (bit >= 5 && bit <= 8) || bit >= widths[i];
            assert_int_equal(pdpte_valid(1 | BIT(bit), widths[i]), !reserved);
        }
    }
    assert_true(pdpte_valid(1 | BIT(63), 64));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cr0),
        cmocka_unit_test(test_cr4),
        cmocka_unit_test(test_cr4_single_bits),
        cmocka_unit_test(test_pdpte_reload),
        cmocka_unit_test(test_efer),
        cmocka_unit_test(test_xcr0),
        cmocka_unit_test(test_pdpte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
