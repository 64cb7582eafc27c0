/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtual CPUs: creation, registers by number, exceptions. What runs when is sched.c's.
 */
#include "core/vcpu.h"

#include "arch/x86/regs.h"
#include "core/backend.h"
#include "core/guest_cpu.h"
#include "core/host.h"
#include "core/vm.h"
#include "mm/pool.h"

#define FPU_PAGES(size) ((unsigned)(ALIGN_UP((size), PAGE_SIZE) / PAGE_SIZE))

_Static_assert(offsetof(struct vcpu, gpr) == 0, "the exit assembly pushes from gpr's end");
_Static_assert(sizeof(struct vcpu) <= PAGE_SIZE, "a vCPU is one page");

const struct backend *backend;

uint64_t vcpu_gpr(struct vcpu *v, unsigned n)
{
    return n == GPR_RSP ? backend->get_reg(v, VREG_RSP) : v->gpr[n];
}

void vcpu_set_gpr(struct vcpu *v, unsigned n, uint64_t value)
{
    if (n == GPR_RSP)
        backend->set_reg(v, VREG_RSP, value);
    else
        v->gpr[n] = value;
}

void vcpu_paging(struct vcpu *v, struct guest_paging *out)
{
    *out = (struct guest_paging){
        .cr0 = backend->get_reg(v, VREG_CR0),
        .cr3 = backend->get_reg(v, VREG_CR3),
        .cr4 = backend->get_reg(v, VREG_CR4),
        .efer = backend->get_reg(v, VREG_EFER),
        .ac = backend->get_reg(v, VREG_RFLAGS) & RFLAGS_AC,
        .maxphyaddr = (uint8_t)guest_maxphyaddr(),
        .has_1g = guest_has_1g_pages(),
    };
}

enum outcome vcpu_raise(struct vcpu *v, struct event e)
{
    struct event merged = e;
    if (v->exception_valid && event_merge(&v->exception, &e, &merged) == EVENT_MERGE_TRIPLE_FAULT)
        return vm_stop(v->vm, STOP_TRIPLE_FAULT, "triple fault");
    v->exception = merged;
    v->exception_valid = true;
    vcpu_request(v, REQUEST_EVENT);
    return OUTCOME_FAULT;
}

enum outcome vcpu_raise_page_fault(struct vcpu *v, uint64_t address, uint32_t error_code)
{
    v->cr2 = address;
    return vcpu_raise(v, EXCEPTION_ERR(VECTOR_PF, error_code));
}

struct vcpu *vcpu_create(struct vm *vm, unsigned index)
{
    struct vcpu *v = pool_alloc(NULL);
    if (!v)
        return NULL;
    v->vm = vm;
    v->index = index;
    v->dr6 = DR6_RESET;
    v->xcr0 = XCR0_X87;
    v->wake_at = UINT64_MAX;
    list_init(&v->run);
    v->fpu = pool_alloc_pages(FPU_PAGES(host_fpu_size()), NULL);
    if (!v->fpu)
        goto out_vcpu;
    host_fpu_reset(v->fpu);
    if (backend->vcpu_create(v) != PL_OK)
        goto out_fpu;
    return v;
out_fpu:
    pool_free_pages(v->fpu, FPU_PAGES(host_fpu_size()));
out_vcpu:
    pool_free(v);
    return NULL;
}

void vcpu_free(struct vcpu *v)
{
    backend->vcpu_free(v);
    pool_free_pages(v->fpu, FPU_PAGES(host_fpu_size()));
    pool_free(v);
}
