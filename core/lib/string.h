/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory and string functions. The mem* and str* names have C's meaning and are what the compiler
 * calls behind our back; the freestanding image links string.c, hosted builds use the C library's.
 */
#ifndef CORE_LIB_STRING_H
#define CORE_LIB_STRING_H

#include <stdbool.h>
#include <stddef.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);

/* -ffreestanding makes these ordinary functions; so the compiler may put a few moves in the place
 * of a call where the size is known. */
#if !__STDC_HOSTED__
#define memcpy(...) __builtin_memcpy(__VA_ARGS__)
#define memset(...) __builtin_memset(__VA_ARGS__)
#endif

static inline bool str_eq(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static inline bool str_starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* Copies n bytes, but at most size - 1, and always terminates dst (size > 0). False if src was
 * cut. */
static inline bool str_copy_n(char *dst, size_t size, const char *src, size_t n)
{
    bool whole = n < size;
    if (!whole)
        n = size - 1;
    memcpy(dst, src, n);
    dst[n] = '\0';
    return whole;
}

static inline bool str_copy(char *dst, size_t size, const char *src)
{
    return str_copy_n(dst, size, src, strlen(src));
}

#endif
