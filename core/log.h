/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the hypervisor says: to the memory ring always (for `log`), and to the consoles. Lines begin
 * with "plinth: "; a guest's begin with its name in brackets, and a guest cannot forge either.
 */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include "core/lib/fmt.h"

/* One line, without its line feed. */
void log_info(const char *format, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *format, ...) PRINTF_LIKE(1, 2);
void log_error(const char *format, ...) PRINTF_LIKE(1, 2);
/* Text as it is: for reports of several lines. Matches fmt_sink_fn. */
void log_sink(void *ctx, const char *text, size_t len);

/* The same line by line, so that other CPUs' lines come between: ctx is a struct log_buffer, empty
 * at first. */
struct log_buffer {
    char text[256];
    size_t used;
};
void log_lines(void *ctx, const char *text, size_t len);

/* Keeps the log and the consoles to this CPU. Nothing may be logged meanwhile. */
void log_lock(void);
void log_unlock(void);

/* Finished lines of a guest's output, in pieces: a redrawn prompt costs more than a short line. */
struct log_vm_lines {
    const char *vm;
    char text[1024];
    size_t used;
};
static inline void log_vm_begin(struct log_vm_lines *l, const char *vm)
{
    l->vm = vm;
    l->used = 0;
}
/* A line of at most LOG_VM_LINE_MAX bytes. */
#define LOG_VM_LINE_MAX 512
void log_vm_line(struct log_vm_lines *l, const char *line, size_t len);
/* What has not been sent yet. */
void log_vm_end(struct log_vm_lines *l);

/* Lines that the ring still holds. */
struct log_line {
    uint64_t ms;      /* since Plinth started */
    uint64_t missed;  /* bytes that were overwritten before they could be read, just before it */
    size_t len;
    char text[512];   /* with its line feed, unless it was too long or has not ended yet */
};
/* The line at *at (0: the oldest there is), and moves *at behind it. False: there is none yet. */
bool log_read(uint64_t *at, struct log_line *line);
/* Behind the newest line. */
uint64_t log_end(void);

/* Where lines go besides the ring: the console's line editor, which keeps its prompt below. NULL:
 * straight to the host's consoles. */
void log_set_output(fmt_sink_fn *output);

#endif
