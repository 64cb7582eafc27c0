/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One VM in a debugger's hands. Its vCPUs are parked by the scheduler: each has `hold`, looked at
 * before every turn, and blocks until it is let go. Breakpoints are debug_break.c's, what exits
 * bring debug_exit.c's, memory debug_memory.c's.
 */
#include "core/debug_parts.h"

#include "core/backend.h"
#include "core/host.h"
#include "core/sched.h"
#include "core/vm.h"

#define PATIENCE_NS UINT64_C(100000000)

static struct vm *taken;

/* --- stop and go ------------------------------------------------------------------------------ */

static void hold(struct vcpu *v)
{
    __atomic_store_n(&v->debug.hold, true, __ATOMIC_SEQ_CST);
}

/* Any CPU. */
static void hold_all(struct vm *vm)
{
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        hold(vm->vcpu[i]);
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        sched_notify(vm->vcpu[i], REQUEST_RESCHEDULE);
}

/* Clearing REQUEST_GO comes first: who lets v go clears hold, then sets it. */
bool debug_held(struct vcpu *v)
{
    if (likely(!v->debug.attached))
        return false;
    __atomic_fetch_and(&v->requests, (uint32_t)~REQUEST_GO, __ATOMIC_SEQ_CST);
    return __atomic_load_n(&v->debug.hold, __ATOMIC_SEQ_CST);
}

void debug_stop_all(void)
{
    if (debug_vm())
        hold_all(taken);
}

/* A vCPU that is RUNNING may have looked at hold before it was set; one that is not will look. */
bool debug_stopped(void)
{
    struct vm *vm = debug_vm();
    for (unsigned i = 0; vm && i < vm->vcpu_count; i++) {
        struct vcpu *v = vm->vcpu[i];
        if (!__atomic_load_n(&v->debug.hold, __ATOMIC_SEQ_CST) ||
            __atomic_load_n(&v->state, __ATOMIC_SEQ_CST) == VCPU_RUNNING)
            return false;
    }
    return vm != NULL;
}

struct vcpu *debug_stopper(enum debug_stop *why)
{
    for (unsigned i = 0; i < taken->vcpu_count; i++) {
        struct vcpu *v = taken->vcpu[i];
        *why = (enum debug_stop)__atomic_load_n(&v->debug.stop, __ATOMIC_SEQ_CST);
        if (*why != DEBUG_RUNS)
            return v;
    }
    return NULL;
}

void debug_release(struct vcpu *v, bool step)
{
    v->debug.step = step ? STEP_WANTED : STEP_NONE;
    __atomic_store_n(&v->debug.hold, false, __ATOMIC_SEQ_CST);
}

void debug_go(void)
{
    struct vm *vm = debug_vm();
    for (unsigned i = 0; vm && i < vm->vcpu_count; i++) {
        struct vcpu *v = vm->vcpu[i];
        __atomic_store_n(&v->debug.stop, DEBUG_RUNS, __ATOMIC_SEQ_CST);
        if (v->debug.hold)
            v->debug.step = STEP_NONE;
    }
    for (unsigned i = 0; vm && i < vm->vcpu_count; i++)
        if (!vm->vcpu[i]->debug.hold)
            sched_notify(vm->vcpu[i], (uint32_t)REQUEST_GO);
}

/* On its CPU. */
void debug_stop(struct vcpu *v, enum debug_stop why)
{
    v->debug.step = STEP_NONE;
    __atomic_store_n(&v->debug.stop, (uint8_t)why, __ATOMIC_SEQ_CST);
    hold_all(v->vm);
    vcpu_request(v, REQUEST_RESCHEDULE);
    host_kick(0); /* that is where the debugger looks */
}

/* --- taking a VM ------------------------------------------------------------------------------ */

static void forget(void)
{
    debug_break_forget();
    taken = NULL;
}

struct vm *debug_vm(void)
{
    return taken;
}

void debug_vm_ended(const struct vm *vm)
{
    if (taken == vm)
        forget();
}

static void attach_vcpu(struct vcpu *v, void *arg)
{
    const bool *on = arg;
    if (!*on)
        v->debug.step = STEP_NONE;
    backend->set_debug(v, *on, 0);
    v->debug.attached = *on;
}

bool debug_attach(struct vm *vm)
{
    bool on = true;
    if (debug_vm() || vm->state != VM_RUNNING)
        return false;
    taken = vm;
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        debug_inspect(vm->vcpu[i], attach_vcpu, &on);
    hold_all(vm);
    return true;
}

void debug_detach(void)
{
    struct vm *vm = debug_vm();
    bool on = false;
    if (!vm)
        return;
    /* This CPU is in no vCPU's turn, so those that run are elsewhere and stop without its help. */
    uint64_t until = host_now() + host_ns_to_tsc(PATIENCE_NS);
    for (debug_stop_all(); !debug_stopped() && host_now() < until;)
        host_relax();
    debug_break_remove_all(vm);
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        debug_release(vm->vcpu[i], false);
    debug_go();
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        debug_inspect(vm->vcpu[i], attach_vcpu, &on);
    forget();
}
