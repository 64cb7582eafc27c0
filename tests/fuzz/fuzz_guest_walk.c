/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest page walk over tables made of the input, in every mode. There is no second walker to
 * compare with, so the rules that any correct one keeps are checked: looking changes nothing and
 * answers the same, only accessed and dirty flags are ever written, rights only shrink.
 */
#include <stdint.h>
#include <stdlib.h>

#include "arch/x86/cr.h"
#include "arch/x86/msr.h"
#include "core/lib/string.h"
#include "mm/guest_walk.h"

#define RAM_SIZE (8 * 4096)

static uint8_t ram[RAM_SIZE] __attribute__((aligned(4096)));
static uint8_t before[RAM_SIZE];
static struct guest_mem gm = {.window = ram, .n = 1, .range = {{0, RAM_SIZE}}};

static void check(bool ok)
{
    if (!ok)
        abort();
}

struct header {
    uint8_t mode, cr4, cr0, access;
    uint8_t bits, flags;
    uint16_t cr3;
    uint64_t va;
};

static struct guest_paging make_paging(const struct header *h)
{
    struct guest_paging p = {
        .cr0 = CR0_PE | CR0_PG | (h->cr0 & 1 ? CR0_WP : 0),
        .cr3 = h->cr3 % (RAM_SIZE + 4096),
        .cr4 = (h->cr4 & 1 ? CR4_SMEP : 0) | (h->cr4 & 2 ? CR4_SMAP : 0) |
               (h->cr4 & 4 ? CR4_PSE : 0),
        .efer = h->flags & 1 ? EFER_NXE : 0,
        .ac = h->flags & 2,
        .has_1g = h->flags & 4,
        .maxphyaddr = (uint8_t)(32 + h->bits % 21),
    };
    switch (h->mode % 5) {
    case 0:
        p.cr0 = CR0_PE;
        break;
    case 1:
        break;
    case 2:
        p.cr4 |= CR4_PAE;
        break;
    default:
        p.cr4 |= CR4_PAE | (h->mode % 5 == 4 ? CR4_LA57 : 0);
        p.efer |= EFER_LMA | EFER_LME;
        break;
    }
    return p;
}

/* What rights must mean, whatever the tables hold. */
static void check_rights(const struct guest_paging *p, uint64_t va, unsigned access)
{
    struct walk_info i, j;
    struct guest_paging open = *p;
    if (guest_walk(p, &gm, GVA(va), access | WALK_PEEK, &i) != WALK_OK)
        return;
    check(guest_walk(p, &gm, GVA(va), (access & ~WALK_WRITE) | WALK_PEEK, &j) == WALK_OK);
    check(i.gpa.v == j.gpa.v && i.page_size == j.page_size);
    open.cr4 &= ~(CR4_SMEP | CR4_SMAP);
    check(guest_walk(&open, &gm, GVA(va), (access & ~WALK_USER) | WALK_PEEK, &j) == WALK_OK);
    check(i.gpa.v == j.gpa.v);
}

static void check_written(void)
{
    unsigned bytes = 0;
    for (unsigned i = 0; i < RAM_SIZE; i++) {
        if (ram[i] == before[i])
            continue;
        check(i % 4 == 0 && (before[i] & ~ram[i]) == 0 && ((before[i] ^ ram[i]) & ~0x60) == 0);
        bytes++;
    }
    check(bytes <= 5);
}

static void check_codes(const struct guest_paging *p, enum walk_result r, unsigned access,
                        const struct walk_info *i)
{
    if (r == WALK_FAULT) {
        check(!!(i->error_code & PF_WRITE) == !!(access & WALK_WRITE));
        check(!!(i->error_code & PF_USER) == !!(access & WALK_USER));
        check(!(i->error_code & PF_FETCH) || (access & WALK_EXEC));
        check(!(i->error_code & PF_RSVD) || (i->error_code & PF_PRESENT));
    }
    check(r != WALK_NONCANONICAL || (p->efer & EFER_LMA));
    check(r != WALK_OK || i->gpa.v < BIT(52));
    check(r != WALK_NO_MEMORY || !guest_mem_contains(&gm, i->gpa, 8));
    check(r != WALK_RETRY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct header h;
    struct walk_info first, second;
    uint8_t buf[300], again[300];
    if (size < sizeof(h))
        return 0;
    memcpy(&h, data, sizeof(h));
    data += sizeof(h);
    size -= sizeof(h);
    /* The rest is entries: where, then what. Addresses mostly stay within RAM. */
    memset(ram, 0, sizeof(ram));
    for (; size >= 10; data += 10, size -= 10) {
        unsigned at = (data[0] | data[1] << 8) % (RAM_SIZE / 8) * 8;
        memcpy(ram + at, data + 2, 8);
        if (data[1] & 0x80) {
            memset(ram + at + 2, 0, 6);
            ram[at + 1] &= 0x7f;
        }
    }
    memcpy(before, ram, sizeof(ram));
    struct guest_paging p = make_paging(&h);
    unsigned access = h.access & (WALK_WRITE | WALK_EXEC | WALK_USER | WALK_IMPLICIT);
    if (access & WALK_EXEC)
        access &= ~(unsigned)WALK_WRITE;
    enum walk_result r = guest_walk(&p, &gm, GVA(h.va), access | WALK_PEEK, &first);
    check(memcmp(ram, before, sizeof(ram)) == 0);
    check_codes(&p, r, access, &first);
    check_rights(&p, h.va, access);
    check(guest_walk(&p, &gm, GVA(h.va), access, &second) == r);
    check(first.gpa.v == second.gpa.v && first.gva.v == second.gva.v);
    check(first.error_code == second.error_code && first.page_size == second.page_size);
    if (r == WALK_OK)
        check_written();
    else
        check(memcmp(ram, before, sizeof(ram)) == 0);

    size_t n = h.bits + 1u;
    memcpy(ram, before, sizeof(ram));
    if (guest_copy_from(&p, &gm, GVA(h.va), WALK_PEEK, buf, n, &first) == WALK_OK) {
        check(memcmp(ram, before, sizeof(ram)) == 0);
        check(guest_copy_from(&p, &gm, GVA(h.va), WALK_PEEK, again, n, &first) == WALK_OK);
        check(memcmp(buf, again, n) == 0);
    }
    r = guest_copy_to(&p, &gm, GVA(h.va), WALK_PEEK, buf, 1, &first);
    check(r != WALK_OK || guest_mem_contains(&gm, first.gpa, 1));
    r = guest_copy_to(&p, &gm, GVA(h.va), access & WALK_USER, buf, 2, &first);
    check(r == WALK_OK || first.gva.v - h.va < 2);
    return 0;
}
