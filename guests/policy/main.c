/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy: which MSRs a guest has and what they take, bit by bit; which XCR0 it may set and what
 * follows from it in CPUID, in the XSAVE area and for instructions. The expectations are the
 * manual's and docs/abi.md's, written down here once more. Exit status: how many checks failed (at
 * most 200).
 */
#include "guests/policy/policy.h"

int guest_main(const char *cmdline)
{
    (void)cmdline;
    test_begin("policy");
    policy_msrs();
    policy_xsave();
    return test_end();
}
