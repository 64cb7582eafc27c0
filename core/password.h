/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console's password as the configuration keeps it: pbkdf2-sha256:ITERATIONS:SALT:HASH, salt
 * and hash in hexadecimal; `tools/plinth password` makes one. PURE.
 */
#ifndef CORE_PASSWORD_H
#define CORE_PASSWORD_H

#include "core/lib/sha256.h"

#define PASSWORD_SALT_MAX       32
#define PASSWORD_ITERATIONS_MAX 1000000

struct password {
    uint32_t iterations;
    size_t salt_len;
    uint8_t salt[PASSWORD_SALT_MAX];
    uint8_t hash[SHA256_BYTES];
};

/* False: text is no such thing. */
bool password_parse(const char *text, struct password *p);
/* Whether a finished computation gives p's hash; takes as long when it does not. */
bool password_matches(const struct password *p, const struct pbkdf2 *work);

#endif
