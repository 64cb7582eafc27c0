/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/lineedit.c and lineedit_keys.c: every key, and that a terminal shows what the editor thinks
 * it shows: wide ones, narrow ones, dumb ones.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "core/lineedit.h"
#include "tests/unit/terminal.h"

static struct lineedit e;
static struct terminal t;

static bool candidates(const char *text, unsigned i, char *word)
{
    static const char *const all[] = {"help ", "log ", "vm list ", "vm listen ", "vm show "};
    for (unsigned k = 0; k < 5; k++) {
        if (strncmp(all[k], text, strlen(text)) != 0)
            continue;
        const char *begin = strrchr(text, ' ') ? all[k] + (strrchr(text, ' ') + 1 - text) : all[k];
        size_t n = strchr(begin, ' ') - begin + 1u;
        if (i--)
            continue;
        memcpy(word, begin, n);
        word[n] = '\0';
        return true;
    }
    return false;
}

static void begin(unsigned width, bool dumb)
{
    terminal_init(&t, width, dumb);
    memset(&e, 0xa5, sizeof(e));
    e.sink = terminal_sink;
    e.ctx = &t;
    e.prompt = "> ";
    e.complete = candidates;
    e.dumb = dumb;
    e.width = width;
    e.secret = false;
    lineedit_init(&e);
}

static enum lineedit_result keys(const char *k)
{
    enum lineedit_result r = LINEEDIT_MORE;
    for (; *k; k++)
        r = lineedit_key(&e, *k);
    return r;
}

/* The row, with | where the cursor is (ASCII only). */
static void check_row(const char *want, int line)
{
    char row[4096], with[4100];
    terminal_row(&t, row);
    size_t n = strlen(row);
    while (n < t.at)
        row[n++] = ' ';
    row[n] = '\0';
    snprintf(with, sizeof(with), "%.*s|%s", (int)t.at, row, row + t.at);
    if (strcmp(with, want) != 0)
        fail_msg("line %d: the terminal shows '%s', not '%s'", line, with, want);
}
#define ROW(want) check_row(want, __LINE__)

/* Both kinds of terminals. */
#define SHOWS(typed, want)                                                                        \
    do {                                                                                          \
        for (int dumb = 0; dumb < 2; dumb++) {                                                    \
            begin(80, dumb);                                                                      \
            keys(typed);                                                                          \
            ROW(want);                                                                            \
        }                                                                                         \
    } while (0)

static void takes(const char *typed, const char *want)
{
    assert_int_equal(keys(typed), LINEEDIT_LINE);
    assert_string_equal(e.text, want);
    lineedit_next(&e);
}

static void moving_and_deleting(void **state)
{
    (void)state;
    SHOWS("abc", "> abc|");
    SHOWS("abc\x1b[D", "> ab|c");
    SHOWS("abc\x1b[D\x1b[Dx", "> ax|bc");
    SHOWS("abc\x02\x02\x06", "> ab|c");
    SHOWS("abc\x01x", "> x|abc");
    SHOWS("abc\x1b[Hx\x1b[Fy", "> xabcy|");
    SHOWS("abc\x1bOHx\x1bOFy", "> xabcy|");
    SHOWS("abc\x1b[1~x\x1b[4~y\x1b[7~z\x1b[8~", "> zxabcy|");
    SHOWS("abc\x01\x1b[3~", "> |bc");
    SHOWS("abc\x01\x04", "> |bc");
    SHOWS("abc\x04", "> abc|");
    SHOWS("abc\b", "> ab|");
    SHOWS("abc\x7f\x7f\x7f\x7f\x7f", "> |");
    SHOWS("abc\x1b[D\b", "> a|c");
    SHOWS("abc\x01\x06\x0b", "> a|");
    SHOWS("abc\x01\x06\x15", "> |bc");
    SHOWS("one two  \x17", "> one |");
    SHOWS("one two\x17\x17", "> |");
    SHOWS("one two\x17\x01\x19 ", "> two |one");
    SHOWS("abcd\x14", "> abdc|");
    SHOWS("abcd\x01\x06\x14", "> ba|cd");
    SHOWS("a\x14", "> a|");
    SHOWS("one two\x1b" "bx", "> one x|two");
    SHOWS("one two\x01\x1b" "fx", "> onex| two");
    SHOWS("one two\x01\x1b" "d", "> | two");
    SHOWS("one two\x1b[1;5Dx", "> one x|two");
    SHOWS("one two\x01\x1b[1;5Cx", "> onex| two");
    SHOWS("a\x0c" "b", "> ab|");
    SHOWS("a\x1b[24~\x1b[15;2~\x1bOP\x00" "b", "> a|");
    SHOWS("ab\x1b[999999999999999999;1;2;3;4C", "> ab|");
}

static void characters(void **state)
{
    (void)state;
    begin(80, false);
    takes("gr\xc3\xbc\xc3\x9f\x02\x02\b\r", "g\xc3\xbc\xc3\x9f");
    takes("\xe6\x97\xa5\xe6\x9c\xac\x02x\r", "\xe6\x97\xa5x\xe6\x9c\xac");
    assert_string_equal(t.last, "> \xe6\x97\xa5x\xe6\x9c\xac");
    takes("\xf0\x9f\x98\x80\x02\x06!\r", "\xf0\x9f\x98\x80!");
    takes("\xe6\x97\xa5\xc3\xbc\x14\r", "\xc3\xbc\xe6\x97\xa5");
    /* No UTF-8: too long, surrogates, beyond the end, tails alone, C1 controls, cut short. */
    takes("a\xc0\x80\xe0\x80\x80\xed\xa0\x80\xf4\x90\x80\x80\x80\xbf\xc2\x9b\xff" "b\r", "ab");
    takes("a\xe6\x97" "b\r", "ab");
}

static void history(void **state)
{
    (void)state;
    begin(80, false);
    takes("one\r", "one");
    takes("two\r", "two");
    assert_int_equal(keys("\n"), LINEEDIT_MORE); /* belongs to the CR */
    takes("\r", "");
    takes("one\n", "one"); /* moves to the end */
    takes("\x1b[A\r", "one");
    takes("\x10\x10\r", "two");
    keys("dra\x1b[D");
    keys("\x1b[A\x1b[A");
    ROW("> one|");
    assert_int_equal(t.bells, 0);
    keys("\x1b[A");
    assert_int_equal(t.bells, 1);
    keys("\x0e\x1b[B");
    ROW("> dra|");
    keys("\x0e");
    assert_int_equal(t.bells, 2);
    takes("\x15\x10 2\r", "two 2");
    assert_int_equal(keys("x\x03"), LINEEDIT_CANCEL);
    assert_string_equal(t.last, "> x^C");
    takes("\x10\r", "two 2");
}

static void history_is_bounded(void **state)
{
    (void)state;
    begin(80, false);
    char text[32];
    for (int i = 0; i < 3000; i++) {
        snprintf(text, sizeof(text), "line %d\r", i);
        assert_int_equal(keys(text), LINEEDIT_LINE);
        lineedit_next(&e);
        assert_true(e.history_used <= LINEEDIT_HISTORY);
    }
    takes("\x10\x10\r", "line 2998");
    for (int i = 0; i < 2000; i++)
        keys("\x10");
    assert_true(t.bells > 0);
    assert_int_equal(strncmp(e.text, "line ", 5), 0);
}

static void searching(void **state)
{
    (void)state;
    begin(80, false);
    takes("vm list\r", "vm list");
    takes("help\r", "help");
    takes("vm show debian\r", "vm show debian");
    keys("\x12");
    ROW("find : |");
    keys("vm");
    ROW("find vm: vm show debian|");
    keys("\x12");
    ROW("find vm: vm list|");
    takes("\r", "vm list");
    keys("abc\x12he");
    ROW("find he: help|");
    keys("\x07");
    ROW("> abc|");
    keys("\x12zzz");
    assert_int_equal(t.bells, 3);
    keys("\b\b\b\b");
    ROW("> abc|");
    takes("\x15\x12sh\x1b[Dx\r", "vm show debiaxn");
}

static void completion(void **state)
{
    (void)state;
    begin(80, false);
    keys("h\t");
    ROW("> help |");
    keys("\x15v\t");
    ROW("> vm |");
    keys("l\t");
    ROW("> vm list|");
    assert_int_equal(t.bells, 0);
    keys("\t");
    assert_int_equal(t.bells, 1);
    keys("\t");
    assert_string_equal(t.last, "  list   listen");
    ROW("> vm list|");
    keys("e\t");
    ROW("> vm listen |");
    keys("\x15nothing\t\t\t");
    ROW("> nothing|");
    assert_int_equal(t.bells, 4);
}

static void long_lines(void **state)
{
    (void)state;
    for (int dumb = 0; dumb < 2; dumb++) {
        begin(20, dumb);
        keys("0123456789abcdefghijklmnopqrstuvwxyz");
        assert_true(t.at < 20);
        keys("\x01");
        ROW("> |0123456789abcdef>");
        keys("\x05");
        assert_true(t.at >= 8 && t.cell[t.at - 1] == 'z' && t.cell[2] == '<');
        for (int i = 0; i < 30; i++)
            keys("\x02");
        assert_int_equal(t.cell[t.at], '6');
        takes("\r", "0123456789abcdefghijklmnopqrstuvwxyz");
        /* More than fits is dropped, and what fits stays. */
        for (int i = 0; i < 3000; i++)
            keys("x");
        assert_int_equal(keys("\r"), LINEEDIT_LINE);
        assert_int_equal(strlen(e.text), LINEEDIT_MAX - 1);
        lineedit_next(&e);
    }
}

static void others_write_in_between(void **state)
{
    (void)state;
    for (int dumb = 0; dumb < 2; dumb++) {
        begin(80, dumb);
        keys("abc\x02");
        lineedit_hide(&e);
        ROW("|");
        lineedit_hide(&e);
        terminal_sink(&t, "a line\n", 7);
        assert_string_equal(t.last, "a line");
        lineedit_show(&e);
        lineedit_show(&e);
        ROW("> ab|c");
    }
}

static void secrets(void **state)
{
    (void)state;
    begin(80, false);
    takes("public\r", "public");
    e.secret = true;
    e.prompt = "password: ";
    keys("geheim\x02\x06\x1b[A\x10\x12\t");
    ROW("password: |");
    takes("\r", "geheim");
    e.secret = false;
    e.prompt = "> ";
    takes("\x10\r", "public");
    takes("\x19x\r", "x");
}

static void size_reports(void **state)
{
    (void)state;
    begin(80, false);
    keys("ab");
    assert_int_equal(keys("\x1b[43;132R"), LINEEDIT_SIZE);
    assert_int_equal(e.row, 43);
    assert_int_equal(e.column, 132);
    ROW("> ab|");
    assert_int_equal(keys("\x0c"), LINEEDIT_REDRAW);
}

static void typing_is_cheap(void **state)
{
    (void)state;
    begin(80, false);
    keys("a");
    uint64_t before = t.bytes;
    keys("bcdefghij");
    assert_int_equal(t.bytes - before, 9);
}

/* Whatever is typed: where the line fits, the terminal shows it and the cursor is where it is. */
static void random_keys(void **state)
{
    (void)state;
    static const char *const some[] = {"\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[H", "\x1b[3~",
                                       "\x12", "\t", "\xc3\xa4", "\xe6\x97\xa5", "a ", "vm ", "\r",
                                       "\x0b", "\x19", "\x14", "\x17", "\x1b" "b", "\b", "\x03"};
    uint32_t seed = 12345;
    for (int round = 0; round < 40; round++) {
        begin(round % 2 ? 30 : 200, round % 3 == 0);
        for (int i = 0; i < 1000; i++) {
            seed = seed * 1664525 + 1013904223;
            if (keys(some[(seed >> 16) % 20]) == LINEEDIT_LINE) {
                lineedit_next(&e);
                lineedit_show(&e);
            }
            assert_true(e.used < LINEEDIT_MAX && e.cursor <= e.used && t.at < t.width);
            if (e.searching || e.used > 20 || !e.shown)
                continue;
            char row[4096], want[64], all[64];
            terminal_row(&t, row);
            snprintf(all, sizeof(all), "> %.*s", (int)e.used, e.text);
            size_t n = strlen(all);
            while (n && all[n - 1] == ' ')
                all[--n] = '\0';
            if (!e.left)
                assert_string_equal(row, all);
            unsigned at = 2;
            for (size_t k = 0; k < e.cursor; k++)
                at += ((uint8_t)e.text[k] & 0xc0) != 0x80 ? 1 + ((uint8_t)e.text[k] >= 0xe0) : 0;
            snprintf(want, sizeof(want), "%u", e.left ? t.at : at);
            snprintf(all, sizeof(all), "%u", t.at);
            assert_string_equal(all, want);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moving_and_deleting), cmocka_unit_test(characters),
        cmocka_unit_test(history), cmocka_unit_test(history_is_bounded),
        cmocka_unit_test(searching), cmocka_unit_test(completion), cmocka_unit_test(long_lines),
        cmocka_unit_test(others_write_in_between), cmocka_unit_test(secrets),
        cmocka_unit_test(size_reports), cmocka_unit_test(typing_is_cheap),
        cmocka_unit_test(random_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
