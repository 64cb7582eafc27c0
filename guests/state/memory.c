/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * state, memory: RAM above the image is all zero when a VM starts, whoever had it before; then it
 * is this guest's alone. Mapped one to one: the first 4 GiB, and one more if there is RAM.
 */
#include "guests/lib/start_info.h"
#include "guests/state/state.h"

#define PIECE   2048 /* words looked at in one round */
#define FILLED  (UINT64_C(32) << 20) /* of RAM above the image; of what is beyond, only probes */
#define HIGH_AT BIT(32)
#define STRIDE  UINT64_C(0x1ff008) /* bytes from probe to probe: another page, another word */

extern uint64_t guest_image_end[]; /* guest.ld */

static uint64_t *end(void)
{
    uint64_t ram = guest_ram_end();
    uint64_t most = (uint64_t)(uintptr_t)guest_image_end + FILLED;
    return (uint64_t *)(uintptr_t)min_u64(ram, most);
}

/* Cheaper than state_pattern(), and as good: neighbours and seeds differ. */
static uint64_t word_for(const uint64_t *p)
{
    return ((uint64_t)(uintptr_t)p ^ (uint64_t)state_seed << 40) * UINT64_C(0x9e3779b97f4a7c15);
}

static uint64_t high_end; /* of the RAM from 4 GiB on, as far as it is mapped; 0: none */

/* Another gigabyte in 2 MiB pages, in the page tables that start.S has made. */
static void map_high(void)
{
    static uint64_t table[512] __attribute__((aligned(4096)));
    const struct start_info *info = guest_start_info_get();
    if (!info || info->version < 1)
        return;
    const struct start_memory *map = (const void *)(uintptr_t)info->memmap_paddr;
    for (uint32_t i = 0; i < info->memmap_entries; i++)
        if (map[i].type == 1 && map[i].addr == HIGH_AT)
            high_end = HIGH_AT + min_u64(map[i].size, BIT(30));
    if (!high_end)
        return;
    for (unsigned i = 0; i < ARRAY_LEN(table); i++)
        table[i] = (HIGH_AT + ((uint64_t)i << 21)) | 0x83; /* present, writable, large */
    const uint64_t *pml4 = (const uint64_t *)(uintptr_t)read_cr3();
    uint64_t *pdpt = (uint64_t *)(uintptr_t)(pml4[0] & ~BITS(11, 0));
    pdpt[4] = (uint64_t)(uintptr_t)table | 3;
    write_cr3(read_cr3());
}

static uint64_t *high(uint64_t at)
{
    return (uint64_t *)(uintptr_t)at;
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
    map_high();
    for (uint64_t at = HIGH_AT; at < high_end; at += STRIDE)
        state_same("a fresh word above 4 GiB", *high(at), 0);
}

void memory_fill(void)
{
    const uint64_t *stop = end();
    for (uint64_t *p = guest_image_end; p < stop; p++)
        *p = word_for(p);
    for (uint64_t at = HIGH_AT; at < high_end; at += STRIDE)
        *high(at) = word_for(high(at));
    if (high_end)
        *high(high_end - 8) = word_for(high(high_end - 8));
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
    if (!high_end)
        return;
    uint64_t n = 0;
    for (uint64_t at = HIGH_AT; at < high_end; at += STRIDE, n++)
        state_same("a word above 4 GiB", *high(at), word_for(high(at)));
    state_same("the last word above 4 GiB", *high(high_end - 8), word_for(high(high_end - 8)));
    guest_print("state: seed %u: %llu words checked from 4 GiB to %#llx\n", state_seed,
                (unsigned long long)n, (unsigned long long)high_end);
}
