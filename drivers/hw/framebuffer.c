/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The screen as a text console. PURE, see framebuffer.h. Text is kept in two shadows: what should
 * be seen and what is; text changes the first, and drawing only the cells that differ. So scrolling
 * reads no video memory, and a burst of lines draws each cell once.
 */
#include "drivers/hw/framebuffer.h"
#include "drivers/hw/font.h"

#include "core/lib/string.h"

#define TEXT_ATTRIBUTE 0x07 /* light grey on black, as firmware leaves it */
#define TAB            8
#define UNKNOWN        '\0' /* in shown[]: the cell has to be drawn whatever it is to hold */

uint64_t framebuffer_size(const struct framebuffer_info *info)
{
    uint64_t size = (uint64_t)info->pitch * info->height; /* two 32-bit factors: no overflow */
    return size <= UINT32_MAX ? size : 0;
}

/* A colour of 8 bits a component as a pixel value. */
static uint32_t pixel(const struct framebuffer_info *info, uint8_t red, uint8_t green, uint8_t blue)
{
    const struct framebuffer_colour *c[3] = {&info->red, &info->green, &info->blue};
    uint8_t level[3] = {red, green, blue};
    uint32_t value = 0;
    for (unsigned i = 0; i < 3; i++) {
        uint32_t bits = level[i];
        bits = c[i]->size >= 8 ? bits << (c[i]->size - 8) : bits >> (8 - c[i]->size);
        value |= bits << c[i]->position;
    }
    return value;
}

static bool colour_fits(const struct framebuffer_colour *c, uint8_t bpp)
{
    return c->size > 0 && c->size <= 16 && c->position < bpp && c->position + c->size <= bpp;
}

static bool init_rgb(struct framebuffer *fb)
{
    const struct framebuffer_info *info = &fb->info;

    if (info->bpp != 16 && info->bpp != 24 && info->bpp != 32)
        return false;
    if (!colour_fits(&info->red, info->bpp) || !colour_fits(&info->green, info->bpp)
        || !colour_fits(&info->blue, info->bpp))
        return false;
    fb->pixel_bytes = info->bpp / 8;
    if (info->pitch / fb->pixel_bytes < info->width)
        return false;
    fb->columns = (uint32_t)min_u64(info->width / FONT_WIDTH, FRAMEBUFFER_COLUMNS);
    fb->rows = (uint32_t)min_u64(info->height / FONT_HEIGHT, FRAMEBUFFER_ROWS);
    fb->left = (info->width - fb->columns * FONT_WIDTH) / 2;
    fb->top = (info->height - fb->rows * FONT_HEIGHT) / 2;
    fb->ink = pixel(info, 0xd8, 0xd8, 0xd0);
    fb->paper = pixel(info, 0x10, 0x14, 0x1c);
    return true;
}

static bool init_text(struct framebuffer *fb)
{
    if (fb->info.pitch / 2 < fb->info.width)
        return false;
    fb->pixel_bytes = 0;
    fb->columns = (uint32_t)min_u64(fb->info.width, FRAMEBUFFER_COLUMNS);
    fb->rows = (uint32_t)min_u64(fb->info.height, FRAMEBUFFER_ROWS);
    return true;
}

/* Stores one pixel, at any address, for pitch may be odd, and returns the address behind it. */
static uint8_t *put_pixel(uint8_t *at, uint32_t value, uint8_t bytes)
{
    if (bytes == sizeof(value)) { /* as nearly all are */
        memcpy(at, &value, sizeof(value));
        return at + sizeof(value);
    }
    for (uint8_t i = 0; i < bytes; i++)
        *at++ = (uint8_t)(value >> (8 * i));
    return at;
}

/* init has made sure that column < columns and row < rows put every store inside pitch * height. */
static void draw_cell(struct framebuffer *fb, uint32_t column, uint32_t row, char c)
{
    size_t pitch = fb->info.pitch;

    if (fb->info.type == FRAMEBUFFER_TEXT) {
        uint8_t *cell = fb->mem + row * pitch + (size_t)column * 2;
        cell[0] = (uint8_t)c;
        cell[1] = TEXT_ATTRIBUTE;
        return;
    }
    const uint8_t *glyph = font_glyph(c);
    uint8_t *line = fb->mem + (fb->top + (size_t)row * FONT_HEIGHT) * pitch
                  + (fb->left + (size_t)column * FONT_WIDTH) * fb->pixel_bytes;
    for (unsigned y = 0; y < FONT_HEIGHT; y++, line += pitch) {
        uint8_t *at = line;
        for (unsigned x = 0; x < FONT_WIDTH; x++)
            at = put_pixel(at, glyph[y] & 0x80 >> x ? fb->ink : fb->paper, fb->pixel_bytes);
    }
}

static void clear_screen(struct framebuffer *fb)
{
    if (fb->info.type == FRAMEBUFFER_TEXT)
        return; /* its cells are all drawn: shown[] is unknown */
    for (uint32_t y = 0; y < fb->info.height; y++) {
        uint8_t *at = fb->mem + (size_t)y * fb->info.pitch;
        for (uint32_t x = 0; x < fb->info.width; x++)
            at = put_pixel(at, fb->paper, fb->pixel_bytes);
    }
    memset(fb->shown, ' ', sizeof(fb->shown));
}

/* A row of the screen: scrolling moves the first one, not the text. */
static char *text_row(struct framebuffer *fb, uint32_t row)
{
    return fb->text[(fb->first + row) % fb->rows];
}

/* A look at eight cells at once: mostly nearly all of the screen is as it was. */
static bool same_cells(const char *text, const char *shown)
{
    uint64_t want, have;
    memcpy(&want, text, sizeof(want));
    memcpy(&have, shown, sizeof(have));
    return want == have;
}

_Static_assert(FRAMEBUFFER_COLUMNS % 8 == 0, "same_cells() stays within a row");

/* False: *cells have been drawn, and the row is not done. */
static bool draw_row(struct framebuffer *fb, uint32_t row, unsigned *cells)
{
    for (uint32_t column = 0; column < fb->columns; column++) {
        const char *text = text_row(fb, row) + column, c = *text;
        if (column % 8 == 0 && same_cells(text, &fb->shown[row][column])) {
            column += 7;
            continue;
        }
        if (fb->shown[row][column] == c)
            continue;
        if (!*cells)
            return false;
        --*cells;
        draw_cell(fb, column, row, c);
        fb->shown[row][column] = c;
    }
    return true;
}

bool framebuffer_draw(struct framebuffer *fb, unsigned cells)
{
    uint32_t left = fb->rows_left ? fb->rows_left : fb->rows;
    while (left && draw_row(fb, fb->rows - left, &cells))
        left--;
    fb->rows_left = left;
    return left == 0;
}

bool framebuffer_init(struct framebuffer *fb, const struct framebuffer_info *info, void *mem)
{
    bool ok = mem && framebuffer_size(info) > 0;

    memset(fb, 0, sizeof(*fb));
    fb->info = *info;
    fb->mem = mem;
    if (info->type == FRAMEBUFFER_RGB)
        ok = ok && init_rgb(fb);
    else if (info->type == FRAMEBUFFER_TEXT)
        ok = ok && init_text(fb);
    else
        ok = false;
    if (!ok || fb->columns == 0 || fb->rows == 0) {
        fb->columns = fb->rows = 0;
        return false;
    }
    memset(fb->text, ' ', sizeof(fb->text));
    memset(fb->shown, UNKNOWN, sizeof(fb->shown));
    clear_screen(fb);
    return framebuffer_draw(fb, UINT32_MAX);
}

static void new_line(struct framebuffer *fb)
{
    fb->column = 0;
    if (++fb->row < fb->rows)
        return;
    fb->row = fb->rows - 1;
    fb->first = (fb->first + 1) % fb->rows;
    memset(text_row(fb, fb->row), ' ', sizeof(fb->text[0]));
}

/* A line that is just full wraps when its next character comes: "\n" makes no empty line. */
static void put_visible(struct framebuffer *fb, char c)
{
    if (fb->column == fb->columns)
        new_line(fb);
    text_row(fb, fb->row)[fb->column++] = c;
}

/* --- escape sequences --- */

enum escape_state {
    ESCAPE_NONE,
    ESCAPE_START, /* behind ESC */
    ESCAPE_CSI,   /* behind ESC [ */
};

/* Number i of the sequence; one that is missing or 0 means 1. */
static uint32_t parameter(const struct framebuffer *fb, unsigned i)
{
    return i < fb->parameter_count && fb->parameter[i] ? fb->parameter[i] : 1;
}

static void erase_to_end(struct framebuffer *fb, uint32_t row, uint32_t column)
{
    memset(text_row(fb, row) + column, ' ', sizeof(fb->text[0]) - column);
}

static void do_sequence(struct framebuffer *fb, char final)
{
    uint32_t n = parameter(fb, 0), last_row = fb->rows - 1, last_column = fb->columns - 1;

    switch (final) {
    case 'A':
        fb->row -= (uint32_t)min_u64(n, fb->row);
        break;
    case 'B':
        fb->row = (uint32_t)min_u64(fb->row + n, last_row);
        break;
    case 'C':
        fb->column = (uint32_t)min_u64(fb->column + n, last_column);
        break;
    case 'D':
        fb->column -= (uint32_t)min_u64(n, fb->column);
        break;
    case 'H':
        fb->row = (uint32_t)min_u64(n - 1, last_row);
        fb->column = (uint32_t)min_u64(parameter(fb, 1) - 1, last_column);
        break;
    case 'J':
        for (uint32_t row = fb->row + 1; row < fb->rows; row++)
            erase_to_end(fb, row, 0);
        erase_to_end(fb, fb->row, fb->column);
        break;
    case 'K':
        erase_to_end(fb, fb->row, fb->column);
        break;
    default:
        break;
    }
}

static void take_csi(struct framebuffer *fb, char c)
{
    unsigned at = fb->parameter_count ? fb->parameter_count - 1u : 0;

    if (c >= '0' && c <= '9') {
        fb->parameter_count = (uint8_t)(at + 1);
        if (at < ARRAY_LEN(fb->parameter) && fb->parameter[at] < 10000)
            fb->parameter[at] = fb->parameter[at] * 10 + (uint32_t)(c - '0');
    } else if (c == ';') {
        fb->parameter_count = (uint8_t)min_u64(at + 2, ARRAY_LEN(fb->parameter) + 1);
    } else if (c >= '@' && c <= '~') {
        do_sequence(fb, c);
        fb->escape = ESCAPE_NONE;
    } else if (c < ' ' || c > '~') {
        fb->escape = ESCAPE_NONE; /* no sequence */
    }
}

/* True: c belongs to a sequence. */
static bool take_escape(struct framebuffer *fb, char c)
{
    if (c == 0x1b) {
        fb->escape = ESCAPE_START;
        return true;
    }
    if (fb->escape == ESCAPE_CSI) {
        take_csi(fb, c);
        return true;
    }
    if (fb->escape == ESCAPE_NONE)
        return false;
    fb->escape = c == '[' ? ESCAPE_CSI : ESCAPE_NONE; /* those of two bytes have no effect */
    fb->parameter_count = 0;
    memset(fb->parameter, 0, sizeof(fb->parameter));
    return true;
}

static void put(struct framebuffer *fb, char c)
{
    unsigned char code = (unsigned char)c;

    if (take_escape(fb, c))
        return;
    switch (c) {
    case '\n':
        new_line(fb);
        break;
    case '\r':
        fb->column = 0;
        break;
    case '\b':
        if (fb->column > 0)
            fb->column--;
        break;
    case '\t':
        /* Moves without wiping; at the right margin it stays there. */
        fb->column = (uint32_t)min_u64((fb->column / TAB + 1) * TAB, fb->columns);
        break;
    default:
        if (code >= ' ')
            put_visible(fb, code <= FONT_LAST ? c : FONT_BOX);
    }
}

void framebuffer_put(struct framebuffer *fb, const char *text, size_t len)
{
    for (size_t i = 0; i < len && fb->rows > 0; i++)
        put(fb, text[i]);
}
