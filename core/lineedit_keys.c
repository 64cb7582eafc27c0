/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keys of the line editor, its history and completion. PURE. The keys are those of the editor
 * that most shells have (Emacs' own), so that nobody has to learn them.
 */
#include "core/lib/string.h"
#include "core/lineedit_parts.h"

/* --- words --- */

static bool is_blank(char c)
{
    return c == ' ';
}

static size_t word_left(const struct lineedit *e, size_t at)
{
    while (at && is_blank(e->text[at - 1]))
        at--;
    while (at && !is_blank(e->text[at - 1]))
        at--;
    return at;
}

static size_t word_right(const struct lineedit *e, size_t at)
{
    while (at < e->used && is_blank(e->text[at]))
        at++;
    while (at < e->used && !is_blank(e->text[at]))
        at++;
    return at;
}

/* The character before the cursor and the one under it change places; at the end, the last two. */
static void transpose(struct lineedit *e)
{
    size_t middle = e->cursor == e->used ? lineedit_before(e, e->cursor) : e->cursor;
    size_t from = lineedit_before(e, middle), to = lineedit_after(e, middle);
    char first[8];
    size_t n = middle - from;
    if (from == middle || to == middle || n > sizeof(first)) {
        lineedit_bell(e);
        return;
    }
    memcpy(first, e->text + from, n);
    memmove(e->text + from, e->text + middle, to - middle);
    memcpy(e->text + from + (to - middle), first, n);
    lineedit_move(e, to);
}

/* --- history: lines with their ends, one after the other --- */

static size_t line_before(const struct lineedit *e, size_t at)
{
    if (at)
        at--; /* the end of the line before */
    while (at && e->history[at - 1])
        at--;
    return at;
}

static void forget(struct lineedit *e, size_t at)
{
    size_t n = strlen(e->history + at) + 1;
    memmove(e->history + at, e->history + at + n, e->history_used - at - n);
    e->history_used -= n;
}

/* A line that is there already moves to the end; the oldest make room. text is terminated. */
static void remember(struct lineedit *e)
{
    size_t n = e->used + 1;
    if (e->secret || !e->used || n > LINEEDIT_HISTORY)
        return;
    for (size_t at = 0; at < e->history_used; at += strlen(e->history + at) + 1)
        if (str_eq(e->history + at, e->text)) {
            forget(e, at);
            break;
        }
    while (e->history_used + n > LINEEDIT_HISTORY)
        forget(e, 0);
    memcpy(e->history + e->history_used, e->text, n);
    e->history_used += n;
}

static void look_at(struct lineedit *e, size_t at)
{
    if (e->history_at == e->history_used) {
        memcpy(e->draft, e->text, e->used);
        e->draft_used = e->used;
    }
    e->history_at = at;
    if (at == e->history_used)
        lineedit_set(e, e->draft, e->draft_used);
    else
        lineedit_set(e, e->history + at, strlen(e->history + at));
}

static void older(struct lineedit *e)
{
    if (e->secret || !e->history_at)
        lineedit_bell(e);
    else
        look_at(e, line_before(e, e->history_at));
}

static void newer(struct lineedit *e)
{
    if (e->secret || e->history_at == e->history_used)
        lineedit_bell(e);
    else
        look_at(e, e->history_at + strlen(e->history + e->history_at) + 1);
}

/* --- Ctrl-R --- */

static bool contains(const char *text, const char *query, size_t n)
{
    for (; strlen(text) >= n; text++)
        if (memcmp(text, query, n) == 0)
            return true;
    return false;
}

/* The newest line before `at` that has the query in it. */
static void find(struct lineedit *e, size_t at)
{
    while (at) {
        at = line_before(e, at);
        if (contains(e->history + at, e->query, e->query_used)) {
            look_at(e, at);
            return;
        }
    }
    lineedit_bell(e);
    lineedit_redraw(e);
}

void lineedit_search_key(struct lineedit *e, char c)
{
    if (e->query_used < sizeof(e->query) - 1 && (uint8_t)c < 0x80)
        e->query[e->query_used++] = c;
    find(e, e->history_used);
}

static void search(struct lineedit *e)
{
    if (e->secret) {
        lineedit_bell(e);
    } else if (e->searching) {
        find(e, e->history_at);
    } else {
        e->searching = true;
        e->query_used = 0;
        lineedit_redraw(e);
    }
}

static void end_search(struct lineedit *e)
{
    if (!e->searching)
        return;
    e->searching = false;
    lineedit_redraw(e);
}

/* Any other key ends it; the line that was found stays, unless it was given up. True: the key has
 * had its effect. */
static bool search_control(struct lineedit *e, char c)
{
    if (c == 0x12)
        return false;
    if ((c == '\b' || c == 0x7f) && e->query_used) {
        e->query_used--;
        find(e, e->history_used);
        return true;
    }
    end_search(e);
    if (c != 0x07 && c != '\b' && c != 0x7f)
        return false;
    look_at(e, e->history_used);
    return true;
}

/* --- TAB --- */

#define CANDIDATES 256 /* more than anybody reads */

static void list_candidates(struct lineedit *e, const char *text)
{
    char word[LINEEDIT_WORD];
    lineedit_hide(e);
    for (unsigned i = 0; i < CANDIDATES && e->complete(text, i, word); i++) {
        lineedit_put(e, "  ", 2);
        lineedit_put(e, word, strlen(word));
    }
    lineedit_put(e, "\n", 1);
    lineedit_show(e);
}

/* How many bytes all candidates begin with; how many there are, but no more than it takes to see
 * that they have nothing in common beyond what is typed. */
static size_t common(struct lineedit *e, const char *text, size_t typed,
                     char first[LINEEDIT_WORD], unsigned *count)
{
    char word[LINEEDIT_WORD];
    size_t n = 0;
    for (*count = 0; *count < CANDIDATES && e->complete(text, *count, word); (*count)++) {
        if (!*count) {
            memcpy(first, word, sizeof(word));
            n = strlen(word);
        }
        if (*count > 1 && n <= typed)
            break;
        size_t same = 0;
        while (same < n && first[same] == word[same])
            same++;
        n = same;
    }
    return n;
}

static void complete(struct lineedit *e, bool again)
{
    char text[LINEEDIT_MAX], first[LINEEDIT_WORD];
    unsigned count;
    if (!e->complete || e->secret)
        return;
    memcpy(text, e->text, e->cursor);
    text[e->cursor] = '\0';
    size_t from = e->cursor;
    while (from && !is_blank(e->text[from - 1]))
        from--;
    size_t typed = e->cursor - from, n = common(e, text, typed, first, &count);
    if (count && n > typed && memcmp(first, e->text + from, typed) == 0) {
        lineedit_insert(e, first + typed, n - typed);
    } else if (count > 1 && again) {
        list_candidates(e, text);
    } else {
        lineedit_bell(e);
        e->tabbed = true;
    }
}

/* --- keys --- */

static enum lineedit_result enter(struct lineedit *e)
{
    /* The cursor goes to the end, so that what comes next does not write over the line. */
    if (e->cursor < e->used)
        lineedit_move(e, e->used);
    lineedit_put(e, "\n", 1);
    e->shown = false;
    e->text[e->used] = '\0';
    return LINEEDIT_LINE;
}

static void start_over(struct lineedit *e)
{
    e->used = e->cursor = e->left = 0;
    e->history_at = e->history_used;
    e->searching = false;
}

void lineedit_next(struct lineedit *e)
{
    remember(e);
    start_over(e);
}

static enum lineedit_result cancel(struct lineedit *e)
{
    lineedit_put(e, "^C\n", 3);
    e->shown = false;
    start_over(e);
    return LINEEDIT_CANCEL;
}

static enum lineedit_result redraw_all(struct lineedit *e)
{
    lineedit_hide(e);
    lineedit_show(e);
    return LINEEDIT_REDRAW;
}

enum lineedit_result lineedit_control(struct lineedit *e, char c, bool tabbed)
{
    if (e->searching && search_control(e, c))
        return LINEEDIT_MORE;
    switch (c) {
    case '\r':
    case '\n':
        return enter(e);
    case 0x03:
        return cancel(e);
    case 0x0c:
        return redraw_all(e);
    case 0x01:
        lineedit_move(e, 0);
        break;
    case 0x02:
        lineedit_move(e, lineedit_before(e, e->cursor));
        break;
    case 0x04:
        lineedit_cut(e, e->cursor, lineedit_after(e, e->cursor), false);
        break;
    case 0x05:
        lineedit_move(e, e->used);
        break;
    case 0x06:
        lineedit_move(e, lineedit_after(e, e->cursor));
        break;
    case '\b':
    case 0x7f:
        lineedit_cut(e, lineedit_before(e, e->cursor), e->cursor, false);
        break;
    case '\t':
        complete(e, tabbed);
        break;
    case 0x0b:
        lineedit_cut(e, e->cursor, e->used, true);
        break;
    case 0x0e:
        newer(e);
        break;
    case 0x10:
        older(e);
        break;
    case 0x12:
        search(e);
        break;
    case 0x14:
        transpose(e);
        break;
    case 0x15:
        lineedit_cut(e, 0, e->cursor, true);
        break;
    case 0x17:
        lineedit_cut(e, word_left(e, e->cursor), e->cursor, true);
        break;
    case 0x19:
        lineedit_insert(e, e->killed, e->killed_used);
        break;
    default:
        break;
    }
    return LINEEDIT_MORE;
}

enum lineedit_result lineedit_meta(struct lineedit *e, char c)
{
    if ((uint8_t)c < ' ' || c == 0x7f)
        return lineedit_control(e, c, false);
    end_search(e);
    if (c == 'b')
        lineedit_move(e, word_left(e, e->cursor));
    else if (c == 'f')
        lineedit_move(e, word_right(e, e->cursor));
    else if (c == 'd')
        lineedit_cut(e, e->cursor, word_right(e, e->cursor), true);
    return LINEEDIT_MORE;
}

/* ESC [ N ~ */
static void numbered(struct lineedit *e, unsigned n)
{
    if (n == 1 || n == 7)
        lineedit_move(e, 0);
    else if (n == 4 || n == 8)
        lineedit_move(e, e->used);
    else if (n == 3)
        lineedit_cut(e, e->cursor, lineedit_after(e, e->cursor), false);
}

enum lineedit_result lineedit_sequence(struct lineedit *e, char c)
{
    bool by_words = e->parameters == 1 && e->parameter[1] > 1;
    if (c == 'R' && e->parameters == 1) {
        e->row = e->parameter[0];
        e->column = e->parameter[1];
        return LINEEDIT_SIZE;
    }
    end_search(e);
    switch (c) {
    case 'A':
        older(e);
        break;
    case 'B':
        newer(e);
        break;
    case 'C':
        lineedit_move(e, by_words ? word_right(e, e->cursor) : lineedit_after(e, e->cursor));
        break;
    case 'D':
        lineedit_move(e, by_words ? word_left(e, e->cursor) : lineedit_before(e, e->cursor));
        break;
    case 'H':
        lineedit_move(e, 0);
        break;
    case 'F':
        lineedit_move(e, e->used);
        break;
    case '~':
        numbered(e, e->parameter[0]);
        break;
    default:
        break;
    }
    return LINEEDIT_MORE;
}
