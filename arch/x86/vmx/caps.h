/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the raw capability MSRs to control words, or to the list of what is missing. PURE: the MSRs
 * are read elsewhere (vmx.c), so that every CPU model is a unit test. SDM: appendix "VMX Capability
 * Reporting Facility".
 */
#ifndef ARCH_X86_VMX_CAPS_H
#define ARCH_X86_VMX_CAPS_H

#include "core/lib/bits.h"

enum vmx_word { WORD_PIN, WORD_PROC, WORD_PROC2, WORD_EXIT, WORD_ENTRY, WORD_COUNT };

enum vmx_need { NEED_REQUIRED, NEED_WANTED, NEED_LATER, NEED_OFF };

/* One bit mask per control: VMX_CTL_ENABLE_EPT and so on. */
enum vmx_control_bit {
#define CONTROL(word, bit, name, need, why) VMX_BIT_##name = (bit),
#include "arch/x86/vmx/controls.def"
#undef CONTROL
};
#define VMX_CTL(name)     ((uint32_t)BIT(VMX_BIT_##name))

/* Of PROC2: set together or not at all, while a guest's APIC is in x2APIC mode. */
#define VMX_CTL_APICV                                                         \
    (VMX_CTL(VIRTUALIZE_X2APIC_MODE) | VMX_CTL(APIC_REGISTER_VIRTUALIZATION) | \
     VMX_CTL(VIRTUAL_INTERRUPT_DELIVERY))

#define EPT_CAP_WALK_4    BIT(6)
#define EPT_CAP_WB        BIT(14)
#define EPT_CAP_2M        BIT(16)
#define EPT_CAP_1G        BIT(17)
#define EPT_CAP_INVEPT    BIT(20)
#define EPT_CAP_AD        BIT(21)
#define EPT_CAP_INVEPT_SINGLE BIT(25)
#define EPT_CAP_INVEPT_ALL    BIT(26)
#define VPID_CAP_INVVPID  BIT(32)
#define VPID_CAP_SINGLE   BIT(41)
#define VPID_CAP_ALL      BIT(42)

/* As read from the CPU; words hold allowed-1 settings in 63:32 and allowed-0 in 31:0. When vmx is
 * false the MSRs do not exist and every other field is 0. */
struct vmx_raw {
    bool vmx;                 /* CPUID.1:ECX.VMX */
    bool nx;
    uint64_t feature_control; /* IA32_FEATURE_CONTROL */
    uint64_t basic;           /* IA32_VMX_BASIC */
    uint64_t word[WORD_COUNT]; /* the TRUE ones where basic[55] says that they exist */
    uint64_t misc;
    uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
    uint64_t ept_vpid;
};

struct vmx_caps {
    uint32_t word[WORD_COUNT];    /* to write into a VMCS */
    uint32_t allowed1[WORD_COUNT]; /* what may be added */
    bool can_run;                 /* nothing REQUIRED is missing */
    bool ept_1g, ept_ad, invept_single, invvpid_single;
    bool apicv;                   /* x2APIC accesses and interrupt delivery in hardware */
    uint32_t xapic;               /* of PROC2, for an xAPIC in hardware; 0: cannot be */
    unsigned timer_shift;         /* the preemption timer counts once per 2^shift TSC ticks */
    unsigned missing;             /* REQUIRED rows that failed */
};

/* Takes the controls that can be done without (WANTED, LATER) and whose names stand in list
 * (comma-separated) out of what the CPU offers: each degradation can be tried on any machine.
 * Returns the first word that names none, or NULL. */
const char *vmx_caps_without(struct vmx_raw *raw, const char *list);
MUST_CHECK bool vmx_negotiate(const struct vmx_raw *raw, struct vmx_caps *out);

/* The first capability in which b, another CPU of the machine, differs from a, in words; NULL:
 * a VMCS made for one runs on the other. Whether VMX is locked yet does not matter. */
const char *vmx_caps_differ(const struct vmx_raw *a, const struct vmx_raw *b);

/* One row of the have/want/need table. */
struct vmx_caps_row {
    const char *name;
    enum vmx_need need;
    bool have;
    const char *why;    /* what it is for */
    const char *advice; /* what to do when it is missing; NULL: nothing can be done */
};

typedef void vmx_caps_row_fn(void *ctx, const struct vmx_caps_row *row);
/* Calls fn for every REQUIRED and WANTED row, in order of dependence. */
void vmx_caps_for_each(const struct vmx_raw *raw, vmx_caps_row_fn *fn, void *ctx);

#endif
