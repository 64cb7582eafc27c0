/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 8254, each mode clock by clock, and what software does with it and port 61h.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "drivers/emu/vpit.h"

static struct vpit p;

static void out(unsigned offset, unsigned value)
{
    struct io_access a = {.offset = offset, .size = 1, .write = true, .value = value};
    vpit_ops.access(&p, &a);
}

static unsigned in(unsigned offset)
{
    struct io_access a = {.offset = offset, .size = 1, .value = 0xff};
    vpit_ops.access(&p, &a);
    return (unsigned)a.value;
}

static void speaker_out(unsigned value)
{
    struct io_access a = {.size = 1, .write = true, .value = value};
    vpit_speaker_ops.access(&p, &a);
}

static unsigned speaker_in(void)
{
    struct io_access a = {.size = 1, .value = 0xff};
    vpit_speaker_ops.access(&p, &a);
    return (unsigned)a.value;
}

/* The first nanosecond of a tick: 105 ticks are 88000 ns. */
static uint64_t ns(uint64_t tick)
{
    return (tick * 88000 + 104) / 105;
}

static void to(uint64_t tick)
{
    vpit_ops.advance(&p, ns(tick));
    assert_int_equal(p.now, tick);
}

static unsigned count(unsigned channel)
{
    out(3, channel << 6);
    unsigned low = in(channel);
    return low | in(channel) << 8;
}

static unsigned status(unsigned channel)
{
    out(3, 0xe0 | 2u << channel);
    return in(channel);
}

static void program(unsigned channel, unsigned mode, unsigned value)
{
    out(3, channel << 6 | 0x30 | mode << 1);
    out(channel, value & 0xff);
    out(channel, value >> 8);
}

static bool level(void)
{
    return vpit_ops.irq(&p);
}

static int setup(void **state)
{
    (void)state;
    vpit_init(&p, 0);
    return 0;
}

/* True: channel 0's OUT may have changed. */
static bool passes(uint64_t tick)
{
    return vpit_ops.advance(&p, ns(tick));
}

static void says_when_calm(void **state)
{
    (void)state;
    assert_false(passes(100));
    program(0, 2, 10); /* loaded at 101; low at 110, high again at 111 */
    assert_false(passes(109));
    assert_true(passes(110));
    assert_false(level());
    assert_true(passes(111));
    assert_true(level() && vpit_take_edge(&p));
    assert_false(passes(119));
    assert_true(passes(125)); /* there and back */
    assert_true(level() && vpit_take_edge(&p));
    program(0, 3, 5); /* at 126: high for 3, low for 2 */
    assert_false(passes(128));
    assert_true(passes(129));
    assert_false(level());
    assert_false(passes(130));
    assert_true(passes(131));
    program(0, 4, 3); /* at 132: low at 135 only */
    assert_false(passes(134));
    assert_true(passes(135));
    assert_true(passes(136));
    assert_false(passes(100000));
    program(2, 2, 10);
    out(2, 20);
    out(2, 0); /* at the end of the period */
    assert_false(passes(100009));
    speaker_out(1);
    assert_false(passes(200000));
}

static void idle_after_reset(void **state)
{
    (void)state;
    vpit_init(&p, 5000000);
    assert_int_equal(vpit_ops.deadline(&p), UINT64_MAX);
    vpit_ops.advance(&p, UINT64_C(1) << 62);
    assert_false(vpit_take_edge(&p));
    assert_int_equal(in(3), 0xff);
    assert_int_equal(status(0) & 0x40, 0x40);
    vpit_ops.reset(&p);
    assert_int_equal(p.now_ns, UINT64_C(1) << 62);
    vpit_ops.advance(&p, 5); /* time does not go back */
    assert_int_equal(p.now_ns, UINT64_C(1) << 62);
    assert_int_equal(vpit_ops.deadline(&p), UINT64_MAX);
}

static void mode0(void **state)
{
    (void)state;
    to(100);
    out(3, 0x30);
    assert_int_equal(status(0), 0x70); /* OUT low, no count yet */
    out(0, 3);
    out(0, 0);
    assert_int_equal(status(0), 0x70); /* loaded by the next clock */
    assert_int_equal(vpit_ops.deadline(&p), ns(104));
    to(101);
    assert_int_equal(status(0), 0x30);
    assert_int_equal(count(0), 3);
    to(103);
    assert_int_equal(count(0), 1);
    assert_false(level());
    assert_false(vpit_take_edge(&p));
    vpit_ops.advance(&p, ns(104) - 1);
    assert_false(level());
    to(104); /* n + 1 clocks after the write */
    assert_true(level());
    assert_int_equal(status(0), 0xb0);
    assert_true(vpit_take_edge(&p));
    assert_false(vpit_take_edge(&p));
    assert_int_equal(vpit_ops.deadline(&p), UINT64_MAX);
    to(106);
    assert_int_equal(count(0), 0xfffe); /* goes on and around */
    assert_true(level());
    to(104 + 65536 * 5);
    assert_int_equal(count(0), 0);
    assert_false(vpit_take_edge(&p));
    out(0, 9); /* half a count: OUT falls, counting ends */
    assert_false(level());
    assert_int_equal(vpit_ops.deadline(&p), UINT64_MAX);
    out(0, 0);
    assert_int_equal(vpit_ops.deadline(&p), ns(104 + 65536 * 5 + 10));
    program(0, 0, 0); /* 0 is the longest */
    assert_int_equal(vpit_ops.deadline(&p), ns(104 + 65536 * 5 + 65537));
}

static void mode0_gate(void **state)
{
    (void)state;
    out(3, 0xb0);
    out(2, 10); /* gate of channel 2 is low */
    out(2, 0);
    to(50);
    assert_int_equal(count(2), 10);
    speaker_out(1);
    to(54);
    assert_int_equal(count(2), 6);
    speaker_out(0);
    to(1000);
    assert_int_equal(count(2), 6);
    assert_int_equal(speaker_in() & 0x20, 0);
    speaker_out(1);
    to(1005);
    assert_int_equal(count(2), 1);
    assert_int_equal(speaker_in() & 0x20, 0);
    to(1006);
    assert_int_equal(speaker_in() & 0x20, 0x20);
    assert_int_equal(vpit_ops.deadline(&p), UINT64_MAX); /* channel 2 interrupts nobody */
    assert_false(vpit_take_edge(&p));
}

static void mode1_and_5(void **state)
{
    (void)state;
    out(3, 0xb2);
    out(2, 4);
    out(2, 0);
    to(20);
    assert_int_equal(status(2), 0xf2); /* high, waits for a trigger */
    speaker_out(1);
    to(21);
    assert_int_equal(status(2), 0x32);
    assert_int_equal(count(2), 4);
    to(24);
    assert_int_equal(speaker_in() & 0x20, 0);
    speaker_out(0); /* the level of the gate does not matter */
    speaker_out(1); /* retriggered */
    to(28);
    assert_int_equal(speaker_in() & 0x20, 0);
    out(2, 2); /* for the next trigger */
    out(2, 0);
    assert_int_equal(status(2), 0x72);
    to(29);
    assert_int_equal(speaker_in() & 0x20, 0x20);
    speaker_out(0);
    speaker_out(1);
    to(31);
    assert_int_equal(speaker_in() & 0x20, 0);
    to(32);
    assert_int_equal(speaker_in() & 0x20, 0x20);
    /* mode 5: a strobe after n clocks */
    program(2, 5, 3);
    speaker_out(0);
    assert_int_equal(speaker_in() & 0x20, 0x20);
    speaker_out(1);
    static const bool strobe[] = {true, true, true, false, true, true};
    for (unsigned i = 0; i < ARRAY_LEN(strobe); i++) {
        to(33 + i);
        assert_int_equal((speaker_in() & 0x20) != 0, strobe[i]);
    }
    program(0, 1, 3); /* the gate of channel 0 never rises */
    assert_int_equal(vpit_ops.deadline(&p), UINT64_MAX);
    to(10000);
    assert_true(level());
}

static void mode2(void **state)
{
    (void)state;
    program(0, 2, 4);
    vpit_take_edge(&p); /* the control word let OUT rise */
    for (unsigned t = 1; t < 40; t++) {
        to(t);
        assert_int_equal(count(0), 4 - (t - 1) % 4);
        assert_int_equal(level(), (t - 1) % 4 != 3);
        assert_int_equal(vpit_take_edge(&p), t > 1 && (t - 1) % 4 == 0);
        assert_int_equal(vpit_ops.deadline(&p), ns((t - 1) / 4 * 4 + 5));
    }
    /* a new count waits for the end of the period */
    to(42);
    out(0, 6);
    out(0, 0);
    assert_int_equal(status(0) & 0x40, 0x40);
    assert_int_equal(vpit_ops.deadline(&p), ns(45));
    to(44);
    assert_int_equal(count(0), 1);
    to(45);
    assert_int_equal(status(0) & 0x40, 0);
    assert_int_equal(count(0), 6);
    assert_true(vpit_take_edge(&p));
    assert_int_equal(vpit_ops.deadline(&p), ns(51));
    out(0, 1); /* forbidden: taken as 2 */
    out(0, 0);
    to(52);
    assert_int_equal(count(0), 1);
    assert_int_equal(vpit_ops.deadline(&p), ns(53));
}

static void mode2_gate(void **state)
{
    (void)state;
    speaker_out(1);
    program(2, 2, 4);
    to(3);
    assert_int_equal(count(2), 2);
    to(4);
    assert_int_equal(speaker_in() & 0x20, 0);
    speaker_out(0);
    assert_int_equal(speaker_in() & 0x20, 0x20);
    to(30);
    assert_int_equal(count(2), 1);
    assert_int_equal(speaker_in() & 0x20, 0x20);
    speaker_out(1); /* starts anew */
    to(31);
    assert_int_equal(count(2), 4);
    to(34);
    assert_int_equal(speaker_in() & 0x20, 0);
    to(35);
    assert_int_equal(speaker_in() & 0x20, 0x20);
}

static void square(unsigned n, const uint8_t *values, const bool *high)
{
    vpit_init(&p, 0);
    program(0, 3, n);
    vpit_take_edge(&p);
    for (unsigned t = 1; t <= 5 * n; t++) {
        to(t);
        assert_int_equal(count(0), values[(t - 1) % n]);
        assert_int_equal(level(), high[(t - 1) % n]);
        assert_int_equal(vpit_take_edge(&p), t > 1 && (t - 1) % n == 0);
    }
}

static void mode3(void **state)
{
    (void)state;
    square(6, (const uint8_t[]){6, 4, 2, 6, 4, 2}, (const bool[]){1, 1, 1, 0, 0, 0});
    square(5, (const uint8_t[]){4, 2, 0, 4, 2}, (const bool[]){1, 1, 1, 0, 0});
    square(2, (const uint8_t[]){2, 2}, (const bool[]){1, 0});
    square(3, (const uint8_t[]){2, 0, 2}, (const bool[]){1, 1, 0});
    /* a new count takes over with the next half */
    vpit_init(&p, 0);
    program(0, 3, 10);
    vpit_take_edge(&p);
    to(3); /* high until 6 */
    out(0, 20);
    out(0, 0);
    assert_int_equal(vpit_ops.deadline(&p), ns(16));
    to(6);
    assert_false(level());
    assert_int_equal(count(0), 20);
    to(15);
    assert_false(level());
    out(0, 4);
    out(0, 0);
    to(16);
    assert_true(level());
    assert_true(vpit_take_edge(&p));
    assert_int_equal(vpit_ops.deadline(&p), ns(20));
    to(18);
    assert_false(level());
}

static void mode4(void **state)
{
    (void)state;
    program(0, 4, 3);
    vpit_take_edge(&p);
    assert_true(level());
    assert_int_equal(vpit_ops.deadline(&p), ns(5));
    to(3);
    assert_true(level());
    to(4);
    assert_false(level());
    to(5);
    assert_true(level());
    assert_true(vpit_take_edge(&p));
    assert_int_equal(vpit_ops.deadline(&p), UINT64_MAX);
    out(0, 7); /* half a count does not disturb this mode */
    assert_true(level());
    out(0, 0);
    assert_int_equal(vpit_ops.deadline(&p), ns(5 + 7 + 2));
    to(1000);
    assert_true(vpit_take_edge(&p));
    to(70000);
    assert_false(vpit_take_edge(&p));
    program(0, 6, 5); /* 6 and 7 are 2 and 3 */
    to(70006);
    assert_true(vpit_take_edge(&p));
    to(70011);
    assert_true(vpit_take_edge(&p));
}

static void latches(void **state)
{
    (void)state;
    program(0, 2, 0x1234);
    to(1);
    out(3, 0x00);
    to(0x100);
    out(3, 0x00); /* the first latch stays */
    assert_int_equal(in(0), 0x34);
    assert_int_equal(in(0), 0x12);
    assert_int_equal(in(0), 0x35); /* live again, by halves */
    to(0x101);
    assert_int_equal(in(0), 0x11);
    /* status and count together: status comes first */
    out(3, 0xc2);
    to(0x200);
    assert_int_equal(in(0), 0xb4);
    assert_int_equal(in(0), 0x34);
    assert_int_equal(in(0), 0x11);
    /* several channels, count only */
    out(3, 0x56); /* channel 1: low byte, mode 3 */
    out(1, 8);
    to(0x201);
    out(3, 0xde);
    to(0x202);
    assert_int_equal(in(1), 8);
    assert_int_equal(in(1), 6);
    assert_int_equal(in(0), 0x34);
    assert_int_equal(in(0), 0x10);
    out(3, 0xfe); /* neither */
    assert_int_equal(in(1), 6);
    out(3, 0x64); /* high byte only */
    out(1, 2);
    to(0x203);
    assert_int_equal(in(1), 0x02);
    to(0x204);
    assert_int_equal(in(1), 0x01);
    out(3, 0x40);
    assert_int_equal(in(1), 0x01);
    assert_int_equal(in(1), 0x01);
}

static void bcd(void **state)
{
    (void)state;
    out(3, 0x35);
    out(0, 0x00);
    out(0, 0x00);
    to(1);
    assert_int_equal(count(0), 0x0000); /* 10000 */
    to(2);
    assert_int_equal(count(0), 0x9999);
    assert_int_equal(vpit_ops.deadline(&p), ns(10001));
    assert_int_equal(status(0), 0xb5);
    out(3, 0x31);
    out(0, 0x10);
    out(0, 0x12);
    to(3);
    assert_int_equal(count(0), 0x1210);
    to(13);
    assert_int_equal(count(0), 0x1200);
    to(14);
    assert_int_equal(count(0), 0x1199);
    to(3 + 1210);
    assert_true(level());
    to(3 + 1211);
    assert_int_equal(count(0), 0x9999);
    out(0, 0xff); /* digits that are none: bounded all the same */
    out(0, 0xff);
    assert_true(vpit_ops.deadline(&p) != UINT64_MAX);
    to(3 + 1213);
    assert_true(count(0) <= 0x9999);
}

static void catches_up_in_phase(void **state)
{
    (void)state;
    program(0, 2, 1193);
    vpit_take_edge(&p);
    to(1 + 1193 * 1000 + 17); /* a thousand periods late */
    assert_true(vpit_take_edge(&p));
    assert_false(vpit_take_edge(&p));
    assert_int_equal(vpit_ops.deadline(&p), ns(1 + 1193 * 1001));
    /* a year, deadline by deadline would take too long: jump, and the phase is exact */
    uint64_t k = UINT64_C(31536000) * 1000;
    to(1 + 1193 * k - 1);
    assert_true(vpit_take_edge(&p));
    assert_int_equal(count(0), 1);
    to(1 + 1193 * k);
    assert_true(vpit_take_edge(&p));
    assert_int_equal(count(0), 1193);
    vpit_ops.advance(&p, UINT64_MAX);
    assert_true(vpit_ops.deadline(&p) > UINT64_MAX - 2000000);
}

/* How Linux measures the TSC: channel 2, mode 0, until OUT rises. */
static void calibration(void **state)
{
    (void)state;
    speaker_out((speaker_in() & ~0x02u) | 0x01u);
    out(3, 0xb0);
    out(2, 59659 & 0xff); /* 50 ms */
    out(2, 59659 >> 8);
    assert_int_equal(speaker_in() & 0x23, 0x01);
    vpit_ops.advance(&p, 49999000);
    assert_int_equal(speaker_in() & 0x20, 0);
    vpit_ops.advance(&p, 50001000);
    assert_int_equal(speaker_in() & 0x20, 0x20);
    /* the quick one reads the count without latching */
    out(3, 0xb0);
    out(2, 0xff);
    out(2, 0xff);
    uint64_t start = p.now_ns;
    vpit_ops.advance(&p, start + 1700);
    unsigned last = in(2) | in(2) << 8;
    assert_int_equal(last >> 8, 0xff);
    vpit_ops.advance(&p, start + 1700 + 214550); /* 256 ticks */
    assert_int_equal(last - (in(2) | in(2) << 8), 256);
}

static void port_61(void **state)
{
    (void)state;
    assert_int_equal(speaker_in() & 0xef, 0);
    speaker_out(0xff);
    assert_int_equal(speaker_in() & 0xcf, 0x0f);
    unsigned toggles = 0, last = speaker_in() & 0x10;
    for (unsigned t = 1; t <= 1800; t++) {
        to(t);
        toggles += (speaker_in() & 0x10) != last;
        last = speaker_in() & 0x10;
    }
    assert_int_equal(toggles, 100);
    struct vpit before = p;
    struct io_access a = {.offset = 0, .size = 2, .write = true, .value = 0};
    vpit_speaker_ops.access(&p, &a);
    vpit_ops.access(&p, &a);
    a = (struct io_access){.offset = 4, .size = 1, .write = true, .value = 0};
    vpit_ops.access(&p, &a);
    vpit_speaker_ops.access(&p, &a);
    assert_memory_equal(&before, &p, sizeof(p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(says_when_calm, setup),
        cmocka_unit_test_setup(idle_after_reset, setup),
        cmocka_unit_test_setup(mode0, setup),
        cmocka_unit_test_setup(mode0_gate, setup),
        cmocka_unit_test_setup(mode1_and_5, setup),
        cmocka_unit_test_setup(mode2, setup),
        cmocka_unit_test_setup(mode2_gate, setup),
        cmocka_unit_test_setup(mode3, setup),
        cmocka_unit_test_setup(mode4, setup),
        cmocka_unit_test_setup(latches, setup),
        cmocka_unit_test_setup(bcd, setup),
        cmocka_unit_test_setup(catches_up_in_phase, setup),
        cmocka_unit_test_setup(calibration, setup),
        cmocka_unit_test_setup(port_61, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
