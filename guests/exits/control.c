/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Control registers: what a guest writes it reads back, whatever the hypervisor keeps underneath;
 * bits that are not offered are #GP(0). With LMSW, CLTS, CR8 and XSETBV. Have open: SDM "Control
 * Registers", "MOV - Move to/from Control Registers", "XSETBV".
 */
#include "guests/exits/exits.h"

#include "arch/x86/cr.h"

#define XCR0_X87 BIT(0)
#define XCR0_SSE BIT(1)
#define XCR0_AVX BIT(2)

static void check_cr0_keeps(const char *name, uint64_t flip)
{
    uint64_t before = read_cr0();
    write_cr0(before ^ flip);
    check_equal(name, read_cr0(), before ^ flip);
    write_cr0(before);
    check_equal(name, read_cr0(), before);
}

static void check_cr0_gp(const char *name, uint64_t value)
{
    struct guest_regs r = {.rax = value};
    uint64_t before = read_cr0();
    GUEST_RUN(&r, "mov %%rax, %%cr0");
    check_gp_at(name, &r, 0);
    if (read_cr0() != before)
        check_equal(name, read_cr0(), before);
}

static void check_cr0(void)
{
    struct guest_regs r = {0};
    uint64_t cr0 = read_cr0() & ~(CR0_CD | CR0_NW); /* out of reset the caches are off */

    write_cr0(cr0);
    check_cr0_keeps("cr0-wp", CR0_WP);
    check_cr0_keeps("cr0-am", CR0_AM);
    check_cr0_keeps("cr0-ne", CR0_NE);
    check_cr0_keeps("cr0-ts", CR0_TS);
    check_cr0_keeps("cr0-cd", CR0_CD);
    check_cr0_keeps("cr0-cd-nw", CR0_CD | CR0_NW);
    write_cr0(cr0 & ~CR0_ET);
    check_equal("cr0-et-stays", read_cr0(), cr0);

    write_cr0(cr0 & ~(CR0_TS | CR0_EM));
    r.rax = (cr0 & 7) | CR0_TS;
    GUEST_RUN(&r, "lmsw %%ax");
    check_equal("lmsw-ts", read_cr0() & 0xf, (cr0 & 7) | CR0_TS);
    r.rax = CR0_TS;
    GUEST_RUN(&r, "lmsw %%ax");
    check_equal("lmsw-keeps-pe", read_cr0() & 0xf, CR0_TS | CR0_PE);
    GUEST_RUN(&r, "smsw %%rax");
    check_equal("smsw", r.rax & 0xffffffff, read_cr0());
    GUEST_RUN(&r, "fninit");
    check_fault("ts-makes-nm", &r, 7, 0);
    GUEST_RUN(&r, "clts");
    check_equal("clts", read_cr0() & CR0_TS, 0);
    GUEST_RUN(&r, "fninit");
    check_fault("clts-allows-fpu", &r, NONE, 0);
    write_cr0(cr0);

    if (!exits_plinth)
        return;
    check_cr0_gp("cr0-high-bits", cr0 | BIT(32));
    check_cr0_gp("cr0-nw-without-cd", (cr0 | CR0_NW) & ~CR0_CD);
    check_cr0_gp("cr0-pg-without-pe", cr0 & ~CR0_PE);
    check_cr0_gp("cr0-pg-off-in-64-bit", cr0 & ~CR0_PG);
}

/* Memory lookups go on working with write protection on and off: the page tables were not lost. */
static void check_wp_works(void)
{
    static uint64_t table[512] __attribute__((aligned(4096)));
    static uint64_t page[512] __attribute__((aligned(4096)));
    const uint64_t va = UINT64_C(0x40200000);
    struct guest_regs r = {.rdi = va, .rax = 0x77};
    table[0] = (uint64_t)page | 1;
    guest_map_table(va, table);
    write_cr0(read_cr0() | CR0_WP);
    GUEST_RUN(&r, "mov %%rax, (%%rdi)");
    check_fault("wp-on-write-faults", &r, PF, 3);
    check_equal("wp-on-cr2", r.cr2, va);
    write_cr0(read_cr0() & ~CR0_WP);
    GUEST_RUN(&r, "mov %%rax, (%%rdi)");
    check_fault("wp-off-write-passes", &r, NONE, 0);
    check_equal("wp-off-written", page[0], 0x77);
}

static void check_cr4_keeps(const char *name, uint64_t flip)
{
    uint64_t before = read_cr4();
    write_cr4(before ^ flip);
    check_equal(name, read_cr4(), before ^ flip);
    write_cr4(before);
}

static void check_cr4_gp(const char *name, uint64_t value)
{
    struct guest_regs r = {.rbx = value};
    uint64_t before = read_cr4();
    GUEST_RUN(&r, "mov %%rbx, %%cr4");
    check_gp_at(name, &r, 0);
    if (read_cr4() != before)
        check_equal(name, read_cr4(), before);
}

static void check_cr4(void)
{
    uint64_t cr4 = read_cr4();
    check_cr4_keeps("cr4-pge", CR4_PGE);
    check_cr4_keeps("cr4-de", CR4_DE);
    check_cr4_keeps("cr4-mce", CR4_MCE);
    check_cr4_keeps("cr4-pse", CR4_PSE);
    check_cr4_keeps("cr4-tsd", CR4_TSD);
    check_cr4_keeps("cr4-osfxsr", CR4_OSFXSR);
    if (!exits_plinth)
        return;
    check_cr4_gp("cr4-pae-off-in-long-mode", cr4 & ~CR4_PAE);
    check_cr4_gp("cr4-high-bit", cr4 | BIT(40));
    check_cr4_gp("cr4-reserved-bit", cr4 | BIT(30));
    check_equal("cr4-vmxe-reads-0", cr4 & CR4_VMXE, 0);
    check_cr4_gp("cr4-vmxe", cr4 | CR4_VMXE);
    check_cr4_gp("cr4-smxe", cr4 | CR4_SMXE);
    check_cr4_gp("cr4-la57", cr4 ^ CR4_LA57);
}

/* The other general registers as source and destination: the exit names the register. */
static void check_registers(void)
{
    struct guest_regs r = {0};
    uint64_t cr0 = read_cr0(), cr4 = read_cr4();
    GUEST_RUN(&r, "mov %%cr0, %%r15\n\tmov %%cr4, %%rbp\n\tmov %%cr3, %%r8");
    check_true("cr-read-r15-rbp-r8", r.r15 == cr0 && r.rbp == cr4 && r.r8 == read_cr3());
    GUEST_RUN(&r, "mov %%r15, %%cr0\n\tmov %%rbp, %%cr4\n\tmov %%r8, %%cr3");
    check_fault("cr-write-r15-rbp-r8", &r, NONE, 0);
    r = (struct guest_regs){.rax = cr4 | CR4_PGE};
    GUEST_RUN(&r, "mov %%rsp, %%rcx\n\tmov %%rax, %%rsp\n\tmov %%rsp, %%cr4\n\tmov %%cr4, %%rsp\n\t"
              "mov %%rsp, %%rdx\n\tmov %%rcx, %%rsp");
    check_equal("cr4-from-rsp-and-back", r.rdx, cr4 | CR4_PGE);
    write_cr4(cr4);
}

static void check_cr8(void)
{
    struct guest_regs r = {.rax = 0x10};
    write_cr8(0xb);
    check_equal("cr8-kept", read_cr8(), 0xb);
    GUEST_RUN(&r, "mov %%rax, %%cr8");
    check_gp_at("cr8-reserved", &r, 0);
    check_equal("cr8-unchanged", read_cr8(), 0xb);
    write_cr8(0);
    check_equal("cr8-zero", read_cr8(), 0);
}

static void run_xsetbv(struct guest_regs *r, uint32_t index, uint64_t value)
{
    *r = (struct guest_regs){.rcx = index, .rax = (uint32_t)value, .rdx = value >> 32};
    GUEST_RUN(r, "xsetbv");
}

static void check_xsetbv(void)
{
    struct guest_regs r;
    uint64_t cr4 = read_cr4();
    if (!(cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE))
        return;
    write_cr4(cr4 & ~CR4_OSXSAVE);
    run_xsetbv(&r, 0, XCR0_X87);
    check_fault("xsetbv-without-osxsave", &r, UD, 0);
    write_cr4(cr4 | CR4_OSXSAVE | CR4_OSFXSR);
    run_xsetbv(&r, 0, XCR0_X87 | XCR0_SSE);
    check_fault("xsetbv-sse", &r, NONE, 0);
    r.rcx = 0;
    GUEST_RUN(&r, "xgetbv");
    check_equal("xgetbv", r.rdx << 32 | r.rax, XCR0_X87 | XCR0_SSE);
    run_xsetbv(&r, 0, 0);
    check_gp_at("xsetbv-zero", &r, 0);
    run_xsetbv(&r, 0, XCR0_SSE);
    check_gp_at("xsetbv-without-x87", &r, 0);
    run_xsetbv(&r, 0, XCR0_X87 | XCR0_AVX);
    check_gp_at("xsetbv-avx-without-sse", &r, 0);
    run_xsetbv(&r, 1, XCR0_X87);
    check_gp_at("xsetbv-bad-index", &r, 0);
    run_xsetbv(&r, 0, XCR0_X87 | BIT(62));
    check_gp_at("xsetbv-reserved", &r, 0);
    if (cpuid(0xd, 0).eax & XCR0_AVX) {
        run_xsetbv(&r, 0, XCR0_X87 | XCR0_SSE | XCR0_AVX);
        check_fault("xsetbv-avx", &r, NONE, 0);
        check_equal("xcr0-size-follows", cpuid(0xd, 0).ebx >= 832, true);
    }
    run_xsetbv(&r, 0, XCR0_X87);
    check_equal("xcr0-size-legacy", cpuid(0xd, 0).ebx, 576);
    write_cr4(cr4);
}

void exits_control(void)
{
    check_cr0();
    check_wp_works();
    check_cr4();
    check_registers();
    check_cr8();
    check_xsetbv();
}
