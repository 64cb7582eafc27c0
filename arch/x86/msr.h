/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Model-specific register numbers and their bits, as in the SDM's volume "Model-Specific
 * Registers". Constants only.
 */
#ifndef ARCH_X86_MSR_H
#define ARCH_X86_MSR_H

#include "core/lib/bits.h"

#define MSR_IA32_TSC                     0x10
#define MSR_IA32_PLATFORM_ID             0x17
#define MSR_IA32_APIC_BASE               0x1b
#define MSR_IA32_FEATURE_CONTROL         0x3a
#define MSR_IA32_TSC_ADJUST              0x3b
#define MSR_IA32_SPEC_CTRL               0x48
#define MSR_IA32_PRED_CMD                0x49
#define MSR_IA32_BIOS_UPDT_TRIG          0x79
#define MSR_IA32_BIOS_SIGN_ID            0x8b
#define MSR_PLATFORM_INFO                0xce
#define MSR_IA32_MTRRCAP                 0xfe
#define MSR_IA32_ARCH_CAPABILITIES       0x10a
#define MSR_IA32_FLUSH_CMD               0x10b
#define MSR_IA32_SYSENTER_CS             0x174
#define MSR_IA32_SYSENTER_ESP            0x175
#define MSR_IA32_SYSENTER_EIP            0x176
#define MSR_IA32_MCG_CAP                 0x179
#define MSR_IA32_MCG_STATUS              0x17a
#define MSR_IA32_MISC_ENABLE             0x1a0
#define MSR_IA32_DEBUGCTL                0x1d9
#define MSR_IA32_MTRR_PHYSBASE0          0x200
#define MSR_IA32_MTRR_PHYSMASK7          0x20f
#define MSR_IA32_MTRR_FIX64K_00000       0x250
#define MSR_IA32_MTRR_FIX16K_80000       0x258
#define MSR_IA32_MTRR_FIX4K_C0000        0x268
#define MSR_IA32_PAT                     0x277
#define MSR_IA32_MTRR_DEF_TYPE           0x2ff
#define MSR_IA32_VMX_BASIC               0x480
#define MSR_IA32_VMX_PINBASED_CTLS       0x481
#define MSR_IA32_VMX_PROCBASED_CTLS      0x482
#define MSR_IA32_VMX_EXIT_CTLS           0x483
#define MSR_IA32_VMX_ENTRY_CTLS          0x484
#define MSR_IA32_VMX_MISC                0x485
#define MSR_IA32_VMX_CR0_FIXED0          0x486
#define MSR_IA32_VMX_CR0_FIXED1          0x487
#define MSR_IA32_VMX_CR4_FIXED0          0x488
#define MSR_IA32_VMX_CR4_FIXED1          0x489
#define MSR_IA32_VMX_PROCBASED_CTLS2     0x48b
#define MSR_IA32_VMX_EPT_VPID_CAP        0x48c
#define MSR_IA32_VMX_TRUE_PINBASED_CTLS  0x48d
#define MSR_IA32_VMX_TRUE_PROCBASED_CTLS 0x48e
#define MSR_IA32_VMX_TRUE_EXIT_CTLS      0x48f
#define MSR_IA32_VMX_TRUE_ENTRY_CTLS     0x490
#define MSR_IA32_TSC_DEADLINE            0x6e0
#define MSR_IA32_X2APIC_BASE             0x800
#define MSR_IA32_X2APIC_ICR              0x830
#define MSR_IA32_X2APIC_INIT_COUNT       0x838
#define MSR_IA32_XSS                     0xda0
#define MSR_IA32_EFER                    0xc0000080
#define MSR_IA32_STAR                    0xc0000081
#define MSR_IA32_LSTAR                   0xc0000082
#define MSR_IA32_CSTAR                   0xc0000083
#define MSR_IA32_FMASK                   0xc0000084
#define MSR_IA32_FS_BASE                 0xc0000100
#define MSR_IA32_GS_BASE                 0xc0000101
#define MSR_IA32_KERNEL_GS_BASE          0xc0000102
#define MSR_IA32_TSC_AUX                 0xc0000103

#define FEATURE_CONTROL_LOCK             BIT(0)
#define FEATURE_CONTROL_VMX              BIT(2) /* VMXON outside SMX operation */

#define PRED_CMD_IBPB                    BIT(0)
#define FLUSH_CMD_L1D                    BIT(0)

/* IA32_ARCH_CAPABILITIES: *_NO says that the CPU does not have the flaw of that name. */
#define ARCH_CAP_RDCL_NO                 BIT(0)  /* Meltdown, L1TF */
#define ARCH_CAP_IBRS_ALL                BIT(1)
#define ARCH_CAP_RSBA                    BIT(2)
#define ARCH_CAP_SSB_NO                  BIT(4)
#define ARCH_CAP_MDS_NO                  BIT(5)
#define ARCH_CAP_PSCHANGE_MC_NO          BIT(6)  /* iTLB multihit */
#define ARCH_CAP_TAA_NO                  BIT(8)
#define ARCH_CAP_SBDR_SSDP_NO            BIT(13)
#define ARCH_CAP_FBSDP_NO                BIT(14)
#define ARCH_CAP_PSDP_NO                 BIT(15)
#define ARCH_CAP_FB_CLEAR                BIT(17)
#define ARCH_CAP_RRSBA                   BIT(19)
#define ARCH_CAP_BHI_NO                  BIT(20)
#define ARCH_CAP_PBRSB_NO                BIT(24)
#define ARCH_CAP_GDS_NO                  BIT(26)
#define ARCH_CAP_RFDS_NO                 BIT(27)
#define ARCH_CAP_RFDS_CLEAR              BIT(28)
#define ARCH_CAP_ITS_NO                  BIT(62)

#define EFER_SCE                         BIT(0)
#define EFER_LME                         BIT(8)
#define EFER_LMA                         BIT(10)
#define EFER_NXE                         BIT(11)

#define APIC_BASE_BSP                    BIT(8)
#define APIC_BASE_X2APIC                 BIT(10)
#define APIC_BASE_ENABLE                 BIT(11)

#define DEBUGCTL_LBR                     BIT(0)
#define DEBUGCTL_BTF                     BIT(1)

/* The PAT's value after reset: WB, WT, UC-, UC, twice. */
#define PAT_RESET                        UINT64_C(0x0007040600070406)

#endif
