/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * state, memory: RAM above the image is all zero when a VM starts, whoever had it before; then it is
 * this guest's alone. The first 4 GiB are mapped one to one.
 */
#include "guests/state/state.h"

#define PIECE 2048 /* words looked at in one round */

extern uint64_t guest_image_end[]; /* guest.ld */

static uint64_t *end(void)
{
    uint64_t ram = guest_ram_end();
    return (uint64_t *)(uintptr_t)min_u64(ram, BIT(32));
}

/* Cheaper than state_pattern(), and as good: neighbours and seeds differ. */
static uint64_t word_for(const uint64_t *p)
{
    return ((uint64_t)(uintptr_t)p ^ (uint64_t)state_seed << 40) * UINT64_C(0x9e3779b97f4a7c15);
}

void memory_check_fresh(void)
{
    uint64_t found = 0;
    for (const uint64_t *p = guest_image_end; p < end(); p += 8) {
        found |= p[0] | p[1] | p[2] | p[3] | p[4] | p[5] | p[6] | p[7];
        if (found) {
            state_wrong("fresh RAM was not zero at", (uint64_t)(uintptr_t)p);
            return;
        }
    }
    if (guest_image_end >= end())
        state_wrong("no RAM above the image", guest_ram_end());
}

void memory_fill(void)
{
    const uint64_t *stop = end();
    for (uint64_t *p = guest_image_end; p < stop; p++)
        *p = word_for(p);
}

static bool check(const uint64_t *from, const uint64_t *to)
{
    for (const uint64_t *p = from; p < to; p++)
        if (*p != word_for(p)) {
            state_wrong("RAM has changed at", (uint64_t)(uintptr_t)p);
            return false;
        }
    return true;
}

void memory_check_some(void)
{
    static const uint64_t *at;
    if (!at || at + PIECE > end())
        at = guest_image_end;
    check(at, at + PIECE);
    at += PIECE;
}

void memory_check_all(void)
{
    check(guest_image_end, end());
}
