/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Panics are declared in core/panic.h and core/host.h; this is what boot has to do for them.
 */
#ifndef BOOT_PANIC_H
#define BOOT_PANIC_H

/* Makes CPUs stop when another one panics. Before any exception can come. */
void panic_init(void);

#endif
