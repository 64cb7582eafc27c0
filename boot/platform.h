/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine around the CPUs: ACPI, interrupt routing, clock, power. Implements the second half of
 * core/host.h over drivers/hw, together with consoles.c; boot/main.c calls these in order.
 */
#ifndef BOOT_PLATFORM_H
#define BOOT_PLATFORM_H

#include "boot/multiboot2.h"
#include "drivers/hw/acpi_tables.h"

/* Reads the ACPI tables. */
void platform_acpi(const struct boot_info *info);
uint16_t platform_pm_timer_port(void);
/* 8259s off, IOAPICs masked, the lines' interrupts routed here, local APIC on. */
void platform_interrupts(const char *cmdline);
/* Reads the battery clock; the TSC must be known. */
void platform_clock(void);
/* The CPUs of the MADT, enabled and online capable ones; valid for good. */
const struct acpi_cpu *platform_cpus(unsigned *count);

#endif
