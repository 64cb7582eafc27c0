/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The timer queue under any sequence of operations: it agrees with an array, and every link of the
 * heap is as it should be.
 */
#include <stdlib.h>

#include "core/lib/string.h"
#include "core/timerq.h"

#define TIMERS 32

static struct timerq q;
static struct timerq_entry timer[TIMERS];
static uint64_t model[TIMERS];

static void check(bool ok)
{
    if (!ok)
        abort();
}

static uint64_t model_first(void)
{
    uint64_t first = TIMERQ_NEVER;
    for (unsigned i = 0; i < TIMERS; i++)
        first = min_u64(first, model[i]);
    return first;
}

/* Links both ways, nobody due before who is above; as many as the model has. */
static void check_shape(void)
{
    unsigned queued = 0, hanging = 0;
    for (unsigned i = 0; i < TIMERS; i++) {
        const struct timerq_entry *t = &timer[i];
        check(t->at == model[i]);
        if (!timerq_queued(t)) {
            check(!t->child && !t->next && !t->prev);
            continue;
        }
        queued++;
        hanging += t->prev != NULL;
        check((t == q.root) == !t->prev && (t != q.root || !t->next));
        check(!t->prev || t->prev->child == t || t->prev->next == t);
        check(!t->next || t->next->prev == t);
        for (const struct timerq_entry *c = t->child; c; c = c->next)
            check(c->at >= t->at);
    }
    check(hanging + (q.root != NULL) == queued);
    check(timerq_next(&q) == model_first());
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t now = 0;
    timerq_init(&q);
    for (unsigned i = 0; i < TIMERS; i++) {
        timerq_entry_init(&timer[i]);
        model[i] = TIMERQ_NEVER;
    }
    for (size_t at = 0; at + 2 <= size; at += 2) {
        unsigned i = data[at] % TIMERS;
        struct timerq_entry *t;
        switch (data[at] / TIMERS) {
        case 0:
            check(timerq_cancel(&q, &timer[i]) == (model[i] != TIMERQ_NEVER));
            model[i] = TIMERQ_NEVER;
            break;
        case 1:
            now += data[at + 1];
            while ((t = timerq_pop_due(&q, now))) {
                check(model[t - timer] == model_first() && model[t - timer] <= now);
                model[t - timer] = TIMERQ_NEVER;
            }
            check(model_first() > now);
            break;
        case 2:
            model[i] = TIMERQ_NEVER - data[at + 1] / 64;
            timerq_set(&q, &timer[i], model[i]);
            break;
        default:
            model[i] = now + data[at + 1];
            timerq_set(&q, &timer[i], model[i]);
            break;
        }
        check_shape();
    }
    return 0;
}
