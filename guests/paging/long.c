/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * paging, IA-32e mode: four levels, pages of 4K, 2M and 1G. Have open: SDM, "4-Level Paging and
 * 5-Level Paging", "Access Rights", "Accessed and Dirty Flags".
 */
#include "guests/paging/paging.h"

#include "arch/x86/cr.h"
#include "arch/x86/msr.h"

#define PML4_ENTRY 1
#define LINEAR     ((uint64_t)PML4_ENTRY << 39)
#define RFLAGS_AC  BIT(18)

extern uint64_t boot_pml4[512];
static uint64_t pdpt[512] __attribute__((aligned(4096)));
static uint64_t pd[512] __attribute__((aligned(4096)));
static uint64_t pt[512] __attribute__((aligned(4096)));

/* Where the leaf and the entry above it stand, and the bytes of the page. */
static const struct size {
    const char *name;
    uint64_t *leaf, *upper;
    uint64_t bytes;
} sizes[] = {
    {"4K pages", &pt[0], &pd[0], BIT(12)},
    {"2M pages", &pd[0], &pdpt[0], BIT(21)},
    {"1G pages", &pdpt[0], &boot_pml4[PML4_ENTRY], BIT(30)},
};

/* R9 goes into the flags first. The user's ends in #UD, and so does the other. */
#define FLAGS "push %%r9\n\tpopfq\n\t"
#define KERNEL(text) GUEST_RUN(r, FLAGS text "\n\tud2")
#define AS_USER(text)                                                                         \
    GUEST_RUN(r, "mov %%rsp, %%rcx\n\tpushq $0x1b\n\tpush %%rcx\n\tpush %%r9\n\tpushq $0x23\n\t" \
              "lea 6f(%%rip), %%rdx\n\tadd %%r8, %%rdx\n\tpush %%rdx\n\tiretq\n6:\t" text "\n\tud2")
#define EITHER(text)       \
    do {                   \
        if (user)          \
            AS_USER(text); \
        else               \
            KERNEL(text);  \
    } while (0)

static void run(unsigned op, bool user, uint64_t at, bool other_is_device, struct guest_regs *r)
{
    static uint64_t scratch[2];
    uint64_t other = (uint64_t)scratch + (user ? GUEST_USER_ALIAS : 0);
    if (other_is_device)
        other = user ? OTHER_USER : OTHER_SUPERVISOR;
    r->rdi = op == OP_MOVS_FROM ? other : at;
    r->rsi = op == OP_MOVS_FROM ? at : other;
    r->rax = 0x11;
    r->r8 = GUEST_USER_ALIAS;
    if (op == OP_READ)
        EITHER("mov (%%rdi), %%eax");
    else if (op == OP_WRITE)
        EITHER("mov %%eax, (%%rdi)");
    else if (op == OP_ADD)
        EITHER("lock addl %%eax, (%%rdi)");
    else
        EITHER("movsb");
}

static struct answer try_access(const struct size *s, struct described *d, enum where device)
{
    uint64_t physical = device == THE_PAGE ? DEVICE_AT : RAM_AT;
    uint64_t at = LINEAR + (physical & (s->bytes - 1)) + INSIDE;
    struct guest_regs r = {.r9 = 2 | (d->ac ? RFLAGS_AC : 0)};
    uint64_t above = *s->upper;
    *s->leaf = (physical & ~(s->bytes - 1)) | d->leaf;
    *s->upper = (above & BITS(51, 12)) | d->upper;
    write_cr3(read_cr3());
    d->device = device;
    run(d->op, d->user, at, device == THE_OTHER, &r);
    struct answer a = {r.vector, (uint32_t)r.error, r.rip, r.vector == 14 ? r.cr2 - at : 0,
                       *s->leaf & (ACCESSED | DIRTY), *s->upper & (ACCESSED | DIRTY)};
    *s->upper = above;
    return a;
}

static void compare(const struct size *s, struct described *d)
{
    for (d->op = 0; d->op < OPS; d->op++) {
        for (unsigned user = 0; user < 2; user++) {
            d->user = user;
            struct answer want = try_access(s, d, NOTHING), got = try_access(s, d, THE_PAGE);
            paging_compare(&got, &want, d);
            if (d->op < OP_MOVS_FROM)
                continue;
            got = try_access(s, d, THE_OTHER);
            paging_compare(&got, &want, d);
        }
    }
}

/* All rights of the leaf and what the level above may take away. */
static void compare_rights(const struct size *s, struct described *d)
{
    static const uint64_t uppers[] = {PRESENT | WRITE | USER, PRESENT | USER, PRESENT | WRITE,
                                      PRESENT | WRITE | USER | NX, WRITE | USER};
    uint64_t large = s == &sizes[0] ? 0 : LARGE;
    for (unsigned u = 0; u < ARRAY_LEN(uppers); u++) {
        for (unsigned n = 0; n < 32; n++) {
            if (u >= 3 && n >= 16)
                break;
            d->upper = uppers[u];
            d->leaf = (n & 7) | (n & 8 ? NX : 0) | (n & 16 ? ACCESSED | DIRTY : 0) | large;
            compare(s, d);
        }
    }
}

/* Each reserved bit by itself, in either level, in a present entry and in one that is not. */
static void compare_reserved(const struct size *s, struct described *d)
{
    uint64_t all = PRESENT | WRITE | USER, large = s == &sizes[0] ? 0 : LARGE;
    unsigned width = cpuid(0x80000008, 0).eax & 0xff;
    uint64_t bits = width < 52 ? BIT(51) | BIT(width) : 0;
    uint64_t in_leaf = bits | (large ? BIT(13) | s->bytes >> 1 : 0);
    uint64_t in_upper = bits | (s == &sizes[2] ? LARGE : 0);
    if (s == &sizes[1] && !(cpuid(0x80000001, 0).edx & BIT(26)))
        in_upper |= LARGE; /* no page of that size exists */
    for (uint64_t left = in_leaf; left; left &= left - 1) {
        for (uint64_t present = 0; present < 2; present++) {
            d->upper = all;
            d->leaf = (all & ~UINT64_C(1)) | present | large | (left & -left);
            compare(s, d);
        }
    }
    for (uint64_t left = in_upper; left; left &= left - 1) {
        d->upper = all | (left & -left);
        d->leaf = all | large;
        compare(s, d);
    }
}

static void compare_all(struct described *d)
{
    uint64_t cr4 = read_cr4();
    bool has_1g = cpuid(0x80000001, 0).edx & BIT(26);
    write_cr4(d->cr4);
    for (unsigned i = 0; i < (has_1g ? 3 : 2); i++) {
        boot_pml4[PML4_ENTRY] = (uint64_t)pdpt | PRESENT | WRITE | USER;
        pdpt[0] = (uint64_t)pd | PRESENT | WRITE | USER;
        pd[0] = (uint64_t)pt | PRESENT | WRITE | USER;
        d->tables = sizes[i].name;
        compare_rights(&sizes[i], d);
        compare_reserved(&sizes[i], d);
    }
    write_cr4(cr4);
}

void paging_long(void)
{
    uint64_t cr0 = read_cr0(), cr4 = read_cr4(), efer = rdmsr(MSR_IA32_EFER);
    uint64_t has = paging_protections();
    for (unsigned n = 0; n < 8; n++) {
        /* 0: nothing of it; then with NX, WP, SMEP, SMAP and AC by turns. */
        static const struct {
            bool nxe, wp, ac;
            uint64_t cr4;
        } modes[8] = {
            {false, true, false, 0},           {true, false, false, 0},
            {true, true, false, 0},            {true, true, false, CR4_SMEP},
            {true, true, false, CR4_SMAP},     {true, true, true, CR4_SMAP},
            {true, false, false, CR4_SMAP},    {false, false, true, CR4_SMAP | CR4_SMEP},
        };
        if ((modes[n].cr4 & has) != modes[n].cr4)
            continue;
        struct described d = {.cr0 = modes[n].wp ? cr0 | CR0_WP : cr0 & ~CR0_WP,
                              .cr4 = cr4 | modes[n].cr4, .ac = modes[n].ac};
        wrmsr(MSR_IA32_EFER, modes[n].nxe ? efer | EFER_NXE : efer & ~EFER_NXE);
        write_cr0(d.cr0);
        compare_all(&d);
    }
    write_cr0(cr0);
    wrmsr(MSR_IA32_EFER, efer);
    boot_pml4[PML4_ENTRY] = 0;
    write_cr3(read_cr3());
}
