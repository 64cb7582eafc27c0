/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SHA-256, and PBKDF2 with HMAC-SHA-256 in steps, so that nobody waits for it. NIST FIPS 180-4
 * (Secure Hash Standard); RFC 2104 (HMAC); RFC 8018 (PKCS #5, PBKDF2).
 */
#ifndef CORE_LIB_SHA256_H
#define CORE_LIB_SHA256_H

#include "core/lib/bits.h"

#define SHA256_BYTES 32
#define SHA256_BLOCK 64

struct sha256 {
    uint32_t h[8];
    uint64_t bytes;
    uint8_t block[SHA256_BLOCK];
};

void sha256_init(struct sha256 *s);
void sha256_update(struct sha256 *s, const void *data, size_t n);
void sha256_final(struct sha256 *s, uint8_t digest[SHA256_BYTES]);

struct pbkdf2 {
    struct sha256 inner, outer;  /* behind their first blocks: the key */
    uint8_t u[SHA256_BYTES];     /* of the last iteration */
    uint8_t key[SHA256_BYTES];   /* the result, once all are done */
    uint32_t left;               /* iterations */
};

/* One block of output, 32 bytes; iterations > 0. */
void pbkdf2_begin(struct pbkdf2 *p, const void *password, size_t password_len, const void *salt,
                  size_t salt_len, uint32_t iterations);
/* At most n iterations more. True: p->key is there. */
bool pbkdf2_step(struct pbkdf2 *p, uint32_t n);

#endif
