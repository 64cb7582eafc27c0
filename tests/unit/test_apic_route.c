/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who hears an interrupt message: every destination form in either mode, and arbitration.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "core/apic_route.h"

#define FLAT    0xffffffffu
#define CLUSTER 0x0fffffffu

static bool xapic(bool logical, uint32_t dest, uint32_t id, uint8_t logical_id, uint32_t dfr)
{
    struct apic_message m = {.logical = logical, .destination = dest};
    struct apic_target t = {.id = id, .ldr = (uint32_t)logical_id << 24, .dfr = dfr};
    return apic_matches(&m, 99, &t);
}

static bool x2apic(bool logical, uint32_t dest, uint32_t id)
{
    struct apic_message m = {.logical = logical, .destination = dest};
    struct apic_target t = {.id = id, .x2apic = true, .ldr = apic_x2apic_ldr(id)};
    return apic_matches(&m, 99, &t);
}

static void physical_xapic(void **state)
{
    (void)state;
    assert_true(xapic(false, 3, 3, 0, FLAT));
    assert_false(xapic(false, 3, 2, 0, FLAT));
    assert_false(xapic(false, 3, 4, 8, FLAT)); /* the logical ID plays no part */
    assert_true(xapic(false, 0xff, 0, 0, FLAT));
    assert_true(xapic(false, 0xff, 7, 0, CLUSTER));
    assert_true(xapic(false, 0xffffffff, 7, 0, FLAT));
    assert_false(xapic(false, 0x103, 3, 0, FLAT)); /* not cut to 8 bits */
    assert_false(xapic(false, 0x1ff, 3, 0, FLAT));
    assert_true(xapic(false, 0x2f, 0x12f, 0, FLAT)); /* an xAPIC has 8 bits of its ID */
}

static void logical_flat(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 8; bit++) {
        assert_true(xapic(true, 1u << bit, 0, (uint8_t)(1u << bit), FLAT));
        assert_false(xapic(true, 0xff & ~(1u << bit), 0, (uint8_t)(1u << bit), FLAT));
    }
    assert_true(xapic(true, 0x06, 0, 0x0c, FLAT));
    assert_false(xapic(true, 0x00, 0, 0xff, FLAT));
    assert_true(xapic(true, 0xff, 0, 0x00, FLAT)); /* broadcast: even to one without a logical ID */
    assert_false(xapic(true, 0x02, 2, 0x04, FLAT)); /* the APIC ID plays no part */
    assert_false(xapic(true, 0x101, 0, 0x01, FLAT));
}

static void logical_cluster(void **state)
{
    (void)state;
    assert_true(xapic(true, 0x21, 0, 0x21, CLUSTER));
    assert_true(xapic(true, 0x2f, 0, 0x24, CLUSTER));
    assert_false(xapic(true, 0x2b, 0, 0x24, CLUSTER));
    assert_false(xapic(true, 0x14, 0, 0x24, CLUSTER)); /* another cluster */
    assert_false(xapic(true, 0x20, 0, 0x2f, CLUSTER)); /* nobody in it */
    assert_true(xapic(true, 0xff, 0, 0x24, CLUSTER));
    assert_true(xapic(true, 0xf1, 0, 0xf1, CLUSTER));
    assert_false(xapic(true, 0xf1, 0, 0x21, CLUSTER)); /* cluster 15 alone is no broadcast */
    for (uint32_t model = 1; model < 15; model++)
        assert_false(xapic(true, 0x01, 0, 0x01, model << 28 | 0x0fffffff));
}

static void ldr_of_x2apic(void **state)
{
    (void)state;
    assert_int_equal(apic_x2apic_ldr(0), 0x00000001);
    assert_int_equal(apic_x2apic_ldr(5), 0x00000020);
    assert_int_equal(apic_x2apic_ldr(15), 0x00008000);
    assert_int_equal(apic_x2apic_ldr(0x10), 0x00010001);
    assert_int_equal(apic_x2apic_ldr(0x12f), 0x00128000);
    assert_int_equal(apic_x2apic_ldr(0xfffff), 0xffff8000);
}

static void x2apic_destinations(void **state)
{
    (void)state;
    assert_true(x2apic(false, 0x123, 0x123));
    assert_false(x2apic(false, 0x23, 0x123));
    assert_false(x2apic(false, 0x123, 0x23));
    assert_true(x2apic(false, 0xffffffff, 0x123));
    assert_true(x2apic(true, 0xffffffff, 0x123));
    assert_false(x2apic(false, 0xff, 3)); /* an ID like any other here */
    assert_true(x2apic(false, 0xff, 0xff));
    assert_true(x2apic(true, 0x00000003, 1));
    assert_false(x2apic(true, 0x00000003, 2));
    assert_false(x2apic(true, 0x00010002, 1)); /* another cluster */
    assert_true(x2apic(true, 0x00120008, 0x123));
    assert_false(x2apic(true, 0x00120000, 0x123));
    assert_true(x2apic(true, 0xff, 3)); /* from an IOAPIC: the first eight of cluster 0 */
    assert_false(x2apic(true, 0xff, 8));
}

static void shorthands(void **state)
{
    (void)state;
    for (unsigned mode = 0; mode < 2; mode++)
        for (unsigned id = 0; id < 4; id++) {
            struct apic_target t = {.id = id, .x2apic = mode != 0, .dfr = FLAT};
            struct apic_message m = {.destination = 2, .shorthand = APIC_TO_SELF};
            assert_int_equal(apic_matches(&m, 1, &t), id == 1);
            m.shorthand = APIC_TO_ALL;
            assert_true(apic_matches(&m, 1, &t));
            m.shorthand = APIC_TO_OTHERS;
            assert_int_equal(apic_matches(&m, 1, &t), id != 1);
            m.shorthand = APIC_TO_DESTINATION;
            assert_int_equal(apic_matches(&m, 1, &t), id == 2);
        }
}

static void arbitration(void **state)
{
    (void)state;
    uint8_t priority[4] = {0x20, 0x10, 0x10, 0x00};
    bool candidate[4] = {true, true, true, false};
    unsigned turn = 0;
    assert_int_equal(apic_arbitrate(candidate, priority, 4, &turn), 1);
    assert_int_equal(apic_arbitrate(candidate, priority, 4, &turn), 2);
    assert_int_equal(apic_arbitrate(candidate, priority, 4, &turn), 1);
    candidate[3] = true;
    assert_int_equal(apic_arbitrate(candidate, priority, 4, &turn), 3);
    assert_int_equal(apic_arbitrate(candidate, priority, 4, &turn), 3);
    /* Equals share evenly. */
    unsigned won[4] = {0};
    for (unsigned i = 0; i < 4; i++)
        priority[i] = 0x40;
    for (unsigned i = 0; i < 40; i++)
        won[apic_arbitrate(candidate, priority, 4, &turn)]++;
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(won[i], 10);
}

static void arbitration_of_nobody(void **state)
{
    (void)state;
    uint8_t priority[2] = {0, 0};
    bool candidate[2] = {false, false};
    unsigned turn = 1;
    assert_int_equal(apic_arbitrate(candidate, priority, 2, &turn), -1);
    assert_int_equal(apic_arbitrate(candidate, priority, 0, &turn), -1);
    assert_int_equal(turn, 1);
    candidate[0] = true;
    turn = 0xffffffff; /* whatever it holds */
    assert_int_equal(apic_arbitrate(candidate, priority, 2, &turn), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(physical_xapic),
        cmocka_unit_test(logical_flat),
        cmocka_unit_test(logical_cluster),
        cmocka_unit_test(ldr_of_x2apic),
        cmocka_unit_test(x2apic_destinations),
        cmocka_unit_test(shorthands),
        cmocka_unit_test(arbitration),
        cmocka_unit_test(arbitration_of_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
