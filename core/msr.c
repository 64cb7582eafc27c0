/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Look-up of MSR policy rows. PURE.
 */
#include "core/msr.h"

#include "arch/x86/msr.h"

/* The writing column knows one action more than the reading column. */
#define ACTION_FAULT    MSR_FAULT
#define ACTION_HARDWARE MSR_HARDWARE
#define ACTION_SWITCHED MSR_HARDWARE
#define ACTION_CONST    MSR_CONST
#define ACTION_SAME     MSR_SAME
#define ACTION_CALL     MSR_CALL
#define SWITCHED_FAULT    false
#define SWITCHED_HARDWARE false
#define SWITCHED_SWITCHED true
#define SWITCHED_CONST    false
#define SWITCHED_SAME     false
#define SWITCHED_CALL     false

const struct msr_row msr_rows[] = {
#define MSR(f, l, n, r, w, v, needs_, why_)                                                    \
    [MSR_ROW_##n] = {.first = (f), .last = (l), .read = ACTION_##r, .write = ACTION_##w,       \
                     .needs = MSR_##needs_, .switched = SWITCHED_##w, .value = (v), .name = #n, \
                     .why = (why_)},
#include "core/msr.def"
#undef MSR
};
const size_t msr_row_count = ARRAY_LEN(msr_rows);

const struct msr_row *msr_find(uint32_t msr)
{
    /* The compiler makes a decision tree of this: no table is searched on an exit. */
    switch (msr) {
#define MSR(first, last, name, read, write, value, needs, why) \
    case (first)... (last):                                    \
        return &msr_rows[MSR_ROW_##name];
#include "core/msr.def"
#undef MSR
    default:
        return NULL;
    }
}

bool msr_row_offered(const struct msr_row *row, const struct msr_features *features)
{
    switch (row->needs) {
    case MSR_RDTSCP:
        return features->rdtscp;
    case MSR_XSAVES:
        return features->xsaves;
    case MSR_SPEC_CTRL:
        return features->spec_ctrl;
    case MSR_PRED_CMD:
        return features->pred_cmd;
    case MSR_FLUSH_CMD:
        return features->flush_cmd;
    case MSR_ARCH_CAPABILITIES:
        return features->arch_capabilities;
    default:
        return true;
    }
}

uint64_t msr_guest_capabilities(uint64_t host)
{
    /* Left out: bits that announce a register of their own (TSX_CTRL, FB_CLEAR_CTRL, GDS_CTRL, the
     * MISC ones), and SKIP_L1DFL_VMENTRY, which speaks to nested hypervisors. */
    return host & (ARCH_CAP_RDCL_NO | ARCH_CAP_IBRS_ALL | ARCH_CAP_RSBA | ARCH_CAP_SSB_NO |
                   ARCH_CAP_MDS_NO | ARCH_CAP_PSCHANGE_MC_NO | ARCH_CAP_TAA_NO |
                   ARCH_CAP_SBDR_SSDP_NO | ARCH_CAP_FBSDP_NO | ARCH_CAP_PSDP_NO |
                   ARCH_CAP_FB_CLEAR | ARCH_CAP_RRSBA | ARCH_CAP_BHI_NO | ARCH_CAP_PBRSB_NO |
                   ARCH_CAP_GDS_NO | ARCH_CAP_RFDS_NO | ARCH_CAP_RFDS_CLEAR | ARCH_CAP_ITS_NO);
}
