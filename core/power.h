/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine's end, orderly: what became of every VM is said last, in a line that tools read.
 */
#ifndef CORE_POWER_H
#define CORE_POWER_H

#include "core/lib/bits.h"

NORETURN void power_off(void);
NORETURN void power_reboot(void);
/* For VMs that never came to be: they count as failed. */
void power_count_failure(void);

#endif
