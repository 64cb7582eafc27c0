/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The line editor: keys, and how a line is drawn. PURE. Typing at the end of a line sends the
 * character alone; everything else draws the line again, at most a terminal's width, and goes back
 * by backspaces. core/lineedit_keys.c says what the other keys mean.
 */
#include "core/lineedit.h"

#include "core/lib/string.h"
#include "core/lineedit_parts.h"

/* --- characters --- */

static bool is_tail(char c)
{
    return ((uint8_t)c & 0xc0) == 0x80;
}

size_t lineedit_after(const struct lineedit *e, size_t at)
{
    if (at < e->used)
        at++;
    while (at < e->used && is_tail(e->text[at]))
        at++;
    return at;
}

size_t lineedit_before(const struct lineedit *e, size_t at)
{
    if (at)
        at--;
    while (at && is_tail(e->text[at]))
        at--;
    return at;
}

static uint32_t code_point(const struct lineedit *e, size_t at)
{
    uint8_t first = (uint8_t)e->text[at];
    if (first < 0x80)
        return first;
    uint32_t c = first & (first >= 0xf0 ? 0x07 : first >= 0xe0 ? 0x0f : 0x1f);
    for (at++; at < e->used && is_tail(e->text[at]); at++)
        c = c << 6 | ((uint8_t)e->text[at] & 0x3f);
    return c;
}

/* Columns of the character at byte `at`. */
static unsigned columns(const struct lineedit *e, size_t at)
{
    static const struct {
        uint32_t first, last;
        uint8_t columns;
    } rows[] = {
        {0x0300, 0x036f, 0},   {0x1100, 0x115f, 2}, {0x200b, 0x200f, 0},   {0x2e80, 0xa4cf, 2},
        {0xac00, 0xd7a3, 2},   {0xf900, 0xfaff, 2}, {0xfe00, 0xfe0f, 0},   {0xfe30, 0xfe6f, 2},
        {0xff00, 0xff60, 2},   {0xffe0, 0xffe6, 2}, {0x1f300, 0x1faff, 2}, {0x20000, 0x3fffd, 2},
    };
    uint32_t c = code_point(e, at);
    for (unsigned i = 0; c >= rows[0].first && i < ARRAY_LEN(rows); i++)
        if (c >= rows[i].first && c <= rows[i].last)
            return rows[i].columns;
    return 1;
}

static unsigned columns_between(const struct lineedit *e, size_t from, size_t to)
{
    unsigned n = 0;
    for (size_t i = from; i < to; i = lineedit_after(e, i))
        n += columns(e, i);
    return n;
}

/* --- drawing --- */

void lineedit_put(struct lineedit *e, const char *text, size_t len)
{
    if (len)
        e->sink(e->ctx, text, len);
}

static void repeat(struct lineedit *e, const char *text, unsigned n)
{
    while (n--)
        lineedit_put(e, text, strlen(text));
}

static unsigned width_of(const struct lineedit *e)
{
    unsigned w = e->width ? e->width : LINEEDIT_WIDTH;
    return w < LINEEDIT_NARROW ? LINEEDIT_NARROW : w > LINEEDIT_WIDE ? LINEEDIT_WIDE : w;
}

static unsigned draw_prompt(struct lineedit *e)
{
    char text[LINEEDIT_NARROW];
    const char *prompt = e->prompt;
    if (e->searching) {
        /* The end of what is looked for, as far as it leaves room for what is found. */
        size_t n = e->query_used > 8 ? 8 : e->query_used;
        fmt_print(text, sizeof(text), "find %.*s: ", (int)n, e->query + e->query_used - n);
        prompt = text;
    }
    size_t n = min_u64(strlen(prompt), LINEEDIT_NARROW / 2 + 5);
    lineedit_put(e, prompt, n);
    return (unsigned)n;
}

/* Moves `left` so that the cursor is inside; room: columns for the text. By half a line, so that
 * not every key moves it. */
static void scroll(struct lineedit *e, unsigned room)
{
    if (e->left > e->cursor)
        e->left = e->cursor;
    if (e->left && e->left == e->cursor)
        for (unsigned n = 0; e->left && n < room / 2; n++)
            e->left = lineedit_before(e, e->left);
    unsigned n = columns_between(e, e->left, e->cursor);
    if (n < room)
        return;
    for (; n > room / 2; e->left = lineedit_after(e, e->left))
        n -= columns(e, e->left);
}

/* From `left` as far as it goes; returns the columns, and those before the cursor. '<' and '>'
 * stand for what is not shown. */
static unsigned draw_text(struct lineedit *e, unsigned room, unsigned *cursor)
{
    unsigned n = 0;
    *cursor = 0;
    for (size_t i = e->left; i < e->used; i = lineedit_after(e, i)) {
        size_t next = lineedit_after(e, i);
        unsigned w = columns(e, i);
        if (i == e->cursor)
            *cursor = n;
        bool last = n + w + (next < e->used) > room;
        if (last || (i == e->left && i)) {
            repeat(e, last ? ">" : "<", last ? 1 : w);
            n += last ? 1 : w;
            if (last)
                return n;
            continue;
        }
        lineedit_put(e, e->text + i, next - i);
        n += w;
    }
    if (e->cursor == e->used)
        *cursor = n;
    return n;
}

/* The cursor is at the beginning of a line on which nothing beyond `old` columns stands. */
static void draw(struct lineedit *e, unsigned old)
{
    unsigned cursor = 0, n = draw_prompt(e), room = width_of(e) - n - 1;
    if (!e->secret) {
        scroll(e, room);
        unsigned text = draw_text(e, room, &cursor);
        cursor += n;
        n += text;
    } else {
        cursor = n;
    }
    e->drawn = n;
    if (old > n && !e->dumb) {
        lineedit_put(e, "\x1b[K", 3);
    } else if (old > n) {
        repeat(e, " ", old - n);
        n = old;
    }
    repeat(e, "\b", n - cursor);
    e->at = cursor;
    e->shown = true;
}

void lineedit_show(struct lineedit *e)
{
    if (!e->shown)
        draw(e, 0);
}

void lineedit_hide(struct lineedit *e)
{
    if (!e->shown)
        return;
    lineedit_put(e, "\r", 1);
    if (e->dumb) {
        repeat(e, " ", e->drawn);
        lineedit_put(e, "\r", 1);
    } else {
        lineedit_put(e, "\x1b[K", 3);
    }
    e->shown = false;
}

void lineedit_redraw(struct lineedit *e)
{
    unsigned old = e->shown ? e->drawn : 0;
    if (e->shown)
        lineedit_put(e, "\r", 1);
    draw(e, old);
}

void lineedit_bell(struct lineedit *e)
{
    lineedit_put(e, "\a", 1);
}

/* --- changes --- */

/* Text that stands at the end and still fits is sent alone. */
void lineedit_insert(struct lineedit *e, const char *text, size_t len)
{
    if (e->used + len > LINEEDIT_MAX - 1)
        return;
    memmove(e->text + e->cursor + len, e->text + e->cursor, e->used - e->cursor);
    memcpy(e->text + e->cursor, text, len);
    size_t from = e->cursor;
    e->used += len;
    e->cursor += len;
    unsigned w = columns_between(e, from, e->cursor);
    if (e->secret)
        return;
    if (e->cursor < e->used || !e->shown || e->at + w >= width_of(e)) {
        lineedit_redraw(e);
        return;
    }
    lineedit_put(e, text, len);
    e->at += w;
    e->drawn = e->at;
}

void lineedit_cut(struct lineedit *e, size_t from, size_t to, bool keep)
{
    if (from >= to)
        return;
    if (keep && !e->secret) {
        memcpy(e->killed, e->text + from, to - from);
        e->killed_used = to - from;
    }
    memmove(e->text + from, e->text + to, e->used - to);
    e->used -= to - from;
    e->cursor = from;
    lineedit_redraw(e);
}

void lineedit_set(struct lineedit *e, const char *text, size_t len)
{
    memcpy(e->text, text, len);
    e->used = e->cursor = len;
    e->left = 0;
    lineedit_redraw(e);
}

void lineedit_move(struct lineedit *e, size_t to)
{
    e->cursor = to;
    lineedit_redraw(e);
}

/* --- bytes to characters --- */

/* A byte of a character that is not ASCII; what is no UTF-8 disappears. */
static void take_utf8(struct lineedit *e, uint8_t c)
{
    if (is_tail((char)c)) {
        if (!e->want)
            return;
        e->partial[e->have++] = c;
        bool too_long = e->have == 2 && ((e->partial[0] == 0xe0 && c < 0xa0) ||
                                         (e->partial[0] == 0xf0 && c < 0x90));
        bool no_character = e->have == 2 && ((e->partial[0] == 0xed && c > 0x9f) ||
                                             (e->partial[0] == 0xf4 && c > 0x8f));
        if (too_long || no_character) {
            e->want = 0;
        } else if (e->have == e->want) {
            e->want = 0;
            /* U+0080 to U+009F are control characters. */
            if (e->partial[0] != 0xc2 || e->partial[1] >= 0xa0)
                lineedit_insert(e, (const char *)e->partial, e->have);
        }
        return;
    }
    e->want = c >= 0xc2 && c <= 0xdf ? 2 : c >= 0xe0 && c <= 0xef ? 3 : c >= 0xf0 && c <= 0xf4 ? 4
                                                                                               : 0;
    e->have = 1;
    e->partial[0] = c;
}

void lineedit_init(struct lineedit *e)
{
    struct lineedit fresh = {.sink = e->sink, .ctx = e->ctx, .prompt = e->prompt,
                             .complete = e->complete, .dumb = e->dumb, .width = e->width,
                             .secret = e->secret};
    *e = fresh;
}

enum { PLAIN, ESCAPE, SEQUENCE, SHIFT3 };

enum lineedit_result lineedit_key(struct lineedit *e, char c)
{
    enum lineedit_result result = LINEEDIT_MORE;
    bool lf_of_cr = e->cr && c == '\n', tabbed = e->tabbed;
    e->cr = c == '\r';
    e->tabbed = false;
    if (lf_of_cr)
        return result;
    lineedit_show(e);
    if ((uint8_t)c >= 0x80 && e->state == PLAIN && !e->searching) {
        take_utf8(e, (uint8_t)c);
        return result;
    }
    e->want = 0;
    if (e->state == ESCAPE) {
        e->state = c == '[' ? SEQUENCE : c == 'O' ? SHIFT3 : PLAIN;
        e->parameters = e->parameter[0] = e->parameter[1] = 0;
        if (e->state == PLAIN)
            result = lineedit_meta(e, c);
    } else if (e->state == SHIFT3) {
        e->state = PLAIN;
        e->sequences = true;
        result = lineedit_sequence(e, c);
    } else if (e->state == SEQUENCE) {
        if (c >= '0' && c <= '9' && e->parameters < 2)
            e->parameter[e->parameters] = (e->parameter[e->parameters] * 10 + (unsigned)(c - '0')) %
                                          10000;
        else if (c == ';')
            e->parameters += e->parameters < 2;
        else if (c < ' ' || c > '?')
            e->state = PLAIN;
        e->sequences |= e->state == PLAIN && c > '?';
        if (e->state == PLAIN)
            result = c < ' ' ? lineedit_control(e, c, tabbed) : lineedit_sequence(e, c);
    } else if (c == 0x1b) {
        e->state = ESCAPE;
    } else if ((uint8_t)c < ' ' || c == 0x7f) {
        result = lineedit_control(e, c, tabbed);
    } else if (e->searching) {
        lineedit_search_key(e, c);
    } else {
        lineedit_insert(e, &c, 1);
    }
    return result;
}
