/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hypercalls: results, errors for every argument that breaks a rule, and registers that stay as
 * they are. From user mode: exceptions.c. Have open: docs/abi.md.
 */
#include "guests/exits/exits.h"

static void check_registers(void)
{
    struct guest_regs r = {.rax = PLINTH_VERSION, .rbx = 1, .rcx = 2, .rdx = 3, .rsi = 4, .rdi = 5,
                           .rbp = 6, .r8 = 7, .r9 = 8, .r10 = 9, .r11 = 10, .r12 = 11, .r13 = 12,
                           .r14 = 13, .r15 = 14};
    GUEST_RUN(&r, "vmcall");
    check_equal("hypercall-version", (uint32_t)r.rax, PLINTH_ABI_VERSION);
    check_equal("hypercall-features", r.rax >> 32, cpuid(PLINTH_CPUID_ABI, 0).ebx);
    check_true("hypercall-keeps-registers", r.rbx == 1 && r.rcx == 2 && r.rdx == 3 && r.rsi == 4
               && r.rdi == 5 && r.rbp == 6 && r.r8 == 7 && r.r9 == 8 && r.r10 == 9 && r.r11 == 10
               && r.r12 == 11 && r.r13 == 12 && r.r14 == 13 && r.r15 == 14);
}

static void check_numbers(void)
{
    check_equal("hypercall-unknown", (uint64_t)plinth_call(0xffff, 0, 0, 0, 0),
                (uint64_t)PLINTH_ENOSYS);
    check_equal("hypercall-unknown-high", (uint64_t)plinth_call(BIT(32), 0, 0, 0, 0),
                (uint64_t)PLINTH_ENOSYS);
    check_equal("hypercall-unknown-all-ones", (uint64_t)plinth_call(~UINT64_C(0), 0, 0, 0, 0),
                (uint64_t)PLINTH_ENOSYS);
}

static void check_console(void)
{
    static const char text[] = "exits: written by hypercall\n";
    uint64_t end = guest_ram_end();
    check_true("console-write", plinth_CONSOLE_WRITE((uint64_t)text, sizeof(text) - 1) >= 0);
    check_true("console-write-nothing", plinth_CONSOLE_WRITE((uint64_t)text, 0) >= 0);
    check_equal("console-too-long",
                (uint64_t)plinth_CONSOLE_WRITE(0x100000, PLINTH_CONSOLE_MAX + 1),
                (uint64_t)PLINTH_EINVAL);
    check_equal("console-length-huge", (uint64_t)plinth_CONSOLE_WRITE(0x100000, ~UINT64_C(0)),
                (uint64_t)PLINTH_EINVAL);
    check_equal("console-bad-address", (uint64_t)plinth_CONSOLE_WRITE(0xfeb00000, 8),
                (uint64_t)PLINTH_EFAULT);
    check_equal("console-no-address", (uint64_t)plinth_CONSOLE_WRITE(UINT64_C(1) << 60, 8),
                (uint64_t)PLINTH_EFAULT);
    check_equal("console-wraps", (uint64_t)plinth_CONSOLE_WRITE(~UINT64_C(0) - 3, 8),
                (uint64_t)PLINTH_EFAULT);
    check_equal("console-past-ram", (uint64_t)plinth_CONSOLE_WRITE(end - 4, 8),
                (uint64_t)PLINTH_EFAULT);
}

static void check_yield_and_time(void)
{
    uint64_t before = (uint64_t)plinth_TIME(), after;
    check_equal("yield", (uint64_t)plinth_YIELD(0), 0);
    check_equal("yield-past", (uint64_t)plinth_YIELD(1), 0);
    after = (uint64_t)plinth_TIME();
    check_true("time-monotonic", after >= before);
    before = after;
    check_equal("yield-sleep", (uint64_t)plinth_YIELD(before + 20000000), 0);
    after = (uint64_t)plinth_TIME();
    check_true("yield-slept-long-enough", after - before >= 20000000);
}

/* From a 32-bit code segment only the low halves count, and the result is cut to 32 bits. */
#define IN_32_BIT(regs, text)                                                              \
    GUEST_RUN(regs, "push $0x28\n\tlea 774f(%%rip), %%r14\n\tpush %%r14\n\tlretq\n\t.code32\n" \
              "774:\n\t" text "\n\tljmp $8, $775f\n\t.code64\n775:")

static void check_32_bit(void)
{
    static const char text[] = "exits: written from 32-bit code\n";
    struct guest_regs r = {.rax = UINT64_C(0x1200000000) | PLINTH_VERSION};
    IN_32_BIT(&r, "vmcall");
    check_fault("hypercall-32-bit", &r, NONE, 0);
    check_equal("hypercall-32-bit-result", r.rax, PLINTH_ABI_VERSION);
    r = (struct guest_regs){.rax = PLINTH_CONSOLE_WRITE, .rdi = BIT(40) | (uint64_t)text,
                            .rsi = BIT(33) | (sizeof(text) - 1)};
    IN_32_BIT(&r, "vmcall");
    check_true("hypercall-32-bit-arguments", r.vector == NONE && (int32_t)r.rax >= 0);
    r = (struct guest_regs){.rax = 0xffff};
    IN_32_BIT(&r, "vmcall");
    check_equal("hypercall-32-bit-error", (uint32_t)r.rax, (uint32_t)PLINTH_ENOSYS);
}

void exits_hypercall(void)
{
    check_registers();
    check_numbers();
    check_console();
    check_yield_and_time();
    check_32_bit();
}
