/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/command_line.c: what a line becomes, by the usages of a table of our own; every mistake has
 * its message. Completion.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "core/command_line.h"
#include <string.h>

static const struct command table[] = {
    {"help", "[COMMAND...]", NULL, "", "", 0, false},
    {"vm list", "[--json]", NULL, "", "", 0, false},
    {"vm show", "NAME [--json]", NULL, "", "", 0, false},
    {"vm set", "NAME weight|cap|pin VALUE", NULL, "", "", 0, true},
    {"vm create", "NAME KEY=VALUE...", NULL, "", "", 0, true},
    {"log", "[-f] [--vm NAME] [--level all|warn] [--tail N]", NULL, "", "", 0, false},
    {"time", "", NULL, "", "", 0, false},
    {"x", "NAME ADDRESS [COUNT]", NULL, "", "", 0, false},
};
#define COUNT (sizeof(table) / sizeof(table[0]))

static char said[512];
static char line[COMMAND_LINE_MAX];
static struct call c;

static void sink(void *ctx, const char *text, size_t len)
{
    (void)ctx;
    assert_true(strlen(said) + len < sizeof(said));
    strncat(said, text, len);
}

static const char *parse(const char *text)
{
    said[0] = '\0';
    strcpy(line, text);
    c = (struct call){.sink = sink};
    const struct command *k = command_parse(table, COUNT, line, &c);
    return k ? k->name : NULL;
}

#define SAYS(text, want)               \
    do {                               \
        assert_null(parse(text));      \
        assert_string_equal(said, want); \
    } while (0)

static void words(void **state)
{
    (void)state;
    assert_string_equal(parse("  vm   show\t debian  "), "vm show");
    assert_int_equal(c.argc, 1);
    assert_string_equal(c.argv[0], "debian");
    assert_null(c.argv[1]);
    assert_false(c.json);
    assert_string_equal(parse("vm create x cmdline=\"a b  c\" \"k=v\" y"), "vm create");
    assert_int_equal(c.argc, 4);
    assert_string_equal(c.argv[1], "cmdline=a b  c");
    assert_string_equal(c.argv[2], "k=v");
    assert_string_equal(parse("help"), "help");
    assert_int_equal(c.argc, 0);
    assert_string_equal(parse("help vm show"), "help");
    assert_int_equal(c.argc, 2);
    assert_string_equal(parse("vm show \"\""), "vm show");
    assert_string_equal(c.argv[0], "");
    assert_string_equal(said, "");
    SAYS("", "");
    SAYS("   \t ", "");
}

static void options(void **state)
{
    (void)state;
    assert_string_equal(parse("vm list --json"), "vm list");
    assert_true(c.json);
    assert_string_equal(parse("vm show --json a"), "vm show");
    assert_true(c.json);
    assert_string_equal(c.argv[0], "a");
    assert_string_equal(parse("log --vm a -f --tail=5"), "log");
    assert_string_equal(call_option(&c, "--vm"), "a");
    assert_string_equal(call_option(&c, "--tail"), "5");
    assert_string_equal(call_option(&c, "-f"), "");
    assert_null(call_option(&c, "--level"));
    assert_string_equal(parse("x a -5"), "x"); /* a number */
    assert_string_equal(parse("x a -"), "x");
    assert_string_equal(parse("x -- --json -f"), "x");
    assert_string_equal(c.argv[0], "--json");
    assert_string_equal(parse("x \"--json\" b"), "x");
    assert_false(c.json);
}

static void mistakes(void **state)
{
    (void)state;
    SAYS("frobnicate", "unknown command 'frobnicate'; try help\n");
    SAYS("VM list", "unknown command 'VM'; try help\n");
    SAYS("vm", "which one: vm list, vm show, vm set, vm create\n");
    SAYS("vm lis", "which one: vm list, vm show, vm set, vm create; there is no 'vm lis'\n");
    SAYS("v", "unknown command 'v'; try help\n");
    SAYS("vm show", "usage: vm show NAME [--json]\n");
    SAYS("vm show a b", "usage: vm show NAME [--json]\n");
    SAYS("vm show a --jso", "usage: vm show NAME [--json]\n");
    SAYS("vm show a --json]", "usage: vm show NAME [--json]\n");
    SAYS("vm show a --json=1", "usage: vm show NAME [--json]\n");
    SAYS("vm create a", "usage: vm create NAME KEY=VALUE...\n");
    SAYS("time x", "usage: time (it takes no argument)\n");
    SAYS("time --json", "usage: time (it takes no argument)\n");
    SAYS("log --vm", "usage: log [-f] [--vm NAME] [--level all|warn] [--tail N]\n");
    SAYS("log a", "usage: log [-f] [--vm NAME] [--level all|warn] [--tail N]\n");
    SAYS("vm show \"a", "a quote is not closed\n");
    char many[COMMAND_LINE_MAX] = "help";
    for (int i = 0; i < COMMAND_WORDS; i++)
        strcat(many, " a");
    SAYS(many, "too many words: at most 96\n");
    many[strlen(many) - 2] = '\0';
    assert_string_equal(parse(many), "help");
    char f[128] = "log";
    for (int i = 0; i <= COMMAND_OPTIONS; i++)
        strcat(f, " -f");
    assert_null(parse(f));
}

static void numbers(void **state)
{
    (void)state;
    uint64_t v;
    assert_true(call_number("0", &v) && v == 0);
    assert_true(call_number("0x1F", &v) && v == 31);
    assert_true(call_number("18446744073709551615", &v) && v == UINT64_MAX);
    assert_false(call_number("18446744073709551616", &v));
    assert_false(call_number("0x10000000000000000", &v));
    assert_false(call_number("", &v));
    assert_false(call_number("0x", &v));
    assert_false(call_number("12a", &v));
    assert_false(call_number("-1", &v));
}

static const char *known(const char *word, size_t len, unsigned k)
{
    static const char *const names[] = {"debian", "demo", ""};
    static const char *const keys[] = {"kernel=", "memory="};
    if (len == 4 && memcmp(word, "NAME", 4) == 0)
        return k < 3 ? names[k] : NULL;
    if (len == 9 && memcmp(word, "KEY=VALUE", 9) == 0)
        return k < 2 ? keys[k] : NULL;
    return NULL;
}

/* All candidates, with | between. */
static const char *completed(const char *text)
{
    static char all[512];
    char word[32];
    all[0] = '\0';
    for (unsigned i = 0; command_candidate(table, COUNT, text, i, word, sizeof(word), known); i++) {
        assert_true(i < 50);
        strcat(strcat(all, word), "|");
    }
    return all;
}

static void completion(void **state)
{
    (void)state;
    assert_string_equal(completed(""), "help |vm |log |time |x |");
    assert_string_equal(completed("v"), "vm |");
    assert_string_equal(completed("vm"), "vm |");
    assert_string_equal(completed("vm "), "list |show |set |create |");
    assert_string_equal(completed("  vm   s"), "show |set |");
    assert_string_equal(completed("vm show "), "debian |demo |");
    assert_string_equal(completed("vm show deb"), "debian |");
    assert_string_equal(completed("vm show debian "), "");
    assert_string_equal(completed("vm show -"), "--json |");
    assert_string_equal(completed("vm show debian --"), "--json |");
    assert_string_equal(completed("vm set demo "), "weight |cap |pin |");
    assert_string_equal(completed("vm set demo c"), "cap |");
    assert_string_equal(completed("vm create demo "), "kernel=|memory=|");
    assert_string_equal(completed("vm create demo kernel=x m"), "memory=|");
    assert_string_equal(completed("log --"), "--vm |--level |--tail |");
    assert_string_equal(completed("log --vm "), "debian |demo |");
    assert_string_equal(completed("log -f --level w"), "warn |");
    assert_string_equal(completed("log --vm demo --level "), "all |warn |");
    assert_string_equal(completed("x --bad de"), "debian |demo |");
    assert_string_equal(completed("nothing "), "");
    assert_string_equal(completed("time "), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),   cmocka_unit_test(options),    cmocka_unit_test(mistakes),
        cmocka_unit_test(numbers), cmocka_unit_test(completion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
