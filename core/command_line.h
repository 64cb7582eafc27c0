/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a typed line to a call of a command: words, which row of a table they name, whether the rest
 * fits the row's usage. PURE: knows no command. A usage is read as people read it:
 *   NAME          a word that must be there      [NAME]        one that may
 *   WORD...       one or more (last)             [WORD...]     any number (last)
 *   [--json]      a switch                       [--vm NAME]   an option with a value
 */
#ifndef CORE_COMMAND_LINE_H
#define CORE_COMMAND_LINE_H

#include "core/lib/fmt.h"

#define COMMAND_LINE_MAX 1024 /* bytes of a line with its end */
#define COMMAND_WORDS    96
#define COMMAND_OPTIONS  8

struct command;

/* How a line ended: for programs, whose exit status tools/plinth makes of it. */
enum command_status {
    COMMAND_DONE = 0,
    COMMAND_REFUSED = 1, /* understood, and not done: the answer says why */
    COMMAND_USAGE = 2,   /* no such command, or not used as it is meant */
};

struct call {
    fmt_sink_fn *sink; /* the answer */
    void *ctx;
    uint8_t *status;   /* enum command_status; NULL: nobody asks */
    const struct command *command;
    bool json;         /* --json was asked for: one JSON value and a line feed, nothing else */
    unsigned argc;     /* words behind the command's name that are no options */
    const char *argv[COMMAND_WORDS + 1]; /* NULL behind the last */
    unsigned option_count;
    struct {
        const char *name, *value; /* value "": a switch */
    } option[COMMAND_OPTIONS];
};

typedef void command_fn(const struct call *c);

struct command {
    const char *name;  /* one or two words */
    const char *usage; /* "" when it takes nothing */
    command_fn *fn;
    const char *what;  /* a line for the list */
    const char *more;  /* for `help NAME`: text, lines end in \n; may be "" */
    uint8_t group;
    bool changes;      /* it changes something: the log says who asked */
};

#define SAY(c, ...) fmt_write((c)->sink, (c)->ctx, __VA_ARGS__)
/* SAY() why the command does not do what it was asked for. */
#define REFUSE(c, ...) (call_ended(c, COMMAND_REFUSED), SAY(c, __VA_ARGS__))

static inline void call_ended(const struct call *c, enum command_status status)
{
    if (c->status)
        *c->status = (uint8_t)status;
}

/* Cuts line (at most COMMAND_LINE_MAX bytes) into words, which c then points to, and finds their
 * row. "..." keeps blanks in a word together. NULL: empty line, or a mistake; c->sink has been told
 * which. c->sink, c->ctx and c->status are the caller's; the rest of c is set here. */
const struct command *command_parse(const struct command *table, size_t count, char *line,
                                    struct call *c);
/* Tells c's caller how c->command is used: for mistakes that only the command sees. */
void command_usage(const struct call *c);
/* Completion: candidate i, from 0 on, for the word that ends at the end of text, with a blank
 * behind it. What a usage calls NAME, say, is known by words(): its k-th, or NULL. False: no
 * more. */
typedef const char *command_words_fn(const char *usage_word, size_t len, unsigned k);
bool command_candidate(const struct command *table, size_t count, const char *text, unsigned i,
                       char *word, size_t size, command_words_fn *words);
/* The value of an option ("" for a switch), or NULL when it was not given. */
const char *call_option(const struct call *c, const char *name);
/* A whole word as a number, decimal or 0x hexadecimal. False: it is none, or too big. */
bool call_number(const char *word, uint64_t *value);

#endif
