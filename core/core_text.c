/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Run lengths and base64. PURE. Pages of guests are mostly zeroes and tables: runs do nearly all
 * that a real compressor would, without its memory.
 */
#include "core/core_text.h"

#define RUN_MAX     129u
#define LITERAL_MAX 128u
#define RUN_WORTH   3u /* a shorter one costs as much as it saves */

static size_t run_at(const uint8_t *in, size_t n)
{
    size_t length = 1;
    while (length < n && length < RUN_MAX && in[length] == in[0])
        length++;
    return length;
}

size_t core_rle(const uint8_t *in, size_t n, uint8_t *out)
{
    size_t to = 0;
    for (size_t at = 0; at < n;) {
        size_t run = run_at(in + at, n - at), literal = 0;
        if (run >= RUN_WORTH) {
            out[to++] = (uint8_t)(run + 126);
            out[to++] = in[at];
            at += run;
            continue;
        }
        while (at + literal < n && literal < LITERAL_MAX &&
               run_at(in + at + literal, n - at - literal) < RUN_WORTH)
            literal++;
        out[to++] = (uint8_t)(literal - 1);
        for (; literal; literal--)
            out[to++] = in[at++];
    }
    return to;
}

size_t core_base64(const uint8_t *in, size_t n, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t to = 0;
    for (size_t at = 0; at < n; at += 3) {
        uint32_t word = (uint32_t)in[at] << 16;
        word |= at + 1 < n ? (uint32_t)in[at + 1] << 8 : 0;
        word |= at + 2 < n ? in[at + 2] : 0;
        out[to++] = digits[word >> 18];
        out[to++] = digits[word >> 12 & 63];
        out[to++] = at + 1 < n ? digits[word >> 6 & 63] : '=';
        out[to++] = at + 2 < n ? digits[word & 63] : '=';
    }
    return to;
}
