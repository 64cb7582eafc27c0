/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log: a ring in memory and an output. Nothing here waits, except a full console.
 */
#include "core/log.h"

#include "core/host.h"
#include "core/lib/lock.h"
#include "core/lib/ring.h"
#include "core/lib/string.h"

/* The ring, and what the output keeps of its own: the prompt. */
static struct lock lock = LOCK_INIT(LOCK_ORDER_LOG, "log");
static char buffer[1 << 16];
static struct ring ring = {buffer, sizeof(buffer), 0, 0};
static fmt_sink_fn *output;
/* When what stands in the ring was written: of the last pieces, enough for lines of 32 bytes. */
#define STAMPS 2048
static struct {
    uint64_t at; /* position in the ring */
    uint64_t ms; /* since Plinth started */
} stamps[STAMPS];
static uint64_t stamp_count;

void log_set_output(fmt_sink_fn *fn)
{
    output = fn;
}

void log_sink(void *ctx, const char *text, size_t len)
{
    (void)ctx;
    lock_take(&lock);
    uint64_t ms = host_uptime_ns() / 1000000, last = (stamp_count - 1) % STAMPS;
    if (!stamp_count || stamps[last].ms != ms) {
        stamps[stamp_count % STAMPS].at = ring.head;
        stamps[stamp_count++ % STAMPS].ms = ms;
    }
    ring_push(&ring, text, len);
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

/* --- guests' lines --- */

void log_vm_end(struct log_vm_lines *l)
{
    if (l->used)
        log_sink(NULL, l->text, l->used);
    l->used = 0;
}

static void add(struct log_vm_lines *l, const char *text, size_t len)
{
    memcpy(l->text + l->used, text, len);
    l->used += len;
}

void log_vm_line(struct log_vm_lines *l, const char *line, size_t len)
{
    size_t name = strlen(l->vm);
    len = min_u64(len, LOG_VM_LINE_MAX);
    if (l->used + name + len + 4 > sizeof(l->text))
        log_vm_end(l);
    add(l, "[", 1);
    add(l, l->vm, name);
    add(l, "] ", 2);
    add(l, line, len);
    add(l, "\n", 1);
}

/* --- reading --- */

/* Of the last stamp at or before position at; 0: none is known. */
static uint64_t time_of(uint64_t at)
{
    for (uint64_t i = stamp_count; i && stamp_count - i < STAMPS; i--)
        if (stamps[(i - 1) % STAMPS].at <= at)
            return stamps[(i - 1) % STAMPS].ms;
    return 0;
}

/* Where a reader at `at` can go on: at a whole line, unless the ring has never been full. */
static uint64_t catch_up(uint64_t at)
{
    if (at >= ring.tail)
        return at;
    for (at = ring.tail; at < ring.head; at++)
        if (ring.buf[at & (ring.size - 1)] == '\n')
            return at + 1;
    return at;
}

bool log_read(uint64_t *at, struct log_line *line)
{
    lock_take(&lock);
    uint64_t from = min_u64(catch_up(*at), ring.head);
    line->missed = from > *at && *at ? from - *at : 0;
    line->len = 0;
    line->ms = time_of(from);
    while (from < ring.head && line->len < sizeof(line->text)) {
        char c = ring.buf[from++ & (ring.size - 1)];
        line->text[line->len++] = c;
        if (c == '\n')
            break;
    }
    *at = from;
    lock_release(&lock);
    return line->len != 0;
}

uint64_t log_end(void)
{
    lock_take(&lock);
    uint64_t end = ring.head;
    lock_release(&lock);
    return end;
}
