/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SHA-256 and PBKDF2-HMAC-SHA-256, straight from the standards. PURE.
 */
#include "core/lib/sha256.h"

#include "core/lib/string.h"

static const uint32_t k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, unsigned n)
{
    return x >> n | x << (32 - n);
}

static void compress(uint32_t h[8], const uint8_t *block)
{
    uint32_t w[64], v[8];
    for (unsigned i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (unsigned i = 16; i < 64; i++)
        w[i] = w[i - 16] + w[i - 7] +
               (rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3) +
               (rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10);
    memcpy(v, h, sizeof(v));
    for (unsigned i = 0; i < 64; i++) {
        uint32_t a = v[0], e = v[4];
        uint32_t t1 = v[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +
                      ((e & v[5]) ^ (~e & v[6])) + k[i] + w[i];
        uint32_t t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) +
                      ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof(v[0]));
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (unsigned i = 0; i < 8; i++)
        h[i] += v[i];
}

void sha256_init(struct sha256 *s)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(s->h, start, sizeof(start));
    s->bytes = 0;
}

void sha256_update(struct sha256 *s, const void *data, size_t n)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < n; i++) {
        s->block[s->bytes++ % SHA256_BLOCK] = p[i];
        if (s->bytes % SHA256_BLOCK == 0)
            compress(s->h, s->block);
    }
}

void sha256_final(struct sha256 *s, uint8_t digest[SHA256_BYTES])
{
    uint64_t bits = s->bytes * 8;
    uint8_t pad = 0x80, length[8];
    sha256_update(s, &pad, 1);
    for (pad = 0; s->bytes % SHA256_BLOCK != SHA256_BLOCK - 8;)
        sha256_update(s, &pad, 1);
    for (unsigned i = 0; i < 8; i++)
        length[i] = (uint8_t)(bits >> (56 - 8 * i));
    sha256_update(s, length, 8);
    for (unsigned i = 0; i < SHA256_BYTES; i++)
        digest[i] = (uint8_t)(s->h[i / 4] >> (24 - 8 * (i % 4)));
}

/* --- PBKDF2 --- */

/* HMAC of data under p's key. */
static void hmac(const struct pbkdf2 *p, const void *a, size_t a_len, const void *b, size_t b_len,
                 uint8_t digest[SHA256_BYTES])
{
    struct sha256 s = p->inner;
    sha256_update(&s, a, a_len);
    sha256_update(&s, b, b_len);
    sha256_final(&s, digest);
    s = p->outer;
    sha256_update(&s, digest, SHA256_BYTES);
    sha256_final(&s, digest);
}

void pbkdf2_begin(struct pbkdf2 *p, const void *password, size_t password_len, const void *salt,
                  size_t salt_len, uint32_t iterations)
{
    static const uint8_t first_block[4] = {0, 0, 0, 1};
    uint8_t key[SHA256_BLOCK] = {0};
    if (password_len > SHA256_BLOCK) {
        sha256_init(&p->inner);
        sha256_update(&p->inner, password, password_len);
        sha256_final(&p->inner, key);
    } else {
        memcpy(key, password, password_len);
    }
    for (unsigned i = 0; i < SHA256_BLOCK; i++)
        key[i] ^= 0x36;
    sha256_init(&p->inner);
    sha256_update(&p->inner, key, SHA256_BLOCK);
    for (unsigned i = 0; i < SHA256_BLOCK; i++)
        key[i] ^= 0x36 ^ 0x5c;
    sha256_init(&p->outer);
    sha256_update(&p->outer, key, SHA256_BLOCK);
    hmac(p, salt, salt_len, first_block, sizeof(first_block), p->u);
    memcpy(p->key, p->u, SHA256_BYTES);
    p->left = iterations - 1;
}

bool pbkdf2_step(struct pbkdf2 *p, uint32_t n)
{
    for (; n && p->left; n--, p->left--) {
        hmac(p, p->u, SHA256_BYTES, NULL, 0, p->u);
        for (unsigned i = 0; i < SHA256_BYTES; i++)
            p->key[i] ^= p->u[i];
    }
    return !p->left;
}
