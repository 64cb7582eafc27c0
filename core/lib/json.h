/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes JSON (RFC 8259) to a sink, a token at a time; nothing is kept but where it stands. Lines
 * are broken only where an object or a key begins, so that no line starts with a bracket: on the
 * console other lines may come between, and those start with "[NAME] " or "plinth: ".
 */
#ifndef CORE_LIB_JSON_H
#define CORE_LIB_JSON_H

#include "core/lib/fmt.h"

struct json {
    fmt_sink_fn *sink;
    void *ctx;
    uint32_t column; /* characters in this line */
    uint32_t depth;
    bool more;       /* a comma is due before the next value */
};

/* The answer of a command: one object, in which nothing stands yet. */
void json_begin(struct json *j, fmt_sink_fn *sink, void *ctx);
/* Closes it; a line feed follows. */
void json_finish(struct json *j);

/* key: in an object, its text is written as it is (ours, never a guest's); NULL: in an array. */
void json_object(struct json *j, const char *key);
void json_object_end(struct json *j);
void json_array(struct json *j, const char *key);
void json_array_end(struct json *j);
void json_u64(struct json *j, const char *key, uint64_t value);
void json_i64(struct json *j, const char *key, int64_t value);
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);
/* Any bytes: what is not printable ASCII becomes \u00XX, a byte a character. */
void json_text(struct json *j, const char *key, const char *text);
/* A register or an address: "0x1234", a text since JSON's numbers are not 64 bits everywhere. */
void json_hex(struct json *j, const char *key, uint64_t value);

#endif
