/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page tables against a model of one record per 4K page, over a window around a 1G border. Input: a
 * format, then operations of 6 bytes. Allocation fails at times. At the end nothing may be left.
 */
#include <stdint.h>
#include <stdlib.h>

#include "core/lib/string.h"
#include "mm/radix.h"

#define TABLES 24
#define PAGES  2048u
#define WINDOW (GIB(1) - MIB(4)) /* address of the model's page 0 */

static uint64_t table[TABLES][512] __attribute__((aligned(4096)));
static bool used[TABLES];
static unsigned in_use, limit;

static struct {
    uint64_t phys; /* page number + 1; 0: not mapped */
    uint8_t perms, type;
} model[PAGES];

static void check(bool ok)
{
    if (!ok)
        abort();
}

static bool table_alloc(void *ctx, hpa_t *out)
{
    (void)ctx;
    for (unsigned i = 0; i < TABLES && in_use < limit; i++) {
        if (used[i])
            continue;
        used[i] = true;
        in_use++;
        memset(table[i], 0xff, sizeof(table[i]));
        *out = HPA((uint64_t)(i + 1) << 12);
        return true;
    }
    return false;
}

static void table_free(void *ctx, hpa_t page)
{
    (void)ctx;
    check(page.v >> 12 >= 1 && page.v >> 12 <= TABLES && used[(page.v >> 12) - 1]);
    used[(page.v >> 12) - 1] = false;
    in_use--;
}

static void *table_ptr(void *ctx, hpa_t page)
{
    (void)ctx;
    check(page.v >> 12 >= 1 && page.v >> 12 <= TABLES && used[(page.v >> 12) - 1]);
    return table[(page.v >> 12) - 1];
}

static const struct radix_ops ops = {table_alloc, table_free, table_ptr};

static bool all_free(unsigned first, unsigned n)
{
    for (unsigned i = first; i < first + n; i++)
        if (model[i].phys)
            return false;
    return true;
}

static void check_model(const struct radix *r)
{
    for (unsigned i = 0; i < PAGES; i++) {
        struct radix_leaf leaf;
        bool found = radix_lookup(r, WINDOW + i * PAGE_SIZE + 123, &leaf);
        check(found == (model[i].phys != 0));
        if (!found)
            continue;
        check(leaf.phys.v == ((model[i].phys - 1) << 12) + 123);
        check(leaf.perms == model[i].perms && leaf.type == model[i].type);
    }
}

static void step(const struct radix *r, const uint8_t *op)
{
    static const uint64_t sizes[3] = {PAGE_SIZE, PAGE_SIZE_2M, PAGE_SIZE_1G};
    static const uint8_t perms[4] = {RADIX_READ, RADIX_RW, RADIX_RX, RADIX_RWX};
    unsigned first = (op[1] | op[2] << 8) % PAGES;
    unsigned n = (op[3] | op[4] << 8) % (PAGES - first) + 1;
    if (op[0] & 0x40) { /* aligned to 2M more often than chance would have it */
        first &= ~511u;
        n = (n + 511) & ~511u;
    }
    uint64_t virt = WINDOW + first * PAGE_SIZE, size = n * PAGE_SIZE;
    uint64_t phys = op[0] & 0x80 ? virt : (uint64_t)op[5] << 12;
    uint8_t perm = perms[op[5] & 3], type = (op[5] >> 2) % RADIX_TYPES;
    limit = op[0] & 8 ? in_use + (op[5] >> 6) : TABLES;
    enum pl_status s;
    switch (op[0] & 3) {
    case 0:
        s = radix_map(r, virt, HPA(phys), size, perm, (enum radix_type)type,
                      sizes[(op[0] >> 4) % 3]);
        check(s == PL_OK ? all_free(first, n) : s == PL_NO_MEMORY || !all_free(first, n));
        for (unsigned i = 0; s == PL_OK && i < n; i++) {
            model[first + i].phys = (phys >> 12) + i + 1;
            model[first + i].perms = perm;
            model[first + i].type = type;
        }
        break;
    case 1:
        s = radix_unmap(r, virt, size);
        for (unsigned i = 0; s == PL_OK && i < n; i++)
            model[first + i].phys = 0;
        break;
    case 2:
        s = radix_protect(r, virt, size, perm);
        for (unsigned i = 0; s == PL_OK && i < n; i++)
            model[first + i].perms = perm;
        break;
    default: /* arguments that are refused */
        s = radix_map(r, virt + 1 + op[5], HPA(phys), size, perm, RADIX_WB, PAGE_SIZE);
        check(s == PL_INVALID);
        s = radix_unmap(r, UINT64_MAX << (op[5] % 64), size | 1);
        check(s == PL_INVALID);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct radix r;
    if (size < 1)
        return 0;
    memset(used, 0, sizeof(used));
    memset(model, 0, sizeof(model));
    in_use = 0;
    limit = TABLES;
    check(radix_create(&r, data[0] & 1 ? &radix_ept : &radix_host, &ops, NULL) == PL_OK);
    for (size_t at = 1; at + 6 <= size && at < 6 * 200; at += 6) {
        step(&r, data + at);
        if (data[at] & 4)
            check_model(&r);
    }
    check_model(&r);
    limit = TABLES;
    if (data[0] & 2) {
        radix_free(&r, 0, RADIX_ENTRIES);
    } else {
        check(radix_unmap(&r, WINDOW, PAGES * PAGE_SIZE) == PL_OK);
    }
    check(in_use == 1);
    return 0;
}
