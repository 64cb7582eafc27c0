/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Look-up of MSR policy rows. PURE.
 */
#include "core/msr.h"

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
    default:
        return true;
    }
}
