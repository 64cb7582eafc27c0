/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/lib/string.c under other names beside the C library's, which is what it is compared with.
 * Buffers come from the heap in the exact size, so that ASan sees a word too far.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define memcpy  pl_memcpy
#define memmove pl_memmove
#define memset  pl_memset
#define memcmp  pl_memcmp
#define memchr  pl_memchr
#define strlen  pl_strlen
#define strcmp  pl_strcmp
#define strncmp pl_strncmp
#define strchr  pl_strchr
#include "core/lib/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strcmp
#undef strncmp
#undef strchr

#define LEN 40

static int sign(int v)
{
    return (v > 0) - (v < 0);
}

static void fill(unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (unsigned char)(i * 7 + 1);
}

static void test_memcpy_all_lengths(void **state)
{
    (void)state;
    for (size_t n = 0; n <= LEN; n++) {
        unsigned char *src = malloc(n + 1), *dst = malloc(n + 1);
        fill(src, n + 1);
        src[n] = 0xee;
        dst[n] = 0x11;
        assert_ptr_equal(pl_memcpy(dst, src, n), dst);
        assert_memory_equal(dst, src, n);
        assert_int_equal(dst[n], 0x11);
        free(src);
        free(dst);
    }
}

static void test_memcpy_exact_bounds(void **state)
{
    (void)state;
    for (size_t n = 1; n <= LEN; n++) {
        unsigned char *src = malloc(n), *dst = malloc(n);
        fill(src, n);
        pl_memcpy(dst, src, n);
        assert_memory_equal(dst, src, n);
        free(src);
        free(dst);
    }
}

static void test_memmove_every_overlap(void **state)
{
    (void)state;
    for (size_t from = 0; from < LEN; from++)
        for (size_t to = 0; to < LEN; to++)
            for (size_t n = 0; n <= LEN - (from > to ? from : to); n++) {
                unsigned char got[LEN], want[LEN];
                fill(got, LEN);
                fill(want, LEN);
                assert_ptr_equal(pl_memmove(got + to, got + from, n), got + to);
                memmove(want + to, want + from, n);
                assert_memory_equal(got, want, LEN);
            }
}

static void test_memset(void **state)
{
    (void)state;
    for (size_t n = 0; n <= LEN; n++) {
        unsigned char got[LEN + 1], want[LEN + 1];
        fill(got, sizeof(got));
        fill(want, sizeof(want));
        assert_ptr_equal(pl_memset(got, 0x1a5, n), got); /* only the low byte counts */
        memset(want, 0xa5, n);
        assert_memory_equal(got, want, sizeof(got));
    }
}

static void test_memcmp(void **state)
{
    (void)state;
    assert_int_equal(pl_memcmp("a", "b", 0), 0);
    assert_int_equal(pl_memcmp("abc\0d", "abc\0d", 5), 0);
    assert_true(pl_memcmp("abc\0d", "abc\0e", 5) < 0);
    assert_true(pl_memcmp("\xff", "\x01", 1) > 0); /* bytes are unsigned */
}

static void test_memchr(void **state)
{
    static const char s[] = "abca";
    (void)state;
    assert_ptr_equal(pl_memchr(s, 'a', 4), s);
    assert_ptr_equal(pl_memchr(s, 'c', 4), s + 2);
    assert_null(pl_memchr(s, 'c', 2));
    assert_ptr_equal(pl_memchr(s, 0, 5), s + 4);
    assert_null(pl_memchr(s, 'a', 0));
    assert_ptr_equal(pl_memchr(s, 'b' + 256, 4), s + 1);
}

static void test_strings_like_libc(void **state)
{
    static const char *const words[] = {"", "a", "ab", "abc", "abd", "b", "\xff", "\x7f", "abcabc"};
    (void)state;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        assert_int_equal(pl_strlen(words[i]), strlen(words[i]));
        for (int c = 0; c < 256; c++)
            assert_ptr_equal(pl_strchr(words[i], c), strchr(words[i], c));
        for (size_t j = 0; j < sizeof(words) / sizeof(words[0]); j++) {
            assert_int_equal(sign(pl_strcmp(words[i], words[j])), sign(strcmp(words[i], words[j])));
            for (size_t n = 0; n < 8; n++)
                assert_int_equal(sign(pl_strncmp(words[i], words[j], n)),
                                 sign(strncmp(words[i], words[j], n)));
        }
    }
}

static void test_strncmp_reads_no_further(void **state)
{
    char *a = malloc(2), *b = malloc(2);
    (void)state;
    a[0] = b[0] = 'x';
    a[1] = b[1] = 'y';
    assert_int_equal(pl_strncmp(a, b, 2), 0);
    free(a);
    free(b);
}

static void test_str_copy(void **state)
{
    char dst[4];
    (void)state;
    assert_true(str_copy(dst, sizeof(dst), "abc"));
    assert_string_equal(dst, "abc");
    assert_false(str_copy(dst, sizeof(dst), "abcd"));
    assert_string_equal(dst, "abc");
    assert_false(str_copy(dst, 1, "a"));
    assert_string_equal(dst, "");
}

static void test_str_helpers(void **state)
{
    (void)state;
    assert_true(str_eq("x", "x"));
    assert_false(str_eq("x", "xy"));
    assert_true(str_starts("console=com1", "console="));
    assert_true(str_starts("x", ""));
    assert_false(str_starts("con", "console"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memcpy_all_lengths),
        cmocka_unit_test(test_memcpy_exact_bounds),
        cmocka_unit_test(test_memmove_every_overlap),
        cmocka_unit_test(test_memset),
        cmocka_unit_test(test_memcmp),
        cmocka_unit_test(test_memchr),
        cmocka_unit_test(test_strings_like_libc),
        cmocka_unit_test(test_strncmp_reads_no_further),
        cmocka_unit_test(test_str_copy),
        cmocka_unit_test(test_str_helpers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
