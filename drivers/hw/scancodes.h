/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a keyboard's scan codes (set 1, as an 8042 translates them) to the bytes that a terminal
 * would send. PURE. US layout, as GRUB's and every firmware's; the keypad without Num Lock. What a
 * key means to the console is core/lineedit.c's. Have open: IBM's PC/AT technical reference,
 * "Keyboard"; Microsoft's "Keyboard Scan Code Specification", set 1.
 */
#ifndef DRIVERS_HW_SCANCODES_H
#define DRIVERS_HW_SCANCODES_H

#include "core/lib/bits.h"

#define SCANCODES_MAX 8 /* bytes that one scan code makes at most */

struct scancodes {
    bool left_shift, right_shift, ctrl, alt, caps;
    bool extended; /* the code before was E0 */
    uint8_t skip;  /* codes of the Pause key still to come */
};

/* Takes one code; writes what the terminal would send and returns how many bytes that are. */
size_t scancodes_take(struct scancodes *s, uint8_t code, char bytes[SCANCODES_MAX]);

#endif
