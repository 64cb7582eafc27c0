/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * state: what its files share. Every value comes from the seed, so that two VMs with different
 * seeds hold different values everywhere and a leak from one to the other is seen.
 */
#ifndef GUESTS_STATE_STATE_H
#define GUESTS_STATE_STATE_H

#include "guests/lib/guest.h"

/* A value for an item; differs by seed and by item. */
uint64_t state_pattern(unsigned item);
extern unsigned state_seed;

/* Counts a difference, and prints the first few. */
void state_same(const char *name, uint64_t got, uint64_t want);
void state_wrong(const char *what, uint64_t number);

/* First numbers of each file's items. */
enum { ITEM_GPR = 0, ITEM_REGISTER = 100, ITEM_MSR = 200, ITEM_FPU = 1000, ITEM_MEMORY = 100000 };

/* regs.c: control and debug registers, MSRs. */
void regs_check_fresh(void);
void regs_fill(void);
void regs_check(void);
/* Switches the breakpoint at this seed's word on or off; and steps on it. */
void regs_arm(bool on);
void regs_trip(void);
/* Runs with every general register filled, for a while; yield: gives the CPU up in the middle.
 * Writes to every word that other seeds have their breakpoints on. */
void regs_spin(bool yield);

/* fpu.c: x87, SSE and whatever XSAVE manages. */
void fpu_check_fresh(void);
void fpu_fill(void);
/* What XCR0 lets through. */
void fpu_check(void);
/* Everything, at the end: what XCR0 hid must have been kept, too. */
void fpu_check_hidden(void);

/* memory.c: the RAM that the image leaves free. */
void memory_check_fresh(void);
void memory_fill(void);
/* One piece a call, round and round. */
void memory_check_some(void);
void memory_check_all(void);

#endif
