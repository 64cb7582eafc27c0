/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The emulated local APIC under any sequence of accesses, MSR writes, interrupts and times: only
 * bits that exist appear, priorities are what counting bits by hand says, a refused MSR write
 * leaves no trace, and the timer fires exactly when it said it would.
 */
#include <stdint.h>
#include <stdlib.h>

#include "core/lib/string.h"
#include "drivers/emu/vlapic.h"

static struct vlapic v, copy;
static uint8_t page[VLAPIC_SIZE], page_copy[VLAPIC_SIZE];
static uint64_t now;

static void check(bool ok)
{
    if (!ok)
        abort();
}

static uint32_t reg(unsigned offset)
{
    uint32_t value;
    memcpy(&value, page + offset, sizeof(value));
    return value;
}

static bool has(unsigned set, unsigned vector)
{
    return page[set + vector / 32 * 16 + vector % 32 / 8] >> vector % 8 & 1;
}

static int highest(unsigned set)
{
    for (int n = 255; n >= 0; n--)
        if (has(set, (unsigned)n))
            return n;
    return -1;
}

/* copy is v in every respect, but with a page of its own. */
static void make_copy(void)
{
    copy = v;
    memcpy(page_copy, page, sizeof(page));
    copy.page = page_copy;
}

static bool same_as_copy(void)
{
    copy.page = page;
    bool same = memcmp(&copy, &v, sizeof(v)) == 0 && memcmp(page, page_copy, sizeof(page)) == 0;
    copy.page = page_copy;
    return same;
}

static void check_bits(void)
{
    static const struct {
        uint16_t offset;
        uint32_t bits;
    } all[] = {
        {VLAPIC_TPR, 0xff}, {VLAPIC_PPR, 0xff}, {VLAPIC_EOI, 0}, {VLAPIC_SVR, 0x13ff},
        {VLAPIC_ESR, 0xe0}, {VLAPIC_ICR, 0xccfff}, {VLAPIC_LVT_TIMER, 0x700ff},
        {VLAPIC_LVT_THERMAL, 0x107ff}, {VLAPIC_LVT_PERF, 0x107ff}, {VLAPIC_LVT_LINT0, 0x1e7ff},
        {VLAPIC_LVT_LINT1, 0x1a7ff}, {VLAPIC_LVT_ERROR, 0x100ff}, {VLAPIC_DIVIDE, 0xb},
        {VLAPIC_SELF_IPI, 0}, {VLAPIC_CURRENT_COUNT, 0}, {0x2f0, 0}, {0, 0}, {0xff0, 0},
    };
    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        check((reg(all[i].offset) & ~all[i].bits) == 0);
    check(reg(VLAPIC_VERSION) == 0x01050014);
    check(reg(VLAPIC_ID) == (vlapic_x2apic(&v) ? v.id : v.id << 24));
    check(reg(VLAPIC_LDR) == apic_x2apic_ldr(v.id) || !vlapic_x2apic(&v));
    check((reg(VLAPIC_DFR) & 0x0fffffff) == 0x0fffffff);
    check((reg(VLAPIC_LVT_LINT0) >> 14 & 1) == v.lint0_remote_irr);
    check(reg(VLAPIC_LVT_TIMER) == v.lvt_timer && reg(VLAPIC_SVR) == v.svr);
    unsigned mode = (unsigned)(v.apic_base & 0xfff) ^ (v.bsp ? 0x100 : 0);
    check(mode == 0 || mode == 0x800 || mode == 0xc00);
    bool off = !(reg(VLAPIC_SVR) & 0x100);
    for (unsigned lvt = VLAPIC_LVT_TIMER; lvt <= VLAPIC_LVT_ERROR; lvt += 16)
        check(!off || (reg(lvt) & 0x10000));
    for (unsigned i = 0; i < 16; i++)
        check(!has(VLAPIC_IRR, i) && !has(VLAPIC_ISR, i));
}

static void check_priorities(void)
{
    int irr = highest(VLAPIC_IRR), isr = highest(VLAPIC_ISR);
    unsigned tpr = page[VLAPIC_TPR], ppr = tpr;
    if (isr >= 0 && (unsigned)isr / 16 > tpr / 16)
        ppr = (unsigned)isr / 16 * 16;
    check(irr == vlapic_highest_irr(&v) && isr == vlapic_highest_isr(&v));
    check(vlapic_ppr(&v) == ppr && reg(VLAPIC_PPR) == ppr && vlapic_cr8(&v) == tpr >> 4);
    bool take = vlapic_hardware_enabled(&v) && irr >= 0 && (unsigned)irr / 16 > ppr / 16;
    check(vlapic_pending(&v) == (take ? irr : -1));
}

static uint8_t fired_page[VLAPIC_SIZE]; /* of a copy, after the short way */

/* vlapic_fire() does what vlapic_advance() and vlapic_take() do, or nothing. */
static void check_fire(uint64_t at)
{
    make_copy();
    int vector = vlapic_fire(&copy, at);
    if (vector < 0) {
        check(same_as_copy());
        return;
    }
    struct vlapic fired = copy;
    memcpy(fired_page, page_copy, sizeof(fired_page));
    make_copy();
    vlapic_advance(&copy, at);
    check(vlapic_take(&copy) == vector);
    check(memcmp(fired_page, page_copy, sizeof(fired_page)) == 0);
    check(memcmp(&fired.timer, &copy.timer, sizeof(copy.timer)) == 0 && fired.now == copy.now);
    check(fired.irr_words == copy.irr_words && fired.isr_words == copy.isr_words);
}

/* vlapic_self_ipi() did what writing icr has done since, or nothing: on a copy, before. */
static void check_self_ipi(bool short_way, bool written)
{
    check(!short_way || (written && memcmp(page, page_copy, sizeof(page)) == 0 &&
                         v.irr_words == copy.irr_words));
}

/* vlapic_serve_self_ipi() is vlapic_self_ipi() and vlapic_take(), or nothing: on copies. */
static void check_served_self_ipi(uint64_t icr)
{
    make_copy();
    if (!vlapic_serve_self_ipi(&copy, icr)) {
        check(same_as_copy());
        return;
    }
    struct vlapic served = copy;
    memcpy(fired_page, page_copy, sizeof(fired_page));
    make_copy();
    check(vlapic_self_ipi(&copy, icr) && vlapic_take(&copy) == (uint8_t)icr);
    check(memcmp(fired_page, page_copy, sizeof(fired_page)) == 0);
    check(served.irr_words == copy.irr_words && served.isr_words == copy.isr_words);
}

/* On a copy: nothing before the deadline, the interrupt at it, then none for the same moment. */
static void check_timer(void)
{
    uint64_t at = vlapic_deadline(&v);
    uint32_t lvt = reg(VLAPIC_LVT_TIMER);
    check(v.timer.shift <= 7 && v.timer.count <= v.timer.initial);
    check(reg(VLAPIC_INITIAL_COUNT) == v.timer.initial);
    check(vlapic_timer_current(&v.timer, v.now) <= v.timer.initial);
    if (at == VLAPIC_NEVER)
        return;
    check(!(lvt & 0x10000) && at > v.now);
    make_copy();
    copy.effects = (struct vlapic_effects){0};
    vlapic_advance(&copy, at - 1);
    check(!copy.effects.timer_changed && vlapic_deadline(&copy) == at);
    vlapic_advance(&copy, at);
    check(copy.effects.timer_changed);
    unsigned vector = lvt & 0xff;
    unsigned byte = VLAPIC_IRR + vector / 32 * 16 + vector % 32 / 8;
    check(vector < 16 || (page_copy[byte] >> vector % 8 & 1));
    check(vlapic_deadline(&copy) > at);
    check_fire(at);
}

static void check_effects(void)
{
    struct vlapic_effects e;
    vlapic_take_effects(&v, &e);
    const struct apic_message *m = &e.message;
    if (e.ipi) {
        check(vlapic_hardware_enabled(&v));
        check(m->mode <= APIC_MODE_SIPI && m->mode != 3 && m->shorthand != APIC_TO_SELF);
        check(m->mode > APIC_MODE_LOWEST || m->vector >= 16);
        check(vlapic_x2apic(&v) || m->destination <= 0xff);
        check(m->level_assert && !m->level_trigger);
    }
    check(!e.eoi_broadcast || e.eoi_vector >= 16);
    struct vlapic_effects none;
    vlapic_take_effects(&v, &none);
    check(!none.ipi && !none.nmi && !none.init && !none.state_changed && !none.timer_changed);
}

static void memory(const uint8_t *op, uint32_t value)
{
    struct io_access a = {.offset = (uint64_t)(op[1] & 0x3f) << 4, .size = 4, .value = value};
    a.write = op[0] & 0x80;
    if (op[1] & 0x80) { /* any size and place */
        a.offset += op[2] & 0xf;
        a.size = (uint8_t)(1u << (op[2] >> 4 & 3));
    }
    bool odd = a.offset % 16 != 0 || a.size != 4;
    make_copy();
    vlapic_ops.access(&v, &a);
    if (a.write && odd)
        check(same_as_copy());
    if (!a.write && vlapic_hardware_enabled(&v) && !vlapic_x2apic(&v))
        check(a.value <= UINT32_MAX);
    if (vlapic_x2apic(&v) || !vlapic_hardware_enabled(&v))
        check(same_as_copy() && a.value == value);
}

static void msr(const uint8_t *op, uint64_t value)
{
    static const uint32_t special[] = {0x1b, 0x6e0, 0x7ff, 0x900};
    uint32_t n = op[1] & 0x80 ? special[op[1] & 3] : 0x800u + (op[1] & 0x3f);
    if (n == 0x830)
        check_served_self_ipi(op[2] & 1 ? value : UINT64_C(1) << 18 | (uint8_t)value);
    make_copy();
    if (op[0] & 0x80) {
        if (n == 0x1b && (op[2] & 1))
            value = 0xfee00000 | (value & 0xc00);
        if (n == 0x6e0)
            value += now;
        bool short_way = n == 0x830 && vlapic_self_ipi(&copy, value);
        check(short_way || same_as_copy());
        bool written = vlapic_msr_write(&v, n, value, now);
        check(written || same_as_copy());
        check_self_ipi(short_way, written);
    } else if (!vlapic_msr_read(&v, n, now, &value)) {
        check(same_as_copy());
    }
}

static void interrupt(const uint8_t *op)
{
    int before;
    switch (op[1] & 7) {
    case 0:
    case 1:
        before = highest(VLAPIC_IRR);
        if (vlapic_accept(&v, op[2], op[1] & 8))
            check(has(VLAPIC_IRR, op[2]) && has(VLAPIC_TMR, op[2]) == !!(op[1] & 8));
        else
            check(op[2] < 16 ? highest(VLAPIC_IRR) >= before : !vlapic_software_enabled(&v));
        break;
    case 2:
        before = vlapic_pending(&v);
        uint8_t got = vlapic_ack(&v);
        check(before < 0 ? got == page[VLAPIC_SVR] : got == before && has(VLAPIC_ISR, got));
        break;
    case 3:
        before = highest(VLAPIC_ISR);
        vlapic_eoi(&v);
        check(before < 0 || highest(VLAPIC_ISR) < before);
        break;
    case 4:
        vlapic_set_lint(&v, op[2] & 1, op[2] & 2);
        break;
    case 5:
        vlapic_raise(&v, op[2] & 1 ? VLAPIC_LVT_THERMAL : VLAPIC_LVT_PERF);
        break;
    case 6:
        vlapic_set_cr8(&v, op[2] & 0xf);
        break;
    default:
        if (op[2] < 8)
            vlapic_reset(&v);
        else if (op[2] < 16)
            vlapic_init_reset(&v);
        break;
    }
}

/* The guest's hardware wrote the page, then told. */
static void written(const uint8_t *op, uint32_t value)
{
    static const uint16_t xapic[] = {
        VLAPIC_ID, VLAPIC_TPR, VLAPIC_EOI, VLAPIC_LDR, VLAPIC_DFR, VLAPIC_SVR, VLAPIC_ESR,
        VLAPIC_ICR, VLAPIC_ICR_HIGH, VLAPIC_LVT_TIMER, VLAPIC_LVT_THERMAL, VLAPIC_LVT_PERF,
        VLAPIC_LVT_LINT0, VLAPIC_LVT_LINT1, VLAPIC_LVT_ERROR, VLAPIC_INITIAL_COUNT,
    };
    static const uint16_t x2apic[] = {VLAPIC_TPR, VLAPIC_EOI, VLAPIC_SELF_IPI};
    if (!vlapic_hardware_enabled(&v))
        return;
    unsigned offset = vlapic_x2apic(&v) ? x2apic[op[1] % 3] : xapic[op[1] & 15];
    memcpy(page + offset, &value, sizeof(value));
    vlapic_written(&v, offset, now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    now = 0;
    vlapic_init(&v, page, data[0], data[0] & 1);
    v.timer.min_period = data[1] & 1 ? (uint64_t)data[1] << 4 : 0;
    for (size_t at = 2; at + 7 <= size; at += 7) {
        const uint8_t *op = data + at;
        uint32_t value;
        memcpy(&value, op + 3, sizeof(value));
        switch (op[0] & 7) {
        case 0:
        case 1:
            memory(op, value);
            break;
        case 2:
            msr(op, op[2] & 2 ? value : (uint64_t)value << (op[2] >> 2));
            break;
        case 3:
            interrupt(op);
            break;
        case 4:
            written(op, value);
            break;
        case 5:
            vlapic_tsc_moved(&v, (uint64_t)value << (op[1] & 15));
            now = v.now;
            break;
        default:
            now += op[1] & 1 ? value : value & 0xff;
            vlapic_advance(&v, now);
            break;
        }
        now = v.now;
        check_bits();
        check_priorities();
        vlapic_advance(&v, now);
        check_timer();
        check_effects();
    }
    return 0;
}
