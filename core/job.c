/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands that go on: one at the console, one for a program. Boot CPU only.
 */
#include "core/job.h"

#include "core/console.h"
#include "core/control.h"
#include "core/host.h"

#define LOOK_NS   2000000 /* how often a busy line is looked at */
#define CTRL_C    0x03

static struct job {
    job_fn *step; /* NULL: none */
    void (*end)(void);
    fmt_sink_fn *sink;
    void *ctx;
    bool any_key;
    uint64_t due; /* TSC */
} jobs[JOB_OWNERS];

static void finish(struct job *j)
{
    j->step = NULL;
    if (j->end)
        j->end();
}

/* Whose the answer is; JOB_OWNERS: nobody's who would wait for it. */
static enum job_owner owner_of(const struct call *c)
{
    return c->sink == console_sink ? JOB_CONSOLE : c->sink == control_sink ? JOB_PROGRAM
                                                                           : JOB_OWNERS;
}

bool job_may_start(const struct call *c, job_fn *step)
{
    for (unsigned i = 0; i < JOB_OWNERS; i++) {
        if (jobs[i].step != step)
            continue;
        REFUSE(c, "another one is under way %s: wait until it is done\n",
               i == JOB_CONSOLE ? "at the console" : "for a program");
        return false;
    }
    return true;
}

void job_start(const struct call *c, job_fn *step, void (*end)(void), bool any_key)
{
    enum job_owner who = owner_of(c);
    struct job j = {step, end, c->sink, c->ctx, any_key, 0};
    if (who != JOB_OWNERS) {
        jobs[who] = j;
        return;
    }
    while (step(c->sink, c->ctx) == 0)
        ;
    finish(&j);
}

bool job_running(enum job_owner who)
{
    return jobs[who].step != NULL;
}

/* Whether its line takes a step's worth of text, which frames make longer by a half. */
static bool has_room(enum job_owner who)
{
    return who == JOB_CONSOLE ? host_console_room() >= JOB_ROOM
                              : host_control_room() >= 2 * JOB_ROOM;
}

bool job_poll(enum job_owner who)
{
    struct job *j = &jobs[who];
    uint64_t now = host_now();
    if (now < j->due)
        return true;
    if (!has_room(who)) {
        j->due = now + host_ns_to_tsc(LOOK_NS);
        return true;
    }
    j->due = j->step(j->sink, j->ctx);
    /* A program that wants the next picture of a live view asks again. */
    if (j->due != JOB_DONE && (who == JOB_CONSOLE || !j->due))
        return true;
    finish(j);
    return false;
}

bool job_key(char c)
{
    struct job *j = &jobs[JOB_CONSOLE];
    if (!j->any_key && c != CTRL_C)
        return false;
    finish(j);
    return true;
}

void job_stop(enum job_owner who)
{
    if (jobs[who].step)
        finish(&jobs[who]);
}

uint64_t job_deadline(enum job_owner who)
{
    return jobs[who].step ? jobs[who].due : UINT64_MAX;
}
