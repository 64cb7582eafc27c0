/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ACPI tables a guest finds: RSDP, XSDT, FADT, MADT, FACS and the DSDT that its caller brings
 * (core/acpi/dsdt.asl, compiled at build time). PURE: fills the caller's buffer, which the caller
 * copies to guest memory. Describes the machine of core/machine.c and decides nothing about it: a
 * device that moves there moves here, too. Have open: ACPI Specification, "ACPI Software
 * Programming Model".
 */
#ifndef CORE_GUEST_ACPI_H
#define CORE_GUEST_ACPI_H

#include "core/lib/bits.h"

#define GUEST_ACPI_ALIGN     64   /* bytes; the FACS asks for it */
#define GUEST_ACPI_CPUS_MAX  4096
#define GUEST_ACPI_ROOM      8192 /* bytes that suffice for 64 CPUs and the DSDT of the tree */

/* Where the tables say that devices are. */
#define GUEST_ACPI_LAPIC     0xfee00000u
#define GUEST_ACPI_IOAPIC    0xfec00000u
#define GUEST_ACPI_PM1_EVENT 0x600u
#define GUEST_ACPI_PM1_CNT   0x604u
#define GUEST_ACPI_PM_TIMER  0x608u
#define GUEST_ACPI_SCI       9u
#define GUEST_ACPI_RESET     0xcf9u /* written with GUEST_ACPI_RESET_ON */
#define GUEST_ACPI_RESET_ON  6u

struct guest_acpi_config {
    uint32_t cpus;       /* vCPUs, 1 to GUEST_ACPI_CPUS_MAX; APIC IDs 0 to cpus - 1 */
    uint8_t ioapic_id;
    bool power_button;   /* PWRBTN_STS of PM1 status works: a fixed power button */
    const uint8_t *dsdt; /* the whole table with its header, as iasl wrote it */
    size_t dsdt_len;     /* bytes */
};

/* Builds the tables in buf[size], which will lie at guest-physical gpa, a multiple of
 * GUEST_ACPI_ALIGN and below 4 GiB; the memory map must keep them out of the guest's RAM. Returns
 * the bytes used and stores the RSDP's address. 0: size is not enough, or an argument breaks a rule
 * above. */
MUST_CHECK size_t guest_acpi_build(uint8_t *buf, size_t size, uint64_t gpa,
                                   const struct guest_acpi_config *c, uint64_t *rsdp_gpa);

#endif
