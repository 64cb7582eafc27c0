/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether a guest may write a value to a control register, IA32_EFER or XCR0, and what the register
 * then holds. PURE: the registers come in as numbers; faulting and storing is the caller's. SDM:
 * "Control Registers" and "Extended Control Registers" in the chapter "System Architecture
 * Overview", "Activating IA-32e Mode" in "Processor Management and Initialization".
 */
#ifndef CORE_CR_H
#define CORE_CR_H

#include "core/lib/bits.h"

enum cr_verdict { CR_OK, CR_GP };

/* old, cr4, efer: the guest's registers before the write; cs_l: the L bit of CS. *out is set only
 * with CR_OK: ET is always 1, unknown bits of the low half are dropped, as processors do. */
MUST_CHECK enum cr_verdict cr0_check_write(uint64_t old, uint64_t value, uint64_t cr4,
                                           uint64_t efer, bool cs_l, uint64_t *out);

/* allowed: the bits a guest may set, cpuid_cr4_bits(). With CR_OK value is what CR4 then holds. */
MUST_CHECK enum cr_verdict cr4_check_write(uint64_t old, uint64_t value, uint64_t allowed,
                                           uint64_t cr0, uint64_t cr3, uint64_t efer);

/* True if this change of CR4 makes a processor with PAE paging on load its PDPTEs anew. */
bool cr4_needs_pdptes(uint64_t old, uint64_t value);

/* allowed: of SCE, LME and NXE those that are offered. LMA is read-only: *out, set only with CR_OK,
 * keeps the old one whatever was written. */
MUST_CHECK enum cr_verdict efer_check_write(uint64_t old, uint64_t value, uint64_t cr0,
                                            uint64_t allowed, uint64_t *out);

/* XSETBV with index in ECX and value in EDX:EAX; allowed: the components offered. CPL and
 * CR4.OSXSAVE are the caller's to check. */
MUST_CHECK enum cr_verdict xcr0_check_write(uint32_t index, uint64_t value, uint64_t allowed);

/* One of the four PAE page-directory-pointer-table entries: not present, or present with no
 * reserved bit set. */
bool pdpte_valid(uint64_t pdpte, unsigned maxphyaddr);

#endif
