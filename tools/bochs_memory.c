/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Preloaded into Bochs for machines of more than 2 GiB, so that it holds all of the guest's memory.
 *
 * Left alone, Bochs 2.7 keeps 2 GiB at most and moves the rest between memory and a file, 128 KiB
 * at a time. It takes care not to move what its TLBs point to, but its pointers to the page of the
 * stack and of the code are no TLB entries: sooner or later the page that RSP points to is somebody
 * else's. Its allocation of more than 4 GiB is cut to 32 bits as well. So: the memory that it asks
 * for first is given in full, and its table of blocks is filled in at once, which leaves it nothing
 * to allocate or to move. Must not change anything for a Bochs that asks in another order.
 * Linked to nothing of Plinth. Environment: PLINTH_BOCHS_MEMORY, in MiB.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK  (UINT64_C(128) << 10)
#define ROMS   (UINT32_C(16) << 20) /* more than what it wants beside the memory, for ROMs */
#define PAGE   UINT64_C(4096)

static uint64_t memory;      /* bytes; 0: not asked for, or done */
static uintptr_t vector;     /* of the memory; 0: not allocated yet */
static uintptr_t *blocks;    /* address of each block; NULL: not allocated yet */

__attribute__((constructor)) static void start(void)
{
    const char *text = getenv("PLINTH_BOCHS_MEMORY");
    memory = text ? strtoull(text, NULL, 10) << 20 : 0;
}

static void *allocate(uint64_t size)
{
    void *p = malloc(size ? size : 1);
    if (!p) {
        fprintf(stderr, "bochs_memory: no %llu MiB of memory\n", (unsigned long long)(size >> 20));
        exit(1);
    }
    return p;
}

static void fill_blocks(void)
{
    uint64_t n = memory / BLOCK;
    memory = 0;
    for (uint64_t i = 0; i < n; i++)
        if (blocks[i])
            return; /* in use: not the Bochs that this is for */
    for (uint64_t i = 0; i < n; i++)
        blocks[i] = vector + i * BLOCK;
    fprintf(stderr, "bochs_memory: all of the guest's memory is in memory\n");
}

/* operator new[](unsigned long). Bochs asks for the memory, then for the table of its blocks,
 * clears that, and asks for something else. */
void *_Znam(size_t size);
void *_Znam(size_t size)
{
    if (!memory)
        return allocate(size);
    uint32_t beyond = (uint32_t)(size - memory); /* 32 bits are what is left of the true size */
    if (!vector && beyond && beyond < ROMS) {
        void *p = allocate(memory + beyond);
        vector = ((uintptr_t)p + PAGE - 1) & ~(PAGE - 1);
        return p;
    }
    if (blocks)
        fill_blocks();
    void *p = allocate(size);
    if (vector && !blocks && size == memory / BLOCK * sizeof(*blocks))
        blocks = p;
    return p;
}
