/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pairing heap behind timerq.h. Owns the links of the entries that are queued; must not touch
 * an entry after it came off. Book: Fredman and others, "The pairing heap: a new form of
 * self-adjusting heap". Merging goes over a list of pairs, not down a call stack: the queue's shape
 * is in the hands of guests, who set the timers.
 */
#include "core/timerq.h"

void timerq_init(struct timerq *q)
{
    q->root = NULL;
}

void timerq_entry_init(struct timerq_entry *t)
{
    *t = (struct timerq_entry){.at = TIMERQ_NEVER};
}

/* One heap out of two roots, each without siblings. */
static struct timerq_entry *merge(struct timerq_entry *a, struct timerq_entry *b)
{
    if (!a)
        return b;
    if (!b)
        return a;
    if (b->at < a->at) {
        struct timerq_entry *t = a;
        a = b;
        b = t;
    }
    b->next = a->child;
    if (b->next)
        b->next->prev = b;
    b->prev = a;
    a->child = b;
    return a;
}

/* The next entry of a chain of siblings as a root of its own; *chain moves on. */
static struct timerq_entry *detach_first(struct timerq_entry **chain)
{
    struct timerq_entry *t = *chain;
    if (!t)
        return NULL;
    *chain = t->next;
    t->next = t->prev = NULL;
    return t;
}

/* A chain of siblings as one heap: neighbours in pairs, then the pairs, last made first. */
static struct timerq_entry *merge_siblings(struct timerq_entry *chain)
{
    struct timerq_entry *pairs = NULL, *root = NULL;
    while (chain) {
        struct timerq_entry *a = detach_first(&chain);
        struct timerq_entry *pair = merge(a, detach_first(&chain));
        pair->next = pairs;
        pairs = pair;
    }
    while (pairs)
        root = merge(root, detach_first(&pairs));
    return root;
}

/* Takes t, with all below it, out of its siblings. Not for the root. */
static void cut(struct timerq_entry *t)
{
    if (t->prev->child == t)
        t->prev->child = t->next;
    else
        t->prev->next = t->next;
    if (t->next)
        t->next->prev = t->prev;
    t->next = t->prev = NULL;
}

static void take_off(struct timerq *q, struct timerq_entry *t)
{
    struct timerq_entry *below = merge_siblings(t->child);
    if (q->root == t) {
        q->root = below;
    } else {
        cut(t);
        q->root = merge(q->root, below);
    }
    timerq_entry_init(t);
}

bool timerq_cancel(struct timerq *q, struct timerq_entry *t)
{
    if (!timerq_queued(t))
        return false;
    take_off(q, t);
    return true;
}

void timerq_set(struct timerq *q, struct timerq_entry *t, uint64_t at)
{
    if (at == t->at)
        return;
    /* Earlier: what is below t stays below it. Later: the heap under t may be due before it. */
    if (timerq_queued(t) && at < t->at) {
        t->at = at;
        if (q->root != t) {
            cut(t);
            q->root = merge(q->root, t);
        }
        return;
    }
    timerq_cancel(q, t);
    if (at == TIMERQ_NEVER)
        return;
    t->at = at;
    q->root = merge(q->root, t);
}

struct timerq_entry *timerq_pop_due(struct timerq *q, uint64_t now)
{
    struct timerq_entry *t = q->root;
    if (!t || t->at > now)
        return NULL;
    take_off(q, t);
    return t;
}
