/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console's commands: one row of commands.def each, whose function stands in a
 * core/command_SUBJECT.c. How to add one: docs/console.md, "Adding a command".
 */
#ifndef CORE_COMMANDS_H
#define CORE_COMMANDS_H

#include "core/command_line.h"

struct vm;

/* As `help` lists them. */
enum command_group {
    GROUP_VMS,
    GROUP_CONSOLE,
    GROUP_LOOK,
    GROUP_MACHINE,
};

#define COMMAND(group, name, usage, fn, what, more) void fn(const struct call *c);
#define ACTION(group, name, usage, fn, what, more)  void fn(const struct call *c);
#include "core/commands.def"
#undef COMMAND
#undef ACTION

/* Runs one line (which it cuts into words, at most COMMAND_LINE_MAX bytes) and writes the answer to
 * sink. */
enum command_status command_run(char *line, fmt_sink_fn *sink, void *ctx);

/* Completion, a lineedit_complete_fn. */
bool command_complete(const char *text, unsigned i, char *word);

/* For commands: the VM that argument i names, or NULL after an error that says which there are. */
struct vm *call_vm(const struct call *c, unsigned i);

/* What boot knows and `caps` shows: the have/want/need table. */
typedef void caps_print_fn(fmt_sink_fn *sink, void *ctx);
void command_set_caps(caps_print_fn *fn);

#endif
