/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The text that says which physical CPUs a VM's vCPUs may run on: words of [VCPU:]LIST, a LIST
 * being CPUs and ranges with commas, as in "0,2-3" or "0:1 1:2-3". PURE: knows CPUs by number and
 * not how many there are. docs/config.md has the language.
 */
#ifndef CORE_PIN_H
#define CORE_PIN_H

#include "core/lib/bits.h"

#define PIN_CPUS  256
#define PIN_WORDS (PIN_CPUS / 64)

/* False: text is not in the language; *why says what is. The empty text is. */
bool pin_check(const char *text, const char **why);
/* The CPUs, a bit each, that vCPU `vcpu` may run on: of several words for it the last counts, of
 * words without a number likewise, and a word with its number goes before one without. All CPUs if
 * no word is for it. text must have passed pin_check(). */
void pin_allowed(const char *text, unsigned vcpu, uint64_t cpus[PIN_WORDS]);

#endif
