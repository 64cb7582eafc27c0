/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mmio: what the files of this guest share. A case is a piece of code that works on two areas, A
 * at RDI and B at RSI; each points to the middle of 128 bytes and to the start of a page, so that
 * negative offsets cross into it. It is run with both in RAM and then with each of them in a
 * device's memory; registers, flags, exceptions and the areas' bytes must come out the same.
 */
#ifndef GUESTS_MMIO_MMIO_H
#define GUESTS_MMIO_MMIO_H

#include "guests/lib/guest.h"

#define CF 0x001u
#define PF 0x004u
#define AF 0x010u
#define SF 0x080u
#define OF 0x800u

/* Where 16-bit addresses find the first bytes of area A. */
#define LOW_WINDOW 0x8000

/* Runs the code in all arrangements with several register contents. undefined: status flags that
 * the manual leaves open after it. */
void mmio_compare(const char *name, const void *code, uint32_t undefined);
/* One check that stands alone. */
void mmio_check(const char *name, bool ok);

/* The code starts with the flags of R15. */
#define CASE(undefined, text)                                                                   \
    do {                                                                                        \
        const void *code_;                                                                      \
        __asm__ volatile("lea 771f(%%rip), %0\n\tjmp 772f\n771:\n\tpush %%r15\n\tpopfq\n\t"     \
                         text "\n\tret\n772:" : "=r"(code_) : : "memory");                      \
        mmio_compare(text, code_, (undefined));                                                 \
    } while (0)

/* The same in a 32-bit code segment. */
#define CASE32(undefined, text)                                                                 \
    CASE(undefined, "push $0x28\n\tlea 774f(%%rip), %%r14\n\tpush %%r14\n\tlretq\n\t.code32\n"   \
         "774:\n\t" text "\n\tljmp $8, $775f\n\t.code64\n775:\n\txor %%r14d, %%r14d")

/* The families. */
void mmio_alu(void);    /* alu.c */
void mmio_bits(void);   /* bits.c */
void mmio_moves(void);  /* moves.c */
void mmio_string(void); /* string.c */
void mmio_xmm(void);    /* moves.c */
/* access.c; table: the entries of the 2 MiB at MMIO_WINDOW. */
void mmio_access(uint64_t *table);

#define MMIO_DEVICE 0xff000000u /* memory of the test device */
#define MMIO_WINDOW 0x40000000u /* 2 MiB of linear addresses with pages of our choice */

#endif
