/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An ordered timer queue: a pairing heap whose nodes live in the members, so setting a timer
 * allocates nothing. Insert, first and moving to an earlier time are O(1), taking off is O(log n)
 * amortised; nothing recurses. PURE: knows no clock, calls nobody back, the caller holds the lock.
 */
#ifndef CORE_TIMERQ_H
#define CORE_TIMERQ_H

#include "core/lib/bits.h"

#define TIMERQ_NEVER UINT64_MAX

struct timerq_entry {
    uint64_t at;                 /* ticks; TIMERQ_NEVER: on no queue */
    struct timerq_entry *child;  /* the first of those that are due no earlier */
    struct timerq_entry *next;   /* sibling */
    struct timerq_entry *prev;   /* sibling before, or the parent of a first child */
};

struct timerq {
    struct timerq_entry *root; /* the first that is due; NULL: empty */
};

void timerq_init(struct timerq *q);
void timerq_entry_init(struct timerq_entry *t);
/* Queues t for `at`, or moves it there; TIMERQ_NEVER takes it off. t must be on q or on none. */
void timerq_set(struct timerq *q, struct timerq_entry *t, uint64_t at);
/* False: it was on no queue. */
bool timerq_cancel(struct timerq *q, struct timerq_entry *t);
/* Takes off and returns one that is due, the earliest first; NULL: none is. */
struct timerq_entry *timerq_pop_due(struct timerq *q, uint64_t now);

static inline bool timerq_queued(const struct timerq_entry *t)
{
    return t->at != TIMERQ_NEVER;
}

/* The one that is due first; NULL: none. */
static inline struct timerq_entry *timerq_first(const struct timerq *q)
{
    return q->root;
}

/* When it is due; TIMERQ_NEVER: none. */
static inline uint64_t timerq_next(const struct timerq *q)
{
    return q->root ? q->root->at : TIMERQ_NEVER;
}

#endif
