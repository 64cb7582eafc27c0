/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exceptions reach the guest with the right vector, error code and RIP, also from user mode, also
 * those that a hypervisor has to look at first (#DB and #AC). Have open: SDM "Interrupt and
 * Exception Handling".
 */
#include "guests/exits/exits.h"

#include "arch/x86/cr.h"

/* Runs text in user mode; it ends in an exception of its own or in the #UD behind it. R14 and R15
 * are lost. */
#define USER(regs, flags, text)                                                          \
    GUEST_RUN(regs, "mov %%rsp, %%r15\n\tpush $0x1b\n\tpush %%r15\n\tpush $" flags "\n\t" \
              "push $0x23\n\tlea 773f(%%rip), %%r14\n\tpush %%r14\n\tiretq\n773:\n\t"    \
              text "\n\tud2")

static void check_kernel(void)
{
    struct guest_regs r = {0};
    GUEST_RUN(&r, "ud2");
    check_fault("ud2", &r, UD, 0);
    check_equal("ud2-rip", r.rip, 0);
    GUEST_RUN(&r, "int3");
    check_fault("int3", &r, BP, 0);
    check_equal("int3-rip", r.rip, 1);
    GUEST_RUN(&r, ".byte 0xf1"); /* INT1, a #DB that sets no bit in DR6 */
    check_true("int1", r.vector == DB && r.rip == 1);
    r = (struct guest_regs){.rax = 1};
    GUEST_RUN(&r, "xor %%edx, %%edx\n\txor %%ecx, %%ecx\n\tdiv %%ecx");
    check_fault("divide-error", &r, DE, 0);
    check_equal("divide-error-rip", r.rip, 4);
    r = (struct guest_regs){.rax = 0x78};
    GUEST_RUN(&r, "mov %%eax, %%es");
    check_fault("gp-selector", &r, GP, 0x78);
    GUEST_RUN(&r, "int $0x80");
    check_fault("gp-idt", &r, GP, 0x80 * 8 + 2);
    r = (struct guest_regs){.rdi = UINT64_C(0x123400000008)};
    GUEST_RUN(&r, "mov (%%rdi), %%rax");
    check_fault("page-fault-read", &r, PF, 0);
    check_equal("page-fault-cr2", r.cr2, r.rdi);
    GUEST_RUN(&r, "mov %%rax, (%%rdi)");
    check_fault("page-fault-write", &r, PF, 2);
    r = (struct guest_regs){.rdi = UINT64_C(0x800000000000)};
    GUEST_RUN(&r, "mov (%%rdi), %%rax");
    check_fault("non-canonical-read", &r, GP, 0);
}

static void check_user(void)
{
    struct guest_regs r = {.rax = 0};
    uint64_t cr0 = read_cr0();

    USER(&r, "2", "cpuid");
    check_true("user-cpuid", r.vector == UD && r.cs == GUEST_USER_CODE && r.rax == cpuid(0, 0).eax);
    r = (struct guest_regs){.rcx = 0x1b};
    USER(&r, "2", "rdmsr");
    check_true("user-rdmsr", r.vector == GP && r.error == 0 && r.cs == GUEST_USER_CODE);
    USER(&r, "2", "mov %%cr0, %%rax");
    check_true("user-mov-cr0", r.vector == GP && r.cs == GUEST_USER_CODE);
    USER(&r, "2", "mov %%dr7, %%rax");
    check_true("user-mov-dr7", r.vector == GP && r.cs == GUEST_USER_CODE);
    USER(&r, "2", "out %%al, $0x80");
    check_true("user-out", r.vector == GP && r.error == 0 && r.cs == GUEST_USER_CODE);
    r = (struct guest_regs){.rdx = 0x80, .rsi = 0x100000, .rcx = 3};
    USER(&r, "2", "rep outsb");
    check_true("user-rep-outsb", r.vector == GP && r.rcx == 3);
    USER(&r, "2", "hlt");
    check_true("user-hlt", r.vector == GP && r.cs == GUEST_USER_CODE);
    USER(&r, "2", "wbinvd");
    check_true("user-wbinvd", r.vector == GP && r.cs == GUEST_USER_CODE);
    USER(&r, "2", "int3");
    check_true("user-int3-gate-is-kernels", r.vector == GP && r.error == 3 * 8 + 2);

    write_cr0(cr0 | CR0_AM);
    USER(&r, "0x40002", "mov -7(%%r15), %%eax");
    check_fault("alignment-check", &r, AC, 0);
    check_equal("alignment-check-from-user", r.cs, GUEST_USER_CODE);
    USER(&r, "2", "mov -7(%%r15), %%eax");
    check_fault("no-alignment-check-without-ac", &r, UD, 0);
    write_cr0(cr0);
    USER(&r, "0x102", "cpuid");
    check_true("user-step-cpuid", r.vector == DB && r.cs == GUEST_USER_CODE && r.dr6 & BIT(14));
    if (!exits_plinth)
        return;
    r = (struct guest_regs){.rax = 0xffff};
    USER(&r, "2", "vmcall");
    check_true("user-vmcall-eperm", r.vector == UD && (int64_t)r.rax == PLINTH_EPERM);
    USER(&r, "2", ".byte 0x0f, 0x01, 0xc2"); /* VMLAUNCH */
    check_true("user-vmlaunch", r.vector == UD && r.cs == GUEST_USER_CODE);
}

void exits_exceptions(void)
{
    check_kernel();
    check_user();
}
