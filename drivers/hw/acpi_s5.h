/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a machine is switched off by ACPI: the values for SLP_TYP, which stand in a package of its
 * AML. PURE.
 */
#ifndef DRIVERS_HW_ACPI_S5_H
#define DRIVERS_HW_ACPI_S5_H

#include "core/lib/bytes.h"
#include "drivers/hw/acpi_tables.h"

struct bytes {
    const uint8_t *p;
    size_t n;
};

/* aml: a table behind its header. False: no such package in it; the values are as they were. */
bool acpi_find_s5(struct bytes aml, uint8_t *typ_a, uint8_t *typ_b);

#endif
