/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What CPUID shows a guest. PURE: the rows of cpuid.def are applied once to the CPUID of a host,
 * which is read through a function, and the result is a table of final registers; an exit only
 * looks it up. Nothing that the policy has not named is shown. SDM: instruction reference, "CPUID";
 * chapter "Managing State Using the XSAVE Feature Set" for the sizes in leaf 0Dh.
 */
#ifndef CORE_CPUID_H
#define CORE_CPUID_H

#include "arch/x86/cpuid.h"
#include "core/lib/bits.h"

/* What the backend and the hypervisor's own state switching allow a guest to use. */
struct cpuid_features {
    bool rdtscp, invpcid, xsaves; /* the VM-execution control of that name is on */
    uint64_t xcr0;                /* state components that a guest may enable; 0: no XSAVE */
    uint32_t tsc_khz;             /* rate of the guest's TSC */
};

typedef void cpuid_read_fn(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out);

#define CPUID_BASIC_LEAVES      0x20
#define CPUID_HYPERVISOR_LEAVES 0x11
#define CPUID_EXTENDED_LEAVES   9
#define CPUID_CACHE_SUBLEAVES   8
#define CPUID_FEATURE_SUBLEAVES 3
#define CPUID_XSAVE_SUBLEAVES   64

/* Final registers by leaf; what cpuid_look_up() still adds are the few bits that follow the vCPU's
 * own registers. Written by cpuid_build() only. */
struct cpuid_table {
    uint32_t max_basic;      /* highest basic leaf: 1..0Dh */
    uint32_t extended_count; /* leaves from 80000000h on; 0: there are none */
    uint64_t xcr0;           /* components offered; 0: no XSAVE */
    struct cpuid_regs basic[CPUID_BASIC_LEAVES];
    struct cpuid_regs caches[CPUID_CACHE_SUBLEAVES];     /* leaf 4 */
    struct cpuid_regs features[CPUID_FEATURE_SUBLEAVES]; /* leaf 7 */
    struct cpuid_regs xsave[CPUID_XSAVE_SUBLEAVES];      /* leaf 0Dh */
    struct cpuid_regs hypervisor[CPUID_HYPERVISOR_LEAVES];
    struct cpuid_regs extended[CPUID_EXTENDED_LEAVES];
};

/* The vCPU's own state that shows in CPUID. cr4 counts for leaf 1 only, xcr0 for leaf 0Dh (and for
 * leaves above the maximum, which answer as 0Dh does). */
struct cpuid_dynamic {
    uint64_t cr4;
    uint64_t xcr0;
    uint32_t apic_id;
    uint32_t cpus; /* vCPUs of the VM: ids 0 to cpus - 1 */
    bool apic_off; /* IA32_APIC_BASE says so: leaf 1 then knows no APIC */
};

/* Fills the whole table. host is asked only for leaves that it says it has. */
void cpuid_build(struct cpuid_table *t, cpuid_read_fn *host, const struct cpuid_features *f);

/* The four registers for a leaf and subleaf, as guest software gave them in EAX and ECX. */
void cpuid_look_up(const struct cpuid_table *t, uint32_t leaf, uint32_t subleaf,
                   const struct cpuid_dynamic *d, struct cpuid_regs *out);

/* Basic leaves whose answer depends on the subleaf or on the vCPU. */
#define CPUID_SPECIAL_LEAVES (BIT(1) | BIT(4) | BIT(7) | BIT(0xb) | BIT(0xd))

/* The registers of a basic leaf whose answer is always the same; NULL: ask cpuid_look_up(). */
static inline const struct cpuid_regs *cpuid_plain(const struct cpuid_table *t, uint32_t leaf)
{
    if (leaf > t->max_basic || (CPUID_SPECIAL_LEAVES >> leaf & 1))
        return NULL;
    return &t->basic[leaf];
}

/* The CR4 bits that a guest may set: each follows from a feature that the table shows. */
uint64_t cpuid_cr4_bits(const struct cpuid_table *t);

#endif
