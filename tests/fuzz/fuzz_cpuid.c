/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/cpuid.c on hosts made of random leaves: whatever a host claims, a guest never sees what is
 * not offered, never a feature without what it needs, and look-ups of any leaf stay inside the
 * table. Input: what the backend offers (10 bytes; the first says how many vCPUs, too), what the
 * vCPU holds (17), then leaves of 24 bytes: leaf, subleaf, EAX, EBX, ECX, EDX.
 */
#include <stdlib.h>

#include "arch/x86/cr.h"
#include "core/cpuid.h"
#include "core/lib/string.h"

#define HEAD       27
#define LEAF_BYTES 24

static const uint8_t *leaves;
static size_t leaf_count;

#define CHECK(x) ((x) ? (void)0 : abort())

/* The last leaf that matches wins. One that is not in the input reads as ones: it claims most. */
static void host(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
{
    *out = (struct cpuid_regs){UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    if (leaf == 0)
        out->eax = 0x20;
    if (leaf == 0x80000000)
        out->eax = 0x80000021;
    for (size_t i = 0; i < leaf_count; i++) {
        uint32_t key[2];
        memcpy(key, leaves + i * LEAF_BYTES, sizeof(key));
        if (key[0] == leaf && key[1] == subleaf)
            memcpy(out, leaves + i * LEAF_BYTES + sizeof(key), sizeof(*out));
    }
}

enum { REG_EAX, REG_EBX, REG_ECX, REG_EDX };
enum policy { HOST, HIDE, IF_RDTSCP, IF_INVPCID, IF_XSAVES, IF_XSAVE, IF_AVX, IF_AVX512, DYNAMIC,
              ALWAYS };

enum feature {
#define FEATURE(leaf, subleaf, reg, bit, name, policy, why) FEATURE_##name,
#include "core/cpuid.def"
    FEATURE_COUNT
};

static const struct {
    uint32_t leaf, subleaf;
    unsigned reg, bit;
    enum policy policy;
} rows[] = {
#define FEATURE(leaf, subleaf, reg, bit, name, policy, why) \
    {leaf, subleaf, REG_##reg, bit, policy},
#include "core/cpuid.def"
};

static const struct {
    enum feature name, other;
} needs[] = {
#define NEEDS(name, other) {FEATURE_##name, FEATURE_##other},
#include "core/cpuid.def"
};

static const struct cpuid_table *table;
static struct cpuid_dynamic dynamic;

static uint32_t reg_of(uint32_t leaf, uint32_t subleaf, unsigned reg)
{
    struct cpuid_regs r;
    cpuid_look_up(table, leaf, subleaf, &dynamic, &r);
    const uint32_t regs[] = {r.eax, r.ebx, r.ecx, r.edx};
    return regs[reg];
}

/* A leaf above the maximum answers as another: its features do not count. The table says where it
 * ends, since leaf 80000000h itself may be one that does not exist. */
static bool shown(enum feature f)
{
    uint32_t leaf = rows[f].leaf;
    if (leaf & 0x80000000 ? leaf - 0x80000000 >= table->extended_count : leaf > table->max_basic)
        return false;
    return reg_of(rows[f].leaf, rows[f].subleaf, rows[f].reg) & BIT(rows[f].bit);
}

static void check_rows(const struct cpuid_features *f)
{
    for (unsigned i = 0; i < FEATURE_COUNT; i++) {
        bool on = shown((enum feature)i);
        CHECK(!on || rows[i].policy != HIDE);
        CHECK(!on || rows[i].policy != IF_RDTSCP || f->rdtscp);
        CHECK(!on || rows[i].policy != IF_INVPCID || f->invpcid);
        CHECK(!on || rows[i].policy != IF_XSAVES || f->xsaves);
        CHECK(!on || rows[i].policy != IF_XSAVE || f->xcr0);
        CHECK(!on || rows[i].policy != IF_AVX || (f->xcr0 & 6) == 6);
        CHECK(!on || rows[i].policy != IF_AVX512 || (f->xcr0 & 0xe6) == 0xe6);
        CHECK(on || rows[i].policy != ALWAYS);
    }
    for (size_t i = 0; i < ARRAY_LEN(needs); i++)
        CHECK(!shown(needs[i].name) || shown(needs[i].other));
    CHECK(!shown(FEATURE_OSXSAVE) || (shown(FEATURE_XSAVE) && (dynamic.cr4 & CR4_OSXSAVE)));
}

static void check_numbers(const struct cpuid_features *f)
{
    uint32_t last = reg_of(0, 0, REG_EAX);
    CHECK(last >= 0xb && last <= 0xd);
    if (last == 0xd) {
        uint64_t offered = reg_of(0xd, 0, REG_EAX) | (uint64_t)reg_of(0xd, 0, REG_EDX) << 32;
        CHECK(offered == 0 || offered == f->xcr0);
        CHECK(!offered == !shown(FEATURE_XSAVE));
        for (uint32_t i = 2; i < 70; i++)
            CHECK((i < 64 && (offered & BIT(i))) ||
                  !(reg_of(0xd, i, REG_EAX) | reg_of(0xd, i, REG_EBX) | reg_of(0xd, i, REG_ECX)));
    }
    CHECK(reg_of(0x40000000, 0, REG_EAX) == 0x40000010);
    CHECK(reg_of(0x40000010, 0, REG_EAX) == f->tsc_khz);
    CHECK(reg_of(0x40000100, 0, REG_EBX) == 0x4b4d564b);
    /* What a guest may set in CR4 goes with a feature, and some never. */
    uint64_t cr4 = cpuid_cr4_bits(table);
    CHECK(!(cr4 & (CR4_VMXE | CR4_SMXE | CR4_PKE | CR4_CET | CR4_PKS | CR4_LA57 | BITS(63, 25))));
    CHECK(!(cr4 & CR4_OSXSAVE) == !shown(FEATURE_XSAVE));
    CHECK(!(cr4 & CR4_PCIDE) == !shown(FEATURE_PCID));
    CHECK(!(cr4 & CR4_SMAP) == !shown(FEATURE_SMAP));
}

/* However software counts CPUs, it finds as many as the VM has. */
static void check_topology(void)
{
    uint32_t cpus = dynamic.cpus, bits = reg_of(0xb, 1, REG_EAX);
    CHECK(reg_of(1, 0, REG_EBX) >> 24 == (dynamic.apic_id & 0xff));
    CHECK((reg_of(1, 0, REG_EBX) >> 16 & 0xff) == cpus);
    CHECK(shown(FEATURE_HTT) == (cpus > 1));
    CHECK(BIT(bits) >= cpus && (bits == 0 || BIT(bits - 1) < cpus));
    CHECK(reg_of(0xb, 1, REG_EBX) == cpus);
    CHECK(reg_of(0xb, 0, REG_EAX) == 0 && reg_of(0xb, 0, REG_EBX) == 1);
    for (uint32_t i = 0; i < 4; i++) {
        CHECK(reg_of(0xb, i, REG_EDX) == dynamic.apic_id);
        CHECK((reg_of(0xb, i, REG_ECX) & 0xff) == i);
    }
    for (uint32_t i = 0; i < 10; i++) {
        uint32_t eax = reg_of(4, i, REG_EAX);
        CHECK(!(eax & BITS(25, 14)));
        CHECK(eax >> 26 == (eax & BITS(4, 0) ? BIT(bits) - 1 : 0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cpuid_table t;
    struct cpuid_features f = {0};
    uint32_t probe[2];
    if (size < HEAD)
        return 0;
    f.rdtscp = data[0] & 1;
    f.invpcid = data[0] & 2;
    f.xsaves = data[0] & 4;
    f.tsc_khz = (uint32_t)data[1] * 100000;
    memcpy(&f.xcr0, data + 2, sizeof(f.xcr0));
    dynamic.apic_id = data[10];
    dynamic.cpus = 1 + (data[0] >> 3) * 2 + data[1] % 2; /* 1 to 64 */
    memcpy(&dynamic.cr4, data + 11, sizeof(dynamic.cr4));
    memcpy(&dynamic.xcr0, data + 19, sizeof(dynamic.xcr0));
    leaves = data + HEAD;
    leaf_count = (size - HEAD) / LEAF_BYTES;
    table = &t;
    cpuid_build(&t, host, &f);
    check_rows(&f);
    check_numbers(&f);
    check_topology();
    /* The leaves of the input once more, as a guest would ask for them. */
    for (size_t i = 0; i < leaf_count; i++) {
        memcpy(probe, leaves + i * LEAF_BYTES, sizeof(probe));
        (void)reg_of(probe[0], probe[1], REG_EAX);
    }
    return 0;
}
