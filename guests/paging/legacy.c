/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * paging, legacy: 32-bit paging with and without 4M pages, and PAE paging. A list of tries is made
 * here and carried out by switch.c, which leaves IA-32e mode for it. Have open: SDM, "32-Bit
 * Paging", "PAE Paging".
 */
#include "guests/paging/legacy.h"

#include "arch/x86/cr.h"
#include "arch/x86/msr.h"
#include "core/lib/string.h"

#define LINEAR    UINT32_C(0x40000000)
#define RFLAGS_AC BIT(18)
#define ALL       (PRESENT | WRITE | USER)
#define TRIES     1280
#define LOW_TABLES 4 /* of 4 MiB each */

static uint32_t pd32[1024] __attribute__((aligned(4096)));
static uint32_t pt32[1024] __attribute__((aligned(4096)));
static uint32_t low32[LOW_TABLES][1024] __attribute__((aligned(4096)));
static uint32_t device32[1024] __attribute__((aligned(4096)));
static uint64_t pdpt[4] __attribute__((aligned(32)));
static uint64_t pd_low[512] __attribute__((aligned(4096)));
static uint64_t pd_user[512] __attribute__((aligned(4096)));
static uint64_t pd_device[512] __attribute__((aligned(4096)));
static uint64_t pd[512] __attribute__((aligned(4096)));
static uint64_t pt[512] __attribute__((aligned(4096)));
static struct legacy_try tries[TRIES];
static struct described notes[TRIES];
static unsigned count;

/* One kind of tables: where leaf and upper entry stand, what the leaf maps. */
struct kind {
    const char *name;
    void *leaf, *upper;
    uint64_t bytes;       /* of a page */
    uint64_t large;       /* LARGE in the leaf, or 0 */
    uint64_t cr3, cr4;
    bool pae;
};
static const struct kind kinds[] = {
    {"32-bit, 4K", pt32, &pd32[LINEAR >> 22], BIT(12), 0, (uint64_t)pd32, 0, false},
    {"32-bit, 4K, PSE", pt32, &pd32[LINEAR >> 22], BIT(12), 0, (uint64_t)pd32, CR4_PSE, false},
    {"32-bit, 4M", &pd32[LINEAR >> 22], NULL, BIT(22), LARGE, (uint64_t)pd32, CR4_PSE, false},
    {"PAE, 4K", pt, pd, BIT(12), 0, (uint64_t)pdpt, CR4_PAE, true},
    {"PAE, 2M", pd, NULL, BIT(21), LARGE, (uint64_t)pdpt, CR4_PAE, true},
};

static void make_tables(void)
{
    for (uint32_t i = 0; i < LOW_TABLES * 1024; i++)
        low32[i / 1024][i % 1024] = i << 12 | (uint32_t)ALL;
    for (uint32_t i = 0; i < LOW_TABLES; i++) {
        uint32_t table = (uint32_t)(uintptr_t)low32[i];
        pd32[i] = table | (uint32_t)(PRESENT | WRITE);
        pd32[(GUEST_USER_ALIAS >> 22) + i] = table | (uint32_t)ALL;
    }
    for (uint64_t i = 0; i < 512; i++) {
        pd_low[i] = i << 21 | PRESENT | WRITE | LARGE;
        pd_user[i] = i << 21 | ALL | LARGE;
    }
    for (uint32_t i = 0; i < ARRAY_LEN(device32); i++)
        device32[i] = (uint32_t)DEVICE_AT + (i << 12) + (uint32_t)ALL;
    pd32[OTHER_SUPERVISOR >> 22] = (uint32_t)(uintptr_t)device32 | (uint32_t)(PRESENT | WRITE);
    pd32[OTHER_USER >> 22] = (uint32_t)(uintptr_t)device32 | (uint32_t)ALL;
    pd_device[OTHER_SUPERVISOR >> 21 & 511] = DEVICE_AT | PRESENT | WRITE | LARGE;
    pd_device[OTHER_USER >> 21 & 511] = DEVICE_AT | ALL | LARGE;
    pdpt[3] = (uint64_t)pd_device | PRESENT;
    pdpt[0] = (uint64_t)pd_low | PRESENT;
    pdpt[LINEAR >> 30] = (uint64_t)pd | PRESENT;
    pdpt[GUEST_USER_ALIAS >> 30] = (uint64_t)pd_user | PRESENT;
}

/* --- one try -------------------------------------------------------------------------------- */

static void set_entry(struct legacy_entry *e, void *at, uint64_t value)
{
    *e = (struct legacy_entry){(uint32_t)(uintptr_t)at, (uint32_t)value, (uint32_t)(value >> 32)};
}

static void add_try(const struct kind *k, struct described *d, enum where device)
{
    static uint64_t scratch[2];
    struct legacy_try *t = &tries[count];
    uint64_t physical = device == THE_PAGE ? DEVICE_AT : RAM_AT;
    uint32_t at = LINEAR + (uint32_t)(physical & (k->bytes - 1)) + INSIDE;
    uint32_t other = (uint32_t)(uintptr_t)scratch + (d->user ? (uint32_t)GUEST_USER_ALIAS : 0);
    uint32_t code = (uint32_t)(uintptr_t)legacy_ops + 16 * d->op;
    if (device == THE_OTHER)
        other = (uint32_t)(d->user ? OTHER_USER : OTHER_SUPERVISOR);
    d->device = device;
    notes[count++] = *d;
    memset(t, 0, sizeof(*t));
    t->code = code + (d->user ? (uint32_t)GUEST_USER_ALIAS : 0);
    t->edi = d->op == OP_MOVS_FROM ? other : at;
    t->esi = d->op == OP_MOVS_FROM ? at : other;
    t->eflags = 2 | (d->ac ? (uint32_t)RFLAGS_AC : 0);
    t->user = d->user;
    t->cr0 = (uint32_t)d->cr0;
    t->cr4 = (uint32_t)d->cr4;
    t->wide = k->pae;
    set_entry(&t->leaf, k->leaf, (physical & ~(k->bytes - 1)) | d->leaf);
    if (k->upper)
        set_entry(&t->upper, k->upper, (k->pae ? (uint64_t)pt : (uint64_t)pt32) | d->upper);
    else /* written twice, to the same place */
        t->upper = t->leaf;
}

static struct answer answer_of(const struct legacy_try *t, const struct described *d)
{
    uint32_t at = d->op == OP_MOVS_FROM ? t->esi : t->edi;
    return (struct answer){t->vector, t->error, t->eip - t->code,
                           t->vector == 14 ? t->cr2 - at : 0, t->leaf_after & (ACCESSED | DIRTY),
                           t->upper_after & (ACCESSED | DIRTY)};
}

static void carry_out(const struct kind *k)
{
    legacy_run(tries, count, (uint32_t)k->cr3);
    struct answer want = {0}, got;
    for (unsigned i = 0; i < count; i++) {
        got = answer_of(&tries[i], &notes[i]);
        if (notes[i].device == NOTHING)
            want = got;
        else
            paging_compare(&got, &want, &notes[i]);
    }
    count = 0;
}

static void compare(const struct kind *k, struct described *d)
{
    d->tables = k->name;
    for (d->op = 0; d->op < OPS; d->op++) {
        for (unsigned user = 0; user < 2; user++) {
            d->user = user;
            if (count + 3 > TRIES)
                carry_out(k);
            add_try(k, d, NOTHING);
            add_try(k, d, THE_PAGE);
            if (d->op >= OP_MOVS_FROM)
                add_try(k, d, THE_OTHER);
        }
    }
}

/* --- all of them ---------------------------------------------------------------------------- */

static void compare_rights(const struct kind *k, struct described *d)
{
    static const uint64_t uppers[] = {ALL, PRESENT | USER, PRESENT | WRITE, WRITE | USER};
    unsigned flags = k->pae ? 32 : 16;
    for (unsigned u = 0; u < (k->upper ? ARRAY_LEN(uppers) : 1); u++) {
        for (unsigned n = 0; n < flags; n++) {
            d->upper = uppers[u];
            d->leaf = (n & 7) | (n & 8 ? ACCESSED | DIRTY : 0) | (n & 16 ? NX : 0) | k->large;
            compare(k, d);
        }
    }
}

/* 32-bit paging: bit 21 of a 4M page, and PS where it means nothing; PAE: 62, 52 and the like. */
static void compare_reserved(const struct kind *k, struct described *d)
{
    uint64_t bits = k->large ? BIT(21) : 0;
    if (k->pae)
        bits = BIT(62) | BIT(52) | BIT(cpuid(0x80000008, 0).eax & 0xff)
             | (k->large ? BIT(13) | BIT(20) : 0);
    for (uint64_t left = bits; left; left &= left - 1) {
        for (uint64_t present = 0; present < 2; present++) {
            d->upper = ALL;
            d->leaf = (ALL & ~UINT64_C(1)) | present | k->large | (left & -left);
            compare(k, d);
        }
    }
    if (k->upper && !k->pae && !(k->cr4 & CR4_PSE)) {
        d->upper = ALL | LARGE;
        d->leaf = ALL;
        compare(k, d);
    }
    if (k->upper && k->pae) {
        d->upper = ALL | NX;
        d->leaf = ALL;
        compare(k, d);
        d->upper = ALL | BIT(62);
        compare(k, d);
    }
}

void paging_legacy(void)
{
    static const struct {
        bool nxe, wp, ac;
        uint64_t cr4;
    } modes[] = {
        {false, true, false, 0},       {true, false, false, 0},
        {true, true, false, CR4_SMEP}, {true, true, false, CR4_SMAP},
        {true, true, true, CR4_SMAP},
    };
    uint64_t cr0 = read_cr0(), efer = rdmsr(MSR_IA32_EFER), has = paging_protections();
    make_tables();
    for (unsigned n = 0; n < ARRAY_LEN(modes); n++) {
        if ((modes[n].cr4 & has) != modes[n].cr4)
            continue;
        wrmsr(MSR_IA32_EFER, modes[n].nxe ? efer | EFER_NXE : efer & ~EFER_NXE);
        for (const struct kind *k = kinds; k < kinds + ARRAY_LEN(kinds); k++) {
            struct described d = {.cr0 = modes[n].wp ? cr0 | CR0_WP : cr0 & ~CR0_WP,
                                  .cr4 = k->cr4 | modes[n].cr4, .ac = modes[n].ac};
            compare_rights(k, &d);
            compare_reserved(k, &d);
            carry_out(k);
        }
    }
    wrmsr(MSR_IA32_EFER, efer);
}
