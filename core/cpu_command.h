/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console's `cpu`: every CPU of the machine on a line.
 */
#ifndef CORE_CPU_COMMAND_H
#define CORE_CPU_COMMAND_H

#include "core/lib/fmt.h"

/* Asks no CPU for anything and takes no lock: it must answer when one of them hangs. */
void cpu_command_list(fmt_sink_fn *sink, void *ctx);

#endif
