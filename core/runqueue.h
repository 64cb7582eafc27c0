/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The policy of one physical CPU's run queue: who runs next and for how long. PURE: no clock (ticks
 * come in as arguments), no lock (the caller holds the queue's), no idea of what an entity is. The
 * rules in words and their bounds are in docs/scheduler.md.
 *
 * The owner's loop:  e = runq_pick(rq);  run it for runq_turn(rq, e);  runq_charge(rq, e, ran);
 *                    runq_put(rq, e, how)  or, when it goes to sleep,  runq_remove(rq, e).
 */
#ifndef CORE_RUNQUEUE_H
#define CORE_RUNQUEUE_H

#include "core/lib/list.h"

#define RUNQ_WEIGHT_DEFAULT 100 /* one slice each epoch */
#define RUNQ_WEIGHT_MIN     10
#define RUNQ_WEIGHT_MAX     1000
/* Ticks; a slice outside is moved inside. At the upper end no sum of credits can overflow. */
#define RUNQ_SLICE_MIN      INT64_C(1000)
#define RUNQ_SLICE_MAX      (INT64_C(1) << 48)
/* In quanta: how much credit is kept by one that slept and by one that had to wait, and how much
 * debt is remembered. */
#define RUNQ_SLEPT_MAX      1
#define RUNQ_WAITED_MAX     2
#define RUNQ_DEBT_MAX       8
/* Entities that a thief looks at in one list; one with nothing else to do looks at all. */
#define RUNQ_LOOK           16

enum runq_place {
    RUNQ_NOWHERE, /* asleep, or never seen */
    RUNQ_RUNNING, /* picked: on no list, rq->running */
    RUNQ_QUEUED,  /* on one of the three lists */
};

/* Belongs to the queue that it was last woken on or taken to, and is covered by that one's lock. */
struct runq_entity {
    struct list link;
    int64_t credit;  /* ticks it may still run; below 0: what it has overrun */
    int64_t used;    /* ticks of the present turn */
    uint64_t epoch;  /* credit is complete up to this one */
    const struct runq *home; /* the queue whose epoch that is */
    uint64_t skipped;        /* home->skipped at that time */
    uint32_t weight; /* RUNQ_WEIGHT_MIN..RUNQ_WEIGHT_MAX */
    uint8_t place;   /* enum runq_place; runqueue.c alone writes */
};

struct runq {
    struct list woken;           /* came from sleep with credit: first */
    struct list active;          /* have credit in this epoch */
    struct list expired;         /* wait for the next epoch */
    struct runq_entity *running; /* picked and not put back; NULL: none */
    uint64_t epoch;              /* starts at 1, only grows */
    uint64_t skipped;            /* epochs among them that gave nobody here anything */
    int64_t slice;               /* ticks: the longest turn, the default quantum */
    int64_t least;               /* ticks: no turn is started for less credit */
    unsigned count;              /* on the three lists; running is not among them */
};

enum runq_how {
    RUNQ_USED,      /* its turn is over */
    RUNQ_PREEMPTED, /* somebody else is to run first: it goes on with this turn afterwards */
    RUNQ_YIELDED,   /* it let the others go first */
};

/* slice: ticks. */
void runq_init(struct runq *rq, int64_t slice);
/* Once in an entity's life, not when its guest resets: what it owes must outlive a reset. */
void runq_entity_init(struct runq_entity *e, uint32_t weight);
/* For an entity that is nowhere, running or on rq, from the next epoch on; moved into range. */
void runq_set_weight(struct runq *rq, struct runq_entity *e, uint32_t weight);

/* From RUNQ_NOWHERE to rq. True: it has credit and stands in front of all that did not wake. */
bool runq_wake(struct runq *rq, struct runq_entity *e);
/* The next one to run, off the lists; NULL: nobody is here. Starts the next epoch when nobody has
 * credit left: ask runq_hungry() before, and try to steal. */
struct runq_entity *runq_pick(struct runq *rq);
/* Ticks that rq->running may run from now; 0: its turn is over. */
int64_t runq_turn(const struct runq *rq, const struct runq_entity *e);
/* It has run for so many ticks. */
void runq_charge(const struct runq *rq, struct runq_entity *e, uint64_t ticks);
/* rq->running has run for so many ticks while nobody else waited, and has a new turn: the epochs
 * that it would have had alone pass. */
void runq_go_on(struct runq *rq, struct runq_entity *e, uint64_t ticks);
/* rq->running comes back to the lists. */
void runq_put(struct runq *rq, struct runq_entity *e, enum runq_how how);
/* Takes e off, queued or running: it sleeps, or moves, or ends. Nothing if it is nowhere. */
void runq_remove(struct runq *rq, struct runq_entity *e);

/* Queued and running. */
static inline unsigned runq_load(const struct runq *rq)
{
    return rq->count + (rq->running != NULL);
}

/* Nobody queued here has credit: now, between runq_put() and runq_pick(), is the time to steal. */
static inline bool runq_hungry(const struct runq *rq)
{
    return list_empty(&rq->woken) && list_empty(&rq->active);
}

/* A queue that is hungry, where nothing could be stolen, or empty: its epoch comes near the latest
 * on any queue. Who is alone goes through epochs faster than two that share a CPU by their pins; if
 * these could keep what they lag behind, they would later have their CPU to themselves for it.
 * Of the epochs that are skipped one counts for those here: more would pay somebody's debts. */
void runq_catch_up(struct runq *rq, uint64_t latest);

/* Whether `from` may have something for `to`. Fit for a look without from's lock, for it only reads
 * single words: a wrong answer costs a vain look, or a slice until the next one. */
bool runq_worth_stealing(const struct runq *from, const struct runq *to);
/* Takes one entity for which may(ctx, e) holds (NULL: any) from `from`, queues it on `to` and
 * returns it; NULL: none. `to` gets one only if it is hungry: anyone when it is idle, else one that
 * would get its share of to's epoch later on `from`. Both locks held. */
struct runq_entity *runq_steal(struct runq *from, struct runq *to,
                               bool (*may)(void *ctx, const struct runq_entity *e), void *ctx);

#endif
