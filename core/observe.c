/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Observed exits: into the trace and into the vCPU's statistics. Switching observation on or off
 * makes vCPUs leave their guests once, and come back by the other way.
 */
#include "core/observe.h"

#include "core/host.h"
#include "core/sched.h"
#include "core/vm.h"
#include "mm/pool.h"

_Static_assert(sizeof(struct observe_stats) <= PAGE_SIZE, "one page");

static enum trace_kind trace_kind_of(uint8_t about)
{
    static const uint8_t kinds[] = {[OBSERVE_PORT] = TRACE_PORT, [OBSERVE_MSR] = TRACE_MSR,
                                    [OBSERVE_PAGE] = TRACE_PAGE,
                                    [OBSERVE_HYPERCALL] = TRACE_HYPERCALL};
    return (enum trace_kind)kinds[about];
}

void observe_exit(struct vcpu *v, const struct observed_exit *x)
{
    trace_event(TRACE_EXIT, v, TRACE_EXIT_VALUE(x->kind, x->end - x->begin));
    if (x->about != OBSERVE_PLAIN)
        trace_event(trace_kind_of(x->about), v, x->detail);
    struct observe_stats *s = __atomic_load_n(&v->observe_stats, __ATOMIC_ACQUIRE);
    if (s)
        observe_add(s, x);
}

void observe_injection(const struct vcpu *v, uint8_t vector, uint8_t type)
{
    trace_event(TRACE_INJECT, v, vector | (uint32_t)type << 8);
}

/* Between two runs of its guest each vCPU is asked which way it leaves. */
void observe_changed(struct vm *vm)
{
    for (unsigned i = 0; vm->state == VM_RUNNING && i < vm->vcpu_count; i++)
        if (__atomic_load_n(&vm->vcpu[i]->state, __ATOMIC_SEQ_CST) == VCPU_RUNNING)
            sched_notify(vm->vcpu[i], REQUEST_RESCHEDULE);
}

void observe_stop(struct vm *vm)
{
    struct observe_stats *old[VM_VCPUS];
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        old[i] = __atomic_exchange_n(&vm->vcpu[i]->observe_stats, NULL, __ATOMIC_SEQ_CST);
    host_call_others(host_nothing, NULL); /* who was adding to one has done so */
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        if (old[i])
            pool_free(old[i]);
    observe_changed(vm);
}

enum pl_status observe_start(struct vm *vm)
{
    observe_stop(vm);
    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        struct observe_stats *s = pool_alloc(NULL);
        if (!s) {
            observe_stop(vm);
            return PL_NO_MEMORY;
        }
        s->since = host_now();
        __atomic_store_n(&vm->vcpu[i]->observe_stats, s, __ATOMIC_RELEASE);
    }
    observe_changed(vm);
    return PL_OK;
}

void observe_free(struct vcpu *v)
{
    if (v->observe_stats)
        pool_free(v->observe_stats);
    v->observe_stats = NULL;
}
