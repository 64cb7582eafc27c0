/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers as files and tables hold them: little-endian, at any address. The caller has checked that
 * the bytes are there.
 */
#ifndef CORE_LIB_BYTES_H
#define CORE_LIB_BYTES_H

#include "core/lib/bits.h"

static inline uint16_t get16(const void *at)
{
    const uint8_t *p = at;
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t get32(const void *at)
{
    const uint8_t *p = at;
    return get16(p) | (uint32_t)get16(p + 2) << 16;
}

static inline uint64_t get64(const void *at)
{
    const uint8_t *p = at;
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static inline void put16(void *at, uint16_t value)
{
    uint8_t *p = at;
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

static inline void put32(void *at, uint32_t value)
{
    put16(at, (uint16_t)value);
    put16((uint8_t *)at + 2, (uint16_t)(value >> 16));
}

/* Is [offset, offset + n) inside len bytes? */
static inline bool within(uint64_t offset, uint64_t n, uint64_t len)
{
    return offset <= len && n <= len - offset;
}

#endif
