/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How people and programs reach this machine: port E9h, the UARTs that the command line chooses,
 * the screen and its keyboard. Implements what core/host.h says of consoles and lines; boot/main.c
 * and platform.c call these in order.
 */
#ifndef BOOT_CONSOLES_H
#define BOOT_CONSOLES_H

#include "boot/multiboot2.h"

#define CONSOLES_VECTOR_UART    0x40
#define CONSOLES_VECTOR_DEBUG   0x41
#define CONSOLES_VECTOR_CONTROL 0x42
#define CONSOLES_VECTOR_KEYS    0x43

/* What needs no memory: port E9h if it answers, and the UARTs that console= and gdb= choose. */
void consoles_open(const char *cmdline);
/* The screen: at mapped, or (NULL) mapped anew. */
void consoles_open_screen(const struct boot_framebuffer *fb, void *mapped);
/* Its memory is about to become unreachable. */
void consoles_close_screen(void);
/* The machine's own keyboard, unless keyboard=none. Not where ACPI says that there is no 8042. */
void consoles_open_keyboard(const char *cmdline);
/* The programs' own line, if control= chooses one. */
void consoles_open_control(const char *cmdline);

/* Has an ISA interrupt delivered to this CPU as vector. False: it is not known how. */
typedef bool consoles_route_fn(uint8_t irq, uint8_t vector);
/* The lines' interrupts; a line without one is polled from then on. */
void consoles_route(consoles_route_fn *route);
/* True: vector was a line's, which has been looked after. */
bool consoles_interrupt(uint8_t vector);

/* From now on text goes out at once, without rings and interrupts: for panic. */
void consoles_make_synchronous(void);
/* Waits until the lines have sent what they hold. */
void consoles_flush(void);

#endif
