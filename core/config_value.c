/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How each kind of value is read. PURE. The value stands terminated at the tail of the text pool,
 * or is a default out of the table of keys.
 */
#include "core/config_parse.h"
#include "core/password.h"
#include "core/pin.h"

/* Digits at *s, stepping over them. False: none, or more than 64 bits. */
static bool take_number(const char **s, uint64_t *out)
{
    const char *start = *s;
    uint64_t v = 0;
    for (; **s >= '0' && **s <= '9'; ++*s)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, **s - '0', &v))
            return false;
    *out = v;
    return *s != start;
}

static void bad_value(struct parser *p, const struct key *key, const char *value, const char *rule)
{
    struct shown v = config_show(slice_of(value));
    error(p, "%s = %s: %s", key->name, v.text, rule);
}

bool config_value_text(struct parser *p, const struct key *key, const char *value, void *field)
{
    struct config *c = p->out;
    size_t n = strlen(value);
    if (n < key->min || n > key->max) {
        struct shown v = config_show(slice_of(value));
        error(p, "%s = %s: must have %llu to %llu bytes, has %zu", key->name, v.text,
              (unsigned long long)key->min, (unsigned long long)key->max, n);
        return false;
    }
    struct config_text t = {0};
    if (n) {
        /* A fallback comes from the table, a value of the file stands at the tail already. */
        t.at = c->pool_used;
        if (n + 1 > CONFIG_POOL - c->pool_used)
            return false;
        memmove(c->pool + t.at, value, n + 1);
        c->pool_used += (uint32_t)n + 1;
    }
    *(struct config_text *)field = t;
    return true;
}

/* The factor of a size suffix (K, M, G, then nothing, B or iB), or 0. */
static uint64_t size_factor(const char *s)
{
    static const struct choice units[] = {{"k", 10}, {"m", 20}, {"g", 30}};
    if (!*s)
        return 1;
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (lower(*s) == units[i].name[0] && (!s[1] || str_eq(s + 1, "B") || str_eq(s + 1, "iB")))
            return BIT(units[i].value);
    return 0;
}

bool config_value_memory(struct parser *p, const struct key *key, const char *value, void *field)
{
    const char *s = value;
    uint64_t v, factor = 0;
    if (take_number(&s, &v))
        factor = size_factor(s);
    if (!factor) {
        bad_value(p, key, value, "not a size; write a whole number with K, M or G, such as 64M");
        return false;
    }
    if (__builtin_mul_overflow(v, factor, &v) || v < key->min || v > key->max) {
        bad_value(p, key, value, key->max == BIT(20) ? "must be from 0 to 1M"
                                                     : "must be from 64K to 1024G");
        return false;
    }
    if (v % 4096) {
        bad_value(p, key, value, "must be a multiple of 4K (4096 bytes)");
        return false;
    }
    *(uint64_t *)field = v;
    return true;
}

bool config_value_password(struct parser *p, const struct key *key, const char *value, void *field)
{
    struct password stored;
    if (*value && !password_parse(value, &stored)) {
        error(p, "%s: no hash of a password; `tools/plinth password` makes one", key->name);
        return false;
    }
    return config_value_text(p, key, value, field);
}

bool config_value_time(struct parser *p, const struct key *key, const char *value, void *field)
{
    static const struct choice units[] = {
        {"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}, {NULL, 0}};
    const char *s = value;
    const struct choice *u = units;
    uint64_t v;
    bool number = take_number(&s, &v);
    while (u->name && !str_eq(s, u->name))
        u++;
    if (!number || !u->name) {
        bad_value(p, key, value, "not a time; write a whole number with us, ms or s, such as 10ms");
        return false;
    }
    if (__builtin_mul_overflow(v, u->value, &v) || v < key->min || v > key->max) {
        bad_value(p, key, value, "must be from 100us to 1s");
        return false;
    }
    *(uint64_t *)field = v;
    return true;
}

bool config_value_choice(struct parser *p, const struct key *key, const char *value, void *field)
{
    struct guess g = {0};
    for (const struct choice *c = key->choices; c->name; c++) {
        if (str_eq(value, c->name)) {
            *(uint32_t *)field = c->value;
            return true;
        }
        config_guess(&g, slice_of(value), c->name);
    }
    struct shown v = config_show(slice_of(value));
    error(p, "%s = %s: must be one of %s%s%s%s", key->name, v.text, key->values,
          g.name ? "; did you mean " : "", g.name ? g.name : "", g.name ? "?" : "");
    return false;
}

bool config_value_count(struct parser *p, const struct key *key, const char *value, void *field)
{
    const char *s = value;
    uint64_t v;
    if (!take_number(&s, &v) || *s || v < key->min || v > key->max) {
        struct shown shown = config_show(slice_of(value));
        error(p, "%s = %s: must be a whole number from %llu to %llu", key->name, shown.text,
              (unsigned long long)key->min, (unsigned long long)key->max);
        return false;
    }
    *(uint32_t *)field = (uint32_t)v;
    return true;
}

static bool check_module(struct parser *p, const struct key *key, const struct config_module *m,
                         unsigned number)
{
    struct shown path = config_show((struct slice){m->text, m->path_len});
    if (m->path_len == 0)
        error(p, "%s: entry %u has no path", key->name, number);
    else if (m->path_len > CONFIG_PATH_MAX)
        error(p, "%s: %s: a path has at most %d bytes, this one %zu", key->name, path.text,
              CONFIG_PATH_MAX, m->path_len);
    else
        return true;
    return false;
}

/* Checks each entry of the list and keeps the list as one text. */
bool config_value_modules(struct parser *p, const struct key *key, const char *value, void *field)
{
    struct config_module m;
    unsigned count = 0;
    bool good = true;
    for (const char *list = value; config_next_module(&list, &m);)
        good &= check_module(p, key, &m, ++count);
    if (count > CONFIG_MODULES) {
        error(p, "%s: %u entries, more than %d", key->name, count, CONFIG_MODULES);
        return false;
    }
    return good && config_value_text(p, key, value, field);
}

/* One word, +NAME or -NAME. */
static bool take_switch(struct parser *p, const struct key *key, struct slice word, uint64_t *on)
{
    const struct choice *c = key->choices;
    struct shown shown = config_show(word);
    struct guess g = {0};
    bool plus = word.s[0] == '+', sign = plus || word.s[0] == '-';
    struct slice name = {word.s + sign, word.n - sign};
    for (; c->name && !slice_is(name, c->name); c++)
        config_guess(&g, name, c->name);
    if (c->name && sign) {
        *on = plus ? *on | c->value : *on & ~(uint64_t)c->value;
        return true;
    }
    if (c->name)
        error(p, "%s = %s: write +%s or -%s", key->name, shown.text, c->name, c->name);
    else if (g.name)
        error(p, "%s = %s: no such device; did you mean +%s?", key->name, shown.text, g.name);
    else
        error(p, "%s = %s: no such device; must be out of %s", key->name, shown.text, key->values);
    return false;
}

/* Words from left to right; of two that contradict each other the later one counts. */
bool config_value_switches(struct parser *p, const struct key *key, const char *value, void *field)
{
    uint64_t on = 0;
    bool good = true;
    for (const char *s = value; *s;) {
        struct slice word = {s, 0};
        while (word.s[word.n] && !is_blank(word.s[word.n]))
            word.n++;
        if (word.n)
            good &= take_switch(p, key, word, &on);
        s += word.n ? word.n : 1;
    }
    if (good)
        *(uint64_t *)field = on;
    return good;
}

bool config_value_pin(struct parser *p, const struct key *key, const char *value, void *field)
{
    const char *why;
    if (pin_check(value, &why))
        return config_value_text(p, key, value, field);
    bad_value(p, key, value, why);
    return false;
}
