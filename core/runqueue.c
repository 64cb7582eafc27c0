/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Weighted round robin in epochs (runqueue.h, docs/scheduler.md). In each epoch an entity is given
 * its quantum, weight times slice; the queue's epoch grows when nobody has any left. Credits are
 * completed when an entity is looked at, so a new epoch costs a swap of two lists. Must not look at
 * clocks, locks or vCPUs. To read beside: Li, Baumberger and Hahn, "Efficient and scalable
 * multiprocessor fair scheduling using distributed weighted round-robin", for why stealing keeps
 * the epochs of all CPUs together.
 */
#include "core/runqueue.h"

static struct runq_entity *of(struct list *l)
{
    return container_of(l, struct runq_entity, link);
}

static int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* Ticks that e is given in each epoch. */
static int64_t quantum(const struct runq *rq, const struct runq_entity *e)
{
    return rq->slice * (int64_t)e->weight / RUNQ_WEIGHT_DEFAULT;
}

static uint32_t weight_in_range(uint32_t weight)
{
    return (uint32_t)clamp(weight, RUNQ_WEIGHT_MIN, RUNQ_WEIGHT_MAX);
}

void runq_init(struct runq *rq, int64_t slice)
{
    *rq = (struct runq){.epoch = 1, .slice = clamp(slice, RUNQ_SLICE_MIN, RUNQ_SLICE_MAX)};
    /* Below the quantum of the least weight: who is given one can always make a turn of it. */
    rq->least = rq->slice / 16;
    list_init(&rq->woken);
    list_init(&rq->active);
    list_init(&rq->expired);
}

void runq_entity_init(struct runq_entity *e, uint32_t weight)
{
    *e = (struct runq_entity){.weight = weight_in_range(weight), .place = RUNQ_NOWHERE};
    list_init(&e->link);
}

/* Brings e's credit up to rq's epoch; keeps at most `quanta` of it. */
static void settle(const struct runq *rq, struct runq_entity *e, int64_t quanta)
{
    int64_t q = quantum(rq, e);
    /* What runq_catch_up() says gives nothing. */
    if (e->home == rq)
        e->epoch += rq->skipped - e->skipped;
    e->home = rq;
    e->skipped = rq->skipped;
    /* From a queue that was ahead: it has had its share of the next epochs. One is made good by
     * waiting; more would be a punishment for having been moved. */
    if (e->epoch > rq->epoch + 1)
        e->epoch = rq->epoch + 1;
    if (e->epoch < rq->epoch) {
        uint64_t missed = min_u64(rq->epoch - e->epoch, RUNQ_DEBT_MAX + RUNQ_WAITED_MAX);
        e->credit += q * (int64_t)missed;
        e->epoch = rq->epoch;
    }
    e->credit = clamp(e->credit, -q * RUNQ_DEBT_MAX, q * quanta);
}

void runq_set_weight(struct runq *rq, struct runq_entity *e, uint32_t weight)
{
    e->weight = weight_in_range(weight);
    int64_t q = quantum(rq, e);
    e->credit = clamp(e->credit, -q * RUNQ_DEBT_MAX, q * RUNQ_WAITED_MAX);
}

static bool has_credit(const struct runq *rq, const struct runq_entity *e)
{
    return e->credit >= rq->least;
}

/* In front of `before`: a list's head for its tail. */
static void enqueue(struct runq *rq, struct runq_entity *e, struct list *before)
{
    list_append(before, &e->link);
    e->place = RUNQ_QUEUED;
    rq->count++;
}

static void dequeue(struct runq *rq, struct runq_entity *e)
{
    list_remove(&e->link);
    e->place = RUNQ_NOWHERE;
    rq->count--;
}

bool runq_wake(struct runq *rq, struct runq_entity *e)
{
    /* An idle queue's epoch stood still; it joins the others'. */
    if (runq_load(rq) == 0)
        rq->epoch = max_u64(rq->epoch, e->epoch);
    settle(rq, e, RUNQ_SLEPT_MAX);
    e->used = 0;
    bool first = has_credit(rq, e);
    enqueue(rq, e, first ? &rq->woken : &rq->expired);
    return first;
}

static void next_epoch(struct runq *rq)
{
    /* active is empty: all that expired moves over in one piece. */
    struct list *first = rq->expired.next, *last = rq->expired.prev;
    rq->epoch++;
    first->prev = last->next = &rq->active;
    rq->active.next = first;
    rq->active.prev = last;
    list_init(&rq->expired);
}

/* The first of a list that has credit; those on its way that have none are put on expired. */
static struct runq_entity *first_with_credit(struct runq *rq, struct list *head)
{
    while (!list_empty(head)) {
        struct runq_entity *e = of(head->next);
        settle(rq, e, RUNQ_WAITED_MAX);
        dequeue(rq, e);
        if (has_credit(rq, e))
            return e;
        enqueue(rq, e, &rq->expired);
    }
    return NULL;
}

struct runq_entity *runq_pick(struct runq *rq)
{
    if (rq->count == 0)
        return NULL;
    struct runq_entity *e = first_with_credit(rq, &rq->woken);
    if (!e)
        e = first_with_credit(rq, &rq->active);
    /* Ends: each epoch brings all of them nearer to having credit, and a debt is RUNQ_DEBT_MAX
     * quanta at most. An entity passed over has had each pass's quantum before its time. */
    while (!e) {
        next_epoch(rq);
        e = first_with_credit(rq, &rq->active);
    }
    e->place = RUNQ_RUNNING;
    rq->running = e;
    return e;
}

int64_t runq_turn(const struct runq *rq, const struct runq_entity *e)
{
    int64_t left = rq->slice - e->used;
    left = left < e->credit ? left : e->credit;
    return left > 0 ? left : 0;
}

void runq_charge(const struct runq *rq, struct runq_entity *e, uint64_t ticks)
{
    /* More than any debt that is kept, less than what could overflow. */
    int64_t quanta = RUNQ_WEIGHT_MAX / RUNQ_WEIGHT_DEFAULT * (RUNQ_DEBT_MAX + RUNQ_WAITED_MAX);
    int64_t most = quanta * rq->slice;
    int64_t ran = (int64_t)min_u64(ticks, (uint64_t)most);
    e->credit = clamp(e->credit - ran, -quantum(rq, e) * RUNQ_DEBT_MAX, INT64_MAX);
    e->used = clamp(e->used + ran, 0, rq->slice);
}

void runq_go_on(struct runq *rq, struct runq_entity *e, uint64_t ticks)
{
    runq_charge(rq, e, ticks);
    e->used = 0;
    while (!has_credit(rq, e)) { /* ends as runq_pick() does */
        rq->epoch++;
        settle(rq, e, RUNQ_WAITED_MAX);
    }
}

void runq_put(struct runq *rq, struct runq_entity *e, enum runq_how how)
{
    rq->running = NULL;
    /* What is left of the turn is worth another switch, or the turn is over. */
    bool goes_on = how == RUNQ_PREEMPTED && rq->slice - e->used >= rq->least;
    if (!goes_on)
        e->used = 0;
    if (has_credit(rq, e))
        enqueue(rq, e, goes_on ? rq->active.next : &rq->active);
    else
        enqueue(rq, e, &rq->expired);
}

void runq_remove(struct runq *rq, struct runq_entity *e)
{
    if (e->place == RUNQ_RUNNING) {
        rq->running = NULL;
        e->place = RUNQ_NOWHERE;
    } else if (e->place != RUNQ_NOWHERE) {
        dequeue(rq, e);
    }
}

void runq_catch_up(struct runq *rq, uint64_t latest)
{
    uint64_t epoch = max_u64(rq->epoch + 1, latest) - 1;
    /* All but one: with the next epoch's that is as much as is kept (RUNQ_WAITED_MAX), so that who
     * owes gets no nearer to who does not. */
    if (rq->count && epoch > rq->epoch)
        rq->skipped += epoch - rq->epoch - 1;
    rq->epoch = epoch;
}

bool runq_worth_stealing(const struct runq *from, const struct runq *to)
{
    if (from == to || from->count == 0 || !runq_hungry(to))
        return false;
    /* What expired on a queue that lags would be given to's epoch there later. */
    return runq_load(to) == 0 || from->epoch < to->epoch ||
           (from->epoch == to->epoch && !runq_hungry(from));
}

/* One of a list that may move, at most `look` tried; from the tail, who would wait the longest. */
static struct runq_entity *movable(struct list *head, bool from_tail, unsigned look,
                                   bool (*may)(void *ctx, const struct runq_entity *e), void *ctx)
{
    struct list *l = from_tail ? head->prev : head->next;
    for (; l != head && look > 0; l = from_tail ? l->prev : l->next, look--)
        if (!may || may(ctx, of(l)))
            return of(l);
    return NULL;
}

struct runq_entity *runq_steal(struct runq *from, struct runq *to,
                               bool (*may)(void *ctx, const struct runq_entity *e), void *ctx)
{
    if (!runq_worth_stealing(from, to))
        return NULL;
    bool idle = runq_load(to) == 0;
    unsigned look = idle ? from->count : RUNQ_LOOK;
    struct runq_entity *e = movable(&from->woken, false, look, may, ctx);
    if (!e)
        e = movable(&from->active, true, look, may, ctx);
    if (!e && (idle || from->epoch < to->epoch))
        e = movable(&from->expired, false, look, may, ctx);
    if (!e)
        return NULL;
    dequeue(from, e);
    settle(from, e, RUNQ_WAITED_MAX);
    if (idle)
        to->epoch = max_u64(to->epoch, from->epoch);
    settle(to, e, RUNQ_WAITED_MAX);
    e->used = 0;
    enqueue(to, e, has_credit(to, e) ? &to->active : &to->expired);
    return e;
}
