/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of the debugger's hold on a VM are to each other; for core/debug*.c alone.
 */
#ifndef CORE_DEBUG_PARTS_H
#define CORE_DEBUG_PARTS_H

#include "core/debug.h"
#include "mm/types.h"

/* --- debug_memory.c; for debug_inspect(), or on the vCPU's CPU --- */
struct debug_transfer {
    uint64_t at;
    uint8_t *to;         /* reads */
    const uint8_t *from; /* writes */
    size_t n, done;
    bool physical;
    bool raw;            /* the INT3 bytes themselves */
};
/* Where the byte at t's place is, and how many follow in its page. False: not mapped. */
bool debug_locate(struct vcpu *v, const struct debug_transfer *t, gpa_t *gpa, size_t *n);
/* arg: a struct debug_transfer. Stops at what is not mapped, or no RAM. */
void debug_transfer(struct vcpu *v, void *arg);

struct debug_place {
    uint64_t gva, gpa;
    bool good;
};
/* arg: a struct debug_place whose gva is set. good: there is RAM. */
void debug_find(struct vcpu *v, void *arg);

/* --- debug_break.c --- */
/* The debugger sees, and changes, what stood there before its INT3. */
void debug_mask_breaks(struct vm *vm, uint64_t gpa, uint8_t *bytes, size_t n);
bool debug_write_around(struct vm *vm, uint64_t gpa, const uint8_t *bytes, size_t n);
/* The VM has gone, and they with it. */
void debug_break_forget(void);
/* At the INT3 at gva: is it a breakpoint? stale: it was, until a moment ago. */
bool debug_break_is_ours(struct vcpu *v, uint64_t gva, bool *stale);
/* The kind and the address of what DRi watches. */
enum debug_break debug_break_register(unsigned i, uint64_t *gva);

#endif
