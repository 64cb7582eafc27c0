/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The JSON writer: commas where they belong, any text escaped, and lines that break only in front
 * of an object or a key.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "core/lib/json.h"
#include "core/lib/string.h"

static char text[8192];
static size_t used;

static void sink(void *ctx, const char *piece, size_t n)
{
    (void)ctx;
    assert_true(used + n < sizeof(text));
    memcpy(text + used, piece, n);
    used += n;
    text[used] = '\0';
}

static struct json begin(void)
{
    struct json j;
    used = 0;
    json_begin(&j, sink, NULL);
    return j;
}

static void test_an_empty_answer_is_an_empty_object(void **state)
{
    struct json j = begin();
    (void)state;
    json_finish(&j);
    assert_string_equal(text, "{}\n");
}

static void test_commas_stand_between_values_only(void **state)
{
    struct json j = begin();
    (void)state;
    json_array(&j, "a");
    json_array_end(&j);
    json_array(&j, "b");
    json_u64(&j, NULL, 1);
    json_object(&j, NULL);
    json_bool(&j, "x", true);
    json_null(&j, "y");
    json_object_end(&j);
    json_i64(&j, NULL, -3);
    json_array_end(&j);
    json_hex(&j, "c", UINT64_MAX);
    json_finish(&j);
    assert_string_equal(text, "{\"a\":[],\"b\":[1,{\"x\":true,\"y\":null},-3],"
                              "\"c\":\"0xffffffffffffffff\"}\n");
}

static void test_any_byte_of_a_text_is_legal(void **state)
{
    struct json j = begin();
    (void)state;
    json_text(&j, "t", "a\"b\\c\n\x1b\x7f\xff");
    json_finish(&j);
    assert_string_equal(text, "{\"t\":\"a\\\"b\\\\c\\u000a\\u001b\\u007f\\u00ff\"}\n");
}

static void test_numbers_are_whole(void **state)
{
    struct json j = begin();
    (void)state;
    json_u64(&j, "u", UINT64_MAX);
    json_i64(&j, "i", INT64_MIN);
    json_finish(&j);
    assert_string_equal(text, "{\"u\":18446744073709551615,\"i\":-9223372036854775808}\n");
}

static void test_lines_break_and_begin_with_a_quote_or_a_brace(void **state)
{
    struct json j = begin();
    (void)state;
    json_array(&j, "list");
    for (unsigned i = 0; i < 40; i++) {
        json_object(&j, NULL);
        json_text(&j, "name", "something that takes room");
        json_array(&j, "numbers");
        for (unsigned k = 0; k < 5; k++)
            json_u64(&j, NULL, 1000000 * k);
        json_array_end(&j);
        json_object_end(&j);
    }
    json_array_end(&j);
    json_finish(&j);
    unsigned lines = 0;
    for (const char *at = text; *at; lines++) {
        const char *end = strchr(at, '\n');
        assert_non_null(end);
        assert_true(*at == '"' || *at == '{');
        assert_true(end - at < 256);
        at = end + 1;
    }
    assert_in_range(lines, 20, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_answer_is_an_empty_object),
        cmocka_unit_test(test_commas_stand_between_values_only),
        cmocka_unit_test(test_any_byte_of_a_text_is_legal),
        cmocka_unit_test(test_numbers_are_whole),
        cmocka_unit_test(test_lines_break_and_begin_with_a_quote_or_a_brace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
