/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happens at every exit, whatever its kind: count, handle, step. Inline since it is the hot
 * path of every backend; where each kind goes is the table in exit.c.
 */
#ifndef CORE_DISPATCH_H
#define CORE_DISPATCH_H

#include "core/backend.h"
#include "core/exit.h"
#include "core/vcpu.h"

/* RIP after a step whose low half may have wrapped; exit.c. */
uint64_t exit_step_far(struct vcpu *v, uint64_t next);

#define EXIT_LENGTH_MAX 15

/* The new RIP. What x->slow_step asks for is the caller's. */
static inline uint64_t exit_step(struct vcpu *v, const struct vm_exit *x)
{
    uint64_t next = v->rip + x->length;
    if (unlikely((uint32_t)next <= EXIT_LENGTH_MAX))
        next = exit_step_far(v, next);
    v->rip = next; /* the only line in the program that steps RIP */
    return next;
}

static inline void exit_count(struct vcpu *v, uint8_t kind)
{
    v->exits[kind]++;
    v->trail[v->trail_at++] = kind;
}

/* Counts, and calls the handler of x->kind. */
static inline enum outcome exit_handle(struct vcpu *v, struct vm_exit *x)
{
    exit_count(v, x->kind);
    return exit_table[x->kind].handler(v, x);
}

/* Steps, with all that belongs to it, if that is the outcome; the same. */
enum outcome exit_end(struct vcpu *v, const struct vm_exit *x, enum outcome outcome);

/* All of an exit: counts, calls the handler of x->kind and steps RIP if that is the outcome. */
static inline enum outcome exit_dispatch(struct vcpu *v, struct vm_exit *x)
{
    return exit_end(v, x, exit_handle(v, x));
}

#endif
