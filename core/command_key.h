/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys that `vm key` has typed and guests have not taken yet. Boot CPU only.
 */
#ifndef CORE_COMMAND_KEY_H
#define CORE_COMMAND_KEY_H

#include "core/lib/bits.h"

/* Gives guests what they take now. Call often. */
void key_poll(void);
/* TSC at which to call it again; UINT64_MAX: nothing waits. */
uint64_t key_deadline(void);

#endif
