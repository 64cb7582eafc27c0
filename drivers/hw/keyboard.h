/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine's own PS/2 keyboard, behind an 8042: with the screen it is a console for who has no
 * serial cable. Who shares it among CPUs brings a lock.
 */
#ifndef DRIVERS_HW_KEYBOARD_H
#define DRIVERS_HW_KEYBOARD_H

#include "core/lib/bits.h"

/* Sets the controller up: keyboard on, scan code set 1, interrupts on. False: there is none. Ask
 * only where ACPI does not deny it. */
bool keyboard_init(void);
bool keyboard_present(void);
/* Takes what has been typed; call for its interrupt, or often. */
void keyboard_poll(void);
/* The next byte that a terminal would have sent, or -1. */
int keyboard_read(void);

#endif
