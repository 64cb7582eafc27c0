/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A doubly linked list whose links live in the members. An empty list's head points at itself; a
 * link that is on no list points at itself too, so removing it twice does no harm.
 */
#ifndef CORE_LIB_LIST_H
#define CORE_LIB_LIST_H

#include "core/lib/bits.h"

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_remove(struct list *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    list_init(l);
}

static inline void list_append(struct list *head, struct list *l)
{
    l->prev = head->prev;
    l->next = head;
    head->prev->next = l;
    head->prev = l;
}

#define list_for_each(it, head) \
    for (struct list *it = (head)->next; it != (head); it = it->next)

#endif
