/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a guest's linear address to its guest-physical one, through the guest's own page tables and
 * by the processor's rules: permissions, reserved bits, accessed and dirty flags. PURE; reads and
 * writes tables through guest_mem only. Protection keys and shadow stacks are not known here, since
 * no guest is offered them. Have open: SDM, "Paging".
 */
#ifndef MM_GUEST_WALK_H
#define MM_GUEST_WALK_H

#include "core/lib/bits.h"
#include "mm/guest_mem.h"
#include "mm/types.h"

/* The registers that paging depends on, as the guest sees them. */
struct guest_paging {
    uint64_t cr0, cr3, cr4, efer;
    bool ac;              /* RFLAGS.AC */
    uint8_t maxphyaddr;   /* bits, 32 to 52: as CPUID tells the guest */
    bool has_1g;          /* 1G pages: as CPUID tells the guest */
    bool pdpte_valid;     /* PAE: pdpte[] holds what MOV CR3 loaded; else they are read at CR3 */
    uint64_t pdpte[4];
};

/* What is to be done at the address. None of these: a supervisor's data read. */
#define WALK_WRITE    BIT(0)
#define WALK_EXEC     BIT(1)
#define WALK_USER     BIT(2) /* from CPL 3 */
#define WALK_IMPLICIT BIT(3) /* by the processor itself (descriptor tables): AC is no excuse */
#define WALK_PEEK     BIT(4) /* leave accessed and dirty flags alone: for reports */

/* Page-fault error code. */
#define PF_PRESENT    BIT(0)
#define PF_WRITE      BIT(1)
#define PF_USER       BIT(2)
#define PF_RSVD       BIT(3)
#define PF_FETCH      BIT(4)

enum walk_result {
    WALK_OK,
    WALK_FAULT,        /* #PF with the error code */
    WALK_NONCANONICAL, /* #GP or #SS, the caller knows which */
    WALK_NO_MEMORY,    /* a table, or in a copy the data, is not in RAM */
    WALK_RETRY,        /* another vCPU keeps changing the tables: let the guest try again */
};

struct walk_info {
    gpa_t gpa;           /* WALK_OK: the translation. WALK_NO_MEMORY: the address that is not RAM */
    gva_t gva;           /* copies: the first byte that could not be reached */
    uint32_t error_code; /* WALK_FAULT: PF_* */
    uint64_t page_size;  /* WALK_OK: bytes of the page; 4K without paging */
};

/* Translates one address. Outside IA-32e mode only the low 32 bits of gva count. Sets the accessed
 * and dirty flags by compare-and-exchange when, and only when, the access is allowed. A page
 * directory pointer entry with reserved bits set is reported as PF_RSVD. */
MUST_CHECK enum walk_result guest_walk(const struct guest_paging *p, struct guest_mem *gm,
                                       gva_t gva, unsigned access, struct walk_info *out);

/* What a walk through 4-level tables has found, in a form that a few loads show to be true still.
 * Fewer than four levels: the last entry stands again in their place. */
#define WALK_PROOF 4
struct walk_proof {
    gpa_t page;                 /* the 4K page that the address is in */
    gpa_t at[WALK_PROOF];       /* the entries, from the top */
    uint64_t entry[WALK_PROOF]; /* with the flags that the access sets */
};

/* As guest_walk(); true: the address is translated and *proof says how. In other paging modes it is
 * always false. */
MUST_CHECK bool guest_walk_prove(const struct guest_paging *p, struct guest_mem *gm, gva_t gva,
                                 unsigned access, struct walk_proof *proof);

/* True: all entries are as they were, accessed and dirty flags included, so that a walk from the
 * same CR3 in the same mode would give the same page and change nothing. Rights depend on more than
 * entries (CPL, CR0, CR4, RFLAGS): for an access that the CPU itself has got past its checks.
 * window: the guest memory's. */
static inline bool guest_walk_proved(const struct walk_proof *p, const uint8_t *window)
{
    return likely(guest_reload64(window, p->at[0]) == p->entry[0]) &&
           likely(guest_reload64(window, p->at[1]) == p->entry[1]) &&
           likely(guest_reload64(window, p->at[2]) == p->entry[2]) &&
           likely(guest_reload64(window, p->at[3]) == p->entry[3]);
}

/* Copy n bytes from or to linear addresses, which may cross pages and wrap at the top. access adds
 * WALK_USER, WALK_EXEC, WALK_IMPLICIT as fits. All pages are translated before the first byte is
 * written to the guest, so a failing guest_copy_to() has changed no data. */
MUST_CHECK enum walk_result guest_copy_from(const struct guest_paging *p, struct guest_mem *gm,
                                            gva_t gva, unsigned access, void *dst, size_t n,
                                            struct walk_info *out);
MUST_CHECK enum walk_result guest_copy_to(const struct guest_paging *p, struct guest_mem *gm,
                                          gva_t gva, unsigned access, const void *src, size_t n,
                                          struct walk_info *out);

#endif
