/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any codes in any order: what comes out fits and is what a terminal could send, and after all keys
 * have been released a plain one makes what it always makes.
 */
#include <stdlib.h>

#include "drivers/hw/scancodes.h"

#define CHECK(x) ((x) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t releases[] = {0xaa, 0xb6, 0x9d, 0xb8};
    struct scancodes s = {.skip = 0};
    char bytes[SCANCODES_MAX];
    for (size_t i = 0; i < size; i++) {
        size_t n = scancodes_take(&s, data[i], bytes);
        CHECK(n < SCANCODES_MAX);
        for (size_t k = 0; k < n; k++)
            CHECK(bytes[k] && !(bytes[k] & 0x80));
    }
    for (unsigned i = 0; i < 6; i++) /* out of a Pause, or an E0 */
        CHECK(!scancodes_take(&s, 0xff, bytes));
    for (size_t i = 0; i < sizeof(releases); i++)
        CHECK(!scancodes_take(&s, releases[i], bytes));
    CHECK(scancodes_take(&s, 0x02, bytes) == 1 && bytes[0] == '1');
    return 0;
}
