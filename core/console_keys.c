/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The operator's keys: which of the things that the terminal can be one is for, and whether that
 * can take it now. They are read ahead, so that the keys that end something work however deaf it
 * is.
 */
#include "core/access.h"
#include "core/answer.h"
#include "core/console_parts.h"
#include "core/control.h"
#include "core/job.h"
#include "core/lib/ring.h"

#define CTRL_C 0x03

static char buffer[1 << 10];
static struct ring ahead = {buffer, sizeof(buffer), 0, 0};

static char first(void)
{
    return ahead.buf[ahead.tail & (ahead.size - 1)];
}

bool console_keys_wait(void)
{
    return ring_used(&ahead) != 0;
}

bool console_keys_to_job(void)
{
    char c;
    return ring_used(&ahead) && job_key(first()) && ring_get(&ahead, &c);
}

bool console_keys_read(void)
{
    int c;
    while (ring_room(&ahead) && (c = control_next_key()) >= 0) {
        if (c == CONSOLE_ESCAPE && console.mode == CONSOLE_GUEST)
            ring_init(&ahead, buffer, sizeof(buffer)); /* before it: void */
        if (c == CTRL_C && console.mode == CONSOLE_ANSWER && !answer_paused() &&
            !job_running(JOB_CONSOLE))
            answer_drop();
        else
            ring_put(&ahead, (char)c);
    }
    return ring_used(&ahead) != 0;
}

static void to_prompt(char c)
{
    log_lock();
    enum lineedit_result result = lineedit_key(&console.edit, c);
    if (result == LINEEDIT_CANCEL)
        lineedit_show(&console.edit);
    console_terminal_key(result);
    log_unlock();
    if (result == LINEEDIT_LINE && access_locked())
        console_lock_try();
    else if (result == LINEEDIT_LINE)
        console_run_line();
}

static void key(char c)
{
    __atomic_store_n(&console.typed_at, host_now(), __ATOMIC_RELAXED);
    if (answer_paused())
        answer_key(c);
    else if (console.mode == CONSOLE_GUEST)
        console_guest_key(c);
    else if (console.mode == CONSOLE_LOG)
        console_log_leave();
    else
        to_prompt(c);
}

/* Whether the next key can be used now. */
static bool ready(void)
{
    if (!ring_used(&ahead) || (console.mode == CONSOLE_ANSWER && !answer_paused()) ||
        access_trying() || host_now() < access_next_try())
        return false;
    return console.mode != CONSOLE_GUEST || first() == CONSOLE_ESCAPE || console_guest_ready();
}

bool console_keys_use(void)
{
    char c;
    if (!ready() || !ring_get(&ahead, &c))
        return false;
    key(c);
    (void)console_keys_read();
    return true;
}
