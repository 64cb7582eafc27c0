/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mmio: string instructions in both directions, repeated and not, between RAM and device; more
 * iterations than the hypervisor does in one exit.
 */
#include "guests/mmio/mmio.h"

/* Forwards from behind the middle and backwards from before it, so that both cross it. */
#define BOTH_WAYS(text)                                                                       \
    CASE(0, "cld\n\tlea -9(%%rdi), %%rdi\n\tlea -9(%%rsi), %%rsi\n\t" text);                   \
    CASE(0, "std\n\tlea 9(%%rdi), %%rdi\n\tlea 9(%%rsi), %%rsi\n\t" text "\n\tcld")

#define WIDTHS(op)                                              \
    BOTH_WAYS(op "b");                                          \
    BOTH_WAYS(op "w");                                          \
    BOTH_WAYS(op "l");                                          \
    BOTH_WAYS(op "q");                                          \
    BOTH_WAYS("mov $5, %%ecx\n\trep " op "b");                  \
    BOTH_WAYS("mov $4, %%ecx\n\trep " op "w");                  \
    BOTH_WAYS("mov $3, %%ecx\n\trep " op "l");                  \
    BOTH_WAYS("mov $3, %%ecx\n\trep " op "q");                  \
    BOTH_WAYS("xor %%ecx, %%ecx\n\trep " op "b")

#define COMPARES(op)                                            \
    BOTH_WAYS(op "b");                                          \
    BOTH_WAYS(op "l");                                          \
    BOTH_WAYS("mov $12, %%ecx\n\trepe " op "b");                \
    BOTH_WAYS("mov $12, %%ecx\n\trepne " op "b");               \
    BOTH_WAYS("mov $4, %%ecx\n\trepe " op "w");                 \
    BOTH_WAYS("mov $3, %%ecx\n\trepne " op "q");                \
    BOTH_WAYS("xor %%ecx, %%ecx\n\trepne " op "b")

void mmio_string(void)
{
    WIDTHS("movs");
    WIDTHS("stos");
    WIDTHS("lods");
    COMPARES("cmps");
    COMPARES("scas");
    /* Equal stretches, so that the end is not at once. */
    CASE(0, "mov %%rdi, %%r8\n\tmov %%rsi, %%r9\n\tmov $16, %%ecx\n\trep movsb\n\t"
            "mov %%r8, %%rdi\n\tmov %%r9, %%rsi\n\tmov $20, %%ecx\n\trepe cmpsb\n\t"
            "sub %%rdi, %%r8\n\tsub %%rsi, %%r9");
    /* More than one exit's worth. */
    CASE(0, "lea -60(%%rdi), %%rdi\n\tmov $120, %%ecx\n\trep stosb");
    CASE(0, "lea -60(%%rdi), %%rdi\n\tlea -60(%%rsi), %%rsi\n\tmov $120, %%ecx\n\trep movsb");
    CASE(0, "mov $0, %%eax\n\tlea -60(%%rdi), %%rdi\n\tmov $118, %%ecx\n\trep stosb\n\t"
            "lea -118(%%rdi), %%rdi\n\tmov $120, %%ecx\n\trepe scasb");
    /* Overlapping: each byte is the one before. */
    CASE(0, "lea 1(%%rdi), %%rdi\n\tmov %%rdi, %%r8\n\tmov %%rsi, %%r9\n\tlea -1(%%rdi), %%rsi\n\t"
            "mov $20, %%ecx\n\trep movsb\n\tmov %%r9, %%rsi\n\txor %%r8d, %%r8d\n\t"
            "xor %%r9d, %%r9d");
    CASE(0, "mov $3, %%ecx\n\taddr32 rep stosl");
    CASE(0, "mov $4, %%ecx\n\tmov %%rsi, %%r8\n\tmov $0x10, %%esi\n\t"
            "rep movsb %%fs:(%%rsi), %%es:(%%rdi)\n\tmov %%r8, %%rsi\n\txor %%r8d, %%r8d");
    CASE32(0, "movl $5, %%ecx\n\trep stosl");
}
