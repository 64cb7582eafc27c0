/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Debug registers, breakpoints, and single steps across instructions that a hypervisor emulates:
 * the #DB must come right behind the instruction, with BS in DR6, as if nobody had been in between.
 * Have open: SDM "Debug Registers", "Debug Exceptions".
 */
#include "guests/exits/exits.h"

#include "arch/x86/cr.h"

#define DR6_B0   BIT(0)
#define DR6_B1   BIT(1)
#define DR6_BD   BIT(13)
#define DR6_BS   BIT(14)
#define DR6_ONES 0xfffe07f0u /* always read as 1 (16: RTM, 11: bus lock, left out) */

static void check_registers(void)
{
    struct guest_regs r = {.r8 = UINT64_C(0xffff800000001111), .r9 = 0x22222222, .r10 = 0x3333,
                           .r11 = UINT64_C(0x444444444444)};
    GUEST_RUN(&r, "mov %%r8, %%dr0\n\tmov %%r9, %%dr1\n\tmov %%r10, %%dr2\n\tmov %%r11, %%dr3\n\t"
              "mov %%dr0, %%rax\n\tmov %%dr1, %%rbx\n\tmov %%dr2, %%rcx\n\tmov %%dr3, %%rbp");
    check_equal("dr0", r.rax, r.r8);
    check_equal("dr1", r.rbx, r.r9);
    check_equal("dr2", r.rcx, r.r10);
    check_equal("dr3", r.rbp, r.r11);

    write_dr7(0x00d00402); /* a data breakpoint of length 1 in slot 1, switched on nowhere */
    check_equal("dr7", read_dr7() & ~UINT64_C(2), 0x00d00400);
    write_dr7(0x400);
    write_dr6(0xe00f & ~DR6_BD);
    check_equal("dr6-bits", read_dr6() & (0xe00f | DR6_ONES), (0xe00f & ~DR6_BD) | DR6_ONES);
    write_dr6(0);
    check_equal("dr6-ones", read_dr6() & (0xf00f | DR6_ONES), DR6_ONES);

    r = (struct guest_regs){.rax = BIT(32) | 0x400};
    GUEST_RUN(&r, "mov %%rax, %%dr7");
    check_gp_at("dr7-high-bits", &r, 0);
    GUEST_RUN(&r, "mov %%rax, %%dr6");
    check_gp_at("dr6-high-bits", &r, 0);
}

static void check_aliases(void)
{
    struct guest_regs r = {0};
    uint64_t cr4 = read_cr4();
    write_dr7(0x400);
    write_cr4(cr4 & ~CR4_DE);
    GUEST_RUN(&r, ".byte 0x0f, 0x21, 0xe8"); /* mov %dr5, %rax */
    check_true("dr5-is-dr7", r.vector == NONE && r.rax == read_dr7());
    write_cr4(cr4 | CR4_DE);
    GUEST_RUN(&r, ".byte 0x0f, 0x21, 0xe0"); /* mov %dr4, %rax */
    check_fault("dr4-with-de", &r, UD, 0);
    write_cr4(cr4);
}

static void check_breakpoints(void)
{
    static volatile uint64_t watched;
    struct guest_regs r = {0};
    GUEST_RUN(&r, "lea 5f(%%rip), %%rax\n\tmov %%rax, %%dr0\n\tmov $0x402, %%eax\n\t"
              "mov %%rax, %%dr7\n\tlea 771b(%%rip), %%rbx\n\tlea 5f(%%rip), %%rcx\n\t"
              "sub %%rbx, %%rcx\n\tnop\n5:\tnop");
    check_fault("dr0-instruction-breakpoint", &r, DB, 0);
    check_true("dr0-breakpoint-state", r.rip == r.rcx && (r.dr6 & 0xf) == DR6_B0);

    /* A fault-like #DB again, on an instruction that exits. */
    r = (struct guest_regs){0};
    GUEST_RUN(&r, "lea 5f(%%rip), %%rax\n\tmov %%rax, %%dr0\n\tmov $0x402, %%eax\n\t"
              "mov %%rax, %%dr7\n\tmov $0x1234, %%eax\n5:\tcpuid");
    check_true("dr0-breakpoint-on-cpuid", r.vector == DB && r.rax == 0x1234
               && (r.dr6 & 0xf) == DR6_B0);

    r = (struct guest_regs){.rdi = (uint64_t)&watched};
    GUEST_RUN(&r, "mov %%rdi, %%dr1\n\tmov $0x00d00408, %%eax\n\tmov %%rax, %%dr7\n\t"
              "xor %%ebx, %%ebx\n\tmovl $5, (%%rdi)\n\tinc %%ebx");
    check_fault("dr1-data-breakpoint", &r, DB, 0);
    check_true("dr1-data-breakpoint-state", watched == 5 && r.rbx == 0
               && (r.dr6 & 0xf) == DR6_B1);
}

/* Every text is one instruction behind 9 bytes that set TF, so a trap shows 9 + its length. */
#define STEP(regs, text) \
    GUEST_RUN(regs, "pushfq\n\t.byte 0x81, 0x0c, 0x24, 0, 1, 0, 0\n\tpopfq\n\t" text \
                    "\n\tnop\n\tnop")

static void check_step(const char *name, const struct guest_regs *r, uint64_t length)
{
    if (r->vector != DB)
        check_fault(name, r, DB, 0);
    else if (r->rip != 9 + length)
        check_equal(name, r->rip, 9 + length);
    else
        check_equal(name, r->dr6 & (DR6_BS | 0xf), DR6_BS);
}

static void check_single_step(void)
{
    struct guest_regs r = {0};
    uint64_t cr0 = read_cr0();
    STEP(&r, "nop");
    check_step("step-nop", &r, 1);
    STEP(&r, "cpuid");
    check_step("step-cpuid", &r, 2);
    STEP(&r, "out %%al, $0x80");
    check_step("step-out", &r, 2);
    STEP(&r, "in $0x80, %%al");
    check_step("step-in", &r, 2);
    r = (struct guest_regs){.rcx = 0x1b};
    STEP(&r, "rdmsr");
    check_step("step-rdmsr", &r, 2);
    r = (struct guest_regs){.rcx = 0xc0000080, .rax = 0x500};
    STEP(&r, "wrmsr");
    check_step("step-wrmsr", &r, 2);
    r = (struct guest_regs){.rax = cr0 ^ CR0_WP};
    STEP(&r, "mov %%rax, %%cr0");
    check_step("step-mov-cr0", &r, 3);
    write_cr0(cr0);
    STEP(&r, "wbinvd");
    check_step("step-wbinvd", &r, 2);
    r = (struct guest_regs){.rax = 0x1000};
    STEP(&r, "mov %%rax, %%dr2");
    check_step("step-mov-dr2", &r, 3);
    STEP(&r, "pause");
    check_step("step-pause", &r, 2);
    if (exits_plinth) {
        r = (struct guest_regs){.rax = PLINTH_VERSION};
        STEP(&r, "vmcall");
        check_step("step-vmcall", &r, 3);
        r = (struct guest_regs){.rdi = 0xfeb00000};
        STEP(&r, "mov (%%rdi), %%eax");
        check_step("step-mmio-read", &r, 2);
    }
}

/* Each iteration of a repeated instruction is a step of its own. */
static void check_step_rep(void)
{
    static const char bytes[8] = "abcdefg";
    struct guest_regs r = {.rdx = 0x80, .rcx = 3, .rsi = (uint64_t)bytes};
    STEP(&r, "rep outsb");
    check_step("step-rep-outsb", &r, 0);
    check_true("step-rep-outsb-once", r.rcx == 2 && r.rsi == (uint64_t)bytes + 1);
    r = (struct guest_regs){.rdx = 0x80, .rcx = 1, .rsi = (uint64_t)bytes};
    STEP(&r, "rep outsb");
    check_true("step-rep-outsb-last", r.vector == DB && r.rcx == 0);
}

/* MOV SS holds a single-step trap back until one instruction later, even one that exits. */
static void check_mov_ss(void)
{
    struct guest_regs r = {.rbx = GUEST_DATA};
    STEP(&r, "mov %%ebx, %%ss\n\tcpuid");
    check_step("step-mov-ss-cpuid", &r, 4);
}

static void check_general_detect(void)
{
    struct guest_regs r = {.rax = 0x2400, .rbx = 0x55};
    GUEST_RUN(&r, "mov %%rax, %%dr7\n\tmov %%dr0, %%rbx");
    check_fault("dr7-general-detect", &r, DB, 0);
    check_true("dr7-general-detect-state", r.rip == 3 && r.rbx == 0x55 && (r.dr6 & DR6_BD));
    write_dr7(0x400);
}

/* STI, an instruction that exits in its shadow, CLI: nothing is waiting, nothing may happen. */
static void check_shadow(void)
{
    struct guest_regs r = {0};
    GUEST_RUN(&r, "sti\n\tcpuid\n\tnop\n\tcli");
    check_fault("sti-cpuid", &r, NONE, 0);
    r = (struct guest_regs){.rbx = GUEST_DATA};
    GUEST_RUN(&r, "mov %%ebx, %%ss\n\tout %%al, $0x80");
    check_fault("mov-ss-out", &r, NONE, 0);
}

void exits_debug(void)
{
    check_registers();
    check_aliases();
    check_breakpoints();
    check_single_step();
    check_step_rep();
    check_shadow();
    if (exits_plinth) {
        check_mov_ss();
        check_general_detect();
    }
}
