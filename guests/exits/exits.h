/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exits: the checks' common ground. A check prints one line, `exits: NAME ok` or `exits: NAME
 * FAILED: got ... want ...`, and is counted. What only Plinth promises (exits_plinth) is left out
 * bare, so that the rest can be held against another CPU's word.
 */
#ifndef GUESTS_EXITS_EXITS_H
#define GUESTS_EXITS_EXITS_H

#include "guests/lib/guest.h"

#define UD   6
#define DB   1
#define BP   3
#define DE   0
#define GP   13
#define PF   14
#define AC   17
#define NONE GUEST_NO_EXCEPTION

extern bool exits_plinth; /* set once at the start */

void check_equal(const char *name, uint64_t got, uint64_t want);
void check_true(const char *name, bool ok);
/* The code that ran into *r must have ended with this vector and error code; NONE: returned. */
void check_fault(const char *name, const struct guest_regs *r, uint32_t vector, uint64_t error);
/* #GP(0), and RIP still at the instruction, `at` bytes into the code. */
void check_gp_at(const char *name, const struct guest_regs *r, uint64_t at);

/* The families, one file each. */
void exits_cpuid(void);
void exits_msr(void);
void exits_port(void);
void exits_string(void);
void exits_control(void);
void exits_debug(void);
void exits_refused(void);
void exits_exceptions(void);
void exits_memory(void);
void exits_hypercall(void);
void exits_time(void);

#endif
