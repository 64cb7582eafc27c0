/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Words for `vm key`: a word is appended whole or not at all, nothing before it changes, and every
 * code is a byte or the BREAK.
 */
#include <stdlib.h>
#include <string.h>

#include "core/keys.h"

#define CHECK(x) ((x) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct keys k, before;
    char word[64];
    size_t n = 0;
    k.n = 0;
    for (size_t i = 0; i <= size; i++) {
        if (i < size && data[i] != '\n' && data[i] && n < sizeof(word) - 1) {
            word[n++] = (char)data[i];
            continue;
        }
        word[n] = '\0';
        before = k;
        bool done = keys_add(&k, word);
        CHECK(k.n <= KEYS_MAX && (done ? k.n >= before.n : k.n == before.n));
        CHECK(!memcmp(k.code, before.code, before.n * sizeof(k.code[0])));
        for (unsigned c = 0; c < k.n; c++)
            CHECK(k.code[c] <= KEY_BREAK);
        if (n % 3 == 0)
            keys_drop(&k, k.n / 2);
        n = 0;
    }
    return 0;
}
