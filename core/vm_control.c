/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Verbs and the states that they are for. A verb is a row: in which conditions it is carried out,
 * by which function. All else is refused by one rule, with what helps in that condition.
 */
#include "core/vm_control.h"

#include "core/machine.h"
#include "core/sched.h"
#include "core/vm.h"

/* A VM's state as an operator sees it. */
enum condition { DEFINED, STARTING, RUNNING, PAUSED, ENDING, KEPT, ENDED, CONDITIONS };

static const struct {
    const char *name, *hint;
} conditions[CONDITIONS] = {
    [DEFINED] = {"not started yet", "'vm start' starts it"},
    [STARTING] = {"starting", "wait until it runs, or 'vm kill' it"},
    [RUNNING] = {"running", "'vm stop' or 'vm kill' ends it"},
    [PAUSED] = {"paused", "'vm resume' lets it go on, 'vm kill' ends it"},
    [ENDING] = {"ending", "wait until it has ended"},
    [KEPT] = {"ended, its memory is kept", "'vm start' starts it anew, 'vm kill' frees its memory"},
    [ENDED] = {"ended", "'vm start' starts it"},
};

static enum condition condition_of(const struct vm *vm)
{
    switch (vm->state) {
    case VM_DEFINED:
        return DEFINED;
    case VM_STARTING:
        return STARTING;
    case VM_RUNNING:
        if (__atomic_load_n(&vm->stop_reason, __ATOMIC_SEQ_CST) != STOP_NONE)
            return ENDING; /* its vCPUs are on their way out */
        return vm->paused ? PAUSED : RUNNING;
    case VM_ENDING:
        return ENDING;
    case VM_KEPT:
        return KEPT;
    default:
        return ENDED;
    }
}

struct answer {
    fmt_sink_fn *sink;
    void *ctx;
    unsigned argument;
};

#define ANSWER(a, ...) fmt_write((a)->sink, (a)->ctx, __VA_ARGS__)

typedef bool verb_fn(struct vm *vm, const struct answer *a);

static bool do_start(struct vm *vm, const struct answer *a)
{
    vm->short_lives = 0;
    if (vm->state == VM_ENDING || vm->state == VM_RUNNING) {
        if (vm->then == THEN_DESTROY) {
            ANSWER(a, "vm %s is being destroyed\n", vm->name);
            return false;
        }
        vm->then = THEN_START;
        ANSWER(a, "vm %s starts when it has ended\n", vm->name);
        return true;
    }
    if (vm->state == VM_KEPT) {
        vm->then = THEN_START;
        vm_let_go(vm);
    } else {
        vm_start(vm);
        if (vm->state != VM_STARTING) {
            ANSWER(a, "vm %s: not started: %s\n", vm->name, vm->end_text);
            return false;
        }
    }
    ANSWER(a, "vm %s starts\n", vm->name);
    return true;
}

static bool press(struct vm *vm, const struct answer *a, enum vm_then then)
{
    if (!machine_press_power_button(vm)) {
        ANSWER(a, "vm %s: the guest does not listen to its power button; 'vm kill' ends it, "
               "'vm reset' starts it anew\n", vm->name);
        return false;
    }
    vm->then = (uint8_t)then;
    ANSWER(a, "vm %s: its power button has been pressed\n", vm->name);
    return true;
}

static bool do_stop(struct vm *vm, const struct answer *a)
{
    return press(vm, a, THEN_STOP);
}

static bool do_restart(struct vm *vm, const struct answer *a)
{
    return vm->state == VM_RUNNING ? press(vm, a, THEN_START) : do_start(vm, a);
}

static bool do_kill(struct vm *vm, const struct answer *a)
{
    if (vm->then == THEN_DESTROY) {
        ANSWER(a, "vm %s is being destroyed\n", vm->name);
        return true;
    }
    vm->then = THEN_STOP;
    if (vm->state != VM_KEPT && vm->state != VM_ENDING)
        (void)vm_stop(vm, STOP_OPERATOR, "killed by the operator");
    if (vm->state == VM_STARTING || vm->state == VM_KEPT)
        vm_let_go(vm);
    ANSWER(a, "vm %s is ending\n", vm->name);
    return true;
}

static bool do_pause(struct vm *vm, const struct answer *a)
{
    sched_pause(vm);
    ANSWER(a, "vm %s is paused\n", vm->name);
    return true;
}

static bool do_resume(struct vm *vm, const struct answer *a)
{
    sched_resume(vm);
    ANSWER(a, "vm %s goes on\n", vm->name);
    return true;
}

static bool do_reset(struct vm *vm, const struct answer *a)
{
    vm->then = THEN_START;
    vm->short_lives = 0;
    (void)vm_stop(vm, STOP_OPERATOR, "reset by the operator");
    ANSWER(a, "vm %s starts anew\n", vm->name);
    return true;
}

static bool do_destroy(struct vm *vm, const struct answer *a)
{
    ANSWER(a, "vm %s is being destroyed\n", vm->name);
    vm_destroy(vm);
    return true;
}

static bool do_nmi(struct vm *vm, const struct answer *a)
{
    if (a->argument >= vm->vcpu_count) {
        ANSWER(a, "vm %s has no vCPU %u: it has 0 to %u\n", vm->name, a->argument,
               vm->vcpu_count - 1);
        return false;
    }
    sched_notify(vm->vcpu[a->argument], REQUEST_NMI | REQUEST_EVENT);
    ANSWER(a, "vm %s: an NMI is on its way to vCPU %u\n", vm->name, a->argument);
    return true;
}

#define IN(condition) (1u << (condition))
#define ALL           (IN(CONDITIONS) - 1)

static const struct {
    const char *name;
    unsigned in; /* conditions */
    verb_fn *fn;
} verbs[VERB_COUNT] = {
    [VERB_START] = {"start", IN(DEFINED) | IN(ENDING) | IN(KEPT) | IN(ENDED), do_start},
    [VERB_STOP] = {"stop", IN(RUNNING), do_stop},
    [VERB_KILL] = {"kill", IN(STARTING) | IN(RUNNING) | IN(PAUSED) | IN(ENDING) | IN(KEPT),
                   do_kill},
    [VERB_PAUSE] = {"pause", IN(RUNNING), do_pause},
    [VERB_RESUME] = {"resume", IN(PAUSED), do_resume},
    [VERB_RESET] = {"reset", IN(RUNNING) | IN(PAUSED), do_reset},
    [VERB_RESTART] = {"restart", IN(DEFINED) | IN(RUNNING) | IN(KEPT) | IN(ENDED), do_restart},
    [VERB_DESTROY] = {"destroy", ALL, do_destroy},
    [VERB_NMI] = {"nmi", IN(RUNNING) | IN(PAUSED), do_nmi},
};

bool vm_control(struct vm *vm, enum vm_verb verb, unsigned argument, fmt_sink_fn *sink, void *ctx)
{
    struct answer a = {sink, ctx, argument};
    enum condition now = condition_of(vm);
    if (verbs[verb].in & IN(now))
        return verbs[verb].fn(vm, &a);
    ANSWER(&a, "vm %s: no %s: it is %s; %s\n", vm->name, verbs[verb].name, conditions[now].name,
           conditions[now].hint);
    return false;
}
