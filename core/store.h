/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files that came over the line: kernels, initrds. They lie in pages of the guest pool, mapped for
 * the hypervisor alone, and are modules like those that came with it (core/modules.h). One file at
 * a time comes in. Boot CPU, no locks held.
 */
#ifndef CORE_STORE_H
#define CORE_STORE_H

#include "core/lib/bits.h"

#define STORE_NAME_MAX 64 /* bytes of a name with its end */
#define STORE_FILES    32

enum store_state {
    STORE_GOING = 0,
    STORE_DONE = 1,   /* all is here and the checksum is right: it is a module now */
    STORE_FAILED = 2, /* and nothing is left of it */
};

struct store_file {
    char name[STORE_NAME_MAX]; /* "": this place is free */
    uint64_t base;             /* host-virtual */
    uint64_t size, mapped;     /* bytes; mapped: whole pages */
    uint32_t crc;              /* CRC-32 of the contents */
    bool whole;
};

/* Takes memory for a file; one that was coming in is forgotten. NULL, or why not. */
const char *store_begin(const char *name, uint64_t size, uint32_t crc);
/* The next n bytes. What is not at the wanted offset is ignored: it was here, or something before
 * it was lost. Always sets *next, the offset wanted now; and *why when it fails. */
enum store_state store_write(uint64_t offset, const uint8_t *bytes, size_t n, uint64_t *next,
                             const char **why);
/* Forgets a file that is not whole yet. */
void store_abort(void);
/* Gives a file's memory back. NULL, or why not. */
const char *store_drop(const char *name);
/* For i < STORE_FILES; NULL: this place is free, or its file is not whole. */
const struct store_file *store_at(unsigned i);

#endif
