/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The line editor under random keys, on a terminal that knows only what a poor one knows: the line
 * stays valid UTF-8 within its bounds, nothing is drawn beyond the width, the cursor is where the
 * editor thinks. The first byte chooses the terminal.
 */
#include "core/lineedit.h"
#include "tests/unit/terminal.h"

static void require(bool ok)
{
    if (!ok)
        __builtin_trap();
}

static bool candidates(const char *text, unsigned i, char *word)
{
    size_t n = strlen(text);
    if (i > 2 || (n && text[n - 1] >= 'x'))
        return false;
    snprintf(word, LINEEDIT_WORD, "%c%s%u ", n ? text[n - 1] : 'a', i ? "bc" : "b", i);
    return true;
}

static void check(const struct lineedit *e, const struct terminal *t)
{
    require(e->used < LINEEDIT_MAX && e->cursor <= e->used && e->left <= e->cursor);
    require(e->history_used <= LINEEDIT_HISTORY && e->history_at <= e->history_used);
    require(!e->history_used || !e->history[e->history_used - 1]);
    require(e->at == t->at || !e->shown);
    require(t->at < t->width);
    unsigned more = 0;
    for (size_t i = 0; i < e->used; i++) {
        uint8_t c = (uint8_t)e->text[i];
        require(c >= ' ' && c != 0x7f);
        require(more ? (c & 0xc0) == 0x80 : (c & 0xc0) != 0x80);
        require(more || i == 0 || i != e->cursor || (c & 0xc0) != 0x80);
        more = more ? more - 1 : c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
    }
    require(!more);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct terminal t;
    static struct lineedit e;
    if (!size)
        return 0;
    bool dumb = data[0] & 1;
    unsigned width = LINEEDIT_NARROW + (data[0] >> 1);
    terminal_init(&t, width, dumb);
    e = (struct lineedit){.sink = terminal_sink, .ctx = &t, .prompt = "plinth> ", .dumb = dumb,
                          .width = width, .complete = candidates};
    lineedit_init(&e);
    for (size_t i = 1; i < size; i++) {
        switch (lineedit_key(&e, (char)data[i])) {
        case LINEEDIT_LINE:
            require(strlen(e.text) == e.used && !e.shown);
            lineedit_next(&e);
            break;
        case LINEEDIT_CANCEL:
            require(!e.used && !e.shown);
            break;
        default:
            break;
        }
        check(&e, &t);
    }
    lineedit_hide(&e);
    lineedit_show(&e);
    check(&e, &t);
    return 0;
}
