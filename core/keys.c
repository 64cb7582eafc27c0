/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of keys. PURE. The sequences are those of VT100's descendants, which Linux' console and
 * every terminal emulator send. Have open: ECMA-48; xterm's "Control Sequences", "PC-Style Function
 * Keys".
 */
#include "core/keys.h"

#include "core/lib/string.h"

static const struct {
    const char *name, *bytes;
} names[] = {
    {"enter", "\r"},        {"esc", "\x1b"},       {"tab", "\t"},         {"space", " "},
    {"backspace", "\x7f"},  {"delete", "\x1b[3~"}, {"insert", "\x1b[2~"}, {"up", "\x1b[A"},
    {"down", "\x1b[B"},     {"right", "\x1b[C"},   {"left", "\x1b[D"},    {"home", "\x1b[H"},
    {"end", "\x1b[F"},      {"pageup", "\x1b[5~"}, {"pagedown", "\x1b[6~"},
    {"f1", "\x1bOP"},       {"f2", "\x1bOQ"},      {"f3", "\x1bOR"},      {"f4", "\x1bOS"},
    {"f5", "\x1b[15~"},     {"f6", "\x1b[17~"},    {"f7", "\x1b[18~"},    {"f8", "\x1b[19~"},
    {"f9", "\x1b[20~"},     {"f10", "\x1b[21~"},   {"f11", "\x1b[23~"},   {"f12", "\x1b[24~"},
};

/* "ctrl-c": the letter, or one of [ \ ] ^ _, without its upper bits. */
static bool control(const char *word, char *byte)
{
    char c = str_starts(word, "ctrl-") ? word[5] : '\0';
    bool fits = (c >= 'a' && c <= 'z') || (c >= '[' && c <= '_');
    *byte = c & 0x1f;
    return fits && !word[6];
}

bool keys_add(struct keys *k, const char *word)
{
    char byte[2] = "";
    const char *bytes = word;
    if (str_eq(word, "break")) {
        if (k->n == KEYS_MAX)
            return false;
        k->code[k->n++] = KEY_BREAK;
        return true;
    }
    if (control(word, byte))
        bytes = byte;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(word, names[i].name))
            bytes = names[i].bytes;
    size_t n = strlen(bytes);
    if (n > KEYS_MAX - k->n)
        return false;
    for (size_t i = 0; i < n; i++)
        k->code[k->n++] = (uint8_t)bytes[i];
    return true;
}

void keys_drop(struct keys *k, unsigned n)
{
    k->n -= n;
    memmove(k->code, k->code + n, k->n * sizeof(k->code[0]));
}
