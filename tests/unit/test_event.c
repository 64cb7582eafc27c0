/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events: how exceptions combine, the VMX word, which one goes first.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "core/event.h"
#include "core/lib/string.h"

static struct event hw(unsigned vector)
{
    return event_exception((uint8_t)vector, 0x18, true);
}

static void error_codes(void **state)
{
    (void)state;
    for (unsigned v = 0; v < 256; v++) {
        bool want = v == 8 || (v >= 10 && v <= 14) || v == 17 || v == 21;
        assert_int_equal(event_has_error_code((uint8_t)v, true), want);
        assert_false(event_has_error_code((uint8_t)v, false));
    }
    struct event e = event_exception(13, 0x18, true);
    assert_true(e.has_error && e.error_code == 0x18 && e.type == EVENT_HW_EXCEPTION);
    e = event_exception(13, 0x18, false);
    assert_true(!e.has_error && e.error_code == 0 && e.vector == 13);
    e = event_exception(6, 0x18, true);
    assert_true(!e.has_error && e.error_code == 0);
}

/* The manual's table, written out: 0 second, 1 double fault, 2 triple. */
static unsigned expected(unsigned first, unsigned second)
{
    bool c1 = first == 0 || (first >= 10 && first <= 13) || first == 21;
    bool c2 = second == 0 || (second >= 10 && second <= 13) || second == 21;
    bool p1 = first == 14 || first == 20, p2 = second == 14 || second == 20;
    if (first == 8)
        return c2 || p2 || second == 8 ? 2 : 0;
    if (c1)
        return c2 ? 1 : 0;
    if (p1)
        return c2 || p2 ? 1 : 0;
    return 0;
}

static void merging(void **state)
{
    (void)state;
    static const enum event_merge kinds[] = {
        EVENT_MERGE_SECOND, EVENT_MERGE_DOUBLE_FAULT, EVENT_MERGE_TRIPLE_FAULT,
    };
    for (unsigned i = 0; i < 32; i++) {
        for (unsigned j = 0; j < 32; j++) {
            struct event a = hw(i), b = hw(j), out = {.vector = 99};
            unsigned want = expected(i, j);
            assert_int_equal(event_merge(&a, &b, &out), kinds[want]);
            assert_int_equal(out.vector, want == 0 ? j : want == 1 ? 8 : 99);
            if (want == 1)
                assert_true(out.has_error && out.error_code == 0);
        }
    }
    /* what software does on purpose, interrupts and NMIs combine with nothing */
    struct event gp = hw(13), out;
    const struct event benign[] = {
        {.type = EVENT_EXTINT, .vector = 13}, {.type = EVENT_NMI, .vector = 2},
        {.type = EVENT_SW_INT, .vector = 8},  {.type = EVENT_SW_EXC, .vector = 3},
        {.type = EVENT_PRIV_SW_EXC, .vector = 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(benign); i++) {
        assert_int_equal(event_merge(&benign[i], &gp, &out), EVENT_MERGE_SECOND);
        assert_int_equal(out.vector, 13);
    }
}

static void vmx_word(void **state)
{
    (void)state;
    struct event e = hw(14), back;
    assert_int_equal(event_to_vmx(&e), 0x80000b0e);
    e = (struct event){.type = EVENT_EXTINT, .vector = 0x30};
    assert_int_equal(event_to_vmx(&e), 0x80000030);
    e = (struct event){.type = EVENT_NMI, .vector = 2};
    assert_int_equal(event_to_vmx(&e), 0x80000202);
    e = (struct event){.type = EVENT_SW_EXC, .vector = 3, .insn_length = 1};
    assert_int_equal(event_to_vmx(&e), 0x80000603);
    assert_true(event_from_vmx(0x80000603, 7, 1, &back));
    assert_true(back.type == EVENT_SW_EXC && back.vector == 3 && back.insn_length == 1);
    assert_true(!back.has_error && back.error_code == 0);
    assert_true(event_from_vmx(0x80000b0e, 7, 5, &back));
    assert_true(back.type == EVENT_HW_EXCEPTION && back.vector == 14 && back.has_error);
    assert_int_equal(back.error_code, 7);
    assert_int_equal(back.insn_length, 0);
    assert_true(event_from_vmx(0x80001202, 0, 0, &back)); /* bit 12: NMI unblocking, not ours */
    assert_int_equal(back.type, EVENT_NMI);
    back.vector = 77;
    assert_false(event_from_vmx(0x00000b0e, 7, 5, &back));
    assert_false(event_from_vmx(0x80000100, 0, 0, &back));
    assert_false(event_from_vmx(0x80000700, 0, 0, &back));
    assert_int_equal(back.vector, 77);
}

static struct event_choice pick(struct event_state s)
{
    struct event_choice c;
    memset(&c, 0xff, sizeof(c));
    event_next(&s, &c);
    return c;
}

static void order(void **state)
{
    (void)state;
    struct event_state s = {.interrupt_vector = 0x31};
    assert_int_equal(pick(s).source, EVENT_NONE);
    s.interrupt_pending = s.interrupts_enabled = true;
    struct event_choice c = pick(s);
    assert_int_equal(c.source, EVENT_FROM_INTERRUPT);
    assert_true(c.event.type == EVENT_EXTINT && c.event.vector == 0x31);
    assert_false(c.interrupt_window || c.nmi_window);
    s.nmi_pending = true;
    c = pick(s);
    assert_int_equal(c.source, EVENT_FROM_NMI);
    assert_true(c.event.type == EVENT_NMI && c.event.vector == 2);
    assert_true(c.interrupt_window && !c.nmi_window);
    s.exception_valid = true;
    s.exception = hw(14);
    c = pick(s);
    assert_int_equal(c.source, EVENT_FROM_EXCEPTION);
    assert_int_equal(c.event.vector, 14);
    assert_true(c.interrupt_window && c.nmi_window);
    s.reinject_valid = true;
    s.reinject = hw(13);
    c = pick(s);
    assert_int_equal(c.source, EVENT_FROM_EXCEPTION); /* contributory, then a page fault: serial */
    assert_int_equal(c.event.vector, 14);
    s.exception = hw(11);
    c = pick(s);
    assert_int_equal(c.source, EVENT_FROM_EXCEPTION);
    assert_int_equal(c.event.vector, 8);
    s.reinject = hw(8);
    c = pick(s);
    assert_int_equal(c.source, EVENT_SHUTDOWN);
    assert_false(c.interrupt_window || c.nmi_window);
    s.exception_valid = false;
    c = pick(s);
    assert_int_equal(c.source, EVENT_FROM_REINJECT);
    assert_int_equal(c.event.vector, 8);
}

static void shadows(void **state)
{
    (void)state;
    struct event_state s = {.interrupt_pending = true, .nmi_pending = true};
    struct event_choice c;
    s.nmi_blocked = true;
    c = pick(s);
    assert_int_equal(c.source, EVENT_NONE); /* IF is clear */
    assert_true(c.interrupt_window && c.nmi_window);
    s.interrupts_enabled = true;
    assert_int_equal(pick(s).source, EVENT_FROM_INTERRUPT);
    assert_true(pick(s).nmi_window);
    s.nmi_blocked = false;
    for (unsigned i = 0; i < 2; i++) {
        s.sti_shadow = i == 0;
        s.mov_ss_shadow = i == 1;
        c = pick(s);
        assert_int_equal(c.source, EVENT_NONE);
        assert_true(c.interrupt_window && c.nmi_window);
    }
    s.exception_valid = true; /* exceptions mind no shadow */
    s.exception = hw(6);
    assert_int_equal(pick(s).source, EVENT_FROM_EXCEPTION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_codes), cmocka_unit_test(merging), cmocka_unit_test(vmx_word),
        cmocka_unit_test(order),       cmocka_unit_test(shadows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
