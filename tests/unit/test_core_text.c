/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory as text: what was coded comes back, and never becomes more than it may. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "core/core_text.h"

#define N 4096

static uint8_t in[N], coded[CORE_RLE_MAX(N)], back[N];

static size_t undo(size_t n)
{
    size_t to = 0;
    for (size_t at = 0; at < n;) {
        unsigned c = coded[at++];
        unsigned count = c < 128 ? c + 1 : c - 126;
        for (unsigned i = 0; i < count; i++, to++) {
            assert_true(to < N && at < n);
            back[to] = coded[at];
            at += c < 128;
        }
        at += c >= 128;
    }
    return to;
}

static size_t round_trip(size_t n)
{
    size_t size = core_rle(in, n, coded);
    assert_true(size <= CORE_RLE_MAX(n));
    assert_int_equal(undo(size), n);
    assert_memory_equal(in, back, n);
    return size;
}

static void test_runs(void **state)
{
    (void)state;
    memset(in, 0, N);
    assert_true(round_trip(N) < N / 50);
    for (size_t i = 0; i < N; i++)
        in[i] = (uint8_t)(i * 7);
    round_trip(N); /* no run at all: the worst case */
    for (size_t i = 0; i < N; i++)
        in[i] = (uint8_t)(i / 3); /* runs of just three */
    round_trip(N);
    for (size_t n = 0; n < 300; n++)
        round_trip(n);
}

static void test_random_mixtures(void **state)
{
    uint32_t seed = 1;
    (void)state;
    for (unsigned k = 0; k < 200; k++) {
        for (size_t i = 0; i < N; i++) {
            seed = seed * 1664525 + 1013904223;
            in[i] = seed >> 30 ? 0 : (uint8_t)(seed >> 8);
        }
        round_trip(N);
    }
}

static void test_base64(void **state)
{
    static const char *const words[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=",
                                        "Zm9vYmFy"}; /* RFC 4648's own */
    char out[16];
    (void)state;
    for (size_t n = 0; n <= 6; n++) {
        size_t len = core_base64((const uint8_t *)"foobar", n, out);
        assert_int_equal(len, strlen(words[n]));
        assert_int_equal(len, CORE_BASE64_MAX(n));
        assert_memory_equal(out, words[n], len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_random_mixtures),
        cmocka_unit_test(test_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
