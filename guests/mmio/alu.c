/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mmio: arithmetic and logic on memory, with LOCK and without, in all widths and across a page's
 * end. Flags that the manual leaves undefined are not compared.
 */
#include "guests/mmio/mmio.h"

#define LOADS(undefined, op)                                \
    CASE(undefined, op " (%%rdi), %%al");                   \
    CASE(undefined, op " 5(%%rdi), %%ch");                  \
    CASE(undefined, op " (%%rdi), %%dx");                   \
    CASE(undefined, op " -3(%%rdi), %%eax");                \
    CASE(undefined, op " -7(%%rdi), %%r9");                 \
    CASE(undefined, op " %%fs:0x18, %%rbp");                \
    CASE(undefined, op " 1(%%rdi, %%r10, 8), %%r11d");      \
    CASE(undefined, op " 1(%%edi, %%r10d, 4), %%rbx");      \
    CASE32(undefined, op "l 4(%%edi), %%ebx");              \
    CASE32(undefined, op "w %%cx, (%%edi)")

#define STORES(undefined, op)                               \
    CASE(undefined, op " %%al, (%%rdi)");                   \
    CASE(undefined, op " %%bh, 1(%%rdi)");                  \
    CASE(undefined, op " %%r8b, 1(%%rdi)");                 \
    CASE(undefined, op " %%ax, -1(%%rdi)");                 \
    CASE(undefined, op " %%eax, 4(%%rdi)");                 \
    CASE(undefined, op " %%r9, -5(%%rdi)");                 \
    CASE(undefined, op "b $0x80, (%%rdi)");                 \
    CASE(undefined, op "w $0x7fff, 2(%%rdi)");              \
    CASE(undefined, op "l $0x80000001, (%%rdi)");           \
    CASE(undefined, op "l $-1, (%%rdi)");                   \
    CASE(undefined, op "q $-0x12345678, -4(%%rdi)")

#define LOCKED(undefined, op)                               \
    CASE(undefined, "lock " op " %%al, (%%rdi)");           \
    CASE(undefined, "lock " op " %%eax, 4(%%rdi)");         \
    CASE(undefined, "lock " op " %%rax, -2(%%rdi)");        \
    CASE(undefined, "lock " op "q $3, (%%rdi)")

#define UNARY(op)                                           \
    CASE(0, op "b (%%rdi)");                                \
    CASE(0, op "w -1(%%rdi)");                              \
    CASE(0, op "l (%%rdi)");                                \
    CASE(0, op "q -1(%%rdi)");                              \
    CASE(0, "lock " op "l 8(%%rdi)")

/* AF always, OF unless the count is 1; CF too where the count reaches the width. */
#define SHIFT(op)                                           \
    CASE(AF | OF | CF, op "b %%cl, (%%rdi)");               \
    CASE(AF | OF | CF, op "w %%cl, -1(%%rdi)");             \
    CASE(AF | OF, op "l %%cl, 4(%%rdi)");                   \
    CASE(AF | OF, op "q %%cl, (%%rdi)");                    \
    CASE(AF, op "b (%%rdi)");                               \
    CASE(AF, op "w (%%rdi)");                               \
    CASE(AF, op "l -2(%%rdi)");                             \
    CASE(AF | OF, op "b $3, (%%rdi)");                      \
    CASE(AF | OF, op "l $31, (%%rdi)");                     \
    CASE(AF | OF, op "q $33, -4(%%rdi)")

static void check_shifts(void)
{
    SHIFT("rol");
    SHIFT("ror");
    SHIFT("rcl");
    SHIFT("rcr");
    SHIFT("shl");
    SHIFT("shr");
    SHIFT("sar");
}

static void check_exchanges(void)
{
    CASE(0, "xchg %%al, (%%rdi)");
    CASE(0, "xchg %%bh, 3(%%rdi)");
    CASE(0, "xchg %%eax, -2(%%rdi)");
    CASE(0, "xchg %%r9, (%%rdi)");
    CASE(0, "xadd %%al, (%%rdi)");
    CASE(0, "lock xadd %%ax, -1(%%rdi)");
    CASE(0, "lock xadd %%r11d, (%%rdi)");
    CASE(0, "xadd %%rax, (%%rdi)");
    CASE(0, "lock cmpxchg %%bl, (%%rdi)");
    CASE(0, "lock cmpxchg %%ebx, (%%rdi)");
    CASE(0, "mov -4(%%rdi), %%rax\n\tlock cmpxchg %%rbx, -4(%%rdi)");
    CASE(0, "mov (%%rdi), %%eax\n\tcmpxchg %%ebx, (%%rdi)");
    CASE(0, "lock cmpxchg8b (%%rdi)");
    CASE(0, "mov (%%rdi), %%eax\n\tmov 4(%%rdi), %%edx\n\tlock cmpxchg8b (%%rdi)");
    CASE(0, "lock cmpxchg16b (%%rdi)");
    CASE(0, "mov (%%rdi), %%rax\n\tmov 8(%%rdi), %%rdx\n\tlock cmpxchg16b (%%rdi)");
    CASE32(0, "lock cmpxchg8b -4(%%edi)");
    CASE32(0, "lock xaddl %%ebx, (%%edi)");
}

void mmio_alu(void)
{
    LOADS(0, "add");  LOADS(0, "adc");  LOADS(0, "sub"); LOADS(0, "sbb"); LOADS(0, "cmp");
    LOADS(AF, "and"); LOADS(AF, "or");  LOADS(AF, "xor");
    STORES(0, "add"); STORES(0, "adc"); STORES(0, "sub"); STORES(0, "sbb"); STORES(0, "cmp");
    STORES(AF, "and"); STORES(AF, "or"); STORES(AF, "xor"); STORES(AF, "test");
    LOCKED(0, "add"); LOCKED(0, "adc"); LOCKED(0, "sub"); LOCKED(0, "sbb");
    LOCKED(AF, "and"); LOCKED(AF, "or"); LOCKED(AF, "xor");
    UNARY("inc"); UNARY("dec"); UNARY("neg"); UNARY("not");
    check_shifts();
    check_exchanges();
}
