/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The checksum of what goes over a line that may lose bytes: CRC-32 as in Ethernet and zlib
 * (polynomial 0x04c11db7, reflected). PURE. Half a byte at a time: a table of 64 bytes, and fast
 * enough not to miss what comes in on a line meanwhile, even on an emulated CPU.
 */
#ifndef CORE_LIB_CRC32_H
#define CORE_LIB_CRC32_H

#include "core/lib/bits.h"

/* What crc32() gives over any data followed by its own CRC-32, low byte first. */
#define CRC32_RESIDUE UINT32_C(0x2144df1c)

/* crc: 0 to begin, else what the last call returned, to go on. */
static inline uint32_t crc32(uint32_t crc, const void *data, size_t len)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    const uint8_t *p = data;
    crc = ~crc;
    for (; len; len--) {
        crc ^= *p++;
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

#endif
