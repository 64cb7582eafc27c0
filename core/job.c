/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command that goes on. Boot CPU only.
 */
#include "core/job.h"

#include "core/console.h"
#include "core/host.h"

#define LOOK_NS   2000000 /* how often a busy line is looked at */
#define CTRL_C    0x03

static job_fn *step; /* NULL: none */
static void (*at_end)(void);
static bool ends_by_any_key;
static uint64_t due; /* TSC */

static void finish(void)
{
    step = NULL;
    if (at_end)
        at_end();
}

bool job_start(const struct call *c, job_fn *fn, void (*end)(void), bool any_key)
{
    if (c->sink != console_sink) {
        while (fn(c->sink, c->ctx) == 0)
            ;
        if (end)
            end();
        return false;
    }
    step = fn;
    at_end = end;
    ends_by_any_key = any_key;
    due = 0;
    return true;
}

bool job_running(void)
{
    return step != NULL;
}

bool job_poll(void)
{
    uint64_t now = host_now();
    if (now < due)
        return true;
    if (host_console_room() < JOB_ROOM) {
        due = now + host_ns_to_tsc(LOOK_NS);
        return true;
    }
    due = step(console_sink, NULL);
    if (due != JOB_DONE)
        return true;
    finish();
    return false;
}

bool job_key(char c)
{
    if (!ends_by_any_key && c != CTRL_C)
        return false;
    finish();
    return true;
}

uint64_t job_deadline(void)
{
    return step ? due : UINT64_MAX;
}
