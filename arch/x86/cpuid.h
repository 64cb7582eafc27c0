/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The CPUID bits which the hypervisor itself looks at, as in the SDM's instruction reference,
 * "CPUID". Guest policy is core/cpuid.def. Constants only.
 */
#ifndef ARCH_X86_CPUID_H
#define ARCH_X86_CPUID_H

#include "core/lib/bits.h"

struct cpuid_regs {
    uint32_t eax, ebx, ecx, edx;
};

/* Leaf 1, ECX. */
#define CPUID_1_ECX_MONITOR       BIT(3)
#define CPUID_1_ECX_VMX           BIT(5)
#define CPUID_1_ECX_PCID          BIT(17)
#define CPUID_1_ECX_X2APIC        BIT(21)
#define CPUID_1_ECX_TSC_DEADLINE  BIT(24)
#define CPUID_1_ECX_XSAVE         BIT(26)
#define CPUID_1_ECX_OSXSAVE       BIT(27)
#define CPUID_1_ECX_AVX           BIT(28)
#define CPUID_1_ECX_HYPERVISOR    BIT(31)
/* Leaf 1, EDX. */
#define CPUID_1_EDX_MCE           BIT(7)
#define CPUID_1_EDX_APIC          BIT(9)
#define CPUID_1_EDX_MTRR          BIT(12)
#define CPUID_1_EDX_PGE           BIT(13)
#define CPUID_1_EDX_PAT           BIT(16)
#define CPUID_1_EDX_FXSR          BIT(24)
/* Leaf 7, subleaf 0, EBX. */
#define CPUID_7_EBX_FSGSBASE      BIT(0)
#define CPUID_7_EBX_TSC_ADJUST    BIT(1)
#define CPUID_7_EBX_SMEP          BIT(7)
#define CPUID_7_EBX_INVPCID       BIT(10)
#define CPUID_7_EBX_RTM           BIT(11)
#define CPUID_7_EBX_SMAP          BIT(20)
/* Leaf 7, subleaf 0, ECX. */
#define CPUID_7_ECX_UMIP          BIT(2)
#define CPUID_7_ECX_LA57          BIT(16)
/* Leaf 7, subleaf 0, EDX. */
#define CPUID_7_EDX_MD_CLEAR      BIT(10)
#define CPUID_7_EDX_SPEC_CTRL     BIT(26) /* IBRS and IBPB */
#define CPUID_7_EDX_STIBP         BIT(27)
#define CPUID_7_EDX_L1D_FLUSH     BIT(28)
#define CPUID_7_EDX_ARCH_CAPABILITIES BIT(29)
#define CPUID_7_EDX_SSBD          BIT(31)
/* Leaf 0Dh, subleaf 1, EAX. */
#define CPUID_D1_EAX_XSAVEOPT     BIT(0)
#define CPUID_D1_EAX_XSAVEC       BIT(1)
#define CPUID_D1_EAX_XSAVES       BIT(3)
/* Leaf 80000001h, EDX. */
#define CPUID_80000001_EDX_NX     BIT(20)
#define CPUID_80000001_EDX_1G     BIT(26)
#define CPUID_80000001_EDX_RDTSCP BIT(27)
#define CPUID_80000001_EDX_LM     BIT(29)
/* Leaf 80000007h, EDX. */
#define CPUID_80000007_EDX_INVARIANT_TSC BIT(8)

#endif
