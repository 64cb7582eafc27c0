/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mmio: moves between memory and registers, the stack, XMM registers; 32-bit code and its 16-bit
 * addresses.
 */
#include "guests/mmio/mmio.h"

#include "arch/x86/cpuid.h"

#define HAS_MOVBE  BIT(22) /* CPUID 1, ECX */
#define HAS_SSE3   BIT(0)
#define HAS_SSE4_1 BIT(19)

static void check_stack(void)
{
    CASE(0, "pushq (%%rdi)\n\tpopq %%rax");
    CASE(0, "pushw -1(%%rdi)\n\tpopw %%ax");
    CASE(0, "pushq %%rax\n\tpopq -3(%%rdi)");
    CASE(0, "pushw %%ax\n\tpopw (%%rdi)");
    CASE(0, "pushq (%%rdi)\n\tpopq (%%rsi)");
    CASE32(0, "pushl -2(%%edi)\n\tpopl 4(%%esi)");
    CASE32(0, "pushw (%%edi)\n\tpopw 4(%%edi)");
}

/* BX and friends reach the first 64 KiB only, and offsets wrap there. */
static void check_16_bit_addresses(void)
{
    CASE32(0, "movl $0x8000, %%ebx\n\taddr16 movl 4(%%bx), %%eax");
    CASE32(0, "movl $0x8000, %%ebp\n\tpushl %%esi\n\tmovl $2, %%esi\n\t"
              "addr16 addl %%eax, %%ds:(%%bp, %%si)\n\tpopl %%esi");
    CASE32(0, "movl $0x7008000, %%ebx\n\taddr16 incw 0x10(%%bx)");
    CASE32(0, "movl $0xffff, %%ebx\n\taddr16 xchgb %%al, -0x7ffe(%%bx)");
    CASE32(0, "addr16 movl 0x8008, %%eax");
    CASE32(0, "movl %%edi, %%ebp\n\tmovl $0x7008008, %%edi\n\tmovl $0x50003, %%ecx\n\t"
              "addr16 rep stosw\n\tmovl %%edi, %%edx\n\tmovl %%ebp, %%edi\n\txor %%ebp, %%ebp");
}

void mmio_moves(void)
{
    CASE(0, "mov (%%rdi), %%ah");
    CASE(0, "mov -1(%%rdi), %%ax");
    CASE(0, "mov -3(%%rdi), %%rax");
    CASE(0, "mov %%rax, -5(%%rdi)");
    CASE(0, "movq $-2, -1(%%rdi)");
    CASE(0, "movnti %%rax, (%%rdi)");
    CASE(0, "movzbl (%%rdi), %%eax");
    CASE(0, "movzwq -1(%%rdi), %%rax");
    CASE(0, "movsbw (%%rdi), %%ax");
    CASE(0, "movswl -1(%%rdi), %%ebx");
    CASE(0, "movslq -2(%%rdi), %%r11");
    check_stack();
    check_16_bit_addresses();
    if (!(cpuid(1, 0).ecx & HAS_MOVBE))
        return;
    CASE(0, "movbe (%%rdi), %%ax");
    CASE(0, "movbe -2(%%rdi), %%r9d");
    CASE(0, "movbe %%rax, -6(%%rdi)");
}

/* In and out again, so that what the register held can be seen. */
#define XMM(in, out)                                                            \
    CASE(0, "movups (%%rsi), %%xmm3\n\t" in "\n\t" out)
#define BACK "movdqu %%xmm3, -37(%%rsi)"

static void check_xmm_late(void)
{
    uint32_t ecx = cpuid(1, 0).ecx;
    if (ecx & HAS_SSE3)
        XMM("lddqu -3(%%rdi), %%xmm3", BACK);
    if (ecx & HAS_SSE4_1)
        XMM("movntdqa 16(%%rdi), %%xmm3", BACK);
}

void mmio_xmm(void)
{
    XMM("movups -5(%%rdi), %%xmm3", "movups %%xmm3, 7(%%rdi)");
    XMM("movupd -5(%%rdi), %%xmm3", "movupd %%xmm3, -11(%%rdi)");
    XMM("movaps 16(%%rdi), %%xmm3", "movaps %%xmm3, -16(%%rdi)");
    XMM("movapd (%%rdi), %%xmm3", "movapd %%xmm3, 32(%%rdi)");
    XMM("movdqa (%%rdi), %%xmm3", "movdqa %%xmm3, -32(%%rdi)");
    XMM("movdqu -9(%%rdi), %%xmm3", "movdqu %%xmm3, 33(%%rdi)");
    XMM("movss -2(%%rdi), %%xmm3", BACK);
    XMM("movsd -2(%%rdi), %%xmm3", BACK);
    XMM("movq (%%rdi), %%xmm3", BACK);
    XMM("movd (%%rdi), %%xmm3", BACK);
    XMM("movss %%xmm3, -2(%%rdi)", BACK);
    XMM("movsd %%xmm3, -2(%%rdi)", BACK);
    XMM("movq %%xmm3, (%%rdi)", BACK);
    XMM("movd %%xmm3, -3(%%rdi)", BACK);
    XMM("movlps %%xmm3, -3(%%rdi)", BACK);
    XMM("movlpd %%xmm3, -3(%%rdi)", BACK);
    XMM("movntps %%xmm3, 16(%%rdi)", BACK);
    XMM("movntdq %%xmm3, -16(%%rdi)", BACK);
    XMM("movntpd %%xmm3, (%%rdi)", BACK);
    CASE(0, "movups 1(%%rdi), %%xmm15\n\tmovups %%xmm15, 17(%%rsi)");
    CASE(0, "movups 1(%%rdi), %%xmm8\n\tmovups 2(%%rdi), %%xmm0\n\tmovups %%xmm8, 17(%%rsi)");
    CASE(0, "movaps 8(%%rdi), %%xmm0"); /* #GP: not aligned */
    check_xmm_late();
}
