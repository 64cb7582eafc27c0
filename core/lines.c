/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Collects a guest's bytes to lines fit for the operator's terminal. PURE. A small state machine:
 * UTF-8 characters are kept together or shown byte by byte as \xNN when they are malformed, escape
 * sequences vanish, all other control bytes become visible text. Must never let through a byte
 * below 0x20 (but tab), 0x7f, or a C1 control (U+0080 to U+009F): terminals obey those. Have open:
 * ECMA-48 "Control functions" for the shapes of sequences, RFC 3629 for UTF-8.
 */
#include "core/lines.h"

#include "core/lib/string.h"

#define ESC            0x1b
#define BEL            0x07
/* A sequence that long is no sequence: an unfinished one must not swallow a guest's output. */
#define ESCAPE_LONGEST 256

enum escape_state {
    ESCAPE_NONE,
    ESCAPE_START,    /* after ESC */
    ESCAPE_TWO,      /* after ESC and intermediate bytes 20..2F: one more byte ends it */
    ESCAPE_CSI,      /* ESC [ parameters, ended by 40..7E */
    ESCAPE_STRING,   /* OSC, DCS, SOS, PM, APC: ended by BEL or ESC \ */
    ESCAPE_STRING_ESC,
};

void lines_init(struct line_assembler *la)
{
    memset(la, 0, sizeof(*la));
}

static void emit_line(struct line_assembler *la, lines_emit_fn *emit, void *ctx)
{
    la->line[la->used] = '\0';
    emit(ctx, la->line, la->used);
    la->used = 0;
}

static void add(struct line_assembler *la, const void *bytes, size_t n, lines_emit_fn *emit,
                void *ctx)
{
    if (la->used + n > LINE_MAX_CHARS)
        emit_line(la, emit, ctx);
    memcpy(la->line + la->used, bytes, n);
    la->used = (uint16_t)(la->used + n);
}

static void add_escaped(struct line_assembler *la, uint8_t c, lines_emit_fn *emit, void *ctx)
{
    static const char digits[] = "0123456789abcdef";
    char text[4] = {'\\', 'x', digits[c >> 4], digits[c & 15]};
    add(la, text, sizeof(text), emit, ctx);
}

/* Bytes of the character that c starts; 0 when no character can start so. */
static unsigned utf8_length(uint8_t c)
{
    if (c >= 0xc2 && c <= 0xdf)
        return 2;
    if (c >= 0xe0 && c <= 0xef)
        return 3;
    return c >= 0xf0 && c <= 0xf4 ? 4 : 0;
}

/* What the standard asks of a whole character beyond the shape of its bytes, and what we ask: no
 * overlong form, no surrogate, nothing above U+10FFFF; no C1 control, no character that changes the
 * direction or the line structure of what stands around it. */
static bool utf8_harmless(const uint8_t *s, unsigned len)
{
    uint32_t ch = len == 2 ? s[0] & 0x1f : len == 3 ? s[0] & 0x0f : s[0] & 0x07;
    for (unsigned i = 1; i < len; i++)
        ch = ch << 6 | (s[i] & 0x3f);
    if (len == 2)
        return ch >= 0xa0 && ch != 0x61c;
    if (len == 3)
        return ch >= 0x800 && !(ch >= 0xd800 && ch <= 0xdfff) && !(ch >= 0x200e && ch <= 0x200f) &&
               !(ch >= 0x2028 && ch <= 0x202e) && !(ch >= 0x2066 && ch <= 0x2069);
    return ch >= 0x10000 && ch <= 0x10ffff;
}

/* An unfinished or refused character: its bytes one by one. */
static void spill(struct line_assembler *la, lines_emit_fn *emit, void *ctx)
{
    for (unsigned i = 0; i < la->pending; i++)
        add_escaped(la, la->seq[i], emit, ctx);
    la->pending = 0;
}

/* True if c went on with the character that is pending. */
static bool continue_utf8(struct line_assembler *la, uint8_t c, lines_emit_fn *emit, void *ctx)
{
    if (!la->pending)
        return false;
    if ((c & 0xc0) != 0x80) {
        spill(la, emit, ctx);
        return false;
    }
    la->seq[la->pending++] = c;
    if (la->pending < utf8_length(la->seq[0]))
        return true;
    if (utf8_harmless(la->seq, la->pending)) {
        unsigned n = la->pending;
        la->pending = 0;
        add(la, la->seq, n, emit, ctx);
    } else {
        spill(la, emit, ctx);
    }
    return true;
}

static enum escape_state escape_next(enum escape_state state, uint8_t c)
{
    switch (state) {
    case ESCAPE_START:
        if (c == '[')
            return ESCAPE_CSI;
        if (c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_')
            return ESCAPE_STRING;
        return c >= 0x20 && c <= 0x2f ? ESCAPE_TWO : ESCAPE_NONE;
    case ESCAPE_TWO:
        return c >= 0x20 && c <= 0x2f ? ESCAPE_TWO : ESCAPE_NONE;
    case ESCAPE_CSI:
        return c >= 0x40 && c <= 0x7e ? ESCAPE_NONE : ESCAPE_CSI;
    case ESCAPE_STRING:
        return c == BEL ? ESCAPE_NONE : c == ESC ? ESCAPE_STRING_ESC : ESCAPE_STRING;
    case ESCAPE_STRING_ESC:
        return c == '\\' ? ESCAPE_NONE : c == ESC ? ESCAPE_STRING_ESC : ESCAPE_STRING;
    default:
        return ESCAPE_NONE;
    }
}

/* True if c belongs to an escape sequence and is gone. A line end always ends a sequence, so that
 * a cut one costs at most the rest of its line. */
static bool swallow_escape(struct line_assembler *la, uint8_t c)
{
    enum escape_state state = (enum escape_state)la->escape;
    if (state == ESCAPE_NONE)
        return false;
    if (c == '\n' || c == '\r' || ++la->escape_len > ESCAPE_LONGEST) {
        la->escape = ESCAPE_NONE;
        return false;
    }
    if (c == ESC && state != ESCAPE_STRING && state != ESCAPE_STRING_ESC) {
        la->escape = ESCAPE_START;
        return true;
    }
    la->escape = (uint8_t)escape_next(state, c);
    return true;
}

void lines_put(struct line_assembler *la, char ch, lines_emit_fn *emit, void *ctx)
{
    uint8_t c = (uint8_t)ch;
    if (swallow_escape(la, c) || continue_utf8(la, c, emit, ctx))
        return;
    /* "\r\n" and "\n" end one line; "\r" then text ends one too, "\r\r\n" still only one. */
    if (c == '\r') {
        la->cr = true;
        return;
    }
    if (c == '\n' || (la->cr && la->used))
        emit_line(la, emit, ctx);
    la->cr = false;
    if (c == '\n')
        return;
    if (c == ESC) {
        la->escape = ESCAPE_START;
        la->escape_len = 0;
    } else if (utf8_length(c)) {
        la->seq[0] = c;
        la->pending = 1;
    } else if (c == '\t' || (c >= 0x20 && c < 0x7f)) {
        add(la, &ch, 1, emit, ctx);
    } else if (c != 0) { /* NUL is padding */
        add_escaped(la, c, emit, ctx);
    }
}

void lines_flush(struct line_assembler *la, lines_emit_fn *emit, void *ctx)
{
    spill(la, emit, ctx);
    la->cr = false;
    if (la->used)
        emit_line(la, emit, ctx);
}
