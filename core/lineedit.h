/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The line editor of a terminal: bytes go in, what to draw comes out of a sink. PURE. It knows
 * keys, a history and how to draw one line; neither commands nor where the bytes come from. Of the
 * terminal it needs CR, BS and, unless it is dumb, "erase to the end of the line". ECMA-48 (Control
 * Functions for Coded Character Sets) has the sequences that cursor keys send.
 */
#ifndef CORE_LINEEDIT_H
#define CORE_LINEEDIT_H

#include "core/lib/fmt.h"

#define LINEEDIT_MAX     1024 /* bytes of a line with its end */
#define LINEEDIT_HISTORY 4096 /* bytes of lines remembered, each with its end */
#define LINEEDIT_WORD    64   /* bytes of a completion with its end */
#define LINEEDIT_WIDTH   80   /* columns, unless told otherwise */
#define LINEEDIT_NARROW  20   /* columns: a terminal is at least as wide, and at most */
#define LINEEDIT_WIDE    1000

/* Candidate i, from 0 on, for the word that ends at the end of text: all of it, with what shall
 * stand behind (a blank, as a rule), in LINEEDIT_WORD bytes. False: there is none. */
typedef bool lineedit_complete_fn(const char *text, unsigned i, char *word);

enum lineedit_result {
    LINEEDIT_MORE,   /* the line goes on */
    LINEEDIT_LINE,   /* Enter: text is a line; lineedit_next() comes next */
    LINEEDIT_CANCEL, /* Ctrl-C: the line has been forgotten */
    LINEEDIT_REDRAW, /* Ctrl-L: has been done; a good moment to ask how big the terminal is */
    LINEEDIT_SIZE,   /* the terminal has said where its cursor is: row, column */
};

struct lineedit {
    fmt_sink_fn *sink; /* what the terminal gets */
    void *ctx;
    const char *prompt; /* ASCII */
    lineedit_complete_fn *complete; /* NULL: none */
    bool dumb;         /* no escape sequences; any time */
    unsigned width;    /* columns; any time */
    bool secret;       /* nothing of the line is shown or remembered: a password */
    unsigned row, column; /* LINEEDIT_SIZE */
    bool sequences;    /* the terminal has sent one: it has cursor keys */

    char text[LINEEDIT_MAX]; /* terminated after LINEEDIT_LINE only */
    size_t used, cursor;     /* bytes */

    /* Its own. */
    bool shown;              /* prompt and line are on the screen, the cursor is in them */
    size_t left;             /* first byte shown */
    unsigned drawn, at;      /* columns: drawn, and of the terminal's cursor; with the prompt */
    bool tabbed;             /* the last key was TAB and changed nothing */
    bool cr;                 /* the last key was CR: a LF belongs to it */
    uint8_t state;           /* of a sequence from the keyboard */
    unsigned parameter[2];
    unsigned parameters;
    uint8_t partial[4], have, want; /* of a UTF-8 character */
    char killed[LINEEDIT_MAX];
    size_t killed_used;
    char history[LINEEDIT_HISTORY]; /* lines, oldest first */
    size_t history_used, history_at; /* bytes; history_at == history_used: the line being written */
    char draft[LINEEDIT_MAX]; /* the line being written, while another is looked at */
    size_t draft_used;
    bool searching;          /* Ctrl-R */
    char query[LINEEDIT_WORD];
    size_t query_used;
};

/* Fills in what is not the caller's (sink to secret are). An empty line, an empty history. */
void lineedit_init(struct lineedit *e);
/* One byte from the terminal. */
enum lineedit_result lineedit_key(struct lineedit *e, char c);
/* After LINEEDIT_LINE: an empty line; the one before is remembered, if it was worth it. Draws
 * nothing. */
void lineedit_next(struct lineedit *e);
/* Draws prompt and line where the cursor is, at the beginning of an empty line; nothing if they
 * are there. */
void lineedit_show(struct lineedit *e);
/* Leaves an empty line with the cursor at its beginning; nothing if nothing is shown. */
void lineedit_hide(struct lineedit *e);

#endif
