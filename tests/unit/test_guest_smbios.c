/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/guest_smbios.c, read back the way Linux' dmi_scan does: entry point, checksums, structures
 * with their texts, and what happens when there is too little room or a bad text.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "core/guest_smbios.h"
#include "core/lib/string.h"

static const struct guest_smbios_config config = {"Plinth", "Virtual Machine", "0.1", "11/21/2026"};

static uint8_t sum(const uint8_t *p, size_t n)
{
    uint8_t s = 0;
    while (n--)
        s = (uint8_t)(s + *p++);
    return s;
}

static unsigned word(const uint8_t *p)
{
    return p[0] | p[1] << 8;
}

/* Behind a structure and its texts. */
static const uint8_t *next(const uint8_t *p)
{
    p += p[1];
    while (p[0] || p[1])
        p++;
    return p + 2;
}

static const char *text(const uint8_t *p, unsigned n)
{
    const char *s = (const char *)p + p[1];
    while (--n)
        s += strlen(s) + 1;
    return s;
}

static void test_entry_point(void **state)
{
    (void)state;
    uint8_t b[GUEST_SMBIOS_ROOM];
    size_t used = guest_smbios_build(b, sizeof(b), &config);
    assert_in_range(used, 64, sizeof(b));
    assert_memory_equal(b, "_SM_", 4);
    assert_int_equal(b[5], 31);
    assert_int_equal(sum(b, 31), 0);
    assert_memory_equal(b + 16, "_DMI_", 5);
    assert_int_equal(sum(b + 16, 15), 0);
    assert_int_equal(word(b + 24) | word(b + 26) << 16, GUEST_SMBIOS_AT + 32);
    assert_int_equal(word(b + 22), used - 32);
    assert_int_equal(word(b + 28), 3);
    assert_int_equal(word(b + 6) & 0xff, 2);
}

static void test_structures(void **state)
{
    (void)state;
    uint8_t b[GUEST_SMBIOS_ROOM];
    size_t used = guest_smbios_build(b, sizeof(b), &config), largest = 0;
    const uint8_t *bios = b + 32, *system = next(bios), *end = next(system);
    assert_int_equal(bios[0], 0);
    assert_int_equal(bios[1], 24);
    assert_string_equal(text(bios, bios[4]), "Plinth");
    assert_string_equal(text(bios, bios[5]), "0.1");
    assert_string_equal(text(bios, bios[8]), "11/21/2026");
    assert_true(bios[19] & 0x10);
    assert_int_equal(system[0], 1);
    assert_int_equal(system[1], 27);
    assert_int_equal(word(system + 2), 1);
    assert_string_equal(text(system, system[4]), "Plinth");
    assert_string_equal(text(system, system[5]), "Virtual Machine");
    assert_int_equal(system[7], 0); /* no serial number */
    assert_int_equal(end[0], 127);
    assert_int_equal(end[1], 4);
    assert_ptr_equal(next(end), b + used);
    largest = (size_t)(system - bios) > (size_t)(end - system) ? (size_t)(system - bios)
                                                               : (size_t)(end - system);
    assert_int_equal(word(b + 8), largest);
}

/* In an allocation of exactly that size, so that ASan sees a byte too many. */
static void test_room(void **state)
{
    (void)state;
    uint8_t b[GUEST_SMBIOS_ROOM];
    size_t used = guest_smbios_build(b, sizeof(b), &config);
    for (size_t n = 0; n <= used; n++) {
        uint8_t *exact = malloc(n ? n : 1);
        assert_non_null(exact);
        assert_int_equal(guest_smbios_build(exact, n, &config), n < used ? 0 : used);
        if (n == used)
            assert_memory_equal(exact, b, used);
        free(exact);
    }
}

static void test_texts(void **state)
{
    (void)state;
    char longest[66];
    uint8_t b[GUEST_SMBIOS_ROOM];
    memset(longest, 'x', 65);
    longest[65] = '\0';
    struct guest_smbios_config c = config;
    c.product = "";
    assert_int_equal(guest_smbios_build(b, sizeof(b), &c), 0);
    c.product = longest;
    assert_int_equal(guest_smbios_build(b, sizeof(b), &c), 0);
    longest[64] = '\0';
    c.vendor = c.version = c.date = longest;
    assert_int_not_equal(guest_smbios_build(b, sizeof(b), &c), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entry_point),
        cmocka_unit_test(test_structures),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
