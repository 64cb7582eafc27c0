/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/lib/fmt.c against the C library's snprintf, which is the definition of every conversion
 * that it knows, and on its own where it differs: unknown conversions, sinks, clamped widths.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <limits.h>
#include <stdio.h>

#include "core/lib/fmt.h"
#include "core/lib/string.h"

#define SAME(...)                                                                                 \
    do {                                                                                          \
        char got[256], want[256];                                                                 \
        int n = snprintf(want, sizeof(want), __VA_ARGS__);                                        \
        memset(got, 'Z', sizeof(got));                                                            \
        assert_int_equal(fmt_print(got, sizeof(got), __VA_ARGS__), (size_t)n);                    \
        assert_string_equal(got, want);                                                           \
    } while (0)

static void test_plain_text(void **state)
{
    (void)state;
    SAME("hello");
    SAME("%s", "");
    SAME("%%|%c|%5c|%-5c|", 'a', 'b', 'c');
    SAME("%s %10s|%-10s|%.2s|%8.3s|%-8.3s|", "one", "two", "three", "four", "five", "six");
}

static void test_every_flag_on_integers(void **state)
{
    static const char *const flags[] = {"", "-", "0", "+", " ", "#", "-0", "+0", " 0", "#0", "-+",
                                        "-#"};
    static const char *const sizes[] = {"", "1", "5", "12", ".0", ".1", ".4", "9.4", "3.8", "40"};
    static const long long values[] = {0,  1,       -1,      9,        10,        255,  -256,
                                       42, INT_MAX, INT_MIN, LLONG_MAX, LLONG_MIN, 65535};
    (void)state;
    for (size_t f = 0; f < ARRAY_LEN(flags); f++)
        for (size_t s = 0; s < ARRAY_LEN(sizes); s++)
            for (size_t v = 0; v < ARRAY_LEN(values); v++) {
                char format[32];
                snprintf(format, sizeof(format), "[%%%s%slld]", flags[f], sizes[s]);
                SAME(format, values[v]);
                snprintf(format, sizeof(format), "[%%%s%sllx]", flags[f], sizes[s]);
                SAME(format, values[v]);
                snprintf(format, sizeof(format), "[%%%s%sX]", flags[f], sizes[s]);
                SAME(format, (unsigned)values[v]);
                snprintf(format, sizeof(format), "[%%%s%su]", flags[f], sizes[s]);
                SAME(format, (unsigned)values[v]);
                snprintf(format, sizeof(format), "[%%%s%sd]", flags[f], sizes[s]);
                SAME(format, (int)values[v]);
            }
}

static void test_lengths(void **state)
{
    (void)state;
    SAME("%hhd %hhu %hhx", (signed char)-1, (unsigned char)200, (unsigned char)0xab);
    SAME("%hd %hu %hx", (short)-2, (unsigned short)60000, (unsigned short)0xabcd);
    SAME("%ld %lu %lx", LONG_MIN, ULONG_MAX, 0x123456789abcdefUL);
    SAME("%lld %llu %llX", LLONG_MIN, ULLONG_MAX, 0xfedcba9876543210ULL);
    SAME("%zu %jd", (size_t)-1, (intmax_t)-7);
    SAME("%i", -12);
}

static void test_arguments_for_width_and_precision(void **state)
{
    (void)state;
    SAME("|%*d|%-*d|%*d|", 6, 1, 6, 2, -6, 3);
    SAME("|%.*s|%.*s|%.*d|", 2, "abc", -1, "abc", 5, 42);
    SAME("|%*.*x|", 10, 4, 0xabu);
}

static void test_pointer_is_hex_with_prefix(void **state)
{
    char got[64];
    (void)state;
    fmt_print(got, sizeof(got), "%p", (void *)(uintptr_t)0xdead);
    assert_string_equal(got, "0xdead");
    fmt_print(got, sizeof(got), "%p", NULL);
    assert_string_equal(got, "0x0");
}

static void test_null_string(void **state)
{
    char got[64];
    const char *volatile none = NULL;
    (void)state;
    fmt_print(got, sizeof(got), "<%s>", none);
    assert_string_equal(got, "<(null)>");
}

/* Formats that the compiler would refuse to see literally. */
static void test_unknown_conversions_stay(void **state)
{
    static const char *const formats[] = {"%", "a%", "%y", "%5q", "%-", "%l", "%.3"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        char got[32];
        const char *volatile format = formats[i];
        assert_int_equal(fmt_print(got, sizeof(got), format, 0), strlen(formats[i]));
        assert_string_equal(got, formats[i]);
    }
}

static void test_precision_bounds_unterminated_text(void **state)
{
    char text[3] = {'a', 'b', 'c'}, got[16];
    (void)state;
    fmt_print(got, sizeof(got), "%.3s", text);
    assert_string_equal(got, "abc");
}

static void test_wild_widths_are_clamped(void **state)
{
    static char got[10000];
    const char *volatile wide = "%99999d|";
    volatile int least = INT_MIN, most = INT_MAX;
    (void)state;
    assert_int_equal(fmt_print(got, sizeof(got), "%*d", least, 1), 4096);
    assert_int_equal(fmt_print(got, sizeof(got), "%*d", most, 1), 4096);
    assert_int_equal(fmt_print(got, sizeof(got), wide, 1), 4097);
    assert_string_equal(got + 4095, "1|");
    assert_int_equal(fmt_print(got, sizeof(got), "%.*s", least, "abc"), 3);
}

static void test_small_buffers(void **state)
{
    char got[8];
    (void)state;
    for (size_t size = 0; size <= 6; size++) {
        memset(got, '#', sizeof(got));
        assert_int_equal(fmt_print(got, size, "%d%s", 12, "abc"), 5);
        if (size) {
            size_t kept = size - 1 < 5 ? size - 1 : 5;
            assert_memory_equal(got, "12abc", kept);
            assert_int_equal(got[kept], 0);
        }
        assert_int_equal(got[size], '#');
    }
}

struct collected {
    char text[64];
    size_t used, calls;
};

static void collect(void *ctx, const char *text, size_t len)
{
    struct collected *c = ctx;
    assert_true(len > 0);
    assert_true(c->used + len < sizeof(c->text));
    memcpy(c->text + c->used, text, len);
    c->used += len;
    c->calls++;
}

static void test_sink_gets_pieces(void **state)
{
    struct collected c = {0};
    (void)state;
    assert_int_equal(fmt_write(collect, &c, "a%db%sc", 17, ""), 5);
    assert_string_equal(c.text, "a17bc");
    assert_int_equal(c.used, 5);
    size_t calls = c.calls;
    assert_int_equal(fmt_write(collect, &c, "%s", ""), 0);
    assert_int_equal(c.calls, calls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_text),
        cmocka_unit_test(test_every_flag_on_integers),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_arguments_for_width_and_precision),
        cmocka_unit_test(test_pointer_is_hex_with_prefix),
        cmocka_unit_test(test_null_string),
        cmocka_unit_test(test_unknown_conversions_stay),
        cmocka_unit_test(test_precision_bounds_unterminated_text),
        cmocka_unit_test(test_wild_widths_are_clamped),
        cmocka_unit_test(test_small_buffers),
        cmocka_unit_test(test_sink_gets_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
