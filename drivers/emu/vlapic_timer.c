/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The emulated local APIC's timer. PURE arithmetic on TSC ticks: the distance from the moment the
 * counter was loaded is taken modulo 2^64, so that a guest may set its TSC to anything.
 * Have open: SDM, "APIC Timer".
 */
#include "drivers/emu/vlapic_timer.h"

static bool counts(const struct vlapic_timer *t)
{
    return t->mode == VLAPIC_TIMER_ONE_SHOT || t->mode == VLAPIC_TIMER_PERIODIC;
}

/* TSC ticks from start to zero, and from zero to zero. Below 2^39; not 0 while running. */
static uint64_t first_ticks(const struct vlapic_timer *t)
{
    return (uint64_t)t->count << t->shift;
}

static uint64_t period_ticks(const struct vlapic_timer *t)
{
    return (uint64_t)t->initial << t->shift;
}

/* TSC ticks from start to the next interrupt: the first time the counter is zero, or the first that
 * is min_period away, in phase. */
static uint64_t due_ticks(const struct vlapic_timer *t)
{
    uint64_t first = first_ticks(t);
    if (t->mode != VLAPIC_TIMER_PERIODIC || first >= t->min_period)
        return first;
    uint64_t missing = t->min_period - first, period = period_ticks(t);
    return first + (missing / period + (missing % period != 0)) * period;
}

void vlapic_timer_reset(struct vlapic_timer *t)
{
    *t = (struct vlapic_timer){
        .mode = VLAPIC_TIMER_ONE_SHOT,
        .shift = 1,
        .min_period = t->min_period,
    };
}

void vlapic_timer_set_mode(struct vlapic_timer *t, unsigned mode)
{
    bool counted = counts(t);
    if (mode == t->mode)
        return;
    t->mode = (uint8_t)mode;
    if (counted && counts(t))
        return;
    t->running = false;
    t->initial = t->count = 0;
    t->deadline = 0;
}

void vlapic_timer_set_initial(struct vlapic_timer *t, uint32_t initial, uint64_t now)
{
    if (!counts(t))
        return;
    t->initial = t->count = initial;
    t->start = now;
    t->running = initial != 0;
}

void vlapic_timer_set_divide(struct vlapic_timer *t, uint32_t configuration, uint64_t now)
{
    /* Bits 3, 1, 0 as a number: 0 to 6 divide by 2 to 128, 7 by 1. */
    unsigned code = (configuration >> 1 & 4) | (configuration & 3);
    uint8_t shift = (uint8_t)((code + 1) & 7);
    if (shift == t->shift)
        return;
    if (t->running) {
        t->count = vlapic_timer_current(t, now);
        t->start = now;
        t->running = t->count != 0;
    }
    t->shift = shift;
}

void vlapic_timer_set_deadline(struct vlapic_timer *t, uint64_t deadline)
{
    if (t->mode == VLAPIC_TIMER_TSC_DEADLINE)
        t->deadline = deadline;
}

uint32_t vlapic_timer_current(const struct vlapic_timer *t, uint64_t now)
{
    if (!t->running)
        return 0;
    uint64_t elapsed = now - t->start, first = first_ticks(t);
    if (elapsed < first)
        return t->count - (uint32_t)(elapsed >> t->shift);
    if (t->mode == VLAPIC_TIMER_ONE_SHOT)
        return 0;
    return t->initial - (uint32_t)((elapsed - first) % period_ticks(t) >> t->shift);
}

uint64_t vlapic_timer_next(const struct vlapic_timer *t, uint64_t now)
{
    if (t->mode == VLAPIC_TIMER_TSC_DEADLINE && t->deadline != 0)
        return t->deadline;
    if (!t->running)
        return VLAPIC_NEVER;
    uint64_t elapsed = now - t->start, due = due_ticks(t);
    uint64_t left = elapsed < due ? due - elapsed : 0;
    return left < VLAPIC_NEVER - now ? now + left : VLAPIC_NEVER;
}

bool vlapic_timer_expire(struct vlapic_timer *t, uint64_t now)
{
    if (t->mode == VLAPIC_TIMER_TSC_DEADLINE && t->deadline != 0 && t->deadline <= now) {
        t->deadline = 0;
        return true;
    }
    uint64_t elapsed = now - t->start;
    if (!t->running || elapsed < due_ticks(t))
        return false;
    if (t->mode == VLAPIC_TIMER_ONE_SHOT) {
        t->running = false;
        t->count = 0;
    } else {
        /* Loaded again when the counter was last zero, not now: no drift. */
        t->start = now - (elapsed - first_ticks(t)) % period_ticks(t);
        t->count = t->initial;
    }
    return true;
}

void vlapic_timer_tsc_moved(struct vlapic_timer *t, uint64_t delta)
{
    t->start += delta;
}
