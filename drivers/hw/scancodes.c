/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of keys and the state of the modifiers. PURE.
 */
#include "drivers/hw/scancodes.h"

#include "core/lib/string.h"

#define RELEASED      0x80
#define EXTENDED      0xe0
#define PAUSE         0xe1
#define PAUSE_CODES   5    /* behind E1; all together is one key */
#define KEY_CTRL      0x1d
#define KEY_LSHIFT    0x2a
#define KEY_RSHIFT    0x36
#define KEY_ALT       0x38
#define KEY_CAPS      0x3a

/* By code: alone, with Shift. 0: nothing, or a row of the tables below. */
static const char plain[] =
    "\0\x1b" "1234567890-=\x7f\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[] =
    "\0\x1b" "!@#$%^&*()_+\x7f\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";
_Static_assert(sizeof(plain) == 0x3a + 1 && sizeof(shifted) == sizeof(plain), "codes 0 to 39h");

static const struct {
    uint8_t code;
    const char *bytes;
} sequences[] = {
    {0x47, "\x1b[H"},  {0x48, "\x1b[A"},  {0x49, "\x1b[5~"}, {0x4b, "\x1b[D"}, {0x4d, "\x1b[C"},
    {0x4f, "\x1b[F"},  {0x50, "\x1b[B"},  {0x51, "\x1b[6~"}, {0x52, "\x1b[2~"}, {0x53, "\x1b[3~"},
    {0x4a, "-"},       {0x4e, "+"},
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void modifier(struct scancodes *s, uint8_t key, bool down)
{
    if (key == KEY_CTRL)
        s->ctrl = down;
    else if (key == KEY_ALT)
        s->alt = down;
    else if (key == KEY_LSHIFT)
        s->left_shift = down;
    else if (key == KEY_RSHIFT)
        s->right_shift = down;
    else if (key == KEY_CAPS && down)
        s->caps = !s->caps;
}

static char character(const struct scancodes *s, uint8_t key, bool extended)
{
    if (extended)
        return key == 0x1c ? '\r' : key == 0x35 ? '/' : '\0'; /* of the keypad */
    if (key >= sizeof(plain) - 1)
        return '\0';
    bool shift = s->left_shift || s->right_shift;
    if (is_letter(plain[key]))
        shift ^= s->caps;
    char c = shift ? shifted[key] : plain[key];
    bool has_control = is_letter(c) || (c >= '[' && c <= '_');
    return s->ctrl && has_control ? c & 0x1f : c;
}

static size_t put(char *to, const char *bytes)
{
    size_t n = strlen(bytes);
    memcpy(to, bytes, n);
    return n;
}

static size_t pressed(const struct scancodes *s, uint8_t key, bool extended, char *bytes)
{
    size_t n = 0;
    char c = character(s, key, extended);
    if (c && s->alt)
        bytes[n++] = 0x1b; /* as terminals show Alt */
    if (c)
        bytes[n++] = c;
    for (size_t i = 0; !c && i < ARRAY_LEN(sequences); i++)
        if (sequences[i].code == key)
            n = put(bytes, sequences[i].bytes);
    return n;
}

size_t scancodes_take(struct scancodes *s, uint8_t code, char bytes[SCANCODES_MAX])
{
    if (s->skip) {
        s->skip--;
        return 0;
    }
    if (code == EXTENDED || code == PAUSE) {
        s->extended = code == EXTENDED;
        s->skip = code == PAUSE ? PAUSE_CODES : 0;
        return 0;
    }
    bool extended = s->extended, down = !(code & RELEASED);
    uint8_t key = code & (uint8_t)~RELEASED;
    s->extended = false;
    /* E0 2A and its like are shifts that the keyboard makes up around the cursor keys. */
    if (!extended || key == KEY_CTRL || key == KEY_ALT)
        modifier(s, key, down);
    return down ? pressed(s, key, extended, bytes) : 0;
}
