/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's ACPI tables, read once at boot. PURE: tables come through the caller's map function
 * (hostile input: firmware is wrong more often than not) and leave as plain data in struct
 * acpi_info. Writes no register, interprets no AML beyond finding the \_S5_ package; powering off
 * is done elsewhere with these numbers. Have open: ACPI Specification, "ACPI Software Programming
 * Model" and "ACPI System Description Tables".
 */
#ifndef DRIVERS_HW_ACPI_TABLES_H
#define DRIVERS_HW_ACPI_TABLES_H

#include "core/lib/bits.h"
#include "core/lib/status.h"

#define ACPI_CPUS         256
#define ACPI_IOAPICS      8
#define ACPI_OVERRIDES    24
#define ACPI_NMIS         16
#define ACPI_WARNINGS     16
#define ACPI_WARNING_TEXT 96
#define ACPI_TABLES       64 /* tables of the XSDT or RSDT that are listed; more are dropped */

/* Maps len bytes at host-physical hpa for reading, or returns NULL. The mapping stays valid while
 * acpi_parse() runs; memory may be any alignment and is assumed not to change. */
typedef const void *acpi_map_fn(void *ctx, uint64_t hpa, size_t len);

/* Generic Address Structure. */
struct acpi_gas {
    uint8_t space; /* 0 memory, 1 I/O ports, 2 PCI configuration */
    uint8_t bit_width, bit_offset, access_size;
    uint64_t address; /* 0: not there */
};

struct acpi_cpu {
    uint32_t apic_id;
    uint32_t uid;
    bool x2apic;         /* came from a Processor Local x2APIC structure */
    bool enabled;
    bool online_capable; /* not enabled, but may become so */
};

struct acpi_ioapic {
    uint8_t id;
    uint32_t address;  /* host-physical */
    uint32_t gsi_base;
};

struct acpi_override {
    uint8_t source; /* ISA IRQ */
    uint32_t gsi;
    uint16_t flags; /* MPS INTI flags: polarity in 1:0, trigger mode in 3:2 */
};

struct acpi_nmi_source {
    uint32_t gsi;
    uint16_t flags;
};

struct acpi_table {
    char signature[5]; /* terminated; unprintable bytes as '?' */
    uint64_t address;
    uint32_t length;
};

struct acpi_info {
    uint8_t revision; /* of the RSDP: 0 is ACPI 1.0 */
    bool used_xsdt;
    struct acpi_table tables[ACPI_TABLES]; /* those whose checksum is right */
    uint32_t table_count;

    bool has_madt;
    uint64_t lapic_address;
    bool pcat_compat; /* there are 8259s to be masked */
    struct acpi_cpu cpus[ACPI_CPUS];
    uint32_t cpu_count;  /* structures kept: enabled or online capable ones only */
    uint32_t cpus_dropped;
    struct acpi_ioapic ioapics[ACPI_IOAPICS];
    uint32_t ioapic_count;
    struct acpi_override overrides[ACPI_OVERRIDES];
    uint32_t override_count;
    struct acpi_nmi_source nmis[ACPI_NMIS];
    uint32_t nmi_count;

    bool has_fadt;
    bool hw_reduced;       /* no fixed hardware: the PM registers below mean nothing */
    uint16_t sci_irq;
    uint32_t smi_cmd;      /* port; 0: ACPI mode cannot be switched, it is on */
    uint8_t acpi_enable;   /* value to write to smi_cmd */
    struct acpi_gas pm1a_event, pm1b_event, pm1a_control, pm1b_control;
    uint8_t pm1_event_len; /* bytes of one event block */
    struct acpi_gas pm_timer;
    bool pm_timer_32bit;   /* else 24 bits */
    bool has_reset;        /* reset_reg and reset_value may be used */
    struct acpi_gas reset_reg;
    uint8_t reset_value;
    uint16_t iapc_boot_arch; /* bit 0 legacy devices, 1 8042, 2 no VGA, 3 no MSI, 5 no CMOS RTC */
    uint64_t dsdt_address;

    bool has_s5;
    uint8_t s5_typ_a, s5_typ_b; /* SLP_TYPx values for soft off */

    char warnings[ACPI_WARNINGS][ACPI_WARNING_TEXT];
    uint32_t warning_count;
    uint32_t warnings_dropped;
};

/* Parses from a copy of the RSDP (rsdp_len bytes, as the boot loader gave it). PL_OK: *out holds
 * what could be read, warnings say what could not. PL_NOT_FOUND: no usable RSDP or no usable root
 * table; the warnings say why. */
MUST_CHECK enum pl_status acpi_parse(const uint8_t *rsdp, size_t rsdp_len, acpi_map_fn *map,
                                     void *ctx, struct acpi_info *out);

#endif
