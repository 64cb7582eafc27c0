/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMCS images that a CPU with EPT and unrestricted guest enters without complaint, one for each
 * mode of a guest. Shared by the unit test and the fuzz target of entry_check.c; each builds its
 * own faults on top. Owns no rule: what is right here is what the modes themselves are.
 */
#ifndef TESTS_UNIT_ENTRY_IMAGES_H
#define TESTS_UNIT_ENTRY_IMAGES_H

#include "arch/x86/cr.h"
#include "arch/x86/msr.h"
#include "arch/x86/regs.h"
#include "arch/x86/vmx/caps.h"
#include "arch/x86/vmx/entry_check.h"
#include "core/lib/string.h"

/* A field of the image v. */
#define V(field) (v->value[VMCS_INDEX_##field])

#define SET_SEGMENT(seg, selector, base, limit, access) \
    do {                                                \
        V(GUEST_##seg##_SELECTOR) = (selector);         \
        V(GUEST_##seg##_BASE) = (base);                 \
        V(GUEST_##seg##_LIMIT) = (limit);               \
        V(GUEST_##seg##_ACCESS_RIGHTS) = (access);      \
    } while (0)

#define SET_DATA(selector, base, limit, access)           \
    do {                                                  \
        SET_SEGMENT(ES, selector, base, limit, access);   \
        SET_SEGMENT(SS, selector, base, limit, access);   \
        SET_SEGMENT(DS, selector, base, limit, access);   \
        SET_SEGMENT(FS, selector, base, limit, access);   \
        SET_SEGMENT(GS, selector, base, limit, access);   \
    } while (0)

static inline void image_controls(struct vmcs_image *v)
{
    V(PIN_BASED_CONTROLS) = 0x16 | VMX_CTL(EXTERNAL_INTERRUPT_EXITING) | VMX_CTL(NMI_EXITING) |
                            VMX_CTL(VIRTUAL_NMIS) | VMX_CTL(ACTIVATE_PREEMPTION_TIMER);
    V(PROC_BASED_CONTROLS) = VMX_CTL(HLT_EXITING) | VMX_CTL(USE_IO_BITMAPS) |
                             VMX_CTL(USE_MSR_BITMAPS) | VMX_CTL(USE_TPR_SHADOW) |
                             VMX_CTL(ACTIVATE_SECONDARY_CONTROLS);
    V(PROC_BASED_CONTROLS2) = VMX_CTL(ENABLE_EPT) | VMX_CTL(ENABLE_VPID) |
                              VMX_CTL(UNRESTRICTED_GUEST);
    V(EXIT_CONTROLS) = VMX_CTL(SAVE_DEBUG_CONTROLS) | VMX_CTL(HOST_ADDRESS_SPACE_SIZE) |
                       VMX_CTL(ACKNOWLEDGE_INTERRUPT_ON_EXIT) | VMX_CTL(LOAD_IA32_PAT) |
                       VMX_CTL(LOAD_IA32_EFER) | VMX_CTL(SAVE_PREEMPTION_TIMER);
    V(ENTRY_CONTROLS) = VMX_CTL(LOAD_DEBUG_CONTROLS) | VMX_CTL(ENTRY_LOAD_IA32_PAT) |
                        VMX_CTL(ENTRY_LOAD_IA32_EFER);
    V(VPID) = 1;
    V(IO_BITMAP_A) = 0x10000;
    V(IO_BITMAP_B) = 0x11000;
    V(MSR_BITMAP) = 0x12000;
    V(VIRTUAL_APIC_ADDRESS) = 0x13000;
    V(EPT_POINTER) = 0x14000 | 3 << 3 | 6;
    V(VMCS_LINK_POINTER) = UINT64_MAX;
}

static inline void image_host(struct vmcs_image *v)
{
    V(HOST_CR0) = CR0_PE | CR0_NE | CR0_ET | CR0_WP | CR0_PG;
    V(HOST_CR3) = 0x20000;
    V(HOST_CR4) = CR4_PAE | CR4_VMXE | CR4_OSFXSR;
    V(HOST_CS_SELECTOR) = 0x08;
    V(HOST_SS_SELECTOR) = V(HOST_DS_SELECTOR) = V(HOST_ES_SELECTOR) = 0x10;
    V(HOST_TR_SELECTOR) = 0x18;
    V(HOST_GS_BASE) = V(HOST_TR_BASE) = V(HOST_RIP) = UINT64_C(0xffffffff80001000);
    V(HOST_GDTR_BASE) = V(HOST_IDTR_BASE) = V(HOST_RSP) = UINT64_C(0xffffffff80002000);
    V(HOST_IA32_PAT) = PAT_RESET;
    V(HOST_IA32_EFER) = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
}

/* What all modes share. The fixed bits and the address width are a Skylake server's. */
static inline void image_start(struct vmcs_image *v)
{
    memset(v, 0, sizeof(*v));
    v->cr0_fixed0 = 0x80000021;
    v->cr0_fixed1 = 0xffffffff;
    v->cr4_fixed0 = 0x2000;
    v->cr4_fixed1 = 0x3727ff;
    v->maxphyaddr = 46;
    image_controls(v);
    image_host(v);
    SET_SEGMENT(LDTR, 0, 0, 0, 0x10000);
    SET_SEGMENT(TR, 0x18, 0, 0x67, 0x8b);
    V(GUEST_CR0) = CR0_NE | CR0_ET;
    V(GUEST_CR4) = CR4_VMXE;
    V(GUEST_DR7) = DR7_RESET;
    V(GUEST_IA32_PAT) = PAT_RESET;
    V(GUEST_RFLAGS) = RFLAGS_FIXED1;
    V(GUEST_RIP) = 0x7c00;
}

static inline void image_real(struct vmcs_image *v)
{
    image_start(v);
    SET_SEGMENT(CS, 0xf000, 0xffff0000, 0xffff, 0x9b);
    SET_DATA(0, 0, 0xffff, 0x93);
    V(GUEST_GDTR_LIMIT) = 0xffff;
    V(GUEST_IDTR_LIMIT) = 0x3ff;
    V(GUEST_RIP) = 0xfff0;
}

/* 32-bit code without paging. */
static inline void image_protected(struct vmcs_image *v)
{
    image_start(v);
    SET_SEGMENT(CS, 0x10, 0, 0xffffffff, 0xc09b);
    SET_DATA(0x18, 0, 0xffffffff, 0xc093);
    V(GUEST_CR0) |= CR0_PE;
    V(GUEST_RIP) = 0x100000;
}

/* PAE paging, on a CPU that has no unrestricted guest. */
static inline void image_pae(struct vmcs_image *v)
{
    image_protected(v);
    V(PROC_BASED_CONTROLS2) &= ~(uint64_t)VMX_CTL(UNRESTRICTED_GUEST);
    V(GUEST_CR0) |= CR0_PG;
    V(GUEST_CR3) = 0x1000;
    V(GUEST_CR4) |= CR4_PAE;
    V(GUEST_PDPTE0) = 0x2001;
    V(GUEST_PDPTE3) = 0x3001;
}

static inline void image_vm86(struct vmcs_image *v)
{
    image_protected(v);
    V(GUEST_RFLAGS) |= RFLAGS_VM;
    SET_SEGMENT(CS, 0x1234, 0x12340, 0xffff, 0xf3);
    SET_DATA(0x2000, 0x20000, 0xffff, 0xf3);
    V(GUEST_RIP) = 0x100;
}

/* 64-bit code, ring 0, with interrupts on. */
static inline void image_long(struct vmcs_image *v)
{
    image_start(v);
    V(ENTRY_CONTROLS) |= VMX_CTL(IA32E_MODE_GUEST);
    SET_SEGMENT(CS, 0x10, 0, 0xffffffff, 0xa09b);
    SET_DATA(0x18, 0, 0xffffffff, 0xc093);
    V(GUEST_CR0) |= CR0_PE | CR0_PG | CR0_WP;
    V(GUEST_CR3) = 0x1000;
    V(GUEST_CR4) |= CR4_PAE;
    V(GUEST_IA32_EFER) = EFER_LME | EFER_LMA | EFER_NXE;
    V(GUEST_RFLAGS) |= RFLAGS_IF;
    V(GUEST_GS_BASE) = UINT64_C(0xffff888000000000);
    V(GUEST_GDTR_BASE) = V(GUEST_IDTR_BASE) = UINT64_C(0xfffffe0000000000);
    V(GUEST_IA32_SYSENTER_EIP) = V(GUEST_RIP) = UINT64_C(0xffffffff81000000);
}

/* 32-bit code of ring 3 under a 64-bit kernel. */
static inline void image_compatibility(struct vmcs_image *v)
{
    image_long(v);
    SET_SEGMENT(CS, 0x23, 0, 0xffffffff, 0xc0fb);
    SET_DATA(0x2b, 0, 0xffffffff, 0xc0f3);
    V(GUEST_RIP) = 0x8048000;
}

#endif
