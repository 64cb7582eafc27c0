/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A terminal as the line editor needs it: one row of cells, a cursor, and what scrolled away.
 * Anything it does not know is an error of the editor.
 */
#ifndef TESTS_TERMINAL_H
#define TESTS_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TERMINAL_CELLS 1024

struct terminal {
    uint32_t cell[TERMINAL_CELLS]; /* code points; 0: the right half of a wide one */
    unsigned at, width, bells, lines;
    bool dumb;
    unsigned escape;               /* bytes of a sequence seen */
    uint32_t partial;              /* of a UTF-8 character */
    unsigned want;
    char last[4096];               /* the row before the last line feed */
    uint64_t bytes;
};

static void terminal_wrong(const char *what)
{
    fprintf(stderr, "terminal: %s\n", what);
    abort();
}

static void terminal_init(struct terminal *t, unsigned width, bool dumb)
{
    memset(t, 0, sizeof(*t));
    for (unsigned i = 0; i < TERMINAL_CELLS; i++)
        t->cell[i] = ' ';
    t->width = width;
    t->dumb = dumb;
}

/* The row as text without blanks at its end. */
static void terminal_row(const struct terminal *t, char *out)
{
    char *end = out;
    for (unsigned i = 0; i < t->width; i++) {
        uint32_t c = t->cell[i];
        if (c == 0)
            continue;
        if (c < 0x80) {
            *out++ = (char)c;
        } else {
            unsigned more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
            *out++ = (char)((more == 1 ? 0xc0 : more == 2 ? 0xe0 : 0xf0) | c >> 6 * more);
            while (more--)
                *out++ = (char)(0x80 | ((c >> 6 * more) & 0x3f));
        }
        if (c != ' ')
            end = out;
    }
    *end = '\0';
}

static void terminal_character(struct terminal *t, uint32_t c)
{
    bool wide = (c >= 0x2e80 && c <= 0xa4cf) || c >= 0x1f300;
    if (c >= 0x300 && c <= 0x36f)
        return; /* joins the one before: not modelled */
    if (t->at + wide >= t->width)
        terminal_wrong("wrote into the last column: it might wrap");
    t->cell[t->at++] = c;
    if (wide)
        t->cell[t->at++] = 0;
}

static void terminal_byte(struct terminal *t, uint8_t c)
{
    t->bytes++;
    if (t->escape) {
        if (t->dumb)
            terminal_wrong("an escape sequence for a dumb terminal");
        if (t->escape == 1 && c != '[')
            terminal_wrong("no CSI");
        if (t->escape == 2) {
            if (c != 'K')
                terminal_wrong("a sequence it does not know");
            for (unsigned i = t->at; i < t->width; i++)
                t->cell[i] = ' ';
        }
        t->escape = (t->escape + 1) % 3;
    } else if (t->want) {
        t->partial = t->partial << 6 | (c & 0x3f);
        if (--t->want == 0)
            terminal_character(t, t->partial);
    } else if (c == 0x1b) {
        t->escape = 1;
    } else if (c == '\r') {
        t->at = 0;
    } else if (c == '\b') {
        if (!t->at)
            terminal_wrong("back from the first column");
        t->at--;
    } else if (c == '\n') {
        terminal_row(t, t->last);
        for (unsigned i = 0; i < t->width; i++)
            t->cell[i] = ' ';
        t->at = 0;
        t->lines++;
    } else if (c == '\a') {
        t->bells++;
    } else if (c < ' ' || c == 0x7f) {
        terminal_wrong("a control character");
    } else if (c < 0x80) {
        terminal_character(t, c);
    } else {
        t->want = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
        t->partial = c & (c >= 0xf0 ? 0x07 : c >= 0xe0 ? 0x0f : 0x1f);
    }
}

/* A fmt_sink_fn. */
static void terminal_sink(void *ctx, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        terminal_byte(ctx, (uint8_t)text[i]);
}

#endif
