/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stub that a gdb talks to over the second serial line (`gdb=` on the hypervisor's command
 * line). One VM at a time; its vCPUs are gdb's threads, numbered from 1. Runs on the boot CPU
 * between time slices and never waits. What it can do with a VM is debug.h's.
 */
#ifndef CORE_GDB_H
#define CORE_GDB_H

#include "core/lib/bits.h"

struct vm;

/* Takes what has come over the line and answers. Call often. */
void gdb_poll(void);
/* A gdb is there. */
bool gdb_has_session(void);
/* The VM that the next gdb gets (NULL: the first that runs). Ends the session that there is. */
void gdb_select(const struct vm *vm);
struct vm *gdb_selected(void);

#endif
