/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console's font: 8 by 16 pixels, ASCII 32 to 126 and a box for everything else. The glyphs are
 * pictures in font.def. PURE.
 */
#ifndef DRIVERS_HW_FONT_H
#define DRIVERS_HW_FONT_H

#include <stdint.h>

#define FONT_WIDTH  8
#define FONT_HEIGHT 16
#define FONT_FIRST  32
#define FONT_LAST   126
#define FONT_BOX    '\x7f' /* the code under which the box is kept */

/* The FONT_HEIGHT rows of a character, bit 7 the leftmost pixel; the box if there is no glyph. */
const uint8_t *font_glyph(char c);

#endif
