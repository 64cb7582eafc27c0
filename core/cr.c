/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The checks of MOV to CR0 and CR4, WRMSR to IA32_EFER and XSETBV, one rule a line. PURE. SDM:
 * "Control Registers", "Activating IA-32e Mode", "XSETBV" in the instruction reference.
 */
#include "core/cr.h"

#include "arch/x86/cr.h"
#include "arch/x86/msr.h"
#include "arch/x86/regs.h"

#define CR0_KNOWN                                                                               \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | \
     CR0_PG)

enum cr_verdict cr0_check_write(uint64_t old, uint64_t value, uint64_t cr4, uint64_t efer,
                                bool cs_l, uint64_t *out)
{
    bool pages_now = value & CR0_PG, paged = old & CR0_PG;
    if (value & BITS(63, 32))
        return CR_GP;
    if (pages_now && !(value & CR0_PE))
        return CR_GP;
    if ((value & CR0_NW) && !(value & CR0_CD))
        return CR_GP;
    if (!(value & CR0_WP) && (cr4 & CR4_CET))
        return CR_GP;
    /* Entering IA-32e mode: from 32-bit code, with the tables that it needs. */
    if (pages_now && !paged && (efer & EFER_LME) && (!(cr4 & CR4_PAE) || cs_l))
        return CR_GP;
    /* Leaving it: from compatibility mode, and without PCIDs. */
    if (!pages_now && paged && ((cr4 & CR4_PCIDE) || ((efer & EFER_LMA) && cs_l)))
        return CR_GP;
    *out = (value & CR0_KNOWN) | CR0_ET;
    return CR_OK;
}

enum cr_verdict cr4_check_write(uint64_t old, uint64_t value, uint64_t allowed, uint64_t cr0,
                                uint64_t cr3, uint64_t efer)
{
    bool long_mode = efer & EFER_LMA;
    uint64_t set = value & ~old;
    if (value & ~allowed)
        return CR_GP;
    if (long_mode && (!(value & CR4_PAE) || ((old ^ value) & CR4_LA57)))
        return CR_GP;
    if ((set & CR4_PCIDE) && (!long_mode || (cr3 & BITS(11, 0))))
        return CR_GP;
    if ((value & CR4_CET) && !(cr0 & CR0_WP))
        return CR_GP;
    return CR_OK;
}

bool cr4_needs_pdptes(uint64_t old, uint64_t value)
{
    return (old ^ value) & (CR4_PGE | CR4_PSE | CR4_PAE | CR4_SMEP);
}

enum cr_verdict efer_check_write(uint64_t old, uint64_t value, uint64_t cr0, uint64_t allowed,
                                 uint64_t *out)
{
    if (value & ~(allowed | EFER_LMA))
        return CR_GP;
    if (((old ^ value) & EFER_LME) && (cr0 & CR0_PG))
        return CR_GP;
    *out = (value & ~EFER_LMA) | (old & EFER_LMA);
    return CR_OK;
}

enum cr_verdict xcr0_check_write(uint32_t index, uint64_t value, uint64_t allowed)
{
    uint64_t avx512 = value & XCR0_AVX512;
    if (index != 0 || (value & ~allowed) || !(value & XCR0_X87))
        return CR_GP;
    if ((value & XCR0_AVX) && !(value & XCR0_SSE))
        return CR_GP;
    if (avx512 && (avx512 != XCR0_AVX512 || !(value & XCR0_AVX)))
        return CR_GP;
    if ((value & XCR0_MPX) && (value & XCR0_MPX) != XCR0_MPX)
        return CR_GP;
    return CR_OK;
}

bool pdpte_valid(uint64_t pdpte, unsigned maxphyaddr)
{
    uint64_t reserved = BITS(2, 1) | BITS(8, 5);
    if (maxphyaddr < 64)
        reserved |= ~UINT64_C(0) << maxphyaddr;
    return !(pdpte & BIT(0)) || !(pdpte & reserved);
}
