/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The trace: what is recorded, when, and where it is kept. Each CPU has a ring of its own
 * (trace_ring.h), which only it writes. Off, a scheduling event costs one test; an exit costs
 * nothing, since the backend has a second way out of the guest for vCPUs that are observed
 * (observe.h). docs/tracing.md is for those who use it.
 */
#ifndef CORE_TRACE_H
#define CORE_TRACE_H

#include "core/lib/fmt.h"
#include "core/lib/status.h"
#include "core/trace_ring.h"

struct vcpu;

/* What an operator can choose. */
struct trace_group {
    const char *name;
    uint32_t kinds; /* BIT(enum trace_kind) */
};
#define TRACE_GROUPS 5
extern const struct trace_group trace_groups[TRACE_GROUPS];

#define TRACE_OF_EXIT ((uint32_t)(BIT(TRACE_EXIT) | BIT(TRACE_PORT) | BIT(TRACE_MSR) | \
                                  BIT(TRACE_PAGE)))
/* Kinds that are seen by the backend's second way out only. */
#define TRACE_OBSERVED (TRACE_OF_EXIT | (uint32_t)(BIT(TRACE_HYPERCALL) | BIT(TRACE_INJECT)))

/* The kinds that are recorded now; 0: the trace is off. trace.c alone writes. */
extern uint32_t trace_kinds;

static inline uint32_t trace_wanted(void)
{
    return __atomic_load_n(&trace_kinds, __ATOMIC_RELAXED);
}

/* Records it if its kind is wanted. v: whom it is about; NULL: nobody. Not from NMI handlers. */
void trace_record_now(enum trace_kind kind, const struct vcpu *v, uint32_t value);

/* Off, nothing but this test; which kinds are wanted is asked behind it. */
static inline void trace_event(enum trace_kind kind, const struct vcpu *v, uint32_t value)
{
    if (unlikely(trace_wanted()))
        trace_record_now(kind, v, value);
}

/* --- the operator's side: boot CPU only, no locks held --- */

#define TRACE_RECORDS_DEFAULT 4096
#define TRACE_RECORDS_MIN     256
#define TRACE_RECORDS_MAX     131072

/* Empties the rings and records from now on; records: of each CPU's ring, a power of two from
 * TRACE_RECORDS_MIN to _MAX. PL_NO_MEMORY: nothing has changed, but old rings are gone. */
MUST_CHECK enum pl_status trace_start(uint32_t kinds, uint64_t records);
/* The rings stay, to be shown. */
void trace_stop(void);
/* Stops, and gives the rings' memory back. */
void trace_clear(void);
/* The same when the other CPUs have stopped for good. */
void trace_release(void);
/* A CPU's ring, or NULL: there was no trace_start(). */
const struct trace_ring *trace_ring_of(unsigned cpu);
const char *trace_kind_name(unsigned kind);
const char *trace_why_name(unsigned why);

#endif
