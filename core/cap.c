/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Token bucket as a single time: `paid` is the tick at which what was run would have been earned.
 * Running moves it forward, the clock catches up with it; how far it lies behind the clock is what
 * is left in the bucket. Must not sleep, lock or read a clock: every CPU that runs a vCPU of the VM
 * comes here, and one compare-and-swap settles who was first.
 */
#include "core/cap.h"

/* A turn for less is not worth its switch: a sixteenth of a period's time. */
#define LEAST_OF_PERIOD 16

static uint64_t percent_of(const struct cap *c)
{
    return __atomic_load_n(&c->percent, __ATOMIC_RELAXED);
}

void cap_set(struct cap *c, uint32_t percent)
{
    uint32_t in_range = percent < CAP_PERCENT_MAX ? percent : CAP_PERCENT_MAX;
    __atomic_store_n(&c->percent, in_range, __ATOMIC_RELAXED);
}

void cap_init(struct cap *c, uint32_t percent, uint64_t period, uint64_t now)
{
    c->period = min_u64(max_u64(period, CAP_PERIOD_MIN), CAP_PERIOD_MAX);
    c->paid = now;
    cap_set(c, percent);
}

/* The bucket holds what half a period earns. */
static uint64_t oldest(const struct cap *c, uint64_t now)
{
    uint64_t depth = c->period / 2;
    return now > depth ? now - depth : 0;
}

uint64_t cap_left(const struct cap *c, uint64_t now)
{
    uint64_t percent = percent_of(c);
    if (percent == CAP_NONE)
        return UINT64_MAX;
    uint64_t paid = max_u64(__atomic_load_n(&c->paid, __ATOMIC_RELAXED), oldest(c, now));
    if (paid > now || now - paid < c->period / LEAST_OF_PERIOD)
        return 0;
    return (now - paid) * percent / 100;
}

void cap_charge(struct cap *c, uint64_t now, uint64_t ticks)
{
    uint64_t percent = percent_of(c);
    if (percent == CAP_NONE)
        return;
    /* In two steps, each too small to overflow: how many ticks of waiting the run has cost. */
    uint64_t most = c->period * CAP_DEBT_PERIODS;
    uint64_t cost = (min_u64(ticks, most) * 100 + percent - 1) / percent;
    uint64_t latest = now < UINT64_MAX - most ? now + most : UINT64_MAX;
    uint64_t old = __atomic_load_n(&c->paid, __ATOMIC_RELAXED), paid;
    do {
        paid = max_u64(old, oldest(c, now));
        paid = cost < latest - min_u64(paid, latest) ? paid + cost : max_u64(old, latest);
    } while (!__atomic_compare_exchange_n(&c->paid, &old, paid, false, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
}

uint64_t cap_next(const struct cap *c, uint64_t now)
{
    if (cap_left(c, now) > 0)
        return now;
    uint64_t paid = __atomic_load_n(&c->paid, __ATOMIC_RELAXED), wait = c->period / LEAST_OF_PERIOD;
    return paid < UINT64_MAX - wait ? max_u64(paid + wait, now + 1) : UINT64_MAX;
}
