/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finds a glyph. PURE. The pictures are in font.def; to change one, change its rows there.
 */
#include "drivers/hw/font.h"

static const uint8_t glyphs[FONT_BOX - FONT_FIRST + 1][FONT_HEIGHT] = {
#include "drivers/hw/font.def"
};

const uint8_t *font_glyph(char c)
{
    unsigned char code = (unsigned char)c;
    if (code < FONT_FIRST || code > FONT_LAST)
        code = FONT_BOX;
    return glyphs[code - FONT_FIRST];
}
