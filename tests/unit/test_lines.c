/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/lines.c: ordinary output comes out as it went in, and nothing that a guest prints reaches
 * the operator's terminal as a control function.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "core/lib/string.h"
#include "core/lines.h"

struct sink {
    char text[8192]; /* lines, each followed by '|' */
    size_t used;
    unsigned lines;
};

static void take(void *ctx, const char *line, size_t len)
{
    struct sink *s = ctx;
    assert_true(len <= LINE_MAX_CHARS);
    assert_int_equal(line[len], 0);
    assert_true(s->used + len + 2 < sizeof(s->text));
    memcpy(s->text + s->used, line, len);
    s->used += len;
    s->text[s->used++] = '|';
    s->text[s->used] = '\0';
    s->lines++;
}

static void feed(struct line_assembler *la, struct sink *s, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        lines_put(la, bytes[i], take, s);
}

/* What the operator sees of the bytes, flushed at the end. */
#define SEES(bytes, want)                                                                         \
    do {                                                                                          \
        struct line_assembler la;                                                                 \
        static struct sink s;                                                                     \
        memset(&s, 0, sizeof(s));                                                                 \
        lines_init(&la);                                                                          \
        feed(&la, &s, bytes, sizeof(bytes) - 1);                                                  \
        lines_flush(&la, take, &s);                                                               \
        assert_string_equal(s.text, want);                                                        \
    } while (0)

static void test_lines_and_ends(void **state)
{
    (void)state;
    SEES("", "");
    SEES("one\ntwo\n", "one|two|");
    SEES("one\r\ntwo\r\r\n", "one|two|");
    SEES("\n\n", "||");
    SEES("\r\n", "|");
    SEES("prompt> ", "prompt> |");
    SEES("a\tb\n", "a\tb|");
}

static void test_carriage_return_cannot_overwrite(void **state)
{
    (void)state;
    SEES("10%\r20%\r30%\n", "10%|20%|30%|");
    SEES("real\r[other] forged\n", "real|[other] forged|");
    SEES("\r\rtext\n", "text|");
}

static void test_controls_become_text(void **state)
{
    (void)state;
    SEES("a\bb\n", "a\\x08b|");
    SEES("\x07\x0b\x0c\x7f\n", "\\x07\\x0b\\x0c\\x7f|");
    SEES("a\0b\n", "ab|");
    SEES("back\\slash\n", "back\\slash|");
}

static void test_escape_sequences_vanish(void **state)
{
    (void)state;
    SEES("\x1b[31mred\x1b[0m\n", "red|");
    SEES("\x1b[2J\x1b[H\x1b[10;20Hx\n", "x|");
    SEES("\x1b]0;title\x07text\n", "text|");
    SEES("\x1b]0;title\x1b\\text\n", "text|");
    SEES("\x1bPq...\x1b\\text\n", "text|");
    SEES("\x1b(Bx\x1b" "cy\n", "xy|");
    SEES("a\x1b[1\x1b[2mb\n", "ab|");
}

static void test_unfinished_sequence_ends_with_the_line(void **state)
{
    (void)state;
    SEES("\x1b[1;2\nnext\n", "|next|");
    SEES("\x1b]0;never ended\nnext\n", "|next|");
    SEES("x\x1b", "x|");
}

static void test_endless_sequence_gives_up(void **state)
{
    struct line_assembler la;
    static struct sink s;
    (void)state;
    memset(&s, 0, sizeof(s));
    lines_init(&la);
    feed(&la, &s, "\x1b[", 2);
    for (int i = 0; i < 1000; i++)
        feed(&la, &s, "1", 1);
    lines_flush(&la, take, &s);
    assert_true(s.used > 700);
}

static void test_utf8(void **state)
{
    (void)state;
    SEES("gr\xc3\xbc\xc3\x9f" "e\n", "gr\xc3\xbc\xc3\x9f" "e|");
    SEES("\xe2\x82\xac \xf0\x9f\x90\xa7\n", "\xe2\x82\xac \xf0\x9f\x90\xa7|");
    SEES("\xc3x\n", "\\xc3x|");           /* cut */
    SEES("\xc3\n", "\\xc3|");
    SEES("\xc3", "\\xc3|");               /* flushed */
    SEES("\x80\xff\n", "\\x80\\xff|");    /* no lead byte */
    SEES("\xc0\x9b[2J\n", "\\xc0\\x9b[2J|"); /* overlong ESC */
    SEES("\xe0\x80\x9b\n", "\\xe0\\x80\\x9b|");
    SEES("\xf0\x80\x80\x9b\n", "\\xf0\\x80\\x80\\x9b|");
    SEES("\xed\xa0\x80\n", "\\xed\\xa0\\x80|");          /* surrogate */
    SEES("\xf4\x90\x80\x80\n", "\\xf4\\x90\\x80\\x80|"); /* above U+10FFFF */
    SEES("\xc3\xc3\xbc\n", "\\xc3\xc3\xbc|");
}

static void test_harmful_unicode(void **state)
{
    (void)state;
    SEES("\xc2\x9b" "2J\n", "\\xc2\\x9b2J|");         /* C1 CSI */
    SEES("\xe2\x80\xae" "abc\n", "\\xe2\\x80\\xaeabc|"); /* right-to-left override */
    SEES("\xe2\x80\xa8\n", "\\xe2\\x80\\xa8|");       /* line separator */
    SEES("\xe2\x81\xa7\n", "\\xe2\\x81\\xa7|");       /* isolate */
}

static void test_long_lines_are_cut(void **state)
{
    struct line_assembler la;
    static struct sink s;
    (void)state;
    memset(&s, 0, sizeof(s));
    lines_init(&la);
    for (int i = 0; i < LINE_MAX_CHARS; i++)
        feed(&la, &s, "x", 1);
    assert_int_equal(s.lines, 0);
    feed(&la, &s, "\n", 1);
    assert_int_equal(s.lines, 1); /* exactly full: no empty line behind it */
    assert_int_equal(s.used, LINE_MAX_CHARS + 1);
    for (int i = 0; i < LINE_MAX_CHARS + 1; i++)
        feed(&la, &s, "y", 1);
    assert_int_equal(s.lines, 2);
    lines_flush(&la, take, &s);
    assert_int_equal(s.lines, 3);
    lines_flush(&la, take, &s);
    assert_int_equal(s.lines, 3);
}

static void test_character_is_not_cut_at_the_edge(void **state)
{
    struct line_assembler la;
    static struct sink s;
    (void)state;
    memset(&s, 0, sizeof(s));
    lines_init(&la);
    for (int i = 0; i < LINE_MAX_CHARS - 1; i++)
        feed(&la, &s, "x", 1);
    feed(&la, &s, "\xc3\xbc\n", 3);
    assert_int_equal(s.lines, 2);
    assert_int_equal(s.text[LINE_MAX_CHARS - 1], '|');
    assert_string_equal(s.text + LINE_MAX_CHARS, "\xc3\xbc|");
}

/* Every pair and triple of bytes behind an ESC: no control byte may come out. */
static void test_no_control_byte_ever(void **state)
{
    static struct sink s;
    (void)state;
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            struct line_assembler la;
            char bytes[] = {'k', 0x1b, (char)a, (char)b, 'z', (char)b, (char)a, '\n', '\n'};
            memset(&s, 0, sizeof(s));
            lines_init(&la);
            feed(&la, &s, bytes, sizeof(bytes));
            lines_flush(&la, take, &s);
            for (size_t i = 0; i < s.used; i++) {
                unsigned char c = (unsigned char)s.text[i];
                assert_true(c >= 0x20 || c == '\t');
                assert_int_not_equal(c, 0x7f);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_and_ends),
        cmocka_unit_test(test_carriage_return_cannot_overwrite),
        cmocka_unit_test(test_controls_become_text),
        cmocka_unit_test(test_escape_sequences_vanish),
        cmocka_unit_test(test_unfinished_sequence_ends_with_the_line),
        cmocka_unit_test(test_endless_sequence_gives_up),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_harmful_unicode),
        cmocka_unit_test(test_long_lines_are_cut),
        cmocka_unit_test(test_character_is_not_cut_at_the_edge),
        cmocka_unit_test(test_no_control_byte_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
