/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/lib/sha256.c against published vectors (FIPS 180-4's examples, RFC 7914's for PBKDF2), and
 * core/password.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "core/password.h"

static const char *hex(const uint8_t *bytes, size_t n)
{
    static char text[129];
    for (size_t i = 0; i < n; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    return text;
}

static const char *digest(const void *data, size_t n)
{
    struct sha256 s;
    uint8_t out[SHA256_BYTES];
    sha256_init(&s);
    for (size_t i = 0; i < n; i += 7)
        sha256_update(&s, (const char *)data + i, n - i < 7 ? n - i : 7);
    sha256_final(&s, out);
    return hex(out, sizeof(out));
}

static void sha256_vectors(void **state)
{
    (void)state;
    static char million[1000000];
    assert_string_equal(digest("", 0),
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_string_equal(digest("abc", 3),
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_string_equal(digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56),
                        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    memset(million, 'a', sizeof(million));
    assert_string_equal(digest(million, sizeof(million)),
                        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void pbkdf2_vectors(void **state)
{
    (void)state;
    struct pbkdf2 p;
    pbkdf2_begin(&p, "passwd", 6, "salt", 4, 1);
    assert_true(pbkdf2_step(&p, 1));
    assert_string_equal(hex(p.key, 32),
                        "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
    pbkdf2_begin(&p, "Password", 8, "NaCl", 4, 80000);
    unsigned steps = 1;
    while (!pbkdf2_step(&p, 1000))
        steps++;
    assert_int_equal(steps, 80);
    assert_string_equal(hex(p.key, 32),
                        "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56");
}

#define HASH "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"

static void stored_form(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "secret", "pbkdf2-sha256:", "pbkdf2-sha256:0:00:" HASH,
        "pbkdf2-sha256:1000001:00:" HASH,
        "pbkdf2-sha256:99999999999999999999:00:" HASH, "pbkdf2-sha256:1::" HASH,
        "pbkdf2-sha256:1:0:" HASH, "pbkdf2-sha256:1:0g:" HASH, "pbkdf2-sha256:1:00:" HASH "00",
        "pbkdf2-sha256:1:00:" HASH "x", "pbkdf2-sha256:1:00:00", "pbkdf2-sha256:1:00",
        "pbkdf2-sha256:1:" HASH "00:" HASH, "pbkdf2-sha1:1:00:" HASH};
    struct password p;
    struct pbkdf2 work;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(password_parse(bad[i], &p));
    assert_true(password_parse("pbkdf2-sha256:1:73616c74:" HASH, &p));
    assert_int_equal(p.iterations, 1);
    assert_int_equal(p.salt_len, 4);
    pbkdf2_begin(&work, "passwd", 6, p.salt, p.salt_len, p.iterations);
    assert_true(pbkdf2_step(&work, 1) && password_matches(&p, &work));
    pbkdf2_begin(&work, "passwe", 6, p.salt, p.salt_len, p.iterations);
    assert_true(pbkdf2_step(&work, 1) && !password_matches(&p, &work));
    char lengthy[200];
    memset(lengthy, 'x', sizeof(lengthy));
    pbkdf2_begin(&work, lengthy, sizeof(lengthy), p.salt, p.salt_len, 2);
    assert_true(pbkdf2_step(&work, 5) && !password_matches(&p, &work));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sha256_vectors),
                                       cmocka_unit_test(pbkdf2_vectors),
                                       cmocka_unit_test(stored_form)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
