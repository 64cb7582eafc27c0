/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * irq: single steps and breakpoints over instructions that the hypervisor executes: every kind of
 * them traps right behind it, and a breakpoint on it comes before it, once. Have open: SDM, "Debug
 * Exception Conditions", "Restart Flag".
 */
#include "guests/irq/irq_guest.h"

#include "arch/x86/cr.h"
#include "arch/x86/regs.h"

#define DB   1
#define NONE GUEST_NO_EXCEPTION

extern uint64_t guest_idt[256][2];

/* Sets TF, then one instruction: the trap shows behind it. */
#define STEP(name, regs, text)                                                           \
    do {                                                                                 \
        GUEST_RUN(regs, "lea 6f(%%rip), %%r12\n\tlea 771b(%%rip), %%r13\n\t"             \
                  "sub %%r13, %%r12\n\tpushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\t" text  \
                  "\n6:\tnop\n\tnop");                                                   \
        test_raised(name, regs, DB, 0);                                                  \
        test_equal(name, (regs)->rip, (regs)->r12);                                      \
        test_equal(name, (regs)->dr6 & 0xe00f, BIT(14));                                 \
    } while (0)

static void set_breakpoint(uint64_t address, uint64_t dr7)
{
    __asm__ volatile("mov %0, %%dr0" : : "r"(address));
    write_dr6(0xffff0ff0);
    write_dr7(dr7);
}

/* Two instructions that touch the address; the trap comes behind the first. */
#define TRAP(name, address, dr7, regs, text)                                             \
    do {                                                                                 \
        set_breakpoint(address, dr7);                                                    \
        GUEST_RUN(regs, "lea 6f(%%rip), %%r12\n\tlea 771b(%%rip), %%r13\n\t"             \
                  "sub %%r13, %%r12\n\t" text "\n6:\tnop\n\tnop");                       \
        write_dr7(0x400);                                                                \
        test_raised(name, regs, DB, 0);                                                  \
        test_equal(name, (regs)->rip, (regs)->r12);                                      \
        test_equal(name, (regs)->dr6 & 0xe00f, 1);                                       \
    } while (0)

/* Everything else that exits on some CPU or other. */
static void check_steps(void)
{
    static uint64_t words[4] __attribute__((aligned(16)));
    uint64_t cr0 = read_cr0(), cr4 = read_cr4();
    struct guest_regs r = {.rdx = 0x80, .rsi = (uint64_t)words, .rdi = (uint64_t)words};
    STEP("step OUTS", &r, "outsb");
    STEP("step INS", &r, "insb");
    r.rcx = 0;
    STEP("step REP INS, none", &r, "rep insb");
    r = (struct guest_regs){.rcx = 0x800, .rax = 0};
    r.rcx = 0x1a0;
    STEP("step RDMSR of a constant", &r, "rdmsr");
    r.rcx = 0x1a0;
    STEP("step WRMSR without effect", &r, "wrmsr");
    r = (struct guest_regs){.rax = cr4 ^ CR4_PGE};
    STEP("step MOV to CR4", &r, "mov %%rax, %%cr4");
    r.rax = cr4 | CR4_OSFXSR;
    STEP("step MOV to CR4", &r, "mov %%rax, %%cr4");
    r = (struct guest_regs){.rax = read_cr3()};
    STEP("step MOV to CR3", &r, "mov %%rax, %%cr3");
    r.rax = 0;
    STEP("step MOV to CR8", &r, "mov %%rax, %%cr8");
    STEP("step MOV from CR8", &r, "mov %%cr8, %%rax");
    r.rax = 0xb;
    STEP("step LMSW", &r, "lmsw %%ax");
    STEP("step CLTS", &r, "clts");
    test_equal("CLTS", read_cr0() & CR0_TS, 0);
    write_cr0(cr0);
    r.rdi = (uint64_t)words;
    STEP("step INVLPG", &r, "invlpg (%%rdi)");
    STEP("step WBINVD", &r, "wbinvd");
    STEP("step MOV from DR7", &r, "mov %%dr7, %%rax");
    if (cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE) {
        write_cr4(read_cr4() | CR4_OSXSAVE);
        r = (struct guest_regs){.rax = XCR0_X87 | XCR0_SSE};
        STEP("step XSETBV", &r, "xsetbv");
    }
    /* An interrupt or a trap ends HLT; here the trap is there from the start. */
    STEP("step HLT", &r, "hlt");
    r = (struct guest_regs){.rsi = APIC_BASE_ADDRESS, .rdi = (uint64_t)words};
    STEP("step MOVS from device", &r, "movsl");
    r = (struct guest_regs){.rsi = APIC_BASE_ADDRESS + 0x30};
    STEP("step ADD from device", &r, "add (%%rsi), %%eax");
    STEP("step PUSH of device's", &r, "pushq (%%rsi)");
    r = (struct guest_regs){.rsi = APIC_BASE_ADDRESS + 0x80, .rax = 0};
    STEP("step MOV with moffs", &r, "movabs 0xfee00080, %%eax");
    write_cr4(cr4);
}

/* A repeated instruction on device memory traps behind each iteration, RIP still at it. */
static void check_repeats(void)
{
    static uint32_t words[8];
    struct guest_regs r = {.rcx = 3, .rsi = APIC_BASE_ADDRESS + 0x30, .rdi = (uint64_t)words};
    GUEST_RUN(&r, "pushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\trep movsl\n\tnop");
    test_raised("step REP MOVS from device", &r, DB, 0);
    test_equal("step REP MOVS: behind one iteration", r.rcx, 2);
    test_equal("step REP MOVS: RIP at it", r.rip, 9);
    test_equal("step REP MOVS: BS", r.dr6 & 0xe00f, BIT(14));
    /* Of memory that OUTS reads, and that INS writes. */
    r = (struct guest_regs){.rcx = 3, .rdx = 0x80, .rsi = (uint64_t)words};
    set_breakpoint((uint64_t)words + 1, 0x30402);
    GUEST_RUN(&r, "rep outsb\n\tnop");
    write_dr7(0x400);
    test_raised("breakpoint on what OUTS reads", &r, DB, 0);
    test_equal("... behind the second", r.rcx, 1);
    r = (struct guest_regs){.rcx = 3, .rdx = 0x80, .rdi = (uint64_t)words};
    set_breakpoint((uint64_t)words + 1, 0x10402);
    GUEST_RUN(&r, "rep insb\n\tnop");
    write_dr7(0x400);
    test_raised("breakpoint on what INS writes", &r, DB, 0);
    test_equal("... behind the second", r.rcx, 1);
}

/* A breakpoint on the instruction comes before it: nothing has happened. With RF it does not come,
 * and RF is gone behind the instruction. */
#define BREAK(name, regs, text)                                                               \
    do {                                                                                      \
        struct guest_regs first_ = *(regs);                                                   \
        GUEST_RUN(&first_, "lea 5f(%%rip), %%r12\n\tmov %%r12, %%dr0\n\t"                     \
                  "lea 771b(%%rip), %%r13\n\tsub %%r13, %%r12\n\tmov $0x402, %%r13d\n\t"     \
                  "mov %%r13, %%dr7\n\tnop\n5:\t" text "\n\tnop");                           \
        test_raised(name, &first_, DB, 0);                                                    \
        test_equal(name, first_.rip, first_.r12);                                             \
        test_equal(name, first_.dr6 & 0xe00f, 1);                                             \
        first_ = *(regs);                                                                     \
        GUEST_RUN(&first_, "lea 5f(%%rip), %%r12\n\tmov %%r12, %%dr0\n\t"                     \
                  "mov $0x402, %%r13d\n\tmov %%r13, %%dr7\n\tmov %%rsp, %%r13\n\t"           \
                  "pushq $0x10\n\tpush %%r13\n\tpushq $0x10002\n\tpushq $8\n\tpush %%r12\n\t" \
                  "iretq\n5:\t" text "\n\tpushfq\n\tpop %%r14");                             \
        write_dr7(0x400);                                                                     \
        test_raised(name " with RF", &first_, NONE, 0);                                       \
        test_equal(name " with RF: it is gone", first_.r14 & BIT(16), 0);                     \
    } while (0)

static void check_breaks(void)
{
    struct guest_regs r = {.rsi = APIC_BASE_ADDRESS + 0x30, .rcx = 0x1b, .rdx = 0x80};
    BREAK("break CPUID", &r, "cpuid");
    BREAK("break OUT", &r, "out %%al, $0x80");
    BREAK("break IN", &r, "in %%dx, %%al");
    BREAK("break RDMSR", &r, "rdmsr");
    BREAK("break MOV from device", &r, "mov (%%rsi), %%eax");
    BREAK("break ADD from device", &r, "add (%%rsi), %%eax");
    r.rsi = (uint64_t)guest_idt;
    BREAK("break OUTS", &r, "outsb");
    r.rcx = 2;
    BREAK("break REP OUTS", &r, "rep outsb");
    r = (struct guest_regs){.rax = read_cr0() ^ CR0_WP};
    BREAK("break MOV to CR0", &r, "mov %%rax, %%cr0");
    r.rax = read_cr0() & ~CR0_WP;
    write_cr0(r.rax);
    if (guest_on_plinth()) {
        r.rax = 0;
        BREAK("break VMCALL", &r, "vmcall");
    }
}

void irq_debug(void)
{
    struct guest_regs r = {.rsi = APIC_BASE_ADDRESS};
    uint64_t cr4 = read_cr4();
    STEP("step CPUID", &r, "cpuid");
    STEP("step OUT", &r, "out %%al, $0x80");
    r = (struct guest_regs){.rcx = 0x1b};
    STEP("step RDMSR", &r, "rdmsr");
    r = (struct guest_regs){.rsi = APIC_BASE_ADDRESS};
    STEP("step MOV from device", &r, "mov 0x30(%%rsi), %%eax");
    STEP("step MOV to device", &r, "movl $0, 0x80(%%rsi)");
    STEP("step XCHG with device", &r, "xchg %%eax, 0x80(%%rsi)");
    apic_write(APIC_TPR, 0);
    STEP("step PAUSE", &r, "pause");
    STEP("step RDTSC", &r, "rdtsc");
    r = (struct guest_regs){.rax = 0};
    if (guest_on_plinth())
        STEP("step VMCALL", &r, "vmcall");
    r = (struct guest_regs){.rsi = APIC_BASE_ADDRESS};
    /* DR7: G0, length and kind of slot 0 from bit 16 on. */
    write_cr4(cr4 | CR4_DE);
    TRAP("I/O breakpoint, OUT", 0x80, 0x20402, &r, "out %%al, $0x80");
    TRAP("I/O breakpoint, IN", 0x80, 0x20402, &r, "in $0x80, %%al");
    r = (struct guest_regs){.rcx = 3, .rdx = 0x80, .rsi = (uint64_t)guest_idt};
    set_breakpoint(0x80, 0x20402);
    GUEST_RUN(&r, "rep outsb");
    write_dr7(0x400);
    test_raised("I/O breakpoint, REP OUTS", &r, DB, 0);
    test_equal("I/O breakpoint, REP OUTS: behind one iteration", r.rcx, 2);
    test_equal("I/O breakpoint, REP OUTS: RIP", r.rip, 0);
    set_breakpoint(0x81, 0x20402);
    GUEST_RUN(&r, "out %%al, $0x80");
    write_dr7(0x400);
    test_raised("I/O breakpoint on another port", &r, NONE, 0);
    write_cr4(cr4);
    r = (struct guest_regs){.rsi = APIC_BASE_ADDRESS};
    TRAP("breakpoint on a write to device", APIC_BASE_ADDRESS + 0x80, 0xd0402, &r,
         "movl $0, 0x80(%%rsi)");
    TRAP("breakpoint on a read from device", APIC_BASE_ADDRESS + 0x30, 0xf0402, &r,
         "mov 0x30(%%rsi), %%eax");
    set_breakpoint(APIC_BASE_ADDRESS + 0x30, 0xd0402);
    GUEST_RUN(&r, "mov 0x30(%%rsi), %%eax");
    write_dr7(0x400);
    test_raised("a read meets a breakpoint on writes", &r, NONE, 0);
    check_steps();
    check_repeats();
    check_breaks();
}
