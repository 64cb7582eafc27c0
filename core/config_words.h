/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A configuration section out of words: what `vm create` and `vm set` hand to config_parse(), so
 * that both know the file's keys, rules and messages. PURE.
 */
#ifndef CORE_CONFIG_WORDS_H
#define CORE_CONFIG_WORDS_H

#include "core/lib/bits.h"

/* Writes "[vm NAME]" and a line for each of n words KEY=VALUE to out, of size bytes, terminated.
 * Values are quoted there as the language wants it. False: *wrong is the word that is no KEY=VALUE,
 * or NULL when there is no room. */
bool config_words(const char *name, const char *const *words, unsigned n, char *out, size_t size,
                  const char **wrong);

#endif
