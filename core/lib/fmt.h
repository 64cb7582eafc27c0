/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * printf-style formatting into a sink. Knows %d %i %u %x %X %p %c %s %% with flags '-', '0', '#',
 * '+', ' ', width and precision (also '*') and the lengths hh h l ll z j. No floating point.
 */
#ifndef CORE_LIB_FMT_H
#define CORE_LIB_FMT_H

#include <stdarg.h>
#include <stddef.h>

#include "core/lib/bits.h"

/* Receives formatted text in pieces; text is not terminated. */
typedef void fmt_sink_fn(void *ctx, const char *text, size_t len);

/* Formats to the sink; returns the number of characters produced. */
size_t fmt_vwrite(fmt_sink_fn *sink, void *ctx, const char *format, va_list args);
size_t fmt_write(fmt_sink_fn *sink, void *ctx, const char *format, ...) PRINTF_LIKE(3, 4);

/* Formats into buf, always terminated when size > 0; returns the length the whole text would have
 * (as snprintf does). */
size_t fmt_vprint(char *buf, size_t size, const char *format, va_list args);
size_t fmt_print(char *buf, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
