/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The second way out of a guest, for vCPUs whose exits are traced or measured: the VMCS' HOST_RIP
 * leads here instead of to vmx_handle_exit(), which does the work all the same. What the exit is
 * about is read before that, for the handler may change it. SDM: "Basic VM-Exit Information".
 */
#include "arch/x86/insn.h"
#include "arch/x86/vmx/vmcs.h"
#include "arch/x86/vmx/vmx.h"
#include "core/observe.h"

#define ENTRY_VALID      BIT(31)
#define REASON_IO        30
#define REASON_APIC      44
#define REASON_EPT       48
#define PORT_SIZE(q)     ((uint32_t)((q) & 7) + 1)
#define PORT_IN(q)       ((uint32_t)((q) >> 3 & 1))

void vmx_choose_way(struct vcpu *v, bool observed)
{
    vmx_of(v)->observed = observed;
    vmcs_set(HOST_RIP, (uint64_t)(observed ? vmx_exit_entry_observed : vmx_exit_entry));
}

void vmx_observe_entry(struct vcpu *v)
{
    uint32_t info = vmcs_get(ENTRY_INTERRUPTION_INFORMATION);
    if (info & ENTRY_VALID)
        observe_injection(v, (uint8_t)info, info >> 8 & 7);
}

static uint32_t port_detail(void)
{
    uint64_t q = vmcs_get(EXIT_QUALIFICATION);
    return (uint32_t)(q >> 16 & 0xffff) | PORT_SIZE(q) << 16 | PORT_IN(q) << 24;
}

/* By the handler that it came to: an exit whose kind a decoder has changed is about nothing. */
static uint8_t class_of(uint8_t kind)
{
    switch (kind) {
    case EXIT_IO:
        return OBSERVE_PORT;
    case EXIT_RDMSR:
    case EXIT_WRMSR:
        return OBSERVE_MSR;
    case EXIT_MEMORY:
        return OBSERVE_PAGE;
    case EXIT_VMCALL:
        return OBSERVE_HYPERCALL;
    default:
        return OBSERVE_PLAIN;
    }
}

enum vmx_next vmx_handle_exit_observed(struct vcpu *v)
{
    struct observed_exit x = {.begin = rdtsc()};
    uint32_t reason = (uint32_t)vmx_vmread(VMCS_EXIT_REASON);
    uint32_t rax = (uint32_t)v->gpr[GPR_RAX], rcx = (uint32_t)v->gpr[GPR_RCX], place = 0;
    if (reason == REASON_IO)
        place = port_detail();
    else if (reason == REASON_EPT)
        place = (uint32_t)(vmcs_get(GUEST_PHYSICAL_ADDRESS) >> 12);
    else if (reason == REASON_APIC)
        place = VLAPIC_DEFAULT_BASE >> 12;
    enum vmx_next next = vmx_handle_exit(v);
    x.end = rdtsc();
    x.kind = v->trail[(uint8_t)(v->trail_at - 1)];
    x.about = class_of(x.kind);
    x.detail = x.about == OBSERVE_MSR ? rcx : x.about == OBSERVE_HYPERCALL ? rax : place;
    observe_exit(v, &x);
    if (next != VMX_LEAVE)
        vmx_observe_entry(v);
    return next;
}
