/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands about the console itself: whose terminal it is, what has been printed, and what kind
 * of terminal it is.
 */
#include "core/commands.h"
#include "core/console.h"
#include "core/host.h"
#include "core/lib/json.h"
#include "core/lib/string.h"
#include "core/lineedit.h"
#include "core/log.h"
#include "core/vm.h"

/* What changes what the terminal is can be asked for at the terminal only. */
static bool at_terminal(const struct call *c)
{
    if (c->sink == console_sink)
        return true;
    REFUSE(c, "that is for who sits at the console; tools/plinth ctl has attach and watch\n");
    return false;
}

void command_attach(const struct call *c)
{
    if (!at_terminal(c))
        return;
    if (str_eq(c->argv[0], "all") && !vm_find("all")) {
        struct log_filter everything = {LOG_ALL, NULL};
        SAY(c, "all output from here on; any key leaves\n");
        console_follow(&everything, log_end(), false);
        return;
    }
    struct vm *vm = call_vm(c, 0);
    if (!vm)
        return;
    if (vm->state != VM_RUNNING && vm->state != VM_STARTING) {
        REFUSE(c, "vm %s is %s: only a running VM has a console to attach to\n", vm->name,
               vm_state_name(vm));
        return;
    }
    SAY(c, "attached to %s; %s leaves it\n", vm->name, CONSOLE_ESCAPE_NAME);
    console_attach(vm);
}

/* Where the last n lines that pass begin. */
static uint64_t tail(const struct log_filter *filter, uint64_t n, uint64_t end)
{
    struct log_line line;
    uint64_t at = 0, lines = 0, begin = 0;
    while (at < end && log_read(&at, &line))
        lines += log_filter_passes(filter, line.text, line.len);
    for (at = 0; lines > n && at < end && log_read(&at, &line);) {
        lines -= log_filter_passes(filter, line.text, line.len);
        begin = at;
    }
    return begin;
}

static void say_log(const struct call *c, const struct log_filter *filter, uint64_t *at,
                    uint64_t end)
{
    bool time = call_option(c, "--time");
    struct log_line line;
    while (*at < end && log_read(at, &line))
        if (log_filter_passes(filter, line.text, line.len))
            console_log_line(&line, time, c->sink, c->ctx);
}

static void log_json(const struct call *c, const struct log_filter *filter, uint64_t at,
                     uint64_t end)
{
    static struct log_line line; /* the boot CPU's alone */
    struct json j;
    json_begin(&j, c->sink, c->ctx);
    json_array(&j, "lines");
    while (at < end && log_read(&at, &line)) {
        if (!log_filter_passes(filter, line.text, line.len))
            continue;
        size_t n = min_u64(line.len, sizeof(line.text) - 1);
        n -= n && line.text[n - 1] == '\n';
        line.text[n] = '\0';
        json_object(&j, NULL);
        json_u64(&j, "ms", line.ms);
        json_u64(&j, "missed", line.missed);
        json_text(&j, "text", line.text);
        json_object_end(&j);
    }
    json_array_end(&j);
    json_finish(&j);
}

void command_log(const struct call *c)
{
    struct log_filter filter = {LOG_ALL, call_option(c, "--vm")};
    const char *level = call_option(c, "--level"), *last = call_option(c, "--tail");
    bool goes_on = call_option(c, "-f");
    uint64_t n = UINT64_MAX, at, end = log_end();
    if (goes_on && !at_terminal(c))
        return;
    if (level && !log_level_parse(level, &filter.level)) {
        REFUSE(c, "no level is called '%s'; there are: all info warn error\n", level);
        return;
    }
    if ((last && !call_number(last, &n)) || (goes_on && c->json)) {
        command_usage(c);
        return;
    }
    at = last ? tail(&filter, n, end) : 0;
    if (c->json)
        log_json(c, &filter, at, end);
    else
        say_log(c, &filter, &at, end);
    if (goes_on)
        console_follow(&filter, at, call_option(c, "--time"));
}

/* --- terminal --- */

static bool choose(const char *word, const char *const names[], unsigned count, unsigned *value)
{
    for (unsigned i = 0; word && i < count; i++)
        if (str_eq(word, names[i])) {
            *value = i;
            return true;
        }
    return false;
}

static bool set_kind(struct console_terminal *t, const char *what)
{
    static const char *const kinds[] = {"ansi", "dumb", "auto"};
    unsigned kind;
    if (!choose(what, kinds, ARRAY_LEN(kinds), &kind))
        return false;
    t->dumb = kind == 1;
    if (kind == 2)
        console_ask_size();
    return true;
}

static bool set_value(struct console_terminal *t, const char *what, const char *word)
{
    static const char *const pagers[] = {"auto", "on", "off"};
    static const char *const flows[] = {"none", "rts", "xon"};
    static const char *const switches[] = {"off", "on"};
    uint64_t n;
    unsigned i;
    if (str_eq(what, "width") && word && call_number(word, &n) && n >= LINEEDIT_NARROW &&
        n <= LINEEDIT_WIDE)
        t->width = (unsigned)n;
    else if (str_eq(what, "height") && word && call_number(word, &n) && n >= 2 && n <= 1000)
        t->height = (unsigned)n;
    else if (str_eq(what, "pager") && choose(word, pagers, ARRAY_LEN(pagers), &i))
        t->pager = i;
    else if (str_eq(what, "lines") && choose(word, switches, ARRAY_LEN(switches), &i))
        t->lines = i;
    else if (str_eq(what, "flow") && choose(word, flows, ARRAY_LEN(flows), &i))
        host_console_flow(t->flow = (enum host_flow)i);
    else
        return false;
    return true;
}

static void show_terminal(const struct call *c, const struct console_terminal *t)
{
    static const char *const pagers[] = {"auto", "on", "off"};
    static const char *const flows[] = {"none", "rts", "xon"};
    SAY(c, "  %s, %u columns, %u lines%s\n", t->dumb ? "dumb" : "ansi", t->width, t->height,
        t->answers ? ", as it said" : "");
    SAY(c, "  pager %s, flow %s, lines %s\n", pagers[t->pager], flows[t->flow],
        t->lines ? "on" : "off");
    SAY(c, "  %lu bytes typed were lost, %lu of attached guests\n", host_console_lost(),
        console_lost());
}

void command_terminal(const struct call *c)
{
    struct console_terminal *t = console_terminal();
    if (!c->argc)
        show_terminal(c, t);
    else if (c->argc == 1 ? !set_kind(t, c->argv[0]) : !set_value(t, c->argv[0], c->argv[1]))
        command_usage(c);
    console_terminal_changed();
}

void command_lock(const struct call *c)
{
    if (!console_lock())
        REFUSE(c, "there is no password: set password in [plinth]\n");
}
