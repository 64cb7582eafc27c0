/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log's filter. PURE.
 */
#include "core/log_filter.h"

#include "core/lib/string.h"

/* Whether a line begins with text; moves behind it. */
static bool skip(const char **line, size_t *len, const char *text)
{
    size_t n = strlen(text);
    if (*len < n || memcmp(*line, text, n) != 0)
        return false;
    *line += n;
    *len -= n;
    return true;
}

static enum log_level level_of(const char *line, size_t len)
{
    if (!skip(&line, &len, "plinth: "))
        return len && line[0] == '[' ? LOG_ALL : LOG_INFO; /* the rest: reports of ours */
    if (skip(&line, &len, "error: ") || skip(&line, &len, "panic: "))
        return LOG_ERROR;
    return skip(&line, &len, "warning: ") ? LOG_WARN : LOG_INFO;
}

/* "[NAME] " or "plinth: vm NAME", the latter also behind its level. */
static bool about_vm(const char *line, size_t len, const char *vm)
{
    if (skip(&line, &len, "["))
        return skip(&line, &len, vm) && skip(&line, &len, "] ");
    if (!skip(&line, &len, "plinth: "))
        return false;
    if (!skip(&line, &len, "warning: "))
        skip(&line, &len, "error: ");
    return skip(&line, &len, "vm ") && skip(&line, &len, vm) &&
           (!len || line[0] == ':' || line[0] == ' ' || line[0] == '\n');
}

bool log_filter_passes(const struct log_filter *f, const char *line, size_t len)
{
    return level_of(line, len) >= f->level && (!f->vm || about_vm(line, len, f->vm));
}

bool log_level_parse(const char *text, enum log_level *level)
{
    static const char *const names[] = {"all", "info", "warn", "error"};
    for (unsigned i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(text, names[i])) {
            *level = (enum log_level)i;
            return true;
        }
    return false;
}
