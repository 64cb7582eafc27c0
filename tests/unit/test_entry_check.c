/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch/x86/vmx/entry_check.c: images of valid guests break no rule, and every rule is broken by a
 * mutation of one of them. FAULT rows say which rules a mutation may break: exactly the one named,
 * or (ALSO) that one among others that say the same thing of another field.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/entry_images.h"

enum rule_id {
#define RULE(id, field, text, broken) ID_##id,
#include "arch/x86/vmx/entry_rules.def"
#undef RULE
    ID_COUNT
};

static const struct {
    const char *id, *field, *text;
} rules[] = {
#define RULE(id, field, text, broken) {#id, #field, text},
#include "arch/x86/vmx/entry_rules.def"
#undef RULE
};

struct verdict {
    bool broken[ID_COUNT];
    unsigned calls;
};

static void note(void *ctx, const char *field, const char *rule)
{
    struct verdict *r = ctx;
    r->calls++;
    for (unsigned i = 0; i < ID_COUNT; i++)
        if (str_eq(rules[i].field, field) && str_eq(rules[i].text, rule)) {
            r->broken[i] = true;
            return;
        }
    fail_msg("a rule that is not in the table: %s: %s", field, rule);
}

static unsigned judge(const struct vmcs_image *v, struct verdict *out)
{
    memset(out, 0, sizeof(*out));
    unsigned broken = entry_check(v, note, out);
    assert_int_equal(broken, out->calls);
    return broken;
}

static void test_rules_are_told_apart(void **state)
{
    (void)state;
    assert_true(ID_COUNT > 100);
    for (unsigned i = 0; i < ID_COUNT; i++)
        for (unsigned j = i + 1; j < ID_COUNT; j++)
            if (str_eq(rules[i].field, rules[j].field) && str_eq(rules[i].text, rules[j].text))
                fail_msg("%s and %s say the same", rules[i].id, rules[j].id);
}

/* --- images that must pass ------------------------------------------------------------------ */

typedef void image_fn(struct vmcs_image *v);

#define INJECT(type, vector, more) \
    (V(ENTRY_INTERRUPTION_INFORMATION) = BIT(31) | (uint64_t)(type) << 8 | (vector) | (more))
#define ERROR_CODE   BIT(11)
#define EXTINT       0
#define NMI          2
#define EXCEPTION    3
#define SOFTWARE_INT 4
#define SOFTWARE_EXC 6
#define OTHER        7

/* FINE(name, start image, change): variations that the manual allows. */
#define FINE_CASES(FINE)                                                                          \
    FINE(real, real, (void)v)                                                                     \
    FINE(protected_mode, protected, (void)v)                                                      \
    FINE(pae, pae, (void)v)                                                                       \
    FINE(vm86, vm86, (void)v)                                                                     \
    FINE(long_mode, long, (void)v)                                                                \
    FINE(compatibility, compatibility, (void)v)                                                   \
    FINE(long_pae_pdptes_do_not_count, long, V(GUEST_PDPTE0) = UINT64_MAX)                        \
    FINE(pae_without_ept, pae, V(PROC_BASED_CONTROLS2) = 0; V(GUEST_PDPTE0) = UINT64_MAX)         \
    FINE(pdpte_not_present, pae, V(GUEST_PDPTE1) = ~UINT64_C(1))                                  \
    FINE(null_data_segments, long, SET_DATA(0, UINT64_C(0x1234), 0, 0x10000))                     \
    FINE(ldtr, long, SET_SEGMENT(LDTR, 0x30, UINT64_C(0xffff800000000000), 0xfff, 0x82))          \
    FINE(big_unreal, real, V(GUEST_DS_LIMIT) = 0xffffffff; V(GUEST_DS_ACCESS_RIGHTS) = 0x8093)    \
    FINE(real_code_is_data, real, V(GUEST_CS_ACCESS_RIGHTS) = 0x93)                               \
    FINE(real_rpls, real, V(GUEST_CS_SELECTOR) = 0xf003; V(GUEST_DS_SELECTOR) = 3)                \
    FINE(lme_without_paging, protected, V(GUEST_IA32_EFER) = EFER_LME)                            \
    FINE(caches_off, long, V(GUEST_CR0) |= CR0_CD | CR0_NW)                                       \
    FINE(expand_down_stack, protected, V(GUEST_SS_ACCESS_RIGHTS) = 0xc097)                        \
    FINE(conforming_code, protected, V(GUEST_CS_ACCESS_RIGHTS) = 0xc09f)                          \
    FINE(conforming_user_data, pae, V(GUEST_DS_SELECTOR) = 0x1b;                                  \
         V(GUEST_DS_ACCESS_RIGHTS) = 0xc09f)                                                      \
    FINE(tss16, protected, V(GUEST_TR_ACCESS_RIGHTS) = 0x83)                                      \
    FINE(link_to_a_page, long, V(VMCS_LINK_POINTER) = 0x5000)                                     \
    FINE(ept_uncacheable_with_ad, long, V(EPT_POINTER) = 0x14000 | BIT(6) | 3 << 3)               \
    FINE(wide_addresses, long, v->maxphyaddr = 52; V(GUEST_CR3) = BITS(51, 12))                   \
    FINE(msr_area, long, V(EXIT_MSR_LOAD_COUNT) = 512; V(EXIT_MSR_LOAD_ADDRESS) = 0x30010)        \
    FINE(msr_area_of_none, long, V(EXIT_MSR_LOAD_ADDRESS) = UINT64_MAX)                           \
    FINE(pae_bit_without_paging, protected, V(GUEST_CR4) |= CR4_PAE;                              \
         V(GUEST_PDPTE0) = UINT64_MAX)                                                            \
    FINE(msr_area_up_to_the_width, long, V(EXIT_MSR_LOAD_COUNT) = 1;                              \
         V(EXIT_MSR_LOAD_ADDRESS) = BIT(46) - 16)                                                 \
    FINE(fields_of_controls_that_are_off, long, V(VE_INFORMATION_ADDRESS) = 1;                    \
         V(GUEST_IA32_BNDCFGS) = UINT64_MAX; V(PML_ADDRESS) = 1; V(VMREAD_BITMAP) = 1)            \
    FINE(host_without_wp, long, V(HOST_CR0) &= ~CR0_WP)                                           \
    FINE(host_with_cet, long, v->cr4_fixed1 |= CR4_CET; V(HOST_CR4) |= CR4_CET)                   \
    FINE(host_ss_null, long, V(HOST_SS_SELECTOR) = 0)                                             \
    FINE(no_io_bitmaps, long, V(PROC_BASED_CONTROLS) &= ~(uint64_t)VMX_CTL(USE_IO_BITMAPS);       \
         V(IO_BITMAP_A) = 1)                                                                      \
    FINE(secondary_controls_inactive, protected,                                                  \
         V(PROC_BASED_CONTROLS) &= ~(uint64_t)VMX_CTL(ACTIVATE_SECONDARY_CONTROLS);               \
         V(GUEST_CR0) |= CR0_PG; V(VPID) = 0; V(EPT_POINTER) = UINT64_MAX)                        \
    FINE(debugctl, long, V(GUEST_IA32_DEBUGCTL) = BITS(15, 6) | BITS(2, 0))                       \
    FINE(debug_state_not_loaded, long,                                                            \
         V(ENTRY_CONTROLS) &= ~(uint64_t)VMX_CTL(LOAD_DEBUG_CONTROLS);                            \
         V(GUEST_IA32_DEBUGCTL) = BIT(40); V(GUEST_DR7) = BIT(40))                                \
    FINE(noncanonical_rip_of_48_bits, long, V(GUEST_RIP) = UINT64_C(0x0000800000000000))          \
    FINE(interrupt, long, INJECT(EXTINT, 0x20, 0))                                                \
    FINE(nmi, long, INJECT(NMI, 2, 0))                                                            \
    FINE(page_fault, long, INJECT(EXCEPTION, 14, ERROR_CODE);                                     \
         V(ENTRY_EXCEPTION_ERROR_CODE) = 0xffff)                                                  \
    FINE(undefined_opcode, long, INJECT(EXCEPTION, 6, 0))                                         \
    FINE(control_protection, long, INJECT(EXCEPTION, 21, ERROR_CODE))                             \
    FINE(control_protection_without_code, long, INJECT(EXCEPTION, 21, 0))                         \
    FINE(real_mode_gp, real, INJECT(EXCEPTION, 13, 0))                                            \
    FINE(software_interrupt, long, INJECT(SOFTWARE_INT, 0x80, 0);                                 \
         V(ENTRY_INSTRUCTION_LENGTH) = 2)                                                         \
    FINE(breakpoint, long, INJECT(SOFTWARE_EXC, 3, 0); V(ENTRY_INSTRUCTION_LENGTH) = 15)          \
    FINE(monitor_trap, long, INJECT(OTHER, 0, 0))                                                 \
    FINE(invalid_event, long, V(ENTRY_INTERRUPTION_INFORMATION) = BITS(30, 0))                    \
    FINE(hlt, long, V(GUEST_ACTIVITY_STATE) = 1)                                                  \
    FINE(hlt_interrupt, long, V(GUEST_ACTIVITY_STATE) = 1; INJECT(EXTINT, 0x20, 0))               \
    FINE(hlt_nmi, long, V(GUEST_ACTIVITY_STATE) = 1; INJECT(NMI, 2, 0))                           \
    FINE(hlt_debug, long, V(GUEST_ACTIVITY_STATE) = 1; INJECT(EXCEPTION, 1, 0))                   \
    FINE(hlt_machine_check, long, V(GUEST_ACTIVITY_STATE) = 1; INJECT(EXCEPTION, 18, 0))          \
    FINE(hlt_monitor_trap, long, V(GUEST_ACTIVITY_STATE) = 1; INJECT(OTHER, 0, 0))                \
    FINE(hlt_stepping, long, V(GUEST_ACTIVITY_STATE) = 1; V(GUEST_RFLAGS) |= RFLAGS_TF;           \
         V(GUEST_PENDING_DEBUG_EXCEPTIONS) = BIT(14))                                             \
    FINE(shutdown_nmi, long, V(GUEST_ACTIVITY_STATE) = 2; INJECT(NMI, 2, 0))                      \
    FINE(shutdown_machine_check, long, V(GUEST_ACTIVITY_STATE) = 2; INJECT(EXCEPTION, 18, 0))     \
    FINE(wait_for_sipi, real, V(GUEST_ACTIVITY_STATE) = 3)                                        \
    FINE(sti_shadow, long, V(GUEST_INTERRUPTIBILITY_STATE) = 1)                                   \
    FINE(sti_shadow_stepping, long, V(GUEST_INTERRUPTIBILITY_STATE) = 1;                          \
         V(GUEST_RFLAGS) |= RFLAGS_TF; V(GUEST_PENDING_DEBUG_EXCEPTIONS) = BIT(14))               \
    FINE(sti_shadow_branch_stepping, long, V(GUEST_INTERRUPTIBILITY_STATE) = 1;                   \
         V(GUEST_RFLAGS) |= RFLAGS_TF; V(GUEST_IA32_DEBUGCTL) = DEBUGCTL_BTF)                     \
    FINE(stepping, long, V(GUEST_RFLAGS) |= RFLAGS_TF)                                            \
    FINE(mov_ss_shadow, protected, V(GUEST_INTERRUPTIBILITY_STATE) = 2)                           \
    FINE(exception_in_a_shadow, long, V(GUEST_INTERRUPTIBILITY_STATE) = 1;                        \
         INJECT(EXCEPTION, 6, 0))                                                                 \
    FINE(nmi_blocked, long, V(GUEST_INTERRUPTIBILITY_STATE) = 8)                                  \
    FINE(interrupt_in_nmi, long, V(GUEST_INTERRUPTIBILITY_STATE) = 8; INJECT(EXTINT, 0x20, 0))    \
    FINE(nmi_in_nmi_without_virtual_nmis, long, V(GUEST_INTERRUPTIBILITY_STATE) = 8;              \
         V(PIN_BASED_CONTROLS) &= ~(uint64_t)VMX_CTL(VIRTUAL_NMIS); INJECT(NMI, 2, 0))            \
    FINE(breakpoints_pending, long, V(GUEST_PENDING_DEBUG_EXCEPTIONS) = BIT(12) | BITS(3, 0))     \
    FINE(rtm_debug, long, V(GUEST_PENDING_DEBUG_EXCEPTIONS) = BIT(16) | BIT(12))

#define DEFINE(name, start, change)               \
    static void fine_##name(struct vmcs_image *v) \
    {                                             \
        image_##start(v);                         \
        change;                                   \
    }
FINE_CASES(DEFINE)
#undef DEFINE

static const struct {
    const char *name;
    image_fn *make;
} fine[] = {
#define LIST(name, start, change) {#name, fine_##name},
    FINE_CASES(LIST)
#undef LIST
};

static void test_valid_images(void **state)
{
    static struct vmcs_image v;
    struct verdict r;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
        fine[i].make(&v);
        judge(&v, &r);
        for (unsigned id = 0; id < ID_COUNT; id++)
            if (r.broken[id])
                fail_msg("%s breaks %s: %s %s", fine[i].name, rules[id].id, rules[id].field,
                         rules[id].text);
    }
}

/* --- mutations: every rule is broken -------------------------------------------------------- */

#define PROC2_ON(bit)  (V(PROC_BASED_CONTROLS2) |= VMX_CTL(bit))
#define PROC2_OFF(bit) (V(PROC_BASED_CONTROLS2) &= ~(uint64_t)VMX_CTL(bit))
#define PROC_ON(bit)   (V(PROC_BASED_CONTROLS) |= VMX_CTL(bit))
#define PROC_OFF(bit)  (V(PROC_BASED_CONTROLS) &= ~(uint64_t)VMX_CTL(bit))
#define PIN_ON(bit)    (V(PIN_BASED_CONTROLS) |= VMX_CTL(bit))
#define PIN_OFF(bit)   (V(PIN_BASED_CONTROLS) &= ~(uint64_t)VMX_CTL(bit))
#define EXIT_OFF(bit)  (V(EXIT_CONTROLS) &= ~(uint64_t)VMX_CTL(bit))
#define ENTRY_ON(bit)  (V(ENTRY_CONTROLS) |= VMX_CTL(bit))
#define NONCANONICAL   UINT64_C(0x0000800000000000)
#define HIGH           UINT64_C(0x100000000)

#define FAULT(id, number, start, change)                    \
    static void fault_##id##_##number(struct vmcs_image *v) \
    {                                                       \
        image_##start(v);                                   \
        change;                                             \
    }
#define ALSO FAULT
#include "tests/unit/entry_faults.def"
#undef FAULT
#undef ALSO

static const struct {
    enum rule_id id;
    unsigned number;
    bool also;
    image_fn *make;
} faults[] = {
#define FAULT(id, number, start, change) {ID_##id, number, false, fault_##id##_##number},
#define ALSO(id, number, start, change)  {ID_##id, number, true, fault_##id##_##number},
#include "tests/unit/entry_faults.def"
#undef FAULT
#undef ALSO
};

static void test_every_rule_breaks(void **state)
{
    static struct vmcs_image v;
    bool tried[ID_COUNT] = {false};
    struct verdict r;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        const char *name = rules[faults[i].id].id;
        faults[i].make(&v);
        judge(&v, &r);
        tried[faults[i].id] = true;
        if (!r.broken[faults[i].id])
            fail_msg("%s %u: the rule is not broken", name, faults[i].number);
        for (unsigned id = 0; id < ID_COUNT; id++)
            if (r.broken[id] && id != faults[i].id && !faults[i].also)
                fail_msg("%s %u breaks %s as well", name, faults[i].number, rules[id].id);
    }
    for (unsigned id = 0; id < ID_COUNT; id++)
        if (!tried[id])
            fail_msg("no fault breaks %s", rules[id].id);
}

static void test_names_and_counts(void **state)
{
    static struct vmcs_image v;
    struct verdict r;
    (void)state;
    /* Two unrelated faults are both reported. */
    image_long(&v);
    v.value[VMCS_INDEX_VPID] = 0;
    v.value[VMCS_INDEX_GUEST_DR7] = BIT(33);
    assert_int_equal(judge(&v, &r), 2);
    assert_true(r.broken[ID_VPID_0] && r.broken[ID_DR7_HIGH]);
    assert_string_equal(rules[ID_DR7_HIGH].field, "GUEST_DR7");
    /* An image of zeros (a VMCS that could not be read) is full of faults, none of them fatal. */
    memset(&v, 0, sizeof(v));
    assert_true(judge(&v, &r) > 10);
    memset(&v, 0xff, sizeof(v));
    assert_true(judge(&v, &r) > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules_are_told_apart),
        cmocka_unit_test(test_valid_images),
        cmocka_unit_test(test_every_rule_breaks),
        cmocka_unit_test(test_names_and_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
