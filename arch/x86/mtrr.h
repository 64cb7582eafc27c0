/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory type range registers: the same on every CPU, as the boot CPU's firmware set them.
 */
#ifndef ARCH_X86_MTRR_H
#define ARCH_X86_MTRR_H

#include "core/lib/bits.h"

/* Remembers this CPU's. Once, on the boot CPU, before any other starts. */
void mtrr_save(void);
/* Gives this CPU the remembered ones where its own differ. Interrupts are off. True: they did. */
bool mtrr_follow(void);

#endif
