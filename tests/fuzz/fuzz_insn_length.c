/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes in any mode: a length within what is there, and the same however much follows. */
#include <stdlib.h>

#include "core/insn_length.h"

#define CHECK(x) ((x) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (unsigned mode = 16; mode <= 64; mode *= 2)
        for (size_t at = 0; at < size;) {
            unsigned n = insn_length(data + at, size - at, mode);
            CHECK(n <= 15 && n <= size - at);
            if (n)
                CHECK(insn_length(data + at, n, mode) == n);
            at += n ? n : 1;
        }
    return 0;
}
