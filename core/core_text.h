/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory as text for a serial line: run-length coding, then base64. PURE. The other side is
 * tools/plinthlib/core.py; docs/debugging.md has the format.
 */
#ifndef CORE_CORE_TEXT_H
#define CORE_CORE_TEXT_H

#include "core/lib/bits.h"

/* What n bytes can become at most. */
#define CORE_RLE_MAX(n)    ((n) + (n) / 128 + 1)
#define CORE_BASE64_MAX(n) (((n) + 2) / 3 * 4)

/* Codes in[0..n): a byte 0 to 127 says that so many + 1 bytes follow as they are, 128 to 255 that
 * the next byte occurs so many - 126 times (2 to 129). Returns the bytes written to out. */
size_t core_rle(const uint8_t *in, size_t n, uint8_t *out);
/* RFC 4648 with padding; returns the characters written, no NUL. */
size_t core_base64(const uint8_t *in, size_t n, char *out);

#endif
