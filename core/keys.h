/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys by name, as `vm key` takes them, and as the bytes that a terminal sends for them. PURE.
 * How they reach a guest is core/command_key.c's.
 */
#ifndef CORE_KEYS_H
#define CORE_KEYS_H

#include "core/lib/bits.h"

#define KEYS_MAX  256
#define KEY_BREAK 0x100 /* no byte: the line's BREAK */

/* On their way to a guest, oldest first. */
struct keys {
    unsigned n;
    uint16_t code[KEYS_MAX]; /* a byte, or KEY_BREAK */
};

/* Appends what `word` stands for: a key's name, else the word's own bytes. False, and nothing is
 * appended: no room. */
MUST_CHECK bool keys_add(struct keys *k, const char *word);
/* The first `n` are through. */
void keys_drop(struct keys *k, unsigned n);

#endif
