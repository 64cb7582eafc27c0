/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mmio: single bits, and what depends on flags: SETcc and CMOVcc in each of their sixteen
 * conditions, LOCK and single steps.
 */
#include "guests/mmio/mmio.h"

/* The flags but CF and ZF are undefined. */
#define BIT_FLAGS (OF | SF | AF | PF)

/* A bit's number in a register reaches beyond the operand, downwards too. */
#define BITS_OF(op, lock)                                                    \
    CASE(BIT_FLAGS, lock op "w $5, (%%rdi)");                                \
    CASE(BIT_FLAGS, lock op "l $31, -2(%%rdi)");                             \
    CASE(BIT_FLAGS, lock op "q $63, (%%rdi)");                               \
    CASE(BIT_FLAGS, "movsbl %%cl, %%ecx\n\t" lock op " %%ecx, (%%rdi)");     \
    CASE(BIT_FLAGS, "movsbq %%dl, %%rdx\n\t" lock op " %%rdx, (%%rdi)");     \
    CASE(BIT_FLAGS, "movsbw %%bl, %%bx\n\t" lock op " %%bx, -1(%%rdi)");     \
    CASE(BIT_FLAGS, "mov $-100, %%ecx\n\t" lock op " %%ecx, (%%rdi)")

#define CONDITION(cc)                                \
    CASE(0, "set" cc " (%%rdi)");                    \
    CASE(0, "cmov" cc "w (%%rdi), %%ax");            \
    CASE(0, "cmov" cc " -2(%%rdi), %%eax");          \
    CASE(0, "cmov" cc " (%%rdi), %%r9")

static void check_conditions(void)
{
    CONDITION("o");  CONDITION("no"); CONDITION("b");  CONDITION("ae");
    CONDITION("e");  CONDITION("ne"); CONDITION("be"); CONDITION("a");
    CONDITION("s");  CONDITION("ns"); CONDITION("p");  CONDITION("np");
    CONDITION("l");  CONDITION("ge"); CONDITION("le"); CONDITION("g");
}

/* The trap comes behind the instruction, or behind each iteration of a repeated one. */
#define STEP "pushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\t"

static void check_steps(void)
{
    CASE(0, STEP "mov (%%rdi), %%eax\n\tnop\n\tnop");
    CASE(0, STEP "lock addl $1, (%%rdi)\n\tnop\n\tnop");
    CASE(0, STEP "pushq (%%rdi)\n\tnop\n\tnop");
    CASE(0, "mov $3, %%ecx\n\t" STEP "rep movsb\n\tnop\n\tnop");
    CASE(0, "mov $1, %%ecx\n\t" STEP "rep stosl\n\tnop\n\tnop");
    CASE(0, "mov $0, %%ecx\n\t" STEP "rep stosl\n\tnop\n\tnop");
}

void mmio_bits(void)
{
    BITS_OF("bt", "");
    BITS_OF("bts", "");
    BITS_OF("btr", "lock ");
    BITS_OF("btc", "lock ");
    check_conditions();
    check_steps();
}
