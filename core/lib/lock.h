/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ticket locks: first come, first served. The hypervisor runs with interrupts off except in short
 * windows (host_idle(), a few in the exit path) in which no lock may be held, so a lock never has
 * to care about interrupts; NMI handlers take none. A lock is declared next to what it protects,
 * with a comment that names the fields. SDM: "Locked Atomic Operations", "PAUSE".
 */
#ifndef CORE_LIB_LOCK_H
#define CORE_LIB_LOCK_H

#include "core/lib/bits.h"

/* A CPU takes locks in rising order only, so that no two can wait for each other in a circle; of
 * two locks of the same order it may not hold both. All orders of the house stand here, with room
 * in between. `make DEBUG=1` asserts them (and that a lock is released by its holder, in any order
 * of release); a violation is a panic that names both locks. */
enum lock_order {
    LOCK_ORDER_VM = 20,      /* one VM's machine: devices, state changes */
    LOCK_ORDER_VCPU = 30,
    LOCK_ORDER_CODE = 35,    /* one VM's executable pages (takes POOL for tables) */
    LOCK_ORDER_QUEUE = 40,   /* one CPU's run queue and timers */
    LOCK_ORDER_SPACE = 50,   /* the hypervisor's own address spaces (takes POOL for tables) */
    LOCK_ORDER_POOL = 60,
    LOCK_ORDER_LOG = 80,     /* the log's ring and the prompt; sends to the consoles */
    LOCK_ORDER_CONTROL = 85, /* frames on their way out */
    LOCK_ORDER_CONSOLE = 90, /* last: anybody may print whatever he holds */
};

struct lock {
    uint16_t next;   /* the ticket that the next comer draws */
    uint16_t owner;  /* the ticket that is being served; == next: free */
    uint16_t order;  /* enum lock_order */
    uint16_t holder; /* CPU index + 1, 0: free; kept in debug builds only */
    const char *name;
};

#define LOCK_INIT(order_, name_) {.order = (order_), .name = (name_)}

/* name must live as long as the lock. */
void lock_init(struct lock *l, enum lock_order order, const char *name);
/* The part of lock_take() that is not inline: waits until `ticket` is served. */
void lock_wait(struct lock *l, uint16_t ticket);
/* Debug builds: panics unless this CPU may take l, or release it; notes that it has, or will. */
void lock_check_order(const struct lock *l);
void lock_note_taken(struct lock *l);
void lock_note_released(struct lock *l);

/* Waits until the lock is this CPU's. While it waits it serves no calls of other CPUs (see
 * host_call_others(): a caller holds no lock, so that who holds this one cannot be waiting for
 * us). Everything written before the last release is seen. */
static inline void lock_take(struct lock *l)
{
#ifdef PLINTH_DEBUG
    lock_check_order(l);
#endif
    uint16_t ticket = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED);
    if (unlikely(__atomic_load_n(&l->owner, __ATOMIC_ACQUIRE) != ticket))
        lock_wait(l, ticket);
#ifdef PLINTH_DEBUG
    lock_note_taken(l);
#endif
}

/* False, at once, when somebody has it. Not bound to the order: it cannot wait in a circle. */
MUST_CHECK bool lock_try(struct lock *l);

static inline void lock_release(struct lock *l)
{
#ifdef PLINTH_DEBUG
    lock_note_released(l);
#endif
    __atomic_store_n(&l->owner, (uint16_t)(l->owner + 1), __ATOMIC_RELEASE);
}

/* True when this CPU holds l, as far as is known: without DEBUG it says whether anybody does. */
bool lock_held(const struct lock *l);
/* Debug builds: how many locks this CPU holds (others: 0), for asserting "none" where it may wait,
 * run a guest or open interrupts. */
unsigned lock_count(void);
/* For panic, once the other CPUs have stopped: from now on nobody waits for a lock. */
void lock_break_all(void);

#endif
