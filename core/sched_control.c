/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What others want of the scheduler: a vCPU's state where it can be read, a VM that stands still,
 * weights, pins, and a look at the queues. Boot CPU, except sched_switch_to().
 */
#include "core/backend.h"
#include "core/interrupt.h"
#include "core/lib/string.h"
#include "core/sched_parts.h"

/* --- what a CPU holds --- */

void sched_switch_to(struct vcpu *v)
{
    struct vcpu *old = host_current_vcpu();
    if (old == v)
        return;
    if (old) {
        backend->save(old);
        host_fpu_save(old->fpu);
        /* From now on another CPU may load it. */
        __atomic_store_n(&old->held_by, 0, __ATOMIC_RELEASE);
    }
    host_set_current_vcpu(v);
    if (!v)
        return;
    v->switches++;
    v->held_by = host_cpu_index() + 1;
    host_fpu_load(v->fpu, v->xcr0);
    backend->load(v);
    if (unlikely(!v->vm->footprint.first) && v->vm->state == VM_RUNNING)
        footprint_first_turn(v->vm);
}

static void leave_vm(void *arg)
{
    struct vm *vm = arg;
    struct vcpu *v = host_current_vcpu();
    if (v && v->vm == vm)
        sched_switch_to(NULL);
    if (host_current_space().v == vm->space.root.v)
        host_load_space(base_space.root);
    if (vm->arch)
        backend->flush_vm(vm);
}

void sched_leave_vm(struct vm *vm)
{
    host_call_others(leave_vm, vm);
    leave_vm(vm);
}

struct inspection {
    struct vcpu *v;
    void (*fn)(struct vcpu *v, void *arg);
    void *arg;
    bool done;
};

static void inspect_here(void *arg)
{
    struct inspection *i = arg;
    if (host_current_vcpu() != i->v)
        return; /* it has been put away in the meantime */
    i->fn(i->v, i->arg);
    i->done = true;
}

/* Its state is in no CPU: take it here, while its queue's lock keeps it from being run. */
static void inspect_parked(struct inspection *i)
{
    unsigned cpu;
    struct cpu_sched *c = sched_lock_home(i->v, &cpu);
    if (sched_state(i->v) != VCPU_RUNNING && !i->v->held_by) {
        sched_switch_to(i->v);
        i->fn(i->v, i->arg);
        sched_switch_to(NULL);
        i->done = true;
    }
    lock_release(&c->lock);
}

void sched_inspect(struct vcpu *v, void (*fn)(struct vcpu *v, void *arg), void *arg)
{
    struct inspection i = {v, fn, arg, false};
    while (!i.done) {
        uint32_t holder = __atomic_load_n(&v->held_by, __ATOMIC_ACQUIRE);
        if (!holder)
            inspect_parked(&i);
        else if (holder == host_cpu_index() + 1)
            inspect_here(&i);
        else
            host_call_on(holder - 1, inspect_here, &i);
        host_relax();
    }
}

/* --- control --- */

/* The store before the looks at states: whoever picks a vCPU writes its state before it looks at
 * paused, so either it is seen RUNNING here, or it sees paused and blocks. */
void sched_pause(struct vm *vm)
{
    __atomic_store_n(&vm->paused, 1, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        sched_notify(vm->vcpu[i], REQUEST_PAUSE | REQUEST_RESCHEDULE);
    host_call_others(host_nothing, NULL); /* an NMI ends guests that a kick does not */
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        while (sched_state(vm->vcpu[i]) == VCPU_RUNNING)
            host_relax();
}

void sched_resume(struct vm *vm)
{
    __atomic_store_n(&vm->paused, 0, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        sched_notify(vm->vcpu[i], REQUEST_PAUSE);
    interrupt_device_time(vm);
}

void sched_set_weight(struct vcpu *v, uint32_t weight)
{
    unsigned cpu;
    struct cpu_sched *c = sched_lock_home(v, &cpu);
    runq_set_weight(&c->queue, &v->run, weight);
    lock_release(&c->lock);
}

void sched_set_pin(struct vcpu *v, const uint64_t allowed[CPU_WORDS])
{
    for (unsigned w = 0; w < CPU_WORDS; w++)
        __atomic_store_n(&v->cpus_allowed[w], allowed[w], __ATOMIC_RELAXED);
    unsigned cpu;
    struct cpu_sched *c = sched_lock_home(v, &cpu);
    sched_note_wanted(c, v);
    lock_release(&c->lock);
    sched_notify(v, REQUEST_RESCHEDULE);
}

void sched_look(unsigned cpu, struct sched_view *out)
{
    struct cpu_sched *c = &sched_cpus[cpu];
    lock_take(&c->lock);
    *out = (struct sched_view){
        .queued = c->queue.count,
        .epoch = c->queue.epoch,
        .running = c->running && !sched_is_idle(cpu),
        .running_vm = c->running ? c->running->vm->slot : 0,
        .running_vcpu = c->running ? c->running->index : 0,
        .slice_begin = c->running ? c->running->slice_begin : 0,
        .slice_end = c->running ? c->running->slice_end : 0,
        .next_timer = timerq_next(&c->timers),
    };
    lock_release(&c->lock);
    out->idle = sched_is_idle(cpu);
}
