/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch/x86/vmx/caps.c: negotiation with the CPU models of Bochs, whose capability MSRs are written
 * down here as they read, and with CPUs from which one thing at a time has been taken away.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "arch/x86/msr.h"
#include "arch/x86/vmx/caps.h"
#include "core/lib/string.h"

/* --- models --------------------------------------------------------------------------------- */

#define WORD(allowed1, allowed0) ((uint64_t)(allowed1) << 32 | (allowed0))

#define EPT_FIRST   UINT64_C(0xf0106114141)
#define EPT_HASWELL UINT64_C(0xf0106334141)
#define EPT_TIGER   UINT64_C(0xf0106b34141)

struct model {
    const char *name;
    uint32_t pin, proc2;
    uint64_t ept_vpid;
    uint32_t exit, entry;
    bool true_controls;
    bool runs, ept_1g, ept_ad;
};

static const struct model models[] = {
    {"core2_penryn_t9600", 0x3f, 0x41, 0, 0x3ffff, 0x3fff, false, false, false, false},
    {"corei5_lynnfield_750", 0x7f, 0x7f, EPT_FIRST, 0x7fffff, 0xffff, true, false, false, false},
    {"corei5_arrandale_m520", 0x7f, 0xff, EPT_FIRST, 0x7fffff, 0xffff, true, true, false, false},
    {"corei7_sandy_bridge_2600k", 0x7f, 0xff, EPT_FIRST, 0x7fffff, 0xffff, true, true, false,
     false},
    {"corei7_ivy_bridge_3770k", 0x7f, 0x8ff, EPT_FIRST, 0x7fffff, 0xffff, true, true, false, false},
    {"corei7_haswell_4770", 0x7f, 0x47fff, EPT_HASWELL, 0x7fffff, 0xffff, true, true, true, true},
    {"broadwell_ult", 0x7f, 0x57fff, EPT_HASWELL, 0x7fffff, 0xffff, true, true, true, true},
    {"corei7_skylake_x", 0x7f, 0x2177fff, EPT_HASWELL, 0x7fffff, 0xffff, true, true, true, true},
    {"corei3_cnl", 0x7f, 0x2157cff, EPT_HASWELL, 0x7fffff, 0xffff, true, true, true, true},
    {"corei7_icelake_u", 0x7f, 0x2977fff, EPT_HASWELL, 0x7fffff, 0xffff, true, true, true, true},
    {"tigerlake", 0x7f, 0x2977fff, EPT_TIGER, 0x107fffff, 0x10ffff, true, true, true, true},
};

/* The bits that must be 1 are those of the default1 class; with the TRUE MSRs some of them may be
 * cleared. */
static struct vmx_raw raw_of(const struct model *m)
{
    bool t = m->true_controls;
    return (struct vmx_raw){
        .vmx = true,
        .nx = true,
        .feature_control = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX,
        .basic = t ? BIT(55) | 1 : 1,
        .word = {
            [WORD_PIN] = WORD(m->pin, 0x16),
            [WORD_PROC] = WORD(0xfff9fffe, t ? 0x04006172 : 0x0401e172),
            [WORD_PROC2] = WORD(m->proc2, 0),
            [WORD_EXIT] = WORD(m->exit, t ? 0x36dfb : 0x36dff),
            [WORD_ENTRY] = WORD(m->entry, t ? 0x11fb : 0x11ff),
        },
        .cr0_fixed0 = 0x80000021,
        .cr0_fixed1 = 0xffffffff,
        .cr4_fixed0 = 0x2000,
        .cr4_fixed1 = 0x3727ff,
        .ept_vpid = m->ept_vpid,
    };
}

static struct vmx_raw raw_named(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(models); i++)
        if (str_eq(models[i].name, name))
            return raw_of(&models[i]);
    fail_msg("no model %s", name);
    return (struct vmx_raw){0};
}

/* --- the have/want/need table --------------------------------------------------------------- */

struct listing {
    unsigned rows, missing;
    const char *names[64]; /* of REQUIRED rows that are missing */
    const char *advice[64];
};

static void collect(void *ctx, const struct vmx_caps_row *row)
{
    struct listing *l = ctx;
    assert_true(strlen(row->name) > 0 && strlen(row->why) > 0);
    assert_true(row->need == NEED_REQUIRED || row->need == NEED_WANTED);
    l->rows++;
    if (row->have || row->need != NEED_REQUIRED)
        return;
    assert_true(l->missing < ARRAY_LEN(l->names));
    l->advice[l->missing] = row->advice;
    l->names[l->missing++] = row->name;
}

static struct listing list(const struct vmx_raw *raw)
{
    struct listing l = {0};
    vmx_caps_for_each(raw, collect, &l);
    return l;
}

struct search {
    const char *name;
    bool found, have;
};

static void look(void *ctx, const struct vmx_caps_row *row)
{
    struct search *s = ctx;
    if (!str_eq(row->name, s->name))
        return;
    s->found = true;
    s->have = row->have;
}

static bool has(const struct vmx_raw *raw, const char *name)
{
    struct search s = {.name = name};
    vmx_caps_for_each(raw, look, &s);
    assert_true(s.found);
    return s.have;
}

static bool names(const struct listing *l, const char *name)
{
    for (unsigned i = 0; i < l->missing; i++)
        if (str_eq(l->names[i], name))
            return true;
    return false;
}

static const struct {
    const char *name;
    unsigned word, bit;
    enum vmx_need need;
} controls[] = {
#define REQUIRED NEED_REQUIRED
#define WANTED   NEED_WANTED
#define LATER    NEED_LATER
#define OFF      NEED_OFF
#define CONTROL(word, bit, name, need, why) {#name, WORD_##word, bit, need},
#include "arch/x86/vmx/controls.def"
#undef CONTROL
};

/* --- tests ---------------------------------------------------------------------------------- */

static void test_models(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(models); i++) {
        const struct model *m = &models[i];
        struct vmx_raw raw = raw_of(m);
        struct vmx_caps caps;
        bool runs = vmx_negotiate(&raw, &caps);
        struct listing l = list(&raw);
        if (runs != m->runs || caps.can_run != m->runs || caps.missing != l.missing)
            fail_msg("%s: runs %d, missing %u of %u", m->name, runs, caps.missing, l.missing);
        assert_int_equal(caps.ept_1g, m->ept_1g);
        assert_int_equal(caps.ept_ad, m->ept_ad);
        assert_int_equal(caps.invept_single, m->ept_vpid != 0);
        assert_int_equal(caps.invvpid_single, m->ept_vpid != 0);
    }
}

static void test_refused_by_name(void **state)
{
    (void)state;
    struct vmx_raw raw = raw_named("core2_penryn_t9600");
    struct listing l = list(&raw);
    assert_true(names(&l, "ENABLE_EPT"));
    assert_true(names(&l, "UNRESTRICTED_GUEST"));
    assert_true(names(&l, "EPT 2M pages"));
    assert_true(names(&l, "EPT 4-level page walk"));
    assert_true(names(&l, "EPT write-back memory"));
    assert_true(names(&l, "SAVE_IA32_EFER"));
    assert_true(names(&l, "ENTRY_LOAD_IA32_PAT"));
    assert_false(names(&l, "VMX"));
    assert_false(names(&l, "HLT_EXITING"));
    assert_false(names(&l, "ACTIVATE_PREEMPTION_TIMER")); /* missing, but only wanted */
    raw = raw_named("corei5_lynnfield_750");
    l = list(&raw);
    assert_int_equal(l.missing, 1);
    assert_string_equal(l.names[0], "UNRESTRICTED_GUEST");
    assert_non_null(l.advice[0]);
}

static bool fits(const struct vmx_raw *raw, const struct vmx_caps *caps)
{
    for (unsigned w = 0; w < WORD_COUNT; w++) {
        uint32_t insists = (uint32_t)raw->word[w], allows = (uint32_t)(raw->word[w] >> 32);
        if ((caps->word[w] & insists) != insists || (caps->word[w] & ~allows) ||
            caps->allowed1[w] != allows)
            return false;
    }
    return true;
}

static void test_words_keep_to_the_msrs(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(models); i++) {
        struct vmx_raw raw = raw_of(&models[i]);
        struct vmx_caps caps;
        (void)!vmx_negotiate(&raw, &caps);
        if (!fits(&raw, &caps))
            fail_msg("%s: a word that the CPU does not allow", models[i].name);
        if (!models[i].runs)
            continue;
        for (size_t c = 0; c < ARRAY_LEN(controls); c++) {
            bool set = caps.word[controls[c].word] & BIT(controls[c].bit);
            bool may = raw.word[controls[c].word] >> 32 & BIT(controls[c].bit);
            bool must = raw.word[controls[c].word] & BIT(controls[c].bit);
            enum vmx_need need = controls[c].need;
            if (set != (must || (may && (need == NEED_REQUIRED || need == NEED_WANTED))))
                fail_msg("%s: %s is %d", models[i].name, controls[c].name, set);
        }
    }
}

/* What skylake_x gets, written out. */
static void test_words_of_skylake(void **state)
{
    struct vmx_raw raw = raw_named("corei7_skylake_x");
    struct vmx_caps caps;
    (void)state;
    raw.misc = UINT64_C(0x7004c1f1); /* only bits 4:0 are the timer's */
    assert_true(vmx_negotiate(&raw, &caps));
    assert_int_equal(caps.timer_shift, 17);
    assert_int_equal(caps.word[WORD_PIN], 0x16 | BIT(0) | BIT(3) | BIT(5) | BIT(6));
    assert_int_equal(caps.word[WORD_PROC],
                     0x04006172 | BIT(3) | BIT(7) | BIT(10) | BIT(11) | BIT(21) | BIT(23) |
                         BIT(25) | BIT(28) | BIT(29) | BIT(31));
    assert_int_equal(caps.word[WORD_PROC2], BIT(1) | BIT(3) | BIT(5) | BIT(6) | BIT(7) | BIT(10) |
                                                BIT(12) | BIT(20));
    assert_int_equal(caps.word[WORD_EXIT], 0x36dfb | BIT(2) | BIT(9) | BIT(15) | BITS(22, 18));
    assert_int_equal(caps.word[WORD_ENTRY], 0x11fb | BIT(2) | BIT(14) | BIT(15));
}

static void test_feature_control(void **state)
{
    (void)state;
    const struct {
        uint64_t value;
        bool ok;
    } values[] = {
        {5, true},  {0, true},  {4, true},           {1, false},
        {3, false}, {7, true}, {1 | BIT(20), false}, {UINT64_C(0xff07), true},
    };
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct vmx_raw raw = raw_named("corei7_skylake_x");
        struct vmx_caps caps;
        raw.feature_control = values[i].value;
        assert_int_equal(vmx_negotiate(&raw, &caps), values[i].ok);
        if (values[i].ok)
            continue;
        struct listing l = list(&raw);
        assert_int_equal(l.missing, 1);
        assert_string_equal(l.names[0], "VMX unlocked by firmware");
        assert_non_null(strchr(l.advice[0], 'V')); /* "enable VT-x ..." */
    }
}

static void test_no_vmx(void **state)
{
    struct vmx_raw raw = {.nx = true};
    struct vmx_caps caps;
    (void)state;
    assert_false(vmx_negotiate(&raw, &caps));
    struct listing l = list(&raw);
    assert_int_equal(caps.missing, l.missing);
    assert_string_equal(l.names[0], "VMX");
    assert_non_null(l.advice[0]);
    /* The rest follows from it: no advice that leads astray. */
    for (unsigned i = 1; i < l.missing; i++)
        assert_null(l.advice[i]);
    assert_true(names(&l, "ENABLE_EPT"));
    assert_false(names(&l, "NX"));
    for (unsigned w = 0; w < WORD_COUNT; w++)
        assert_int_equal(caps.word[w], 0);
}

static void test_no_nx(void **state)
{
    struct vmx_raw raw = raw_named("corei7_skylake_x");
    struct vmx_caps caps;
    (void)state;
    raw.nx = false;
    assert_false(vmx_negotiate(&raw, &caps));
    struct listing l = list(&raw);
    assert_int_equal(l.missing, 1);
    assert_string_equal(l.names[0], "NX");
}

/* Take away one control at a time: the needed ones are named, the others only missed. */
static void test_each_control(void **state)
{
    struct vmx_raw whole = raw_named("corei7_skylake_x");
    unsigned rows = list(&whole).rows;
    (void)state;
    for (size_t c = 0; c < ARRAY_LEN(controls); c++) {
        struct vmx_raw raw = whole;
        struct vmx_caps caps;
        raw.word[controls[c].word] &= ~(BIT(controls[c].bit) | BIT(controls[c].bit + 32));
        bool runs = vmx_negotiate(&raw, &caps);
        struct listing l = list(&raw);
        assert_int_equal(l.rows, rows); /* the table does not depend on the CPU */
        assert_true(fits(&raw, &caps));
        if (controls[c].need == NEED_REQUIRED) {
            assert_false(runs);
            assert_int_equal(l.missing, 1);
            assert_string_equal(l.names[0], controls[c].name);
        } else if (!runs) {
            fail_msg("without %s it could run", controls[c].name);
        }
    }
}

static void test_each_ept_capability(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        struct vmx_raw raw = raw_named("corei7_skylake_x");
        struct vmx_caps caps;
        raw.ept_vpid &= ~BIT(bit);
        bool required = BIT(bit) & (EPT_CAP_WALK_4 | EPT_CAP_WB | EPT_CAP_2M | EPT_CAP_INVEPT |
                                    EPT_CAP_INVEPT_ALL);
        assert_int_equal(vmx_negotiate(&raw, &caps), !required);
        assert_int_equal(caps.missing, required);
    }
}

static void test_degrading(void **state)
{
    struct vmx_raw whole = raw_named("corei7_skylake_x"), raw = whole;
    struct vmx_caps caps;
    (void)state;
    /* A timer whose value is not saved would start anew with every exit. */
    raw.word[WORD_EXIT] &= ~((uint64_t)VMX_CTL(SAVE_PREEMPTION_TIMER) << 32);
    assert_true(vmx_negotiate(&raw, &caps));
    assert_false(caps.word[WORD_PIN] & VMX_CTL(ACTIVATE_PREEMPTION_TIMER));
    /* And saving it without having it makes the entry fail. */
    raw = whole;
    raw.word[WORD_PIN] &= ~((uint64_t)VMX_CTL(ACTIVATE_PREEMPTION_TIMER) << 32);
    assert_true(vmx_negotiate(&raw, &caps));
    assert_false(caps.word[WORD_EXIT] & VMX_CTL(SAVE_PREEMPTION_TIMER));
    /* Without a TPR shadow CR8 exits; with it, it does not. */
    raw = whole;
    const uint32_t cr8 = VMX_CTL(CR8_LOAD_EXITING) | VMX_CTL(CR8_STORE_EXITING);
    assert_true(vmx_negotiate(&raw, &caps));
    assert_int_equal(caps.word[WORD_PROC] & cr8, 0);
    raw.word[WORD_PROC] &= ~((uint64_t)VMX_CTL(USE_TPR_SHADOW) << 32);
    assert_true(vmx_negotiate(&raw, &caps));
    assert_int_equal(caps.word[WORD_PROC] & cr8, cr8);
    assert_false(caps.apicv || caps.xapic);
    /* VPIDs need a way to flush them. */
    raw = whole;
    raw.ept_vpid &= ~VPID_CAP_INVVPID;
    assert_true(vmx_negotiate(&raw, &caps));
    assert_false(caps.word[WORD_PROC2] & VMX_CTL(ENABLE_VPID));
    assert_false(caps.invvpid_single);
    raw = whole;
    raw.ept_vpid &= ~VPID_CAP_SINGLE;
    assert_true(vmx_negotiate(&raw, &caps));
    assert_true(caps.word[WORD_PROC2] & VMX_CTL(ENABLE_VPID));
    assert_false(caps.invvpid_single);
    raw.ept_vpid &= ~VPID_CAP_ALL;
    assert_true(vmx_negotiate(&raw, &caps));
    assert_false(caps.word[WORD_PROC2] & VMX_CTL(ENABLE_VPID));
}

/* The local APIC in hardware: what of it the CPU can do. */
static void test_apic(void **state)
{
    const uint32_t page = VMX_CTL(VIRTUALIZE_APIC_ACCESSES);
    const uint32_t registers = VMX_CTL(APIC_REGISTER_VIRTUALIZATION);
    static const char *const lists[] = {"", "VIRTUALIZE_APIC_ACCESSES",
                                        "APIC_REGISTER_VIRTUALIZATION",
                                        "VIRTUAL_INTERRUPT_DELIVERY"};
    const struct {
        bool apicv;
        uint32_t xapic;
    } want[] = {{true, page | registers}, {true, 0}, {false, page}, {false, page | registers}};
    struct vmx_raw raw = raw_named("corei7_sandy_bridge_2600k");
    struct vmx_caps caps;
    (void)state;
    assert_true(vmx_negotiate(&raw, &caps));
    assert_false(caps.apicv);
    assert_int_equal(caps.xapic, page);
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        raw = raw_named("corei7_skylake_x");
        assert_null(vmx_caps_without(&raw, lists[i]));
        assert_true(vmx_negotiate(&raw, &caps));
        assert_int_equal(caps.apicv, want[i].apicv);
        assert_int_equal(caps.xapic, want[i].xapic);
        /* Nobody has them before his APIC is looked at. */
        assert_false(caps.word[WORD_PROC2] & (page | VMX_CTL_APICV));
    }
}

/* A wanted thing that takes two bits is there only with both. */
static void test_pairs_of_bits(void **state)
{
    struct vmx_raw whole = raw_named("corei7_skylake_x"), raw = whole;
    (void)state;
    assert_true(has(&whole, "INVEPT single-context") && has(&whole, "INVVPID single-context"));
    raw.ept_vpid = whole.ept_vpid & ~EPT_CAP_INVEPT;
    assert_false(has(&raw, "INVEPT single-context"));
    raw.ept_vpid = whole.ept_vpid & ~EPT_CAP_INVEPT_SINGLE;
    assert_false(has(&raw, "INVEPT single-context"));
    raw.ept_vpid = whole.ept_vpid & ~VPID_CAP_INVVPID;
    assert_false(has(&raw, "INVVPID single-context"));
    assert_true(has(&raw, "INVEPT single-context"));
    raw.ept_vpid = 0;
    assert_false(has(&raw, "EPT 1G pages"));
}

/* Another CPU of the machine: any bit that counts makes it different, and is named. */
static void test_another_cpu(void **state)
{
    (void)state;
    const struct vmx_raw a = raw_named("corei7_skylake_x");
    static const struct {
        size_t at;
        const char *name;
    } words[] = {
        {offsetof(struct vmx_raw, basic), "in IA32_VMX_BASIC"},
        {offsetof(struct vmx_raw, word[WORD_PIN]), "in pin-based"},
        {offsetof(struct vmx_raw, word[WORD_PROC]), "in primary"},
        {offsetof(struct vmx_raw, word[WORD_PROC2]), "in secondary"},
        {offsetof(struct vmx_raw, word[WORD_EXIT]), "in VM-exit"},
        {offsetof(struct vmx_raw, word[WORD_ENTRY]), "in VM-entry"},
        {offsetof(struct vmx_raw, misc), "in IA32_VMX_MISC"},
        {offsetof(struct vmx_raw, cr0_fixed0), "in IA32_VMX_CR0_FIXED0"},
        {offsetof(struct vmx_raw, cr0_fixed1), "in IA32_VMX_CR0_FIXED1"},
        {offsetof(struct vmx_raw, cr4_fixed0), "in IA32_VMX_CR4_FIXED0"},
        {offsetof(struct vmx_raw, cr4_fixed1), "in IA32_VMX_CR4_FIXED1"},
        {offsetof(struct vmx_raw, ept_vpid), "in IA32_VMX_EPT_VPID_CAP"},
    };
    struct vmx_raw b = a;
    assert_null(vmx_caps_differ(&a, &b));
    b.feature_control ^= FEATURE_CONTROL_LOCK;
    assert_null(vmx_caps_differ(&a, &b));
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        for (unsigned bit = 0; bit < 64; bit += 21) {
            uint64_t v;
            b = a;
            memcpy(&v, (char *)&b + words[i].at, sizeof(v));
            v ^= BIT(bit);
            memcpy((char *)&b + words[i].at, &v, sizeof(v));
            assert_non_null(vmx_caps_differ(&a, &b));
            assert_non_null(strstr(vmx_caps_differ(&a, &b), words[i].name));
        }
    b = a;
    b.vmx = false;
    assert_non_null(strstr(vmx_caps_differ(&a, &b), "in VMX"));
    b = a;
    b.nx = !b.nx;
    assert_non_null(strstr(vmx_caps_differ(&a, &b), "in NX"));
}

static void test_controls_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(controls); i++) {
        assert_true(controls[i].bit < 32);
        for (size_t j = i + 1; j < ARRAY_LEN(controls); j++) {
            assert_string_not_equal(controls[i].name, controls[j].name);
            assert_false(controls[i].word == controls[j].word &&
                         controls[i].bit == controls[j].bit);
        }
    }
    assert_int_equal(VMX_CTL(ACTIVATE_SECONDARY_CONTROLS), 0x80000000u);
    assert_int_equal(VMX_CTL(UNRESTRICTED_GUEST), 0x80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_models),
        cmocka_unit_test(test_refused_by_name),
        cmocka_unit_test(test_words_keep_to_the_msrs),
        cmocka_unit_test(test_words_of_skylake),
        cmocka_unit_test(test_feature_control),
        cmocka_unit_test(test_no_vmx),
        cmocka_unit_test(test_no_nx),
        cmocka_unit_test(test_each_control),
        cmocka_unit_test(test_each_ept_capability),
        cmocka_unit_test(test_degrading),
        cmocka_unit_test(test_apic),
        cmocka_unit_test(test_pairs_of_bits),
        cmocka_unit_test(test_another_cpu),
        cmocka_unit_test(test_controls_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
