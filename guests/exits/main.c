/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exits: walks the instructions that a hypervisor intercepts and checks each result against the
 * manual and docs/abi.md. HLT is not among them: nothing would wake it. Word: forever. Exit status:
 * the number of checks that failed (at most 200).
 */
#include "guests/exits/exits.h"

bool exits_plinth;
static unsigned checks, failed;

void check_equal(const char *name, uint64_t got, uint64_t want)
{
    checks++;
    if (got == want) {
        guest_print("exits: %s ok\n", name);
        return;
    }
    failed++;
    guest_print("exits: %s FAILED: got %#llx want %#llx\n", name, (unsigned long long)got,
                (unsigned long long)want);
}

void check_true(const char *name, bool ok)
{
    check_equal(name, ok, true);
}

void check_fault(const char *name, const struct guest_regs *r, uint32_t vector, uint64_t error)
{
    checks++;
    if (r->vector == vector && r->error == error) {
        guest_print("exits: %s ok\n", name);
        return;
    }
    failed++;
    guest_print("exits: %s FAILED: got vector %d error %#llx rip +%lld want %d error %#llx\n", name,
                (int)r->vector, (unsigned long long)r->error, (long long)r->rip, (int)vector,
                (unsigned long long)error);
}

void check_gp_at(const char *name, const struct guest_regs *r, uint64_t at)
{
    if (r->vector == GP && r->error == 0)
        check_equal(name, r->rip, at);
    else
        check_fault(name, r, GP, 0);
}

int guest_main(const char *cmdline)
{
    exits_plinth = guest_on_plinth();
    if (!exits_plinth)
        out8(0x21, 0xff); /* a PC's timer interrupt is waiting for the STI in debug.c */
    do {
        checks = failed = 0;
        exits_cpuid();
        exits_msr();
        exits_port();
        exits_string();
        exits_control();
        exits_debug();
        exits_refused();
        exits_exceptions();
        exits_time();
        if (exits_plinth) {
            exits_memory();
            exits_hypercall();
        }
        guest_print("exits: %u checks, %u failed\n", checks, failed);
    } while (guest_option(cmdline, "forever"));
    return failed < 200 ? (int)failed : 200;
}
