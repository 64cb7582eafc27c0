/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The emulated local APIC's registers, in memory and as MSRs, and IA32_APIC_BASE. PURE. One row per
 * register says who may read and write it and which bits exist. A write must not look at what the
 * page held before: after an APIC-write exit the new value is there already. That it did not count
 * yet for what had been due before is vlapic_written()'s.
 * Have open: SDM, "Local APIC Register Address Map", "x2APIC Register Address Space", "x2APIC State
 * Transitions", "Interrupt Command Register (ICR)" and "Error Handling".
 */
#include "drivers/emu/vlapic_regs.h"

#include "arch/x86/msr.h"

/* Version 14H, the LVT register with the highest number is 5, EOI broadcasts can be suppressed. */
#define VERSION              0x01050014u

#define LVT_STATUS           0x1000u /* delivery status: always idle here */

#define ICR_LOGICAL          0x800u
#define ICR_STATUS           0x1000u
#define ICR_ASSERT           0x4000u
#define ICR_LEVEL            0x8000u

#define MSR_X2APIC_LAST      0x8ffu

/* --- what there is ---------------------------------------------------------------------------- */

enum {
    XR = 1, /* readable in xAPIC mode; with XW one that reads 0 or ignores writes without error */
    XW = 2,
    MR = 4, /* RDMSR in x2APIC mode; #GP without */
    MW = 8,
    RO = XR | MR,
    RW = XR | XW | MR | MW,
};

struct rule {
    uint8_t access;
    uint32_t writable; /* bits a write in xAPIC mode changes */
    uint32_t allowed;  /* bits WRMSR may set without #GP: the same and read-only ones */
};

#define LVT_RULE(bits, read_only) {RW, bits, (bits) | LVT_STATUS | (read_only)}

/* By offset / 16. Absent and thus reserved: 2F0H, since there is no LVT CMCI register. */
static const struct rule rules[VLAPIC_SIZE / 16] = {
    [VLAPIC_ID / 16] = {RO | XW, 0, 0},
    [VLAPIC_VERSION / 16] = {RO, 0, 0},
    [VLAPIC_TPR / 16] = {RW, 0xff, 0xff},
    [VLAPIC_APR / 16] = {XR, 0, 0},
    [VLAPIC_PPR / 16] = {RO, 0, 0},
    [VLAPIC_EOI / 16] = {XW | MW, 0, 0},
    [VLAPIC_RRD / 16] = {XR, 0, 0},
    [VLAPIC_LDR / 16] = {RO | XW, 0xff000000, 0},
    [VLAPIC_DFR / 16] = {XR | XW, 0xf0000000, 0},
    /* Bit 9, focus checking, does nothing, but 32-bit Linux sets it in either mode. */
    [VLAPIC_SVR / 16] = {RW, 0x13ff, 0x13ff},
    [VLAPIC_ISR / 16 ... VLAPIC_ISR / 16 + 7] = {RO, 0, 0},
    [VLAPIC_TMR / 16 ... VLAPIC_TMR / 16 + 7] = {RO, 0, 0},
    [VLAPIC_IRR / 16 ... VLAPIC_IRR / 16 + 7] = {RO, 0, 0},
    [VLAPIC_ESR / 16] = {RW, 0xffffffff, 0},
    [VLAPIC_ICR / 16] = {RW, 0xccfff, 0xccfff | ICR_STATUS},
    [VLAPIC_ICR_HIGH / 16] = {XR | XW, 0xff000000, 0},
    [VLAPIC_LVT_TIMER / 16] = LVT_RULE(0x700ff, 0),
    [VLAPIC_LVT_THERMAL / 16] = LVT_RULE(0x107ff, 0),
    [VLAPIC_LVT_PERF / 16] = LVT_RULE(0x107ff, 0),
    [VLAPIC_LVT_LINT0 / 16] = LVT_RULE(0x1a7ff, VLAPIC_LVT_REMOTE_IRR),
    [VLAPIC_LVT_LINT1 / 16] = LVT_RULE(0x1a7ff, VLAPIC_LVT_REMOTE_IRR),
    [VLAPIC_LVT_ERROR / 16] = LVT_RULE(0x100ff, 0),
    [VLAPIC_INITIAL_COUNT / 16] = {RW, 0xffffffff, 0xffffffff},
    [VLAPIC_CURRENT_COUNT / 16] = {RO, 0, 0},
    [VLAPIC_DIVIDE / 16] = {RW, 0xb, 0xb},
    [VLAPIC_SELF_IPI / 16] = {MW, 0xff, 0xff},
};

static const uint16_t lvts[] = {
    VLAPIC_LVT_TIMER, VLAPIC_LVT_THERMAL, VLAPIC_LVT_PERF,
    VLAPIC_LVT_LINT0, VLAPIC_LVT_LINT1, VLAPIC_LVT_ERROR,
};

/* --- resets ----------------------------------------------------------------------------------- */

static void set_identity(struct vlapic *v)
{
    bool x2apic = vlapic_x2apic(v);
    vlapic_set_reg(v, VLAPIC_ID, x2apic ? v->id : v->id << 24);
    if (x2apic)
        vlapic_set_reg(v, VLAPIC_LDR, apic_x2apic_ldr(v->id));
}

static void set_lvt(struct vlapic *v, unsigned offset, uint32_t value)
{
    vlapic_set_reg(v, offset, value);
    if (offset == VLAPIC_LVT_TIMER)
        v->lvt_timer = value;
}

void vlapic_registers_reset(struct vlapic *v)
{
    memset(v->page, 0, VLAPIC_SIZE);
    v->irr_words = v->isr_words = v->tmr_words = 0;
    vlapic_set_reg(v, VLAPIC_VERSION, VERSION);
    vlapic_set_reg(v, VLAPIC_DFR, 0xffffffff);
    vlapic_set_svr(v, 0xff);
    for (unsigned i = 0; i < ARRAY_LEN(lvts); i++)
        set_lvt(v, lvts[i], VLAPIC_LVT_MASKED);
    set_identity(v);
    vlapic_timer_reset(&v->timer);
    v->esr_pending = 0;
    v->lint0_remote_irr = false;
}

/* --- interrupts sent -------------------------------------------------------------------------- */

static void send_to_self(struct vlapic *v, uint8_t vector, unsigned mode)
{
    if (mode == APIC_MODE_FIXED || mode == APIC_MODE_LOWEST)
        vlapic_accept(v, vector, false);
    else if (mode == APIC_MODE_NMI)
        v->effects.nmi = v->effects.state_changed = true;
}

static void send_ipi(struct vlapic *v, uint32_t icr, uint32_t destination)
{
    unsigned mode = icr >> 8 & 7, shorthand = icr >> 18 & 3;
    if (mode == 3 || mode == APIC_MODE_EXTINT)
        return; /* reserved in an ICR */
    if ((mode == APIC_MODE_FIXED || mode == APIC_MODE_LOWEST) && (icr & 0xff) < 16) {
        vlapic_error(v, VLAPIC_ESR_SEND_ILLEGAL);
        return;
    }
    /* INIT level de-assert once synchronised arbitration IDs; today's processors ignore it. */
    if (mode == APIC_MODE_INIT && (icr & ICR_LEVEL) && !(icr & ICR_ASSERT))
        return;
    if (shorthand == APIC_TO_SELF) {
        send_to_self(v, (uint8_t)icr, mode);
        return;
    }
    /* The manual calls these invalid: nobody resets or starts itself along with the others. */
    if (shorthand == APIC_TO_ALL &&
        (mode == APIC_MODE_SMI || mode == APIC_MODE_INIT || mode == APIC_MODE_SIPI))
        return;
    v->effects.ipi = true;
    /* Level and trigger mode mean something for INIT de-assert only: an IPI is always an edge. */
    v->effects.message = (struct apic_message){
        .vector = (uint8_t)icr,
        .mode = (uint8_t)mode,
        .logical = (icr & ICR_LOGICAL) != 0,
        .level_assert = true,
        .shorthand = (uint8_t)shorthand,
        .destination = destination,
    };
}

/* --- registers -------------------------------------------------------------------------------- */

static uint32_t read_register(struct vlapic *v, unsigned offset)
{
    switch (offset) {
    case VLAPIC_EOI:
        return 0;
    case VLAPIC_PPR:
        return vlapic_ppr(v);
    case VLAPIC_CURRENT_COUNT:
        return vlapic_timer_current(&v->timer, v->now);
    default:
        return vlapic_reg(v, offset);
    }
}

static void write_lvt(struct vlapic *v, unsigned offset, uint32_t value)
{
    if (!vlapic_software_enabled(v))
        value |= VLAPIC_LVT_MASKED;
    set_lvt(v, offset, value);
    if (offset == VLAPIC_LVT_TIMER) {
        vlapic_timer_set_mode(&v->timer, value >> 17 & 3);
        vlapic_set_reg(v, VLAPIC_INITIAL_COUNT, v->timer.initial);
        v->effects.timer_changed = true;
    } else if (offset == VLAPIC_LVT_LINT0) {
        vlapic_lint0_changed(v);
        v->effects.state_changed = true;
    }
}

static void write_svr(struct vlapic *v, uint32_t value)
{
    vlapic_set_svr(v, value);
    if (!(value & VLAPIC_SVR_ENABLE))
        for (unsigned i = 0; i < ARRAY_LEN(lvts); i++)
            set_lvt(v, lvts[i], vlapic_reg(v, lvts[i]) | VLAPIC_LVT_MASKED);
    v->effects.timer_changed = v->effects.state_changed = v->effects.reach_changed = true;
}

/* value has no bits but those the register has. */
static void write_register(struct vlapic *v, unsigned offset, uint32_t value)
{
    switch (offset) {
    case VLAPIC_ID:
        set_identity(v);
        v->effects.reach_changed = true;
        break;
    case VLAPIC_TPR:
        vlapic_set_tpr(v, (uint8_t)value);
        break;
    case VLAPIC_EOI:
        vlapic_set_reg(v, offset, 0);
        vlapic_eoi(v);
        break;
    case VLAPIC_LDR:
        vlapic_set_reg(v, offset, value);
        v->effects.state_changed = v->effects.reach_changed = true;
        break;
    case VLAPIC_DFR:
        vlapic_set_reg(v, offset, value | 0x0fffffff);
        v->effects.state_changed = v->effects.reach_changed = true;
        break;
    case VLAPIC_SVR:
        write_svr(v, value);
        break;
    case VLAPIC_ESR:
        /* Shows what came up since the last write; a new error raises its interrupt again. */
        vlapic_set_reg(v, offset, v->esr_pending);
        v->esr_pending = 0;
        break;
    case VLAPIC_ICR:
        vlapic_set_reg(v, offset, value);
        send_ipi(v, value, vlapic_reg(v, VLAPIC_ICR_HIGH) >> 24);
        break;
    case VLAPIC_INITIAL_COUNT:
        vlapic_timer_set_initial(&v->timer, value, v->now);
        vlapic_set_reg(v, offset, v->timer.initial);
        v->effects.timer_changed = true;
        break;
    case VLAPIC_DIVIDE:
        vlapic_set_reg(v, offset, value);
        vlapic_timer_set_divide(&v->timer, value, v->now);
        v->effects.timer_changed = true;
        break;
    case VLAPIC_SELF_IPI:
        vlapic_set_reg(v, offset, 0);
        send_ipi(v, (uint32_t)APIC_TO_SELF << 18 | value, 0);
        break;
    case VLAPIC_ICR_HIGH:
        vlapic_set_reg(v, offset, value);
        break;
    default:
        write_lvt(v, offset, value);
        break;
    }
}

/* --- xAPIC: memory ---------------------------------------------------------------------------- */

/* False, after noting the error, if there is no such register. */
static bool exists(struct vlapic *v, unsigned offset)
{
    bool there = offset < VLAPIC_SIZE && offset % 16 == 0 &&
                 (rules[offset / 16].access & (XR | XW)) != 0;
    if (!there)
        vlapic_error(v, VLAPIC_ESR_ILLEGAL_ADDRESS);
    return there;
}

static bool answers_memory(const struct vlapic *v)
{
    return vlapic_hardware_enabled(v) && !vlapic_x2apic(v);
}

/* Of an APIC that answers, once its time is right. */
static inline uint32_t read_memory(struct vlapic *v, unsigned offset)
{
    return exists(v, offset) ? read_register(v, offset) : 0;
}

uint32_t vlapic_read(struct vlapic *v, unsigned offset, uint64_t now)
{
    vlapic_advance(v, now);
    return answers_memory(v) ? read_memory(v, offset) : 0xffffffff;
}

void vlapic_write(struct vlapic *v, unsigned offset, uint32_t value, uint64_t now)
{
    vlapic_advance(v, now);
    if (answers_memory(v) && exists(v, offset) && (rules[offset / 16].access & XW))
        write_register(v, offset, value & rules[offset / 16].writable);
}

/* A timer that was due before the write finds the register as it was: whether it was masked, and
 * whether the APIC took interrupts, is not for the new value to say. */
static void advance_with(struct vlapic *v, unsigned offset, uint32_t before, uint64_t now)
{
    uint32_t value = vlapic_reg(v, offset);
    vlapic_set_reg(v, offset, before);
    vlapic_advance(v, now);
    vlapic_set_reg(v, offset, value);
}

void vlapic_written(struct vlapic *v, unsigned offset, uint64_t now)
{
    if (offset == VLAPIC_LVT_TIMER)
        advance_with(v, offset, v->lvt_timer, now);
    else if (offset == VLAPIC_SVR)
        advance_with(v, offset, v->svr, now);
    else
        vlapic_advance(v, now);
    if (offset >= VLAPIC_SIZE || offset % 16 != 0 || !vlapic_hardware_enabled(v))
        return;
    const struct rule *r = &rules[offset / 16];
    if (r->access & (vlapic_x2apic(v) ? MW : XW))
        write_register(v, offset, vlapic_reg(v, offset) & r->writable);
}

static void vlapic_access(void *dev, struct io_access *a)
{
    struct vlapic *v = dev;
    unsigned offset = (unsigned)a->offset, byte = offset % 16;
    if (a->offset >= VLAPIC_SIZE || !answers_memory(v))
        return;
    if (a->write) {
        if (byte == 0 && a->size == 4)
            vlapic_write(v, offset, (uint32_t)a->value, v->now);
    } else if (likely(byte == 0)) {
        a->value = read_memory(v, offset);
    } else { /* the twelve bytes behind a register read 0 */
        a->value = byte < 4 ? read_memory(v, offset - byte) >> byte * 8 : 0;
    }
}

static void vlapic_ops_reset(void *dev)
{
    vlapic_reset(dev);
}

const struct device_ops vlapic_ops = {
    .reset = vlapic_ops_reset,
    .access = vlapic_access,
};

/* --- MSRs ------------------------------------------------------------------------------------- */

static bool write_apic_base(struct vlapic *v, uint64_t value)
{
    uint64_t modes = APIC_BASE_ENABLE | (v->x2apic_supported ? APIC_BASE_X2APIC : 0);
    uint64_t address = (BIT(min_u64(v->maxphyaddr, 52)) - 1) & ~UINT64_C(0xfff);
    if (value & ~(address | modes | APIC_BASE_BSP))
        return false;
    uint64_t old = v->apic_base, from = old & modes, to = value & modes;
    /* x2APIC mode is entered from xAPIC mode only and left only by disabling the APIC. */
    if (to == APIC_BASE_X2APIC || (to == modes && from == 0 && v->x2apic_supported) ||
        (to == APIC_BASE_ENABLE && (from & APIC_BASE_X2APIC)))
        return false;
    v->apic_base = (value & ~APIC_BASE_BSP) | (old & APIC_BASE_BSP);
    if (v->apic_base == old)
        return true;
    v->effects.base_changed = true;
    if (to == from)
        return true;
    if (to & APIC_BASE_X2APIC) {
        set_identity(v);
        vlapic_set_reg(v, VLAPIC_ICR_HIGH, 0); /* its place is behind the low half now */
    } else {
        vlapic_registers_reset(v);
    }
    v->effects.timer_changed = v->effects.state_changed = v->effects.reach_changed = true;
    return true;
}

static const struct rule *x2apic_rule(const struct vlapic *v, uint32_t msr)
{
    static const struct rule none;
    if (msr < MSR_IA32_X2APIC_BASE || msr > MSR_X2APIC_LAST || !vlapic_x2apic(v))
        return &none;
    return &rules[msr - MSR_IA32_X2APIC_BASE];
}

bool vlapic_msr_read(struct vlapic *v, uint32_t msr, uint64_t now, uint64_t *value)
{
    if (msr == MSR_IA32_APIC_BASE) {
        *value = v->apic_base;
        return true;
    }
    if (msr == MSR_IA32_TSC_DEADLINE) {
        vlapic_advance(v, now);
        *value = v->timer.deadline;
        return true;
    }
    if (!(x2apic_rule(v, msr)->access & MR))
        return false;
    vlapic_advance(v, now);
    unsigned offset = (msr - MSR_IA32_X2APIC_BASE) * 16;
    *value = read_register(v, offset);
    if (offset == VLAPIC_ICR)
        *value |= (uint64_t)vlapic_reg(v, VLAPIC_ICR + 4) << 32;
    return true;
}

static void write_icr64(struct vlapic *v, uint64_t value)
{
    uint32_t low = (uint32_t)value & rules[VLAPIC_ICR / 16].writable;
    vlapic_set_reg(v, VLAPIC_ICR, low);
    vlapic_set_reg(v, VLAPIC_ICR + 4, (uint32_t)(value >> 32));
    send_ipi(v, low, (uint32_t)(value >> 32));
}

bool vlapic_msr_write(struct vlapic *v, uint32_t msr, uint64_t value, uint64_t now)
{
    if (msr == MSR_IA32_APIC_BASE) {
        vlapic_advance(v, now);
        return write_apic_base(v, value);
    }
    if (msr == MSR_IA32_TSC_DEADLINE) {
        vlapic_advance(v, now);
        vlapic_timer_set_deadline(&v->timer, value);
        v->effects.timer_changed = true;
        vlapic_advance(v, now); /* one in the past expires at once */
        return true;
    }
    const struct rule *r = x2apic_rule(v, msr);
    bool icr = msr == MSR_IA32_X2APIC_BASE + VLAPIC_ICR / 16;
    uint64_t allowed = r->allowed | (icr ? BITS(63, 32) : 0);
    if (!(r->access & MW) || (value & ~allowed))
        return false;
    vlapic_advance(v, now);
    if (icr)
        write_icr64(v, value);
    else
        write_register(v, (msr - MSR_IA32_X2APIC_BASE) * 16, (uint32_t)value & r->writable);
    return true;
}
