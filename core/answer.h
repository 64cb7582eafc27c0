/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers of commands on their way to the terminal: a queue, so that no command waits for a slow
 * line, and a pager in front of it. The boot CPU's alone, but for what the log's lock is for.
 */
#ifndef CORE_ANSWER_H
#define CORE_ANSWER_H

#include "core/lib/fmt.h"

/* What the line must have left for an answer to go on; less than a guest needs, so that the answer
 * goes before the output of a guest that floods. */
#define ANSWER_ROOM 40960

/* A fmt_sink_fn. Never loses anything: what finds the queue full is written at once. */
void answer_put(void *ctx, const char *text, size_t len);
/* A command begins, rows: lines of a page, 0: not paged; width: columns. */
void answer_begin(unsigned rows, unsigned width);
/* Moves on what the line takes; a bounded piece. True: nothing is left. */
bool answer_move(void);
/* The pager waits for a key. */
bool answer_paused(void);
void answer_key(char c);
/* Nobody wants the rest. */
void answer_drop(void);
bool answer_empty(void);
/* There is something that answer_move() could do now. */
bool answer_busy(void);
/* The terminal shows the beginning of a line whose rest is still to come. Log's lock held. */
bool answer_in_line(void);
/* Others are about to write, have written a line: the pager's own text. Log's lock held. */
void answer_hide(void);
void answer_show(void);

#endif
