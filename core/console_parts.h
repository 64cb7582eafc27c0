/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of the terminal are to each other; for core/console*.c alone. Boot CPU only and no
 * locks held, where nothing else is said.
 */
#ifndef CORE_CONSOLE_PARTS_H
#define CORE_CONSOLE_PARTS_H

#include "core/console.h"
#include "core/lineedit.h"

enum console_mode {
    CONSOLE_PROMPT,
    CONSOLE_ANSWER, /* not all of it is written; keys wait */
    CONSOLE_LOG,    /* as it grows, until a key */
    CONSOLE_GUEST,
};

struct console {
    /* The log's lock: edit, mode's changes, and whatever draws. */
    struct lineedit edit;
    uint8_t mode;      /* enum console_mode; other CPUs read it with the lock */
    uint64_t typed_at; /* TSC; other CPUs read it */
    struct console_terminal terminal;
    struct vm *guest;      /* whose console it is, or NULL */
    struct vm *guest_next; /* whose it is to be once the answer is out */
};
extern struct console console;

/* --- console.c --- */
#define CONSOLE_PROMPT_TEXT "plinth> "
/* A fmt_sink_fn: the line, whatever is on it. */
void console_write(void *ctx, const char *text, size_t len);
void console_show_prompt(void);
/* A line has been typed that is a command. */
void console_run_line(void);

/* --- console_output.c --- */
/* log_set_output()'s: any CPU, with the log's lock. */
void console_output(void *ctx, const char *text, size_t len);

/* --- console_guest.c --- */
/* After an answer: the terminal becomes the console of the VM that was asked for. False: none was,
 * or it has none any more. */
bool console_guest_enter(void);
/* To the prompt, which is not drawn. */
void console_guest_leave(void);
/* Its VM may have ended; there is one. */
void console_guest_poll(void);
void console_guest_key(char c);
/* Its serial port takes a key. */
bool console_guest_ready(void);

/* --- console_log.c --- */
/* After an answer: the log as it grows becomes the terminal. False: nobody has asked for it. */
bool console_log_enter(void);
/* Nobody asks for it any more. */
void console_log_forget(void);
void console_log_move(void);
/* There is more of it. */
bool console_log_busy(void);
/* A key was pressed: back to the prompt. */
void console_log_leave(void);

/* --- console_lock.c --- */
/* Locks it, if its time has come or it was asked for; looks at a password that was typed. */
void console_lock_poll(void);
/* From whatever the terminal is at the moment. */
void console_lock_now(void);
/* Enter was pressed behind a password. */
void console_lock_try(void);

/* --- console_keys.c --- */
/* Fetches what was typed, so that the keys that end something work however deaf it is. True: some
 * key waits. */
bool console_keys_read(void);
/* Uses the next key. False: there is none, or it has to wait. */
bool console_keys_use(void);
/* One waits. */
bool console_keys_wait(void);
/* A command that goes on takes the next key, if it is one for it. */
bool console_keys_to_job(void);

/* --- console_terminal.c --- */
/* After a key at the prompt, which came to this; with the log's lock. */
void console_terminal_key(enum lineedit_result result);

#endif
