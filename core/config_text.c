/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Errors of a configuration, and the words in it: how they are shown, which known word one may have
 * been meant to be. PURE.
 */
#include "core/config_parse.h"

PRINTF_LIKE(3, 4) void config_error_at(struct parser *p, uint32_t line, const char *format, ...)
{
    struct config_errors *e = p->errors;
    if (p->section == SECTION_VM)
        p->vm->valid = false;
    if (e->count == CONFIG_ERRORS) {
        e->more++;
        return;
    }
    uint32_t at = e->count++;
    for (; at > 0 && e->list[at - 1].line > line; at--)
        e->list[at] = e->list[at - 1];
    e->list[at].line = line;
    va_list args;
    va_start(args, format);
    fmt_vprint(e->list[at].text, sizeof(e->list[at].text), format, args);
    va_end(args);
}

struct shown config_show(struct slice s)
{
    struct shown out = {""};
    size_t n = s.n;
    if (n > TEXT_SHOWN) {
        n = TEXT_SHOWN;
        while (n > 0 && ((unsigned char)s.s[n] & 0xc0) == 0x80)
            n--;
    }
    memcpy(out.text, s.s, n);
    str_copy(out.text + n, sizeof(out.text) - n, n < s.n ? "..." : "");
    return out;
}

struct slice config_trim(struct slice s)
{
    while (s.n && is_blank(s.s[0]))
        s.s++, s.n--;
    while (s.n && is_blank(s.s[s.n - 1]))
        s.n--;
    return s;
}

/* --- the nearest known word ---------------------------------------------------------------- */

#define WORD_MAX 31

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;
    return m < c ? m : c;
}

/* Edit distance without regard to case; WORD_MAX when a word is too long to be compared. */
static unsigned distance(struct slice a, const char *b)
{
    unsigned row[WORD_MAX + 1], blen = (unsigned)strlen(b);
    if (a.n > WORD_MAX || blen > WORD_MAX)
        return WORD_MAX;
    for (unsigned j = 0; j <= blen; j++)
        row[j] = j;
    for (unsigned i = 1; i <= a.n; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= blen; j++) {
            unsigned change = diagonal + (lower(a.s[i - 1]) != lower(b[j - 1]));
            diagonal = row[j];
            row[j] = min3(change, row[j] + 1, row[j - 1] + 1);
        }
    }
    return row[blen];
}

/* Is `known` what `word` may have been meant to be? Smaller is nearer; 0 is "no". */
static unsigned nearness(struct slice word, const char *known)
{
    unsigned d = distance(word, known), limit = strlen(known) < 5 ? 1 : 2;
    if (word.n >= 3 && word.n < strlen(known) && memcmp(word.s, known, word.n) == 0)
        return 2;
    return d <= limit ? d + 1 : 0;
}

void config_guess(struct guess *g, struct slice word, const char *known)
{
    unsigned score = nearness(word, known);
    if (score && (!g->name || score < g->score))
        *g = (struct guess){known, score};
}
