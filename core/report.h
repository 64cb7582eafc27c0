/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state of a vCPU as text: for a VM that failed, for `vm show`, for panic.
 */
#ifndef CORE_REPORT_H
#define CORE_REPORT_H

#include "core/lib/fmt.h"
#include "core/vcpu.h"

/* Everything, to the log; v's state must be on this CPU. */
void report_vcpu(struct vcpu *v);
/* Registers, mode, segments; v's state must be on this CPU. */
void report_registers(struct vcpu *v, fmt_sink_fn *sink, void *ctx);
/* Kinds of the last exits, oldest first, on one line. */
void report_trail(const struct vcpu *v, fmt_sink_fn *sink, void *ctx);
/* Counts per kind of exit, those that are not 0. */
void report_exits(const struct vcpu *v, fmt_sink_fn *sink, void *ctx);

/* "running", "halted", ... */
const char *report_state_name(const struct vcpu *v);
/* "64-bit mode" and so on; v's registers are here. */
const char *report_mode_name(struct vcpu *v);

#endif
