/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy, MSRs: a rule for each row of core/msr.def, written from the manual; a row without a rule
 * is a failure, and so is an MSR without a rule that does not fault. Have open: SDM "Model-Specific
 * Registers"; "RDMSR", "WRMSR" in the instruction reference.
 */
#include "guests/policy/policy.h"

#include "arch/x86/msr.h"

#define ALWAYS 0, 0, 0 /* the leaf, register and bit that say there is such an MSR */
#define CANONICAL UINT64_C(0xffff8123456789ab)

struct rule;
typedef void rule_fn(const struct rule *rule, uint32_t msr);

/* What a kind of MSR answers to reads and writes. */
static rule_fn read_only, ignores, only_same, command, by_bits, canonical, memory_types, tsc,
    tsc_adjust, mtrr_range, mtrr_default, efer, absent, apic_base, spec_ctrl;

static const struct rule {
    uint32_t first, last;
    rule_fn *check;
    uint64_t value;    /* what it reads as, or which bits may be changed */
    uint32_t leaf;     /* CPUID; 0: always there */
    char reg;          /* 'b', 'c', 'd'; 'a': EAX of subleaf 1 */
    uint8_t bit;
} rules[] = {
    {0x10, 0x10, tsc, 0, ALWAYS},
    {0x17, 0x17, read_only, 0, ALWAYS},
    {0x1b, 0x1b, apic_base, 0, ALWAYS},
    {0x3a, 0x3a, read_only, 1, ALWAYS},              /* locked, VMX off */
    {0x3b, 0x3b, tsc_adjust, 0, 7, 'b', 1},
    {0x48, 0x48, spec_ctrl, 0, 7, 'd', 26},
    {0x49, 0x49, command, 0, 7, 'd', 26},
    {0x8b, 0x8b, ignores, 0, ALWAYS},
    {0xce, 0xce, read_only, 0, ALWAYS},
    {0xfe, 0xfe, read_only, 0x508, ALWAYS},          /* WC, fixed ranges, 8 variable ones */
    {0x10b, 0x10b, command, 0, 7, 'd', 28},
    {0x174, 0x174, by_bits, BITS(15, 0), ALWAYS},
    {0x175, 0x176, canonical, 0, ALWAYS},
    {0x179, 0x179, read_only, 0, ALWAYS},
    {0x17a, 0x17a, only_same, 0, ALWAYS},
    {0x1a0, 0x1a0, ignores, 0x1801, ALWAYS},
    {0x1d9, 0x1d9, by_bits, BIT(1), ALWAYS},         /* BTF */
    {0x200, 0x20f, mtrr_range, 0, ALWAYS},
    {0x250, 0x250, memory_types, BITS(1, 0) | BITS(6, 4), ALWAYS},
    {0x258, 0x259, memory_types, BITS(1, 0) | BITS(6, 4), ALWAYS},
    {0x268, 0x26f, memory_types, BITS(1, 0) | BITS(6, 4), ALWAYS},
    {0x277, 0x277, memory_types, BITS(1, 0) | BITS(7, 4), ALWAYS}, /* UC- beside them */
    {0x2ff, 0x2ff, mtrr_default, 0, ALWAYS},
    {0x6e0, 0x6e0, ignores, 0, 1, 'c', 24},          /* as long as the timer is in another mode */
    {0x800, 0x8ff, absent, 0, ALWAYS},               /* as long as it is in xAPIC mode */
    {0xda0, 0xda0, only_same, 0, 0xd, 'a', 3},
    {0xc0000080, 0xc0000080, efer, 0, ALWAYS},
    {0xc0000081, 0xc0000081, by_bits, UINT64_MAX, ALWAYS},
    {0xc0000082, 0xc0000083, canonical, 0, ALWAYS},
    {0xc0000084, 0xc0000084, by_bits, BITS(31, 0), ALWAYS},
    {0xc0000100, 0xc0000102, canonical, 0, ALWAYS},
    {0xc0000103, 0xc0000103, by_bits, BITS(31, 0), 0x80000001, 'd', 27},
};

/* Rows that others look after: IA32_ARCH_CAPABILITIES here, KVM's clocks by what Linux does. */
static const uint32_t elsewhere[] = {0x10a, 0x4b564d00, 0x4b564d01, 0x4b564d03};

/* --- instructions --------------------------------------------------------------------------- */

static bool fine(const struct guest_regs *r, uint32_t vector)
{
    return r->vector == vector && (vector == NONE || (r->error == 0 && r->rip == 0));
}

/* The number stands where the value would: a line that fails shows which MSR it was. */
static void expect(const char *what, uint32_t msr, bool ok)
{
    test_equal(what, ok ? msr : ~(uint64_t)msr, msr);
}

static bool read_is(uint32_t msr, uint64_t value)
{
    struct guest_regs r = {.rcx = msr, .rax = ~value, .rdx = ~value};
    GUEST_RUN(&r, "rdmsr");
    return fine(&r, NONE) && r.rax == (uint32_t)value && r.rdx == value >> 32;
}

static bool read_faults(uint32_t msr)
{
    struct guest_regs r = {.rcx = msr, .rax = 0x5a5a, .rdx = 0xa5a5};
    GUEST_RUN(&r, "rdmsr");
    return fine(&r, GP) && r.rax == 0x5a5a && r.rdx == 0xa5a5;
}

static bool write_gives(uint32_t msr, uint64_t value, uint32_t vector)
{
    struct guest_regs r = {.rcx = msr, .rax = (uint32_t)value, .rdx = value >> 32};
    GUEST_RUN(&r, "wrmsr");
    return fine(&r, vector);
}

/* It takes the value and shows it; or it faults and keeps the one before. */
static void check_value(uint32_t msr, uint64_t value, bool taken)
{
    uint64_t before = rdmsr(msr);
    expect(taken ? "WRMSR" : "WRMSR of a reserved bit", msr,
           write_gives(msr, value, taken ? NONE : GP));
    expect("RDMSR after it", msr, read_is(msr, taken ? value : before));
    if (taken)
        wrmsr(msr, before);
}

/* --- kinds ---------------------------------------------------------------------------------- */

static void absent(const struct rule *rule, uint32_t msr)
{
    (void)rule;
    expect("RDMSR of one that is not there", msr, read_faults(msr));
    expect("WRMSR of one that is not there", msr, write_gives(msr, 0, GP));
}

static void read_only(const struct rule *rule, uint32_t msr)
{
    expect("read-only: its value", msr, read_is(msr, rule->value));
    expect("read-only: its own value", msr, write_gives(msr, rule->value, GP));
    expect("read-only: another value", msr, write_gives(msr, ~rule->value, GP));
}

static void ignores(const struct rule *rule, uint32_t msr)
{
    expect("its value", msr, read_is(msr, rule->value));
    expect("a write that changes nothing", msr, write_gives(msr, ~rule->value, NONE));
    expect("its value still", msr, read_is(msr, rule->value));
}

static void only_same(const struct rule *rule, uint32_t msr)
{
    expect("its value", msr, read_is(msr, rule->value));
    expect("the same again", msr, write_gives(msr, rule->value, NONE));
    for (unsigned b = 0; b < 64; b++)
        check_value(msr, rule->value ^ BIT(b), false);
}

static void command(const struct rule *rule, uint32_t msr)
{
    (void)rule;
    expect("a command is not read", msr, read_faults(msr));
    expect("a command", msr, write_gives(msr, 1, NONE));
    expect("no command", msr, write_gives(msr, 0, NONE));
    expect("an unknown command", msr, write_gives(msr, BIT(40), GP));
}

static void by_bits(const struct rule *rule, uint32_t msr)
{
    uint64_t before = rdmsr(msr);
    /* What the CPU itself does to bits that mean nothing is its own affair. */
    bool hardware = msr == MSR_IA32_SYSENTER_CS || msr == MSR_IA32_FMASK ||
                    msr == MSR_IA32_TSC_AUX;
    for (unsigned b = 0; b < 64; b++)
        if ((rule->value & BIT(b)) || !hardware)
            check_value(msr, before ^ BIT(b), rule->value & BIT(b));
}

static void spec_ctrl(const struct rule *rule, uint32_t msr)
{
    uint32_t edx = cpuid(7, 0).edx;
    struct rule bits = *rule;
    bits.value = BIT(0) | (edx & BIT(27) ? BIT(1) : 0) | (edx & BIT(31) ? BIT(2) : 0);
    by_bits(&bits, msr);
}

static void canonical(const struct rule *rule, uint32_t msr)
{
    (void)rule;
    check_value(msr, CANONICAL, true);
    check_value(msr, BITS(46, 0), true);
    check_value(msr, BITS(63, 47), true);
    check_value(msr, BIT(47), false);
    check_value(msr, BIT(63), false);
    check_value(msr, BITS(63, 48), false);
}

/* Eight types, a byte each; value: a bit for each that exists. */
static void memory_types(const struct rule *rule, uint32_t msr)
{
    static const uint8_t odd[] = {8, 0x10, 0x40, 0x80, 0xff, 0x86};
    uint64_t before = rdmsr(msr);
    for (unsigned at = 0; at < 64; at += 8) {
        uint64_t rest = before & ~(UINT64_C(0xff) << at);
        for (uint64_t type = 0; type < 8; type++)
            check_value(msr, rest | type << at, rule->value >> type & 1);
        for (unsigned i = 0; i < ARRAY_LEN(odd); i++)
            check_value(msr, rest | (uint64_t)odd[i] << at, false);
    }
}

static void mtrr_range(const struct rule *rule, uint32_t msr)
{
    (void)rule;
    bool mask = msr & 1;
    unsigned width = cpuid(0x80000008, 0).eax & 0xff;
    uint64_t good = BITS((int)width - 1, 12) | (mask ? BIT(11) : BIT(0) | BIT(2));
    expect("MTRR after reset", msr, read_is(msr, 0));
    for (unsigned b = 0; b < 64; b++)
        check_value(msr, BIT(b), good & BIT(b));
    for (uint64_t type = 0; !mask && type < 8; type++)
        check_value(msr, type, (BITS(1, 0) | BITS(6, 4)) >> type & 1);
}

/* As a firmware leaves it: on, with fixed ranges, write-back. */
static void mtrr_default(const struct rule *rule, uint32_t msr)
{
    (void)rule;
    expect("the default type after reset", msr, read_is(msr, 0xc06));
    for (unsigned b = 8; b < 64; b++)
        check_value(msr, 0xc06 ^ BIT(b), b == 10 || b == 11);
    for (uint64_t type = 0; type < 256; type++)
        check_value(msr, 0xc00 | type, type < 8 && ((BITS(1, 0) | BITS(6, 4)) >> type & 1));
}

static void tsc(const struct rule *rule, uint32_t msr)
{
    (void)rule;
    uint64_t before = rdtsc(), far = before + BIT(44);
    test_range("IA32_TSC and RDTSC", rdmsr(msr), before, before + guest_tsc_khz() * 1000);
    wrmsr(msr, far);
    test_range("IA32_TSC written", rdtsc(), far, far + guest_tsc_khz() * 1000);
    test_range("... is in IA32_TSC_ADJUST", rdmsr(MSR_IA32_TSC_ADJUST), BIT(44) - before,
               BIT(44) + guest_tsc_khz() * 1000);
    wrmsr(MSR_IA32_TSC_ADJUST, 0);
}

static void tsc_adjust(const struct rule *rule, uint32_t msr)
{
    (void)rule;
    uint64_t before = rdtsc();
    expect("IA32_TSC_ADJUST", msr, read_is(msr, 0));
    wrmsr(msr, BIT(45));
    expect("IA32_TSC_ADJUST written", msr, read_is(msr, BIT(45)));
    test_range("the TSC follows", rdtsc(), before + BIT(45),
               before + BIT(45) + guest_tsc_khz() * 1000);
    wrmsr(msr, 0);
    test_range("and back", rdtsc(), before, before + 2 * guest_tsc_khz() * 1000);
}

static void efer(const struct rule *rule, uint32_t msr)
{
    (void)rule;
    uint64_t before = rdmsr(msr);
    for (unsigned b = 0; b < 64; b++) {
        if (BIT(b) == EFER_LMA) { /* not the program's to change, which is no fault */
            expect("EFER.LMA", msr, write_gives(msr, before ^ BIT(b), NONE));
            expect("EFER.LMA after it", msr, read_is(msr, before));
        } else {
            check_value(msr, before ^ BIT(b), BIT(b) == EFER_SCE || BIT(b) == EFER_NXE);
        }
    }
}

static void apic_base(const struct rule *rule, uint32_t msr)
{
    (void)rule;
    unsigned width = cpuid(0x80000008, 0).eax & 0xff;
    uint64_t before = rdmsr(msr);
    expect("IA32_APIC_BASE after reset", msr, before == (0xfee00000 | BIT(11) | BIT(8)));
    expect("the same again", msr, write_gives(msr, before, NONE));
    for (unsigned b = 0; b < 64; b++)
        if (b < 8 || b == 9 || b >= width)
            check_value(msr, before | BIT(b), false);
    check_value(msr, (before & ~BIT(11)) | BIT(10), false); /* x2APIC mode, but switched off */
}

/* --- all of them ---------------------------------------------------------------------------- */

static bool there(const struct rule *rule)
{
    if (!rule->leaf)
        return true;
    if (rule->leaf == 0x80000001 ? cpuid(0x80000000, 0).eax < rule->leaf
                                 : cpuid(0, 0).eax < rule->leaf)
        return false;
    struct cpuid_regs r = cpuid(rule->leaf, rule->reg == 'a');
    uint32_t word = rule->reg == 'a' ? r.eax : rule->reg == 'b' ? r.ebx
                                             : rule->reg == 'c' ? r.ecx : r.edx;
    return word >> rule->bit & 1;
}

static bool known(uint32_t msr)
{
    for (unsigned i = 0; i < ARRAY_LEN(elsewhere); i++)
        if (elsewhere[i] == msr)
            return true;
    for (unsigned i = 0; i < ARRAY_LEN(rules); i++)
        if (msr >= rules[i].first && msr <= rules[i].last)
            return true;
    return false;
}

/* A row that is new in core/msr.def wants a rule above. */
static void check_rows(void)
{
    static const struct {
        uint32_t first, last;
        const char *name;
    } rows[] = {
#define MSR(first, last, name, reading, writing, value, needs, why) {first, last, #name},
#include "core/msr.def"
#undef MSR
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        test_mode(rows[i].name);
        for (uint32_t msr = rows[i].first; msr <= rows[i].last; msr++)
            expect("has a rule", msr, known(msr));
    }
}

/* Both ranges that hardware knows of, their ends, and what lies far from them. */
static void check_unlisted(void)
{
    static const uint32_t odd[] = {0x2000, 0x10000, 0x40000000, 0x40000020, 0x4b564cff,
                                   0x4b564d02, 0x4b564d04, 0xbfffffff, 0xc0002000, 0xc0010000,
                                   0xc0010114, 0xc0011029, 0xffffffff};
    test_mode("without a rule");
    for (uint32_t msr = 0; msr < 0x2000; msr++)
        if (!known(msr))
            absent(NULL, msr);
    for (uint32_t msr = 0xc0000000; msr < 0xc0002000; msr++)
        if (!known(msr))
            absent(NULL, msr);
    for (unsigned i = 0; i < ARRAY_LEN(odd); i++)
        absent(NULL, odd[i]);
}

static void check_capabilities(void)
{
    struct rule rule = {.leaf = 7, .reg = 'd', .bit = 29};
    test_mode("IA32_ARCH_CAPABILITIES");
    if (!there(&rule)) {
        absent(NULL, MSR_IA32_ARCH_CAPABILITIES);
        return;
    }
    rule.value = rdmsr(MSR_IA32_ARCH_CAPABILITIES);
    read_only(&rule, MSR_IA32_ARCH_CAPABILITIES);
}

void policy_msrs(void)
{
    check_rows();
    for (unsigned i = 0; i < ARRAY_LEN(rules); i++) {
        const struct rule *rule = &rules[i];
        test_mode(there(rule) ? "MSR" : "MSR, not offered here");
        for (uint32_t msr = rule->first; msr <= rule->last; msr++)
            (there(rule) ? rule->check : absent)(rule, msr);
    }
    check_capabilities();
    check_unlisted();
}
