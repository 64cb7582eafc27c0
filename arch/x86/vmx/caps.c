/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Negotiation of VMX controls over controls.def. PURE. SDM: appendix "VMX Capability Reporting
 * Facility", "Algorithms for Determining VMX Capabilities".
 */
#include "arch/x86/vmx/caps.h"

#include "arch/x86/msr.h"
#include "core/lib/string.h"

#define REQUIRED NEED_REQUIRED
#define WANTED   NEED_WANTED
#define LATER    NEED_LATER
#define OFF      NEED_OFF

static const struct control {
    uint8_t word, bit, need;
    const char *name, *why;
} controls[] = {
#define CONTROL(w, b, n, need, why) {WORD_##w, b, need, #n, why},
#include "arch/x86/vmx/controls.def"
#undef CONTROL
};

/* What is not a control bit. */
static const struct capability {
    const char *name;
    uint8_t need;
    uint64_t bit; /* of IA32_VMX_EPT_VPID_CAP */
    const char *why;
} ept_capabilities[] = {
    {"EPT 4-level page walk", REQUIRED, EPT_CAP_WALK_4, "the shape of guest-physical tables"},
    {"EPT write-back memory", REQUIRED, EPT_CAP_WB, "tables are walked through the caches"},
    {"EPT 2M pages", REQUIRED, EPT_CAP_2M, "guest RAM in large pages"},
    {"INVEPT", REQUIRED, EPT_CAP_INVEPT | EPT_CAP_INVEPT_ALL,
     "a VM's translations go before its pages do"},
    {"EPT 1G pages", WANTED, EPT_CAP_1G, "fewer tables and TLB entries for big VMs"},
    {"EPT accessed and dirty flags", WANTED, EPT_CAP_AD, "which pages a guest has used"},
    {"INVEPT single-context", WANTED, EPT_CAP_INVEPT | EPT_CAP_INVEPT_SINGLE,
     "flush one VM's translations, not all"},
    {"INVVPID single-context", WANTED, VPID_CAP_INVVPID | VPID_CAP_SINGLE,
     "flush one vCPU's translations, not all"},
};

static const char *const firmware_advice = "enable VT-x (Intel Virtualization Technology) in the "
                                           "firmware set-up, then switch the power off and on";
static const char *const cpu_advice = "this needs another CPU (or emulator CPU model)";

static bool take_out(struct vmx_raw *raw, const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(controls); i++) {
        const struct control *c = &controls[i];
        bool optional = c->need == WANTED || c->need == LATER;
        if (!optional || strlen(c->name) != len || memcmp(c->name, name, len) != 0)
            continue;
        raw->word[c->word] &= ~(BIT(c->bit) << 32);
        return true;
    }
    return false;
}

const char *vmx_caps_without(struct vmx_raw *raw, const char *list)
{
    while (*list) {
        const char *comma = strchr(list, ',');
        size_t len = comma ? (size_t)(comma - list) : strlen(list);
        if (!take_out(raw, list, len))
            return list;
        list += len + (comma ? 1 : 0);
    }
    return NULL;
}

static bool unlocked(const struct vmx_raw *raw)
{
    uint64_t f = raw->feature_control;
    /* Not locked: we may switch VMX on ourselves. */
    return raw->vmx && (!(f & FEATURE_CONTROL_LOCK) || (f & FEATURE_CONTROL_VMX));
}

static bool may_set(const struct vmx_raw *raw, unsigned word, unsigned bit)
{
    return raw->word[word] >> 32 & BIT(bit);
}

void vmx_caps_for_each(const struct vmx_raw *raw, vmx_caps_row_fn *fn, void *ctx)
{
    struct vmx_caps_row row = {"VMX", REQUIRED, raw->vmx, "hardware virtualisation",
                               "this CPU has no VMX or something hides it: under QEMU use "
                               "-accel kvm -cpu host,+vmx (TCG has none), or use Bochs"};
    fn(ctx, &row);
    row = (struct vmx_caps_row){"VMX unlocked by firmware", REQUIRED, unlocked(raw),
                                "VMXON is allowed", raw->vmx ? firmware_advice : NULL};
    fn(ctx, &row);
    row = (struct vmx_caps_row){"NX", REQUIRED, raw->nx, "data pages that cannot run",
                                "enable Execute Disable in the firmware set-up"};
    fn(ctx, &row);
    for (size_t i = 0; i < ARRAY_LEN(controls); i++) {
        const struct control *c = &controls[i];
        if (c->need != REQUIRED && c->need != WANTED)
            continue;
        row = (struct vmx_caps_row){c->name, (enum vmx_need)c->need, may_set(raw, c->word, c->bit),
                                    c->why, raw->vmx ? cpu_advice : NULL};
        fn(ctx, &row);
    }
    for (size_t i = 0; i < ARRAY_LEN(ept_capabilities); i++) {
        const struct capability *c = &ept_capabilities[i];
        row = (struct vmx_caps_row){c->name, (enum vmx_need)c->need,
                                    (raw->ept_vpid & c->bit) == c->bit, c->why,
                                    raw->vmx ? cpu_advice : NULL};
        fn(ctx, &row);
    }
}

static void count_missing(void *ctx, const struct vmx_caps_row *row)
{
    struct vmx_caps *caps = ctx;
    if (row->need == NEED_REQUIRED && !row->have)
        caps->missing++;
}

/* VPIDs are of use only where their translations can be flushed. */
static void drop_vpid(const struct vmx_raw *raw, struct vmx_caps *out)
{
    if (!(raw->ept_vpid & VPID_CAP_INVVPID) ||
        !(raw->ept_vpid & (VPID_CAP_SINGLE | VPID_CAP_ALL)))
        out->word[WORD_PROC2] &= ~VMX_CTL(ENABLE_VPID);
}

/* The preemption timer keeps its value across exits, or an exit would start the slice anew. */
static void drop_timer(struct vmx_caps *out)
{
    bool save = out->word[WORD_EXIT] & VMX_CTL(SAVE_PREEMPTION_TIMER);
    bool timer = out->word[WORD_PIN] & VMX_CTL(ACTIVATE_PREEMPTION_TIMER);
    if (save && timer)
        return;
    out->word[WORD_EXIT] &= ~VMX_CTL(SAVE_PREEMPTION_TIMER);
    out->word[WORD_PIN] &= ~VMX_CTL(ACTIVATE_PREEMPTION_TIMER);
}

bool vmx_negotiate(const struct vmx_raw *raw, struct vmx_caps *out)
{
    memset(out, 0, sizeof(*out));
    vmx_caps_for_each(raw, count_missing, out);
    for (unsigned w = 0; w < WORD_COUNT; w++) {
        out->word[w] = (uint32_t)raw->word[w]; /* what the CPU insists on */
        out->allowed1[w] = (uint32_t)(raw->word[w] >> 32);
    }
    for (size_t i = 0; i < ARRAY_LEN(controls); i++) {
        const struct control *c = &controls[i];
        if ((c->need == REQUIRED || c->need == WANTED) && may_set(raw, c->word, c->bit))
            out->word[c->word] |= (uint32_t)BIT(c->bit);
    }
    if (!(out->word[WORD_PROC] & VMX_CTL(USE_TPR_SHADOW)) && raw->vmx)
        out->word[WORD_PROC] |= (VMX_CTL(CR8_LOAD_EXITING) | VMX_CTL(CR8_STORE_EXITING)) &
                                out->allowed1[WORD_PROC];
    drop_timer(out);
    drop_vpid(raw, out);
    out->ept_1g = raw->ept_vpid & EPT_CAP_1G;
    out->ept_ad = raw->ept_vpid & EPT_CAP_AD;
    out->invept_single =
        (raw->ept_vpid & EPT_CAP_INVEPT_SINGLE) && (raw->ept_vpid & EPT_CAP_INVEPT);
    out->invvpid_single =
        (raw->ept_vpid & VPID_CAP_SINGLE) && (raw->ept_vpid & VPID_CAP_INVVPID);
    out->apicv = (out->allowed1[WORD_PROC2] & VMX_CTL_APICV) == VMX_CTL_APICV &&
                 (out->word[WORD_PROC] & VMX_CTL(USE_TPR_SHADOW));
    /* The virtual-APIC page comes with the TPR shadow. */
    if ((out->allowed1[WORD_PROC2] & VMX_CTL(VIRTUALIZE_APIC_ACCESSES)) &&
        (out->word[WORD_PROC] & VMX_CTL(USE_TPR_SHADOW)))
        out->xapic = VMX_CTL(VIRTUALIZE_APIC_ACCESSES) |
                     (out->allowed1[WORD_PROC2] & VMX_CTL(APIC_REGISTER_VIRTUALIZATION));
    out->timer_shift = raw->misc & 0x1f;
    out->can_run = out->missing == 0;
    return out->can_run;
}

#define DIFFERS(what) "it differs from the boot CPU in " what

const char *vmx_caps_differ(const struct vmx_raw *a, const struct vmx_raw *b)
{
    static const struct {
        size_t at;
        const char *name;
    } rows[] = {
        {offsetof(struct vmx_raw, basic), DIFFERS("IA32_VMX_BASIC")},
        {offsetof(struct vmx_raw, word[WORD_PIN]), DIFFERS("pin-based VM-execution controls")},
        {offsetof(struct vmx_raw, word[WORD_PROC]), DIFFERS("primary VM-execution controls")},
        {offsetof(struct vmx_raw, word[WORD_PROC2]), DIFFERS("secondary VM-execution controls")},
        {offsetof(struct vmx_raw, word[WORD_EXIT]), DIFFERS("VM-exit controls")},
        {offsetof(struct vmx_raw, word[WORD_ENTRY]), DIFFERS("VM-entry controls")},
        {offsetof(struct vmx_raw, misc), DIFFERS("IA32_VMX_MISC")},
        {offsetof(struct vmx_raw, cr0_fixed0), DIFFERS("IA32_VMX_CR0_FIXED0")},
        {offsetof(struct vmx_raw, cr0_fixed1), DIFFERS("IA32_VMX_CR0_FIXED1")},
        {offsetof(struct vmx_raw, cr4_fixed0), DIFFERS("IA32_VMX_CR4_FIXED0")},
        {offsetof(struct vmx_raw, cr4_fixed1), DIFFERS("IA32_VMX_CR4_FIXED1")},
        {offsetof(struct vmx_raw, ept_vpid), DIFFERS("IA32_VMX_EPT_VPID_CAP")},
    };
    if (a->vmx != b->vmx)
        return DIFFERS("VMX");
    if (a->nx != b->nx)
        return DIFFERS("NX");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (memcmp((const char *)a + rows[i].at, (const char *)b + rows[i].at, 8) != 0)
            return rows[i].name;
    return NULL;
}
