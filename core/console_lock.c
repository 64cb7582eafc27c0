/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The terminal while it is locked: it asks for the password and takes nothing else. Who may give
 * orders, and when the next try counts, is access.c's.
 */
#include "core/access.h"
#include "core/answer.h"
#include "core/console_parts.h"
#include "core/job.h"
#include "core/lib/string.h"

#define PROMPT "password: "
#define CTRL_C 0x03

void console_lock_now(void)
{
    struct lineedit *edit = &console.edit;
    if (console.mode == CONSOLE_GUEST)
        console_guest_leave();
    if (job_running(JOB_CONSOLE))
        job_key(CTRL_C); /* ends any */
    answer_drop();
    console_log_forget();
    log_lock();
    lineedit_hide(edit);
    console.mode = CONSOLE_PROMPT;
    edit->text[edit->used] = '\0'; /* what was not finished can be found in the history */
    lineedit_next(edit);
    access_lock();
    edit->secret = true;
    edit->prompt = PROMPT;
    log_unlock();
    log_info("console: locked");
}

void console_set_password(const char *stored, uint64_t idle_ns)
{
    if (access_set(stored, host_ns_to_tsc(idle_ns)))
        console_lock_now();
}

bool console_locked(void)
{
    return access_locked();
}

bool console_lock(void)
{
    return access_ask_lock();
}

void console_lock_try(void)
{
    access_try(console.edit.text);
    log_lock();
    lineedit_next(&console.edit);
    memset(console.edit.text, 0, sizeof(console.edit.text));
    log_unlock();
}

static void end_check(void)
{
    if (!access_locked()) {
        log_lock();
        console.edit.secret = false;
        console.edit.prompt = CONSOLE_PROMPT_TEXT;
        log_unlock();
    }
    console_show_prompt();
}

/* A program has asked for it, or nobody has typed for long. */
static bool must_lock(void)
{
    return (access_lock_asked() && console.mode != CONSOLE_ANSWER) ||
           host_now() > access_lock_at(console.typed_at);
}

void console_lock_poll(void)
{
    if (access_poll())
        end_check();
    if (must_lock())
        console_lock_now();
}
