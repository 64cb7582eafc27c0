/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A command whose answer goes on after its function has returned: one that repeats (`top`), or one
 * that says more than the line takes at once (`trace dump`). The boot CPU calls its step between
 * time slices, so that guests run on. The console has one at a time, whose prompt comes back after
 * it, and so has the program on the control channel.
 */
#ifndef CORE_JOB_H
#define CORE_JOB_H

#include "core/command_line.h"

#define JOB_DONE UINT64_MAX
#define JOB_ROOM 8192 /* characters that a step may write */

enum job_owner { JOB_CONSOLE, JOB_PROGRAM, JOB_OWNERS };

/* Says the next piece, and returns the TSC at which it wants to go on (0: as soon as the line has
 * room again), or JOB_DONE. A program's ends as soon as it wants to wait. */
typedef uint64_t job_fn(fmt_sink_fn *sink, void *ctx);

/* Before a command touches what its step works on: false, and c is told so, while that step is at
 * work for somebody else. */
bool job_may_start(const struct call *c, job_fn *step);
/* any_key: every key ends it, else Ctrl-C alone, and the rest waits. end (or NULL) is called once,
 * however it ends. An answer that goes neither to the console nor to a program (gdb's `monitor`) is
 * said at once, all of it. */
void job_start(const struct call *c, job_fn *step, void (*end)(void), bool any_key);

/* --- for the two owners --- */
bool job_running(enum job_owner who);
/* Call while it runs. False: it has ended just now. */
bool job_poll(enum job_owner who);
void job_stop(enum job_owner who);
/* TSC at which job_poll() wants to be called; UINT64_MAX: no job. */
uint64_t job_deadline(enum job_owner who);
/* The operator typed c while the console's runs. True: this ended it. */
bool job_key(char c);

#endif
