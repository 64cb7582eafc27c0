/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rings of all CPUs. A CPU may be inside trace_record_now() when the trace ends: so memory goes
 * back only after a call to every CPU, which none takes in the middle of one.
 */
#include "core/trace.h"

#include "core/host.h"
#include "core/vm.h"
#include "mm/pool.h"

uint32_t trace_kinds;

static struct trace_ring rings[CPU_MAX];
static uint64_t ring_records; /* of each ring; 0: there are none */

const struct trace_group trace_groups[TRACE_GROUPS] = {
    {"sched", (uint32_t)(BIT(TRACE_IN) | BIT(TRACE_OUT) | BIT(TRACE_WAKE) | BIT(TRACE_STEAL) |
                         BIT(TRACE_IDLE) | BIT(TRACE_BUSY))},
    {"exits", TRACE_OF_EXIT},
    {"hypercalls", (uint32_t)BIT(TRACE_HYPERCALL)},
    {"injections", (uint32_t)BIT(TRACE_INJECT)},
    {"timers", (uint32_t)BIT(TRACE_TIMER)},
};

const char *trace_kind_name(unsigned kind)
{
    static const char *const names[TRACE_KINDS] = {
        [TRACE_IN] = "in",       [TRACE_OUT] = "out",     [TRACE_WAKE] = "wake",
        [TRACE_STEAL] = "steal", [TRACE_IDLE] = "idle",   [TRACE_BUSY] = "busy",
        [TRACE_EXIT] = "exit",   [TRACE_PORT] = "port",   [TRACE_MSR] = "MSR",
        [TRACE_PAGE] = "page",   [TRACE_HYPERCALL] = "hypercall",
        [TRACE_INJECT] = "inject", [TRACE_TIMER] = "timer",
    };
    return kind < TRACE_KINDS && names[kind] ? names[kind] : "?";
}

const char *trace_why_name(unsigned why)
{
    static const char *const names[TRACE_WHYS] = {
        [TRACE_WHY_SLICE] = "slice over",  [TRACE_WHY_PREEMPTED] = "preempted",
        [TRACE_WHY_YIELDED] = "yielded",   [TRACE_WHY_HALTED] = "halted",
        [TRACE_WHY_STARTUP] = "waits for start-up", [TRACE_WHY_CAPPED] = "capped",
        [TRACE_WHY_STOPPED] = "stopped",   [TRACE_WHY_STALLED] = "waits for the console",
    };
    return why < TRACE_WHYS ? names[why] : "?";
}

COLD void trace_record_now(enum trace_kind kind, const struct vcpu *v, uint32_t value)
{
    struct trace_ring *ring = &rings[host_cpu_index()];
    struct trace_record r = {
        .tsc = host_now(),
        .kind = (uint8_t)kind,
        .vcpu = v ? (uint8_t)v->index : 0,
        .vm = v ? (uint16_t)v->vm->slot : TRACE_NOBODY,
        .value = value,
    };
    if (ring->buf && (trace_wanted() & BIT(kind)))
        trace_ring_put(ring, &r);
}

const struct trace_ring *trace_ring_of(unsigned cpu)
{
    return cpu < host_cpu_count() && ring_records ? &rings[cpu] : NULL;
}

void trace_stop(void)
{
    __atomic_store_n(&trace_kinds, 0, __ATOMIC_SEQ_CST);
    host_call_others(host_nothing, NULL); /* now nobody writes any more */
}

static unsigned pages_of(uint64_t records)
{
    return (unsigned)(records * sizeof(struct trace_record) / PAGE_SIZE);
}

void trace_release(void)
{
    for (unsigned i = 0; i < host_cpu_count(); i++) {
        if (rings[i].buf)
            pool_free_pages(rings[i].buf, pages_of(ring_records));
        rings[i].buf = NULL;
    }
    ring_records = 0;
}

void trace_clear(void)
{
    trace_stop();
    trace_release();
}

static bool take_rings(uint64_t records)
{
    ring_records = records;
    for (unsigned i = 0; i < host_cpu_count(); i++) {
        rings[i].buf = pool_alloc_pages(pages_of(records), NULL);
        if (!rings[i].buf)
            return false;
    }
    return true;
}

enum pl_status trace_start(uint32_t kinds, uint64_t records)
{
    trace_stop();
    if (records != ring_records) {
        trace_release();
        if (!take_rings(records)) {
            trace_release();
            return PL_NO_MEMORY;
        }
    }
    for (unsigned i = 0; i < host_cpu_count(); i++)
        trace_ring_init(&rings[i], rings[i].buf, records);
    __atomic_store_n(&trace_kinds, kinds, __ATOMIC_SEQ_CST);
    return PL_OK;
}
