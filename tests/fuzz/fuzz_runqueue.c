/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Three run queues under any sequence of operations. An entity is on one list or none and counted
 * right; credits stay in bounds; a CPU's time is given to whom it ran; none that was not moved and
 * had credit to begin with waits for more than two rounds of everybody, whatever the others do.
 */
#include <stdlib.h>

#include "core/lib/string.h"
#include "core/runqueue.h"

#define QUEUES   3
#define ENTITIES 12
#define SLICE    INT64_C(16000)

static struct runq queue[QUEUES];
static struct player {
    struct runq_entity e;
    unsigned on;        /* index of its queue */
    uint8_t mask;
    uint64_t waited;    /* ticks that its queue has run others since it was queued */
    bool promised;      /* it is owed a turn within two rounds */
} player[ENTITIES];

static void check(bool ok)
{
    if (!ok)
        abort();
}

static struct player *of(const struct runq_entity *e)
{
    return (struct player *)(void *)((char *)(uintptr_t)e - offsetof(struct player, e));
}

static int64_t quantum(const struct runq_entity *e)
{
    return SLICE * (int64_t)e->weight / RUNQ_WEIGHT_DEFAULT;
}

/* What all quanta come to, and as much again for turns that were overrun. */
static uint64_t round_of_all(void)
{
    int64_t sum = 0;
    for (unsigned i = 0; i < ENTITIES; i++)
        sum += quantum(&player[i].e) + SLICE / 16;
    return (uint64_t)sum;
}

static unsigned length(const struct runq *rq, const struct list *head)
{
    unsigned n = 0;
    list_for_each (l, head) {
        const struct runq_entity *e = container_of(l, struct runq_entity, link);
        check(l->next->prev == l && l->prev->next == l && n < ENTITIES);
        check(e->place == RUNQ_QUEUED && &queue[of(e)->on] == rq && rq->running != e);
        check(head != &rq->woken || e->credit >= rq->least);
        n++;
    }
    return n;
}

static void check_queues(void)
{
    unsigned listed = 0, queued = 0;
    for (unsigned i = 0; i < QUEUES; i++) {
        struct runq *rq = &queue[i];
        unsigned n = length(rq, &rq->woken) + length(rq, &rq->active) + length(rq, &rq->expired);
        check(n == rq->count && runq_load(rq) == n + (rq->running != NULL));
        check(!rq->running || rq->running->place == RUNQ_RUNNING);
        listed += n;
    }
    for (unsigned i = 0; i < ENTITIES; i++) {
        const struct runq_entity *e = &player[i].e;
        int64_t q = quantum(e);
        check(e->credit >= -RUNQ_DEBT_MAX * q && e->credit <= RUNQ_WAITED_MAX * q);
        check(e->place != RUNQ_NOWHERE || list_empty(&e->link));
        check(e->place != RUNQ_RUNNING || queue[player[i].on].running == e);
        check(e->used >= 0 && e->used <= SLICE);
        queued += e->place == RUNQ_QUEUED;
    }
    check(listed == queued);
}

static bool may(void *ctx, const struct runq_entity *e)
{
    return of(e)->mask >> *(const unsigned *)ctx & 1;
}

static void ready(struct player *p, bool promised)
{
    p->waited = 0;
    p->promised = promised && p->e.credit >= 0;
}

static void wake(struct player *p, unsigned on)
{
    while (!(p->mask >> on & 1))
        on = (on + 1) % QUEUES;
    bool moved = on != p->on;
    p->on = on;
    bool first = runq_wake(&queue[on], &p->e);
    check(!first || (p->e.credit > 0 && !runq_hungry(&queue[on])));
    check(p->e.credit <= RUNQ_SLEPT_MAX * quantum(&p->e));
    ready(p, !moved);
}

static void steal(unsigned to)
{
    for (unsigned from = 0; from < QUEUES; from++) {
        bool worth = runq_worth_stealing(&queue[from], &queue[to]);
        bool idle = runq_load(&queue[to]) == 0;
        struct runq_entity *e = runq_steal(&queue[from], &queue[to], may, &to);
        if (!e)
            continue;
        check(worth && (idle || e->credit >= queue[to].least || e->credit <= 0 ||
                        queue[from].epoch <= queue[to].epoch));
        check(of(e)->on == from && of(e)->mask >> to & 1);
        of(e)->on = to;
        /* Those that were there see one more before them, with up to two quanta. */
        for (unsigned i = 0; i < ENTITIES; i++)
            if (player[i].on == to)
                player[i].promised = false;
    }
}

static void no_promises(void)
{
    for (unsigned i = 0; i < ENTITIES; i++)
        player[i].promised = false;
}

/* Ticks run out of a turn: sixteenths of it, from 16 on a small overrun, at 31 one beyond what is
 * remembered, after which nobody is promised anything. */
static int64_t part_of(int64_t may_run, unsigned part)
{
    if (part < 16)
        return may_run * part / 16;
    if (part < 31)
        return may_run + (part - 16) * (SLICE / 256);
    no_promises();
    return 200 * SLICE;
}

static void catch_up(unsigned n)
{
    uint64_t latest = 0, was = queue[n].epoch;
    for (unsigned i = 0; i < QUEUES; i++)
        latest = max_u64(latest, queue[i].epoch);
    runq_catch_up(&queue[n], latest);
    check(queue[n].epoch + 1 >= latest && queue[n].epoch >= was);
}

/* A CPU's turn: how much of it, and what becomes of who had it. */
static void turn(unsigned n, unsigned part, unsigned fate)
{
    struct runq *rq = &queue[n];
    if (runq_hungry(rq))
        steal(n);
    if (runq_hungry(rq))
        catch_up(n);
    unsigned before = rq->count;
    struct runq_entity *e = runq_pick(rq);
    check((e != NULL) == (before > 0));
    if (!e)
        return;
    struct player *p = of(e);
    int64_t may_run = runq_turn(rq, e), credit = e->credit;
    check(p->on == n && may_run >= rq->least && may_run <= SLICE && may_run <= credit);
    check(!p->promised || p->waited <= 2 * round_of_all());
    check_queues();
    int64_t ran = part_of(may_run, part), debt = -RUNQ_DEBT_MAX * quantum(e);
    if (rq->count == 0 && part < 16 && fate == 2) {
        runq_go_on(rq, e, (uint64_t)ran);
        check(e->credit >= rq->least && runq_turn(rq, e) >= rq->least);
        ran = 0;
        credit = e->credit;
        may_run = runq_turn(rq, e);
    }
    runq_charge(rq, e, (uint64_t)ran);
    check(e->credit == (credit - ran > debt ? credit - ran : debt));
    check((ran < may_run) == (runq_turn(rq, e) > 0));
    for (unsigned i = 0; i < ENTITIES; i++)
        if (player[i].on == n && player[i].e.place == RUNQ_QUEUED)
            player[i].waited += (uint64_t)ran;
    if (fate == 3) {
        runq_remove(rq, e);
        return;
    }
    runq_put(rq, e, part >= 16 ? RUNQ_USED : (enum runq_how)fate);
    ready(p, e->credit >= -SLICE / 16);
}

/* All that sleep wake on one queue, again and again, and use up what they are given. */
static void storm(unsigned n, unsigned times)
{
    for (; times > 0; times--) {
        for (unsigned i = 0; i < ENTITIES; i++)
            if (player[i].e.place == RUNQ_NOWHERE && player[i].on == n && player[i].mask >> n & 1)
                wake(&player[i], n);
        turn(n, 15 + (times & 1), 3);
    }
}

static void operation(const uint8_t *op)
{
    struct player *p = &player[op[0] % ENTITIES];
    struct runq *rq = &queue[p->on];
    switch (op[0] / ENTITIES % 8) {
    case 0:
    case 1:
        if (p->e.place == RUNQ_NOWHERE)
            wake(p, op[1] % QUEUES);
        break;
    case 2:
        if (op[1] % 4 == 0)
            runq_remove(rq, &p->e);
        break;
    case 3:
        if (op[1] % 8 == 0) {
            runq_set_weight(rq, &p->e, op[1] * 5u);
            no_promises();
        }
        break;
    case 4:
        storm(p->on, op[1]);
        break;
    default:
        turn(op[0] % QUEUES, op[1] % 32, op[1] >> 5 & 3);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (unsigned i = 0; i < QUEUES; i++)
        runq_init(&queue[i], SLICE);
    for (unsigned i = 0; i < ENTITIES; i++) {
        /* The first half may run anywhere, the others where the input says. */
        uint8_t mask = i < ENTITIES / 2 || size == 0 ? 7 : data[i % size] & 7;
        player[i] = (struct player){.mask = mask ? mask : 7};
        runq_entity_init(&player[i].e, i % 3 ? RUNQ_WEIGHT_DEFAULT : 30 * i);
    }
    for (size_t at = 0; at + 2 <= size; at += 2) {
        operation(data + at);
        check_queues();
    }
    /* Whatever has been: all that are queued get their turn. */
    for (unsigned n = 0; n < 40 * ENTITIES; n++)
        turn(n % QUEUES, 15, RUNQ_USED);
    for (unsigned i = 0; i < ENTITIES; i++)
        check(player[i].e.place == RUNQ_NOWHERE ||
              player[i].waited <= (player[i].promised ? 2 : RUNQ_DEBT_MAX + 4) * round_of_all());
    return 0;
}
