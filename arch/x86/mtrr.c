/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Some firmware sets the memory type ranges of the boot CPU only. CPUs that disagree about a page's
 * memory type lose each other's writes, so a started CPU takes the boot CPU's. SDM: "Memory Type
 * Range Registers (MTRRs)", "MTRR Considerations in MP Systems".
 */
#include "arch/x86/mtrr.h"

#include "arch/x86/cr.h"
#include "arch/x86/exception.h"
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"

#define CAP_COUNT       0xffu
#define CAP_FIXED       BIT(8)
#define DEF_TYPE_ENABLE BIT(11)
#define PAIRS_MAX       32u

static const uint32_t fixed[] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
                                 0x26b, 0x26c, 0x26d, 0x26e, 0x26f};
static bool known;
static uint32_t variable_count; /* MSRs, two a range */
static bool has_fixed;
static uint64_t def_type, variable_values[PAIRS_MAX * 2], fixed_values[ARRAY_LEN(fixed)];

/* An MSR that faults reads as 0 everywhere, which is the same everywhere. */
static uint64_t read(uint32_t msr)
{
    uint64_t v;
    return rdmsr_safe(msr, &v) ? v : 0;
}

void mtrr_save(void)
{
    uint64_t cap;
    if (!(cpuid(1, 0).edx & CPUID_1_EDX_MTRR) || !rdmsr_safe(MSR_IA32_MTRRCAP, &cap))
        return;
    variable_count = (uint32_t)min_u64(cap & CAP_COUNT, PAIRS_MAX) * 2;
    has_fixed = cap & CAP_FIXED;
    def_type = read(MSR_IA32_MTRR_DEF_TYPE);
    for (uint32_t i = 0; i < variable_count; i++)
        variable_values[i] = read(MSR_IA32_MTRR_PHYSBASE0 + i);
    for (uint32_t i = 0; has_fixed && i < ARRAY_LEN(fixed); i++)
        fixed_values[i] = read(fixed[i]);
    known = true;
}

static bool same(void)
{
    bool all = read(MSR_IA32_MTRR_DEF_TYPE) == def_type;
    for (uint32_t i = 0; i < variable_count; i++)
        all &= read(MSR_IA32_MTRR_PHYSBASE0 + i) == variable_values[i];
    for (uint32_t i = 0; has_fixed && i < ARRAY_LEN(fixed); i++)
        all &= read(fixed[i]) == fixed_values[i];
    return all;
}

static bool write_all(void)
{
    bool ok = wrmsr_safe(MSR_IA32_MTRR_DEF_TYPE, def_type & ~DEF_TYPE_ENABLE);
    for (uint32_t i = 0; i < variable_count; i++)
        ok &= wrmsr_safe(MSR_IA32_MTRR_PHYSBASE0 + i, variable_values[i]);
    for (uint32_t i = 0; has_fixed && i < ARRAY_LEN(fixed); i++)
        ok &= wrmsr_safe(fixed[i], fixed_values[i]);
    return ok & wrmsr_safe(MSR_IA32_MTRR_DEF_TYPE, def_type);
}

/* The manual's sequence, on this CPU alone: the others run with these values already. */
bool mtrr_follow(void)
{
    if (!known || same())
        return false;
    uint64_t cr0 = read_cr0();
    write_cr0((cr0 | CR0_CD) & ~CR0_NW);
    wbinvd();
    write_cr3(read_cr3());
    bool ok = write_all();
    wbinvd();
    write_cr3(read_cr3());
    write_cr0(cr0);
    return ok;
}
