/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Round robin over runnable vCPUs, and the loop in which a physical CPU lives.
 */
#ifndef CORE_SCHED_H
#define CORE_SCHED_H

#include "core/vcpu.h"

#define SCHED_SLICE_NS UINT64_C(10000000)

void sched_init(uint64_t slice_ns);
/* Makes a vCPU runnable; behind those that are. */
void sched_add(struct vcpu *v);
/* Takes it off every list. */
void sched_remove(struct vcpu *v);
/* An event for a blocked vCPU has come. */
void sched_wake(struct vcpu *v);
/* A timer of a sleeper has been programmed, by the running vCPU: at, a TSC, ends the slice. */
void sched_due(uint64_t at);
/* A physical interrupt that ends the running slice. */
void sched_preempt(void);
/* Makes this CPU hold v's state (NULL: nobody's) after giving back whose it held. */
void sched_switch_to(struct vcpu *v);
/* Takes the CPU's state off v, if it is there, since v is going away. */
void sched_forget(struct vcpu *v);
/* Each CPU's life. stop_when_idle: power off when the last VM has ended. */
NORETURN void sched_run(bool stop_when_idle);

#endif
