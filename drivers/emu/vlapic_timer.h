/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The timer of the emulated local APIC: when it expires and what its count reads. PURE arithmetic;
 * masks, vectors and registers are vlapic.c's. Time is the guest's TSC; the counter's input clock
 * has the TSC's rate, so one count lasts 1 to 128 TSC ticks, as the divide configuration says.
 * Nothing is accumulated: the counter is known from the moment it was last loaded, so a periodic
 * timer does not drift however late it is looked at.
 * Have open: SDM, "APIC Timer".
 */
#ifndef DRIVERS_EMU_VLAPIC_TIMER_H
#define DRIVERS_EMU_VLAPIC_TIMER_H

#include "core/lib/bits.h"

#define VLAPIC_NEVER UINT64_MAX

/* Encoded as in bits 18:17 of the LVT timer register. */
enum vlapic_timer_mode {
    VLAPIC_TIMER_ONE_SHOT = 0,
    VLAPIC_TIMER_PERIODIC = 1,
    VLAPIC_TIMER_TSC_DEADLINE = 2,
    VLAPIC_TIMER_RESERVED = 3, /* stands still */
};

struct vlapic_timer {
    uint8_t mode;        /* enum vlapic_timer_mode */
    uint8_t shift;       /* one count is 1 << shift TSC ticks, 0 to 7 */
    bool running;        /* the counter runs; not used in TSC-deadline mode */
    uint32_t initial;    /* initial-count register */
    uint32_t count;      /* what the counter held ... */
    uint64_t start;      /* ... at this TSC */
    uint64_t deadline;   /* IA32_TSC_DEADLINE, 0: not armed */
    uint64_t min_period; /* TSC ticks; the owner's: periods shorter than this are merged; < 2^62 */
};

/* Stopped, one-shot, divided by 2 (what a divide configuration of 0 means). Keeps min_period. */
void vlapic_timer_reset(struct vlapic_timer *t);

/* A new mode. To or from TSC-deadline (or the reserved one) disarms and clears the initial count;
 * between one-shot and periodic the counter runs on. Expirations up to now must have been taken. */
void vlapic_timer_set_mode(struct vlapic_timer *t, unsigned mode);
/* A write of the initial count: starts the counter, 0 stops it; ignored in TSC-deadline mode. */
void vlapic_timer_set_initial(struct vlapic_timer *t, uint32_t initial, uint64_t now);
/* A write of the divide configuration (bits 3, 1, 0): the counter goes on from where it is. */
void vlapic_timer_set_divide(struct vlapic_timer *t, uint32_t configuration, uint64_t now);
/* A write of IA32_TSC_DEADLINE: 0 disarms, ignored in other modes. */
void vlapic_timer_set_deadline(struct vlapic_timer *t, uint64_t deadline);

/* The current-count register at now. */
uint32_t vlapic_timer_current(const struct vlapic_timer *t, uint64_t now);
/* The TSC at which it expires next, now or before if it is due; VLAPIC_NEVER if it does not. */
uint64_t vlapic_timer_next(const struct vlapic_timer *t, uint64_t now);
/* True if it has expired up to now: once, however many periods have passed. */
bool vlapic_timer_expire(struct vlapic_timer *t, uint64_t now);

/* True if it fires once, not periodically, and is due at now: then vlapic_timer_stop() is all that
 * vlapic_timer_expire() would do. */
static inline bool vlapic_timer_fires(const struct vlapic_timer *t, uint64_t now)
{
    if (t->mode == VLAPIC_TIMER_TSC_DEADLINE)
        return t->deadline != 0 && t->deadline <= now;
    return t->mode == VLAPIC_TIMER_ONE_SHOT && t->running &&
           now - t->start >= (uint64_t)t->count << t->shift;
}

static inline void vlapic_timer_stop(struct vlapic_timer *t)
{
    t->deadline = 0;
    t->running = false;
    t->count = 0;
}

/* The guest's TSC was set forward by delta (modulo 2^64): the counter, which does not follow the
 * TSC's value but its rate, keeps its distance; IA32_TSC_DEADLINE stays what it is. */
void vlapic_timer_tsc_moved(struct vlapic_timer *t, uint64_t delta);

#endif
