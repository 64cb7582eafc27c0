/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The time that a guest is told of through memory of its own, as Linux knows it from KVM: clock,
 * wall clock, and for how long a vCPU had to wait. Layouts and arithmetic are pvclock.c's. Have
 * open: Linux "Documentation/virt/kvm/x86/msr.rst".
 */
#ifndef CORE_GUEST_TIME_H
#define CORE_GUEST_TIME_H

#include "core/vcpu.h"

/* The rows KVM_CLOCK and KVM_STEAL_TIME of msr.def. False: #GP, and nothing has changed. */
uint64_t guest_time_read(const struct vcpu *v, uint32_t msr);
MUST_CHECK bool guest_time_write(struct vcpu *v, uint32_t msr, uint64_t value);
/* The TSC under vm's clocks is about to jump; has jumped on all its vCPUs. Between the two a reader
 * tries again. The VM's lock is not held; several may be about it at once. */
void guest_time_hold(struct vm *vm);
void guest_time_release(struct vm *vm);

/* The scheduler, with v's VM's space loaded: v leaves the run queue for its CPU at TSC now / is
 * taken off the CPU though it could go on. */
void guest_time_enter(struct vcpu *v, uint64_t now);
void guest_time_preempted(struct vcpu *v);

#endif
