/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Builds the guests' CPUID from a host's and from the rows of cpuid.def, and looks it up. PURE.
 * Works by adding: the table starts empty and only what a rule names gets in, so that a leaf or a
 * bit of a future CPU stays hidden until somebody has judged it.
 */
#include "core/cpuid.h"

#include "arch/x86/cr.h"
#include "arch/x86/regs.h"
#include "core/abi/plinth.h"
#include "core/lib/string.h"
#include "core/pvclock.h"

#define BASIC_LAST        0xdu /* what is above this no guest sees */
#define EXTENDED_BASE     0x80000000u
#define HYPERVISOR_RANGE  0x100u

#define LEAF_CACHES       4u
#define LEAF_FEATURES     7u
#define LEAF_TOPOLOGY     0xbu
#define LEAF_XSAVE        0xdu

/* Leaf 0Dh: the legacy region and the header come before the first component. */
#define XSAVE_EXTENDED    576u
#define XSAVE_ALIGN       64u
#define XSAVE_ECX_ALIGNED BIT(1)

/* The registers that hold feature bits, and where the table keeps each. */
enum word {
    WORD_0x1_0_ECX,
    WORD_0x1_0_EDX,
    WORD_0x6_0_EAX,
    WORD_0x6_0_ECX,
    WORD_0x7_0_EBX,
    WORD_0x7_0_ECX,
    WORD_0x7_0_EDX,
    WORD_0x7_1_EAX,
    WORD_0x7_2_EDX,
    WORD_0xd_1_EAX,
    WORD_0x80000001_0_ECX,
    WORD_0x80000001_0_EDX,
    WORD_0x80000007_0_EDX,
    WORD_0x80000008_0_EBX,
    WORD_COUNT
};

static const struct {
    uint32_t leaf, subleaf;
    uint16_t reg;   /* offset in struct cpuid_regs */
    uint16_t place; /* offset in struct cpuid_table */
} words[] = {
#define WORD(leaf, subleaf, r, where) \
    {leaf, subleaf, offsetof(struct cpuid_regs, r), offsetof(struct cpuid_table, where.r)}
    [WORD_0x1_0_ECX] = WORD(1, 0, ecx, basic[1]),
    [WORD_0x1_0_EDX] = WORD(1, 0, edx, basic[1]),
    [WORD_0x6_0_EAX] = WORD(6, 0, eax, basic[6]),
    [WORD_0x6_0_ECX] = WORD(6, 0, ecx, basic[6]),
    [WORD_0x7_0_EBX] = WORD(7, 0, ebx, features[0]),
    [WORD_0x7_0_ECX] = WORD(7, 0, ecx, features[0]),
    [WORD_0x7_0_EDX] = WORD(7, 0, edx, features[0]),
    [WORD_0x7_1_EAX] = WORD(7, 1, eax, features[1]),
    [WORD_0x7_2_EDX] = WORD(7, 2, edx, features[2]),
    [WORD_0xd_1_EAX] = WORD(0xd, 1, eax, xsave[1]),
    [WORD_0x80000001_0_ECX] = WORD(0x80000001, 0, ecx, extended[1]),
    [WORD_0x80000001_0_EDX] = WORD(0x80000001, 0, edx, extended[1]),
    [WORD_0x80000007_0_EDX] = WORD(0x80000007, 0, edx, extended[7]),
    [WORD_0x80000008_0_EBX] = WORD(0x80000008, 0, ebx, extended[8]),
#undef WORD
};
_Static_assert(ARRAY_LEN(words) == WORD_COUNT, "a place for every word");

enum policy {
    POLICY_HOST,
    POLICY_HIDE,
    POLICY_IF_RDTSCP,
    POLICY_IF_INVPCID,
    POLICY_IF_XSAVES,
    POLICY_IF_XSAVE,
    POLICY_IF_AVX,
    POLICY_IF_AVX512,
    POLICY_DYNAMIC,
    POLICY_ALWAYS,
};

enum feature {
#define FEATURE(leaf, subleaf, reg, bit, name, policy, why) FEATURE_##name,
#include "core/cpuid.def"
    FEATURE_COUNT
};

static const struct {
    uint8_t word, bit, policy;
} rows[] = {
#define FEATURE(leaf, subleaf, reg, bit, name, policy, why) \
    {WORD_##leaf##_##subleaf##_##reg, bit, POLICY_##policy},
#include "core/cpuid.def"
};

static const struct {
    uint8_t name, other;
} needs[] = {
#define NEEDS(name, other) {FEATURE_##name, FEATURE_##other},
#include "core/cpuid.def"
};
_Static_assert(FEATURE_COUNT <= 256, "a row's index fits a byte");

/* The host, asked only for what it has: above its maximum a CPU answers with another leaf. */
struct host {
    cpuid_read_fn *read;
    uint32_t last_basic, last_extended; /* 0: no extended leaves */
};

static struct cpuid_regs ask(const struct host *h, uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_regs r = {0};
    if (leaf < EXTENDED_BASE ? leaf <= h->last_basic : leaf <= h->last_extended)
        h->read(leaf, subleaf, &r);
    return r;
}

static struct host host_start(cpuid_read_fn *read)
{
    struct host h = {.read = read};
    struct cpuid_regs r;
    read(0, 0, &r);
    h.last_basic = r.eax < EXTENDED_BASE ? r.eax : 0;
    read(EXTENDED_BASE, 0, &r);
    /* A CPU without extended leaves answers with something else altogether. */
    if ((r.eax & 0xffff0000) == EXTENDED_BASE)
        h.last_extended = r.eax;
    return h;
}

static uint32_t *word_place(struct cpuid_table *t, enum word w)
{
    return (uint32_t *)(void *)((uint8_t *)t + words[w].place);
}

static bool shows(const struct cpuid_table *t, enum feature f)
{
    const void *place = (const uint8_t *)t + words[rows[f].word].place;
    return *(const uint32_t *)place & BIT(rows[f].bit);
}

/* --- feature bits --------------------------------------------------------------------------- */

static bool policy_allows(enum policy p, const struct cpuid_features *f, bool host_has)
{
    const uint64_t avx = XCR0_SSE | XCR0_AVX, avx512 = avx | XCR0_AVX512;
    switch (p) {
    case POLICY_HOST:
        return host_has;
    case POLICY_IF_RDTSCP:
        return host_has && f->rdtscp;
    case POLICY_IF_INVPCID:
        return host_has && f->invpcid;
    case POLICY_IF_XSAVES:
        return host_has && f->xsaves;
    case POLICY_IF_XSAVE:
        return host_has && f->xcr0 != 0;
    case POLICY_IF_AVX:
        return host_has && (f->xcr0 & avx) == avx;
    case POLICY_IF_AVX512:
        return host_has && (f->xcr0 & avx512) == avx512;
    case POLICY_ALWAYS:
        return true;
    case POLICY_HIDE:
    case POLICY_DYNAMIC: /* added at the look-up */
        break;
    }
    return false;
}

static void read_host_words(const struct host *h, uint32_t *word)
{
    uint32_t subleaves = ask(h, LEAF_FEATURES, 0).eax;
    for (unsigned w = 0; w < WORD_COUNT; w++) {
        struct cpuid_regs r = ask(h, words[w].leaf, words[w].subleaf);
        memcpy(&word[w], (const uint8_t *)&r + words[w].reg, sizeof(word[w]));
    }
    if (subleaves < 1)
        word[WORD_0x7_1_EAX] = 0;
    if (subleaves < 2)
        word[WORD_0x7_2_EDX] = 0;
    /* XSAVE without a leaf that describes its area is of no use to anybody. */
    if (h->last_basic < LEAF_XSAVE)
        word[WORD_0x1_0_ECX] &= ~(uint32_t)CPUID_1_ECX_XSAVE;
}

static void build_features(struct cpuid_table *t, const struct host *h,
                           const struct cpuid_features *f)
{
    uint32_t host_word[WORD_COUNT];
    read_host_words(h, host_word);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint32_t bit = (uint32_t)BIT(rows[i].bit);
        if (policy_allows((enum policy)rows[i].policy, f, host_word[rows[i].word] & bit))
            *word_place(t, (enum word)rows[i].word) |= bit;
    }
    for (size_t i = 0; i < ARRAY_LEN(needs); i++)
        if (!shows(t, (enum feature)needs[i].other))
            *word_place(t, (enum word)rows[needs[i].name].word) &=
                ~(uint32_t)BIT(rows[needs[i].name].bit);
}

/* --- whole leaves --------------------------------------------------------------------------- */

/* Leaf 4: each cache as the host has it, but shared by one thread of one core. */
static void build_caches(struct cpuid_table *t, const struct host *h)
{
    for (uint32_t i = 0; i < CPUID_CACHE_SUBLEAVES; i++) {
        struct cpuid_regs r = ask(h, LEAF_CACHES, i);
        if ((r.eax & BITS(4, 0)) == 0)
            break;
        r.eax &= (uint32_t)BITS(13, 0);
        t->caches[i] = r;
    }
}

/* Leaf 0Dh: sizes and offsets are the host's, since the guest runs the host's XSAVE. */
static void build_xsave(struct cpuid_table *t, const struct host *h)
{
    for (uint32_t i = 2; i < CPUID_XSAVE_SUBLEAVES; i++) {
        struct cpuid_regs r;
        if (!(t->xcr0 & BIT(i)))
            continue;
        r = ask(h, LEAF_XSAVE, i);
        t->xsave[i] = (struct cpuid_regs){r.eax, r.ebx, r.ecx & (uint32_t)XSAVE_ECX_ALIGNED, 0};
    }
}

/* Bytes of the XSAVE area for these components, in the standard or in the compacted format. */
static uint32_t xsave_size(const struct cpuid_table *t, uint64_t components, bool compacted)
{
    uint64_t end = XSAVE_EXTENDED;
    for (uint64_t left = t->xcr0 & components & ~BITS(1, 0); left; left &= left - 1) {
        const struct cpuid_regs *c = &t->xsave[__builtin_ctzll(left)];
        if (!compacted)
            end = max_u64(end, (uint64_t)c->ebx + c->eax);
        else
            end = (c->ecx & XSAVE_ECX_ALIGNED ? ALIGN_UP(end, XSAVE_ALIGN) : end) + c->eax;
    }
    return (uint32_t)end;
}

static void build_basic(struct cpuid_table *t, const struct host *h)
{
    struct cpuid_regs r = ask(h, 0, 0);
    t->max_basic = (uint32_t)max_u64(min_u64(h->last_basic, BASIC_LAST), LEAF_TOPOLOGY);
    t->basic[0] = (struct cpuid_regs){t->max_basic, r.ebx, r.ecx, r.edx};
    r = ask(h, 1, 0);
    t->basic[1].eax = r.eax;
    /* Brand index 0, the host's line size for CLFLUSH; the rest is the vCPU's. */
    if (shows(t, FEATURE_CLFLUSH))
        t->basic[1].ebx = r.ebx & (uint32_t)BITS(15, 8);
    t->basic[2] = ask(h, 2, 0);
    build_caches(t, h);
    /* The highest subleaf. */
    t->features[0].eax = t->features[2].edx ? 2 : t->features[1].eax != 0;
    if (!t->xcr0)
        return;
    build_xsave(t, h);
    t->xsave[0] = (struct cpuid_regs){(uint32_t)t->xcr0, 0, xsave_size(t, t->xcr0, false),
                                      (uint32_t)(t->xcr0 >> 32)};
}

static void build_extended(struct cpuid_table *t, const struct host *h)
{
    if (!h->last_extended)
        return;
    uint32_t last = (uint32_t)min_u64(h->last_extended, EXTENDED_BASE + CPUID_EXTENDED_LEAVES - 1);
    t->extended_count = last - EXTENDED_BASE + 1;
    t->extended[0] = ask(h, EXTENDED_BASE, 0);
    t->extended[0].eax = last;
    /* 2 to 4: the brand string; 5 and 6: caches and TLBs. */
    for (uint32_t i = 2; i <= 6; i++)
        t->extended[i] = ask(h, EXTENDED_BASE + i, 0);
    t->extended[8].eax = ask(h, EXTENDED_BASE + 8, 0).eax & (uint32_t)BITS(15, 0);
}

static void build_hypervisor(struct cpuid_table *t, const struct cpuid_features *f)
{
    static const char signature[] = PLINTH_SIGNATURE;
    struct cpuid_regs *base = &t->hypervisor[0];
    _Static_assert(sizeof(signature) == 13, "twelve characters fill three registers");
    base->eax = PLINTH_CPUID_BASE + CPUID_HYPERVISOR_LEAVES - 1;
    memcpy(&base->ebx, signature, 4);
    memcpy(&base->ecx, signature + 4, 4);
    memcpy(&base->edx, signature + 8, 4);
    t->hypervisor[PLINTH_CPUID_ABI - PLINTH_CPUID_BASE] =
        (struct cpuid_regs){.eax = PLINTH_ABI_VERSION, .ebx = PLINTH_FEATURE_SLEEP};
    t->hypervisor[PLINTH_CPUID_FREQUENCY - PLINTH_CPUID_BASE] =
        (struct cpuid_regs){.eax = f->tsc_khz, .ebx = f->tsc_khz}; /* the APIC timer's, too */
}

void cpuid_build(struct cpuid_table *t, cpuid_read_fn *host, const struct cpuid_features *f)
{
    struct host h = host_start(host);
    memset(t, 0, sizeof(*t));
    build_features(t, &h, f);
    t->xcr0 = shows(t, FEATURE_XSAVE) ? f->xcr0 : 0;
    build_basic(t, &h);
    build_extended(t, &h);
    build_hypervisor(t, f);
}

/* --- look-up, on every CPUID exit ----------------------------------------------------------- */

static void look_up_xsave(const struct cpuid_table *t, uint32_t subleaf, uint64_t xcr0,
                          struct cpuid_regs *out)
{
    if (subleaf >= CPUID_XSAVE_SUBLEAVES) {
        *out = (struct cpuid_regs){0};
        return;
    }
    *out = t->xsave[subleaf];
    if (subleaf == 0 && t->xcr0)
        out->ebx = xsave_size(t, xcr0, false);
    /* Defined only where one of the instructions that write the compacted format is offered. */
    if (subleaf == 1 && (shows(t, FEATURE_XSAVEC) || shows(t, FEATURE_XSAVES)))
        out->ebx = xsave_size(t, xcr0, true);
}

/* Bits that the IDs of so many CPUs take. */
static unsigned topology_bits(uint32_t cpus)
{
    unsigned bits = 0;
    while (BIT(bits) < cpus)
        bits++;
    return bits;
}

/* One thread a core, all cores in one package. */
static void look_up_topology(uint32_t subleaf, const struct cpuid_dynamic *d,
                             struct cpuid_regs *out)
{
    static const uint8_t level_type[] = {1, 2}; /* SMT, core */
    *out = (struct cpuid_regs){.ecx = subleaf & 0xff, .edx = d->apic_id};
    if (subleaf >= ARRAY_LEN(level_type))
        return;
    out->ecx |= (uint32_t)level_type[subleaf] << 8;
    out->eax = subleaf ? topology_bits(d->cpus) : 0;
    out->ebx = subleaf ? d->cpus : 1;
}

static void look_up_basic(const struct cpuid_table *t, uint32_t leaf, uint32_t subleaf,
                          const struct cpuid_dynamic *d, struct cpuid_regs *out)
{
    static const struct cpuid_regs none;
    switch (leaf) {
    case 1:
        *out = t->basic[1];
        out->ebx |= d->apic_id << 24 | (d->cpus & 0xff) << 16;
        if (d->cpus > 1)
            out->edx |= (uint32_t)BIT(rows[FEATURE_HTT].bit);
        if ((d->cr4 & CR4_OSXSAVE) && t->xcr0)
            out->ecx |= (uint32_t)BIT(rows[FEATURE_OSXSAVE].bit);
        if (d->apic_off)
            out->edx &= ~(uint32_t)BIT(rows[FEATURE_APIC].bit);
        break;
    case LEAF_CACHES:
        *out = subleaf < CPUID_CACHE_SUBLEAVES ? t->caches[subleaf] : none;
        if (out->eax && d->cpus > 1)
            out->eax |= (uint32_t)(BIT(topology_bits(d->cpus)) - 1) << 26;
        break;
    case LEAF_FEATURES:
        *out = subleaf < CPUID_FEATURE_SUBLEAVES ? t->features[subleaf] : none;
        break;
    case LEAF_TOPOLOGY:
        look_up_topology(subleaf, d, out);
        break;
    case LEAF_XSAVE:
        look_up_xsave(t, subleaf, d->xcr0, out);
        break;
    default:
        *out = t->basic[leaf];
    }
}

/* "KVMKVMKVM": Linux then uses the clock of core/pvclock.c. */
static const struct cpuid_regs pvclock_signature = {
    .eax = PVCLOCK_CPUID_BASE + 1, .ebx = 0x4b4d564b, .ecx = 0x564b4d56, .edx = 0x4d};

void cpuid_look_up(const struct cpuid_table *t, uint32_t leaf, uint32_t subleaf,
                   const struct cpuid_dynamic *d, struct cpuid_regs *out)
{
    static const struct cpuid_regs none;
    if (leaf <= t->max_basic)
        look_up_basic(t, leaf, subleaf, d, out);
    else if (leaf - PLINTH_CPUID_BASE < CPUID_HYPERVISOR_LEAVES)
        *out = t->hypervisor[leaf - PLINTH_CPUID_BASE];
    else if (leaf == PVCLOCK_CPUID_BASE)
        *out = pvclock_signature;
    else if (leaf == PVCLOCK_CPUID_BASE + 1)
        *out = (struct cpuid_regs){.eax = (uint32_t)PVCLOCK_CPUID_FEATURES};
    else if (leaf - PLINTH_CPUID_BASE < HYPERVISOR_RANGE)
        *out = none;
    else if (leaf - EXTENDED_BASE < t->extended_count)
        *out = t->extended[leaf - EXTENDED_BASE];
    else /* as Intel's CPUs do above their maximum */
        look_up_basic(t, t->max_basic, subleaf, d, out);
}

uint64_t cpuid_cr4_bits(const struct cpuid_table *t)
{
    static const struct {
        uint64_t bits;
        uint8_t feature;
    } follows[] = {
        {CR4_VME | CR4_PVI, FEATURE_VME},
        {CR4_TSD, FEATURE_TSC},
        {CR4_DE, FEATURE_DE},
        {CR4_PSE, FEATURE_PSE},
        {CR4_PAE, FEATURE_PAE},
        {CR4_MCE, FEATURE_MCE},
        {CR4_PGE, FEATURE_PGE},
        /* No CPUID bit says RDPMC; CPUs with long mode have it. Here it is #GP at any CPL, so that
         * the bit means nothing, but a guest that sets it must not die of it. */
        {CR4_PCE, FEATURE_LM},
        {CR4_OSFXSR, FEATURE_FXSR},
        {CR4_OSXMMEXCPT, FEATURE_SSE},
        {CR4_UMIP, FEATURE_UMIP},
        {CR4_FSGSBASE, FEATURE_FSGSBASE},
        {CR4_PCIDE, FEATURE_PCID},
        {CR4_OSXSAVE, FEATURE_XSAVE},
        {CR4_SMEP, FEATURE_SMEP},
        {CR4_SMAP, FEATURE_SMAP},
    };
    uint64_t bits = 0;
    for (size_t i = 0; i < ARRAY_LEN(follows); i++)
        if (shows(t, (enum feature)follows[i].feature))
            bits |= follows[i].bits;
    return bits;
}
