/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stored form of a password. PURE.
 */
#include "core/password.h"

#include "core/lib/string.h"

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Whole bytes up to `end`, which is skipped; returns how many, 0 for a mistake. */
static size_t take_hex(const char **text, char end, uint8_t *out, size_t size)
{
    const char *s = *text;
    size_t n = 0;
    for (; hex_digit(s[0]) >= 0; s += 2) {
        if (n == size || hex_digit(s[1]) < 0)
            return 0;
        out[n++] = (uint8_t)(hex_digit(s[0]) << 4 | hex_digit(s[1]));
    }
    if (*s != end)
        return 0;
    *text = s + 1;
    return n;
}

bool password_parse(const char *text, struct password *p)
{
    static const char scheme[] = "pbkdf2-sha256:";
    if (!str_starts(text, scheme))
        return false;
    text += sizeof(scheme) - 1;
    for (p->iterations = 0; *text >= '0' && *text <= '9'; text++) {
        p->iterations = p->iterations * 10 + (uint32_t)(*text - '0');
        if (p->iterations > PASSWORD_ITERATIONS_MAX)
            return false;
    }
    if (!p->iterations || *text++ != ':')
        return false;
    p->salt_len = take_hex(&text, ':', p->salt, sizeof(p->salt));
    return p->salt_len && take_hex(&text, '\0', p->hash, sizeof(p->hash)) == SHA256_BYTES;
}

bool password_matches(const struct password *p, const struct pbkdf2 *work)
{
    uint8_t differ = 0;
    for (unsigned i = 0; i < SHA256_BYTES; i++)
        differ |= p->hash[i] ^ work->key[i];
    return !differ;
}
