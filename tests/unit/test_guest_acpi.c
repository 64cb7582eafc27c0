/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/guest_acpi.c: every table's place, length and checksum, its entries byte by byte, and what
 * the reader of the host's tables (drivers/hw/acpi_tables.c) makes of them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "core/guest_acpi.h"
#include "core/lib/string.h"
#include "drivers/hw/acpi_tables.h"

#define GPA UINT64_C(0xe0000)

/* A DSDT of nothing but Name (\_S5, Package () {5, 5, 0, 0}). */
static uint8_t dsdt[] = "DSDT\x33\0\0\0\x02\0PLINTHGUEST\0\0\0\1\0\0\0TEST\1\0\0\0"
                        "\x08\\_S5_\x12\x08\x04\x0a\x05\x0a\x05\0\0";
#define DSDT_LEN (sizeof(dsdt) - 1)

static uint8_t *mem;
static size_t mem_len;
static uint64_t mem_gpa, rsdp;

static uint64_t get(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    memcpy(&v, p, n);
    return v;
}

static uint8_t sum(const uint8_t *p, size_t n)
{
    uint8_t s = 0;
    while (n--)
        s = (uint8_t)(s + *p++);
    return s;
}

static struct guest_acpi_config config(uint32_t cpus)
{
    return (struct guest_acpi_config){.cpus = cpus, .dsdt = dsdt, .dsdt_len = DSDT_LEN};
}

/* Builds into a heap buffer of exactly the size that is needed; returns that size. */
static size_t build(const struct guest_acpi_config *c, uint64_t gpa)
{
    static uint8_t probe[GUEST_ACPI_CPUS_MAX * 16 + 4096];
    memset(probe, 0x55, sizeof(probe));
    mem_len = guest_acpi_build(probe, sizeof(probe), gpa, c, &rsdp);
    if (mem_len == 0)
        return 0;
    assert_int_equal(probe[mem_len], 0x55);
    free(mem);
    mem = malloc(mem_len);
    mem_gpa = gpa;
    assert_int_equal(guest_acpi_build(mem, mem_len, gpa, c, &rsdp), mem_len);
    assert_memory_equal(mem, probe, mem_len);
    return mem_len;
}

static const void *map(void *ctx, uint64_t at, size_t len)
{
    (void)ctx;
    if (at < mem_gpa || at - mem_gpa > mem_len || len > mem_len - (at - mem_gpa))
        return NULL;
    return mem + (at - mem_gpa);
}

/* The table at that address, after the checks that hold for each. */
static const uint8_t *table(uint64_t at, const char *signature)
{
    const uint8_t *p = map(NULL, at, 36);
    assert_non_null(p);
    assert_memory_equal(p, signature, 4);
    assert_non_null(map(NULL, at, get(p + 4, 4)));
    assert_int_equal(sum(p, get(p + 4, 4)), 0);
    return p;
}

static const uint8_t *root_entry(unsigned i, const char *signature)
{
    const uint8_t *root = map(NULL, rsdp, 36), *xsdt = table(get(root + 24, 8), "XSDT");
    assert_int_equal(get(xsdt + 4, 4), 36 + 16);
    return table(get(xsdt + 36 + i * 8, 8), signature);
}

static int setup(void **state)
{
    (void)state;
    dsdt[4] = (uint8_t)DSDT_LEN;
    dsdt[9] = 0;
    dsdt[9] = (uint8_t)-sum(dsdt, DSDT_LEN);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(mem);
    mem = NULL;
    return 0;
}

static void test_roots(void **state)
{
    struct guest_acpi_config c = config(1);
    (void)state;
    assert_true(build(&c, GPA));
    const uint8_t *p = map(NULL, rsdp, 36);
    assert_int_equal(rsdp % 16, 0);
    assert_memory_equal(p, "RSD PTR ", 8);
    assert_int_equal(sum(p, 20), 0);
    assert_int_equal(sum(p, 36), 0);
    assert_int_equal(p[15], 2);
    assert_int_equal(get(p + 16, 4), 0);
    assert_int_equal(get(p + 20, 4), 36);
    root_entry(0, "FACP");
    root_entry(1, "APIC");
}

static void test_fadt(void **state)
{
    struct guest_acpi_config c = config(1);
    (void)state;
    assert_true(build(&c, GPA));
    const uint8_t *p = root_entry(0, "FACP");
    assert_int_equal(get(p + 4, 4), 276);
    assert_int_equal(p[8], 6);
    assert_int_equal(get(p + 46, 2), 9);
    assert_int_equal(get(p + 48, 8), 0); /* SMI_CMD and its values */
    assert_int_equal(get(p + 56, 4), 0x600);
    assert_int_equal(get(p + 60, 4), 0);
    assert_int_equal(get(p + 64, 4), 0x604);
    assert_int_equal(get(p + 76, 4), 0x608);
    assert_int_equal(get(p + 80, 8), 0); /* no GPE blocks */
    assert_int_equal(p[88], 4);
    assert_int_equal(p[89], 2);
    assert_int_equal(p[91], 4);
    assert_int_equal(p[108], 0x32);
    assert_int_equal(get(p + 109, 2), 0x5);
    assert_int_equal(get(p + 112, 4), 0x575);
    assert_int_equal(get(p + 116, 4), 0x01000801); /* I/O, 8 bits, byte access */
    assert_int_equal(get(p + 120, 8), 0xcf9);
    assert_int_equal(p[128], 6);
    assert_int_equal(get(p + 132, 8), 0);
    assert_int_equal(get(p + 140, 8), get(p + 40, 4));
    assert_int_equal(get(p + 152, 8), 0x600);
    assert_int_equal(get(p + 176, 8), 0x604);
    assert_int_equal(get(p + 212, 8), 0x608);
    const uint8_t *d = table(get(p + 40, 4), "DSDT");
    assert_memory_equal(d, dsdt, DSDT_LEN);
    uint64_t facs = get(p + 36, 4);
    assert_int_equal(facs % 64, 0);
    assert_memory_equal(map(NULL, facs, 64), "FACS\x40\0\0\0", 8);
    assert_int_equal(((const uint8_t *)map(NULL, facs, 64))[32], 2);
    c.power_button = true;
    assert_true(build(&c, GPA));
    assert_int_equal(get(root_entry(0, "FACP") + 112, 4), 0x565);
}

static void test_madt(void **state)
{
    static const uint8_t rest[] = {
        1, 12, 7, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0,
        2, 10, 0, 0, 2, 0, 0, 0, 0x05, 0,
        2, 10, 0, 9, 9, 0, 0, 0, 0x0d, 0,
        4, 6, 0xff, 0, 0, 1};
    struct guest_acpi_config c = config(3);
    (void)state;
    c.ioapic_id = 7;
    assert_true(build(&c, GPA));
    const uint8_t *p = root_entry(1, "APIC");
    assert_int_equal(get(p + 4, 4), 44 + 3 * 8 + sizeof(rest));
    assert_int_equal(get(p + 36, 4), 0xfee00000);
    assert_int_equal(get(p + 40, 4), 1);
    for (uint8_t i = 0; i < 3; i++) {
        const uint8_t cpu[] = {0, 8, i, i, 1, 0, 0, 0};
        assert_memory_equal(p + 44 + i * 8, cpu, 8);
    }
    assert_memory_equal(p + 44 + 24, rest, sizeof(rest));
}

/* APIC ID 255 is the first that an 8-bit field cannot name. */
static void test_madt_x2apic(void **state)
{
    static const uint8_t first[] = {9, 16, 0, 0, 255, 0, 0, 0, 1, 0, 0, 0, 255, 0, 0, 0};
    static const uint8_t nmi[] = {10, 12, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0};
    struct guest_acpi_config c = config(255);
    (void)state;
    assert_true(build(&c, GPA));
    const uint8_t *p = root_entry(1, "APIC");
    assert_int_equal(get(p + 4, 4), 44 + 255 * 8 + 38);
    c.cpus = 257;
    assert_true(build(&c, GPA));
    p = root_entry(1, "APIC");
    assert_int_equal(get(p + 4, 4), 44 + 255 * 8 + 2 * 16 + 38 + 12);
    assert_memory_equal(p + 44 + 255 * 8, first, 16);
    assert_int_equal(get(p + 44 + 255 * 8 + 16 + 4, 4), 256);
    assert_memory_equal(p + get(p + 4, 4) - 12, nmi, 12);
}

/* A reader that was written for firmware's tables finds nothing to warn of. */
static void test_second_reader(void **state)
{
    static const uint32_t cpus[] = {1, 2, 4, 64, 255, 256};
    static struct acpi_info info;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cpus); i++) {
        struct guest_acpi_config c = config(cpus[i]);
        assert_true(build(&c, GPA));
        assert_int_equal(acpi_parse(map(NULL, rsdp, 36), 36, map, NULL, &info), 0);
        assert_int_equal(info.warning_count, 0);
        assert_true(info.used_xsdt && info.has_madt && info.has_fadt && info.has_s5);
        assert_int_equal(info.cpu_count, cpus[i]);
        for (uint32_t id = 0; id < cpus[i]; id++) {
            assert_int_equal(info.cpus[id].apic_id, id);
            assert_true(info.cpus[id].enabled);
            assert_int_equal(info.cpus[id].x2apic, id >= 255);
        }
        assert_int_equal(info.ioapic_count, 1);
        assert_int_equal(info.ioapics[0].gsi_base, 0);
        assert_int_equal(info.override_count, 2);
        assert_int_equal(info.overrides[0].gsi, 2);
        assert_int_equal(info.lapic_address, 0xfee00000);
        assert_true(info.pcat_compat && info.has_reset && info.pm_timer_32bit);
        assert_false(info.hw_reduced);
        assert_int_equal(info.pm1a_event.address, 0x600);
        assert_int_equal(info.pm1a_control.address, 0x604);
        assert_int_equal(info.pm1b_control.address, 0);
        assert_int_equal(info.pm_timer.address, 0x608);
        assert_int_equal(info.reset_reg.address, 0xcf9);
        assert_int_equal(info.s5_typ_a, 5);
        assert_int_equal(info.iapc_boot_arch, 5);
    }
}

static void test_every_smaller_size_is_refused(void **state)
{
    struct guest_acpi_config c = config(2);
    size_t need = build(&c, GPA);
    uint64_t at;
    (void)state;
    assert_true(need > 0);
    for (size_t n = 0; n < need; n++) {
        uint8_t *buf = malloc(n ? n : 1);
        assert_int_equal(guest_acpi_build(buf, n, GPA, &c, &at), 0);
        free(buf);
    }
    c = config(64);
    assert_true(build(&c, GPA) + 4096 <= GUEST_ACPI_ROOM);
}

static void test_refusals(void **state)
{
    struct guest_acpi_config c = config(0);
    (void)state;
    assert_int_equal(build(&c, GPA), 0);
    c = config(GUEST_ACPI_CPUS_MAX + 1);
    assert_int_equal(build(&c, GPA), 0);
    c = config(GUEST_ACPI_CPUS_MAX);
    assert_true(build(&c, GPA) > 0);
    c = config(1);
    assert_int_equal(build(&c, GPA + 32), 0);
    c.dsdt_len = 35;
    assert_int_equal(build(&c, GPA), 0);
    c.dsdt_len = SIZE_MAX;
    assert_int_equal(build(&c, GPA), 0);
    c = config(1);
    c.dsdt = (const uint8_t *)"SSDT                                                            ";
    assert_int_equal(build(&c, GPA), 0);
    c = config(1);
    size_t need = build(&c, GPA);
    uint64_t top = ALIGN_DOWN(BIT(32) - need, 64);
    assert_int_equal(build(&c, top), need);
    assert_int_equal(build(&c, top + 64), 0);
    assert_int_equal(build(&c, BIT(32)), 0);
    assert_int_equal(build(&c, ALIGN_DOWN(UINT64_MAX, 64)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roots),
        cmocka_unit_test(test_fadt),
        cmocka_unit_test(test_madt),
        cmocka_unit_test(test_madt_x2apic),
        cmocka_unit_test(test_second_reader),
        cmocka_unit_test(test_every_smaller_size_is_refused),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
