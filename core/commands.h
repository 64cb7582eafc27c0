/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console's commands: one table row each.
 */
#ifndef CORE_COMMANDS_H
#define CORE_COMMANDS_H

#include "core/lib/fmt.h"

/* Runs one line (which it cuts into words) and writes the answer to sink. */
void command_run(char *line, fmt_sink_fn *sink, void *ctx);

/* What boot knows and `caps` shows: the have/want/need table. */
typedef void caps_print_fn(fmt_sink_fn *sink, void *ctx);
void command_set_caps(caps_print_fn *fn);

#endif
