/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bits, alignment and the few compiler attributes the house uses. Owns no state; included nearly
 * everywhere, so it includes only the language's own headers.
 */
#ifndef CORE_LIB_BITS_H
#define CORE_LIB_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BIT(n)            (UINT64_C(1) << (n))
/* Bits hi..lo set, both included; 63 >= hi >= lo >= 0. */
#define BITS(hi, lo)      ((~UINT64_C(0) >> (63 - (hi))) & (~UINT64_C(0) << (lo)))
#define ARRAY_LEN(a)      (sizeof(a) / sizeof((a)[0]))
/* Alignment must be a power of two. */
#define ALIGN_DOWN(x, a)  ((x) & ~((__typeof__(x))(a) - 1))
#define ALIGN_UP(x, a)    ALIGN_DOWN((x) + ((__typeof__(x))(a) - 1), (a))
#define IS_ALIGNED(x, a)  (((x) & ((__typeof__(x))(a) - 1)) == 0)

#define MUST_CHECK        __attribute__((warn_unused_result))
#define NORETURN          __attribute__((noreturn))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define PACKED            __attribute__((packed))
#define COLD              __attribute__((cold, noinline))
#define NOINLINE          __attribute__((noinline))
#define likely(x)         __builtin_expect(!!(x), 1)
#define unlikely(x)       __builtin_expect(!!(x), 0)

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The number of the highest bit that is set; x is not 0. Written so that it is one BSR. */
static inline unsigned bit_highest(uint32_t x)
{
    return 31u ^ (unsigned)__builtin_clz(x);
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

#endif
