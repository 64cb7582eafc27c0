/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hypervisor's selectors and the access-right bits of segments in the layout which VMCS fields
 * use, as in the SDM's chapters "Protected-Mode Memory Management" and "Virtual Machine Control
 * Structures". Constants only.
 */
#ifndef ARCH_X86_SEG_H
#define ARCH_X86_SEG_H

/* Selectors in the hypervisor's GDT. */
#define SEL_NULL         0x00
#define SEL_CODE         0x08
#define SEL_DATA         0x10
#define SEL_TSS          0x18 /* 16 bytes */
#define GDT_ENTRIES      5

/* Interrupt stack table slots, from 1. */
#define IST_NMI          1
#define IST_DF           2
#define IST_MC           3
#define IST_COUNT        3

/* Access rights as the VMCS stores them: descriptor bits 55:40, plus "unusable". */
#define AR_TYPE          0x000f
#define AR_ACCESSED      0x0001
#define AR_S             0x0010
#define AR_DPL_SHIFT     5
#define AR_DPL(ar)       (((ar) >> AR_DPL_SHIFT) & 3)
#define AR_P             0x0080
#define AR_L             0x2000
#define AR_DB            0x4000
#define AR_G             0x8000
#define AR_UNUSABLE      0x10000
#define AR_RESERVED      0xfffe0f00u

#define AR_TYPE_DATA_RW  0x3 /* read/write, accessed */
#define AR_TYPE_CODE_RX  0xb /* execute/read, accessed */
#define AR_TYPE_LDT      0x2
#define AR_TYPE_TSS_BUSY 0xb
#define AR_TYPE_TSS16_BUSY 0x3

#endif
