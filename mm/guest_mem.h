/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The only door to a guest's memory. PURE. Guest-physical address g is at window + g, and every
 * access is checked against the guest's RAM ranges first. Copies only: no pointer into guest memory
 * leaves this module, so nobody can validate a value in place that another vCPU changes right
 * after. Read once, then validate the copy.
 */
#ifndef MM_GUEST_MEM_H
#define MM_GUEST_MEM_H

#include "core/lib/bits.h"
#include "mm/types.h"

#define GUEST_MEM_RANGES 4

struct guest_mem {
    uint8_t *window; /* where guest-physical 0 would be; aligned to 4K */
    unsigned n;      /* ranges in use */
    struct {
        uint64_t base, size; /* guest-physical RAM, bytes; disjoint, base + size does not wrap */
    } range[GUEST_MEM_RANGES];
};

/* True if [gpa, gpa + n) is all RAM; it may run on from one range to an adjoining one. */
MUST_CHECK bool guest_mem_contains(const struct guest_mem *gm, gpa_t gpa, uint64_t n);

/* Copy n bytes out of or into guest memory, or fill it. False, with nothing copied, unless all of
 * it is RAM. n = 0 is always well. */
MUST_CHECK bool guest_read(const struct guest_mem *gm, gpa_t gpa, void *dst, size_t n);
MUST_CHECK bool guest_write(struct guest_mem *gm, gpa_t gpa, const void *src, size_t n);
MUST_CHECK bool guest_fill(struct guest_mem *gm, gpa_t gpa, uint8_t byte, size_t n);

/* One naturally aligned load that another vCPU's store cannot tear. False: no RAM or misaligned. */
MUST_CHECK bool guest_load32(const struct guest_mem *gm, gpa_t gpa, uint32_t *out);
MUST_CHECK bool guest_load64(const struct guest_mem *gm, gpa_t gpa, uint64_t *out);

/* One load from where guest_load64() or guest_read() of the same bytes has succeeded before: RAM
 * stays RAM as long as the guest lives. window: the guest memory's. */
static inline uint64_t guest_reload64(const uint8_t *window, gpa_t gpa)
{
    uint64_t v;
    __builtin_memcpy(&v, window + gpa.v, sizeof(v));
    return v;
}

enum guest_cmpxchg {
    GUEST_CMPXCHG_DONE,
    GUEST_CMPXCHG_CHANGED, /* the guest holds something else; nothing was stored */
    GUEST_CMPXCHG_NO_RAM,  /* not RAM, or misaligned */
};

/* Atomically stores desired where the guest holds expected. */
MUST_CHECK enum guest_cmpxchg guest_cmpxchg32(struct guest_mem *gm, gpa_t gpa, uint32_t expected,
                                              uint32_t desired);
MUST_CHECK enum guest_cmpxchg guest_cmpxchg64(struct guest_mem *gm, gpa_t gpa, uint64_t expected,
                                              uint64_t desired);

#endif
