/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The operator's terminal: a line editor with a prompt, or a guest's console while attached. Output
 * of others appears above the prompt, a line at a time. Commands are commands.c's.
 */
#ifndef CORE_CONSOLE_H
#define CORE_CONSOLE_H

#include "core/vm.h"

#define CONSOLE_ESCAPE      0x1d /* Ctrl-] */
#define CONSOLE_ESCAPE_NAME "Ctrl-]"

void console_init(void);
/* Moves bytes in and out, runs what was typed. Call often; never waits. */
void console_poll(void);
/* False: guests that print must wait, or the line could not keep up. */
bool console_has_room(void);
/* A guest's line; shown unless another guest's console is attached, kept in the log always. */
void console_vm_line(struct vm *vm, const char *line, size_t len);
/* An attached guest's bytes. */
void console_vm_raw(struct vm *vm, const char *text, size_t len);
/* Makes vm's console the terminal, NULL: back to the prompt. */
void console_attach(struct vm *vm);
/* The VM whose console the terminal is, or NULL. */
struct vm *console_attached(void);
/* A fmt_sink_fn for commands' answers. */
void console_sink(void *ctx, const char *text, size_t len);

#endif
