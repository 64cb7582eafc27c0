/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bytes of a guest's ACPI tables. PURE. Writes only to the caller's buffer; the place of every
 * table is decided first (struct layout), so that the writers cannot run out of room. Have open:
 * ACPI Specification, "ACPI System Description Tables".
 */
#include "core/guest_acpi.h"

#include "core/lib/string.h"

#define RSDP_LEN        36u
#define HEADER_LEN      36u
#define XSDT_LEN        (HEADER_LEN + 2 * 8u) /* FADT, MADT */
#define FADT_LEN        276u                  /* revision 6 */
#define FACS_LEN        64u
#define MADT_ENTRIES    44u

/* Entries of the MADT: types and lengths. */
#define MADT_LAPIC      0u
#define MADT_IOAPIC     1u
#define MADT_OVERRIDE   2u
#define MADT_LAPIC_NMI  4u
#define MADT_X2APIC     9u
#define MADT_X2APIC_NMI 10u
#define LAPIC_LEN       8u
#define IOAPIC_LEN      12u
#define OVERRIDE_LEN    10u
#define LAPIC_NMI_LEN   6u
#define X2APIC_LEN      16u
#define X2APIC_NMI_LEN  12u

#define LAPIC_IDS       255u /* IDs from here on need an x2APIC entry: FFh means all */
#define CPU_ENABLED     1u
#define PCAT_COMPAT     1u
/* MPS INTI flags. */
#define EDGE_HIGH       0x5u
#define LEVEL_HIGH      0xdu

/* Fixed feature flags of the FADT. */
#define FADT_WBINVD     BIT(0)
#define FADT_PROC_C1    BIT(2)
#define FADT_NO_POWER   BIT(4) /* a power button is no fixed hardware */
#define FADT_NO_SLEEP   BIT(5)
#define FADT_NO_RTC     BIT(6) /* RTC wake status is not in the PM1 registers */
#define FADT_TIMER32    BIT(8)
#define FADT_RESET      BIT(10)
/* IAPC_BOOT_ARCH; bits that are clear say: no 8042, MSI allowed, a CMOS RTC is there. */
#define ARCH_LEGACY     BIT(0)
#define ARCH_NO_VGA     BIT(2)

#define PROFILE_SERVER  4u
#define CENTURY         0x32u /* index in CMOS */
#define NO_C2           0xffffu
#define NO_C3           0xffffu
#define SPACE_IO        1u
#define GAS_BYTE        1u
#define GAS_WORD        2u
#define GAS_DWORD       3u

/* Offsets from the start of the buffer. */
struct layout {
    size_t rsdp, facs, dsdt, fadt, madt, xsdt, end;
    size_t madt_len;
};

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static void put32(uint8_t *p, uint64_t v)
{
    put16(p, (uint32_t)v);
    put16(p + 2, (uint32_t)(v >> 16));
}

static void put64(uint8_t *p, uint64_t v)
{
    put32(p, v);
    put32(p + 4, v >> 32);
}

/* The byte that makes p[n] sum to zero, given that it is zero now. */
static uint8_t checksum(const uint8_t *p, size_t n)
{
    uint8_t sum = 0;
    while (n--)
        sum = (uint8_t)(sum - *p++);
    return sum;
}

static void put_header(uint8_t *p, const char *signature, size_t len, uint8_t revision)
{
    memcpy(p, signature, 4);
    put32(p + 4, len);
    p[8] = revision;
    memcpy(p + 10, "PLINTHGUEST\0\0\0", 14); /* OEM ID, OEM table ID */
    put32(p + 24, 1);
    memcpy(p + 28, "PLTH", 4);
    put32(p + 32, 1);
}

static void close_table(uint8_t *p, size_t len)
{
    p[9] = checksum(p, len);
}

/* A register block of `width` bytes at an I/O port, as a Generic Address Structure. */
static void put_gas(uint8_t *p, uint8_t width, uint8_t access, uint32_t port)
{
    p[0] = SPACE_IO;
    p[1] = (uint8_t)(width * 8);
    p[2] = 0;
    p[3] = access;
    put64(p + 4, port);
}

static void put_fadt(uint8_t *p, const struct guest_acpi_config *c, uint64_t facs, uint64_t dsdt)
{
    put_header(p, "FACP", FADT_LEN, 6);
    put32(p + 36, facs); /* X_FIRMWARE_CTRL stays 0: only one of the two may be used */
    put32(p + 40, dsdt);
    p[45] = PROFILE_SERVER;
    put16(p + 46, GUEST_ACPI_SCI);
    /* SMI_CMD and what is written there stay 0: the machine is always in ACPI mode. */
    put32(p + 56, GUEST_ACPI_PM1_EVENT);
    put32(p + 64, GUEST_ACPI_PM1_CNT);
    put32(p + 76, GUEST_ACPI_PM_TIMER);
    p[88] = 4;
    p[89] = 2;
    p[91] = 4;
    put16(p + 96, NO_C2);
    put16(p + 98, NO_C3);
    p[108] = CENTURY;
    put16(p + 109, ARCH_LEGACY | ARCH_NO_VGA);
    put32(p + 112, FADT_WBINVD | FADT_PROC_C1 | (c->power_button ? 0 : FADT_NO_POWER) |
                       FADT_NO_SLEEP | FADT_NO_RTC | FADT_TIMER32 | FADT_RESET);
    put_gas(p + 116, 1, GAS_BYTE, GUEST_ACPI_RESET);
    p[128] = GUEST_ACPI_RESET_ON;
    put64(p + 140, dsdt);
    put_gas(p + 148, 4, GAS_WORD, GUEST_ACPI_PM1_EVENT);
    put_gas(p + 172, 2, GAS_WORD, GUEST_ACPI_PM1_CNT);
    put_gas(p + 208, 4, GAS_DWORD, GUEST_ACPI_PM_TIMER);
    memcpy(p + 268, "PLINTH\0", 8); /* hypervisor vendor identity */
    close_table(p, FADT_LEN);
}

static void put_facs(uint8_t *p)
{
    memcpy(p, "FACS", 4);
    put32(p + 4, FACS_LEN);
    p[32] = 2; /* version */
}

static uint8_t *put_cpu(uint8_t *p, uint32_t id)
{
    if (id < LAPIC_IDS) {
        p[0] = MADT_LAPIC;
        p[1] = LAPIC_LEN;
        p[2] = (uint8_t)id; /* processor UID */
        p[3] = (uint8_t)id;
        put32(p + 4, CPU_ENABLED);
        return p + LAPIC_LEN;
    }
    p[0] = MADT_X2APIC;
    p[1] = X2APIC_LEN;
    put32(p + 4, id);
    put32(p + 8, CPU_ENABLED);
    put32(p + 12, id);
    return p + X2APIC_LEN;
}

static uint8_t *put_override(uint8_t *p, uint8_t irq, uint32_t gsi, uint16_t flags)
{
    p[0] = MADT_OVERRIDE;
    p[1] = OVERRIDE_LEN;
    p[3] = irq;
    put32(p + 4, gsi);
    put16(p + 8, flags);
    return p + OVERRIDE_LEN;
}

/* LINT1 of every CPU is NMI; flags 0: as the bus has it. */
static uint8_t *put_local_nmis(uint8_t *p, uint32_t cpus)
{
    p[0] = MADT_LAPIC_NMI;
    p[1] = LAPIC_NMI_LEN;
    p[2] = 0xff;
    p[5] = 1;
    p += LAPIC_NMI_LEN;
    if (cpus <= LAPIC_IDS)
        return p;
    p[0] = MADT_X2APIC_NMI;
    p[1] = X2APIC_NMI_LEN;
    put32(p + 4, UINT32_MAX);
    p[8] = 1;
    return p + X2APIC_NMI_LEN;
}

static void put_madt(uint8_t *p, size_t len, const struct guest_acpi_config *c)
{
    uint8_t *e = p + MADT_ENTRIES;
    put_header(p, "APIC", len, 5);
    put32(p + 36, GUEST_ACPI_LAPIC);
    put32(p + 40, PCAT_COMPAT);
    for (uint32_t id = 0; id < c->cpus; id++)
        e = put_cpu(e, id);
    e[0] = MADT_IOAPIC;
    e[1] = IOAPIC_LEN;
    e[2] = c->ioapic_id;
    put32(e + 4, GUEST_ACPI_IOAPIC);
    e = put_override(e + IOAPIC_LEN, 0, 2, EDGE_HIGH); /* the PIT is wired to pin 2 */
    e = put_override(e, GUEST_ACPI_SCI, GUEST_ACPI_SCI, LEVEL_HIGH);
    (void)put_local_nmis(e, c->cpus);
    close_table(p, len);
}

static size_t madt_len(uint32_t cpus)
{
    uint32_t wide = cpus > LAPIC_IDS ? cpus - LAPIC_IDS : 0;
    return MADT_ENTRIES + (size_t)(cpus - wide) * LAPIC_LEN + (size_t)wide * X2APIC_LEN +
           IOAPIC_LEN + 2 * OVERRIDE_LEN + LAPIC_NMI_LEN + (wide ? X2APIC_NMI_LEN : 0);
}

static struct layout make_layout(const struct guest_acpi_config *c)
{
    struct layout l = {.rsdp = 0, .facs = GUEST_ACPI_ALIGN, .madt_len = madt_len(c->cpus)};
    l.fadt = l.facs + FACS_LEN;
    l.madt = ALIGN_UP(l.fadt + FADT_LEN, 8);
    l.xsdt = ALIGN_UP(l.madt + l.madt_len, 8);
    l.dsdt = ALIGN_UP(l.xsdt + XSDT_LEN, 8);
    l.end = l.dsdt + c->dsdt_len;
    return l;
}

static void put_roots(uint8_t *buf, uint64_t gpa, const struct layout *l)
{
    uint8_t *p = buf + l->xsdt;
    put_header(p, "XSDT", XSDT_LEN, 1);
    put64(p + 36, gpa + l->fadt);
    put64(p + 44, gpa + l->madt);
    close_table(p, XSDT_LEN);

    p = buf + l->rsdp;
    memcpy(p, "RSD PTR ", 8);
    memcpy(p + 9, "PLINTH", 6);
    p[15] = 2; /* revision; there is no RSDT, so its address stays 0 */
    put32(p + 20, RSDP_LEN);
    put64(p + 24, gpa + l->xsdt);
    p[8] = checksum(p, 20);
    p[32] = checksum(p, RSDP_LEN);
}

size_t guest_acpi_build(uint8_t *buf, size_t size, uint64_t gpa, const struct guest_acpi_config *c,
                        uint64_t *rsdp_gpa)
{
    if (c->cpus == 0 || c->cpus > GUEST_ACPI_CPUS_MAX || !IS_ALIGNED(gpa, GUEST_ACPI_ALIGN) ||
        c->dsdt_len < HEADER_LEN || c->dsdt_len > size || memcmp(c->dsdt, "DSDT", 4) != 0)
        return 0;
    struct layout l = make_layout(c);
    if (l.end > size || gpa > UINT32_MAX || l.end > BIT(32) - gpa)
        return 0;
    memset(buf, 0, l.end);
    put_facs(buf + l.facs);
    put_fadt(buf + l.fadt, c, gpa + l.facs, gpa + l.dsdt);
    put_madt(buf + l.madt, l.madt_len, c);
    memcpy(buf + l.dsdt, c->dsdt, c->dsdt_len);
    put_roots(buf, gpa, &l);
    *rsdp_gpa = gpa + l.rsdp;
    return l.end;
}
