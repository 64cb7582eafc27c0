/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exits under observation. A backend leaves an observed vCPU's guest by a second way, which notes
 * what kind of exit it was, what it was about and how long its handler took: for the trace and for
 * `exits`. The common way has no test for it. A backend asks observe_wanted() once a turn.
 */
#ifndef CORE_OBSERVE_H
#define CORE_OBSERVE_H

#include "core/exit.h"
#include "core/lib/status.h"
#include "core/trace.h"
#include "core/vcpu.h"

/* What an exit was about. */
enum observe_class { OBSERVE_PLAIN, OBSERVE_PORT, OBSERVE_MSR, OBSERVE_PAGE, OBSERVE_HYPERCALL };

struct observed_exit {
    uint64_t begin, end; /* TSC: soon after the exit; when its handler was through */
    uint32_t detail;     /* as trace_ring.h has it for PORT, MSR, PAGE and HYPERCALL */
    uint8_t kind;        /* enum exit_kind */
    uint8_t about;       /* enum observe_class */
};

struct observe_count {
    uint64_t count, ticks;
    uint32_t min, max; /* ticks */
};

struct observe_detail {
    uint32_t detail;
    uint8_t kind, about; /* about OBSERVE_PLAIN: the place is free */
    struct observe_count n;
};

#define OBSERVE_DETAILS 72

/* One page of a vCPU's; its CPU writes. */
struct observe_stats {
    uint64_t since; /* TSC */
    struct observe_count kind[EXIT_KINDS];
    struct observe_detail detail[OBSERVE_DETAILS];
    struct observe_count others; /* details that found no place */
};

static inline bool observe_wanted(const struct vcpu *v)
{
    return v->observe_stats || (trace_wanted() & TRACE_OBSERVED);
}

/* For backends, on v's CPU. injected: an event goes in at the coming entry. */
void observe_exit(struct vcpu *v, const struct observed_exit *x);
void observe_injection(const struct vcpu *v, uint8_t vector, uint8_t type);

/* PURE: adds an exit to s. */
void observe_add(struct observe_stats *s, const struct observed_exit *x);

/* Boot CPU only, no locks held. All vCPUs of a running VM begin anew, or end. */
struct vm;
MUST_CHECK enum pl_status observe_start(struct vm *vm);
void observe_stop(struct vm *vm);
/* The trace has been switched on or off: vm's running vCPUs look again. */
void observe_changed(struct vm *vm);
/* With the vCPU. */
void observe_free(struct vcpu *v);

#endif
