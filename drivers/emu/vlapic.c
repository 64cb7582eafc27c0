/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The emulated local APIC: interrupts in, interrupts out, modes. PURE, sans-I/O. Simplifications:
 * the APIC ID cannot be changed; the pins have no polarity (asserted is asserted); SMIs go nowhere.
 * PPR is worked out whenever it is needed, since hardware with a TPR shadow changes TPR in the page
 * without telling; the copy in the page is for reading only. Registers are vlapic_regs.c's.
 * Have open: SDM, "Advanced Programmable Interrupt Controller (APIC)", "Local Vector Table" and
 * "Interrupt, Task, and Processor Priority".
 */
#include "drivers/emu/vlapic_regs.h"

#include "arch/x86/msr.h"

#define FIRST_LEGAL_VECTOR 16

/* --- the three sets of 256 bits --------------------------------------------------------------- */

static unsigned word_of(unsigned set, uint8_t vector)
{
    return set + (vector / 2u & 0x70);
}

static uint32_t bit_of(uint8_t vector)
{
    return 1u << vector % 32;
}

/* In irr_words and its like. */
static unsigned word_bit(uint8_t vector)
{
    return 1u << vector / 32;
}

static bool set_has(const struct vlapic *v, unsigned set, uint8_t vector)
{
    return (vlapic_reg(v, word_of(set, vector)) >> vector % 32 & 1) != 0;
}

static void set_change(struct vlapic *v, unsigned set, uint8_t vector, bool present)
{
    unsigned word = word_of(set, vector);
    uint32_t bit = bit_of(vector), old = vlapic_reg(v, word);
    vlapic_set_reg(v, word, present ? old | bit : old & ~bit);
}

/* *words: which of the eight may have bits set; what is found empty on the way is taken out. */
static inline int set_highest(const struct vlapic *v, unsigned set, unsigned *words)
{
    while (*words) {
        unsigned i = bit_highest(*words);
        uint32_t word = vlapic_reg(v, set + i * 16);
        if (likely(word))
            return (int)(i * 32 | bit_highest(word));
        *words ^= 1u << i;
    }
    return -1;
}

void vlapic_page_changed(struct vlapic *v)
{
    v->irr_words = v->isr_words = v->tmr_words = 0xff;
}

int vlapic_highest_irr(const struct vlapic *v)
{
    unsigned words = v->irr_words;
    return set_highest(v, VLAPIC_IRR, &words);
}

int vlapic_highest_isr(const struct vlapic *v)
{
    unsigned words = v->isr_words;
    return set_highest(v, VLAPIC_ISR, &words);
}

/* --- modes ------------------------------------------------------------------------------------ */

bool vlapic_software_enabled(const struct vlapic *v)
{
    return vlapic_hardware_enabled(v) && (vlapic_reg(v, VLAPIC_SVR) & VLAPIC_SVR_ENABLE) != 0;
}

bool vlapic_target(const struct vlapic *v, struct apic_target *out)
{
    *out = (struct apic_target){
        .id = v->id,
        .x2apic = vlapic_x2apic(v),
        .ldr = vlapic_reg(v, VLAPIC_LDR),
        .dfr = vlapic_reg(v, VLAPIC_DFR),
    };
    return vlapic_hardware_enabled(v);
}

/* --- priorities ------------------------------------------------------------------------------- */

uint8_t vlapic_tpr(const struct vlapic *v)
{
    return (uint8_t)vlapic_reg(v, VLAPIC_TPR);
}

uint8_t vlapic_ppr(const struct vlapic *v)
{
    int isr = vlapic_highest_isr(v);
    unsigned tpr = vlapic_tpr(v), in_service = isr < 0 ? 0 : (unsigned)isr & 0xf0;
    return (uint8_t)((tpr & 0xf0) >= in_service ? tpr : in_service);
}

static void priorities_changed(struct vlapic *v)
{
    vlapic_set_reg(v, VLAPIC_PPR, vlapic_ppr(v));
    v->effects.state_changed = true;
}

void vlapic_set_tpr(struct vlapic *v, uint8_t tpr)
{
    vlapic_set_reg(v, VLAPIC_TPR, tpr);
    priorities_changed(v);
}

uint8_t vlapic_cr8(const struct vlapic *v)
{
    return vlapic_tpr(v) >> 4;
}

void vlapic_set_cr8(struct vlapic *v, uint8_t cr8)
{
    vlapic_set_tpr(v, (uint8_t)(cr8 << 4));
}

/* --- interrupts ------------------------------------------------------------------------------- */

void vlapic_error(struct vlapic *v, uint8_t bit)
{
    /* An error counts once until ESR is written. That also ends the recursion of an error interrupt
     * whose own vector is an illegal one. */
    if (v->esr_pending & bit)
        return;
    v->esr_pending |= bit;
    vlapic_deliver_lvt(v, VLAPIC_LVT_ERROR);
}

bool vlapic_accept(struct vlapic *v, uint8_t vector, bool level_trigger)
{
    if (!vlapic_software_enabled(v))
        return false;
    if (vector < FIRST_LEGAL_VECTOR) {
        vlapic_error(v, VLAPIC_ESR_RECEIVE_ILLEGAL);
        return false;
    }
    uint8_t word = (uint8_t)word_bit(vector);
    if (level_trigger || unlikely(v->tmr_words))
        set_change(v, VLAPIC_TMR, vector, level_trigger);
    set_change(v, VLAPIC_IRR, vector, true);
    v->irr_words |= word;
    if (level_trigger)
        v->tmr_words |= word;
    v->effects.state_changed = true;
    return true;
}

/* True: all that vlapic_accept() would do with vector, edge-triggered, is to set its bit in IRR. */
static inline bool accepts_plain(const struct vlapic *v, uint8_t vector)
{
    return likely(vlapic_software_enabled(v)) && likely(vector >= FIRST_LEGAL_VECTOR) &&
           likely(!v->tmr_words);
}

/* True: a write of icr to the x2APIC's ICR is a fixed interrupt for this APIC, which takes it. */
static inline bool is_self_ipi(const struct vlapic *v, uint64_t icr)
{
    return (icr & ~UINT64_C(0xff)) == APIC_TO_SELF << 18 && vlapic_x2apic(v) &&
           accepts_plain(v, (uint8_t)icr);
}

static inline void set_icr(struct vlapic *v, uint64_t icr)
{
    vlapic_set_reg(v, VLAPIC_ICR, (uint32_t)icr);
    vlapic_set_reg(v, VLAPIC_ICR + 4, (uint32_t)(icr >> 32));
}

bool vlapic_self_ipi(struct vlapic *v, uint64_t icr)
{
    if (!is_self_ipi(v, icr))
        return false;
    unsigned at = word_of(VLAPIC_IRR, (uint8_t)icr);
    vlapic_set_reg(v, at, vlapic_reg(v, at) | bit_of((uint8_t)icr));
    v->irr_words |= (uint8_t)word_bit((uint8_t)icr);
    set_icr(v, icr);
    return true;
}

int vlapic_pending(const struct vlapic *v)
{
    if (!vlapic_hardware_enabled(v))
        return -1;
    int irr = vlapic_highest_irr(v);
    return irr >= 0 && (irr & 0xf0) > (vlapic_ppr(v) & 0xf0) ? irr : -1;
}

/* vector goes into service: its class is above what was there and above the task priority. */
static inline void serve(struct vlapic *v, uint8_t vector)
{
    unsigned at = word_of(VLAPIC_ISR, vector);
    vlapic_set_reg(v, at, vlapic_reg(v, at) | bit_of(vector));
    v->isr_words |= (uint8_t)word_bit(vector);
    vlapic_set_reg(v, VLAPIC_PPR, vector & 0xf0);
}

/* True: vector is above the task priority and above what is in service. *served: isr_words without
 * what was found empty. */
static inline bool lets_through(const struct vlapic *v, uint8_t vector, unsigned *served)
{
    *served = v->isr_words;
    int isr = set_highest(v, VLAPIC_ISR, served), level = vector & 0xf0;
    return level > (vlapic_tpr(v) & 0xf0) && (isr < 0 || level > (isr & 0xf0));
}

bool vlapic_serve_self_ipi(struct vlapic *v, uint64_t icr)
{
    unsigned served;
    if (!is_self_ipi(v, icr) || v->irr_words || !lets_through(v, (uint8_t)icr, &served))
        return false;
    set_icr(v, icr);
    v->isr_words = (uint8_t)served;
    serve(v, (uint8_t)icr);
    return true;
}

int vlapic_take(struct vlapic *v)
{
    unsigned waiting = v->irr_words, served = v->isr_words;
    if (!waiting || !vlapic_hardware_enabled(v))
        return -1;
    int irr = set_highest(v, VLAPIC_IRR, &waiting), isr = set_highest(v, VLAPIC_ISR, &served);
    int level = irr & 0xf0;
    v->irr_words = (uint8_t)waiting;
    v->isr_words = (uint8_t)served;
    if (irr < 0 || level <= (vlapic_tpr(v) & 0xf0) || (isr >= 0 && level <= (isr & 0xf0)))
        return -1;
    unsigned at = word_of(VLAPIC_IRR, (uint8_t)irr);
    uint32_t left = vlapic_reg(v, at) & ~bit_of((uint8_t)irr);
    vlapic_set_reg(v, at, left);
    if (likely(!left))
        v->irr_words = (uint8_t)(waiting ^ word_bit((uint8_t)irr));
    serve(v, (uint8_t)irr);
    return irr;
}

uint8_t vlapic_ack(struct vlapic *v)
{
    int vector = vlapic_take(v);
    return (uint8_t)(vector < 0 ? vlapic_reg(v, VLAPIC_SVR) : (uint32_t)vector);
}

/* In the page, too, which is read without asking where hardware can. */
static void set_remote_irr(struct vlapic *v, bool set)
{
    uint32_t others = vlapic_reg(v, VLAPIC_LVT_LINT0) & ~VLAPIC_LVT_REMOTE_IRR;
    v->lint0_remote_irr = set;
    vlapic_set_reg(v, VLAPIC_LVT_LINT0, others | (set ? VLAPIC_LVT_REMOTE_IRR : 0));
}

void vlapic_eoi(struct vlapic *v)
{
    int vector = vlapic_highest_isr(v);
    if (vector < 0)
        return;
    set_change(v, VLAPIC_ISR, (uint8_t)vector, false);
    vlapic_eoi_done(v, (uint8_t)vector);
}

void vlapic_eoi_done(struct vlapic *v, uint8_t vector)
{
    priorities_changed(v);
    if (!set_has(v, VLAPIC_TMR, vector))
        return;
    if (!(vlapic_reg(v, VLAPIC_SVR) & VLAPIC_SVR_NO_BROADCAST)) {
        v->effects.eoi_broadcast = true;
        v->effects.eoi_vector = vector;
    }
    if ((uint8_t)vlapic_reg(v, VLAPIC_LVT_LINT0) == vector) {
        set_remote_irr(v, false);
        vlapic_lint0_changed(v);
    }
}

/* --- local sources ---------------------------------------------------------------------------- */

bool vlapic_deliver_lvt(struct vlapic *v, unsigned offset)
{
    uint32_t lvt = vlapic_reg(v, offset);
    if (!vlapic_hardware_enabled(v) || (lvt & VLAPIC_LVT_MASKED))
        return false;
    switch (lvt >> 8 & 7) {
    case APIC_MODE_FIXED:
        return vlapic_accept(v, (uint8_t)lvt,
                             offset == VLAPIC_LVT_LINT0 && (lvt & VLAPIC_LVT_LEVEL));
    case APIC_MODE_NMI:
        v->effects.nmi = v->effects.state_changed = true;
        return true;
    case APIC_MODE_INIT:
        v->effects.init = v->effects.state_changed = true;
        return true;
    default: /* ExtINT is asked for by vlapic_lint0_extint(); there is no SMM */
        return false;
    }
}

void vlapic_raise(struct vlapic *v, enum vlapic_register lvt)
{
    /* The counters' entry masks itself, so that its handler is not interrupted by more of them. */
    if (vlapic_deliver_lvt(v, lvt) && lvt == VLAPIC_LVT_PERF)
        vlapic_set_reg(v, lvt, vlapic_reg(v, lvt) | VLAPIC_LVT_MASKED);
}

/* LINT0 as a level-triggered fixed interrupt: the only form in which a pin's level counts. */
static bool lint0_by_level(const struct vlapic *v)
{
    uint32_t lvt = vlapic_reg(v, VLAPIC_LVT_LINT0);
    return (lvt >> 8 & 7) == APIC_MODE_FIXED && (lvt & VLAPIC_LVT_LEVEL);
}

void vlapic_lint0_changed(struct vlapic *v)
{
    bool remote_irr = lint0_by_level(v) && v->lint0_remote_irr;
    if (lint0_by_level(v) && (v->lint_level & 1) && !remote_irr)
        remote_irr = vlapic_deliver_lvt(v, VLAPIC_LVT_LINT0);
    set_remote_irr(v, remote_irr);
}

bool vlapic_lint0_extint(const struct vlapic *v)
{
    uint32_t lvt = vlapic_reg(v, VLAPIC_LVT_LINT0);
    if (!vlapic_hardware_enabled(v))
        return true;
    return !(lvt & VLAPIC_LVT_MASKED) && (lvt >> 8 & 7) == APIC_MODE_EXTINT;
}

void vlapic_set_lint(struct vlapic *v, unsigned pin, bool level)
{
    uint8_t bit = pin ? 2 : 1;
    bool rising = level && !(v->lint_level & bit);
    v->lint_level = (uint8_t)(level ? v->lint_level | bit : v->lint_level & ~bit);
    if (pin == 0 && lint0_by_level(v)) {
        vlapic_lint0_changed(v);
    } else if (rising && vlapic_hardware_enabled(v)) {
        vlapic_deliver_lvt(v, pin ? VLAPIC_LVT_LINT1 : VLAPIC_LVT_LINT0);
    } else if (rising && pin) {
        /* With the APIC disabled the pins are the processor's INTR and NMI. */
        v->effects.nmi = v->effects.state_changed = true;
    }
}

/* --- time ------------------------------------------------------------------------------------- */

uint64_t vlapic_deadline(const struct vlapic *v)
{
    /* Masked, it may expire unseen: whoever unmasks or reads it lets time pass first. */
    if (vlapic_reg(v, VLAPIC_LVT_TIMER) & VLAPIC_LVT_MASKED)
        return VLAPIC_NEVER;
    return vlapic_timer_next(&v->timer, v->now);
}

void vlapic_advance(struct vlapic *v, uint64_t now)
{
    v->now = max_u64(v->now, now);
    if (vlapic_timer_expire(&v->timer, v->now)) {
        v->effects.timer_changed = true;
        vlapic_deliver_lvt(v, VLAPIC_LVT_TIMER);
    }
}

int vlapic_fire(struct vlapic *v, uint64_t now)
{
    uint32_t lvt = vlapic_reg(v, VLAPIC_LVT_TIMER);
    uint8_t vector = (uint8_t)lvt;
    unsigned served;
    /* Not masked, so the APIC is on. */
    if (unlikely(lvt & (VLAPIC_LVT_MASKED | VLAPIC_LVT_MODE)) || unlikely(now < v->now) ||
        unlikely(v->irr_words | v->tmr_words) || !vlapic_timer_fires(&v->timer, now))
        return -1;
    if (!lets_through(v, vector, &served)) /* an illegal vector's level is 0: nothing does */
        return -1;
    v->isr_words = (uint8_t)served;
    v->now = now;
    vlapic_timer_stop(&v->timer);
    serve(v, vector);
    return vector;
}

bool vlapic_arm_deadline(struct vlapic *v, uint64_t deadline, uint64_t now)
{
    struct vlapic_timer *t = &v->timer;
    now = max_u64(v->now, now);
    if (t->mode != VLAPIC_TIMER_TSC_DEADLINE || deadline <= now ||
        (t->deadline != 0 && t->deadline <= now) ||
        unlikely(vlapic_reg(v, VLAPIC_LVT_TIMER) & VLAPIC_LVT_MASKED))
        return false;
    v->now = now;
    t->deadline = deadline;
    return true;
}

bool vlapic_start_timer(struct vlapic *v, uint64_t count, uint64_t now)
{
    struct vlapic_timer *t = &v->timer;
    now = max_u64(v->now, now);
    if (t->mode != VLAPIC_TIMER_ONE_SHOT || count == 0 || count > UINT32_MAX || t->running ||
        !vlapic_x2apic(v) || (vlapic_reg(v, VLAPIC_LVT_TIMER) & VLAPIC_LVT_MASKED))
        return false;
    v->now = now;
    vlapic_timer_set_initial(t, (uint32_t)count, now);
    vlapic_set_reg(v, VLAPIC_INITIAL_COUNT, (uint32_t)count);
    return true;
}

void vlapic_tsc_moved(struct vlapic *v, uint64_t delta)
{
    v->now += delta;
    vlapic_timer_tsc_moved(&v->timer, delta);
    v->effects.timer_changed = true;
}

/* --- resets ----------------------------------------------------------------------------------- */

void vlapic_init(struct vlapic *v, uint8_t *page, uint32_t id, bool bsp)
{
    *v = (struct vlapic){
        .page = page,
        .id = id,
        .bsp = bsp,
        .x2apic_supported = true,
        .maxphyaddr = 36,
    };
    vlapic_reset(v);
}

void vlapic_init_reset(struct vlapic *v)
{
    vlapic_registers_reset(v);
    v->effects.timer_changed = v->effects.state_changed = v->effects.reach_changed = true;
}

void vlapic_reset(struct vlapic *v)
{
    v->apic_base = VLAPIC_DEFAULT_BASE | APIC_BASE_ENABLE | (v->bsp ? APIC_BASE_BSP : 0);
    v->effects = (struct vlapic_effects){.base_changed = true};
    vlapic_init_reset(v);
}

void vlapic_set_virtual_wire(struct vlapic *v)
{
    vlapic_set_svr(v, VLAPIC_SVR_ENABLE | 0xff);
    vlapic_set_reg(v, VLAPIC_LVT_LINT0, APIC_MODE_EXTINT << 8);
    vlapic_set_reg(v, VLAPIC_LVT_LINT1, APIC_MODE_NMI << 8);
    v->effects.state_changed = v->effects.reach_changed = true;
}

void vlapic_take_effects(struct vlapic *v, struct vlapic_effects *out)
{
    *out = v->effects;
    v->effects.any = 0;
}
