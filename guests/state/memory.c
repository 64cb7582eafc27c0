/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * state, memory: RAM above the image is all zero when a VM starts, whoever had it before; then it
 * is this guest's alone. Mapped one to one: the first 4 GiB, and 4 more if there is RAM. The words
 * at the ends of both ranges, and what is just beyond, show whether two addresses are one place.
 */
#include "guests/lib/start_info.h"
#include "guests/state/state.h"

#define PIECE   2048 /* words looked at in one round */
#define FILLED  (UINT64_C(32) << 20) /* of RAM above the image; of what is beyond, only probes */
#define HOLE_AT (UINT64_C(3) << 30)
#define HIGH_AT BIT(32)
#define HIGH_TABLES 4 /* GiB mapped from there on */
#define GAP     (UINT64_C(1) << 30)
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

/* Four more gigabytes in 2 MiB pages, in the page tables that start.S has made. */
static void map_high(void)
{
    static uint64_t table[HIGH_TABLES][512] __attribute__((aligned(4096)));
    const struct start_info *info = guest_start_info_get();
    if (!info || info->version < 1)
        return;
    const struct start_memory *map = (const void *)(uintptr_t)info->memmap_paddr;
    for (uint32_t i = 0; i < info->memmap_entries; i++)
        if (map[i].type == 1 && map[i].addr == HIGH_AT)
            high_end = HIGH_AT + min_u64(map[i].size, (uint64_t)HIGH_TABLES << 30);
    if (!high_end)
        return;
    const uint64_t *pml4 = (const uint64_t *)(uintptr_t)read_cr3();
    uint64_t *pdpt = (uint64_t *)(uintptr_t)(pml4[0] & ~BITS(11, 0));
    for (unsigned i = 0; i < HIGH_TABLES * 512; i++)
        table[i / 512][i % 512] = (HIGH_AT + ((uint64_t)i << 21)) | 0x83; /* writable, large */
    for (unsigned i = 0; i < HIGH_TABLES; i++)
        pdpt[4 + i] = (uint64_t)(uintptr_t)table[i] | 3;
    write_cr3(read_cr3());
}

static uint64_t *high(uint64_t at)
{
    return (uint64_t *)(uintptr_t)at;
}

/* With RAM above 4 GiB: the words at the ends of both ranges, as far as the image leaves them free,
 * and places that an address cut to 32 bits or moved by the hole's size would hit as well. */
static uint64_t edge(unsigned i)
{
    const uint64_t at[] = {
        8, HOLE_AT - GAP, HOLE_AT - 8, HIGH_AT, HIGH_AT + 8, high_end - GAP - 8, high_end - 8,
    };
    return i < ARRAY_LEN(at) && high_end ? at[i] : 0;
}

static void fill_edges(void)
{
    for (unsigned i = 0; edge(i); i++)
        *high(edge(i)) = word_for(high(edge(i)));
}

/* Beyond RAM nobody answers, and what is written goes nowhere. */
static void check_beyond(uint64_t at)
{
    volatile uint64_t *p = (volatile uint64_t *)(uintptr_t)at;
    *p = word_for(high(at));
    state_same("a word beyond RAM", *p, ~UINT64_C(0));
}

static void check_edges(void)
{
    if (!high_end)
        return;
    if (guest_ram_end() != HOLE_AT)
        state_wrong("RAM below the hole ends at", guest_ram_end());
    check_beyond(HOLE_AT);
    check_beyond(HIGH_AT - 8);
    if (high_end < HIGH_AT + ((uint64_t)HIGH_TABLES << 30))
        check_beyond(high_end);
    for (unsigned i = 0; edge(i); i++)
        state_same("a word at an end of RAM", *high(edge(i)), word_for(high(edge(i))));
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
    for (unsigned i = 0; edge(i); i++)
        if (edge(i) >= (uint64_t)(uintptr_t)guest_image_end)
            state_same("a fresh word at an end of RAM", *high(edge(i)), 0);
}

void memory_fill(void)
{
    const uint64_t *stop = end();
    for (uint64_t *p = guest_image_end; p < stop; p++)
        *p = word_for(p);
    for (uint64_t at = HIGH_AT; at < high_end; at += STRIDE)
        *high(at) = word_for(high(at));
    fill_edges();
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
    check_edges();
    guest_print("state: seed %u: %llu words checked from 4 GiB to %#llx\n", state_seed,
                (unsigned long long)n, (unsigned long long)high_end);
}
