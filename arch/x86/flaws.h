/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a CPU leaks from one VM to the next, and what Plinth does about it: a judgement over what
 * the CPU says of itself, as rows. PURE; reading the CPU and doing it is barrier.c's. Have open:
 * SDM, "CPUID" leaf 7 and "IA32_ARCH_CAPABILITIES"; Intel's guidance papers on each flaw.
 */
#ifndef ARCH_X86_FLAWS_H
#define ARCH_X86_FLAWS_H

#include "core/lib/bits.h"

/* Read off the CPU; 0 where it does not have such a leaf or register. */
struct flaws_raw {
    bool intel;
    uint32_t signature;    /* leaf 1, EAX */
    uint32_t ebx, edx;     /* leaf 7, subleaf 0 */
    uint64_t capabilities; /* IA32_ARCH_CAPABILITIES */
};

enum remedy { REMEDY_IBPB, REMEDY_L1D, REMEDY_VERW, REMEDY_SMALL_CODE, REMEDY_COUNT };

enum remedy_state {
    REMEDY_UNNEEDED, /* the CPU says, or is known, not to have the flaw */
    REMEDY_ON,
    REMEDY_OFF,      /* needed, and switched off on the command line */
    REMEDY_MISSING,  /* needed, but the CPU's microcode does not know the means */
};

struct remedy_row {
    const char *name, *against;
    enum remedy_state state;
};

/* Fills all rows. off: mitigations=off. */
void flaws_judge(const struct flaws_raw *raw, bool off, struct remedy_row row[REMEDY_COUNT]);
const char *remedy_state_name(enum remedy_state state);

#endif
