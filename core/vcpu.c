/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtual CPUs: creation, registers by number, exceptions. What runs when is sched.c's.
 */
#include "core/vcpu.h"

#include "arch/x86/cr.h"
#include "arch/x86/regs.h"
#include "core/backend.h"
#include "core/guest_cpu.h"
#include "core/host.h"
#include "core/lib/string.h"
#include "core/pin.h"
#include "core/sched.h"
#include "core/vm.h"
#include "mm/pool.h"

#define FPU_PAGES(size) ((unsigned)(ALIGN_UP((size), PAGE_SIZE) / PAGE_SIZE))

_Static_assert(offsetof(struct vcpu, gpr) == 0, "the exit assembly pushes from gpr's end");
_Static_assert(PIN_WORDS == CPU_WORDS && VM_VCPUS <= CONFIG_CPUS, "pin.h's sets are ours");
_Static_assert(sizeof(struct vcpu) <= PAGE_SIZE, "a vCPU is one page");

/* A periodic timer shorter than this would be all that its guest does. */
#define APIC_PERIOD_MIN_NS 10000

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

uint32_t vcpu_breakpoints(struct vcpu *v, enum breakpoint_kind kind, uint64_t address,
                          unsigned size)
{
    uint64_t dr7 = backend->get_reg(v, VREG_DR7);
    if (!(dr7 & DR7_ENABLES))
        return 0;
    if (kind == BREAKPOINT_IO && !(backend->get_reg(v, VREG_CR4) & CR4_DE))
        return 0;
    backend->intercept_dr(v, true); /* fetches them from the CPU */
    uint32_t hits = breakpoint_hits(dr7, v->dr, kind, address, size);
    backend->intercept_dr(v, false);
    return hits;
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
    v->fault_address = address;
    return vcpu_raise(v, EXCEPTION_ERR(VECTOR_PF, error_code));
}

void vcpu_init_signal(struct vcpu *v)
{
    if (v->index == 0) {
        /* The boot processor would go on in the firmware, which is not there but would start the
         * machine anew. Waiting for a start-up IPI, it might never end. */
        (void)vm_stop(v->vm, STOP_RESET, "the guest sent its boot processor an INIT");
        return;
    }
    /* A start-up IPI from before is void. */
    __atomic_fetch_and(&v->requests, ~REQUEST_STARTUP_ALL, __ATOMIC_SEQ_CST);
    sched_notify(v, REQUEST_INIT);
}

void vcpu_startup_signal(struct vcpu *v, uint8_t vector)
{
    uint32_t r = __atomic_load_n(&v->requests, __ATOMIC_SEQ_CST);
    uint32_t startup = REQUEST_STARTUP | (uint32_t)vector << REQUEST_VECTOR_SHIFT;
    do {
        if (r & REQUEST_STARTUP)
            return; /* the first says where */
    } while (!__atomic_compare_exchange_n(&v->requests, &r, r | startup, false, __ATOMIC_SEQ_CST,
                                          __ATOMIC_SEQ_CST));
    sched_notify(v, REQUEST_STARTUP);
}

static void reset_state(struct vcpu *v, const struct vcpu_start *start)
{
    v->exception_valid = v->reinject_valid = v->nmi_pending = false;
    backend->vcpu_start(v, start);
}

bool vcpu_handle_signals(struct vcpu *v, uint32_t requests)
{
    struct vcpu_start start = {.mode = START_REAL, .rip = 0xfff0, .cs_base = 0xffff0000,
                               .idt_limit = 0xffff};
    start.gpr[GPR_RDX] = 0x600; /* a family-6 processor */
    if (requests & REQUEST_INIT) {
        v->waits_for_startup = true;
        v->wake_at = UINT64_MAX;
        vlapic_init_reset(&v->apic);
        reset_state(v, &start);
    }
    /* The second of the pair that software sends finds the vCPU running and is ignored. */
    if ((requests & REQUEST_STARTUP) && v->waits_for_startup) {
        v->waits_for_startup = false;
        start.rip = 0;
        start.cs_base = (uint64_t)(requests >> REQUEST_VECTOR_SHIFT) << 12;
        reset_state(v, &start);
    }
    return !v->waits_for_startup;
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
    v->event_at = UINT64_MAX;
    for (unsigned i = 0; i < MMIO_MOVES; i++)
        v->moves[i].page = 1;
    runq_entity_init(&v->run, vm->weight);
    timerq_entry_init(&v->timer.entry);
    v->timer.vm = vm;
    v->timer.v = v;
    pin_allowed(vm->pin, index, v->cpus_allowed);
    v->fpu = pool_alloc_pages(FPU_PAGES(host_fpu_size()), NULL);
    if (!v->fpu)
        goto out_vcpu;
    host_fpu_reset(v->fpu);
    v->apic_page = pool_alloc(NULL);
    if (!v->apic_page)
        goto out_fpu;
    vlapic_init(&v->apic, v->apic_page, index, index == 0);
    v->apic.maxphyaddr = (uint8_t)guest_maxphyaddr();
    v->apic.timer.min_period = host_ns_to_tsc(APIC_PERIOD_MIN_NS);
    if (backend->vcpu_create(v) != PL_OK)
        goto out_apic;
    return v;
out_apic:
    pool_free(v->apic_page);
out_fpu:
    pool_free_pages(v->fpu, FPU_PAGES(host_fpu_size()));
out_vcpu:
    pool_free(v);
    return NULL;
}

void vcpu_free(struct vcpu *v)
{
    backend->vcpu_free(v);
    pool_free(v->apic_page);
    pool_free_pages(v->fpu, FPU_PAGES(host_fpu_size()));
    pool_free(v);
}
