/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exit_dispatch(): what happens at every exit, whatever its kind. Inline since it is the hot path
 * of every backend; where each kind goes is the table in exit.c.
 */
#ifndef CORE_DISPATCH_H
#define CORE_DISPATCH_H

#include "core/backend.h"
#include "core/exit.h"
#include "core/vcpu.h"

/* RIP after a step whose low half may have wrapped, and a step before a wait; exit.c. */
uint64_t exit_step_far(struct vcpu *v, uint64_t next);
void exit_step_and_wait(struct vcpu *v, const struct vm_exit *x);

#define EXIT_LENGTH_MAX 15

static inline void exit_step(struct vcpu *v, const struct vm_exit *x)
{
    uint64_t next = v->rip + x->length;
    if (unlikely((uint32_t)next <= EXIT_LENGTH_MAX))
        next = exit_step_far(v, next);
    v->rip = next; /* the only line in the program that steps RIP */
    if (unlikely(x->slow_step))
        backend->finish_step(v);
}

static inline void exit_count(struct vcpu *v, uint8_t kind)
{
    v->exits[kind]++;
    v->trail[v->trail_at++] = kind;
}

/* Counts, calls the handler of x->kind and steps RIP if that is the outcome. */
static inline enum outcome exit_dispatch(struct vcpu *v, struct vm_exit *x)
{
    exit_count(v, x->kind);
    enum outcome outcome = exit_table[x->kind].handler(v, x);
    if (likely(outcome == OUTCOME_ADVANCE)) {
        exit_step(v, x);
        return OUTCOME_ADVANCE;
    }
    if (outcome == OUTCOME_BLOCK)
        exit_step_and_wait(v, x);
    return outcome;
}

#endif
