/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instructions that this virtual CPU does not have: #UD at the instruction, no matter that the CPU
 * underneath has them. And those that do nothing here, but must pass. Have open: SDM "VMX
 * Instruction Reference", "Safer Mode Extensions Reference"; docs/abi.md.
 */
#include "guests/exits/exits.h"

#include "arch/x86/cr.h"

#define UNDEFINED(name, text)                                             \
    do {                                                                  \
        struct guest_regs r_ = {.rdi = (uint64_t)operand, .rax = 0};      \
        GUEST_RUN(&r_, text);                                             \
        if (r_.vector == UD)                                              \
            check_equal(name, r_.rip, 0);                                 \
        else                                                              \
            check_fault(name, &r_, UD, 0);                                \
    } while (0)

#define PASSES(name, text)                                                \
    do {                                                                  \
        struct guest_regs r_ = {.rdi = (uint64_t)operand, .rax = 0};      \
        GUEST_RUN(&r_, text);                                             \
        check_fault(name, &r_, NONE, 0);                                  \
    } while (0)

static uint64_t operand[128] __attribute__((aligned(64)));

static void check_vmx(void)
{
    UNDEFINED("vmxon", ".byte 0xf3, 0x0f, 0xc7, 0x37");
    UNDEFINED("vmxoff", ".byte 0x0f, 0x01, 0xc4");
    UNDEFINED("vmptrld", ".byte 0x0f, 0xc7, 0x37");
    UNDEFINED("vmptrst", ".byte 0x0f, 0xc7, 0x3f");
    UNDEFINED("vmclear", ".byte 0x66, 0x0f, 0xc7, 0x37");
    UNDEFINED("vmread", ".byte 0x0f, 0x78, 0xc0");
    UNDEFINED("vmwrite", ".byte 0x0f, 0x79, 0xc0");
    UNDEFINED("vmlaunch", ".byte 0x0f, 0x01, 0xc2");
    UNDEFINED("vmresume", ".byte 0x0f, 0x01, 0xc3");
    UNDEFINED("invept", ".byte 0x66, 0x0f, 0x38, 0x80, 0x07");
    UNDEFINED("invvpid", ".byte 0x66, 0x0f, 0x38, 0x81, 0x07");
    UNDEFINED("vmfunc", ".byte 0x0f, 0x01, 0xd4");
}

static void check_modes(void)
{
    UNDEFINED("getsec", ".byte 0x0f, 0x37");
    UNDEFINED("rsm", ".byte 0x0f, 0xaa");
    UNDEFINED("encls", ".byte 0x0f, 0x01, 0xcf");
    UNDEFINED("enclv", ".byte 0x0f, 0x01, 0xc0");
    UNDEFINED("pconfig", ".byte 0x0f, 0x01, 0xc5");
    UNDEFINED("vmrun", ".byte 0x0f, 0x01, 0xd8");
    UNDEFINED("stgi", ".byte 0x0f, 0x01, 0xdc");
}

static void check_hidden(void)
{
    struct cpuid_regs seven = cpuid(7, 0);
    UNDEFINED("monitor", ".byte 0x0f, 0x01, 0xc8");
    UNDEFINED("mwait", ".byte 0x0f, 0x01, 0xc9");
    if (!(seven.ecx & BIT(5)))
        UNDEFINED("tpause", ".byte 0x66, 0x0f, 0xae, 0xf0");
    if (!(seven.ebx & CPUID_7_EBX_INVPCID))
        UNDEFINED("invpcid-hidden", ".byte 0x66, 0x0f, 0x38, 0x82, 0x07");
    if (!(cpuid(0xd, 1).eax & BIT(3)))
        UNDEFINED("xsaves-hidden", ".byte 0x0f, 0xc7, 0x2f");
    if (!(cpuid(0x80000001, 0).edx & BIT(27)))
        UNDEFINED("rdtscp-hidden", "rdtscp");
}

/* The other way round: a feature that CPUID shows must work. */
static void check_shown(void)
{
    struct cpuid_regs seven = cpuid(7, 0), one = cpuid(1, 0);
    if (seven.ebx & CPUID_7_EBX_INVPCID)
        PASSES("invpcid-shown", "mov $2, %%eax\n\t.byte 0x66, 0x0f, 0x38, 0x82, 0x07");
    if (seven.ebx & CPUID_7_EBX_FSGSBASE) {
        write_cr4(read_cr4() | CR4_FSGSBASE);
        PASSES("fsgsbase-shown", "rdfsbase %%rax\n\twrfsbase %%rax");
        write_cr4(read_cr4() & ~CR4_FSGSBASE);
    }
    if (cpuid(0xd, 1).eax & BIT(3) && one.ecx & CPUID_1_ECX_XSAVE) {
        write_cr4(read_cr4() | CR4_OSXSAVE | CR4_OSFXSR);
        PASSES("xsaves-shown", "mov $1, %%eax\n\txor %%edx, %%edx\n\t.byte 0x48, 0x0f, 0xc7, 0x2f");
        write_cr4(read_cr4() & ~(CR4_OSXSAVE | CR4_OSFXSR));
    }
    if (one.ecx & BIT(30))
        PASSES("rdrand-shown", "rdrand %%rax");
    if (seven.ebx & BIT(18))
        PASSES("rdseed-shown", "rdseed %%rax");
}

static void check_passing(void)
{
    struct guest_regs r = {0};
    uint64_t mark = 0x1122334455667788;
    operand[0] = mark;
    PASSES("wbinvd", "wbinvd");
    PASSES("invd", "invd");
    check_equal("invd-loses-nothing", operand[0], mark);
    PASSES("pause", "pause");
    PASSES("invlpg", "invlpg (%%rdi)");
    GUEST_RUN(&r, "mov %%cr3, %%rax\n\tmov %%rax, %%cr3");
    check_fault("cr3-reload", &r, NONE, 0);
}

void exits_refused(void)
{
    check_shown();
    check_passing();
    if (!exits_plinth)
        return; /* what a bare CPU has is its own business */
    check_vmx();
    check_modes();
    check_hidden();
    struct guest_regs r = {.rcx = 0};
    GUEST_RUN(&r, "rdpmc");
    check_gp_at("rdpmc", &r, 0);
}
