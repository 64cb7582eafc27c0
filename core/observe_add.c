/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Adding up observed exits: by kind, and by what they were about in a small open-addressed table.
 * PURE.
 */
#include "core/observe.h"

static void add(struct observe_count *n, uint64_t ticks)
{
    uint32_t t = (uint32_t)min_u64(ticks, UINT32_MAX);
    if (!n->count || t < n->min)
        n->min = t;
    if (t > n->max)
        n->max = t;
    n->ticks += ticks;
    n->count++;
}

/* Its place, or a free one; NULL: the table is full. */
static struct observe_detail *place(struct observe_stats *s, const struct observed_exit *x)
{
    unsigned at = (x->detail * 31 + x->kind) % OBSERVE_DETAILS;
    for (unsigned i = 0; i < OBSERVE_DETAILS; i++, at = (at + 1) % OBSERVE_DETAILS) {
        struct observe_detail *d = &s->detail[at];
        if (d->about == OBSERVE_PLAIN ||
            (d->detail == x->detail && d->kind == x->kind && d->about == x->about))
            return d;
    }
    return NULL;
}

void observe_add(struct observe_stats *s, const struct observed_exit *x)
{
    uint64_t ticks = x->end > x->begin ? x->end - x->begin : 0;
    if (x->kind >= EXIT_KINDS)
        return;
    add(&s->kind[x->kind], ticks);
    if (x->about == OBSERVE_PLAIN)
        return;
    struct observe_detail *d = place(s, x);
    if (!d) {
        add(&s->others, ticks);
        return;
    }
    d->detail = x->detail;
    d->kind = x->kind;
    d->about = x->about;
    add(&d->n, ticks);
}
