/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Trace records, the ring that a CPU writes them to, and their form on the wire. PURE: time and CPU
 * come in as arguments, memory is the caller's. What is traced where is trace.h's; docs/tracing.md
 * has the wire format for those who read it.
 */
#ifndef CORE_TRACE_RING_H
#define CORE_TRACE_RING_H

#include "core/lib/bits.h"

/* The numbers are the wire's: never reuse one. */
enum trace_kind {
    TRACE_IN = 1,    /* a vCPU starts to run; value: ticks it waited for that, saturated */
    TRACE_OUT = 2,   /* it has stopped; value: enum trace_why */
    TRACE_WAKE = 3,  /* it is runnable again; value: the CPU on whose queue */
    TRACE_STEAL = 4, /* this CPU has taken it; value: from which CPU */
    TRACE_IDLE = 5,  /* nobody to run, until the next TRACE_BUSY; no vCPU */
    TRACE_BUSY = 6,
    TRACE_EXIT = 7,  /* handled by now; value: TRACE_EXIT_VALUE() */
    TRACE_PORT = 8,  /* belongs to the exit before: port | size << 16 | in << 24 */
    TRACE_MSR = 9,   /* the same: the MSR's number */
    TRACE_PAGE = 10, /* the same: guest-physical address >> 12 */
    TRACE_HYPERCALL = 11, /* the same: the call's number */
    TRACE_INJECT = 12, /* an event goes in at this entry: vector | type << 8 (enum event_type) */
    TRACE_TIMER = 13, /* enum trace_timer: whose time has come */
    TRACE_KINDS
};

enum trace_why {
    TRACE_WHY_SLICE,     /* its turn is used up */
    TRACE_WHY_PREEMPTED, /* somebody or something else goes first */
    TRACE_WHY_YIELDED,   /* PAUSE in a loop */
    TRACE_WHY_HALTED,    /* HLT: it waits for an interrupt */
    TRACE_WHY_STARTUP,   /* it waits for a start-up IPI */
    TRACE_WHY_CAPPED,    /* its VM has had what it may have */
    TRACE_WHY_STOPPED,   /* its VM ends */
    TRACE_WHY_STALLED,   /* what it prints has to wait for the console */
    TRACE_WHYS
};

enum trace_timer { TRACE_TIMER_VCPU, TRACE_TIMER_DEVICES, TRACE_TIMERS };

#define TRACE_NOBODY 0xffff /* trace_record.vm: it is about no VM */

/* Of a TRACE_EXIT: its kind and the ticks from VM exit to the end of its handler, saturated. */
#define TRACE_TICKS_MAX  BITS(23, 0)
#define TRACE_EXIT_VALUE(kind, ticks) \
    ((uint32_t)((uint8_t)(kind) | min_u64(ticks, TRACE_TICKS_MAX) << 8))

struct trace_record {
    uint64_t tsc;
    uint8_t kind; /* enum trace_kind */
    uint8_t vcpu; /* its index */
    uint16_t vm;  /* its slot, or TRACE_NOBODY */
    uint32_t value;
};

_Static_assert(sizeof(struct trace_record) == 16, "four to a cache line");

/* One CPU writes, others may read meanwhile. */
struct trace_ring {
    struct trace_record *buf;
    uint64_t size; /* records, a power of two */
    uint64_t head; /* records ever written; atomic */
};

void trace_ring_init(struct trace_ring *ring, struct trace_record *buf, uint64_t size);
/* The ring's own CPU only; overwrites the oldest. */
void trace_ring_put(struct trace_ring *ring, const struct trace_record *r);
/* The position of the oldest record that is still whole. */
uint64_t trace_ring_oldest(const struct trace_ring *ring);
/* Copies up to max records from position *at on, which moves on. Those that have been overwritten
 * by then are left out. Returns how many were copied. */
unsigned trace_ring_read(const struct trace_ring *ring, uint64_t *at, struct trace_record *out,
                         unsigned max);

/* --- on the wire --- */

#define TRACE_ENCODED_MAX 21 /* bytes of a record */
#define TRACE_LINE_BYTES  96 /* encoded bytes of a line */
#define TRACE_LINE_MAX    192 /* characters of a line, with the terminator */

/* What a record is coded against: the one before it in the line; all 0 at a line's start. */
struct trace_codec {
    uint64_t tsc;
    uint16_t vm;
    uint8_t vcpu;
};

/* Bytes written to out (at most TRACE_ENCODED_MAX). */
size_t trace_encode(struct trace_codec *c, const struct trace_record *r, uint8_t *out);
/* Bytes used of len, or 0 when they are not a record. */
size_t trace_decode(struct trace_codec *c, const uint8_t *in, size_t len, struct trace_record *r);

/* "trace: CPU FIRST BASE64 CRC32": n encoded bytes (at most TRACE_LINE_BYTES), of which the first
 * is record number `first` of that CPU. Returns the length. */
size_t trace_line_write(char out[TRACE_LINE_MAX], unsigned cpu, uint64_t first,
                        const uint8_t *bytes, size_t n);
/* The way back; the number of bytes, or -1 when the line is damaged. */
int trace_line_read(const char *line, size_t len, unsigned *cpu, uint64_t *first,
                    uint8_t bytes[TRACE_LINE_BYTES]);

#endif
