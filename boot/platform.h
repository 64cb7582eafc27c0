/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine around the CPUs: consoles, interrupt routing, power. Implements the second half of
 * core/host.h over drivers/hw; boot/main.c calls these in order.
 */
#ifndef BOOT_PLATFORM_H
#define BOOT_PLATFORM_H

#include "boot/multiboot2.h"
#include "drivers/hw/acpi_tables.h"

/* Consoles that need no memory: port E9h if it answers, and the UART that console= chooses. */
void platform_console_early(const char *cmdline);
/* The screen: at mapped, or (NULL) mapped anew. */
void platform_console_screen(const struct boot_framebuffer *fb, void *mapped);
/* Its memory is about to become unreachable. */
void platform_console_screen_off(void);
/* From now on text goes out at once, without rings and interrupts: for panic. */
void platform_console_synchronous(void);
/* Reads the ACPI tables. */
void platform_acpi(const struct boot_info *info);
uint16_t platform_pm_timer_port(void);
/* 8259s off, IOAPICs masked, the UART's interrupt routed here, local APIC on. */
void platform_interrupts(const char *cmdline);
/* Reads the battery clock; the TSC must be known. */
void platform_clock(void);
/* The CPUs of the MADT, enabled and online capable ones; valid for good. */
const struct acpi_cpu *platform_cpus(unsigned *count);

#endif
