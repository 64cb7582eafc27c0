/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Command lines of any bytes against a table of fake commands: a call fits its usage and points
 * into the line, a mistake is said in one line, completion gives words that go on from what is
 * there. Lines of the input are run one after the other: many in one go.
 */
#include "core/command_line.h"
#include <string.h>

static const struct command table[] = {
    {"help", "[COMMAND...]", NULL, "", "", 0, false},
    {"vm list", "[--json]", NULL, "", "", 0, false},
    {"vm show", "NAME [--json]", NULL, "", "", 0, false},
    {"vm", "", NULL, "", "", 0, false},
    {"vm set", "NAME weight|cap|pin VALUE", NULL, "", "", 0, true},
    {"vm create", "NAME KEY=VALUE...", NULL, "", "", 0, true},
    {"log", "[-f] [--vm NAME] [--level all|warn] [--tail N]", NULL, "", "", 0, false},
    {"time", "", NULL, "", "", 0, false},
};
#define COUNT (sizeof(table) / sizeof(table[0]))

static size_t said, lines;
static char last;

static void require(bool ok)
{
    if (!ok)
        __builtin_trap();
}

static void sink(void *ctx, const char *text, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < len; i++) {
        lines += text[i] == '\n';
        last = text[i];
    }
    said += len;
}

static const char *known(const char *word, size_t len, unsigned k)
{
    return len == 4 && memcmp(word, "NAME", 4) == 0 && k < 3 ? &"debian"[k] : NULL;
}

static bool inside(const char *p, const char *line)
{
    return p >= line && p < line + COMMAND_LINE_MAX;
}

static void run(char *line)
{
    struct call c = {.sink = sink};
    char word[64];
    for (unsigned i = 0; command_candidate(table, COUNT, line, i, word, sizeof(word), known); i++) {
        require(i < 100 && strlen(word) > 0 && strlen(word) < sizeof(word));
        const char *begin = strrchr(line, ' ');
        begin = begin ? begin + 1 : line;
        require(strchr(begin, '\t') || strncmp(word, begin, strlen(begin)) == 0);
    }
    said = lines = 0;
    const struct command *k = command_parse(table, COUNT, line, &c);
    require(k ? said == 0 : said == 0 || (lines >= 1 && last == '\n'));
    if (!k)
        return;
    require(k == c.command && c.argc <= COMMAND_WORDS && !c.argv[c.argc]);
    for (unsigned i = 0; i < c.argc; i++)
        require(inside(c.argv[i], line));
    for (unsigned i = 0; i < c.option_count; i++)
        require(inside(c.option[i].name, line) && strstr(k->usage, c.option[i].name));
    require(*k->usage || (!c.argc && !c.option_count));
    require(!strstr(k->usage, "NAME V") || c.argc == 3);
    uint64_t value;
    for (unsigned i = 0; i < c.argc; i++)
        call_number(c.argv[i], &value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char line[COMMAND_LINE_MAX];
    for (size_t at = 0, n; at < size; at += n + 1) {
        for (n = 0; at + n < size && n < sizeof(line) - 1 && data[at + n] && data[at + n] != '\n';)
            n++;
        memcpy(line, data + at, n);
        line[n] = '\0';
        run(line);
    }
    return 0;
}
