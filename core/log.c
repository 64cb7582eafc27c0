/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log: a ring in memory and an output. Nothing here waits, except a full console.
 */
#include "core/log.h"

#include "core/host.h"
#include "core/lib/lock.h"
#include "core/lib/ring.h"

/* The ring, and what the output keeps of its own: the prompt. */
static struct lock lock = LOCK_INIT(LOCK_ORDER_LOG, "log");
static char buffer[1 << 16];
static struct ring ring = {buffer, sizeof(buffer), 0, 0};
static fmt_sink_fn *output;

void log_set_output(fmt_sink_fn *fn)
{
    output = fn;
}

void log_sink(void *ctx, const char *text, size_t len)
{
    (void)ctx;
    lock_take(&lock);
    for (size_t i = 0; i < len; i++)
        ring_push(&ring, text[i]);
    if (output)
        output(NULL, text, len);
    else
        host_console_write(text, len);
    lock_release(&lock);
}

void log_lines(void *ctx, const char *text, size_t len)
{
    struct log_buffer *b = ctx;
    for (size_t i = 0; i < len; i++) {
        b->text[b->used++] = text[i];
        if (text[i] != '\n' && b->used < sizeof(b->text))
            continue;
        log_sink(NULL, b->text, b->used);
        b->used = 0;
    }
}

void log_lock(void)
{
    lock_take(&lock);
}

void log_unlock(void)
{
    lock_release(&lock);
}

/* Composed first and sent in one piece, so that the console can put it above its prompt. */
struct line {
    char text[512];
    size_t used;
};

static void line_sink(void *ctx, const char *text, size_t len)
{
    struct line *l = ctx;
    for (size_t i = 0; i < len && l->used < sizeof(l->text) - 1; i++)
        l->text[l->used++] = text[i];
}

static void log_line(const char *mark, const char *format, va_list args)
{
    struct line l = {.used = 0};
    fmt_write(line_sink, &l, "plinth: %s", mark);
    fmt_vwrite(line_sink, &l, format, args);
    l.text[l.used++] = '\n';
    log_sink(NULL, l.text, l.used);
}

#define LOG_FUNCTION(name, mark)             \
    void name(const char *format, ...)       \
    {                                        \
        va_list args;                        \
        va_start(args, format);              \
        log_line(mark, format, args);        \
        va_end(args);                        \
    }
LOG_FUNCTION(log_info, "")
LOG_FUNCTION(log_warn, "warning: ")
LOG_FUNCTION(log_error, "error: ")

void log_vm_line(const char *vm, const char *text, size_t len)
{
    struct line l = {.used = 0};
    fmt_write(line_sink, &l, "[%s] ", vm);
    line_sink(&l, text, len);
    l.text[l.used++] = '\n';
    log_sink(NULL, l.text, l.used);
}

void log_replay(fmt_sink_fn *sink, void *ctx)
{
    /* Start at a whole line, unless the ring has never been full. */
    uint64_t at = ring.tail;
    if (at > 0)
        while (at < ring.head && ring.buf[at++ & (ring.size - 1)] != '\n')
            ;
    while (at < ring.head) {
        uint64_t offset = at & (ring.size - 1), n = min_u64(ring.head - at, ring.size - offset);
        sink(ctx, ring.buf + offset, n);
        at += n;
    }
}
