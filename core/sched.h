/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Round robin over runnable vCPUs on every physical CPU, the timers of those that sleep, and the
 * loop in which a physical CPU lives. The policy is runqueue.c's and cap.c's; docs/scheduler.md has
 * it in words, and the wake-up protocol.
 */
#ifndef CORE_SCHED_H
#define CORE_SCHED_H

#include "core/vcpu.h"

#define SCHED_SLICE_NS UINT64_C(10000000)

/* When all CPUs are there. */
void sched_init(uint64_t slice_ns);
/* A vCPU that belongs to no CPU yet: to the one with the least to do; it runs (true) or waits for
 * its start-up IPI. */
void sched_start(struct vcpu *v, bool runs);
/* Sets request bits and makes v's CPU see them: from any CPU, with any locks below QUEUE held. */
void sched_notify(struct vcpu *v, uint32_t requests);
/* Returns when no vCPU of vm that had one of these requests is in its guest any more. No lock is
 * held. */
void sched_await_exits(struct vm *vm, uint32_t requests);
/* From an exit: v lets the others go first. */
void sched_give_way(struct vcpu *v);
/* From an exit that answers OUTCOME_RETRY: v sleeps for a moment, or until somebody wants something
 * of it, before it tries again. */
void sched_stall(struct vcpu *v);
/* Sets t for a TSC value on this CPU, wherever it was; TIMERQ_NEVER: off. Calls for one timer must
 * not overlap: a VM's timer is covered by the VM's lock. */
void sched_set_timer(struct sched_timer *t, uint64_t at);
/* The physical interrupt that ends the running slice. */
void sched_preempt(void);
/* Another one: who goes on alone makes room. */
void sched_interrupted(void);
/* Makes this CPU hold v's state (NULL: nobody's) after giving back whose it held. */
void sched_switch_to(struct vcpu *v);
/* All vCPUs of vm are off: no CPU shall hold anything of it any more. */
void sched_leave_vm(struct vm *vm);
/* No vCPU of vm runs from the return on, until sched_resume(); its devices' time stands still, too,
 * and is caught up afterwards. Boot CPU only, no locks held. */
void sched_pause(struct vm *vm);
void sched_resume(struct vm *vm);
/* Of a vCPU that has been started, from any state; boot CPU only, no locks held. What is no longer
 * allowed where it is moves when its turn comes, before it runs. */
void sched_set_weight(struct vcpu *v, uint32_t weight);
void sched_set_pin(struct vcpu *v, const uint64_t cpus[CPU_WORDS]);
/* The other CPUs run no guest from here on: the machine is about to go. */
void sched_stop_others(void);
/* Calls fn(v, arg) where v's registers can be read, wherever v is. Boot CPU only, no locks held;
 * fn may print, but not wait. */
void sched_inspect(struct vcpu *v, void (*fn)(struct vcpu *v, void *arg), void *arg);
/* A CPU's queue at a moment, for people. */
struct sched_view {
    unsigned queued; /* vCPUs that wait */
    uint64_t epoch;
    bool idle, running;
    unsigned running_vm, running_vcpu;     /* slot, index */
    uint64_t slice_begin, slice_end;       /* TSC, of what runs */
    uint64_t next_timer;                   /* TSC; TIMERQ_NEVER: none is set */
};
void sched_look(unsigned cpu, struct sched_view *out);
/* The length of a slice, TSC ticks. */
uint64_t sched_slice(void);
/* v's slice is over. True: nobody else wants this CPU, and v has another one. */
bool sched_goes_on(struct vcpu *v);
/* v, which runs here, has halted: with nothing else to do its CPU halts, too, and v need not be put
 * away. True: something has ended that; v has not looked yet whether it is what it waits for.
 * False: it has to leave. */
bool sched_wait_here(struct vcpu *v);
/* The look. False: it goes on. True: it has to leave. */
bool sched_still_waits(struct vcpu *v);
/* Each CPU's life. stop_when_idle: power off when the last VM has ended. */
NORETURN void sched_run(bool stop_when_idle);
NORETURN void sched_run_other(void);

#endif
