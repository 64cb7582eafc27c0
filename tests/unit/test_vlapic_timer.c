/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The emulated local APIC's timer through its registers: all modes, dividers and mode switches, no
 * drift, storms, and a TSC that the guest sets.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "drivers/emu/vlapic.h"

#define MASKED   0x10000u
#define PERIODIC 0x20000u
#define DEADLINE 0x40000u
#define VECTOR   0x50u

#define MSR_DEADLINE 0x6e0

static struct vlapic v;
static uint8_t page[VLAPIC_SIZE];
static uint64_t now;

static void out(unsigned offset, uint32_t value)
{
    vlapic_write(&v, offset, value, now);
}

static uint32_t in(unsigned offset)
{
    return vlapic_read(&v, offset, now);
}

/* True if the timer's interrupt has come since the last call; ends it. */
static bool fired(void)
{
    vlapic_advance(&v, now);
    if (vlapic_pending(&v) < 0)
        return false;
    assert_int_equal(vlapic_ack(&v), VECTOR);
    out(VLAPIC_EOI, 0);
    return true;
}

static int setup(void **state)
{
    (void)state;
    now = 1000;
    vlapic_init(&v, page, 0, true);
    out(VLAPIC_SVR, 0x1ff);
    out(VLAPIC_DIVIDE, 0xb); /* by 1 */
    out(VLAPIC_LVT_TIMER, VECTOR);
    return 0;
}

static void one_shot(void **state)
{
    (void)state;
    assert_true(vlapic_deadline(&v) == VLAPIC_NEVER);
    out(VLAPIC_INITIAL_COUNT, 100);
    assert_int_equal(vlapic_deadline(&v), 1100);
    assert_int_equal(in(VLAPIC_CURRENT_COUNT), 100);
    now = 1001;
    assert_int_equal(in(VLAPIC_CURRENT_COUNT), 99);
    now = 1099;
    assert_int_equal(in(VLAPIC_CURRENT_COUNT), 1);
    assert_false(fired());
    now = 1100;
    assert_true(fired());
    assert_int_equal(in(VLAPIC_CURRENT_COUNT), 0);
    assert_int_equal(in(VLAPIC_INITIAL_COUNT), 100);
    assert_true(vlapic_deadline(&v) == VLAPIC_NEVER);
    now = 5000;
    assert_false(fired());
    out(VLAPIC_INITIAL_COUNT, 7);
    assert_int_equal(vlapic_deadline(&v), 5007);
}

static void largest_count(void **state)
{
    (void)state;
    out(VLAPIC_DIVIDE, 0xa); /* by 128 */
    out(VLAPIC_INITIAL_COUNT, 0xffffffff);
    uint64_t whole = UINT64_C(0xffffffff) * 128;
    assert_int_equal(vlapic_deadline(&v), 1000 + whole);
    now = 1000 + whole - 1;
    assert_int_equal(in(VLAPIC_CURRENT_COUNT), 1);
    assert_false(fired());
    now++;
    assert_true(fired());
}

static void zero_stops(void **state)
{
    (void)state;
    out(VLAPIC_INITIAL_COUNT, 100);
    now += 50;
    out(VLAPIC_INITIAL_COUNT, 0);
    assert_true(vlapic_deadline(&v) == VLAPIC_NEVER);
    assert_int_equal(in(VLAPIC_CURRENT_COUNT), 0);
    now += 1000;
    assert_false(fired());
    out(VLAPIC_LVT_TIMER, PERIODIC | VECTOR);
    out(VLAPIC_INITIAL_COUNT, 0);
    assert_true(vlapic_deadline(&v) == VLAPIC_NEVER);
    assert_false(fired());
}

static void dividers(void **state)
{
    (void)state;
    static const struct {
        uint8_t code, by;
    } all[] = {{0x0, 2}, {0x1, 4}, {0x2, 8}, {0x3, 16}, {0x8, 32}, {0x9, 64}, {0xa, 128}, {0xb, 1}};
    for (unsigned i = 0; i < ARRAY_LEN(all); i++) {
        out(VLAPIC_DIVIDE, all[i].code | 0xfffffff4);
        assert_int_equal(in(VLAPIC_DIVIDE), all[i].code);
        out(VLAPIC_INITIAL_COUNT, 10);
        assert_int_equal(vlapic_deadline(&v), now + 10u * all[i].by);
        now += 3u * all[i].by;
        assert_int_equal(in(VLAPIC_CURRENT_COUNT), 7);
        now += 7u * all[i].by - 1;
        assert_false(fired());
        now++;
        assert_true(fired());
    }
}

static void divider_on_the_fly(void **state)
{
    (void)state;
    out(VLAPIC_INITIAL_COUNT, 100);
    now += 40;
    out(VLAPIC_DIVIDE, 0x1); /* by 4: 60 counts are left */
    assert_int_equal(in(VLAPIC_CURRENT_COUNT), 60);
    assert_int_equal(vlapic_deadline(&v), now + 240);
    now += 120;
    out(VLAPIC_DIVIDE, 0xb);
    assert_int_equal(vlapic_deadline(&v), now + 30);
    now += 30;
    assert_true(fired());
    out(VLAPIC_DIVIDE, 0xa);
    out(VLAPIC_INITIAL_COUNT, 10);
    uint64_t due = vlapic_deadline(&v);
    now += 64;
    out(VLAPIC_DIVIDE, 0xa); /* the same again: not even half a count is lost */
    assert_int_equal(vlapic_deadline(&v), due);
    out(VLAPIC_INITIAL_COUNT, 0);
    /* With a timer that stands still only the rate changes. */
    out(VLAPIC_DIVIDE, 0x0);
    assert_true(vlapic_deadline(&v) == VLAPIC_NEVER);
}

static void divider_on_the_fly_periodic(void **state)
{
    (void)state;
    out(VLAPIC_LVT_TIMER, PERIODIC | VECTOR);
    out(VLAPIC_INITIAL_COUNT, 100);
    now += 130;
    assert_true(fired());
    out(VLAPIC_DIVIDE, 0x0); /* 70 counts are left of this period, the next ones are whole */
    assert_int_equal(vlapic_deadline(&v), now + 140);
    now += 140;
    assert_true(fired());
    assert_int_equal(in(VLAPIC_CURRENT_COUNT), 100);
    assert_int_equal(vlapic_deadline(&v), now + 200);
}

static void periodic_without_drift(void **state)
{
    (void)state;
    out(VLAPIC_LVT_TIMER, PERIODIC | VECTOR);
    out(VLAPIC_DIVIDE, 0x0);
    out(VLAPIC_INITIAL_COUNT, 50);
    for (unsigned n = 1; n <= 1000; n++) {
        assert_int_equal(vlapic_deadline(&v), 1000 + n * 100);
        now = 1000 + n * 100 + n * 7 % 99; /* late, each time by another bit */
        assert_true(fired());
        assert_false(fired());
        assert_int_equal(in(VLAPIC_CURRENT_COUNT), 50 - n * 7 % 99 / 2);
    }
}

static void missed_periods_merge(void **state)
{
    (void)state;
    out(VLAPIC_LVT_TIMER, PERIODIC | VECTOR);
    out(VLAPIC_INITIAL_COUNT, 10);
    now = 1000 + 10 * 1000 + 3;
    assert_true(fired());
    assert_false(fired());
    assert_int_equal(in(VLAPIC_CURRENT_COUNT), 7);
    assert_int_equal(vlapic_deadline(&v), 11010);
}

static void every_tick(void **state)
{
    (void)state;
    out(VLAPIC_LVT_TIMER, PERIODIC | VECTOR);
    out(VLAPIC_INITIAL_COUNT, 1);
    assert_int_equal(vlapic_deadline(&v), now + 1);
    now += UINT64_C(1) << 40;
    assert_true(fired());
    assert_false(fired());
    assert_int_equal(vlapic_deadline(&v), now + 1);
    assert_int_equal(in(VLAPIC_CURRENT_COUNT), 1);
}

static void owner_limits_storms(void **state)
{
    (void)state;
    v.timer.min_period = 1000;
    out(VLAPIC_LVT_TIMER, PERIODIC | VECTOR);
    out(VLAPIC_INITIAL_COUNT, 300);
    assert_int_equal(vlapic_deadline(&v), 1000 + 1200); /* in phase, and far enough */
    now = 1999;
    assert_int_equal(in(VLAPIC_CURRENT_COUNT), 300 - 99); /* counting as ever */
    assert_false(fired());
    now = 2200;
    assert_true(fired());
    assert_int_equal(vlapic_deadline(&v), 3400);
    now = 3450;
    assert_true(fired());
    assert_int_equal(vlapic_deadline(&v), 3400 + 1200);
    out(VLAPIC_INITIAL_COUNT, 500);
    assert_int_equal(vlapic_deadline(&v), 4450); /* exactly two of them */
    out(VLAPIC_INITIAL_COUNT, 1000);
    assert_int_equal(vlapic_deadline(&v), 4450); /* long enough by itself */
    /* A one-shot is as short as it likes: each takes an action of the guest's. */
    out(VLAPIC_LVT_TIMER, VECTOR);
    out(VLAPIC_INITIAL_COUNT, 1);
    assert_int_equal(vlapic_deadline(&v), now + 1);
    vlapic_reset(&v);
    assert_int_equal(v.timer.min_period, 1000);
}

static void masked(void **state)
{
    (void)state;
    out(VLAPIC_LVT_TIMER, MASKED | VECTOR);
    out(VLAPIC_INITIAL_COUNT, 100);
    assert_true(vlapic_deadline(&v) == VLAPIC_NEVER);
    now += 60;
    assert_int_equal(in(VLAPIC_CURRENT_COUNT), 40);
    now += 60;
    out(VLAPIC_LVT_TIMER, VECTOR); /* what expired while masked is gone */
    assert_false(fired());
    assert_true(vlapic_deadline(&v) == VLAPIC_NEVER);
    out(VLAPIC_LVT_TIMER, MASKED | VECTOR);
    out(VLAPIC_INITIAL_COUNT, 100);
    now += 60;
    out(VLAPIC_LVT_TIMER, VECTOR);
    assert_int_equal(vlapic_deadline(&v), now + 40);
    now += 40;
    assert_true(fired());
}

static void between_one_shot_and_periodic(void **state)
{
    (void)state;
    out(VLAPIC_INITIAL_COUNT, 100);
    now += 60;
    out(VLAPIC_LVT_TIMER, PERIODIC | VECTOR); /* counts on from where it is */
    assert_int_equal(in(VLAPIC_CURRENT_COUNT), 40);
    now += 40;
    assert_true(fired());
    assert_int_equal(vlapic_deadline(&v), now + 100);
    now += 30;
    out(VLAPIC_LVT_TIMER, VECTOR);
    assert_int_equal(in(VLAPIC_CURRENT_COUNT), 70);
    now += 70;
    assert_true(fired());
    assert_true(vlapic_deadline(&v) == VLAPIC_NEVER);
    out(VLAPIC_LVT_TIMER, PERIODIC | VECTOR); /* a stopped one does not start by itself */
    assert_int_equal(in(VLAPIC_CURRENT_COUNT), 0);
    assert_true(vlapic_deadline(&v) == VLAPIC_NEVER);
}

static uint64_t deadline_msr(void)
{
    uint64_t value = 1;
    assert_true(vlapic_msr_read(&v, MSR_DEADLINE, now, &value));
    return value;
}

static void set_deadline_msr(uint64_t value)
{
    assert_true(vlapic_msr_write(&v, MSR_DEADLINE, value, now));
}

static void tsc_deadline(void **state)
{
    (void)state;
    set_deadline_msr(2000); /* another mode: ignored */
    assert_int_equal(deadline_msr(), 0);
    out(VLAPIC_LVT_TIMER, DEADLINE | VECTOR);
    assert_true(vlapic_deadline(&v) == VLAPIC_NEVER);
    set_deadline_msr(2000);
    assert_int_equal(vlapic_deadline(&v), 2000);
    assert_int_equal(deadline_msr(), 2000);
    out(VLAPIC_INITIAL_COUNT, 5); /* ignored in this mode */
    assert_int_equal(in(VLAPIC_INITIAL_COUNT), 0);
    assert_int_equal(in(VLAPIC_CURRENT_COUNT), 0);
    now = 1999;
    assert_false(fired());
    now = 2000;
    assert_true(fired());
    assert_int_equal(deadline_msr(), 0);
    assert_true(vlapic_deadline(&v) == VLAPIC_NEVER);
    now = 9000;
    assert_false(fired());
}

/* The short way: at once into service, and only where nothing is special. */
static void it_fires_straight_into_service(void **state)
{
    (void)state;
    out(VLAPIC_LVT_TIMER, DEADLINE | VECTOR);
    set_deadline_msr(2000);
    assert_int_equal(vlapic_fire(&v, 1999), -1);
    assert_int_equal(vlapic_fire(&v, 2000), VECTOR);
    assert_int_equal(vlapic_highest_isr(&v), VECTOR);
    assert_int_equal(vlapic_highest_irr(&v), -1);
    assert_true(vlapic_deadline(&v) == VLAPIC_NEVER);
    assert_int_equal(vlapic_fire(&v, 2001), -1); /* once */
    now = 2001;
    set_deadline_msr(3000);
    assert_int_equal(vlapic_fire(&v, 3000), -1); /* its own handler still runs */
    out(VLAPIC_EOI, 0);
    assert_true(vlapic_accept(&v, 0x31, false));
    assert_int_equal(vlapic_fire(&v, 3000), -1); /* it has to queue */
    assert_int_equal(vlapic_ack(&v), 0x31);
    out(VLAPIC_EOI, 0);
    out(VLAPIC_TPR, VECTOR & 0xf0);
    assert_int_equal(vlapic_fire(&v, 3000), -1);
    out(VLAPIC_TPR, 0);
    assert_int_equal(vlapic_fire(&v, 3000), VECTOR);
}

static void tsc_deadline_in_the_past(void **state)
{
    (void)state;
    out(VLAPIC_LVT_TIMER, DEADLINE | VECTOR);
    set_deadline_msr(1);
    assert_int_equal(vlapic_pending(&v), VECTOR); /* at once, no advance() needed */
    assert_true(fired());
    assert_int_equal(deadline_msr(), 0);
    set_deadline_msr(now);
    assert_true(fired());
    set_deadline_msr(now + 5);
    set_deadline_msr(0); /* disarms */
    now += 10;
    assert_false(fired());
    set_deadline_msr(UINT64_MAX);
    assert_false(fired());
    assert_true(deadline_msr() == UINT64_MAX);
    out(VLAPIC_LVT_TIMER, DEADLINE | MASKED | VECTOR);
    set_deadline_msr(now + 5);
    assert_true(vlapic_deadline(&v) == VLAPIC_NEVER);
    now += 5;
    assert_int_equal(deadline_msr(), 0); /* expired all the same */
    assert_false(fired());
}

static void mode_switches_disarm(void **state)
{
    (void)state;
    out(VLAPIC_INITIAL_COUNT, 100);
    out(VLAPIC_LVT_TIMER, DEADLINE | VECTOR);
    assert_int_equal(in(VLAPIC_INITIAL_COUNT), 0);
    now += 200;
    assert_false(fired());
    set_deadline_msr(now + 100);
    out(VLAPIC_LVT_TIMER, DEADLINE | MASKED | 0x60); /* same mode: still armed */
    assert_int_equal(deadline_msr(), now + 100);
    out(VLAPIC_LVT_TIMER, PERIODIC | VECTOR);
    assert_int_equal(deadline_msr(), 0);
    assert_true(vlapic_deadline(&v) == VLAPIC_NEVER);
    out(VLAPIC_INITIAL_COUNT, 100);
    out(VLAPIC_LVT_TIMER, PERIODIC | DEADLINE | VECTOR); /* the reserved mode stands still */
    out(VLAPIC_INITIAL_COUNT, 100);
    assert_true(vlapic_deadline(&v) == VLAPIC_NEVER);
    assert_int_equal(in(VLAPIC_CURRENT_COUNT), 0);
    now += 500;
    assert_false(fired());
}

static void guest_sets_its_tsc(void **state)
{
    (void)state;
    out(VLAPIC_INITIAL_COUNT, 100);
    now += 40;
    vlapic_advance(&v, now);
    vlapic_tsc_moved(&v, (uint64_t)10 - now); /* back to 10 */
    now = 10;
    assert_int_equal(in(VLAPIC_CURRENT_COUNT), 60);
    assert_int_equal(vlapic_deadline(&v), 70);
    now = 30;
    vlapic_advance(&v, now);
    vlapic_tsc_moved(&v, UINT64_MAX - 20 - now);
    now = UINT64_MAX - 20;
    assert_int_equal(in(VLAPIC_CURRENT_COUNT), 40);
    assert_true(vlapic_deadline(&v) == VLAPIC_NEVER); /* this TSC does not get there */
    vlapic_tsc_moved(&v, (uint64_t)500 - now);
    now = 500;
    assert_int_equal(vlapic_deadline(&v), 540);
    now = 540;
    assert_true(fired());
    /* IA32_TSC_DEADLINE is a value of the TSC and stays one. */
    out(VLAPIC_LVT_TIMER, DEADLINE | VECTOR);
    set_deadline_msr(1000);
    vlapic_tsc_moved(&v, 400);
    now += 400;
    assert_int_equal(vlapic_deadline(&v), 1000);
    vlapic_tsc_moved(&v, 400);
    now += 400;
    assert_true(fired());
}

static void time_does_not_go_back(void **state)
{
    (void)state;
    out(VLAPIC_INITIAL_COUNT, 100);
    now += 50;
    assert_int_equal(in(VLAPIC_CURRENT_COUNT), 50);
    now = 0;
    assert_int_equal(in(VLAPIC_CURRENT_COUNT), 50);
    assert_false(fired());
    assert_int_equal(vlapic_deadline(&v), 1100);
}

static void software_disable_and_init(void **state)
{
    (void)state;
    out(VLAPIC_LVT_TIMER, PERIODIC | VECTOR);
    out(VLAPIC_INITIAL_COUNT, 100);
    out(VLAPIC_SVR, 0xff);
    now += 1000;
    assert_false(fired());
    out(VLAPIC_SVR, 0x1ff);
    out(VLAPIC_LVT_TIMER, PERIODIC | VECTOR);
    assert_int_equal(vlapic_deadline(&v), now + 100);
    vlapic_init_reset(&v);
    assert_true(vlapic_deadline(&v) == VLAPIC_NEVER);
    out(VLAPIC_SVR, 0x1ff);
    out(VLAPIC_LVT_TIMER, PERIODIC | VECTOR);
    now += 1000;
    assert_false(fired());
    assert_int_equal(in(VLAPIC_DIVIDE), 0);
    out(VLAPIC_INITIAL_COUNT, 100); /* by 2 again */
    assert_int_equal(vlapic_deadline(&v), now + 200);
}

static void effects_say_so(void **state)
{
    (void)state;
    struct vlapic_effects e;
    vlapic_take_effects(&v, &e);
    assert_true(e.timer_changed);
    vlapic_take_effects(&v, &e);
    assert_false(e.timer_changed);
    out(VLAPIC_INITIAL_COUNT, 10);
    vlapic_take_effects(&v, &e);
    assert_true(e.timer_changed);
    assert_false(e.state_changed);
    now += 10;
    vlapic_advance(&v, now);
    vlapic_take_effects(&v, &e);
    assert_true(e.timer_changed && e.state_changed);
    out(VLAPIC_DIVIDE, 0);
    vlapic_take_effects(&v, &e);
    assert_true(e.timer_changed);
}

/* The short cut does what the MSR's write does, or says no and does nothing. */
static void short_cut_is_the_same(void **state)
{
    (void)state;
    static const uint32_t modes[] = {DEADLINE, DEADLINE | MASKED, PERIODIC, 0};
    static const uint64_t old[] = {0, 1100, 1200, 1500, 5000};
    static const uint64_t next[] = {0, 1, 999, 1100, 1200, 1201, 6000, UINT64_MAX};
    static uint8_t other_page[VLAPIC_SIZE];
    unsigned taken = 0;
    for (unsigned m = 0; m < 4; m++)
        for (unsigned o = 0; o < 5; o++)
            for (unsigned n = 0; n < 8; n++) {
                setup(NULL);
                now = 1000;
                out(VLAPIC_LVT_TIMER, modes[m] | VECTOR);
                assert_true(vlapic_msr_write(&v, MSR_DEADLINE, old[o], now));
                struct vlapic other = v, before = v;
                memcpy(other_page, page, sizeof(page));
                other.page = other_page;
                now = 1200;
                if (vlapic_arm_deadline(&v, next[n], now)) {
                    assert_true(vlapic_msr_write(&other, MSR_DEADLINE, next[n], now));
                    assert_true(vlapic_deadline(&v) == vlapic_deadline(&other));
                    assert_true(vlapic_deadline(&v) == next[n]);
                    assert_true(v.timer.deadline == other.timer.deadline && v.now == other.now);
                    assert_memory_equal(page, other_page, sizeof(page));
                    taken++;
                } else {
                    assert_memory_equal(&v, &before, sizeof(v));
                }
            }
    /* Not masked, nothing due before, three deadlines ahead. */
    assert_int_equal(taken, 3 * 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_shot, setup),
        cmocka_unit_test_setup(largest_count, setup),
        cmocka_unit_test_setup(zero_stops, setup),
        cmocka_unit_test_setup(dividers, setup),
        cmocka_unit_test_setup(divider_on_the_fly, setup),
        cmocka_unit_test_setup(divider_on_the_fly_periodic, setup),
        cmocka_unit_test_setup(periodic_without_drift, setup),
        cmocka_unit_test_setup(missed_periods_merge, setup),
        cmocka_unit_test_setup(every_tick, setup),
        cmocka_unit_test_setup(owner_limits_storms, setup),
        cmocka_unit_test_setup(masked, setup),
        cmocka_unit_test_setup(between_one_shot_and_periodic, setup),
        cmocka_unit_test_setup(tsc_deadline, setup),
        cmocka_unit_test_setup(it_fires_straight_into_service, setup),
        cmocka_unit_test_setup(tsc_deadline_in_the_past, setup),
        cmocka_unit_test_setup(mode_switches_disarm, setup),
        cmocka_unit_test_setup(guest_sets_its_tsc, setup),
        cmocka_unit_test_setup(time_does_not_go_back, setup),
        cmocka_unit_test_setup(software_disable_and_init, setup),
        cmocka_unit_test_setup(effects_say_so, setup),
        cmocka_unit_test_setup(short_cut_is_the_same, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
