/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of commands, made from commands.def, and `help`. Answers go to the sink they were
 * given; a command never waits for a guest.
 */
#include "core/commands.h"

#include "core/config.h"
#include "core/lib/string.h"
#include "core/lineedit.h"
#include "core/log.h"
#include "core/vm.h"

static const struct command commands[] = {
#define COMMAND(group, name, usage, fn, what, more) {name, usage, fn, what, more, group, false},
#define ACTION(group, name, usage, fn, what, more)  {name, usage, fn, what, more, group, true},
#include "core/commands.def"
#undef COMMAND
#undef ACTION
};

static const char *const groups[] = {
    [GROUP_VMS] = "Virtual machines", [GROUP_CONSOLE] = "This console",
    [GROUP_LOOK] = "What is going on", [GROUP_MACHINE] = "The machine",
};

#define HELP_COLUMN 26

static void help_list(const struct call *c)
{
    for (unsigned g = 0; g < ARRAY_LEN(groups); g++) {
        SAY(c, "%s\n", groups[g]);
        for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
            char head[80];
            if (commands[i].group != g)
                continue;
            fmt_print(head, sizeof(head), "%s %s", commands[i].name, commands[i].usage);
            if (strlen(head) > HELP_COLUMN)
                SAY(c, "  %s\n  %*s %s\n", head, HELP_COLUMN, "", commands[i].what);
            else
                SAY(c, "  %-*s %s\n", HELP_COLUMN, head, commands[i].what);
        }
    }
    SAY(c, "help COMMAND says more about one.\n");
}

static void help_one(const struct call *c, const struct command *k)
{
    SAY(c, "  %s %s\n  %s\n%s", k->name, k->usage, k->what, k->more);
}

/* `help vm` and `help vm list`: all whose name begins with these words. */
void command_help(const struct call *c)
{
    char name[64];
    unsigned found = 0;
    if (!c->argc) {
        help_list(c);
        return;
    }
    fmt_print(name, sizeof(name), "%s%s%s", c->argv[0], c->argc > 1 ? " " : "",
              c->argc > 1 ? c->argv[1] : "");
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        char after = str_starts(commands[i].name, name) ? commands[i].name[strlen(name)] : 'x';
        if (after != '\0' && after != ' ')
            continue;
        help_one(c, &commands[i]);
        found++;
    }
    if (!found)
        REFUSE(c, "unknown command '%s'; try help\n", name);
}

/* What stands for NAME and COMMAND in usages. */
static const char *known_words(const char *usage_word, size_t len, unsigned k)
{
    if (len == 4 && memcmp(usage_word, "NAME", 4) == 0)
        return k < vm_count() ? vm_at(k)->name : NULL;
    if (len == 7 && memcmp(usage_word, "COMMAND", 7) == 0)
        return k < ARRAY_LEN(commands) ? commands[k].name : NULL;
    if (len == 9 && memcmp(usage_word, "KEY=VALUE", 9) == 0 && config_vm_key(k)) {
        static char key[32]; /* the boot CPU's alone */
        fmt_print(key, sizeof(key), "%s=", config_vm_key(k));
        return key;
    }
    return NULL;
}

bool command_complete(const char *text, unsigned i, char *word)
{
    return command_candidate(commands, ARRAY_LEN(commands), text, i, word, LINEEDIT_WORD,
                             known_words);
}

struct vm *call_vm(const struct call *c, unsigned i)
{
    const char *name = i < c->argc ? c->argv[i] : "";
    struct vm *vm = vm_find(name);
    if (vm)
        return vm;
    REFUSE(c, "no VM is called '%s'; there are:", name);
    for (unsigned k = 0; k < vm_count(); k++)
        SAY(c, " %s", vm_at(k)->name);
    SAY(c, "%s\n", vm_count() ? "" : " none");
    return NULL;
}

/* Before the command runs: it may be the last thing that this machine does. */
static void note(const char *line)
{
    log_info("operator: %s", line);
}

enum command_status command_run(char *line, fmt_sink_fn *sink, void *ctx)
{
    uint8_t status = COMMAND_DONE;
    struct call c = {.sink = sink, .ctx = ctx, .status = &status};
    char said[COMMAND_LINE_MAX];
    str_copy(said, sizeof(said), line);
    const struct command *k = command_parse(commands, ARRAY_LEN(commands), line, &c);
    if (!k)
        return status;
    if (k->changes)
        note(said);
    k->fn(&c);
    return status;
}
