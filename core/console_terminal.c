/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of the terminal itself, and how to ask it how big it is. Have open: ECMA-48
 * "Control functions", CUP and DSR.
 */
#include "core/console_parts.h"

static bool asked; /* for its size, at least once */

struct console_terminal *console_terminal(void)
{
    return &console.terminal;
}

void console_terminal_changed(void)
{
    log_lock();
    console.edit.dumb = console.terminal.dumb;
    console.edit.width = console.terminal.width;
    log_unlock();
}

/* Far to the right and down, where is that, and back: any terminal that knows cursor keys answers
 * with ESC [ row ; column R. */
void console_ask_size(void)
{
    static const char question[] = "\x1b" "7\x1b[999;999H\x1b[6n\x1b" "8";
    asked = true;
    host_console_write(question, sizeof(question) - 1);
}

static void size_known(void)
{
    struct lineedit *edit = &console.edit;
    if (edit->column < LINEEDIT_NARROW || edit->column > LINEEDIT_WIDE || edit->row < 2)
        return;
    console.terminal.width = edit->width = edit->column;
    console.terminal.height = edit->row;
    console.terminal.answers = true;
}

void console_terminal_key(enum lineedit_result result)
{
    if (result == LINEEDIT_SIZE)
        size_known();
    else if (console.terminal.dumb)
        return;
    else if (result == LINEEDIT_REDRAW)
        console_ask_size();
    else if (console.edit.sequences && !asked && result != LINEEDIT_CANCEL)
        console_ask_size(); /* somebody with cursor keys: a terminal that answers */
}
