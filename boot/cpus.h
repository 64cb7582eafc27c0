/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other CPUs, as boot sees them: which are started, what the operator is told, what they do.
 */
#ifndef BOOT_CPUS_H
#define BOOT_CPUS_H

#include "mm/types.h"

/* Starts the CPUs of the MADT, as many as cpus= allows, with VMX on if there is a backend. They
 * serve calls and wait for cpus_release(). trampoline: a page below 1 MiB, or 0. */
void cpus_start(const char *cmdline, hpa_t trampoline);
/* Sends them into the scheduler, which must be ready. */
void cpus_release(void);

#endif
