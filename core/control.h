/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The programs' end of Plinth: sessions over frames (core/frame.h). A program runs the commands of
 * the console's table, gets a VM's console to itself, what is printed, and puts files into the
 * store. The line is the console's, which then carries nothing else, or one of its own (control= on
 * the command line). The messages: docs/console.md, "For programs". Boot CPU, no locks held, where
 * nothing else is said.
 */
#ifndef CORE_CONTROL_H
#define CORE_CONTROL_H

#include "core/vm.h"

/* Takes what has come on a line of its own and sends what waits. Call often; never waits for a
 * program. */
void control_poll(void);
/* The next key of the console's line that is an operator's and belongs to no frame, or -1. */
int control_next_key(void);
/* A program is there. */
bool control_has_session(void);
/* What a program's commands say goes here. */
void control_sink(void *ctx, const char *text, size_t len);
/* On any CPU, with any locks below LOCK_ORDER_CONTROL: text that was printed, and an attached VM's
 * (vm->watched). */
void control_log(const char *text, size_t len);
void control_vm_raw(const struct vm *vm, const char *text, size_t len);
/* On any CPU. False: guests that print must wait, or the line could not keep up. */
bool control_has_room(void);
/* The machine is about to end: answers the command that does it, and sends what waits. */
void control_end(void);

#endif
