/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The operator's terminal: a line editor with a prompt, the log as it grows, or a guest's console
 * while attached. Output of others appears above the prompt, a line at a time. Commands are
 * commands.c's.
 */
#ifndef CORE_CONSOLE_H
#define CORE_CONSOLE_H

#include "core/host.h"
#include "core/log.h"
#include "core/log_filter.h"
#include "core/vm.h"

#define CONSOLE_ESCAPE      0x1d /* Ctrl-] */
#define CONSOLE_ESCAPE_NAME "Ctrl-]"

void console_init(void);
/* Moves bytes in and out, runs what was typed. Call often; never waits. */
void console_poll(void);
/* TSC at which console_poll() must be called again though nothing interrupts; UINT64_MAX. */
uint64_t console_deadline(void);
/* False: guests that print must wait, or the line could not keep up. Who goes on never waits for
 * the line. */
bool console_has_room(void);
/* Bytes of attached guests that found no room all the same. */
uint64_t console_lost(void);
/* A guest's bytes: remembered for who attaches later, and shown while attached. The VM's lock is
 * held. */
void console_vm_raw(struct vm *vm, const char *text, size_t len);
/* Makes vm's console the terminal as soon as the present answer is written, beginning with what the
 * VM has printed last. */
void console_attach(struct vm *vm);
/* vm's record goes: its console is the terminal no more. */
void console_forget(const struct vm *vm);
/* Shows the log from position `at` on as it grows, until a key; once the answer is written. */
void console_follow(const struct log_filter *filter, uint64_t at, bool time);
/* A line of the log, with its time if asked for. */
void console_log_line(const struct log_line *line, bool time, fmt_sink_fn *sink, void *ctx);
/* The stored form of a password (core/password.h), "" for none: the terminal is locked until it is
 * typed, and again when nobody has typed for idle_ns (0: never). */
void console_set_password(const char *stored, uint64_t idle_ns);
/* Locks it once the present answer is written. False: there is no password. */
bool console_lock(void);
/* Nobody may give orders. */
bool console_locked(void);
/* A fmt_sink_fn for commands' answers. */
void console_sink(void *ctx, const char *text, size_t len);

/* What is known of the terminal. After a change: console_terminal_changed(). */
struct console_terminal {
    unsigned width, height; /* columns, lines */
    bool dumb;              /* no escape sequences */
    bool answers;           /* it has said how big it is: there is a person at it */
    bool lines;             /* guests' lines appear above the prompt */
    enum { PAGER_AUTO, PAGER_ON, PAGER_OFF } pager; /* AUTO: on when it answers */
    enum host_flow flow;
};
struct console_terminal *console_terminal(void);
void console_terminal_changed(void);
/* Its answer changes width and height later. */
void console_ask_size(void);

#endif
