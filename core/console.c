/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The terminal: what it is at the moment (a prompt, an answer that is still being written, the log
 * as it grows, a guest's console), and what comes next. The parts are console_output.c (what others
 * write), console_keys.c (which of them a key is for), console_guest.c, console_log.c,
 * console_lock.c (the password), console_terminal.c (how big it is). How a line is edited is
 * lineedit.c's, how a long answer is shown is answer.c's.
 */
#include "core/console_parts.h"

#include "core/access.h"
#include "core/answer.h"
#include "core/command_key.h"
#include "core/commands.h"
#include "core/control.h"
#include "core/job.h"
#include "core/lib/string.h"

#define LOOK_NS 1000000 /* at a guest that is slow to read what was typed */

_Static_assert(COMMAND_LINE_MAX == LINEEDIT_MAX, "a line is a line");

struct console console;

void console_write(void *ctx, const char *text, size_t len)
{
    (void)ctx;
    host_console_write(text, len);
}

void console_init(void)
{
    console.terminal = (struct console_terminal){.width = LINEEDIT_WIDTH, .height = 24,
                                                 .lines = true};
    console.edit.sink = console_write;
    console.edit.prompt = CONSOLE_PROMPT_TEXT;
    console.edit.complete = command_complete;
    console.edit.width = console.terminal.width;
    lineedit_init(&console.edit);
    log_set_output(console_output);
}

void console_show_prompt(void)
{
    log_lock();
    lineedit_show(&console.edit);
    log_unlock();
}

/* --- answers --- */

void console_sink(void *ctx, const char *text, size_t len)
{
    answer_put(ctx, text, len);
}

/* A program's answer is never paged. */
static bool for_program(const char *text)
{
    for (; *text; text++)
        if (str_starts(text, "--json"))
            return true;
    return false;
}

void console_run_line(void)
{
    char text[LINEEDIT_MAX];
    const struct console_terminal *t = &console.terminal;
    log_lock();
    memcpy(text, console.edit.text, console.edit.used + 1);
    lineedit_next(&console.edit);
    console.mode = CONSOLE_ANSWER;
    log_unlock();
    bool paged = t->pager == PAGER_ON || (t->pager == PAGER_AUTO && t->answers);
    answer_begin(paged && !for_program(text) ? t->height - 1 : 0, t->width);
    command_run(text, console_sink, NULL);
    if (job_running(JOB_CONSOLE))
        answer_begin(0, 0);
}

/* Everything that was said is on the screen: what is the terminal now? */
static void answered(void)
{
    log_lock();
    console.mode = CONSOLE_PROMPT;
    log_unlock();
    if (access_lock_asked())
        console_lock_now();
    else if (!console_log_enter() && !console_guest_enter())
        console_show_prompt();
}

/* Until all has been said, and nothing more is to come. */
static void move_answer(void)
{
    if (job_running(JOB_CONSOLE) && console_keys_to_job())
        answer_drop();
    if (!answer_move() || (job_running(JOB_CONSOLE) && job_poll(JOB_CONSOLE)) || !answer_move())
        return;
    answered();
}

/* --- its turn --- */

static bool has_work(void)
{
    return (console.mode == CONSOLE_ANSWER && answer_busy()) ||
           (console.mode == CONSOLE_LOG && console_log_busy());
}

uint64_t console_deadline(void)
{
    if (has_work() || access_trying())
        return 0;
    uint64_t at = min_u64(host_console_deadline(), job_deadline(JOB_PROGRAM));
    if (console.mode == CONSOLE_ANSWER && answer_empty())
        at = min_u64(at, job_deadline(JOB_CONSOLE));
    at = min_u64(at, key_deadline());
    /* On another CPU it reads without our knowing. */
    if (console.mode == CONSOLE_GUEST && console_keys_wait())
        at = min_u64(at, host_now() + host_ns_to_tsc(LOOK_NS));
    if (access_locked() && console_keys_wait())
        at = min_u64(at, access_next_try());
    return min_u64(at, access_lock_at(console.typed_at));
}

void console_poll(void)
{
    host_console_poll();
    control_poll();
    key_poll();
    if (console.guest)
        console_guest_poll();
    /* The configuration wants it, no command. */
    if (console.guest_next && console.mode == CONSOLE_PROMPT && !access_locked())
        answered();
    console_lock_poll();
    bool keys = console_keys_read();
    do {
        if (console.mode == CONSOLE_ANSWER)
            move_answer();
        if (console.mode == CONSOLE_LOG)
            console_log_move();
    } while (keys && console_keys_use());
}
