/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Error class 4: our own bug. No guest input may lead here. Prints the message, the CPU, the VM and
 * its last exits, a backtrace, and stops the machine.
 */
#ifndef CORE_PANIC_H
#define CORE_PANIC_H

#include "core/lib/bits.h"

NORETURN void panic(const char *format, ...) PRINTF_LIKE(1, 2);

/* For what must hold unless Plinth itself is wrong. */
#define ASSERT(cond)                                              \
    do {                                                          \
        if (unlikely(!(cond)))                                    \
            panic("%s:%d: %s does not hold", __FILE__, __LINE__, #cond); \
    } while (0)

#endif
