/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The door to guest memory. PURE. The one place where a guest-physical address becomes a pointer,
 * and it does so only behind guest_mem_contains(). See the header.
 */
#include "mm/guest_mem.h"

#include "core/lib/string.h"

bool guest_mem_contains(const struct guest_mem *gm, gpa_t gpa, uint64_t n)
{
    uint64_t at = gpa.v, left = n;
    while (left > 0) {
        uint64_t step = 0;
        for (unsigned i = 0; i < gm->n && i < GUEST_MEM_RANGES; i++) {
            uint64_t into = at - gm->range[i].base;
            if (at >= gm->range[i].base && into < gm->range[i].size)
                step = min_u64(left, gm->range[i].size - into);
        }
        if (step == 0)
            return false;
        /* Cannot wrap: ranges don't, and at 2^64 nothing could be left to look for. */
        at += step;
        left -= step;
    }
    return true;
}

bool guest_read(const struct guest_mem *gm, gpa_t gpa, void *dst, size_t n)
{
    if (!guest_mem_contains(gm, gpa, n))
        return false;
    if (n > 0)
        memcpy(dst, gm->window + gpa.v, n);
    return true;
}

bool guest_write(struct guest_mem *gm, gpa_t gpa, const void *src, size_t n)
{
    if (!guest_mem_contains(gm, gpa, n))
        return false;
    if (n > 0)
        memcpy(gm->window + gpa.v, src, n);
    return true;
}

bool guest_fill(struct guest_mem *gm, gpa_t gpa, uint8_t byte, size_t n)
{
    if (!guest_mem_contains(gm, gpa, n))
        return false;
    if (n > 0)
        memset(gm->window + gpa.v, byte, n);
    return true;
}

/* The word at gpa for an atomic access, or NULL. */
static void *word_at(const struct guest_mem *gm, gpa_t gpa, size_t size)
{
    if (!IS_ALIGNED(gpa.v, size) || !guest_mem_contains(gm, gpa, size))
        return NULL;
    return gm->window + gpa.v;
}

bool guest_load32(const struct guest_mem *gm, gpa_t gpa, uint32_t *out)
{
    const uint32_t *p = word_at(gm, gpa, sizeof(*p));
    if (p)
        *out = __atomic_load_n(p, __ATOMIC_RELAXED);
    return p != NULL;
}

bool guest_load64(const struct guest_mem *gm, gpa_t gpa, uint64_t *out)
{
    const uint64_t *p = word_at(gm, gpa, sizeof(*p));
    if (p)
        *out = __atomic_load_n(p, __ATOMIC_RELAXED);
    return p != NULL;
}

enum guest_cmpxchg guest_cmpxchg32(struct guest_mem *gm, gpa_t gpa, uint32_t expected,
                                   uint32_t desired)
{
    uint32_t *p = word_at(gm, gpa, sizeof(*p));
    if (!p)
        return GUEST_CMPXCHG_NO_RAM;
    return __atomic_compare_exchange_n(p, &expected, desired, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST)
               ? GUEST_CMPXCHG_DONE
               : GUEST_CMPXCHG_CHANGED;
}

enum guest_cmpxchg guest_cmpxchg64(struct guest_mem *gm, gpa_t gpa, uint64_t expected,
                                   uint64_t desired)
{
    uint64_t *p = word_at(gm, gpa, sizeof(*p));
    if (!p)
        return GUEST_CMPXCHG_NO_RAM;
    return __atomic_compare_exchange_n(p, &expected, desired, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST)
               ? GUEST_CMPXCHG_DONE
               : GUEST_CMPXCHG_CHANGED;
}
