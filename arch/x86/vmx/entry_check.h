/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Why an entry failed: the manual's checks on controls and guest state, as rules over an image of
 * the VMCS. PURE. Run only after a failure, or in tests; the CPU does the same checks in hardware.
 */
#ifndef ARCH_X86_VMX_ENTRY_CHECK_H
#define ARCH_X86_VMX_ENTRY_CHECK_H

#include "core/lib/bits.h"

enum vmcs_index {
#define VMCS_FIELD(name, encoding, width, access) VMCS_INDEX_##name,
#include "arch/x86/vmx/vmcs_fields.def"
#undef VMCS_FIELD
    VMCS_INDEX_COUNT
};

struct vmcs_image {
    uint64_t value[VMCS_INDEX_COUNT]; /* 0 where the CPU has no such field */
    /* From the capability MSRs. */
    uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
    unsigned maxphyaddr;
};

typedef void entry_rule_fn(void *ctx, const char *field, const char *rule);
/* Calls fn for every rule that img breaks; returns how many. */
unsigned entry_check(const struct vmcs_image *img, entry_rule_fn *fn, void *ctx);

#endif
