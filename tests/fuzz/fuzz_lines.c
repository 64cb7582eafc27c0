/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest prints, as lines: no control byte but tab comes out, nothing but whole UTF-8
 * characters, no line is too long; and the text of one hypercall never becomes more bytes on the
 * console than core/console_output.c makes sure of before it.
 */
#include <stdlib.h>

#include "core/abi/plinth.h"
#include "core/lib/string.h"
#include "core/lines.h"

#define PREFIX      36    /* "[NAME] " and CR LF, the name being as long as it may */
#define ROOM_NEEDED 45056 /* core/console_output.c */

static size_t written;

static void check(bool ok)
{
    if (!ok)
        abort();
}

/* Bytes of the character at p, of at most n; 0: it is none, or a control. */
static unsigned character(const uint8_t *p, size_t n)
{
    unsigned len = *p < 0x80 ? 1 : *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
    if (len == 1)
        return *p == '\t' || (*p >= 0x20 && *p != 0x7f);
    if (*p < 0xc2 || *p > 0xf4 || len > n || (*p == 0xc2 && p[1] < 0xa0))
        return 0;
    for (unsigned i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

static void emit(void *ctx, const char *line, size_t len)
{
    (void)ctx;
    check(len <= LINE_MAX_CHARS && line[len] == '\0');
    written += len + PREFIX;
    for (size_t at = 0, n; at < len; at += n) {
        n = character((const uint8_t *)line + at, len - at);
        check(n != 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct line_assembler la;
    lines_init(&la);
    for (size_t at = 0; at < size; at += PLINTH_CONSOLE_MAX) {
        written = 0;
        for (size_t i = at; i < size && i < at + PLINTH_CONSOLE_MAX; i++)
            lines_put(&la, (char)data[i], emit, NULL);
        check(written <= ROOM_NEEDED - PREFIX);
    }
    lines_flush(&la, emit, NULL);
    return 0;
}
