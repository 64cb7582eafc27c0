/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The checksum of what goes over a line that may lose bytes: CRC-32 as in Ethernet and zlib
 * (polynomial 0x04c11db7, reflected). PURE, without a table: lines are slower than it is.
 */
#ifndef CORE_LIB_CRC32_H
#define CORE_LIB_CRC32_H

#include "core/lib/bits.h"

/* crc: 0 to begin, else what the last call returned, to go on. */
static inline uint32_t crc32(uint32_t crc, const void *data, size_t len)
{
    const uint8_t *p = data;
    crc = ~crc;
    for (; len; len--) {
        crc ^= *p++;
        for (int i = 0; i < 8; i++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
    }
    return ~crc;
}

#endif
