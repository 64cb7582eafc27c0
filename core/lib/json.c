/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JSON writer. PURE.
 */
#include "core/lib/json.h"

#define BREAK_AT 100 /* characters: then the next key or object begins a line */

static void put(struct json *j, const char *text, size_t n)
{
    j->sink(j->ctx, text, n);
    j->column += (uint32_t)n;
}

static void put_char(struct json *j, char c)
{
    put(j, &c, 1);
}

static void line_break(struct json *j)
{
    put_char(j, '\n');
    j->column = 0;
}

static void quote(struct json *j, const char *text)
{
    put_char(j, '"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            put_char(j, '\\');
        if (c >= ' ' && c < 0x7f)
            put_char(j, (char)c);
        else
            j->column += (uint32_t)fmt_write(j->sink, j->ctx, "\\u%04x", c);
    }
    put_char(j, '"');
}

/* What stands before every value. */
static void begin_value(struct json *j, const char *key, bool may_break)
{
    if (j->more)
        put_char(j, ',');
    if (may_break && j->column > BREAK_AT)
        line_break(j);
    if (key) {
        quote(j, key);
        put_char(j, ':');
    }
    j->more = true;
}

static void open_value(struct json *j, const char *key, char bracket)
{
    begin_value(j, key, key || bracket == '{');
    put_char(j, bracket);
    j->depth++;
    j->more = false;
}

static void close_value(struct json *j, char bracket)
{
    put_char(j, bracket);
    j->depth--;
    j->more = true;
}

void json_begin(struct json *j, fmt_sink_fn *sink, void *ctx)
{
    *j = (struct json){.sink = sink, .ctx = ctx};
    json_object(j, NULL);
}

void json_finish(struct json *j)
{
    close_value(j, '}');
    line_break(j);
}

void json_object(struct json *j, const char *key)
{
    open_value(j, key, '{');
}

void json_object_end(struct json *j)
{
    close_value(j, '}');
}

void json_array(struct json *j, const char *key)
{
    open_value(j, key, '[');
}

void json_array_end(struct json *j)
{
    close_value(j, ']');
}

void json_u64(struct json *j, const char *key, uint64_t value)
{
    begin_value(j, key, key);
    j->column += (uint32_t)fmt_write(j->sink, j->ctx, "%lu", (unsigned long)value);
}

void json_i64(struct json *j, const char *key, int64_t value)
{
    begin_value(j, key, key);
    j->column += (uint32_t)fmt_write(j->sink, j->ctx, "%ld", (long)value);
}

void json_bool(struct json *j, const char *key, bool value)
{
    begin_value(j, key, key);
    j->column += (uint32_t)fmt_write(j->sink, j->ctx, "%s", value ? "true" : "false");
}

void json_null(struct json *j, const char *key)
{
    begin_value(j, key, key);
    put(j, "null", 4);
}

void json_text(struct json *j, const char *key, const char *text)
{
    begin_value(j, key, key);
    quote(j, text);
}

void json_hex(struct json *j, const char *key, uint64_t value)
{
    begin_value(j, key, key);
    j->column += (uint32_t)fmt_write(j->sink, j->ctx, "\"0x%lx\"", (unsigned long)value);
}
