/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory accesses where there is neither RAM nor a device: reads give all ones in the width of the
 * access and leave the rest of the register as the instruction says; writes vanish. Have open: SDM
 * "MOV", "MOVZX"; docs/abi.md "Memory".
 */
#include "guests/exits/exits.h"

#define HOLE    0xfeb00000u
#define PATTERN UINT64_C(0x1122334455667788)

#define LOADS(name, text, want)                                                           \
    do {                                                                                  \
        struct guest_regs r_ = {.rax = PATTERN, .rdi = HOLE, .rsi = 0x10, .r9 = PATTERN}; \
        GUEST_RUN(&r_, text);                                                             \
        if (r_.vector != NONE)                                                            \
            check_fault(name, &r_, NONE, 0);                                              \
        else                                                                              \
            check_equal(name, r_.rax, want);                                              \
    } while (0)

static void check_loads(void)
{
    LOADS("mmio-mov-8", "mov (%%rdi), %%al", UINT64_C(0x11223344556677ff));
    LOADS("mmio-mov-8-high", "mov (%%rdi), %%ah", UINT64_C(0x112233445566ff88));
    LOADS("mmio-mov-16", "mov (%%rdi), %%ax", UINT64_C(0x112233445566ffff));
    LOADS("mmio-mov-32", "mov (%%rdi), %%eax", 0xffffffff);
    LOADS("mmio-mov-64", "mov (%%rdi), %%rax", ~UINT64_C(0));
    LOADS("mmio-movzx-8-32", "movzbl (%%rdi), %%eax", 0xff);
    LOADS("mmio-movzx-8-64", "movzbq (%%rdi), %%rax", 0xff);
    LOADS("mmio-movzx-16-32", "movzwl (%%rdi), %%eax", 0xffff);
    LOADS("mmio-movzx-16-64", "movzwq (%%rdi), %%rax", 0xffff);
    LOADS("mmio-movsx-8-32", "movsbl (%%rdi), %%eax", 0xffffffff);
    LOADS("mmio-movsxd", "movslq (%%rdi), %%rax", ~UINT64_C(0));
}

static void check_addressing(void)
{
    LOADS("mmio-base-index", "movzbl 3(%%rdi, %%rsi, 4), %%eax", 0xff);
    LOADS("mmio-negative-displacement", "movzwl -0x100(%%rdi), %%eax", 0xffff);
    LOADS("mmio-addr32", "movzbl (%%edi), %%eax", 0xff);
    LOADS("mmio-absolute-al", "movabs 0xfeb00000, %%al", UINT64_C(0x11223344556677ff));
    LOADS("mmio-absolute-rax", "movabs 0xfeb00000, %%rax", ~UINT64_C(0));
    LOADS("mmio-r9", "mov (%%rdi), %%r9d\n\tmov %%r9, %%rax", 0xffffffff);
    LOADS("mmio-r9b", "mov (%%rdi), %%r9b\n\tmov %%r9, %%rax", UINT64_C(0x11223344556677ff));
    LOADS("mmio-sil", "mov (%%rdi), %%sil\n\tmov %%rsi, %%rax", 0xff);
    LOADS("mmio-straddles-pages", "mov 0xffe(%%rdi), %%eax", 0xffffffff);
}

static void check_stores(void)
{
    struct guest_regs r = {.rax = PATTERN, .rdi = HOLE};
    GUEST_RUN(&r, "mov %%al, (%%rdi)\n\tmov %%ah, 1(%%rdi)\n\tmov %%ax, (%%rdi)\n\t"
              "mov %%eax, (%%rdi)\n\tmov %%rax, (%%rdi)");
    check_fault("mmio-store-register", &r, NONE, 0);
    check_true("mmio-store-keeps", r.rax == PATTERN && r.rdi == HOLE);
    GUEST_RUN(&r, "movb $1, (%%rdi)\n\tmovw $1, (%%rdi)\n\tmovl $1, (%%rdi)\n\tmovq $-1, (%%rdi)");
    check_fault("mmio-store-immediate", &r, NONE, 0);
    GUEST_RUN(&r, "movabs %%eax, 0xfeb00000");
    check_fault("mmio-store-absolute", &r, NONE, 0);
    GUEST_RUN(&r, "mov (%%rdi), %%eax");
    check_equal("mmio-store-vanished", r.rax, 0xffffffff);
}

/* Just above RAM, where an off-by-one would show. */
static void check_edge(void)
{
    uint64_t end = guest_ram_end();
    check_true("ram-end-known", end > 0x100000 && end < HOLE);
    if (!end || end >= HOLE)
        return;
    volatile uint32_t *last = (volatile uint32_t *)(uintptr_t)(end - 4);
    uint32_t before = *last;
    *last = 0x12345678;
    check_equal("ram-last-word", *last, 0x12345678);
    *last = before;
    struct guest_regs r = {.rdi = end};
    GUEST_RUN(&r, "mov (%%rdi), %%eax");
    check_equal("ram-end-is-hole", r.rax, 0xffffffff);
}

void exits_memory(void)
{
    check_loads();
    check_addressing();
    check_stores();
    check_edge();
}
