/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * paging: what its files share. A try is one access, and it is made up to three times, through the
 * same page tables, with the same control registers: to RAM, which the CPU does; to the device's
 * memory, which the hypervisor executes if the CPU allows it; and with an open page of the device
 * as the other operand, where the hypervisor alone decides. The CPU's answer is what is wanted.
 */
#ifndef GUESTS_PAGING_PAGING_H
#define GUESTS_PAGING_PAGING_H

#include "guests/lib/guest.h"

/* Entries. */
#define PRESENT  BIT(0)
#define WRITE    BIT(1)
#define USER     BIT(2)
#define ACCESSED BIT(5)
#define DIRTY    BIT(6)
#define LARGE    BIT(7)
#define NX       BIT(63)

/* Physical memory; both lie at the start of 4 MiB. */
#define RAM_AT    UINT64_C(0x800000)
#define DEVICE_AT UINT64_C(0xff000000)
#define INSIDE    0x10u /* bytes from there to what is accessed */

/* The accesses: instructions on EDI, ESI, EAX. */
enum { OP_READ, OP_WRITE, OP_ADD, OP_MOVS_FROM, OP_MOVS_TO, OPS };

/* Which of the pages are the device's. The other operand of MOVS finds it here: */
enum where { NOTHING, THE_PAGE, THE_OTHER };
#define OTHER_SUPERVISOR UINT64_C(0xc0000100)
#define OTHER_USER       UINT64_C(0xff000100)

/* What came of one. */
struct answer {
    uint32_t vector;       /* 14, or what ends the code */
    uint32_t error;
    uint64_t rip;          /* from the start of the code */
    uint64_t offset;       /* CR2 from the address, 0 without #PF */
    uint64_t leaf, upper;  /* accessed and dirty flags; upper: of the level above */
};

/* Of a try, for the line that says what was wrong. */
struct described {
    const char *tables;    /* which paging, which page size */
    uint64_t leaf, upper, cr0, cr4;
    unsigned op;
    bool user, ac;
    enum where device;
};

void paging_compare(const struct answer *got, const struct answer *want, const struct described *d);
/* CR4 bits of SMEP and SMAP as far as CPUID has them. */
uint64_t paging_protections(void);

void paging_long(void);   /* long.c: IA-32e mode */
void paging_legacy(void); /* legacy.c: 32-bit and PAE paging, entered from there */

#endif
