/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an operator, or a program in his place, can ask of a VM, in whatever state it is: each verb
 * is carried out or refused with a text for people. Boot CPU only, no locks held. docs/console.md
 * has the table of verbs and states.
 */
#ifndef CORE_VM_CONTROL_H
#define CORE_VM_CONTROL_H

#include "core/lib/fmt.h"

struct vm;

enum vm_verb {
    VERB_START,
    VERB_STOP,    /* by the guest's power button */
    VERB_KILL,
    VERB_PAUSE,
    VERB_RESUME,
    VERB_RESET,   /* ends it where it is and starts it anew */
    VERB_RESTART, /* by the power button, then starts it anew */
    VERB_DESTROY, /* its record goes, too */
    VERB_NMI,     /* argument: the vCPU's number */
    VERB_COUNT
};

/* False: refused, or it makes no sense. What became of it is written to sink, a line. vm may be
 * gone after VERB_DESTROY. */
bool vm_control(struct vm *vm, enum vm_verb verb, unsigned argument, fmt_sink_fn *sink, void *ctx);

/* Both take words KEY=VALUE and answer on sink; true: done. */
bool vm_create(const char *name, const char *const *words, unsigned n, fmt_sink_fn *sink,
               void *ctx);
/* weight, cap, pin, autostart, on_reboot, on_poweroff, on_crash. */
bool vm_set(struct vm *vm, const char *word, fmt_sink_fn *sink, void *ctx);

#endif
