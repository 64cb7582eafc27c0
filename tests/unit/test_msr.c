/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/msr.c: the rows of msr.def are in order and say something, the look-up finds exactly them,
 * and what guests rely on is as it was decided.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "arch/x86/msr.h"
#include "core/lib/string.h"
#include "core/msr.h"

static void test_rows(void **state)
{
    (void)state;
    assert_int_equal(msr_row_count, MSR_ROW_COUNT);
    for (size_t i = 0; i < msr_row_count; i++) {
        const struct msr_row *r = &msr_rows[i];
        assert_true(r->first <= r->last);
        assert_true(strlen(r->name) > 0 && strlen(r->why) > 0);
        if (i > 0 && r->first <= msr_rows[i - 1].last)
            fail_msg("%s does not stand after %s", r->name, msr_rows[i - 1].name);
        /* A row that only faults is no row; SAME means "as it reads". */
        assert_false(r->read == MSR_FAULT && r->write == MSR_FAULT);
        assert_true(r->read != MSR_SAME);
        if (r->write == MSR_SAME)
            assert_int_equal(r->read, MSR_CONST);
        if (r->switched)
            assert_int_equal(r->write, MSR_HARDWARE);
        /* What the hardware may write, it must be able to read back, but for commands. */
        if (r->write == MSR_HARDWARE && r->first != MSR_IA32_PRED_CMD &&
            r->first != MSR_IA32_FLUSH_CMD)
            assert_int_equal(r->read, MSR_HARDWARE);
    }
}

static const struct msr_row *scan(uint32_t msr)
{
    for (size_t i = 0; i < msr_row_count; i++)
        if (msr >= msr_rows[i].first && msr <= msr_rows[i].last)
            return &msr_rows[i];
    return NULL;
}

static void test_find(void **state)
{
    (void)state;
    for (uint32_t low = 0; low <= 0x2000; low++) {
        assert_ptr_equal(msr_find(low), scan(low));
        assert_ptr_equal(msr_find(0xc0000000 + low), scan(0xc0000000 + low));
        assert_null(msr_find(0x40000000 + low));
    }
    assert_null(msr_find(UINT32_MAX));
    assert_null(msr_find(0xbfffffff));
}

static void test_not_offered(void **state)
{
    (void)state;
    const uint32_t numbers[] = {
        0x47, 0x4a, MSR_IA32_BIOS_UPDT_TRIG,
        0x109, 0x10c, MSR_IA32_VMX_BASIC, MSR_IA32_VMX_EPT_VPID_CAP,
        MSR_IA32_VMX_TRUE_ENTRY_CTLS, 0x345, 0xc1, 0x186, 0x38f, 0x1c9, 0x560, 0x6a0,
        0x210, 0x251, 0x25a, 0x267, 0x270, 0x6e1, 0x7ff, 0x900, 0x11, 0x12,
        0x4b564cff, 0x4b564d02, 0x4b564d04,
    };
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        assert_null(msr_find(numbers[i]));
}

/* Each MSR of speculation is there exactly with its feature. */
static void test_speculation_msrs(void **state)
{
    const struct msr_features none = {.rdtscp = true, .xsaves = true};
    struct msr_features f = none;
    (void)state;
    const struct {
        uint32_t msr;
        bool *feature;
    } rows[] = {{MSR_IA32_SPEC_CTRL, &f.spec_ctrl},
                {MSR_IA32_PRED_CMD, &f.pred_cmd},
                {MSR_IA32_FLUSH_CMD, &f.flush_cmd},
                {MSR_IA32_ARCH_CAPABILITIES, &f.arch_capabilities}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        f = none;
        *rows[i].feature = true;
        for (size_t k = 0; k < ARRAY_LEN(rows); k++)
            assert_int_equal(msr_row_offered(msr_find(rows[k].msr), &f), i == k);
    }
    /* Commands: nothing to read, nothing to keep. */
    assert_int_equal(msr_find(MSR_IA32_PRED_CMD)->read, MSR_FAULT);
    assert_int_equal(msr_find(MSR_IA32_FLUSH_CMD)->read, MSR_FAULT);
}

/* Written out bit by bit: what a guest is told must be so in a guest. */
static void test_capabilities(void **state)
{
    (void)state;
    assert_int_equal(msr_guest_capabilities(0), 0);
    assert_int_equal(msr_guest_capabilities(UINT64_MAX), UINT64_C(0x400000001d1ae177));
    /* SKIP_L1DFL_VMENTRY, TSX_CTRL, FB_CLEAR_CTRL, GDS_CTRL: their registers are not offered. */
    assert_int_equal(msr_guest_capabilities(BIT(3) | BIT(7) | BIT(18) | BIT(25)), 0);
}

static void test_decided(void **state)
{
    (void)state;
    const struct msr_row *r = msr_find(MSR_IA32_EFER);
    assert_int_equal(r->write, MSR_CALL);
    assert_ptr_equal(r, &msr_rows[MSR_ROW_IA32_EFER]);
    /* Interrupts, time and memory types are emulated: neither reading nor writing any of these
     * ever reaches the machine's own. */
    const uint32_t emulated[] = {MSR_IA32_APIC_BASE, MSR_IA32_TSC_ADJUST, MSR_IA32_TSC_DEADLINE,
                                 MSR_IA32_X2APIC_BASE, 0x83f, 0x8ff, MSR_IA32_MTRR_PHYSBASE0,
                                 MSR_IA32_MTRR_PHYSMASK7, MSR_IA32_MTRR_FIX64K_00000,
                                 MSR_IA32_MTRR_FIX16K_80000 + 1, MSR_IA32_MTRR_FIX4K_C0000 + 7,
                                 MSR_IA32_MTRR_DEF_TYPE, 0x4b564d00, 0x4b564d01};
    for (size_t i = 0; i < ARRAY_LEN(emulated); i++) {
        assert_int_equal(msr_find(emulated[i])->read, MSR_CALL);
        assert_int_equal(msr_find(emulated[i])->write, MSR_CALL);
    }
    r = msr_find(MSR_IA32_MTRRCAP);
    assert_int_equal(r->read, MSR_CONST);
    assert_int_equal(r->value, 0x508); /* 8 variable ranges, as there are numbers for */
    assert_int_equal(r->write, MSR_FAULT);
    r = msr_find(MSR_IA32_FEATURE_CONTROL);
    assert_int_equal(r->value, FEATURE_CONTROL_LOCK);
    assert_int_equal(r->write, MSR_FAULT);
    assert_int_equal(msr_find(MSR_IA32_MCG_CAP)->value, 0);
    /* One row, three numbers. */
    assert_ptr_equal(msr_find(MSR_IA32_SYSENTER_CS), msr_find(MSR_IA32_SYSENTER_EIP));
    assert_ptr_equal(msr_find(MSR_IA32_FS_BASE), msr_find(MSR_IA32_GS_BASE));
}

static void test_switched(void **state)
{
    (void)state;
    /* Registers that the VMCS does not hold and that the hardware writes: all of them switch. */
    const uint32_t switched[] = {MSR_IA32_STAR, MSR_IA32_LSTAR, MSR_IA32_CSTAR, MSR_IA32_FMASK,
                                 MSR_IA32_KERNEL_GS_BASE, MSR_IA32_TSC_AUX};
    unsigned count = 0;
    for (size_t i = 0; i < ARRAY_LEN(switched); i++)
        assert_true(msr_find(switched[i])->switched);
    for (size_t i = 0; i < msr_row_count; i++)
        count += msr_rows[i].switched;
    assert_int_equal(count, ARRAY_LEN(switched));
    const uint32_t in_vmcs[] = {MSR_IA32_SYSENTER_CS, MSR_IA32_PAT, MSR_IA32_FS_BASE};
    for (size_t i = 0; i < ARRAY_LEN(in_vmcs); i++)
        assert_false(msr_find(in_vmcs[i])->switched);
}

/* Rows of several numbers, each of which one function has to tell apart. */
static void test_ranges(void **state)
{
    (void)state;
    assert_ptr_equal(msr_find(0x800), msr_find(0x8ff));
    assert_ptr_equal(msr_find(0x200), msr_find(0x20f));
    assert_ptr_equal(msr_find(0x268), msr_find(0x26f));
    assert_ptr_equal(msr_find(0x4b564d00), msr_find(0x4b564d01));
    assert_ptr_equal(msr_find(0x250), &msr_rows[MSR_ROW_IA32_MTRR_FIX64K]);
    assert_ptr_equal(msr_find(0x258), &msr_rows[MSR_ROW_IA32_MTRR_FIX16K]);
}

static void test_needs(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        const struct msr_features f = {.rdtscp = i & 1, .xsaves = i & 2};
        assert_int_equal(msr_row_offered(msr_find(MSR_IA32_TSC_AUX), &f), f.rdtscp);
        assert_int_equal(msr_row_offered(msr_find(MSR_IA32_XSS), &f), f.xsaves);
        assert_true(msr_row_offered(msr_find(MSR_IA32_TSC), &f));
        assert_true(msr_row_offered(msr_find(MSR_IA32_EFER), &f));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),        cmocka_unit_test(test_find),
        cmocka_unit_test(test_not_offered), cmocka_unit_test(test_speculation_msrs),
 cmocka_unit_test(test_capabilities),
 cmocka_unit_test(test_decided),
        cmocka_unit_test(test_switched),    cmocka_unit_test(test_needs),
        cmocka_unit_test(test_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
