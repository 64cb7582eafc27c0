/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The terminal as a view of the log as it grows, until a key.
 */
#include "core/answer.h"
#include "core/console_parts.h"
#include "core/lib/string.h"

#define BATCH 64 /* lines that one poll moves */

static struct {
    struct log_filter filter;
    char vm[CONFIG_NAME_MAX];
    bool next, time; /* next: once the answer is out */
    uint64_t at;
} follow;

void console_follow(const struct log_filter *filter, uint64_t at, bool time)
{
    follow.filter = *filter;
    if (filter->vm) {
        str_copy(follow.vm, sizeof(follow.vm), filter->vm);
        follow.filter.vm = follow.vm;
    }
    follow.at = at;
    follow.time = time;
    follow.next = true;
}

void console_log_line(const struct log_line *line, bool time, fmt_sink_fn *sink, void *ctx)
{
    if (line->missed)
        fmt_write(sink, ctx, "(%lu bytes are missing here)\n", line->missed);
    if (time)
        fmt_write(sink, ctx, "%6lu.%03lu ", line->ms / 1000, line->ms % 1000);
    sink(ctx, line->text, line->len);
}

bool console_log_enter(void)
{
    if (!follow.next)
        return false;
    follow.next = false;
    log_lock();
    console.mode = CONSOLE_LOG;
    log_unlock();
    return true;
}

void console_log_forget(void)
{
    follow.next = false;
}

bool console_log_busy(void)
{
    return follow.at != log_end();
}

void console_log_move(void)
{
    struct log_line line;
    for (unsigned i = 0; i < BATCH && host_console_room() > ANSWER_ROOM; i++) {
        if (!log_read(&follow.at, &line))
            return;
        if (!log_filter_passes(&follow.filter, line.text, line.len))
            continue;
        log_lock();
        console_log_line(&line, follow.time, console_write, NULL);
        log_unlock();
    }
}

void console_log_leave(void)
{
    log_lock();
    console.mode = CONSOLE_PROMPT;
    log_unlock();
    console_show_prompt();
}
