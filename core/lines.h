/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a guest's output bytes to console lines. PURE. Everything a guest prints goes through here
 * before it meets the operator's terminal: what comes out is printable ASCII, tabs and UTF-8 text;
 * control bytes are shown as \xNN, so that no guest can move the cursor or forge another VM's
 * prefix. Adds no prefix itself.
 */
#ifndef CORE_LINES_H
#define CORE_LINES_H

#include "core/lib/bits.h"

#define LINE_MAX_CHARS 255 /* bytes of a line as it is emitted */

/* Receives a line of len bytes without its line feed; also terminated. */
typedef void lines_emit_fn(void *ctx, const char *line, size_t len);

struct line_assembler {
    char line[LINE_MAX_CHARS + 1];
    uint16_t used;    /* bytes in line */
    uint8_t pending;  /* UTF-8 bytes of an unfinished character, kept in seq */
    uint8_t seq[4];
    bool cr;          /* a carriage return waits for its line feed */
    uint8_t escape;   /* inside an escape sequence: enum in lines.c */
    uint16_t escape_len;
};

/* An empty line; all zero bytes are the same. */
void lines_init(struct line_assembler *la);

/* Takes one byte; calls emit zero, one or a few times. ANSI escape sequences are dropped. A line
 * feed ends the line; a lone carriage return ends it too, since what follows would overwrite it. */
void lines_put(struct line_assembler *la, char c, lines_emit_fn *emit, void *ctx);

/* Emits what has been collected, if anything: for prompts, which have no line feed. */
void lines_flush(struct line_assembler *la, lines_emit_fn *emit, void *ctx);

#endif
