/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside the configuration's parser: what its files share. Only core/config*.c include it.
 * config.c reads lines and sections, config_keys.c says which keys there are, config_value.c reads
 * each kind of value, config_text.c has errors and words.
 */
#ifndef CORE_CONFIG_PARSE_H
#define CORE_CONFIG_PARSE_H

#include "core/config.h"
#include "core/lib/string.h"

#define TEXT_SHOWN 48 /* bytes of a foreign text in a message */

enum section {
    SECTION_PLINTH,
    SECTION_VM,
    SECTION_NONE,    /* before the first header */
    SECTION_UNKNOWN, /* below a header that made no sense: its keys are skipped */
};

struct slice {
    const char *s;
    size_t n;
};

struct parser {
    struct config *out;
    struct config_errors *errors;
    uint32_t line;
    enum section section;
    struct config_vm *vm;     /* of the section: in out->vms, or &scratch */
    struct config_vm scratch; /* for a section that cannot become a VM */
    uint32_t pool_mark;       /* pool_used before a scratch section */
};

struct choice {
    const char *name; /* NULL ends a list */
    uint32_t value;
};

struct key;
/* Reads value (terminated, at the pool's tail) into *field; false after reporting an error. */
typedef bool value_fn(struct parser *p, const struct key *key, const char *value, void *field);

struct key {
    enum section section;
    const char *name;
    value_fn *parse;
    size_t offset; /* of the field in struct config or struct config_vm */
    uint64_t min, max;
    const struct choice *choices;
    const char *fallback; /* read like a value of the file; NULL: the key is required */
    const char *values;   /* for people */
    const char *help;
};

extern const struct key config_keys[];
extern const size_t config_key_count;

/* --- words and messages: config_text.c ------------------------------------------------------ */

static inline struct slice slice_of(const char *s)
{
    return (struct slice){s, strlen(s)};
}

static inline bool slice_is(struct slice s, const char *name)
{
    return s.n == strlen(name) && memcmp(s.s, name, s.n) == 0;
}

static inline bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static inline char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

struct slice config_trim(struct slice s);

/* Notes an error; the section that it stands in makes no VM then. */
PRINTF_LIKE(3, 4)
void config_error_at(struct parser *p, uint32_t line, const char *format, ...);
#define error(p, ...) config_error_at((p), (p)->line, __VA_ARGS__)

/* A foreign text cut to what fits in a message, at the start of a UTF-8 character. */
struct shown {
    char text[TEXT_SHOWN + 4];
};

struct shown config_show(struct slice s);

struct guess {
    const char *name;
    unsigned score;
};

/* Notes `known` in *g if it is what `word` may have been meant to be, and nearer than the last. */
void config_guess(struct guess *g, struct slice word, const char *known);

/* --- kinds of value: config_value.c --------------------------------------------------------- */

value_fn config_value_text, config_value_password, config_value_memory, config_value_time,
    config_value_choice, config_value_count, config_value_modules,
    config_value_switches, config_value_pin;

/* Values of on_reboot and its like, by name; a NULL name ends them. */
extern const struct choice config_actions[];

#endif
