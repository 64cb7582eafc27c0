/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks: compared, counted, printed when they fail; after the first few of them only counted, so
 * that one mistake does not fill the console.
 */
#include "guests/lib/test.h"

#define COMPLAINTS 60u

static const char *who = "guest", *about;
static unsigned checks, failures;

void test_begin(const char *guest)
{
    who = guest;
}

void test_mode(const char *mode)
{
    about = mode;
}

/* Counts, and prints the head of the line if the check failed; true: the caller prints the rest. */
static bool failed(const char *name, bool ok)
{
    checks++;
    if (ok || failures++ >= COMPLAINTS)
        return false;
    guest_print("%s: FAILED: %s", who, name);
    if (about)
        guest_print(" (%s)", about);
    return true;
}

void test_equal(const char *name, uint64_t got, uint64_t want)
{
    if (failed(name, got == want))
        guest_print(": got %#llx want %#llx\n", (unsigned long long)got, (unsigned long long)want);
}

void test_true(const char *name, bool ok)
{
    if (failed(name, ok))
        guest_print("\n");
}

void test_range(const char *name, uint64_t got, uint64_t low, uint64_t high)
{
    if (failed(name, got >= low && got <= high))
        guest_print(": got %llu want %llu to %llu\n", (unsigned long long)got,
                    (unsigned long long)low, (unsigned long long)high);
}

void test_raised(const char *name, const struct guest_regs *r, uint32_t vector, uint64_t error)
{
    bool none = vector == GUEST_NO_EXCEPTION;
    if (failed(name, r->vector == vector && (none || r->error == error)))
        guest_print(": got exception %d error %#llx at +%#llx cr2 %#llx, want %d error %#llx\n",
                    (int)r->vector, (unsigned long long)r->error, (unsigned long long)r->rip,
                    (unsigned long long)r->cr2, (int)vector, (unsigned long long)error);
}

unsigned test_failures(void)
{
    return failures;
}

int test_end(void)
{
    guest_print("%s: %u checks, %u failed\n", who, checks, failures);
    return failures < 200 ? (int)failures : 200;
}
