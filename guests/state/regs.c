/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * state, registers: general, control and debug registers, flags, and the MSRs that a guest may
 * write. Have open: core/msr.def; SDM "Debug Registers".
 */
#include "guests/state/state.h"

#include "arch/x86/cr.h"
#include "arch/x86/msr.h"
#include "arch/x86/regs.h"

#define WORDS       8       /* words that somebody has a breakpoint on: seed modulo this */
#define SPINS       3000u
#define VECTOR_NONE GUEST_NO_EXCEPTION
#define FLAGS_USED  (RFLAGS_DF | RFLAGS_AC | BIT(21)) /* ID: harmless while CR0.AM is clear */

GUEST_CONTROL_REGISTER(dr0)
GUEST_CONTROL_REGISTER(dr1)
GUEST_CONTROL_REGISTER(dr2)
GUEST_CONTROL_REGISTER(dr3)

/* regs_spin() runs in assembly with every register taken, so what it needs has an address. */
uint64_t state_words[WORDS];
uint32_t state_spins;
uint64_t state_flags;
uint64_t *state_skip;

static uint64_t any(uint64_t x)
{
    return x;
}

/* IBRS, STIBP, SSBD: those that the CPU says it has. */
static uint64_t spec_ctrl(uint64_t x)
{
    uint32_t edx = cpuid(7, 0).edx;
    return x & ((edx & CPUID_7_EDX_SPEC_CTRL ? BIT(0) : 0) |
                (edx & CPUID_7_EDX_STIBP ? BIT(1) : 0) | (edx & CPUID_7_EDX_SSBD ? BIT(2) : 0));
}

static uint64_t low_half(uint64_t x)
{
    return (uint32_t)x;
}

static uint64_t canonical(uint64_t x)
{
    return (uint64_t)((int64_t)(x << 16) >> 16);
}

/* A legal memory type in each byte; the first, which is in use, stays write-back. */
static uint64_t pat(uint64_t x)
{
    static const uint8_t types[] = {0, 1, 4, 5, 6, 7};
    uint64_t value = 6;
    for (unsigned i = 1; i < 8; i++)
        value |= (uint64_t)types[(x >> 8 * i & 0xff) % ARRAY_LEN(types)] << 8 * i;
    return value;
}

static const struct {
    const char *name;
    uint32_t msr;
    uint64_t fresh;
    uint64_t (*legal)(uint64_t x);
} msrs[] = {
    {"IA32_STAR", MSR_IA32_STAR, 0, any},
    {"IA32_LSTAR", MSR_IA32_LSTAR, 0, canonical},
    {"IA32_CSTAR", MSR_IA32_CSTAR, 0, canonical},
    {"IA32_FMASK", MSR_IA32_FMASK, 0, low_half},
    {"IA32_FS_BASE", MSR_IA32_FS_BASE, 0, canonical},
    {"IA32_GS_BASE", MSR_IA32_GS_BASE, 0, canonical},
    {"IA32_KERNEL_GS_BASE", MSR_IA32_KERNEL_GS_BASE, 0, canonical},
    {"IA32_SYSENTER_CS", MSR_IA32_SYSENTER_CS, 0, low_half},
    {"IA32_SYSENTER_ESP", MSR_IA32_SYSENTER_ESP, 0, canonical},
    {"IA32_SYSENTER_EIP", MSR_IA32_SYSENTER_EIP, 0, canonical},
    {"IA32_PAT", MSR_IA32_PAT, PAT_RESET, pat},
    {"IA32_SPEC_CTRL", MSR_IA32_SPEC_CTRL, 0, spec_ctrl},
    {"IA32_TSC_AUX", MSR_IA32_TSC_AUX, 0, low_half},
};
static uint64_t want_msr[ARRAY_LEN(msrs)];

static bool has_rdtscp(void)
{
    return cpuid(0x80000001, 0).edx & BIT(27);
}

static bool offered(size_t i)
{
    if (msrs[i].msr == MSR_IA32_SPEC_CTRL)
        return spec_ctrl(7) != 0;
    return msrs[i].msr != MSR_IA32_TSC_AUX || has_rdtscp();
}

/* Bits of CR4 that a seed may set or not, without meaning for this guest. */
#define CR4_VARIES (CR4_DE | CR4_PGE | CR4_MCE | CR4_TSD)

static uint64_t want_cr0, want_cr4, want_efer, want_cr2, want_cr8, want_dr[4], want_dr7;

void regs_check_fresh(void)
{
    for (size_t i = 0; i < ARRAY_LEN(msrs); i++)
        if (offered(i))
            state_same(msrs[i].name, rdmsr(msrs[i].msr), msrs[i].fresh);
    state_same("fresh CR2", read_cr2(), 0);
    state_same("fresh CR8", read_cr8(), 0);
    state_same("fresh DR0", read_dr0(), 0);
    state_same("fresh DR1", read_dr1(), 0);
    state_same("fresh DR2", read_dr2(), 0);
    state_same("fresh DR3", read_dr3(), 0);
    state_same("fresh DR6", read_dr6(), DR6_RESET);
}

/* DR0 watches this seed's word; the others hold addresses that are never enabled. */
static void fill_debug(void)
{
    want_dr[0] = (uint64_t)(uintptr_t)&state_words[state_seed % WORDS];
    for (unsigned i = 1; i < 4; i++)
        want_dr[i] = canonical(state_pattern(ITEM_REGISTER + 10 + i));
    write_dr0(want_dr[0]);
    write_dr1(want_dr[1]);
    write_dr2(want_dr[2]);
    write_dr3(want_dr[3]);
    regs_arm(false);
}

void regs_fill(void)
{
    for (size_t i = 0; i < ARRAY_LEN(msrs); i++) {
        want_msr[i] = msrs[i].legal(state_pattern(ITEM_MSR + (unsigned)i));
        if (offered(i))
            wrmsr(msrs[i].msr, want_msr[i]);
    }
    want_efer = (rdmsr(MSR_IA32_EFER) & ~EFER_SCE) | (state_seed & 1 ? EFER_SCE : 0);
    wrmsr(MSR_IA32_EFER, want_efer);
    want_cr0 = (read_cr0() & ~CR0_WP) | (state_seed & 2 ? CR0_WP : 0);
    write_cr0(want_cr0);
    uint64_t vary = state_pattern(ITEM_REGISTER + 1) & CR4_VARIES;
    want_cr4 = (read_cr4() & ~CR4_VARIES) | vary;
    write_cr4(want_cr4);
    want_cr2 = state_pattern(ITEM_REGISTER + 2);
    write_cr2(want_cr2);
    want_cr8 = state_pattern(ITEM_REGISTER + 3) & 15;
    write_cr8(want_cr8);
    fill_debug();
    state_skip = &state_words[state_seed % WORDS];
    state_flags = RFLAGS_FIXED1 | (state_pattern(ITEM_REGISTER + 4) & FLAGS_USED);
}

static void check_tsc_aux(uint64_t want)
{
    uint32_t low, high, aux;
    __asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(aux));
    state_same("RDTSCP's ECX", aux, want);
}

void regs_check(void)
{
    state_same("DR0", read_dr0(), want_dr[0]);
    state_same("DR1", read_dr1(), want_dr[1]);
    state_same("DR2", read_dr2(), want_dr[2]);
    state_same("DR3", read_dr3(), want_dr[3]);
    state_same("DR7", read_dr7(), want_dr7);
    for (size_t i = 0; i < ARRAY_LEN(msrs); i++)
        if (offered(i))
            state_same(msrs[i].name, rdmsr(msrs[i].msr), want_msr[i]);
    if (has_rdtscp())
        check_tsc_aux(want_msr[ARRAY_LEN(msrs) - 1]);
    state_same("CR0", read_cr0(), want_cr0);
    state_same("CR2", read_cr2(), want_cr2);
    state_same("CR4", read_cr4(), want_cr4);
    state_same("CR8", read_cr8(), want_cr8);
    state_same("IA32_EFER", rdmsr(MSR_IA32_EFER), want_efer);
}

/* A breakpoint on writes of 8 bytes, in slot 0. */
void regs_arm(bool on)
{
    want_dr7 = on ? DR7_RESET | BIT(0) | UINT64_C(0x90000) : DR7_RESET;
    write_dr7(want_dr7);
}

void regs_trip(void)
{
    struct guest_regs r = {.rdi = want_dr[0]};
    GUEST_RUN(&r, "movq $1, (%%rdi)\n\tnop");
    state_same("vector of this guest's breakpoint", r.vector, VECTOR_DB);
    state_same("DR6 at this guest's breakpoint", r.dr6 & (DR6_WRITABLE), 1);
    want_dr7 = DR7_RESET; /* the handler has switched it off */
}

/* The loop stores to each word but this guest's own; another guest's DR0 would make it trap. */
#define LOOP                                                                          \
    "1:\tpushq %%rax\n\tpushq %%rcx\n\tlea state_words(%%rip), %%rax\n\tmov $8, %%ecx\n" \
    "2:\tcmp %%rax, state_skip(%%rip)\n\tje 3f\n\tincq (%%rax)\n"                        \
    "3:\tadd $8, %%rax\n\tdec %%ecx\n\tjnz 2b\n\tpopq %%rcx\n\tpopq %%rax\n\t"           \
    "decl state_spins(%%rip)\n\tjnz 1b\n\t"
_Static_assert(WORDS == 8, "LOOP counts to 8");

static void fill_general(struct guest_regs *r)
{
    uint64_t *word = &r->rax;
    for (unsigned i = 0; i < 15; i++)
        word[i] = state_pattern(ITEM_GPR + i);
}

static void check_general(const struct guest_regs *r, const struct guest_regs *want)
{
    static const char *const names[15] = {"RAX", "RBX", "RCX", "RDX", "RSI", "RDI", "RBP", "R8",
                                          "R9", "R10", "R11", "R12", "R13", "R14", "R15"};
    const uint64_t *a = &r->rax, *b = &want->rax;
    state_same("vector (no exception is -1)", r->vector, VECTOR_NONE);
    for (unsigned i = 0; i < ARRAY_LEN(names); i++)
        state_same(names[i], a[i], b[i]);
    state_same("DF, AC and ID", r->rflags & FLAGS_USED, state_flags & FLAGS_USED);
}

void regs_spin(bool yield)
{
    struct guest_regs r = {0}, want;
    fill_general(&r);
    want = r;
    state_spins = SPINS;
    if (yield) {
        r.rax = PLINTH_YIELD;
        r.rdi = want.rdi = 0;
        want.rax = 0; /* its result */
        GUEST_RUN(&r, "pushq state_flags(%%rip)\n\tpopfq\n\tvmcall\n\t" LOOP);
    } else {
        GUEST_RUN(&r, "pushq state_flags(%%rip)\n\tpopfq\n\t" LOOP);
    }
    check_general(&r, &want);
}
