/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Breakpoints of any DR7 and DR0 to DR3 under any access: the answer is that of a model that goes
 * from byte to byte, and slots do not know of each other.
 */
#include <stdlib.h>

#include "core/breakpoint.h"
#include "core/lib/string.h"

#define SIZE_MAX_BYTES 64

static void check(bool ok)
{
    if (!ok)
        abort();
}

/* Does a slot watch this byte? */
static bool watches(uint64_t dr7, uint64_t dr, unsigned slot, uint64_t byte)
{
    static const uint8_t log2_length[] = {0, 1, 3, 2};
    unsigned shift = log2_length[dr7 >> (18 + 4 * slot) & 3];
    return byte >> shift == dr >> shift;
}

static bool slot_hits(uint64_t dr7, const uint64_t dr[4], unsigned slot,
                      enum breakpoint_kind kind, uint64_t address, unsigned size)
{
    static const bool fits[4][3] = { /* R/W field; READ, WRITE, IO */
        {false, false, false}, {false, true, false}, {false, false, true}, {true, true, false},
    };
    bool enabled = (dr7 & 1u << 2 * slot) || (dr7 & 2u << 2 * slot);
    if (!enabled || !fits[dr7 >> (16 + 4 * slot) & 3][kind])
        return false;
    for (unsigned i = 0; i < size; i++)
        if (watches(dr7, dr[slot], slot, address + i))
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct {
        uint64_t dr7, dr[4];
        int8_t distance; /* of the access from slot 0's address, so that they meet */
        uint8_t kind, bytes;
    } in;
    if (size < sizeof(in))
        return 0;
    memcpy(&in, data, sizeof(in));
    enum breakpoint_kind kind = (enum breakpoint_kind)(in.kind % 3);
    unsigned bytes = in.bytes % SIZE_MAX_BYTES + 1;
    uint64_t address = in.dr[0] + (uint64_t)(int64_t)in.distance;
    uint32_t want = 0;
    for (unsigned i = 0; i < 4; i++)
        want |= slot_hits(in.dr7, in.dr, i, kind, address, bytes) ? 1u << i : 0;
    check(breakpoint_hits(in.dr7, in.dr, kind, address, bytes) == want);
    /* Reserved bits and other slots change nothing for a slot. */
    for (unsigned i = 0; i < 4; i++) {
        uint64_t only = in.dr7 & (UINT64_C(3) << 2 * i | UINT64_C(15) << (16 + 4 * i));
        check(breakpoint_hits(only, in.dr, kind, address, bytes) == (want & 1u << i));
    }
    return 0;
}
