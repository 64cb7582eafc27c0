/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/cpuid.c: what guests see on two hosts, put together after a Skylake server and a Sandy
 * Bridge desktop, and on hosts with something missing. Expected values are written out here, not
 * taken from cpuid.def; that file is only asked which rows there are.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "arch/x86/cr.h"
#include "arch/x86/regs.h"
#include "core/abi/plinth.h"
#include "core/cpuid.h"
#include "core/lib/string.h"

/* --- captured hosts ------------------------------------------------------------------------- */

struct leaf {
    uint32_t leaf, subleaf;
    struct cpuid_regs regs;
};

#define GENUINE 0x756e6547, 0x6c65746e, 0x49656e69 /* EBX, ECX, EDX */

static const struct leaf skylake[] = {
    {0x0, 0, {0x16, GENUINE}},
    {0x1, 0, {0x50654, 0x05100800, 0xfffefbff, 0xbfebfbff}},
    {0x2, 0, {0x76036301, 0x00f0b5ff, 0, 0x00c30000}},
    {0x3, 0, {0, 0, 0x11111111, 0x22222222}},
    {0x4, 0, {0x3c004121, 0x01c0003f, 0x3f, 0}},
    {0x4, 1, {0x3c004122, 0x01c0003f, 0x3f, 0}},
    {0x4, 2, {0x3c004143, 0x03c0003f, 0x3ff, 0}},
    {0x4, 3, {0x3c07c163, 0x0280003f, 0x3fff, 4}},
    {0x5, 0, {0x40, 0x40, 3, 0x2020}},
    {0x6, 0, {0x77, 2, 9, 0}},
    {0x7, 0, {0x0, 0xd39ffffb, 0x18, 0xbc000400}},
    {0x9, 0, {1, 0, 0, 0}},
    {0xa, 0, {0x07300404, 0, 0, 0x603}},
    {0xb, 0, {1, 2, 0x100, 5}},
    {0xb, 1, {5, 16, 0x201, 5}},
    {0xd, 0, {0x2ff, 0xa80, 0xa88, 0}},
    {0xd, 1, {0xf, 0xa08, 0x100, 0}},
    {0xd, 2, {0x100, 0x240, 0, 0}},
    {0xd, 3, {0x40, 0x3c0, 0, 0}},
    {0xd, 4, {0x40, 0x400, 0, 0}},
    {0xd, 5, {0x40, 0x440, 0, 0}},
    {0xd, 6, {0x200, 0x480, 0, 0}},
    {0xd, 7, {0x400, 0x680, 0, 0}},
    {0xd, 8, {0x80, 0, 1, 0}},
    {0xd, 9, {0x8, 0xa80, 0, 0}},
    {0x14, 0, {1, 0xf, 7, 0}},
    {0x15, 0, {2, 0x114, 0, 0}},
    {0x16, 0, {0xce4, 0x1004, 0x64, 0}},
    {0x80000000, 0, {0x80000008, 0, 0, 0}},
    {0x80000001, 0, {0, 0, 0x121, 0x2c100800}},
    {0x80000002, 0, {0x65746e49, 0x2952286c, 0x6f655820, 0x2952286e}},
    {0x80000003, 0, {0x6c6f4720, 0x31362064, 0x43203834, 0x40205550}},
    {0x80000004, 0, {0x332e3320, 0x7a484730, 0, 0}},
    {0x80000006, 0, {0, 0, 0x01006040, 0}},
    {0x80000007, 0, {0, 0, 0, 0x100}},
    {0x80000008, 0, {0x0000302e, 0x200, 0x3000, 0}},
};

static const struct leaf sandy_bridge[] = {
    {0x0, 0, {0xd, GENUINE}},
    {0x1, 0, {0x206a7, 0x02100800, 0x1fbae3ff, 0xbfebfbff}},
    {0x2, 0, {0x76035a01, 0x00f0b2ff, 0, 0x00ca0000}},
    {0x4, 0, {0x1c004121, 0x01c0003f, 0x3f, 0}},
    {0x4, 1, {0x1c004122, 0x01c0003f, 0x3f, 0}},
    {0x4, 2, {0x1c004143, 0x01c0003f, 0x1ff, 0}},
    {0x4, 3, {0x1c03c163, 0x03c0003f, 0x1fff, 6}},
    {0x6, 0, {0x77, 2, 9, 0}},
    {0x7, 0, {0, 0, 0, 0}},
    {0xd, 0, {7, 0x340, 0x340, 0}},
    {0xd, 1, {1, 0, 0, 0}},
    {0xd, 2, {0x100, 0x240, 0, 0}},
    {0x80000000, 0, {0x80000008, 0, 0, 0}},
    {0x80000001, 0, {0, 0, 1, 0x28100800}},
    {0x80000002, 0, {0x20202020, 0x49202020, 0x6c65746e, 0x20295228}},
    {0x80000007, 0, {0, 0, 0, 0x100}},
    {0x80000008, 0, {0x3024, 0, 0, 0}},
};

/* The host being played; patch (if set) may change any answer. */
static const struct leaf *host;
static size_t host_leaves;
static void (*patch)(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *r);
static bool asked_too_much;

static void play(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
{
    struct cpuid_regs r = {0};
    uint32_t base = leaf & 0x80000000, last = 0;
    for (size_t i = 0; i < host_leaves; i++) {
        if (host[i].leaf == leaf && host[i].subleaf == subleaf)
            r = host[i].regs;
        if (host[i].leaf == base)
            last = host[i].regs.eax;
    }
    if (leaf != base && leaf > last)
        asked_too_much = true;
    if (patch)
        patch(leaf, subleaf, &r);
    *out = r;
}

static const struct cpuid_features everything = {
    .rdtscp = true, .invpcid = true, .xsaves = true, .xcr0 = 0xe7, .tsc_khz = 3300000};
static const struct cpuid_features only_avx = {.rdtscp = true, .xcr0 = 7, .tsc_khz = 3400000};

#define BUILD(t, cpu, features)         \
    do {                                \
        host = (cpu);                   \
        host_leaves = ARRAY_LEN(cpu);   \
        cpuid_build((t), play, (features)); \
    } while (0)

static struct cpuid_regs ask(const struct cpuid_table *t, uint32_t leaf, uint32_t subleaf)
{
    const struct cpuid_dynamic none = {.xcr0 = 1, .cpus = 1};
    struct cpuid_regs r = {0xdead, 0xdead, 0xdead, 0xdead};
    cpuid_look_up(t, leaf, subleaf, &none, &r);
    return r;
}

static void same(struct cpuid_regs r, uint32_t eax, uint32_t ebx, uint32_t ecx, uint32_t edx)
{
    if (r.eax != eax || r.ebx != ebx || r.ecx != ecx || r.edx != edx)
        fail_msg("got %x %x %x %x, expected %x %x %x %x", r.eax, r.ebx, r.ecx, r.edx, eax, ebx, ecx,
                 edx);
}

#define SAME(r, ...) same((r), __VA_ARGS__)
#define ZERO(t, leaf, subleaf) same(ask((t), (leaf), (subleaf)), 0, 0, 0, 0)

static int reset(void **state)
{
    (void)state;
    patch = NULL;
    asked_too_much = false;
    return 0;
}

/* --- leaf by leaf --------------------------------------------------------------------------- */

static void test_skylake(void **state)
{
    struct cpuid_table t;
    (void)state;
    BUILD(&t, skylake, &everything);
    assert_false(asked_too_much);
    SAME(ask(&t, 0, 0), 0xd, GENUINE);
    /* ECX: no DTES64, MONITOR, DS_CPL, VMX, SMX, EIST, TM2, CNXT_ID, SDBG, XTPR, PDCM, DCA,
     * OSXSAVE, but the hypervisor bit. EDX: no DS, ACPI, HTT, TM, PBE. */
    SAME(ask(&t, 1, 0), 0x50654, 0x00010800, 0xf7fa3203, 0x0f8bfbff);
    SAME(ask(&t, 2, 0), 0x76036301, 0x00f0b5ff, 0, 0x00c30000);
    SAME(ask(&t, 4, 0), 0x121, 0x01c0003f, 0x3f, 0);
    SAME(ask(&t, 4, 3), 0x163, 0x0280003f, 0x3fff, 4);
    ZERO(&t, 4, 4);
    ZERO(&t, 4, 1000);
    /* EBX: no HLE, RTM, RDT, MPX, PT. ECX: no PKU, OSPKE. EDX: MD_CLEAR, SPEC_CTRL,
     * STIBP, L1D_FLUSH, ARCH_CAPABILITIES, SSBD. */
    SAME(ask(&t, 7, 0), 0, 0xd19f27eb, 0, 0xbc000400);
    ZERO(&t, 7, 1);
    ZERO(&t, 7, UINT32_MAX);
    SAME(ask(&t, 6, 0), 4, 0, 0, 0); /* ARAT, though this host does not say so */
    for (uint32_t leaf = 3; leaf <= 0xc; leaf++)
        if (leaf != 4 && leaf != 6 && leaf != 7 && leaf != 0xb)
            ZERO(&t, leaf, 0);
}

static void test_skylake_extended(void **state)
{
    struct cpuid_table t;
    (void)state;
    BUILD(&t, skylake, &everything);
    SAME(ask(&t, 0x80000000, 0), 0x80000008, 0, 0, 0);
    SAME(ask(&t, 0x80000001, 0), 0, 0, 0x121, 0x2c100800);
    SAME(ask(&t, 0x80000002, 0), 0x65746e49, 0x2952286c, 0x6f655820, 0x2952286e);
    SAME(ask(&t, 0x80000004, 7), 0x332e3320, 0x7a484730, 0, 0);
    ZERO(&t, 0x80000005, 0);
    SAME(ask(&t, 0x80000006, 0), 0, 0, 0x01006040, 0);
    SAME(ask(&t, 0x80000007, 0), 0, 0, 0, 0x100);
    SAME(ask(&t, 0x80000008, 0), 0x302e, 0, 0, 0); /* no WBNOINVD, one thread */
}

static void test_sandy_bridge(void **state)
{
    struct cpuid_table t;
    (void)state;
    BUILD(&t, sandy_bridge, &only_avx);
    assert_false(asked_too_much);
    SAME(ask(&t, 0, 0), 0xd, GENUINE);
    SAME(ask(&t, 1, 0), 0x206a7, 0x00010800, 0x97ba2203, 0x0f8bfbff);
    SAME(ask(&t, 4, 3), 0x163, 0x03c0003f, 0x1fff, 6);
    SAME(ask(&t, 7, 0), 0, 2, 0, 0); /* TSC_ADJUST is ours */
    SAME(ask(&t, 0xd, 0), 7, 0x240, 0x340, 0);
    SAME(ask(&t, 0xd, 1), 1, 0, 0, 0); /* XSAVEOPT, nothing compacted: no size */
    SAME(ask(&t, 0x80000001, 0), 0, 0, 1, 0x28100800);
    SAME(ask(&t, 0x80000008, 0), 0x3024, 0, 0, 0);
}

static void test_hypervisor_leaves(void **state)
{
    struct cpuid_table t;
    struct cpuid_regs r;
    char name[13] = "";
    (void)state;
    BUILD(&t, skylake, &everything);
    r = ask(&t, 0x40000000, 0);
    assert_int_equal(r.eax, 0x40000010);
    memcpy(name, &r.ebx, 4);
    memcpy(name + 4, &r.ecx, 4);
    memcpy(name + 8, &r.edx, 4);
    assert_string_equal(name, "PlinthPlinth");
    SAME(ask(&t, 0x40000001, 0), PLINTH_ABI_VERSION, PLINTH_FEATURE_SLEEP, 0, 0);
    SAME(ask(&t, 0x40000010, 3), 3300000, 3300000, 0, 0);
    for (uint32_t leaf = 0x40000002; leaf < 0x40000100; leaf++)
        if (leaf != 0x40000010)
            ZERO(&t, leaf, 0);
}

static void test_above_the_maximum(void **state)
{
    struct cpuid_table t;
    (void)state;
    const uint32_t leaves[] = {0xe,        0x15,       0x1f,       0x20,       0x3fffffff,
                               0x40000102, 0x7fffffff, 0x80000009, 0x8000001f, 0xc0000000,
                               UINT32_MAX};
    BUILD(&t, skylake, &everything);
    for (size_t i = 0; i < ARRAY_LEN(leaves); i++)
        for (uint32_t subleaf = 0; subleaf < 10; subleaf++) {
            struct cpuid_regs want = ask(&t, 0xd, subleaf);
            SAME(ask(&t, leaves[i], subleaf), want.eax, want.ebx, want.ecx, want.edx);
        }
    assert_int_equal(ask(&t, 0x20, 2).eax, 0x100);
}

static void test_xsave_sizes(void **state)
{
    struct cpuid_table t;
    struct cpuid_regs r;
    (void)state;
    const struct {
        uint64_t xcr0;
        uint32_t standard, compacted;
    } sizes[] = {
        {0x1, 0x240, 0x240},  {0x3, 0x240, 0x240},  {0x7, 0x340, 0x340}, {0xe7, 0xa80, 0x980},
        {0x27, 0x480, 0x380}, {0, 0x240, 0x240},    {UINT64_MAX, 0xa80, 0x980},
    };
    BUILD(&t, skylake, &everything);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct cpuid_dynamic d = {.xcr0 = sizes[i].xcr0};
        cpuid_look_up(&t, 0xd, 0, &d, &r);
        SAME(r, 0xe7, sizes[i].standard, 0xa80, 0);
        cpuid_look_up(&t, 0xd, 1, &d, &r);
        SAME(r, 0xf, sizes[i].compacted, 0, 0);
    }
    SAME(ask(&t, 0xd, 2), 0x100, 0x240, 0, 0);
    ZERO(&t, 0xd, 3); /* MPX is not offered */
    ZERO(&t, 0xd, 4);
    SAME(ask(&t, 0xd, 7), 0x400, 0x680, 0, 0);
    ZERO(&t, 0xd, 8); /* nor supervisor state */
    ZERO(&t, 0xd, 9);
    ZERO(&t, 0xd, 63);
    ZERO(&t, 0xd, 64);
    ZERO(&t, 0xd, UINT32_MAX);
}

static void align_zmm(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *r)
{
    if (leaf == 0xd && subleaf == 6)
        r->ecx = 6; /* aligned, and an XFD bit that must not show */
    if (leaf == 0xd && subleaf == 5)
        r->eax = 0x48;
}

static void test_compacted_alignment(void **state)
{
    struct cpuid_table t;
    struct cpuid_regs r;
    struct cpuid_dynamic d = {.xcr0 = 0xe7};
    (void)state;
    patch = align_zmm;
    BUILD(&t, skylake, &everything);
    SAME(ask(&t, 0xd, 6), 0x200, 0x480, 2, 0);
    /* 0x240 + 0x100 (AVX) + 0x48 (mask registers), up to 64, + 0x200 + 0x400 */
    cpuid_look_up(&t, 0xd, 1, &d, &r);
    assert_int_equal(r.ebx, 0x3c0 + 0x600);
}

static void test_dynamic_bits(void **state)
{
    struct cpuid_table t;
    struct cpuid_regs r;
    struct cpuid_dynamic d = {.cr4 = CR4_OSXSAVE, .xcr0 = 7, .apic_id = 0x1c5, .cpus = 1};
    (void)state;
    BUILD(&t, skylake, &everything);
    cpuid_look_up(&t, 1, 0, &d, &r);
    assert_int_equal(r.ecx, 0xf7fa3203 | CPUID_1_ECX_OSXSAVE);
    assert_int_equal(r.ebx, 0xc5010800);
    d.cr4 = ~CR4_OSXSAVE;
    cpuid_look_up(&t, 1, 0, &d, &r);
    assert_int_equal(r.ecx, 0xf7fa3203);
    assert_true(r.edx & BIT(9));
    uint32_t with_apic = r.edx;
    d.apic_off = true;
    cpuid_look_up(&t, 1, 0, &d, &r);
    assert_int_equal(r.edx, with_apic & ~BIT(9));
}

/* --- topology ------------------------------------------------------------------------------- */

/* What software makes of it: bits of the ID within a package, by leaf 0Bh and by the old way. */
static const struct {
    uint32_t cpus, bits;
} topologies[] = {{1, 0}, {2, 1}, {3, 2}, {4, 2}, {5, 3}, {64, 6}};

static void test_topology(void **state)
{
    struct cpuid_table t;
    struct cpuid_regs r;
    (void)state;
    BUILD(&t, skylake, &everything);
    for (size_t i = 0; i < ARRAY_LEN(topologies); i++)
        for (uint32_t id = 0; id < topologies[i].cpus; id++) {
            const uint32_t cpus = topologies[i].cpus, bits = topologies[i].bits;
            const struct cpuid_dynamic d = {.xcr0 = 1, .apic_id = id, .cpus = cpus};
            cpuid_look_up(&t, 0xb, 0, &d, &r);
            SAME(r, 0, 1, 0x100, id); /* one thread a core */
            cpuid_look_up(&t, 0xb, 1, &d, &r);
            SAME(r, bits, cpus, 0x201, id); /* all cores in one package */
            cpuid_look_up(&t, 0xb, 2, &d, &r);
            SAME(r, 0, 0, 2, id); /* no more levels */
            cpuid_look_up(&t, 0xb, 0x1ff, &d, &r);
            SAME(r, 0, 0, 0xff, id);
            assert_true(id >> bits == 0); /* the package's number is 0 */
            cpuid_look_up(&t, 1, 0, &d, &r);
            assert_int_equal(r.ebx, id << 24 | cpus << 16 | 0x800);
            assert_int_equal((r.edx & BIT(28)) != 0, cpus > 1);
        }
}

/* Leaf 4: IDs reserved for cores in the package; each cache is one core's. */
static void test_caches_and_topology(void **state)
{
    struct cpuid_table t;
    struct cpuid_regs r;
    (void)state;
    BUILD(&t, skylake, &everything);
    for (size_t i = 0; i < ARRAY_LEN(topologies); i++) {
        const struct cpuid_dynamic d = {.xcr0 = 1, .cpus = topologies[i].cpus};
        for (uint32_t subleaf = 0; subleaf < 4; subleaf++) {
            cpuid_look_up(&t, 4, subleaf, &d, &r);
            assert_int_equal(r.eax >> 26, (1u << topologies[i].bits) - 1);
            assert_int_equal(r.eax >> 14 & 0xfff, 0);
            assert_int_equal(r.eax & 0x3fff, skylake[4 + subleaf].regs.eax & 0x3fff);
            assert_int_equal(r.ebx, skylake[4 + subleaf].regs.ebx);
        }
        cpuid_look_up(&t, 4, 4, &d, &r); /* the list's end stays one */
        SAME(r, 0, 0, 0, 0);
    }
}

/* IDs of the x2APIC have 32 bits, leaf 1 shows eight. */
static void test_wide_ids(void **state)
{
    struct cpuid_table t;
    struct cpuid_regs r;
    const struct cpuid_dynamic d = {.xcr0 = 1, .apic_id = 0x12345678, .cpus = 2};
    (void)state;
    BUILD(&t, skylake, &everything);
    cpuid_look_up(&t, 0xb, 1, &d, &r);
    assert_int_equal(r.edx, 0x12345678);
    cpuid_look_up(&t, 1, 0, &d, &r);
    assert_int_equal(r.ebx, 0x78020800);
}

static void test_pvclock_leaves(void **state)
{
    struct cpuid_table t;
    struct cpuid_regs r;
    char name[13] = "............";
    (void)state;
    BUILD(&t, sandy_bridge, &only_avx);
    for (uint32_t subleaf = 0; subleaf < 3; subleaf++) {
        r = ask(&t, 0x40000100, subleaf);
        assert_int_equal(r.eax, 0x40000101);
        memcpy(name, &r.ebx, 4);
        memcpy(name + 4, &r.ecx, 4);
        memcpy(name + 8, &r.edx, 4);
        assert_memory_equal(name, "KVMKVMKVM\0\0\0", 12);
        /* NOP_IO_DELAY, CLOCKSOURCE2, STEAL_TIME, STABLE_BIT; not the old clock's MSRs (bit 0). */
        SAME(ask(&t, 0x40000101, subleaf), BIT(1) | BIT(3) | BIT(5) | BIT(24), 0, 0, 0);
    }
    /* Hypervisors are looked for from 40000000h on: the first is Plinth. */
    assert_int_equal(ask(&t, 0x40000000, 0).ebx, 0x6e696c50);
}

/* --- policies ------------------------------------------------------------------------------- */

static void test_without_controls(void **state)
{
    struct cpuid_table t;
    (void)state;
    const struct cpuid_features none = {.xcr0 = 3};
    BUILD(&t, skylake, &none);
    assert_false(ask(&t, 0x80000001, 0).edx & CPUID_80000001_EDX_RDTSCP);
    assert_false(ask(&t, 7, 0).ebx & CPUID_7_EBX_INVPCID);
    assert_int_equal(ask(&t, 0xd, 1).eax, 5); /* XSAVEOPT, XGETBV with ECX = 1 */
    /* No AVX, FMA, F16C, AVX2, AVX-512; but XSAVE. */
    assert_int_equal(ask(&t, 1, 0).ecx & (BIT(28) | BIT(12) | BIT(29)), 0);
    assert_true(ask(&t, 1, 0).ecx & CPUID_1_ECX_XSAVE);
    assert_int_equal(ask(&t, 7, 0).ebx, 0xd19f27eb & ~UINT32_C(0xd0030420));
    SAME(ask(&t, 0xd, 0), 3, 0x240, 0x240, 0);
    ZERO(&t, 0xd, 2);
}

static void test_without_xsave(void **state)
{
    struct cpuid_table t;
    struct cpuid_regs r;
    struct cpuid_dynamic d = {.cr4 = CR4_OSXSAVE, .xcr0 = 1};
    (void)state;
    struct cpuid_features f = everything;
    f.xcr0 = 0;
    BUILD(&t, skylake, &f);
    cpuid_look_up(&t, 1, 0, &d, &r);
    assert_int_equal(r.ecx & (CPUID_1_ECX_XSAVE | CPUID_1_ECX_OSXSAVE | CPUID_1_ECX_AVX), 0);
    for (uint32_t i = 0; i < 70; i++)
        ZERO(&t, 0xd, i);
    assert_false(cpuid_cr4_bits(&t) & CR4_OSXSAVE);
}

/* Everything a host can claim: all bits set in every leaf that it has. */
static void claim_all(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *r)
{
    (void)subleaf;
    if (leaf == 0)
        r->eax = 0x20;
    else if (leaf == 0x80000000)
        r->eax = 0x80000021;
    else if (leaf == 7 && subleaf == 0)
        *r = (struct cpuid_regs){2, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    else
        *r = (struct cpuid_regs){UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
}

static void claim_nothing(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *r)
{
    (void)leaf;
    (void)subleaf;
    *r = (struct cpuid_regs){0};
}

static void test_hidden_on_any_host(void **state)
{
    struct cpuid_table t;
    (void)state;
    patch = claim_all;
    BUILD(&t, skylake, &everything);
    struct cpuid_regs one = ask(&t, 1, 0), seven = ask(&t, 7, 0);
    /* MONITOR, VMX, SMX, PDCM, the reserved bit 16, OSXSAVE */
    assert_int_equal(one.ecx & (BIT(3) | BIT(5) | BIT(6) | BIT(15) | BIT(16) | BIT(27)), 0);
    /* reserved, PSN, reserved, DS, ACPI, HTT, TM, IA64, PBE */
    assert_int_equal(one.edx & (BIT(10) | BIT(18) | BIT(20) | BIT(21) | BIT(22) | BITS(31, 28)), 0);
    /* SGX, HLE, RTM, RDT, MPX, PT */
    assert_int_equal(seven.ebx & (BIT(2) | BIT(4) | BIT(11) | BIT(12) | BIT(14) | BIT(15) |
                                  BIT(25)), 0);
    /* PKU, OSPKE, WAITPKG, CET, TME, LA57, MAWAU, KL, bus lock, ENQCMD, SGX_LC, PKS */
    assert_int_equal(seven.ecx & (BITS(5, 3) | BIT(7) | BIT(13) | BITS(21, 16) | BITS(24, 23) |
                                  BITS(31, 29)), 0);
    /* UINTR, RTM's, PCONFIG, LBR, IBT, AMX, CORE_CAPABILITIES */
    assert_int_equal(seven.edx & (BIT(5) | BIT(11) | BIT(13) | BITS(20, 15) | BIT(22) |
                                  BITS(25, 24) | BIT(30)), 0);
    assert_int_equal(ask(&t, 0xd, 1).eax, 0xf);
    assert_int_equal(ask(&t, 0x80000001, 0).ecx, 0x121);
    assert_int_equal(ask(&t, 0x80000001, 0).edx, 0x2c100800);
    assert_int_equal(ask(&t, 0x80000007, 0).edx, 0x100);
    SAME(ask(&t, 0x80000008, 0), 0xffff, 0, 0, 0);
    SAME(ask(&t, 6, 0), 4, 0, 0, 0); /* ARAT */
    /* The last subleaf is named by subleaf 0; of 2, nothing but bits of IA32_SPEC_CTRL. */
    assert_int_equal(seven.eax, 2);
    SAME(ask(&t, 7, 2), 0, 0, 0, 0x3f);
    assert_int_equal(ask(&t, 7, 1).eax & BITS(7, 0), 0xbf); /* no LASS */
    assert_int_equal(ask(&t, 7, 1).ebx | ask(&t, 7, 1).ecx | ask(&t, 7, 1).edx, 0);
    ZERO(&t, 7, 3);
}

static void test_empty_host(void **state)
{
    struct cpuid_table t;
    (void)state;
    patch = claim_nothing;
    BUILD(&t, skylake, &everything);
    SAME(ask(&t, 0, 0), 0xb, 0, 0, 0); /* the topology leaf is ours */
    /* The hypervisor bit, X2APIC, TSC_DEADLINE; APIC and MTRR: emulated on any host. */
    SAME(ask(&t, 1, 0), 0, 0x10000, BIT(31) | BIT(24) | BIT(21), BIT(12) | BIT(9));
    SAME(ask(&t, 0xb, 0), 0, 1, 0x100, 0);
    SAME(ask(&t, 0x80000000, 0), 0, 1, 0x100, 0); /* no such leaf: as leaf 0Bh */
    SAME(ask(&t, 0xd, 0), 0, 1, 0x100, 0);
    for (uint32_t leaf = 2; leaf < 0xb; leaf++)
        SAME(ask(&t, leaf, 0), leaf == 6 ? 4 : 0, leaf == 7 ? 2 : 0, 0, 0);
    assert_int_equal(ask(&t, 0x40000000, 0).eax, 0x40000010);
    assert_int_equal(cpuid_cr4_bits(&t), 0);
}

/* Everything, but few leaves. */
static uint32_t few_basic, few_extended;

static void claim_few_leaves(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *r)
{
    claim_all(leaf, subleaf, r);
    if (leaf == 0)
        r->eax = few_basic;
    if (leaf == 0x80000000)
        r->eax = few_extended;
    if (leaf == 7 && subleaf == 0)
        r->eax = 0;
}

static void test_few_leaves(void **state)
{
    struct cpuid_table t;
    (void)state;
    patch = claim_few_leaves;
    few_basic = 4;
    few_extended = 0x80000001;
    BUILD(&t, skylake, &everything);
    assert_int_equal(ask(&t, 0, 0).eax, 0xb);
    /* No leaf 0Dh, no XSAVE and nothing that needs it. */
    assert_int_equal(ask(&t, 1, 0).ecx & (CPUID_1_ECX_XSAVE | CPUID_1_ECX_AVX), 0);
    SAME(ask(&t, 4, 0), 0x3fff, UINT32_MAX, UINT32_MAX, UINT32_MAX);
    ZERO(&t, 5, 0);
    SAME(ask(&t, 7, 0), 0, 2, 0, 0); /* not the host's */
    SAME(ask(&t, 0xd, 0), 0, 1, 0x100, 0); /* as leaf 0Bh */
    SAME(ask(&t, 0x80000000, 0), 0x80000001, 0, 0, 0);
    SAME(ask(&t, 0x80000008, 0), 0, 1, 0x100, 0);
    few_basic = 7;
    BUILD(&t, skylake, &everything);
    assert_int_equal(ask(&t, 7, 0).eax, 0); /* the host has no subleaf 1 */
    ZERO(&t, 7, 1);
    assert_true(ask(&t, 7, 0).ebx & CPUID_7_EBX_SMEP);
    for (uint32_t i = 2; i < CPUID_EXTENDED_LEAVES; i++) {
        const struct cpuid_regs *r = &t.extended[i];
        assert_int_equal(r->eax | r->ebx | r->ecx | r->edx, 0);
    }
}

/* --- prerequisites -------------------------------------------------------------------------- */

struct row {
    uint32_t leaf, subleaf;
    char reg; /* 'A' to 'D' */
    unsigned bit;
    const char *name, *policy, *why;
};

#define LETTER_EAX 'A'
#define LETTER_EBX 'B'
#define LETTER_ECX 'C'
#define LETTER_EDX 'D'
static const struct row rows[] = {
#define FEATURE(leaf, subleaf, reg, bit, name, policy, why) \
    {leaf, subleaf, LETTER_##reg, bit, #name, #policy, why},
#include "core/cpuid.def"
};

static const struct {
    const char *name, *other;
} needs[] = {
#define NEEDS(name, other) {#name, #other},
#include "core/cpuid.def"
};

static const struct row *row_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (str_eq(rows[i].name, name))
            return &rows[i];
    fail_msg("no row %s", name);
    return NULL;
}

/* As a guest with the whole of its CR4 and two vCPUs sees it. */
static bool shown(const struct cpuid_table *t, const struct row *r)
{
    struct cpuid_dynamic d = {.cr4 = UINT64_MAX, .xcr0 = 7, .cpus = 2};
    struct cpuid_regs x;
    cpuid_look_up(t, r->leaf, r->subleaf, &d, &x);
    const uint32_t reg[] = {x.eax, x.ebx, x.ecx, x.edx};
    return reg[r->reg - 'A'] & BIT(r->bit);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_true(rows[i].bit < 32);
        assert_true(strlen(rows[i].why) > 5);
        for (size_t j = i + 1; j < ARRAY_LEN(rows); j++) {
            assert_string_not_equal(rows[i].name, rows[j].name);
            if (rows[i].leaf == rows[j].leaf && rows[i].subleaf == rows[j].subleaf &&
                rows[i].reg == rows[j].reg && rows[i].bit == rows[j].bit)
                fail_msg("%s and %s are one bit", rows[i].name, rows[j].name);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(needs); i++)
        for (size_t j = i; j < ARRAY_LEN(needs); j++)
            if (str_eq(needs[i].other, needs[j].name))
                fail_msg("NEEDS(%s, ...) stands below a row that asks for it", needs[i].other);
}

/* By policy: which rows must have a prerequisite at all, and which one leads to the root. */
static void test_every_dependent_row_needs(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *p = rows[i].policy, *root = NULL;
        bool found = false;
        if (str_eq(p, "IF_AVX512") && !str_eq(rows[i].name, "AVX512F"))
            root = "AVX512";
        else if (str_eq(p, "IF_AVX") && !str_eq(rows[i].name, "AVX"))
            root = "AVX";
        else if (str_eq(p, "IF_XSAVES") ||
                 (str_eq(p, "IF_XSAVE") && !str_eq(rows[i].name, "XSAVE")))
            root = "XSAVE";
        for (size_t j = 0; root && j < ARRAY_LEN(needs); j++)
            if (str_eq(needs[j].name, rows[i].name) && str_starts(needs[j].other, root))
                found = true;
        if (root && !found)
            fail_msg("%s: no NEEDS row that leads to %s", rows[i].name, root);
    }
}

static const struct row *without;

static void claim_all_but_one(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *r)
{
    claim_all(leaf, subleaf, r);
    if (leaf != without->leaf || subleaf != without->subleaf)
        return;
    uint32_t *reg[] = {&r->eax, &r->ebx, &r->ecx, &r->edx};
    *reg[without->reg - 'A'] &= ~(uint32_t)BIT(without->bit);
}

/* Without any one feature, whatever needs it, through any number of steps, is hidden too. */
static void test_no_prerequisite_is_missing(void **state)
{
    struct cpuid_table t;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        without = &rows[i];
        patch = claim_all_but_one;
        BUILD(&t, skylake, &everything);
        /* OSXSAVE is the vCPU's own and not the host's. */
        if (!str_eq(rows[i].policy, "ALWAYS") && !str_eq(rows[i].policy, "DYNAMIC"))
            assert_false(shown(&t, without));
        for (size_t j = 0; j < ARRAY_LEN(needs); j++)
            if (shown(&t, row_of(needs[j].name)) && !shown(&t, row_of(needs[j].other)))
                fail_msg("host without %s: %s is shown without %s", without->name, needs[j].name,
                         needs[j].other);
    }
    /* A chain of five, written out. */
    without = row_of("FXSR");
    BUILD(&t, skylake, &everything);
    const char *const gone[] = {"SSE", "SSE4_2", "AESNI", "XSAVE", "OSXSAVE", "XSAVES", "AVX",
                                "FMA", "AVX2", "VAES", "AVX512F", "AVX512_FP16", "SHA"};
    for (size_t i = 0; i < ARRAY_LEN(gone); i++)
        assert_false(shown(&t, row_of(gone[i])));
    assert_true(shown(&t, row_of("BMI1")));
}

static void test_policies_of_rows(void **state)
{
    struct cpuid_table t;
    (void)state;
    patch = claim_all;
    BUILD(&t, skylake, &everything);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (shown(&t, &rows[i]) != !str_eq(rows[i].policy, "HIDE"))
            fail_msg("%s is %s", rows[i].name, rows[i].policy);
    const struct cpuid_features nothing = {0};
    BUILD(&t, skylake, &nothing);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (shown(&t, &rows[i]) !=
            (str_eq(rows[i].policy, "HOST") || str_eq(rows[i].policy, "ALWAYS") ||
             str_eq(rows[i].name, "HTT"))) /* the VM has two vCPUs; OSXSAVE needs XSAVE */
            fail_msg("%s is %s, with nothing offered", rows[i].name, rows[i].policy);
}

/* --- CR4 ------------------------------------------------------------------------------------ */

static void test_cr4(void **state)
{
    struct cpuid_table t;
    (void)state;
    const uint64_t common = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE |
                            CR4_PGE | CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_PCIDE |
                            CR4_OSXSAVE;
    BUILD(&t, sandy_bridge, &only_avx);
    assert_int_equal(cpuid_cr4_bits(&t), common);
    BUILD(&t, skylake, &everything);
    assert_int_equal(cpuid_cr4_bits(&t), common | CR4_FSGSBASE | CR4_SMEP | CR4_SMAP);
    patch = claim_all;
    BUILD(&t, skylake, &everything);
    assert_int_equal(cpuid_cr4_bits(&t), common | CR4_FSGSBASE | CR4_SMEP | CR4_SMAP | CR4_UMIP);
    /* A bit goes with its feature. */
    patch = claim_all_but_one;
    without = row_of("SMAP");
    BUILD(&t, skylake, &everything);
    assert_int_equal(cpuid_cr4_bits(&t), common | CR4_FSGSBASE | CR4_SMEP | CR4_UMIP);
    without = row_of("PGE"); /* and PCID needs PGE */
    BUILD(&t, skylake, &everything);
    assert_int_equal(cpuid_cr4_bits(&t) & (CR4_PGE | CR4_PCIDE), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_skylake, reset),
        cmocka_unit_test_setup(test_skylake_extended, reset),
        cmocka_unit_test_setup(test_sandy_bridge, reset),
        cmocka_unit_test_setup(test_hypervisor_leaves, reset),
        cmocka_unit_test_setup(test_above_the_maximum, reset),
        cmocka_unit_test_setup(test_xsave_sizes, reset),
        cmocka_unit_test_setup(test_compacted_alignment, reset),
        cmocka_unit_test_setup(test_dynamic_bits, reset),
        cmocka_unit_test_setup(test_topology, reset),
        cmocka_unit_test_setup(test_caches_and_topology, reset),
        cmocka_unit_test_setup(test_wide_ids, reset),
        cmocka_unit_test_setup(test_pvclock_leaves, reset),
        cmocka_unit_test_setup(test_without_controls, reset),
        cmocka_unit_test_setup(test_without_xsave, reset),
        cmocka_unit_test_setup(test_hidden_on_any_host, reset),
        cmocka_unit_test_setup(test_empty_host, reset),
        cmocka_unit_test_setup(test_few_leaves, reset),
        cmocka_unit_test_setup(test_rows, reset),
        cmocka_unit_test_setup(test_every_dependent_row_needs, reset),
        cmocka_unit_test_setup(test_no_prerequisite_is_missing, reset),
        cmocka_unit_test_setup(test_policies_of_rows, reset),
        cmocka_unit_test_setup(test_cr4, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
