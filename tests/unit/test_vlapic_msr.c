/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The emulated local APIC's MSRs: IA32_APIC_BASE with every transition, x2APIC mode register by
 * register, and what memory answers meanwhile.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "core/lib/string.h"
#include "drivers/emu/vlapic.h"

#define MSR_BASE     0x1b
#define MSR_DEADLINE 0x6e0

#define OFF    UINT64_C(0xfee00000)
#define XAPIC  UINT64_C(0xfee00800)
#define X2APIC UINT64_C(0xfee00c00)
#define BAD    UINT64_C(0xfee00400)

#define ID     0x12fu

static struct vlapic v;
static uint8_t page[VLAPIC_SIZE];

static bool wr(uint32_t msr, uint64_t value)
{
    return vlapic_msr_write(&v, msr, value, 0);
}

static bool readable(uint32_t msr)
{
    uint64_t value = UINT64_C(0x5555555555555555);
    bool ok = vlapic_msr_read(&v, msr, 0, &value);
    assert_true(ok || value == UINT64_C(0x5555555555555555));
    return ok;
}

static uint64_t rd(uint32_t msr)
{
    uint64_t value = UINT64_MAX;
    assert_true(vlapic_msr_read(&v, msr, 0, &value));
    return value;
}

static struct vlapic_effects take(void)
{
    struct vlapic_effects e;
    vlapic_take_effects(&v, &e);
    return e;
}

static int setup(void **state)
{
    (void)state;
    vlapic_init(&v, page, ID, false);
    take();
    return 0;
}

static int setup_x2apic(void **state)
{
    setup(state);
    assert_true(wr(MSR_BASE, X2APIC));
    assert_true(wr(0x80f, 0x1ff));
    take();
    return 0;
}

static void to_mode(uint64_t base)
{
    if (base == X2APIC)
        to_mode(XAPIC);
    if (base == XAPIC && vlapic_x2apic(&v))
        to_mode(OFF);
    assert_true(wr(MSR_BASE, base));
}

static void transitions(void **state)
{
    (void)state;
    static const uint64_t modes[] = {OFF, XAPIC, X2APIC, BAD};
    static const bool legal[3][4] = {
        {true, true, false, false},
        {true, true, true, false},
        {true, false, true, false},
    };
    for (unsigned from = 0; from < 3; from++)
        for (unsigned to = 0; to < 4; to++) {
            vlapic_reset(&v);
            to_mode(modes[from]);
            take();
            assert_int_equal(wr(MSR_BASE, modes[to]), legal[from][to]);
            uint64_t now = legal[from][to] ? modes[to] : modes[from];
            assert_int_equal(rd(MSR_BASE), now);
            assert_int_equal(vlapic_hardware_enabled(&v), now != OFF);
            assert_int_equal(vlapic_x2apic(&v), now == X2APIC);
            uint64_t base = 0;
            assert_int_equal(vlapic_mmio_base(&v, &base), now == XAPIC);
            assert_int_equal(take().base_changed, now != modes[from]);
        }
}

static void base_bits(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        bool reserved = bit < 8 || bit == 9 || bit >= 36;
        vlapic_reset(&v);
        assert_int_equal(wr(MSR_BASE, XAPIC ^ BIT(bit)), !reserved);
    }
    vlapic_reset(&v);
    v.maxphyaddr = 40;
    assert_true(wr(MSR_BASE, UINT64_C(0xff12345800)));
    assert_false(wr(MSR_BASE, UINT64_C(0x1ff12345800)));
    uint64_t base = 0;
    assert_true(vlapic_mmio_base(&v, &base));
    assert_int_equal(base, UINT64_C(0xff12345000));
    v.maxphyaddr = 200; /* an owner's mistake: never more than 52 */
    assert_false(wr(MSR_BASE, XAPIC | BIT(52)));
}

static void bsp_bit(void **state)
{
    (void)state;
    assert_int_equal(rd(MSR_BASE), XAPIC);
    assert_true(wr(MSR_BASE, XAPIC | 0x100));
    assert_int_equal(rd(MSR_BASE), XAPIC);
    vlapic_init(&v, page, 0, true);
    assert_int_equal(rd(MSR_BASE), XAPIC | 0x100);
    assert_true(wr(MSR_BASE, X2APIC));
    assert_int_equal(rd(MSR_BASE), X2APIC | 0x100);
}

static void without_x2apic(void **state)
{
    (void)state;
    v.x2apic_supported = false;
    assert_false(wr(MSR_BASE, X2APIC));
    assert_true(wr(MSR_BASE, OFF));
    assert_false(wr(MSR_BASE, X2APIC));
    assert_false(wr(MSR_BASE, BAD));
    assert_true(wr(MSR_BASE, XAPIC));
    assert_int_equal(rd(MSR_BASE), XAPIC);
}

static void disabled(void **state)
{
    (void)state;
    vlapic_write(&v, VLAPIC_SVR, 0x1ff, 0);
    vlapic_write(&v, VLAPIC_TPR, 0x20, 0);
    vlapic_write(&v, VLAPIC_LVT_TIMER, 0x50, 0);
    vlapic_write(&v, VLAPIC_INITIAL_COUNT, 100, 0);
    assert_true(vlapic_accept(&v, 0x40, false));
    assert_true(wr(MSR_BASE, OFF));
    assert_int_equal(vlapic_pending(&v), -1);
    assert_false(vlapic_accept(&v, 0x40, false));
    assert_false(vlapic_software_enabled(&v));
    assert_true(vlapic_lint0_extint(&v)); /* the pin is INTR */
    struct apic_target t;
    assert_false(vlapic_target(&v, &t));
    take();
    vlapic_set_lint(&v, 0, true);
    assert_false(take().nmi);
    vlapic_set_lint(&v, 1, true); /* and that one NMI */
    assert_true(take().nmi);
    vlapic_advance(&v, 10000);
    assert_int_equal(vlapic_highest_irr(&v), -1);
    assert_int_equal(vlapic_read(&v, VLAPIC_VERSION, 0), 0xffffffff);
    struct io_access a = {.offset = VLAPIC_VERSION, .size = 4, .value = 0x1234};
    vlapic_ops.access(&v, &a);
    assert_int_equal(a.value, 0x1234);
    assert_false(readable(0x803));
    assert_true(wr(MSR_BASE, XAPIC)); /* as after power-on */
    assert_int_equal(vlapic_read(&v, VLAPIC_SVR, 0), 0xff);
    assert_int_equal(vlapic_read(&v, VLAPIC_TPR, 0), 0);
    assert_int_equal(vlapic_read(&v, VLAPIC_LVT_TIMER, 0), 0x10000);
    assert_int_equal(vlapic_read(&v, VLAPIC_ID, 0), 0x2f000000);
}

static void moving_the_region_keeps_state(void **state)
{
    (void)state;
    vlapic_write(&v, VLAPIC_SVR, 0x1ff, 0);
    take();
    assert_true(wr(MSR_BASE, XAPIC)); /* no change, no work */
    assert_false(take().base_changed);
    assert_true(wr(MSR_BASE, 0xfed00800));
    struct vlapic_effects e = take();
    assert_true(e.base_changed && !e.state_changed);
    assert_int_equal(vlapic_read(&v, VLAPIC_SVR, 0), 0x1ff);
}

static void into_x2apic_mode(void **state)
{
    (void)state;
    vlapic_write(&v, VLAPIC_SVR, 0x1ff, 0);
    vlapic_write(&v, VLAPIC_TPR, 0x20, 0);
    vlapic_write(&v, VLAPIC_LDR, 0x01000000, 0);
    vlapic_write(&v, VLAPIC_ICR_HIGH, 0x07000000, 0);
    vlapic_write(&v, VLAPIC_LVT_LINT1, 0x400, 0);
    assert_true(vlapic_accept(&v, 0x44, false));
    assert_true(wr(MSR_BASE, X2APIC));
    assert_int_equal(rd(0x802), ID);
    assert_int_equal(rd(0x80d), 0x00128000);
    assert_int_equal(rd(0x80f), 0x1ff); /* kept */
    assert_int_equal(rd(0x808), 0x20);
    assert_int_equal(rd(0x836), 0x400);
    assert_int_equal(rd(0x822), 0x10);
    assert_int_equal(rd(0x830), 0); /* the old high half means something else here */
    assert_int_equal(page[VLAPIC_ICR_HIGH + 3], 0);
    vlapic_init_reset(&v);
    assert_true(vlapic_x2apic(&v));
    assert_int_equal(rd(0x802), ID);
    assert_int_equal(rd(0x80d), 0x00128000);
    assert_int_equal(rd(0x80f), 0xff);
    to_mode(XAPIC);
    assert_int_equal(vlapic_read(&v, VLAPIC_LDR, 0), 0);
    assert_int_equal(vlapic_read(&v, VLAPIC_ID, 0), 0x2f000000);
}

/* Every MSR of the range: may it be read, and which bits may be written without #GP. */
struct expected {
    bool read, write;
    uint64_t bits;
};

static struct expected expect(unsigned index)
{
    if (index >= 0x10 && index < 0x28) /* ISR, TMR, IRR */
        return (struct expected){true, false, 0};
    switch (index) {
    case 0x02: case 0x03: case 0x0a: case 0x0d: case 0x39:
        return (struct expected){true, false, 0};
    case 0x08:
        return (struct expected){true, true, 0xff};
    case 0x0b:
        return (struct expected){false, true, 0};
    case 0x0f:
        return (struct expected){true, true, 0x13ff};
    case 0x28:
        return (struct expected){true, true, 0};
    case 0x30:
        return (struct expected){true, true, UINT64_C(0xffffffff000cdfff)};
    case 0x32:
        return (struct expected){true, true, 0x710ff};
    case 0x33: case 0x34:
        return (struct expected){true, true, 0x117ff};
    case 0x35: case 0x36:
        return (struct expected){true, true, 0x1f7ff};
    case 0x37:
        return (struct expected){true, true, 0x110ff};
    case 0x38:
        return (struct expected){true, true, 0xffffffff};
    case 0x3e:
        return (struct expected){true, true, 0xb};
    case 0x3f:
        return (struct expected){false, true, 0xff};
    default:
        return (struct expected){false, false, 0};
    }
}

static void every_msr(void **state)
{
    for (unsigned index = 0; index < 0x100; index++) {
        struct expected x = expect(index);
        setup_x2apic(state);
        assert_int_equal(readable(0x800 + index), x.read);
        assert_int_equal(wr(0x800 + index, 0), x.write);
        for (unsigned bit = 0; bit < 64; bit++)
            assert_int_equal(wr(0x800 + index, BIT(bit)), x.write && (x.bits & BIT(bit)));
    }
    assert_false(readable(0x7ff));
    assert_false(readable(0x900));
    assert_false(wr(0x900, 0));
    assert_false(readable(0));
    assert_false(readable(0xffffffff));
}

static void only_in_x2apic_mode(void **state)
{
    (void)state;
    for (unsigned off = 0; off < 2; off++) {
        for (uint32_t msr = 0x800; msr < 0x900; msr++) {
            assert_false(readable(msr));
            assert_false(wr(msr, 0));
        }
        assert_true(wr(MSR_BASE, OFF));
    }
    assert_int_equal(rd(MSR_DEADLINE), 0); /* belongs to no mode */
    assert_true(wr(MSR_DEADLINE, 5));
    assert_int_equal(rd(MSR_DEADLINE), 0);
}

static void a_fault_changes_nothing(void **state)
{
    (void)state;
    assert_true(vlapic_accept(&v, 0x40, true));
    vlapic_ack(&v);
    take();
    struct vlapic before = v;
    uint8_t copy[VLAPIC_SIZE];
    memcpy(copy, page, sizeof(page));
    assert_false(wr(0x80b, 1));
    assert_false(wr(0x80f, 0x11ff | BIT(32)));
    assert_false(wr(0x830, 0x44041 | BIT(20)));
    assert_false(wr(0x83f, 0x141));
    assert_false(wr(0x828, 1));
    assert_false(wr(MSR_BASE, XAPIC));
    assert_memory_equal(&before, &v, sizeof(v));
    assert_memory_equal(copy, page, sizeof(page));
}

static void memory_is_silent(void **state)
{
    (void)state;
    for (unsigned offset = 0; offset < VLAPIC_SIZE; offset += 16) {
        struct io_access a = {.offset = offset, .size = 4, .value = 0xabcdef};
        vlapic_ops.access(&v, &a);
        assert_int_equal(a.value, 0xabcdef);
        assert_int_equal(vlapic_read(&v, offset, 0), 0xffffffff);
    }
    struct io_access w = {.offset = VLAPIC_TPR, .size = 4, .write = true, .value = 0xff};
    vlapic_ops.access(&v, &w);
    vlapic_write(&v, VLAPIC_TPR, 0xff, 0);
    assert_int_equal(rd(0x808), 0);
    assert_int_equal(v.esr_pending, 0);
}

static void icr64(void **state)
{
    (void)state;
    assert_true(wr(0x830, UINT64_C(0x1234567800004841)));
    struct vlapic_effects e = take();
    assert_true(e.ipi && e.message.logical);
    assert_int_equal(e.message.destination, 0x12345678);
    assert_int_equal(e.message.vector, 0x41);
    assert_int_equal(rd(0x830), UINT64_C(0x1234567800004841));
    assert_true(wr(0x830, UINT64_C(0xffffffff00005400))); /* delivery status is ignored */
    e = take();
    assert_true(e.ipi);
    assert_int_equal(e.message.mode, APIC_MODE_NMI);
    assert_int_equal(e.message.destination, 0xffffffff);
    assert_int_equal(rd(0x830), UINT64_C(0xffffffff00004400));
    assert_true(wr(0x830, 0x4002));
    assert_false(take().ipi);
    assert_true(wr(0x828, 0));
    assert_int_equal(rd(0x828), 0x20);
}

static void self_ipi(void **state)
{
    (void)state;
    assert_true(wr(0x83f, 0x77));
    struct vlapic_effects e = take();
    assert_true(e.state_changed && !e.ipi);
    assert_int_equal(vlapic_ack(&v), 0x77);
    assert_true(wr(0x80b, 0));
    assert_int_equal(vlapic_highest_isr(&v), -1);
    assert_true(wr(0x83f, 0x0f));
    assert_int_equal(vlapic_highest_irr(&v), -1);
    assert_true(wr(0x828, 0));
    assert_int_equal(rd(0x828), 0x20);
    assert_false(readable(0x83f));
    assert_int_equal(rd(0x830), 0); /* the ICR is another register */
}

static void self_ipi_by_the_icr_the_short_way(void **state)
{
    (void)state;
    const uint64_t not_it[] = {0x4000f, 0x40477, 0x80077, 0x77, UINT64_C(0x100040077)};
    for (unsigned i = 0; i < sizeof(not_it) / sizeof(not_it[0]); i++)
        assert_false(vlapic_self_ipi(&v, not_it[i]));
    assert_int_equal(vlapic_highest_irr(&v), -1);
    assert_true(vlapic_self_ipi(&v, 0x40077));
    assert_int_equal(rd(0x830), 0x40077);
    assert_int_equal(vlapic_ack(&v), 0x77);
    assert_true(wr(0x80f, 0)); /* software-disabled */
    assert_false(vlapic_self_ipi(&v, 0x40077));
}

static void self_ipi_served_at_once(void **state)
{
    (void)state;
    assert_false(vlapic_serve_self_ipi(&v, 0x80077));
    assert_true(wr(0x808, 0x70));
    assert_false(vlapic_serve_self_ipi(&v, 0x40077)); /* the task priority */
    assert_true(vlapic_serve_self_ipi(&v, 0x40081));
    assert_int_equal(vlapic_highest_isr(&v), 0x81);
    assert_int_equal(vlapic_highest_irr(&v), -1);
    assert_int_equal(rd(0x830), 0x40081);
    assert_int_equal(rd(0x80a), 0x80);
    assert_false(vlapic_serve_self_ipi(&v, 0x40089)); /* its handler has to end first */
    assert_true(vlapic_serve_self_ipi(&v, 0x40091));
    assert_true(vlapic_accept(&v, 0x31, false));
    assert_false(vlapic_serve_self_ipi(&v, 0x400a1)); /* something else waits */
    assert_int_equal(vlapic_highest_isr(&v), 0x91);
}

static void initial_count_the_short_way(void **state)
{
    (void)state;
    assert_false(vlapic_start_timer(&v, 100, 1000)); /* masked */
    assert_true(wr(0x832, 0x20050));                 /* periodic */
    assert_false(vlapic_start_timer(&v, 100, 1000));
    assert_true(wr(0x832, 0x50) && wr(0x83e, 0xb));
    assert_false(vlapic_start_timer(&v, 0, 1000));
    assert_false(vlapic_start_timer(&v, BIT(32), 1000));
    assert_true(vlapic_start_timer(&v, 100, 1000));
    assert_int_equal(vlapic_deadline(&v), 1100);
    assert_int_equal(rd(0x838), 100);
    assert_false(vlapic_start_timer(&v, 50, 1050)); /* while it runs */
}

static void written_by_hardware(void **state)
{
    (void)state;
    /* What virtualised x2APIC mode lets the guest write without an exit before the write. */
    page[VLAPIC_SELF_IPI] = 0x61;
    vlapic_written(&v, VLAPIC_SELF_IPI, 0);
    assert_int_equal(vlapic_ack(&v), 0x61);
    page[VLAPIC_TPR] = 0x30;
    take();
    vlapic_written(&v, VLAPIC_TPR, 0);
    assert_true(take().state_changed);
    assert_int_equal(rd(0x80a), 0x60);
    vlapic_written(&v, VLAPIC_EOI, 0);
    assert_int_equal(rd(0x80a), 0x30);
    page[VLAPIC_ID] = 0x77; /* no such write in this mode */
    vlapic_written(&v, VLAPIC_ID, 0);
    assert_int_equal(page[VLAPIC_ID], 0x77);
}

static void target_in_x2apic_mode(void **state)
{
    (void)state;
    struct apic_target t;
    assert_true(vlapic_target(&v, &t));
    assert_true(t.x2apic);
    assert_int_equal(t.id, ID);
    assert_int_equal(t.ldr, 0x00128000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(transitions, setup),
        cmocka_unit_test_setup(base_bits, setup),
        cmocka_unit_test_setup(bsp_bit, setup),
        cmocka_unit_test_setup(without_x2apic, setup),
        cmocka_unit_test_setup(disabled, setup),
        cmocka_unit_test_setup(moving_the_region_keeps_state, setup),
        cmocka_unit_test_setup(into_x2apic_mode, setup),
        cmocka_unit_test(every_msr),
        cmocka_unit_test_setup(only_in_x2apic_mode, setup),
        cmocka_unit_test_setup(a_fault_changes_nothing, setup_x2apic),
        cmocka_unit_test_setup(memory_is_silent, setup_x2apic),
        cmocka_unit_test_setup(icr64, setup_x2apic),
        cmocka_unit_test_setup(self_ipi, setup_x2apic),
        cmocka_unit_test_setup(self_ipi_served_at_once, setup_x2apic),
        cmocka_unit_test_setup(initial_count_the_short_way, setup_x2apic),
        cmocka_unit_test_setup(self_ipi_by_the_icr_the_short_way, setup_x2apic),
        cmocka_unit_test_setup(written_by_hardware, setup_x2apic),
        cmocka_unit_test_setup(target_in_x2apic_mode, setup_x2apic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
