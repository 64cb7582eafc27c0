/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parser of command lines, driven by the usages of a table. PURE. A line is the operator's or a
 * program's: whatever it holds ends in a call or in one message.
 */
#include "core/command_line.h"

#include "core/lib/string.h"

struct words {
    unsigned count;
    bool quoted[COMMAND_WORDS];
    char *at[COMMAND_WORDS + 1];
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* One word, unquoted in place; returns where the next may begin, NULL: a quote is not closed. */
static char *take_word(char *in, bool *quoted)
{
    char *out = in;
    bool inside = false;
    *quoted = false;
    for (; *in && (inside || !is_blank(*in)); in++) {
        if (*in == '"') {
            inside = !inside;
            *quoted = true;
        } else {
            *out++ = *in;
        }
    }
    char *next = *in ? in + 1 : in;
    *out = '\0';
    return inside ? NULL : next;
}

/* False: said why not. */
static bool split(const struct call *c, char *line, struct words *w)
{
    w->count = 0;
    for (;;) {
        while (is_blank(*line))
            line++;
        if (!*line)
            break;
        if (w->count == COMMAND_WORDS) {
            SAY(c, "too many words: at most %u\n", COMMAND_WORDS);
            return false;
        }
        w->at[w->count] = line;
        line = take_word(line, &w->quoted[w->count++]);
        if (!line) {
            SAY(c, "a quote is not closed\n");
            return false;
        }
    }
    w->at[w->count] = NULL;
    return true;
}

/* How many words of w are the words of name; 0: it is another command. */
static unsigned named_by(const char *name, const struct words *w)
{
    unsigned i = 0;
    for (; *name; i++) {
        size_t n = 0;
        while (name[n] && name[n] != ' ')
            n++;
        if (i == w->count || strlen(w->at[i]) != n || memcmp(w->at[i], name, n) != 0)
            return 0;
        name += n + (name[n] == ' ');
    }
    return i;
}

static const struct command *find(const struct command *table, size_t count,
                                  const struct words *w, unsigned *length)
{
    const struct command *best = NULL;
    *length = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned n = named_by(table[i].name, w);
        if (n > *length) {
            *length = n;
            best = &table[i];
        }
    }
    return best;
}

/* "vm" alone: which commands begin with it. */
static void say_unknown(const struct call *c, const struct command *table, size_t count,
                        const struct words *w)
{
    size_t n = strlen(w->at[0]);
    unsigned found = 0;
    call_ended(c, COMMAND_USAGE);
    for (size_t i = 0; i < count; i++)
        if (strlen(table[i].name) > n && table[i].name[n] == ' ' &&
            memcmp(table[i].name, w->at[0], n) == 0)
            SAY(c, "%s %s", found++ ? "," : "which one:", table[i].name);
    if (found && w->count > 1)
        SAY(c, "; there is no '%s %s'\n", w->at[0], w->at[1]);
    else if (found)
        SAY(c, "\n");
    else
        SAY(c, "unknown command '%s'; try help\n", w->at[0]);
}

/* --- usages --- */

struct usage {
    unsigned least, most; /* words that are no options */
};

static size_t token(const char *p)
{
    size_t n = 0;
    while (p[n] && p[n] != ' ')
        n++;
    return n;
}

static bool ends_in_dots(const char *p, size_t n)
{
    while (n && p[n - 1] == ']')
        n--;
    return n >= 3 && memcmp(p + n - 3, "...", 3) == 0;
}

static struct usage read_usage(const char *p)
{
    struct usage u = {0, 0};
    bool in_option = false;
    for (size_t n; (n = token(p)); p += n + (p[n] == ' ')) {
        bool optional = p[0] == '[', closes = p[n - 1] == ']';
        if (optional && p[1] == '-')
            in_option = true;
        if (!in_option) {
            u.least += !optional;
            u.most = ends_in_dots(p, n) ? COMMAND_WORDS : u.most + (u.most < COMMAND_WORDS);
        }
        if (closes)
            in_option = false;
    }
    return u;
}

/* Whether usage has the option that word (n bytes) names, and whether that takes a value. */
static bool usage_option(const char *usage, const char *word, size_t n, bool *value)
{
    for (const char *p = usage; *p; p++) {
        if (p[0] != '[' || p[1] != '-' || strncmp(p + 1, word, n) != 0)
            continue;
        char end = p[1 + n];
        if (end != ' ' && end != ']')
            continue;
        *value = end == ' ';
        return true;
    }
    return false;
}

void command_usage(const struct call *c)
{
    const struct command *k = c->command;
    call_ended(c, COMMAND_USAGE);
    if (*k->usage)
        SAY(c, "usage: %s %s\n", k->name, k->usage);
    else
        SAY(c, "usage: %s (it takes no argument)\n", k->name);
}

/* -5 is a number, - a name. */
static bool looks_like_option(const char *word)
{
    return word[0] == '-' && word[1] && !(word[1] >= '0' && word[1] <= '9');
}

/* Takes the option at w->at[*i], and its value. False: a mistake. */
static bool take_option(struct call *c, struct words *w, unsigned *i)
{
    char *word = w->at[*i];
    size_t n = 0;
    bool takes_value;
    while (word[n] && word[n] != '=')
        n++;
    if (!usage_option(c->command->usage, word, n, &takes_value) ||
        c->option_count == COMMAND_OPTIONS)
        return false;
    const char *value = "";
    if (takes_value && word[n] == '=')
        value = word + n + 1;
    else if (word[n] == '=' || (takes_value && *i + 1 == w->count))
        return false;
    else if (takes_value)
        value = w->at[++*i];
    word[n] = '\0';
    c->option[c->option_count].name = word;
    c->option[c->option_count++].value = value;
    return true;
}

static bool take_words(struct call *c, struct words *w, unsigned from)
{
    bool options = true;
    for (unsigned i = from; i < w->count; i++) {
        bool plain = w->quoted[i] || !options;
        if (!plain && str_eq(w->at[i], "--")) {
            options = false;
        } else if (!plain && looks_like_option(w->at[i])) {
            if (!take_option(c, w, &i))
                return false;
        } else {
            c->argv[c->argc++] = w->at[i];
        }
    }
    c->argv[c->argc] = NULL;
    c->json = call_option(c, "--json") != NULL;
    struct usage u = read_usage(c->command->usage);
    return c->argc >= u.least && c->argc <= u.most;
}

const struct command *command_parse(const struct command *table, size_t count, char *line,
                                    struct call *c)
{
    struct words w;
    unsigned length;
    c->command = NULL;
    c->json = false;
    c->argc = c->option_count = 0;
    c->argv[0] = NULL;
    call_ended(c, COMMAND_DONE);
    if (!split(c, line, &w)) {
        call_ended(c, COMMAND_USAGE);
        return NULL;
    }
    if (!w.count)
        return NULL;
    c->command = find(table, count, &w, &length);
    if (!c->command) {
        say_unknown(c, table, count, &w);
        return NULL;
    }
    if (take_words(c, &w, length))
        return c->command;
    command_usage(c);
    return NULL;
}

const char *call_option(const struct call *c, const char *name)
{
    for (unsigned i = 0; i < c->option_count; i++)
        if (str_eq(c->option[i].name, name))
            return c->option[i].value;
    return NULL;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

bool call_number(const char *word, uint64_t *value)
{
    uint64_t v = 0;
    unsigned base = word[0] == '0' && (word[1] | 0x20) == 'x' ? 16 : 10;
    if (base == 16)
        word += 2;
    if (!*word)
        return false;
    for (; *word; word++) {
        unsigned d = (unsigned)digit(*word);
        if (d >= base || __builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, d, &v))
            return false;
    }
    *value = v;
    return true;
}

/* --- completion --- */

struct candidates {
    const char *prefix; /* what has been typed of the word */
    size_t prefix_len;
    unsigned wanted;    /* this one, from 0 on; counts down */
    char *word;
    size_t size;
    bool found;
};

/* A word that might be meant. */
static void offer(struct candidates *k, const char *word, size_t n)
{
    if (k->found || n < k->prefix_len || memcmp(word, k->prefix, k->prefix_len) != 0 ||
        n + 2 > k->size || k->wanted-- != 0)
        return;
    k->found = true;
    memcpy(k->word, word, n);
    if (word[n - 1] != '=')
        k->word[n++] = ' ';
    k->word[n] = '\0';
}

/* Whether the first `before` bytes of text, words with single blanks behind them, begin the name;
 * then where its next word is. */
static const char *next_word(const char *name, const char *text, size_t before)
{
    if (strlen(name) < before || memcmp(name, text, before) != 0)
        return NULL;
    return name + before;
}

/* Rows whose names begin with the same words stand together: each next word is offered once. */
static void offer_names(struct candidates *k, const struct command *table, size_t count,
                        const char *text, size_t before)
{
    const char *last = "";
    for (size_t i = 0; i < count && !k->found; i++) {
        const char *word = next_word(table[i].name, text, before);
        if (!word || !*word)
            continue;
        if (token(word) != token(last) || memcmp(word, last, token(word)) != 0)
            offer(k, word, token(word));
        last = word;
    }
}

/* "a|b|NAME": what words() knows, or what is to be typed as it stands: it is in small letters. */
static void offer_usage_word(struct candidates *k, const char *p, size_t n, command_words_fn *words)
{
    if (n && p[0] == '[')
        p++, n--;
    while (n && (p[n - 1] == ']' || p[n - 1] == '.'))
        n--;
    for (size_t from = 0, i = 0; i <= n; i++) {
        if (i < n && p[i] != '|')
            continue;
        const char *known;
        for (unsigned w = 0; (known = words(p + from, i - from, w)); w++)
            if (*known)
                offer(k, known, strlen(known));
        if (i > from && p[from] >= 'a' && p[from] <= 'z')
            offer(k, p + from, i - from);
        from = i + 1;
    }
}

/* Options, if one is begun; else what the usage has at this place. last: the word before. */
static void offer_arguments(struct candidates *k, const char *usage, unsigned place,
                            const char *last, size_t last_len, command_words_fn *words)
{
    bool in_option = false, wanted = false, option_begun = k->prefix_len && k->prefix[0] == '-';
    for (size_t n; (n = token(usage)); usage += n + (usage[n] == ' ')) {
        bool option = usage[0] == '[' && usage[1] == '-', closes = usage[n - 1] == ']';
        if (option) {
            size_t len = n - 1 - closes;
            if (option_begun)
                offer(k, usage + 1, len);
            wanted = !closes && len == last_len && memcmp(usage + 1, last, len) == 0;
            in_option = true;
        } else if (in_option && wanted) {
            offer_usage_word(k, usage, n, words);
            return;
        } else if (!in_option && !option_begun && (place == 0 || ends_in_dots(usage, n))) {
            offer_usage_word(k, usage, n, words);
            return;
        } else if (!in_option) {
            place--;
        }
        if (closes)
            in_option = false;
    }
}

bool command_candidate(const struct command *table, size_t count, const char *text, unsigned i,
                       char *word, size_t size, command_words_fn *words)
{
    char line[COMMAND_LINE_MAX];
    size_t n = 0, before = 0, length = 0, last = 0, last_len = 0;
    const struct command *command = NULL;
    /* Words with one blank between; `before`: where the one to be completed begins. */
    for (; *text && n < sizeof(line) - 1; text++)
        if (!is_blank(*text) || (n && line[n - 1] != ' '))
            line[n++] = is_blank(*text) ? ' ' : *text;
    line[n] = '\0';
    for (before = n; before && line[before - 1] != ' ';)
        before--;
    struct candidates k = {line + before, n - before, i, word, size, false};
    offer_names(&k, table, count, line, before);
    for (size_t c = 0; c < count; c++) {
        size_t len = strlen(table[c].name);
        if (len > length && before > len && memcmp(table[c].name, line, len) == 0 &&
            line[len] == ' ') {
            command = &table[c];
            length = len;
        }
    }
    if (!command)
        return k.found;
    /* Words between the name and the one to be completed; options and their values do not count. */
    unsigned place = 0;
    for (size_t at = length + 1; at < before; at += token(line + at) + 1) {
        bool takes_value;
        last = at;
        last_len = token(line + at);
        if (line[at] != '-')
            place++;
        else if (usage_option(command->usage, line + at, last_len, &takes_value) && takes_value &&
                 at + last_len + 1 < before)
            at += last_len + 1;
    }
    offer_arguments(&k, command->usage, place, line + last, last_len, words);
    return k.found;
}
