/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ticket locks and, in debug builds (`make DEBUG=1`), the list of those that each CPU holds. Beside
 * the two seams it needs nothing, so that mm and arch can lock, too. SDM: "Memory Ordering".
 */
#include "core/lib/lock.h"

#include "core/host.h"
#include "core/panic.h"

static bool broken;

#ifdef PLINTH_DEBUG

#define HELD_MAX 8

/* Each CPU touches only its own row. */
static struct held {
    const struct lock *lock[HELD_MAX];
    unsigned count;
} held_by[CPU_MAX];

void lock_check_order(const struct lock *l)
{
    if (__atomic_load_n(&broken, __ATOMIC_RELAXED))
        return;
    const struct held *h = &held_by[host_cpu_index()];
    for (unsigned i = 0; i < h->count; i++) {
        if (h->lock[i] == l)
            panic("lock %s: taken twice", l->name);
        if (h->lock[i]->order >= l->order)
            panic("lock %s (order %u): taken while %s (order %u) is held", l->name, l->order,
                  h->lock[i]->name, h->lock[i]->order);
    }
}

void lock_note_taken(struct lock *l)
{
    if (__atomic_load_n(&broken, __ATOMIC_RELAXED))
        return;
    struct held *h = &held_by[host_cpu_index()];
    if (h->count == HELD_MAX)
        panic("lock %s: a CPU holds %u locks already", l->name, h->count);
    h->lock[h->count++] = l;
    l->holder = (uint16_t)(host_cpu_index() + 1);
}

void lock_note_released(struct lock *l)
{
    if (__atomic_load_n(&broken, __ATOMIC_RELAXED))
        return;
    struct held *h = &held_by[host_cpu_index()];
    unsigned i = 0;
    while (i < h->count && h->lock[i] != l)
        i++;
    if (i == h->count)
        panic("lock %s: released by a CPU that does not hold it", l->name);
    h->lock[i] = h->lock[--h->count];
    l->holder = 0;
}

#endif

void lock_init(struct lock *l, enum lock_order order, const char *name)
{
    *l = (struct lock)LOCK_INIT((uint16_t)order, name);
}

void lock_wait(struct lock *l, uint16_t ticket)
{
    while (__atomic_load_n(&l->owner, __ATOMIC_ACQUIRE) != ticket &&
           likely(!__atomic_load_n(&broken, __ATOMIC_RELAXED)))
        __builtin_ia32_pause();
}

bool lock_try(struct lock *l)
{
    if (unlikely(__atomic_load_n(&broken, __ATOMIC_RELAXED)))
        return true;
    uint16_t owner = __atomic_load_n(&l->owner, __ATOMIC_ACQUIRE), free = owner;
    /* The lock is free while next == owner, and stays so only if next does not move. */
    if (!__atomic_compare_exchange_n(&l->next, &free, (uint16_t)(owner + 1), false,
                                     __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return false;
#ifdef PLINTH_DEBUG
    lock_note_taken(l);
#endif
    return true;
}

bool lock_held(const struct lock *l)
{
#ifdef PLINTH_DEBUG
    return __atomic_load_n(&l->holder, __ATOMIC_RELAXED) == host_cpu_index() + 1;
#else
    return __atomic_load_n(&l->owner, __ATOMIC_RELAXED) !=
           __atomic_load_n(&l->next, __ATOMIC_RELAXED);
#endif
}

unsigned lock_count(void)
{
#ifdef PLINTH_DEBUG
    return held_by[host_cpu_index()].count;
#else
    return 0;
#endif
}

void lock_break_all(void)
{
    __atomic_store_n(&broken, true, __ATOMIC_SEQ_CST);
}
