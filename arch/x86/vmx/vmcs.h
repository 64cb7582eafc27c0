/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Typed access to the current VMCS and the VMX instructions. vmcs_get(NAME) and vmcs_set(NAME, v)
 * come from vmcs_fields.def; a read-only field has no vmcs_set. A VMREAD or VMWRITE of a field that
 * every supported CPU has cannot fail, so there is no check on the hot path; vmcs_read_checked() is
 * for dumps. SDM: "VMX Instruction Reference".
 */
#ifndef ARCH_X86_VMX_VMCS_H
#define ARCH_X86_VMX_VMCS_H

#include "core/lib/bits.h"
#include "mm/types.h"

enum vmcs_field {
#define VMCS_FIELD(name, encoding, width, access) VMCS_##name = (encoding),
#include "arch/x86/vmx/vmcs_fields.def"
#undef VMCS_FIELD
};

/* `make bench VMCS=1` counts accesses by builds in which each is dearer by so many NOPs. */
#ifdef VMX_READ_NOPS
#define VMX_READ  ".rept " VMX_READ_NOPS "\n\tnop\n\t.endr\n\tvmread "
#define VMX_WRITE ".rept " VMX_WRITE_NOPS "\n\tnop\n\t.endr\n\tvmwrite "
#else
#define VMX_READ  "vmread "
#define VMX_WRITE "vmwrite "
#endif

static inline uint64_t vmx_vmread(uint64_t field)
{
    uint64_t v;
    __asm__ volatile(VMX_READ "%1, %0" : "=r"(v) : "r"(field) : "cc");
    return v;
}

static inline void vmx_vmwrite(uint64_t field, uint64_t v)
{
    __asm__ volatile(VMX_WRITE "%1, %0" : : "r"(field), "r"(v) : "cc");
}

/* The same, straight to memory: for the hot path. */
static inline void vmx_vmread_to(uint64_t field, uint64_t *v)
{
    __asm__ volatile(VMX_READ "%1, %0" : "=m"(*v) : "r"(field) : "cc");
}

/* False when the CPU has no such field. */
static inline bool vmcs_read_checked(uint64_t field, uint64_t *v)
{
    bool ok;
    uint64_t value;
    __asm__ volatile("vmread %2, %1" : "=@cca"(ok), "=r"(value) : "r"(field));
    *v = value;
    return ok;
}

#define VMCS_GETTER(name, width)                                 \
    static inline uint##width##_t vmcs_get_##name(void)          \
    {                                                            \
        return (uint##width##_t)vmx_vmread(VMCS_##name);         \
    }
#define VMCS_SETTER_RO(name, width)
#define VMCS_SETTER_RW(name, width)                              \
    static inline void vmcs_set_##name(uint##width##_t v)        \
    {                                                            \
        vmx_vmwrite(VMCS_##name, v);                             \
    }
#define VMCS_FIELD(name, encoding, width, access) \
    VMCS_GETTER(name, width) VMCS_SETTER_##access(name, width)
#include "arch/x86/vmx/vmcs_fields.def"
#undef VMCS_FIELD

#define vmcs_get(name)    vmcs_get_##name()
#define vmcs_set(name, v) vmcs_set_##name(v)

static inline bool vmx_vmxon(hpa_t region)
{
    bool ok;
    __asm__ volatile("vmxon %1" : "=@cca"(ok) : "m"(region.v) : "memory");
    return ok;
}

static inline bool vmx_vmclear(hpa_t vmcs)
{
    bool ok;
    __asm__ volatile("vmclear %1" : "=@cca"(ok) : "m"(vmcs.v) : "memory");
    return ok;
}

static inline bool vmx_vmptrld(hpa_t vmcs)
{
    bool ok;
    __asm__ volatile("vmptrld %1" : "=@cca"(ok) : "m"(vmcs.v) : "memory");
    return ok;
}

#define INVEPT_SINGLE_CONTEXT 1
#define INVEPT_ALL_CONTEXTS   2
#define INVVPID_SINGLE        1
#define INVVPID_ALL           2

static inline void vmx_invept(uint64_t type, uint64_t eptp)
{
    struct {
        uint64_t eptp, reserved;
    } descriptor = {eptp, 0};
    __asm__ volatile("invept %0, %1" : : "m"(descriptor), "r"(type) : "cc", "memory");
}

static inline void vmx_invvpid(uint64_t type, uint16_t vpid)
{
    struct {
        uint64_t vpid, linear;
    } descriptor = {vpid, 0};
    __asm__ volatile("invvpid %0, %1" : : "m"(descriptor), "r"(type) : "cc", "memory");
}

#endif
