/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks of a guest that is a test: each compares, counts, and prints one line if it failed. Only
 * one CPU of the guest may check at a time.
 */
#ifndef GUESTS_LIB_TEST_H
#define GUESTS_LIB_TEST_H

#include "guests/lib/guest.h"

/* The guest's name, which begins every line. */
void test_begin(const char *guest);
/* What the checks are about from now on; stands in brackets behind a check's name. */
void test_mode(const char *mode);

void test_equal(const char *name, uint64_t got, uint64_t want);
void test_true(const char *name, bool ok);
/* The code run by GUEST_RUN raised that exception (vector, error code), or none. */
void test_raised(const char *name, const struct guest_regs *r, uint32_t vector, uint64_t error);
/* low <= got <= high. */
void test_range(const char *name, uint64_t got, uint64_t low, uint64_t high);
/* How many checks have failed so far. */
unsigned test_failures(void);
/* Prints "GUEST: N checks, M failed" and returns the exit status for it: M, at most 200. */
int test_end(void);

#endif
