/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Judges an image of the VMCS by the rules of entry_rules.def. PURE. Owns the words that the rules
 * are written in: fields, controls and the few predicates that several rules share. SDM: chapter
 * "VM Entries".
 */
#include "arch/x86/vmx/entry_check.h"

#include "arch/x86/cr.h"
#include "arch/x86/msr.h"
#include "arch/x86/regs.h"
#include "arch/x86/seg.h"
#include "arch/x86/vmx/caps.h"
#include "core/cr.h"
#include "core/event.h"

#define SEL_RPL  BITS(1, 0)
#define SEL_TI   BIT(2)

#define EFER_KNOWN (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)

/* Segment types by bit, where AR_S is set. */
#define TYPE_CODE               BIT(3)
#define TYPE_READABLE           BIT(1)
#define TYPE_LAST_NONCONFORMING 11
#define AR_VM86                 0xf3

#define BLOCKED_BY_STI       BIT(0)
#define BLOCKED_BY_MOV_SS    BIT(1)
#define BLOCKED_BY_SMI       BIT(2)
#define BLOCKED_BY_NMI       BIT(3)
#define ENCLAVE_INTERRUPTION BIT(4)

#define PENDING_ENABLED      BIT(12)
#define PENDING_BS           BIT(14)
#define PENDING_RTM          BIT(16)

enum { ACTIVITY_ACTIVE, ACTIVITY_HLT, ACTIVITY_SHUTDOWN, ACTIVITY_WAIT_FOR_SIPI };

/* The interruption type that core/event.h has no use for: a pending monitor trap. */
#define EVENT_OTHER          7

/* A field of the image v, and the controls that are set in it. */
#define F(field)    (v->value[VMCS_INDEX_##field])
#define PIN(name)   (F(PIN_BASED_CONTROLS) & VMX_CTL(name))
#define PROC(name)  (F(PROC_BASED_CONTROLS) & VMX_CTL(name))
/* Without the primary control that activates them, all secondary ones count as clear. */
#define PROC2(name) (PROC(ACTIVATE_SECONDARY_CONTROLS) && (F(PROC_BASED_CONTROLS2) & VMX_CTL(name)))
#define EXIT(name)  (F(EXIT_CONTROLS) & VMX_CTL(name))
#define ENTRY(name) (F(ENTRY_CONTROLS) & VMX_CTL(name))

#define LONG_GUEST   ENTRY(IA32E_MODE_GUEST)
#define AR(seg)      F(GUEST_##seg##_ACCESS_RIGHTS)
#define TYPE(seg)    (AR(seg) & AR_TYPE)
#define USABLE(seg)  (!(AR(seg) & AR_UNUSABLE))
#define BLOCKED(by)  (F(GUEST_INTERRUPTIBILITY_STATE) & (by))
#define INJECTED     (F(ENTRY_INTERRUPTION_INFORMATION) & BIT(31))
#define VECTOR       (F(ENTRY_INTERRUPTION_INFORMATION) & BITS(7, 0))

static bool canonical(uint64_t address)
{
    uint64_t top = address >> 47;
    return top == 0 || top == BITS(16, 0);
}

/* Has bits above the CPU's physical addresses. */
static bool wide(const struct vmcs_image *v, uint64_t address)
{
    return v->maxphyaddr < 64 && address >> v->maxphyaddr;
}

static bool is_page(const struct vmcs_image *v, uint64_t address)
{
    return !(address & BITS(11, 0)) && !wide(v, address);
}

/* An area of count entries of 16 bytes; where there are none the address does not count. */
static bool is_msr_area(const struct vmcs_image *v, uint64_t address, uint64_t count)
{
    if (count == 0)
        return true;
    if ((address & BITS(3, 0)) || wide(v, address))
        return false;
    uint64_t last = address + (uint32_t)count * UINT64_C(16) - 1;
    return last >= address && !wide(v, last);
}

static bool in_fixed(uint64_t value, uint64_t fixed0, uint64_t fixed1)
{
    return (value & fixed0) == fixed0 && !(value & ~fixed1);
}

static bool is_pat(uint64_t pat)
{
    for (unsigned i = 0; i < 8; i++, pat >>= 8)
        if ((pat & 0xff) > 7 || (pat & 0xff) == 2 || (pat & 0xff) == 3)
            return false;
    return true;
}

static bool unrestricted(const struct vmcs_image *v)
{
    return PROC2(UNRESTRICTED_GUEST);
}

static bool vm86(const struct vmcs_image *v)
{
    return F(GUEST_RFLAGS) & RFLAGS_VM;
}

static bool is_accessed_code(uint64_t type)
{
    return type == 9 || type == 11 || type == 13 || type == 15;
}

static bool injects(const struct vmcs_image *v, unsigned type)
{
    return INJECTED && (F(ENTRY_INTERRUPTION_INFORMATION) >> 8 & 7) == type;
}

static bool injects_software(const struct vmcs_image *v)
{
    for (unsigned type = EVENT_SW_INT; type <= EVENT_SW_EXC; type++)
        if (injects(v, type))
            return true;
    return false;
}

static bool wants_error_code(const struct vmcs_image *v)
{
    const uint64_t with = BIT(VECTOR_DF) | BIT(VECTOR_TS) | BIT(VECTOR_NP) | BIT(VECTOR_SS) |
                          BIT(VECTOR_GP) | BIT(VECTOR_PF) | BIT(VECTOR_AC);
    if (unrestricted(v) && !(F(GUEST_CR0) & CR0_PE))
        return false;
    return injects(v, EVENT_HW_EXCEPTION) && VECTOR < 32 && (with & BIT(VECTOR));
}

static bool wakes_shutdown(const struct vmcs_image *v)
{
    return injects(v, EVENT_NMI) || (injects(v, EVENT_HW_EXCEPTION) && VECTOR == VECTOR_MC);
}

static bool wakes_hlt(const struct vmcs_image *v)
{
    return wakes_shutdown(v) || injects(v, EVENT_EXTINT) || injects(v, EVENT_OTHER) ||
           (injects(v, EVENT_HW_EXCEPTION) && VECTOR == VECTOR_DB);
}

/* A single-step trap that has come up waits, visible in the pending debug exceptions. */
static bool holds_trap(const struct vmcs_image *v)
{
    return BLOCKED(BLOCKED_BY_STI | BLOCKED_BY_MOV_SS) ||
           F(GUEST_ACTIVITY_STATE) == ACTIVITY_HLT;
}

static bool steps(const struct vmcs_image *v)
{
    return (F(GUEST_RFLAGS) & RFLAGS_TF) && !(F(GUEST_IA32_DEBUGCTL) & DEBUGCTL_BTF);
}

static bool pae_with_ept(const struct vmcs_image *v)
{
    return PROC2(ENABLE_EPT) && (F(GUEST_CR0) & CR0_PG) && (F(GUEST_CR4) & CR4_PAE) && !LONG_GUEST;
}

#define RULE(id, field, text, expression)             \
    static bool broken_##id(const struct vmcs_image *v) \
    {                                                 \
        return expression;                            \
    }
#include "arch/x86/vmx/entry_rules.def"
#undef RULE

static const struct rule {
    const char *field, *text;
    bool (*broken)(const struct vmcs_image *v);
} rules[] = {
#define RULE(id, field, text, expression) {#field, text, broken_##id},
#include "arch/x86/vmx/entry_rules.def"
#undef RULE
};

unsigned entry_check(const struct vmcs_image *img, entry_rule_fn *fn, void *ctx)
{
    unsigned broken = 0;
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        if (!rules[i].broken(img))
            continue;
        broken++;
        fn(ctx, rules[i].field, rules[i].text);
    }
    return broken;
}
