/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bits of RFLAGS, the debug registers and the exception vectors, as in the SDM's chapters "Basic
 * Execution Environment", "Debug, Branch Profile, TSC" and "Interrupt and Exception Handling".
 * Constants only.
 */
#ifndef ARCH_X86_REGS_H
#define ARCH_X86_REGS_H

#include "core/lib/bits.h"

#define RFLAGS_CF       BIT(0)
#define RFLAGS_FIXED1   BIT(1)
#define RFLAGS_TF       BIT(8)
#define RFLAGS_IF       BIT(9)
#define RFLAGS_DF       BIT(10)
#define RFLAGS_RF       BIT(16)
#define RFLAGS_VM       BIT(17)
#define RFLAGS_AC       BIT(18)
/* The bits that always read as zero. */
#define RFLAGS_RESERVED (BITS(63, 22) | BIT(15) | BIT(5) | BIT(3))

#define DR6_BD          BIT(13)
#define DR6_BS          BIT(14)
#define DR6_RTM         BIT(16) /* reads as 1 without an RTM debug exception */
#define DR6_RESET       UINT64_C(0xffff0ff0)
#define DR6_WRITABLE    (BITS(3, 0) | BITS(15, 13))
#define DR7_GD          BIT(13)
#define DR7_ENABLES     BITS(7, 0) /* L0 to G3 */
#define DR7_RESET       UINT64_C(0x400)
#define DR7_FIXED1      BIT(10)
#define DR7_RESERVED0   (BIT(11) | BIT(12) | BIT(14) | BIT(15))

#define VECTOR_DE       0
#define VECTOR_DB       1
#define VECTOR_NMI      2
#define VECTOR_BP       3
#define VECTOR_OF       4
#define VECTOR_BR       5
#define VECTOR_UD       6
#define VECTOR_NM       7
#define VECTOR_DF       8
#define VECTOR_TS       10
#define VECTOR_NP       11
#define VECTOR_SS       12
#define VECTOR_GP       13
#define VECTOR_PF       14
#define VECTOR_MF       16
#define VECTOR_AC       17
#define VECTOR_MC       18
#define VECTOR_XM       19
#define VECTOR_VE       20
#define VECTOR_CP       21

#define XCR0_X87        BIT(0)
#define XCR0_SSE        BIT(1)
#define XCR0_AVX        BIT(2)
#define XCR0_MPX        BITS(4, 3)
#define XCR0_AVX512     BITS(7, 5)

#endif
