/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The emulated local APIC in xAPIC mode: registers, priorities, errors, pins and what it sends. The
 * timer and x2APIC mode have files of their own.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "core/lib/string.h"
#include "drivers/emu/vlapic.h"

#define MASKED 0x10000u

static struct vlapic v;
static uint8_t page[VLAPIC_SIZE];

static uint64_t access_of(unsigned offset, unsigned size)
{
    struct io_access a = {.offset = offset, .size = (uint8_t)size, .value = UINT64_MAX};
    vlapic_ops.access(&v, &a);
    return a.value & (UINT64_MAX >> (64 - 8 * size)); /* the rest means nothing */
}

static void write_of(unsigned offset, unsigned size, uint64_t value)
{
    struct io_access a = {.offset = offset, .size = (uint8_t)size, .write = true, .value = value};
    vlapic_ops.access(&v, &a);
}

static uint32_t in(unsigned offset)
{
    return (uint32_t)access_of(offset, 4);
}

static void out(unsigned offset, uint32_t value)
{
    write_of(offset, 4, value);
}

static struct vlapic_effects take(void)
{
    struct vlapic_effects e;
    vlapic_take_effects(&v, &e);
    return e;
}

static uint32_t errors(void)
{
    out(VLAPIC_ESR, 0);
    return in(VLAPIC_ESR);
}

/* Puts a vector in service. */
static void serve(uint8_t vector)
{
    assert_true(vlapic_accept(&v, vector, false));
    assert_int_equal(vlapic_ack(&v), vector);
}

static int setup_off(void **state)
{
    (void)state;
    memset(page, 0xee, sizeof(page));
    vlapic_init(&v, page, 5, false);
    take();
    return 0;
}

static int setup(void **state)
{
    setup_off(state);
    out(VLAPIC_SVR, 0x1ff);
    take();
    return 0;
}

static void after_reset(void **state)
{
    (void)state;
    assert_int_equal(in(VLAPIC_ID), 0x05000000);
    assert_int_equal(in(VLAPIC_VERSION), 0x01050014);
    assert_int_equal(in(VLAPIC_TPR), 0);
    assert_int_equal(in(VLAPIC_PPR), 0);
    assert_int_equal(in(VLAPIC_EOI), 0);
    assert_int_equal(in(VLAPIC_LDR), 0);
    assert_int_equal(in(VLAPIC_DFR), 0xffffffff);
    assert_int_equal(in(VLAPIC_SVR), 0xff);
    for (unsigned i = 0; i < 24; i++)
        assert_int_equal(in(VLAPIC_ISR + i * 16), 0);
    assert_int_equal(in(VLAPIC_ICR), 0);
    assert_int_equal(in(VLAPIC_ICR_HIGH), 0);
    for (unsigned lvt = VLAPIC_LVT_TIMER; lvt <= VLAPIC_LVT_ERROR; lvt += 16)
        assert_int_equal(in(lvt), MASKED);
    assert_int_equal(in(VLAPIC_INITIAL_COUNT), 0);
    assert_int_equal(in(VLAPIC_CURRENT_COUNT), 0);
    assert_int_equal(in(VLAPIC_DIVIDE), 0);
    assert_int_equal(errors(), 0);
    assert_int_equal(vlapic_pending(&v), -1);
    assert_true(vlapic_hardware_enabled(&v));
    assert_false(vlapic_software_enabled(&v));
    assert_false(vlapic_x2apic(&v));
    uint64_t base = 0;
    assert_true(vlapic_mmio_base(&v, &base));
    assert_int_equal(base, 0xfee00000);
}

static void writable_bits(void **state)
{
    (void)state;
    static const struct {
        uint16_t offset;
        uint32_t ones, zeroes; /* what all ones and all zeroes written read as */
    } all[] = {
        {VLAPIC_ID, 0x05000000, 0x05000000},
        {VLAPIC_VERSION, 0x01050014, 0x01050014},
        {VLAPIC_TPR, 0xff, 0},
        {VLAPIC_APR, 0, 0},
        {VLAPIC_RRD, 0, 0},
        {VLAPIC_EOI, 0, 0},
        {VLAPIC_LDR, 0xff000000, 0},
        {VLAPIC_DFR, 0xffffffff, 0x0fffffff},
        {VLAPIC_ICR_HIGH, 0xff000000, 0},
        {VLAPIC_LVT_TIMER, 0x000700ff, 0},
        {VLAPIC_LVT_THERMAL, 0x000107ff, 0},
        {VLAPIC_LVT_PERF, 0x000107ff, 0},
        {VLAPIC_LVT_LINT0, 0x0001a7ff, 0},
        {VLAPIC_LVT_LINT1, 0x0001a7ff, 0},
        {VLAPIC_LVT_ERROR, 0x000100ff, 0},
        {VLAPIC_INITIAL_COUNT, 0xffffffff, 0},
        {VLAPIC_CURRENT_COUNT, 0, 0},
        {VLAPIC_DIVIDE, 0xb, 0},
        {VLAPIC_SVR, 0x13ff, 0},
    };
    for (unsigned i = 0; i < ARRAY_LEN(all); i++) {
        out(all[i].offset, 0xffffffff);
        assert_int_equal(in(all[i].offset), all[i].ones);
        out(all[i].offset, 0);
        assert_int_equal(in(all[i].offset), all[i].zeroes);
    }
    for (unsigned i = 0; i < 24; i++) {
        out(VLAPIC_ISR + i * 16, 0xffffffff);
        assert_int_equal(in(VLAPIC_ISR + i * 16), 0);
    }
    out(VLAPIC_PPR, 0xff);
    assert_int_equal(in(VLAPIC_PPR), 0);
    out(VLAPIC_ICR, 0xffff37ff); /* a reserved delivery mode: stored, not sent */
    assert_int_equal(in(VLAPIC_ICR), 0x000c07ff);
    assert_int_equal(errors(), 0); /* all of them exist */
}

static void access_sizes(void **state)
{
    (void)state;
    out(VLAPIC_LVT_LINT1, 0x1a5c3);
    assert_int_equal(access_of(VLAPIC_LVT_LINT1, 1), 0xc3);
    assert_int_equal(access_of(VLAPIC_LVT_LINT1 + 1, 1), 0xa5);
    assert_int_equal(access_of(VLAPIC_LVT_LINT1 + 1, 2), 0x01a5);
    assert_int_equal(access_of(VLAPIC_LVT_LINT1 + 2, 4), 0x0001);
    assert_int_equal(access_of(VLAPIC_LVT_LINT1, 8), 0x1a5c3);
    assert_int_equal(access_of(VLAPIC_LVT_LINT1 + 4, 4), 0);
    assert_int_equal(access_of(VLAPIC_LVT_LINT1 + 15, 1), 0);
    write_of(VLAPIC_LVT_LINT1, 1, 0x11);
    write_of(VLAPIC_LVT_LINT1, 2, 0x11);
    write_of(VLAPIC_LVT_LINT1, 8, 0x11);
    write_of(VLAPIC_LVT_LINT1 + 1, 1, 0x11);
    write_of(VLAPIC_LVT_LINT1 + 4, 4, 0x11);
    write_of(VLAPIC_LVT_LINT1 + 12, 4, 0x11);
    assert_int_equal(in(VLAPIC_LVT_LINT1), 0x1a5c3);
    assert_int_equal(errors(), 0);
    assert_true(access_of(VLAPIC_SIZE, 4) == 0xffffffff); /* not ours */
    assert_true(access_of(VLAPIC_SIZE + VLAPIC_ID, 8) == UINT64_MAX);
}

static void reserved_addresses(void **state)
{
    (void)state;
    static const uint16_t reserved[] = {0x000, 0x010, 0x040, 0x070, 0x290, 0x2e0, 0x2f0, 0x3a0,
                                        0x3d0, 0x3f0, 0x400, 0x800, 0xff0};
    for (unsigned i = 0; i < ARRAY_LEN(reserved); i++) {
        assert_int_equal(in(reserved[i]), 0);
        assert_int_equal(errors(), 0x80);
        out(reserved[i], 0x41);
        assert_int_equal(errors(), 0x80);
        assert_int_equal(in(reserved[i]), 0);
        errors();
    }
    assert_int_equal(vlapic_pending(&v), -1);
    assert_false(take().ipi);
    /* The owner's calls are as robust. */
    assert_int_equal(vlapic_read(&v, 0x21, 0), 0);
    assert_int_equal(vlapic_read(&v, VLAPIC_SIZE + VLAPIC_ID, 0), 0);
    vlapic_write(&v, VLAPIC_SIZE, 1, 0);
    vlapic_written(&v, VLAPIC_SIZE, 0);
    assert_int_equal(errors(), 0x80);
}

static void accept_and_serve(void **state)
{
    (void)state;
    assert_true(vlapic_accept(&v, 0x41, false));
    assert_true(take().state_changed);
    assert_true(vlapic_accept(&v, 0x41, false)); /* merged */
    assert_int_equal(in(VLAPIC_IRR + 2 * 16), 2);
    assert_int_equal(vlapic_pending(&v), 0x41);
    assert_int_equal(vlapic_ack(&v), 0x41);
    assert_int_equal(in(VLAPIC_IRR + 2 * 16), 0);
    assert_int_equal(in(VLAPIC_ISR + 2 * 16), 2);
    assert_int_equal(in(VLAPIC_PPR), 0x40);
    assert_int_equal(vlapic_pending(&v), -1);
    take();
    out(VLAPIC_EOI, 0x1234);
    assert_int_equal(in(VLAPIC_ISR + 2 * 16), 0);
    assert_int_equal(in(VLAPIC_PPR), 0);
    struct vlapic_effects e = take();
    assert_true(e.state_changed);
    assert_false(e.eoi_broadcast || e.reach_changed);
}

static void every_vector(void **state)
{
    (void)state;
    for (unsigned n = 16; n < 256; n++) {
        assert_true(vlapic_accept(&v, (uint8_t)n, false));
        assert_int_equal(in(VLAPIC_IRR + n / 32 * 16), 1u << n % 32);
        assert_int_equal(vlapic_highest_irr(&v), n);
        assert_int_equal(vlapic_ack(&v), n);
        assert_int_equal(vlapic_highest_irr(&v), -1);
        assert_int_equal(vlapic_highest_isr(&v), n);
        assert_int_equal(vlapic_ppr(&v), n & 0xf0);
        vlapic_eoi(&v);
        assert_int_equal(vlapic_highest_isr(&v), -1);
    }
    for (unsigned n = 16; n < 256; n++)
        assert_true(vlapic_accept(&v, (uint8_t)n, false));
    for (unsigned n = 255; n >= 16; n--) {
        assert_int_equal(vlapic_ack(&v), n);
        vlapic_eoi(&v);
    }
    assert_int_equal(vlapic_pending(&v), -1);
}

static void nesting(void **state)
{
    (void)state;
    serve(0x45);
    assert_true(vlapic_accept(&v, 0x4f, false)); /* same class: has to wait */
    assert_int_equal(vlapic_pending(&v), -1);
    serve(0x51);
    assert_int_equal(in(VLAPIC_PPR), 0x50);
    serve(0xff);
    out(VLAPIC_EOI, 0);
    out(VLAPIC_EOI, 0);
    assert_int_equal(in(VLAPIC_PPR), 0x40);
    assert_int_equal(vlapic_pending(&v), -1);
    out(VLAPIC_EOI, 0);
    assert_int_equal(vlapic_pending(&v), 0x4f);
}

static void eoi_of_nothing(void **state)
{
    (void)state;
    uint8_t before[VLAPIC_SIZE];
    assert_true(vlapic_accept(&v, 0x60, true));
    memcpy(before, page, sizeof(page));
    out(VLAPIC_EOI, 0);
    assert_memory_equal(before, page, sizeof(page));
    assert_false(take().eoi_broadcast);
}

static void task_priority(void **state)
{
    (void)state;
    assert_true(vlapic_accept(&v, 0x5a, false));
    out(VLAPIC_TPR, 0x4f);
    assert_int_equal(in(VLAPIC_PPR), 0x4f);
    assert_int_equal(vlapic_pending(&v), 0x5a);
    take();
    out(VLAPIC_TPR, 0x50);
    assert_true(take().state_changed);
    assert_int_equal(vlapic_pending(&v), -1);
    assert_int_equal(vlapic_ack(&v), 0xff); /* taken back between request and answer: spurious */
    assert_int_equal(vlapic_highest_isr(&v), -1);
    vlapic_set_cr8(&v, 4);
    assert_int_equal(in(VLAPIC_TPR), 0x40);
    assert_int_equal(vlapic_cr8(&v), 4);
    assert_int_equal(vlapic_ack(&v), 0x5a);
    assert_int_equal(in(VLAPIC_PPR), 0x50); /* in service beats TPR */
    vlapic_set_tpr(&v, 0x57);
    assert_int_equal(in(VLAPIC_PPR), 0x57); /* same class: all of TPR */
    vlapic_set_tpr(&v, 0xff);
    assert_int_equal(in(VLAPIC_PPR), 0xff);
    assert_true(vlapic_accept(&v, 0xff, false));
    assert_int_equal(vlapic_pending(&v), -1);
    /* Hardware with a TPR shadow changes the page behind our back. */
    page[VLAPIC_TPR] = 0x00;
    assert_int_equal(vlapic_tpr(&v), 0);
    assert_int_equal(vlapic_pending(&v), 0xff);
}

static void level_triggered(void **state)
{
    (void)state;
    assert_true(vlapic_accept(&v, 0x71, true));
    assert_int_equal(in(VLAPIC_TMR + 3 * 16), 1u << 0x11);
    assert_int_equal(vlapic_ack(&v), 0x71);
    assert_true(vlapic_accept(&v, 0x72, false));
    take();
    out(VLAPIC_EOI, 0);
    struct vlapic_effects e = take();
    assert_true(e.eoi_broadcast);
    assert_int_equal(e.eoi_vector, 0x71);
    assert_int_equal(vlapic_ack(&v), 0x72);
    out(VLAPIC_EOI, 0);
    assert_false(take().eoi_broadcast);
    /* The next one with that vector says anew what it is. */
    assert_true(vlapic_accept(&v, 0x71, false));
    assert_int_equal(in(VLAPIC_TMR + 3 * 16), 0);
}

static void broadcast_suppressed(void **state)
{
    (void)state;
    out(VLAPIC_SVR, 0x11ff);
    assert_true(vlapic_accept(&v, 0x71, true));
    vlapic_ack(&v);
    out(VLAPIC_EOI, 0);
    assert_false(take().eoi_broadcast);
    assert_int_equal(vlapic_highest_isr(&v), -1);
}

static void eoi_by_hardware(void **state)
{
    (void)state;
    assert_true(vlapic_accept(&v, 0x71, true));
    vlapic_ack(&v);
    page[VLAPIC_ISR + 3 * 16 + 2] = 0; /* virtual-interrupt delivery has cleared it */
    take();
    vlapic_eoi_done(&v, 0x71);
    struct vlapic_effects e = take();
    assert_true(e.eoi_broadcast);
    assert_int_equal(e.eoi_vector, 0x71);
    vlapic_eoi_done(&v, 0x30); /* an edge */
    assert_false(take().eoi_broadcast);
}

static void illegal_vectors_received(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 16; n++) {
        assert_false(vlapic_accept(&v, (uint8_t)n, false));
        assert_int_equal(errors(), 0x40);
    }
    assert_int_equal(vlapic_highest_irr(&v), -1);
    assert_int_equal(errors(), 0);
}

static void error_interrupt(void **state)
{
    (void)state;
    out(VLAPIC_LVT_ERROR, 0xf1);
    vlapic_accept(&v, 3, false);
    assert_int_equal(vlapic_pending(&v), 0xf1);
    assert_int_equal(in(VLAPIC_ESR), 0); /* not before a write */
    serve(0xf1);
    vlapic_eoi(&v);
    vlapic_accept(&v, 4, false); /* the same error: no second interrupt */
    assert_int_equal(vlapic_pending(&v), -1);
    in(0x40); /* another one */
    assert_int_equal(vlapic_pending(&v), 0xf1);
    serve(0xf1);
    vlapic_eoi(&v);
    out(VLAPIC_ESR, 0xffffffff);
    assert_int_equal(in(VLAPIC_ESR), 0xc0);
    assert_int_equal(in(VLAPIC_ESR), 0xc0); /* until the next write */
    vlapic_accept(&v, 3, false);
    assert_int_equal(vlapic_pending(&v), 0xf1); /* armed again by the write */
    assert_int_equal(in(VLAPIC_ESR), 0xc0);
    assert_int_equal(errors(), 0x40);
    assert_int_equal(errors(), 0);
}

static void error_recursion(void **state)
{
    (void)state;
    out(VLAPIC_LVT_ERROR, 0x02); /* an error interrupt that is an error itself */
    vlapic_accept(&v, 3, false);
    assert_int_equal(errors(), 0x40);
    in(0x40);
    assert_int_equal(errors(), 0xc0);
    out(VLAPIC_ICR, 0x00004005);
    assert_int_equal(errors(), 0x60);
    assert_int_equal(vlapic_highest_irr(&v), -1);
}

static struct apic_message sent(uint32_t high, uint32_t low)
{
    take();
    out(VLAPIC_ICR_HIGH, high);
    out(VLAPIC_ICR, low);
    struct vlapic_effects e = take();
    assert_true(e.ipi);
    assert_false(e.nmi || e.init);
    assert_int_equal(in(VLAPIC_ICR), low & 0xccfff); /* delivery status: idle */
    return e.message;
}

static void ipi_messages(void **state)
{
    (void)state;
    static const uint8_t modes[] = {APIC_MODE_FIXED, APIC_MODE_LOWEST, APIC_MODE_SMI,
                                    APIC_MODE_NMI, APIC_MODE_INIT, APIC_MODE_SIPI};
    for (unsigned i = 0; i < ARRAY_LEN(modes); i++) {
        struct apic_message m = sent(0x12345678, 0x4099u | (uint32_t)modes[i] << 8);
        assert_int_equal(m.mode, modes[i]);
        assert_int_equal(m.vector, 0x99);
        assert_int_equal(m.destination, 0x12);
        assert_false(m.logical);
        assert_true(m.level_assert);
        assert_false(m.level_trigger);
        assert_int_equal(m.shorthand, APIC_TO_DESTINATION);
    }
    assert_true(sent(0x03000000, 0x4833).logical);
    assert_int_equal(sent(0xff000000, 0x4833).destination, 0xff);
    assert_int_equal(sent(0, 0xc4033).shorthand, APIC_TO_OTHERS);
    assert_int_equal(sent(0, 0x84033).shorthand, APIC_TO_ALL);
    assert_int_equal(sent(0, 0x84400).mode, APIC_MODE_NMI);
    assert_int_equal(sent(0, 0xc4500).mode, APIC_MODE_INIT);
    assert_int_equal(sent(0, 0xc4608).vector, 0x08); /* the page to start at: no vector */
    /* The level bits mean nothing: always an edge. */
    struct apic_message m = sent(0, 0x8033);
    assert_true(m.level_assert);
    assert_false(m.level_trigger);
    assert_int_equal(sent(0, 0xc500).mode, APIC_MODE_INIT);
    assert_int_equal(sent(0x0f000000, 0x4033).destination, 0x0f); /* to nobody: all the same */
}

static void not_sent(uint32_t low, uint32_t error)
{
    take();
    out(VLAPIC_ICR, low);
    struct vlapic_effects e = take();
    assert_false(e.ipi || e.nmi || e.init);
    assert_int_equal(errors(), error);
    assert_int_equal(vlapic_highest_irr(&v), -1);
}

static void ipis_refused(void **state)
{
    (void)state;
    not_sent(0x8500, 0);   /* INIT level de-assert */
    not_sent(0xc8500, 0);
    not_sent(0x4333, 0);   /* reserved modes */
    not_sent(0x4733, 0);
    not_sent(0x400f, 0x20); /* illegal vectors */
    not_sent(0x4100, 0x20);
    not_sent(0x4400f, 0x20);
    not_sent(0xc4005, 0x20);
    not_sent(0x84500, 0);  /* INIT, SIPI, SMI: not to oneself */
    not_sent(0x84608, 0);
    not_sent(0x84200, 0);
    not_sent(0x44500, 0);
    not_sent(0x44608, 0);
    not_sent(0x44200, 0);
    out(VLAPIC_ICR_HIGH, 0x05000000); /* the high half alone sends nothing */
    assert_false(take().ipi);
}

static void ipis_to_self(void **state)
{
    (void)state;
    out(VLAPIC_ICR, 0x44061);
    struct vlapic_effects e = take();
    assert_false(e.ipi);
    assert_true(e.state_changed);
    assert_int_equal(vlapic_pending(&v), 0x61);
    out(VLAPIC_ICR, 0x4c162); /* lowest priority among one; level is an edge */
    assert_int_equal(vlapic_pending(&v), 0x62);
    assert_int_equal(in(VLAPIC_TMR + 3 * 16), 0);
    take();
    out(VLAPIC_ICR, 0x44400);
    e = take();
    assert_true(e.nmi && e.state_changed);
    assert_false(e.ipi);
}

static void software_disabled(void **state)
{
    (void)state;
    out(VLAPIC_LVT_LINT0, 0x700);
    out(VLAPIC_LVT_ERROR, 0xf1);
    assert_true(vlapic_accept(&v, 0x80, false));
    serve(0x90);
    out(VLAPIC_SVR, 0xff);
    assert_false(vlapic_software_enabled(&v));
    for (unsigned lvt = VLAPIC_LVT_TIMER; lvt <= VLAPIC_LVT_ERROR; lvt += 16)
        assert_true(in(lvt) & MASKED);
    out(VLAPIC_LVT_LINT0, 0x700);
    assert_int_equal(in(VLAPIC_LVT_LINT0), 0x10700); /* the mask stays */
    assert_false(vlapic_lint0_extint(&v));
    assert_false(vlapic_accept(&v, 0x81, false));
    assert_false(vlapic_accept(&v, 0x02, false));
    assert_int_equal(errors(), 0);
    out(VLAPIC_ICR, 0x44082);
    assert_int_equal(vlapic_highest_irr(&v), 0x80); /* what came before is still there ... */
    out(VLAPIC_EOI, 0);
    assert_int_equal(vlapic_ack(&v), 0x80); /* ... and can be taken and ended */
    out(VLAPIC_EOI, 0);
    assert_int_equal(vlapic_highest_isr(&v), -1);
    take();
    out(VLAPIC_ICR, 0xc4500); /* it still sends */
    assert_true(take().ipi);
    out(VLAPIC_SVR, 0x1ff);
    assert_int_equal(in(VLAPIC_LVT_LINT0), 0x10700); /* unmasking is software's */
    assert_true(vlapic_accept(&v, 0x81, false));
}

static void spurious_vector(void **state)
{
    (void)state;
    out(VLAPIC_SVR, 0x1ef);
    assert_int_equal(vlapic_ack(&v), 0xef);
    out(VLAPIC_SVR, 0x103); /* all eight bits are software's */
    assert_int_equal(vlapic_ack(&v), 0x03);
    assert_int_equal(vlapic_highest_isr(&v), -1);
}

static void lint0_extint(void **state)
{
    (void)state;
    assert_false(vlapic_lint0_extint(&v));
    out(VLAPIC_LVT_LINT0, 0x700);
    assert_true(vlapic_lint0_extint(&v));
    vlapic_set_lint(&v, 0, true);
    assert_int_equal(vlapic_pending(&v), -1); /* its vector is the 8259's */
    out(VLAPIC_LVT_LINT0, 0x10700);
    assert_false(vlapic_lint0_extint(&v));
    out(VLAPIC_LVT_LINT0, 0x030);
    assert_false(vlapic_lint0_extint(&v));
}

static void lint0_edge(void **state)
{
    (void)state;
    out(VLAPIC_LVT_LINT0, 0x30);
    vlapic_set_lint(&v, 0, true);
    assert_int_equal(vlapic_pending(&v), 0x30);
    serve(0x30);
    out(VLAPIC_EOI, 0);
    vlapic_set_lint(&v, 0, true); /* no edge */
    assert_int_equal(vlapic_pending(&v), -1);
    vlapic_set_lint(&v, 0, false);
    vlapic_set_lint(&v, 0, true);
    assert_int_equal(vlapic_pending(&v), 0x30);
    serve(0x30);
    assert_false(take().eoi_broadcast);
}

static void lint0_level(void **state)
{
    (void)state;
    out(VLAPIC_LVT_LINT0, 0x18030);
    vlapic_set_lint(&v, 0, true);
    assert_int_equal(vlapic_pending(&v), -1);
    out(VLAPIC_LVT_LINT0, 0x08030); /* unmasked while asserted */
    assert_int_equal(vlapic_pending(&v), 0x30);
    assert_int_equal(in(VLAPIC_LVT_LINT0), 0x0c030);
    assert_int_equal(vlapic_ack(&v), 0x30);
    vlapic_set_lint(&v, 0, true);
    assert_int_equal(vlapic_highest_irr(&v), -1); /* not again before its EOI ... */
    assert_true(vlapic_accept(&v, 0x60, true));
    assert_int_equal(vlapic_ack(&v), 0x60);
    out(VLAPIC_EOI, 0); /* ... which is not another interrupt's */
    assert_int_equal(vlapic_highest_irr(&v), -1);
    out(VLAPIC_LVT_LINT0, 0x08030); /* remote IRR is not software's */
    assert_int_equal(in(VLAPIC_LVT_LINT0), 0x0c030);
    out(VLAPIC_EOI, 0);
    assert_int_equal(vlapic_pending(&v), 0x30); /* still asserted: once more */
    assert_int_equal(vlapic_ack(&v), 0x30);
    vlapic_set_lint(&v, 0, false);
    assert_int_equal(in(VLAPIC_LVT_LINT0), 0x0c030); /* until the EOI */
    out(VLAPIC_EOI, 0);
    assert_int_equal(vlapic_pending(&v), -1);
    assert_int_equal(in(VLAPIC_LVT_LINT0), 0x08030);
    vlapic_set_lint(&v, 0, true);
    assert_int_equal(in(VLAPIC_LVT_LINT0), 0x0c030);
    out(VLAPIC_LVT_LINT0, 0x00030); /* an edge has no remote IRR */
    assert_int_equal(in(VLAPIC_LVT_LINT0), 0x00030);
}

static void lint1_nmi(void **state)
{
    (void)state;
    vlapic_set_lint(&v, 1, true);
    assert_false(take().nmi); /* masked */
    vlapic_set_lint(&v, 1, false);
    out(VLAPIC_LVT_LINT1, 0x400);
    vlapic_set_lint(&v, 1, true);
    assert_true(take().nmi);
    vlapic_set_lint(&v, 1, true);
    assert_false(take().nmi);
    vlapic_set_lint(&v, 1, false);
    assert_false(take().nmi);
    out(VLAPIC_LVT_LINT1, 0x500);
    vlapic_set_lint(&v, 1, true);
    struct vlapic_effects e = take();
    assert_true(e.init && !e.nmi);
    vlapic_set_lint(&v, 1, false);
    out(VLAPIC_LVT_LINT1, 0x8031); /* fixed: an edge whatever it says */
    vlapic_set_lint(&v, 1, true);
    assert_int_equal(vlapic_ack(&v), 0x31);
    out(VLAPIC_EOI, 0);
    assert_int_equal(vlapic_pending(&v), -1);
}

static void virtual_wire(void **state)
{
    (void)state;
    vlapic_set_virtual_wire(&v);
    assert_true(vlapic_software_enabled(&v));
    assert_true(vlapic_lint0_extint(&v));
    assert_int_equal(in(VLAPIC_LVT_LINT0), 0x700);
    assert_int_equal(in(VLAPIC_LVT_LINT1), 0x400);
    take();
    vlapic_set_lint(&v, 1, true);
    assert_true(take().nmi);
    vlapic_init_reset(&v);
    assert_false(vlapic_lint0_extint(&v));
}

static void other_local_sources(void **state)
{
    (void)state;
    out(VLAPIC_LVT_THERMAL, 0xfa);
    vlapic_raise(&v, VLAPIC_LVT_THERMAL);
    vlapic_raise(&v, VLAPIC_LVT_PERF); /* masked */
    assert_int_equal(vlapic_ack(&v), 0xfa);
    assert_int_equal(in(VLAPIC_LVT_THERMAL), 0xfa);
    out(VLAPIC_LVT_PERF, 0x400);
    take();
    vlapic_raise(&v, VLAPIC_LVT_PERF);
    assert_true(take().nmi);
    assert_int_equal(in(VLAPIC_LVT_PERF), 0x10400); /* masks itself */
    vlapic_raise(&v, VLAPIC_LVT_PERF);
    assert_false(take().nmi);
    out(VLAPIC_LVT_THERMAL, 0x200); /* SMI: there is none */
    take();
    vlapic_raise(&v, VLAPIC_LVT_THERMAL);
    struct vlapic_effects e = take();
    assert_false(e.nmi || e.init || e.ipi);
}

static void written_by_hardware(void **state)
{
    (void)state;
    /* An APIC-write exit: the page has the value already, whole and unchecked. */
    uint32_t wild = 0xffffffff;
    memcpy(page + VLAPIC_LVT_ERROR, &wild, 4);
    vlapic_written(&v, VLAPIC_LVT_ERROR, 0);
    assert_int_equal(in(VLAPIC_LVT_ERROR), 0x100ff);
    memcpy(page + VLAPIC_ID, &wild, 4);
    vlapic_written(&v, VLAPIC_ID, 0);
    assert_int_equal(in(VLAPIC_ID), 0x05000000);
    vlapic_accept(&v, 1, false);
    memcpy(page + VLAPIC_ESR, &wild, 4);
    vlapic_written(&v, VLAPIC_ESR, 0);
    assert_int_equal(in(VLAPIC_ESR), 0x40);
    serve(0x55);
    memcpy(page + VLAPIC_EOI, &wild, 4);
    vlapic_written(&v, VLAPIC_EOI, 0);
    assert_int_equal(vlapic_highest_isr(&v), -1);
    uint32_t high = 0x02000000, low = 0x4077;
    memcpy(page + VLAPIC_ICR_HIGH, &high, 4);
    vlapic_written(&v, VLAPIC_ICR_HIGH, 0);
    memcpy(page + VLAPIC_ICR, &low, 4);
    take();
    vlapic_written(&v, VLAPIC_ICR, 0);
    struct vlapic_effects e = take();
    assert_true(e.ipi);
    assert_int_equal(e.message.destination, 2);
    assert_int_equal(e.message.vector, 0x77);
    uint32_t lint0 = 0x0c030; /* remote IRR does not come from the page */
    memcpy(page + VLAPIC_LVT_LINT0, &lint0, 4);
    vlapic_written(&v, VLAPIC_LVT_LINT0, 0);
    assert_int_equal(in(VLAPIC_LVT_LINT0), 0x08030);
}

/* A timer that was due while it was masked does not fire when the hardware has put the unmasked
 * entry into the page already; one that was not masked does. */
static void timer_entry_written_by_hardware(void **state)
{
    (void)state;
    uint32_t entry = 0x60, masked = 0x10060;
    out(VLAPIC_SVR, 0x1ff);
    out(VLAPIC_DIVIDE, 0xb);
    for (unsigned before = 0; before < 2; before++) {
        vlapic_write(&v, VLAPIC_LVT_TIMER, before ? entry : masked, v.now);
        vlapic_write(&v, VLAPIC_INITIAL_COUNT, 100, v.now);
        memcpy(page + VLAPIC_LVT_TIMER, before ? &masked : &entry, 4);
        vlapic_written(&v, VLAPIC_LVT_TIMER, v.now + 1000);
        assert_int_equal(vlapic_highest_irr(&v), before ? 0x60 : -1);
        assert_int_equal(in(VLAPIC_LVT_TIMER), before ? masked : entry);
    }
    out(VLAPIC_SVR, 0xff); /* masks it, too */
    assert_int_equal(v.lvt_timer, masked);
}

/* What was due before the APIC was switched off by software waits in IRR all the same. */
static void svr_written_by_hardware(void **state)
{
    const uint32_t off = 0xff, on = 0x1ff;
    (void)state;
    vlapic_write(&v, VLAPIC_SVR, on, v.now);
    vlapic_write(&v, VLAPIC_DIVIDE, 0xb, v.now);
    vlapic_write(&v, VLAPIC_LVT_TIMER, 0x60, v.now);
    vlapic_write(&v, VLAPIC_INITIAL_COUNT, 100, v.now);
    memcpy(page + VLAPIC_SVR, &off, 4);
    vlapic_written(&v, VLAPIC_SVR, v.now + 1000);
    assert_int_equal(vlapic_highest_irr(&v), 0x60);
    assert_int_equal(in(VLAPIC_LVT_TIMER), 0x10060);
    assert_false(vlapic_software_enabled(&v));
    memcpy(page + VLAPIC_SVR, &on, 4);
    vlapic_written(&v, VLAPIC_SVR, v.now);
    assert_true(vlapic_software_enabled(&v));
}

static void resets(void **state)
{
    (void)state;
    for (unsigned power_on = 0; power_on < 2; power_on++) {
        out(VLAPIC_SVR, 0x1ff);
        serve(0x40);
        vlapic_accept(&v, 0x50, true);
        out(VLAPIC_TPR, 0x20);
        out(VLAPIC_LDR, 0x01000000);
        out(VLAPIC_LVT_LINT1, 0x400);
        in(0x40);
        v.apic_base = 0xfed00800;
        take();
        if (power_on)
            vlapic_ops.reset(&v);
        else
            vlapic_init_reset(&v);
        struct vlapic_effects e = take();
        assert_true(e.state_changed && e.timer_changed && e.reach_changed);
        assert_int_equal(e.base_changed, power_on);
        assert_int_equal(v.apic_base, power_on ? 0xfee00800 : 0xfed00800);
        assert_int_equal(in(VLAPIC_ID), 0x05000000);
        assert_int_equal(in(VLAPIC_SVR), 0xff);
        assert_int_equal(in(VLAPIC_LVT_LINT1), MASKED);
        assert_int_equal(in(VLAPIC_LDR), 0);
        assert_int_equal(in(VLAPIC_TPR), 0);
        assert_int_equal(in(VLAPIC_PPR), 0);
        assert_int_equal(vlapic_highest_irr(&v), -1);
        assert_int_equal(vlapic_highest_isr(&v), -1);
        assert_int_equal(errors(), 0);
    }
}

static void targets(void **state)
{
    (void)state;
    struct apic_target t;
    out(VLAPIC_LDR, 0x21ffffff);
    out(VLAPIC_DFR, 0);
    assert_true(vlapic_target(&v, &t));
    assert_int_equal(t.id, 5);
    assert_int_equal(t.ldr, 0x21000000);
    assert_int_equal(t.dfr, 0x0fffffff);
    assert_false(t.x2apic);
    struct apic_message m = {.logical = true, .destination = 0x23};
    assert_true(apic_matches(&m, 0, &t));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(after_reset, setup_off),
        cmocka_unit_test_setup(writable_bits, setup),
        cmocka_unit_test_setup(access_sizes, setup),
        cmocka_unit_test_setup(reserved_addresses, setup),
        cmocka_unit_test_setup(accept_and_serve, setup),
        cmocka_unit_test_setup(every_vector, setup),
        cmocka_unit_test_setup(nesting, setup),
        cmocka_unit_test_setup(eoi_of_nothing, setup),
        cmocka_unit_test_setup(task_priority, setup),
        cmocka_unit_test_setup(level_triggered, setup),
        cmocka_unit_test_setup(broadcast_suppressed, setup),
        cmocka_unit_test_setup(eoi_by_hardware, setup),
        cmocka_unit_test_setup(illegal_vectors_received, setup),
        cmocka_unit_test_setup(error_interrupt, setup),
        cmocka_unit_test_setup(error_recursion, setup),
        cmocka_unit_test_setup(ipi_messages, setup),
        cmocka_unit_test_setup(ipis_refused, setup),
        cmocka_unit_test_setup(ipis_to_self, setup),
        cmocka_unit_test_setup(software_disabled, setup),
        cmocka_unit_test_setup(spurious_vector, setup),
        cmocka_unit_test_setup(lint0_extint, setup),
        cmocka_unit_test_setup(lint0_edge, setup),
        cmocka_unit_test_setup(lint0_level, setup),
        cmocka_unit_test_setup(lint1_nmi, setup),
        cmocka_unit_test_setup(virtual_wire, setup_off),
        cmocka_unit_test_setup(other_local_sources, setup),
        cmocka_unit_test_setup(timer_entry_written_by_hardware, setup),
        cmocka_unit_test_setup(svr_written_by_hardware, setup),
        cmocka_unit_test_setup(written_by_hardware, setup),
        cmocka_unit_test_setup(resets, setup),
        cmocka_unit_test_setup(targets, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
