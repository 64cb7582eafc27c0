/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A command whose answer goes on after its function has returned: one that repeats (`top`), or one
 * that says more than the line takes at once (`trace dump`). The boot CPU calls its step between
 * time slices, so that guests run on. There is one at a time; the prompt comes back after it.
 */
#ifndef CORE_JOB_H
#define CORE_JOB_H

#include "core/command_line.h"

#define JOB_DONE UINT64_MAX
#define JOB_ROOM 8192 /* characters that a step may write */

/* Says the next piece, and returns the TSC at which it wants to go on (0: as soon as the line has
 * room again), or JOB_DONE. */
typedef uint64_t job_fn(fmt_sink_fn *sink, void *ctx);

/* any_key: every key ends it, else Ctrl-C alone, and the rest waits. end (or NULL) is called once,
 * however it ends. An answer that goes to a program instead of the console is said at once, all of
 * it; false then. */
bool job_start(const struct call *c, job_fn *step, void (*end)(void), bool any_key);

/* --- for the console --- */
bool job_running(void);
/* False: it has ended just now. */
bool job_poll(void);
/* The operator typed c. True: this ended it. */
bool job_key(char c);
/* TSC at which job_poll() wants to be called; UINT64_MAX: no job. */
uint64_t job_deadline(void);

#endif
