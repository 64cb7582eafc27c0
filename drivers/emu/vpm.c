/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI's fixed hardware. PURE, sans-I/O. Registers are bytes side by side here, so that accesses of
 * any width work. No wake-up sources: a sleep type other than S5's is remembered and nothing
 * happens, GBL_RLS has nobody to notify.
 * Have open: the ACPI specification, "ACPI Hardware Specification".
 */
#include "drivers/emu/vpm.h"

#include "core/lib/string.h"

/* 315 ticks take 88000 ns: a quarter of 14.31818 MHz, which is 315/22 MHz. */
#define TICKS           315
#define TICKS_NS        88000

#define TMR_STS         BIT(0) /* and TMR_EN */
#define GBL_EN          BIT(5)
#define PWRBTN_STS      BIT(8) /* and PWRBTN_EN */
#define SLPBTN_EN       BIT(9)
#define RTC_EN          BIT(10)
#define ENABLE_WRITABLE (TMR_STS | GBL_EN | PWRBTN_STS | SLPBTN_EN | RTC_EN)

#define SCI_EN          BIT(0)
#define BM_RLD          BIT(1)
#define SLP_TYP_SHIFT   10
#define SLP_TYP         BITS(12, 10)
#define SLP_EN          BIT(13)

#define REG_STATUS      (VPM_EVENT / 2)
#define REG_ENABLE      (VPM_EVENT / 2 + 1)
#define REG_CONTROL     (VPM_CONTROL / 2)

static uint64_t ticks_at(uint64_t ns)
{
    if (likely(ns <= UINT64_MAX / TICKS)) /* 22 months */
        return ns * TICKS / TICKS_NS;
    return ns / TICKS_NS * TICKS + ns % TICKS_NS * TICKS / TICKS_NS;
}

/* The first nanosecond of a tick. */
static uint64_t ns_of(uint64_t tick)
{
    if (tick / TICKS >= UINT64_MAX / TICKS_NS)
        return UINT64_MAX;
    return tick / TICKS * TICKS_NS + (tick % TICKS * TICKS_NS + TICKS - 1) / TICKS;
}

/* TMR_STS comes whenever the timer's most significant bit changes. */
static unsigned carry_shift(const struct vpm *p)
{
    return p->timer32 ? 31 : 23;
}

static bool vpm_advance(void *dev, uint64_t now_ns)
{
    struct vpm *p = dev;
    if (now_ns <= p->now_ns)
        return false;
    uint64_t before = p->now;
    p->now_ns = now_ns;
    p->now = ticks_at(now_ns);
    if (likely((before ^ p->now) >> carry_shift(p) == 0))
        return false;
    p->status |= TMR_STS;
    return true;
}

static uint64_t vpm_deadline(const void *dev)
{
    const struct vpm *p = dev;
    if (!(p->enable & ~p->status & TMR_STS))
        return UINT64_MAX;
    unsigned shift = carry_shift(p);
    return ns_of(((p->now >> shift) + 1) << shift);
}

static bool vpm_irq(const void *dev)
{
    const struct vpm *p = dev;
    return (p->status & p->enable) != 0;
}

/* value: what a byte of the register is to be, in its place; mask: the bits of that byte. */
static void write_control(struct vpm *p, uint16_t value, uint16_t mask)
{
    uint16_t stored = (BM_RLD | SLP_TYP) & mask;
    p->control = (uint16_t)((p->control & ~stored) | (value & stored));
    if ((value & SLP_EN) && (p->control & SLP_TYP) >> SLP_TYP_SHIFT == VPM_SLP_TYP_S5)
        p->s5_requested = true;
}

static void write_byte(struct vpm *p, unsigned offset, uint8_t byte)
{
    unsigned shift = offset % 2 * 8;
    uint16_t value = (uint16_t)(byte << shift), mask = (uint16_t)(0xff << shift);
    uint16_t enable = ENABLE_WRITABLE & mask;
    switch (offset / 2) {
    case REG_STATUS: /* ones clear */
        p->status &= (uint16_t)~value;
        break;
    case REG_ENABLE:
        p->enable = (uint16_t)((p->enable & ~enable) | (value & enable));
        break;
    case REG_CONTROL:
        write_control(p, value, mask);
        break;
    default: /* the timer cannot be written */
        break;
    }
}

static uint8_t read_byte(const struct vpm *p, unsigned offset)
{
    unsigned shift = offset % 2 * 8;
    switch (offset / 2) {
    case REG_STATUS:
        return (uint8_t)(p->status >> shift);
    case REG_ENABLE:
        return (uint8_t)(p->enable >> shift);
    case REG_CONTROL:
        return (uint8_t)(p->control >> shift);
    default:
        break;
    }
    if (offset < VPM_TIMER || (offset == VPM_TIMER + 3 && !p->timer32))
        return 0;
    return (uint8_t)(p->now >> (8 * (offset - VPM_TIMER)));
}

static void vpm_access(void *dev, struct io_access *a)
{
    struct vpm *p = dev;
    if (a->size == 0 || a->size > 4 || a->offset >= VPM_PORTS || a->size > VPM_PORTS - a->offset)
        return;
    uint64_t value = 0;
    for (unsigned i = 0; i < a->size; i++) {
        unsigned offset = (unsigned)a->offset + i;
        if (a->write)
            write_byte(p, offset, (uint8_t)(a->value >> (8 * i)));
        else
            value |= (uint64_t)read_byte(p, offset) << (8 * i);
    }
    if (!a->write)
        a->value = value;
}

void vpm_init(struct vpm *p, bool timer32, uint64_t now_ns)
{
    memset(p, 0, sizeof(*p));
    p->timer32 = timer32;
    p->now_ns = now_ns;
    p->now = ticks_at(now_ns);
    p->control = SCI_EN;
}

static void vpm_reset(void *dev)
{
    struct vpm *p = dev;
    vpm_init(p, p->timer32, p->now_ns);
}

void vpm_press_power_button(struct vpm *p)
{
    p->status |= PWRBTN_STS;
}

const struct device_ops vpm_ops = {
    .reset = vpm_reset,
    .access = vpm_access,
    .advance = vpm_advance,
    .deadline = vpm_deadline,
    .irq = vpm_irq,
};

bool vpm_listens_to_power_button(const struct vpm *p)
{
    return p->enable & PWRBTN_STS;
}
