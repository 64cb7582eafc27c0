/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's MSRs as policy: rows of msr.def and a look-up. PURE. What a CALL row does is in
 * msr_exit.c; the backend derives its hardware bitmap from the same rows.
 */
#ifndef CORE_MSR_H
#define CORE_MSR_H

#include "core/lib/bits.h"

enum msr_action { MSR_FAULT, MSR_HARDWARE, MSR_CONST, MSR_SAME, MSR_CALL };
enum msr_needs {
    MSR_ALWAYS,
    MSR_RDTSCP,
    MSR_XSAVES,
    MSR_SPEC_CTRL,
    MSR_PRED_CMD,
    MSR_FLUSH_CMD,
    MSR_ARCH_CAPABILITIES,
};

/* What the backend can offer. */
struct msr_features {
    bool rdtscp, xsaves;
    bool spec_ctrl, pred_cmd, flush_cmd, arch_capabilities; /* MSRs that the CPU has */
};

struct msr_row {
    uint32_t first, last;
    uint8_t read, write; /* enum msr_action; SWITCHED has become HARDWARE with switched set */
    uint8_t needs;
    bool switched;
    uint64_t value;
    const char *name, *why;
};

extern const struct msr_row msr_rows[];
extern const size_t msr_row_count;

/* Index of each row in msr_rows: MSR_ROW_IA32_TSC and so on. */
enum msr_row_index {
#define MSR(first, last, name, read, write, value, needs, why) MSR_ROW_##name,
#include "core/msr.def"
#undef MSR
    MSR_ROW_COUNT
};

/* The row of an MSR number, or NULL. */
const struct msr_row *msr_find(uint32_t msr);
bool msr_row_offered(const struct msr_row *row, const struct msr_features *features);
/* What a guest sees of the host's IA32_ARCH_CAPABILITIES: what is so in a guest as well. */
uint64_t msr_guest_capabilities(uint64_t host);

#endif
