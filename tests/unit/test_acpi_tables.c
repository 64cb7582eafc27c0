/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * drivers/hw/acpi_tables.c on tables made here in a pretended physical memory. The map callback
 * hands out exact heap copies, so that ASan sees a read beyond what was asked for.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/lib/string.h"
#include "drivers/hw/acpi_tables.h"

#define BASE  UINT64_C(0x7fe00000) /* where the pretended memory starts */
#define ROOM  65536u
#define MAPS  2048

static uint8_t mem[ROOM];
static size_t used;
static uint8_t rsdp[36];
static struct acpi_info info;
static void *mapped[MAPS];
static size_t mapped_count;

static const void *map(void *ctx, uint64_t hpa, size_t len)
{
    (void)ctx;
    if (hpa < BASE || hpa - BASE > ROOM || len > ROOM - (hpa - BASE))
        return NULL;
    assert_true(mapped_count < MAPS);
    uint8_t *copy = malloc(len + 1); /* odd addresses: no alignment may be taken for granted */
    memcpy(copy + 1, mem + (hpa - BASE), len);
    mapped[mapped_count++] = copy;
    return copy + 1;
}

static void put16(uint8_t *p, uint16_t v)
{
    memcpy(p, &v, 2);
}

static void put32(uint8_t *p, uint32_t v)
{
    memcpy(p, &v, 4);
}

static void put64(uint8_t *p, uint64_t v)
{
    memcpy(p, &v, 8);
}

static void fix_sum(uint8_t *p, size_t n, uint8_t *sum)
{
    *sum = 0;
    uint8_t s = 0;
    for (size_t i = 0; i < n; i++)
        s = (uint8_t)(s + p[i]);
    *sum = (uint8_t)(0 - s);
}

static void fix_table(uint8_t *t)
{
    uint32_t len;
    memcpy(&len, t + 4, 4);
    fix_sum(t, len, t + 9);
}

static uint64_t address(const uint8_t *p)
{
    return BASE + (uint64_t)(p - mem);
}

/* A table with a body of zeros; its checksum is made by build(). */
static uint8_t *table(const char *signature, size_t body)
{
    used = ALIGN_UP(used, 4) + 2; /* crooked on purpose */
    uint8_t *t = mem + used;
    used += 36 + body;
    assert_true(used <= ROOM);
    memcpy(t, signature, 4);
    put32(t + 4, (uint32_t)(36 + body));
    return t;
}

static uint8_t *madt, *fadt, *dsdt, *xsdt, *rsdt;
static size_t madt_len;

static void add_madt(const void *entry, size_t n)
{
    memcpy(madt + madt_len, entry, n);
    madt_len += n;
    put32(madt + 4, (uint32_t)madt_len);
}

#define ADD(...)                                                                                  \
    do {                                                                                          \
        const uint8_t bytes[] = {__VA_ARGS__};                                                    \
        add_madt(bytes, sizeof(bytes));                                                           \
    } while (0)

static const uint8_t s5[] = {0x10, 0x20, 0x08, '_', 'S', '5', '_', 0x12, 0x07, 0x04,
                             0x0a, 0x05, 0x0a, 0x03, 0x00, 0x00};

/* A machine with all that is read; a test then changes something and calls parse(). */
static int setup(void **state)
{
    (void)state;
    memset(mem, 0, sizeof(mem));
    used = 0;
    madt = table("APIC", 8192);
    madt_len = 44;
    put32(madt + 4, 44);
    put32(madt + 36, 0xfee00000);
    put32(madt + 40, 1);
    dsdt = table("DSDT", sizeof(s5));
    memcpy(dsdt + 36, s5, sizeof(s5));
    fadt = table("FACP", 244 - 36);
    fadt[8] = 4;
    put32(fadt + 40, (uint32_t)address(dsdt));
    put16(fadt + 46, 9);
    put32(fadt + 48, 0xb2);
    fadt[52] = 0xf0;
    put32(fadt + 56, 0x600);
    put32(fadt + 64, 0x604);
    put32(fadt + 76, 0x608);
    fadt[88] = 4;
    fadt[89] = 2;
    fadt[91] = 4;
    put16(fadt + 109, 0x3);
    put32(fadt + 112, BIT(8) | BIT(10));
    fadt[116] = 1;
    fadt[117] = 8;
    put64(fadt + 120, 0xcf9);
    fadt[128] = 6;
    rsdt = table("RSDT", 8);
    put32(rsdt + 36, (uint32_t)address(madt));
    put32(rsdt + 40, (uint32_t)address(fadt));
    xsdt = table("XSDT", 24);
    put64(xsdt + 36, address(madt));
    put64(xsdt + 52, address(fadt)); /* the entry between them is a hole */
    memset(rsdp, 0, sizeof(rsdp));
    memcpy(rsdp, "RSD PTR ", 8);
    rsdp[15] = 2;
    put32(rsdp + 16, (uint32_t)address(rsdt));
    put32(rsdp + 20, 36);
    put64(rsdp + 24, address(xsdt));
    return 0;
}

static void build(void)
{
    uint8_t *const all[] = {madt, fadt, dsdt, xsdt, rsdt};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        fix_table(all[i]);
    fix_sum(rsdp, 20, rsdp + 8);
    fix_sum(rsdp, 36, rsdp + 32);
}

static enum pl_status parse_only(size_t rsdp_len)
{
    uint8_t *copy = malloc(rsdp_len ? rsdp_len : 1);
    memcpy(copy, rsdp, rsdp_len);
    enum pl_status st = acpi_parse(copy, rsdp_len, map, NULL, &info);
    free(copy);
    while (mapped_count)
        free(mapped[--mapped_count]);
    return st;
}

static enum pl_status parse(void)
{
    build();
    return parse_only(36);
}

static bool warned(const char *part)
{
    for (uint32_t i = 0; i < info.warning_count; i++)
        if (strstr(info.warnings[i], part))
            return true;
    return false;
}

static void test_good_machine(void **state)
{
    (void)state;
    ADD(0, 8, 0, 0, 1, 0, 0, 0);
    assert_int_equal(parse(), PL_OK);
    assert_int_equal(info.warning_count, 0);
    assert_int_equal(info.revision, 2);
    assert_true(info.used_xsdt);
    assert_int_equal(info.table_count, 2);
    assert_string_equal(info.tables[0].signature, "APIC");
    assert_int_equal(info.tables[1].address, address(fadt));
    assert_true(info.has_madt && info.has_fadt && info.has_s5 && info.has_reset);
    assert_true(info.pcat_compat);
    assert_int_equal(info.lapic_address, 0xfee00000);
    assert_int_equal(info.cpu_count, 1);
    assert_int_equal(info.sci_irq, 9);
    assert_int_equal(info.smi_cmd, 0xb2);
    assert_int_equal(info.acpi_enable, 0xf0);
    assert_int_equal(info.pm1a_event.address, 0x600);
    assert_int_equal(info.pm1_event_len, 4);
    assert_int_equal(info.pm1a_control.address, 0x604);
    assert_int_equal(info.pm1a_control.space, 1);
    assert_int_equal(info.pm1a_control.bit_width, 16);
    assert_int_equal(info.pm1b_control.address, 0);
    assert_int_equal(info.pm_timer.address, 0x608);
    assert_true(info.pm_timer_32bit);
    assert_int_equal(info.reset_reg.address, 0xcf9);
    assert_int_equal(info.reset_value, 6);
    assert_int_equal(info.iapc_boot_arch, 3);
    assert_int_equal(info.dsdt_address, address(dsdt));
    assert_int_equal(info.s5_typ_a, 5);
    assert_int_equal(info.s5_typ_b, 3);
}

static void test_rsdp_errors(void **state)
{
    (void)state;
    build();
    assert_int_equal(parse_only(0), PL_NOT_FOUND);
    assert_true(warned("no RSDP"));
    assert_int_equal(parse_only(19), PL_NOT_FOUND);
    rsdp[8]++;
    assert_int_equal(parse_only(36), PL_NOT_FOUND);
    rsdp[8]--;
    rsdp[0] = 'X';
    assert_int_equal(parse_only(36), PL_NOT_FOUND);
}

static void test_rsdt_when_the_xsdt_is_no_good(void **state)
{
    (void)state;
    build();
    assert_int_equal(parse_only(20), PL_OK); /* the copy is cut: only the old part is there */
    assert_false(info.used_xsdt);
    assert_true(info.has_madt && info.has_fadt);
    rsdp[33]++; /* extended checksum */
    assert_int_equal(parse_only(36), PL_OK);
    assert_false(info.used_xsdt);
    assert_true(warned("RSDT is used"));

    setup(NULL);
    rsdp[15] = 0;
    assert_int_equal(parse(), PL_OK);
    assert_false(info.used_xsdt);
    assert_int_equal(info.warning_count, 0);

    setup(NULL);
    build();
    xsdt[20]++;
    assert_int_equal(parse_only(36), PL_OK);
    assert_false(info.used_xsdt);
    assert_true(warned("XSDT: wrong checksum"));

    setup(NULL);
    put64(rsdp + 24, address(madt)); /* something else is there */
    assert_int_equal(parse(), PL_OK);
    assert_false(info.used_xsdt);
    assert_true(warned("APIC where the XSDT"));
}

static void test_no_root_at_all(void **state)
{
    (void)state;
    put32(rsdp + 16, 0);
    put64(rsdp + 24, 0x1000);
    assert_int_equal(parse(), PL_NOT_FOUND);
    assert_true(warned("cannot be read"));
    assert_true(warned("neither"));
}

static void test_bad_tables_are_left_out(void **state)
{
    static const uint32_t lengths[] = {0, 35, 0x800001, 0xffffffff, 0x700000};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        setup(NULL);
        build();
        put32(madt + 4, lengths[i]);
        assert_int_equal(parse_only(36), PL_OK);
        assert_false(info.has_madt);
        assert_true(info.has_fadt);
        assert_true(info.warning_count >= 2);
    }
    setup(NULL);
    build();
    madt[37]++;
    assert_int_equal(parse_only(36), PL_OK);
    assert_false(info.has_madt);
    assert_true(warned("APIC: wrong checksum"));
    setup(NULL);
    put64(xsdt + 36, UINT64_MAX - 8);
    assert_int_equal(parse(), PL_OK);
    assert_true(warned("cannot be read"));
    assert_true(warned("no MADT"));
}

static void test_madt_cpus(void **state)
{
    (void)state;
    ADD(0, 8, 10, 0, 1, 0, 0, 0);
    ADD(0, 8, 11, 2, 2, 0, 0, 0);    /* online capable */
    ADD(0, 8, 12, 4, 0, 0, 0, 0);    /* disabled */
    ADD(0, 8, 13, 0xff, 1, 0, 0, 0); /* no such ID */
    ADD(9, 16, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0x78, 0, 0, 0);
    ADD(9, 16, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 11, 0, 0, 0); /* the same as above */
    ADD(0, 7, 1, 1, 1, 0, 0);                              /* too short */
    ADD(200, 3, 1);                                        /* unknown */
    assert_int_equal(parse(), PL_OK);
    assert_int_equal(info.cpu_count, 3);
    assert_int_equal(info.cpus[0].apic_id, 0);
    assert_int_equal(info.cpus[0].uid, 10);
    assert_true(info.cpus[0].enabled);
    assert_false(info.cpus[0].x2apic);
    assert_int_equal(info.cpus[1].apic_id, 2);
    assert_false(info.cpus[1].enabled);
    assert_true(info.cpus[1].online_capable);
    assert_int_equal(info.cpus[2].apic_id, 0x100);
    assert_int_equal(info.cpus[2].uid, 0x78);
    assert_true(info.cpus[2].x2apic);
    assert_true(warned("APIC ID 2 is there twice"));
    assert_true(warned("type 0 is too short"));
    assert_int_equal(info.warning_count, 2);
}

static void test_madt_too_many_cpus(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ACPI_CPUS + 10; i++) {
        uint8_t e[16] = {9, 16};
        put32(e + 4, i);
        put32(e + 8, 1);
        add_madt(e, sizeof(e));
    }
    assert_int_equal(parse(), PL_OK);
    assert_int_equal(info.cpu_count, ACPI_CPUS);
    assert_int_equal(info.cpus_dropped, 10);
    assert_int_equal(info.cpus[ACPI_CPUS - 1].apic_id, ACPI_CPUS - 1);
    assert_string_equal(info.warnings[info.warning_count - 1],
                        "MADT: 10 CPUs beyond the first 256 are not used");
}

static void add_x2apic(uint32_t id, uint32_t flags)
{
    uint8_t e[16] = {9, 16};
    put32(e + 4, id);
    put32(e + 8, flags);
    add_madt(e, sizeof(e));
}

/* Slots for CPUs that may come one day don't take the place of those that are there. */
static void test_madt_enabled_cpus_first(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ACPI_CPUS; i++)
        add_x2apic(1000 + i, 2);
    add_x2apic(7, 1);
    add_x2apic(8, 1);
    add_x2apic(9, 2);
    assert_int_equal(parse(), PL_OK);
    assert_int_equal(info.cpu_count, ACPI_CPUS);
    assert_int_equal(info.cpus_dropped, 3);
    assert_int_equal(info.cpus[0].apic_id, 7);
    assert_true(info.cpus[0].enabled && !info.cpus[0].online_capable);
    assert_int_equal(info.cpus[1].apic_id, 8);
    assert_int_equal(info.cpus[2].apic_id, 1002);
}

static void test_madt_duplicates(void **state)
{
    (void)state;
    ADD(0, 8, 1, 5, 2, 0, 0, 0);  /* online capable, and enabled further down: it is there */
    ADD(0, 8, 2, 5, 1, 0, 0, 0);
    ADD(0, 8, 3, 5, 1, 0, 0, 0);  /* once more, and as an x2APIC: not a second CPU */
    add_x2apic(5, 1);
    add_x2apic(5, 2);
    add_x2apic(UINT32_MAX, 1);    /* the broadcast IDs are nobody's */
    ADD(0, 8, 4, 0xff, 1, 0, 0, 0);
    add_x2apic(0xff, 1);          /* but 255 is somebody's in x2APIC mode */
    assert_int_equal(parse(), PL_OK);
    assert_int_equal(info.cpu_count, 2);
    assert_int_equal(info.cpus[0].apic_id, 5);
    assert_int_equal(info.cpus[0].uid, 2);
    assert_true(info.cpus[0].enabled && !info.cpus[0].x2apic);
    assert_int_equal(info.cpus[1].apic_id, 0xff);
    assert_int_equal(info.warning_count, 3);
    assert_string_equal(info.warnings[0], "MADT: APIC ID 5 is there twice");
}

static void test_madt_interrupts(void **state)
{
    (void)state;
    ADD(1, 12, 7, 0, 0, 0, 0xc0, 0xfe, 24, 0, 0, 0);
    ADD(2, 10, 0, 0, 2, 0, 0, 0, 0, 0);
    ADD(2, 10, 0, 9, 9, 0, 0, 0, 0x0d, 0);
    ADD(2, 10, 1, 9, 9, 0, 0, 0, 0x0d, 0); /* not the ISA bus */
    ADD(3, 8, 5, 0, 3, 0, 0, 0);
    ADD(4, 6, 0xff, 5, 0, 1); /* local NMI: skipped */
    ADD(5, 12, 0, 0, 0, 0, 0xe0, 0xfe, 1, 0, 0, 0);
    assert_int_equal(parse(), PL_OK);
    assert_int_equal(info.ioapic_count, 1);
    assert_int_equal(info.ioapics[0].id, 7);
    assert_int_equal(info.ioapics[0].address, 0xfec00000);
    assert_int_equal(info.ioapics[0].gsi_base, 24);
    assert_int_equal(info.override_count, 2);
    assert_int_equal(info.overrides[0].gsi, 2);
    assert_int_equal(info.overrides[1].source, 9);
    assert_int_equal(info.overrides[1].flags, 0x0d);
    assert_int_equal(info.nmi_count, 1);
    assert_int_equal(info.nmis[0].gsi, 3);
    assert_int_equal(info.nmis[0].flags, 5);
    assert_int_equal(info.lapic_address, UINT64_C(0x1fee00000));
    assert_true(warned("bus 1"));
}

static void test_madt_full_tables(void **state)
{
    (void)state;
    for (int i = 0; i < 40; i++) {
        ADD(1, 12, 7, 0, 0, 0, 0xc0, 0xfe, 24, 0, 0, 0);
        ADD(2, 10, 0, 0, 2, 0, 0, 0, 0, 0);
        ADD(3, 8, 5, 0, 3, 0, 0, 0);
    }
    assert_int_equal(parse(), PL_OK);
    assert_int_equal(info.ioapic_count, ACPI_IOAPICS);
    assert_int_equal(info.override_count, ACPI_OVERRIDES);
    assert_int_equal(info.nmi_count, ACPI_NMIS);
    assert_int_equal(info.warning_count, ACPI_WARNINGS);
    assert_int_equal(info.warnings_dropped, 32 + 16 + 24 - ACPI_WARNINGS);
}

static void test_madt_wild_entries(void **state)
{
    (void)state;
    ADD(0, 8, 0, 0, 1, 0, 0, 0);
    ADD(0, 0, 0, 1, 1, 0, 0, 0); /* would loop for ever */
    assert_int_equal(parse(), PL_OK);
    assert_int_equal(info.cpu_count, 1);
    assert_true(warned("length 0"));
    setup(NULL);
    ADD(0, 9, 0, 1, 1, 0, 0, 0); /* runs past the end */
    assert_int_equal(parse(), PL_OK);
    assert_int_equal(info.cpu_count, 0);
    setup(NULL);
    ADD(0); /* a single byte is left */
    assert_int_equal(parse(), PL_OK);
    setup(NULL);
    put32(madt + 4, 43);
    assert_int_equal(parse(), PL_OK);
    assert_false(info.has_madt);
}

static void test_second_madt_does_not_count(void **state)
{
    (void)state;
    ADD(0, 8, 0, 0, 1, 0, 0, 0);
    put64(xsdt + 44, address(madt));
    assert_int_equal(parse(), PL_OK);
    assert_int_equal(info.cpu_count, 1);
    assert_true(warned("second MADT"));
}

static void test_fadt_extended_fields(void **state)
{
    (void)state;
    fadt[172] = 1; /* X_PM1a_CNT_BLK */
    fadt[173] = 16;
    put64(fadt + 176, 0x1804);
    fadt[208] = 0; /* X_PM_TMR_BLK in memory */
    put64(fadt + 212, UINT64_C(0xfed00108));
    put64(fadt + 140, address(dsdt));
    put32(fadt + 40, 0x1234);
    assert_int_equal(parse(), PL_OK);
    assert_int_equal(info.pm1a_control.address, 0x1804);
    assert_true(warned("PM1a_CNT_BLK is 0x604"));
    assert_int_equal(info.pm_timer.space, 0);
    assert_int_equal(info.pm_timer.address, 0xfed00108);
    assert_true(info.has_s5);
}

static void test_fadt_of_acpi1(void **state)
{
    (void)state;
    put32(fadt + 4, 116);
    fadt[8] = 1;
    put16(fadt + 109, 0x1c);
    assert_int_equal(parse(), PL_OK);
    assert_true(info.has_fadt);
    assert_false(info.has_reset);
    assert_int_equal(info.iapc_boot_arch, 3);
    assert_int_equal(info.pm1a_control.address, 0x604);
    for (uint32_t n = 36; n < 116; n += 20) {
        setup(NULL);
        put32(fadt + 4, n);
        assert_int_equal(parse(), PL_OK);
        assert_false(info.has_fadt);
    }
}

static void test_reset_register(void **state)
{
    (void)state;
    put32(fadt + 112, 0);
    assert_int_equal(parse(), PL_OK);
    assert_false(info.has_reset);
    setup(NULL);
    put64(fadt + 120, 0);
    assert_int_equal(parse(), PL_OK);
    assert_false(info.has_reset);
    assert_true(warned("reset register"));
    setup(NULL);
    put32(fadt + 112, BIT(20));
    assert_int_equal(parse(), PL_OK);
    assert_true(info.hw_reduced);
}

static void try_s5(const uint8_t *aml, size_t n, bool found, int a, int b)
{
    setup(NULL);
    dsdt = table("DSDT", n);
    memcpy(dsdt + 36, aml, n);
    put32(fadt + 40, (uint32_t)address(dsdt));
    assert_int_equal(parse(), PL_OK);
    assert_int_equal(info.has_s5, found);
    assert_int_equal(warned("_S5_"), !found);
    if (found) {
        assert_int_equal(info.s5_typ_a, a);
        assert_int_equal(info.s5_typ_b, b);
    }
}

#define S5(found, a, b, ...)                                                                      \
    do {                                                                                          \
        const uint8_t aml[] = {__VA_ARGS__};                                                      \
        try_s5(aml, sizeof(aml), found, a, b);                                                    \
    } while (0)

static void test_s5_forms(void **state)
{
    (void)state;
    S5(true, 0, 1, 8, '_', 'S', '5', '_', 0x12, 6, 4, 0, 1, 0, 0);
    S5(true, 7, 7, 8, '\\', '_', 'S', '5', '_', 0x12, 8, 2, 0x0a, 7, 0x0a, 7);
    S5(true, 5, 6, 8, '_', 'S', '5', '_', 0x12, 0x4a, 0, 2, 0x0b, 5, 0, 0x0c, 6, 0, 0, 0);
    S5(true, 5, 4, 8, '_', 'S', '5', '_', 0x12, 5, 1, 0x0b, 5, 4);
    /* first in a string, then the right one */
    S5(true, 1, 0, 0x0d, '_', 'S', '5', '_', 0, 8, '_', 'S', '5', '_', 0x12, 4, 2, 1, 0);
}

static void test_s5_not_there(void **state)
{
    (void)state;
    S5(false, 0, 0, 0);
    S5(false, 0, 0, '_', 'S', '5', '_', 0x12, 6, 4, 0, 1, 0, 0);      /* no Name */
    S5(false, 0, 0, 8, '_', 'S', '5', '_', 0x11, 6, 4, 0, 1, 0, 0);   /* a buffer */
    S5(false, 0, 0, 8, '_', 'S', '5', '_');                           /* cut ... */
    S5(false, 0, 0, 8, '_', 'S', '5', '_', 0x12);
    S5(false, 0, 0, 8, '_', 'S', '5', '_', 0x12, 0xc0, 1);
    S5(false, 0, 0, 8, '_', 'S', '5', '_', 0x12, 6, 4);
    S5(false, 0, 0, 8, '_', 'S', '5', '_', 0x12, 6, 4, 1);
    S5(false, 0, 0, 8, '_', 'S', '5', '_', 0x12, 6, 4, 1, 0x0a);
    S5(false, 0, 0, 8, '_', 'S', '5', '_', 0x12, 6, 4, 1, 0x0c, 0, 0, 0);
    S5(false, 0, 0, 8, '_', 'S', '5', '_', 0x12, 2, 0, 1, 1);         /* no elements */
    S5(false, 0, 0, 8, '_', 'S', '5', '_', 0x12, 6, 4, 0x0a, 8, 0);   /* 8: four bits */
    S5(false, 0, 0, 8, '_', 'S', '5', '_', 0x12, 6, 4, 0x0d, 'a', 0); /* a string */
}

static void test_s5_in_an_ssdt(void **state)
{
    (void)state;
    memset(dsdt + 36, 0, sizeof(s5));
    uint8_t *ssdt = table("SSDT", sizeof(s5));
    memcpy(ssdt + 36, s5, sizeof(s5));
    fix_table(ssdt);
    put64(xsdt + 44, address(ssdt));
    assert_int_equal(parse(), PL_OK);
    assert_true(info.has_s5);
    assert_int_equal(info.table_count, 3);
}

static void test_many_tables(void **state)
{
    (void)state;
    const size_t n = 400;
    uint8_t *other = table("OEMX", 0);
    other[3] = 0x1b; /* unprintable */
    fix_table(other);
    xsdt = table("XSDT", n * 8);
    for (size_t i = 0; i < n; i++)
        put64(xsdt + 36 + i * 8, address(other));
    put64(rsdp + 24, address(xsdt));
    assert_int_equal(parse(), PL_OK);
    assert_int_equal(info.table_count, ACPI_TABLES);
    assert_string_equal(info.tables[0].signature, "OEM?");
    assert_true(warned("400 tables"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_good_machine, setup),
        cmocka_unit_test_setup(test_rsdp_errors, setup),
        cmocka_unit_test_setup(test_rsdt_when_the_xsdt_is_no_good, setup),
        cmocka_unit_test_setup(test_no_root_at_all, setup),
        cmocka_unit_test_setup(test_bad_tables_are_left_out, setup),
        cmocka_unit_test_setup(test_madt_cpus, setup),
        cmocka_unit_test_setup(test_madt_too_many_cpus, setup),
        cmocka_unit_test_setup(test_madt_enabled_cpus_first, setup),
        cmocka_unit_test_setup(test_madt_duplicates, setup),
        cmocka_unit_test_setup(test_madt_interrupts, setup),
        cmocka_unit_test_setup(test_madt_full_tables, setup),
        cmocka_unit_test_setup(test_madt_wild_entries, setup),
        cmocka_unit_test_setup(test_second_madt_does_not_count, setup),
        cmocka_unit_test_setup(test_fadt_extended_fields, setup),
        cmocka_unit_test_setup(test_fadt_of_acpi1, setup),
        cmocka_unit_test_setup(test_reset_register, setup),
        cmocka_unit_test_setup(test_s5_forms, setup),
        cmocka_unit_test_setup(test_s5_not_there, setup),
        cmocka_unit_test_setup(test_s5_in_an_ssdt, setup),
        cmocka_unit_test_setup(test_many_tables, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
