/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of the scheduler are to each other; for core/sched*.c alone. A vCPU is OFF, QUEUED
 * on one CPU's queue, RUNNING there, or BLOCKED with its timer there; all changes happen under the
 * lock of v->cpu's queue.
 */
#ifndef CORE_SCHED_PARTS_H
#define CORE_SCHED_PARTS_H

#include "core/host.h"
#include "core/lib/lock.h"
#include "core/sched.h"
#include "core/vm.h"

struct cpu_sched {
    struct lock lock;       /* queue, timers, running; v->state and v->cpu of those here */
    struct runq queue;
    struct timerq timers;   /* only this CPU sets; others may cancel */
    struct vcpu *running;   /* between pick and put */
    uint64_t paid_until;    /* TSC: somebody has paid for this CPU's time up to here; its own */
    bool short_turns;       /* a serial line has to be looked at more often than once a slice */
    /* A bit for each CPU that may run somebody who has been queued here since it last found nobody:
     * share() need not look at who waits. Under the lock, but share() reads it without. */
    uint64_t wanted[CPU_WORDS];
    uint64_t heard;         /* host_interrupts() when it last looked for work of its own */
    bool goes_on;           /* `running` has had its slice: sched_goes_on(); under the lock */
    uint64_t ran_from;      /* TSC: up to here `running` has in its `ran` what it has run ... */
    uint64_t waited;        /* ... and since then it has waited in place for so many ticks */
} __attribute__((aligned(64)));

extern struct cpu_sched sched_cpus[CPU_MAX];
extern uint64_t sched_epoch;   /* the latest of all queues; atomic */
extern uint64_t sched_granule; /* TSC ticks: nobody is preempted before so many */

static inline enum vcpu_state sched_state(const struct vcpu *v)
{
    return (enum vcpu_state)__atomic_load_n(&v->state, __ATOMIC_SEQ_CST);
}

static inline void sched_set_state(struct vcpu *v, enum vcpu_state state)
{
    __atomic_store_n(&v->state, (uint8_t)state, __ATOMIC_SEQ_CST);
}

/* c, whose lock is held, may be the one that is ahead. */
static inline void sched_note_epoch(const struct cpu_sched *c)
{
    uint64_t latest = __atomic_load_n(&sched_epoch, __ATOMIC_RELAXED);
    while (c->queue.epoch > latest &&
           !__atomic_compare_exchange_n(&sched_epoch, &latest, c->queue.epoch, true,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

static inline uint64_t sched_allowed_word(const struct vcpu *v, unsigned w)
{
    return __atomic_load_n(&v->cpus_allowed[w], __ATOMIC_RELAXED);
}

static inline bool sched_is_allowed(const struct vcpu *v, unsigned cpu)
{
    return sched_allowed_word(v, cpu / 64) & BIT(cpu % 64);
}

/* --- sched_wake.c --- */
/* Bit per CPU that is in host_idle() or about to be; atomic. */
extern uint64_t sched_idle[CPU_MAX / 64];
bool sched_is_idle(unsigned cpu);
void sched_set_idle(unsigned cpu, bool on);
/* v joins those who wait at c, whose lock is held. */
void sched_note_wanted(struct cpu_sched *c, const struct vcpu *v);
/* CPU me has looked at all who wait at c, whose lock is held: it may run none of them. */
void sched_note_unwanted(struct cpu_sched *c, unsigned me);
/* v, QUEUED and on no list, joins c, whose lock is held. */
void sched_join(struct cpu_sched *c, unsigned cpu, struct vcpu *v);
/* The queue of the CPU that v belongs to, with its lock. */
struct cpu_sched *sched_lock_home(const struct vcpu *v, unsigned *cpu);
/* v, QUEUED and on no list, leaves c, whose lock is held and is released, and joins another. */
void sched_move(struct cpu_sched *c, struct vcpu *v, unsigned to);
/* The allowed CPU with the least to do; -1: none of this machine's. */
int sched_least_loaded(const struct vcpu *v);
/* When what runs here must make room for a timer of vm that is due at `at`. */
uint64_t sched_stop_for(const struct vcpu *r, const struct vm *vm, uint64_t at);
/* Wakes vCPUs and lets devices work whose time has come. */
void sched_run_timers(struct cpu_sched *c, unsigned me);

/* --- sched_halt.c --- */
/* v is halted. False: it was woken, but not by what it waits for. */
bool sched_still_halted(struct vcpu *v, uint64_t now);
/* v is about to wait. With interrupts off only another vCPU can end that: when the last one does
 * it, this is a guest's way to say that it is done. False then. */
bool sched_may_halt(struct vcpu *v);
/* Nobody waits for v, which runs here, to end its turn. */
bool sched_is_alone(const struct cpu_sched *c, unsigned me, const struct vcpu *v);

/* --- sched_turn.c --- */
extern uint64_t sched_alone[CPU_MAX / 64];
/* v has been picked. */
void sched_take_turn(struct cpu_sched *c, unsigned me, struct vcpu *v);

/* --- sched_boot.c --- */
/* A piece of what the boot CPU does besides running vCPUs. False: there was nothing to do. */
bool sched_boot_work(void);
/* The console, a command that goes on, the next sample of counters: when it is due. */
uint64_t sched_boot_deadline(void);
/* A serial line has to be looked at more often than once a slice. */
bool sched_lines_need_us(void);

#endif
