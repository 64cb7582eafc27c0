/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch/x86/flaws.c: which remedies a CPU needs and has, for CPUs of several generations as they
 * describe themselves.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "arch/x86/cpuid.h"
#include "arch/x86/flaws.h"
#include "arch/x86/msr.h"
#include "core/lib/string.h"

#define ALL_EDX ((uint32_t)(CPUID_7_EDX_MD_CLEAR | CPUID_7_EDX_SPEC_CTRL | CPUID_7_EDX_L1D_FLUSH | \
                            CPUID_7_EDX_ARCH_CAPABILITIES))
#define MMIO_NO (ARCH_CAP_SBDR_SSDP_NO | ARCH_CAP_FBSDP_NO | ARCH_CAP_PSDP_NO)

#define UN   REMEDY_UNNEEDED
#define ON   REMEDY_ON
#define MISS REMEDY_MISSING

static const struct {
    const char *name;
    struct flaws_raw raw;
    enum remedy_state state[REMEDY_COUNT]; /* IBPB, L1D, VERW, small code pages */
} cpus[] = {
    {"Sandy Bridge before any microcode", {true, 0x206a7, 0, 0, 0}, {MISS, MISS, MISS, ON}},
    {"Skylake-X with microcode", {true, 0x50654, CPUID_7_EBX_RTM, ALL_EDX, ARCH_CAP_RSBA},
     {ON, ON, ON, ON}},
    {"Cascade Lake", {true, 0x50657, CPUID_7_EBX_RTM, ALL_EDX,
                      ARCH_CAP_RDCL_NO | ARCH_CAP_IBRS_ALL | ARCH_CAP_MDS_NO}, {ON, UN, ON, ON}},
    {"Cascade Lake, TSX off", {true, 0x50657, 0, ALL_EDX,
                      ARCH_CAP_RDCL_NO | ARCH_CAP_MDS_NO}, {ON, UN, UN, ON}},
    {"Ice Lake server", {true, 0x606a6, 0, ALL_EDX,
                         ARCH_CAP_RDCL_NO | ARCH_CAP_MDS_NO | ARCH_CAP_PSCHANGE_MC_NO |
                             ARCH_CAP_TAA_NO | ARCH_CAP_FB_CLEAR}, {ON, UN, ON, UN}},
    {"Sapphire Rapids", {true, 0x806f8, CPUID_7_EBX_RTM, ALL_EDX,
                         ARCH_CAP_RDCL_NO | ARCH_CAP_MDS_NO | ARCH_CAP_PSCHANGE_MC_NO |
                             ARCH_CAP_TAA_NO | ARCH_CAP_FB_CLEAR | MMIO_NO}, {ON, UN, UN, UN}},
    {"Alder Lake's small core", {true, 0xb06e0, 0, ALL_EDX,
                         ARCH_CAP_RDCL_NO | ARCH_CAP_MDS_NO | ARCH_CAP_PSCHANGE_MC_NO |
                             ARCH_CAP_TAA_NO | MMIO_NO | ARCH_CAP_RFDS_CLEAR}, {ON, UN, ON, UN}},
    {"Goldmont", {true, 0x506c9, 0, ALL_EDX, ARCH_CAP_MDS_NO}, {ON, UN, UN, UN}},
    {"AMD Rome", {false, 0x830f10, 0, 0, 0}, {MISS, UN, UN, UN}},
};

static void test_generations(void **state)
{
    struct remedy_row row[REMEDY_COUNT];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cpus); i++) {
        flaws_judge(&cpus[i].raw, false, row);
        for (unsigned r = 0; r < REMEDY_COUNT; r++)
            if (row[r].state != cpus[i].state[r])
                fail_msg("%s: %s: %s", cpus[i].name, row[r].name,
                         remedy_state_name(row[r].state));
    }
}

/* Switching off takes away what would be on, and hides neither what is not needed nor what lacks
 * its means. */
static void test_off(void **state)
{
    struct remedy_row row[REMEDY_COUNT];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cpus); i++) {
        flaws_judge(&cpus[i].raw, true, row);
        for (unsigned r = 0; r < REMEDY_COUNT; r++) {
            enum remedy_state want = cpus[i].state[r] == ON ? REMEDY_OFF : cpus[i].state[r];
            assert_int_equal(row[r].state, want);
        }
    }
}

/* One bit at a time: a CPU that says it has not this flaw, and has all others. */
static void test_each_bit(void **state)
{
    const struct {
        uint64_t bit;
        enum remedy remedy;
    } bits[] = {{ARCH_CAP_RDCL_NO, REMEDY_L1D}, {ARCH_CAP_MDS_NO, REMEDY_VERW},
                {ARCH_CAP_PSCHANGE_MC_NO, REMEDY_SMALL_CODE}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bits); i++) {
        struct remedy_row row[REMEDY_COUNT];
        const struct flaws_raw raw = {true, 0x306c3, 0, ALL_EDX, bits[i].bit};
        flaws_judge(&raw, false, row);
        for (unsigned r = 0; r < REMEDY_COUNT; r++)
            assert_int_equal(row[r].state, r == bits[i].remedy ? REMEDY_UNNEEDED : REMEDY_ON);
    }
}

static void test_names(void **state)
{
    struct remedy_row row[REMEDY_COUNT];
    (void)state;
    flaws_judge(&cpus[0].raw, false, row);
    for (unsigned r = 0; r < REMEDY_COUNT; r++)
        assert_true(strlen(row[r].name) > 0 && strlen(row[r].against) > 0);
    for (unsigned s = REMEDY_UNNEEDED; s <= REMEDY_MISSING; s++)
        assert_true(strlen(remedy_state_name((enum remedy_state)s)) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_generations),
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_each_bit),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
