/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mmio: what page tables forbid, an executed instruction may not do either, and it sets the same
 * accessed and dirty bits. The same access is made to a page of RAM and to one of the device, with
 * the same flags; the CPU's answer for RAM is what is wanted of the other. Have open: SDM, "Access
 * Rights", "Page-Fault Exceptions", "Accessed and Dirty Flags".
 */
#include "guests/mmio/mmio.h"

#include "arch/x86/cr.h"

#define ENTRY    32 /* of the window's table: not one of main.c's */
#define PRESENT  BIT(0)
#define WRITE    BIT(1)
#define USER     BIT(2)
#define ACCESSED BIT(5)
#define DIRTY    BIT(6)

static uint8_t page[4096] __attribute__((aligned(4096)));

enum { OP_READ, OP_WRITE, OP_ADD, OP_MOVS_FROM, OP_MOVS_TO, OPS };

/* The access at RDI or RSI; the user's ends in #UD. */
#define KERNEL(text) GUEST_RUN(r, text)
#define AS_USER(text)                                                                        \
    GUEST_RUN(r, "mov %%rsp, %%rcx\n\tpushq $0x1b\n\tpush %%rcx\n\tpushq $2\n\tpushq $0x23\n\t" \
              "lea 6f(%%rip), %%rdx\n\tpush %%rdx\n\tiretq\n6:\t" text "\n\tud2")
#define EITHER(text)       \
    do {                   \
        if (user)          \
            AS_USER(text); \
        else               \
            KERNEL(text);  \
    } while (0)

static void run(unsigned op, bool user, uint64_t at, struct guest_regs *r)
{
    static uint64_t scratch;
    *r = (struct guest_regs){.rdi = op == OP_MOVS_FROM ? (uint64_t)&scratch : at,
                             .rsi = op == OP_MOVS_FROM ? at : (uint64_t)&scratch, .rax = 0x11};
    if (op == OP_READ)
        EITHER("mov (%%rdi), %%eax");
    else if (op == OP_WRITE)
        EITHER("mov %%eax, (%%rdi)");
    else if (op == OP_ADD)
        EITHER("lock addl %%eax, (%%rdi)");
    else
        EITHER("movsb");
}

struct answer {
    uint32_t vector;
    uint64_t error, rip, offset, flags;
};

static struct answer try_access(uint64_t *table, uint64_t physical, uint64_t flags, unsigned op,
                                bool user)
{
    uint64_t at = MMIO_WINDOW + ENTRY * 4096 + 0x10;
    struct guest_regs r;
    table[ENTRY] = physical | flags;
    write_cr3(read_cr3());
    run(op, user, at, &r);
    struct answer a = {r.vector, r.error, r.rip, r.vector == 14 ? r.cr2 - at : 0,
                       table[ENTRY] & (ACCESSED | DIRTY)};
    table[ENTRY] = 0;
    write_cr3(read_cr3());
    return a;
}

static bool same(const struct answer *a, const struct answer *b)
{
    return a->vector == b->vector && a->error == b->error && a->rip == b->rip &&
           a->offset == b->offset && a->flags == b->flags;
}

void mmio_access(uint64_t *table)
{
    uint64_t cr0 = read_cr0();
    unsigned faults = 0;
    for (unsigned n = 0; n < 64; n++) {
        /* P, R/W, U/S as they are, bit 3: NX, which without EFER.NXE is a reserved bit, ... */
        uint64_t flags = (n & 7) | (n & 8 ? BIT(63) : 0);
        /* ... then A and D from the start, and CR0.WP. */
        flags |= n & 16 ? ACCESSED | DIRTY : 0;
        write_cr0(n & 32 ? cr0 | CR0_WP : cr0 & ~CR0_WP);
        for (unsigned op = 0; op < OPS; op++) {
            for (unsigned user = 0; user < 2; user++) {
                struct answer want = try_access(table, (uint64_t)page, flags, op, user);
                struct answer got = try_access(table, MMIO_DEVICE, flags, op, user);
                faults += want.vector == 14;
                mmio_check("access rights", same(&got, &want));
                if (!same(&got, &want))
                    guest_print("mmio: flags %#llx op %u user %u: vector %d error %llx bits %llx, "
                                "want %d %llx %llx\n", (unsigned long long)flags, op, user,
                                (int)got.vector, (unsigned long long)got.error,
                                (unsigned long long)got.flags, (int)want.vector,
                                (unsigned long long)want.error, (unsigned long long)want.flags);
            }
        }
    }
    write_cr0(cr0);
    mmio_check("some of them are refused", faults > 64 && faults < 64 * OPS * 2);
}
