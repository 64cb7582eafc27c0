/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration's language: lines, sections, key = value. PURE. Goes on after every error and
 * must never let one section's errors touch another section's VM. Texts live in struct config's
 * pool; the tail of the pool doubles as the buffer in which a value loses its quotes.
 */
#include "core/config_parse.h"

static void *field_of(struct parser *p, const struct key *key)
{
    char *base = key->section == SECTION_VM ? (char *)p->vm : (char *)p->out;
    return base + key->offset;
}

static uint32_t *lines_of(struct parser *p, enum section section)
{
    return section == SECTION_VM ? p->vm->key_line : p->out->key_line;
}

static void set_defaults(struct parser *p, enum section section)
{
    for (const struct key *k = config_keys; k < config_keys + config_key_count; k++)
        if (k->section == section && k->fallback)
            (void)k->parse(p, k, k->fallback, field_of(p, k));
}

/* --- sections ------------------------------------------------------------------------------ */

static void leave_section(struct parser *p)
{
    if (p->section != SECTION_VM)
        return;
    if (p->vm == &p->scratch) {
        p->out->pool_used = p->pool_mark;
        return;
    }
    for (const struct key *k = config_keys; k < config_keys + config_key_count; k++)
        if (k->section == SECTION_VM && !k->fallback && !p->vm->key_line[k - config_keys])
            config_error_at(p, p->vm->line, "[vm %s]: %s is missing", p->vm->name, k->name);
}

static bool is_alpha(char c)
{
    return lower(c) >= 'a' && lower(c) <= 'z';
}

static bool is_name(struct slice s)
{
    if (s.n == 0 || s.n >= CONFIG_NAME_MAX || !is_alpha(s.s[0]))
        return false;
    for (size_t i = 1; i < s.n; i++) {
        char c = s.s[i];
        if (!is_alpha(c) && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-')
            return false;
    }
    return true;
}

static const struct config_vm *find_vm(const struct config *c, struct slice name)
{
    for (uint32_t i = 0; i < c->vm_count; i++)
        if (slice_is(name, c->vms[i].name))
            return &c->vms[i];
    return NULL;
}

static void enter_vm(struct parser *p, struct slice name)
{
    struct config *c = p->out;
    const struct config_vm *twin = find_vm(c, name);
    bool named = is_name(name), room = c->vm_count < CONFIG_VMS;
    bool keep = named && room && !twin;
    struct shown shown = config_show(name);

    p->vm = keep ? &c->vms[c->vm_count++] : &p->scratch;
    p->pool_mark = c->pool_used;
    memset(p->vm, 0, sizeof(*p->vm));
    memcpy(p->vm->name, name.s, named ? name.n : 0);
    p->vm->valid = true;
    p->vm->line = p->line;
    p->section = SECTION_VM;
    set_defaults(p, SECTION_VM);
    if (name.n == 0)
        error(p, "[vm]: needs a name, as in [vm web]");
    else if (!named)
        error(p, "[vm %s]: a name has 1 to %d letters, digits, '.', '_' or '-' and starts with a "
              "letter", shown.text, CONFIG_NAME_MAX - 1);
    else if (twin)
        error(p, "[vm %s]: there is a VM of that name on line %u", shown.text, twin->line);
    else if (!room)
        error(p, "[vm %s]: more than %d VMs", shown.text, CONFIG_VMS);
}

static void enter_unknown(struct parser *p, struct slice inside, struct slice word)
{
    struct shown shown = config_show(inside);
    struct guess g = {0};
    p->section = SECTION_UNKNOWN;
    config_guess(&g, word, "plinth");
    config_guess(&g, word, "vm");
    if (!g.name && word.n && word.n == inside.n && is_name(word))
        error(p, "[%s]: no such section; did you mean [vm %s]?", shown.text, shown.text);
    else
        error(p, "[%s]: no such section%s", shown.text,
              !g.name                ? "; there are [plinth] and [vm NAME]"
              : str_eq(g.name, "vm") ? "; did you mean [vm NAME]?"
                                     : "; did you mean [plinth]?");
}

static void read_section(struct parser *p, struct slice line)
{
    const char *end = memchr(line.s, ']', line.n);
    leave_section(p);
    p->section = SECTION_UNKNOWN;
    if (!end) {
        struct shown shown = config_show(line);
        error(p, "%s: a section header ends with ]", shown.text);
        return;
    }
    struct slice inside = config_trim((struct slice){line.s + 1, (size_t)(end - line.s - 1)});
    struct slice rest = config_trim((struct slice){end + 1, line.n - (size_t)(end + 1 - line.s)});
    struct slice word = {inside.s, 0};
    while (word.n < inside.n && !is_blank(word.s[word.n]))
        word.n++;
    if (slice_is(word, "vm")) {
        enter_vm(p, config_trim((struct slice){word.s + word.n, inside.n - word.n}));
    } else if (slice_is(inside, "plinth")) {
        p->section = SECTION_PLINTH;
        if (p->out->plinth_line)
            error(p, "[plinth]: stands on line %u already", p->out->plinth_line);
        else
            p->out->plinth_line = p->line;
    } else {
        enter_unknown(p, inside, word);
    }
    if (rest.n && rest.s[0] != '#') {
        struct shown shown = config_show(rest);
        error(p, "%s: nothing but a comment may follow a section header", shown.text);
    }
}

/* --- key = value --------------------------------------------------------------------------- */

static void report_unknown_key(struct parser *p, struct slice word)
{
    struct shown shown = config_show(word);
    struct guess g = {0};
    for (const struct key *k = config_keys; k < config_keys + config_key_count; k++) {
        if (k->section == p->section) {
            config_guess(&g, word, k->name);
        } else if (slice_is(word, k->name)) {
            error(p, "%s: belongs in %s", shown.text,
                  k->section == SECTION_VM ? "a [vm NAME] section" : "[plinth]");
            return;
        }
    }
    error(p, "%s: no such key in %s%s%s%s", shown.text,
          p->section == SECTION_VM ? "[vm NAME]" : "[plinth]", g.name ? "; did you mean " : "",
          g.name ? g.name : "", g.name ? "?" : "");
}

/* Reads "..." with \" and \\ into dst, which has room for s. False after an error. */
static bool unquote(struct parser *p, struct slice s, char *dst)
{
    size_t i = 1;
    for (; i < s.n && s.s[i] != '"'; i++) {
        if (s.s[i] == '\\') {
            if (++i == s.n || (s.s[i] != '"' && s.s[i] != '\\')) {
                error(p, "in quotes a backslash may only stand before \" and \\");
                return false;
            }
        }
        *dst++ = s.s[i];
    }
    *dst = '\0';
    if (i >= s.n) {
        error(p, "the closing quote is missing");
        return false;
    }
    struct slice rest = {s.s + i + 1, s.n - i - 1};
    struct slice after = config_trim(rest);
    if (after.n && (after.s[0] != '#' || !is_blank(rest.s[0]))) {
        struct shown shown = config_show(after);
        error(p, "%s: nothing but a comment may follow the closing quote", shown.text);
        return false;
    }
    return true;
}

/* The value at the pool's tail, terminated; NULL after an error. */
static const char *take_value(struct parser *p, const char *name, struct slice s)
{
    struct config *c = p->out;
    char *dst = c->pool + c->pool_used;
    if (s.n + 1 > CONFIG_POOL - c->pool_used) {
        error(p, "%s: the texts of this file need more than %d bytes", name, CONFIG_POOL);
        return NULL;
    }
    if (s.n && s.s[0] == '"')
        return unquote(p, s, dst) ? dst : NULL;
    for (size_t i = 0; i < s.n; i++)
        if (s.s[i] == '#' && (i == 0 || is_blank(s.s[i - 1])))
            s.n = i;
    s = config_trim(s);
    if (s.n == 0) {
        error(p, "%s: has no value; an empty one is written \"\"", name);
        return NULL;
    }
    memcpy(dst, s.s, s.n);
    dst[s.n] = '\0';
    return dst;
}

static void read_key(struct parser *p, struct slice line)
{
    const char *equals = memchr(line.s, '=', line.n);
    size_t word_length = equals ? (size_t)(equals - line.s) : line.n;
    struct slice word = config_trim((struct slice){line.s, word_length});
    const struct key *key = NULL;
    if (p->section == SECTION_UNKNOWN)
        return;
    if (!equals || word.n == 0) {
        struct shown shown = config_show(line);
        error(p, "%s: expected key = value, [section] or # comment", shown.text);
        return;
    }
    if (p->section == SECTION_NONE) {
        struct shown shown = config_show(word);
        error(p, "%s: stands outside a section; put it below [plinth] or [vm NAME]", shown.text);
        return;
    }
    for (const struct key *k = config_keys; k < config_keys + config_key_count; k++)
        if (k->section == p->section && slice_is(word, k->name))
            key = k;
    if (!key) {
        report_unknown_key(p, word);
        return;
    }
    uint32_t *seen = &lines_of(p, p->section)[key - config_keys];
    if (*seen) {
        error(p, "%s: stands on line %u already", key->name, *seen);
        return;
    }
    *seen = p->line;
    size_t used = (size_t)(equals + 1 - line.s);
    struct slice rest = config_trim((struct slice){equals + 1, line.n - used});
    const char *value = take_value(p, key->name, rest);
    if (value)
        (void)key->parse(p, key, value, field_of(p, key));
}

/* --- lines --------------------------------------------------------------------------------- */

/* Bytes of the well-formed UTF-8 character at s[n], 0 if there is none. */
static size_t utf8_length(const unsigned char *s, size_t n)
{
    size_t len = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (len == 0 || s[0] > 0xf4 || len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    /* The lead byte's first continuation rules out overlong forms, surrogates, above U+10FFFF. */
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return len;
}

static bool check_bytes(struct parser *p, struct slice line)
{
    const unsigned char *s = (const unsigned char *)line.s;
    for (size_t i = 0, len; i < line.n; i += len) {
        len = utf8_length(s + i, line.n - i);
        if (len == 0)
            error(p, "column %zu: byte 0x%02x is not UTF-8 text", i + 1, s[i]);
        else if (s[i] == 0)
            error(p, "column %zu: a NUL byte; is this a text file?", i + 1);
        else if ((s[i] < 0x20 && s[i] != '\t') || s[i] == 0x7f)
            error(p, "column %zu: control character 0x%02x", i + 1, s[i]);
        else
            continue;
        return false;
    }
    return true;
}

static void read_line(struct parser *p, struct slice line)
{
    if (line.n && line.s[line.n - 1] == '\r')
        line.n--;
    if (line.n > CONFIG_LINE_MAX) {
        error(p, "the line has %zu bytes, more than %d", line.n, CONFIG_LINE_MAX);
        return;
    }
    if (!check_bytes(p, line))
        return;
    line = config_trim(line);
    if (line.n == 0 || line.s[0] == '#')
        return;
    if (line.s[0] == '[')
        read_section(p, line);
    else
        read_key(p, line);
}

void config_parse(const char *text, size_t len, struct config *out, struct config_errors *errors)
{
    struct parser p = {.out = out, .errors = errors, .section = SECTION_NONE};
    memset(out, 0, sizeof(*out));
    memset(errors, 0, sizeof(*errors));
    out->pool_used = 1; /* offset 0 is the empty text */
    set_defaults(&p, SECTION_PLINTH);
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        text += 3, len -= 3; /* a byte order mark, which some editors add */
    while (len) {
        const char *end = memchr(text, '\n', len);
        size_t n = end ? (size_t)(end - text) : len;
        p.line++;
        read_line(&p, (struct slice){text, n});
        n += end != NULL;
        text += n;
        len -= n;
    }
    leave_section(&p);
}

/* --- for the users of a parsed configuration ----------------------------------------------- */

const char *config_text(const struct config *config, struct config_text text)
{
    return config->pool + text.at;
}

uint32_t config_vm_key_line(const struct config_vm *vm, const char *key)
{
    for (const struct key *k = config_keys; k < config_keys + config_key_count; k++) {
        uint32_t line = vm->key_line[k - config_keys];
        if (k->section == SECTION_VM && str_eq(k->name, key) && line)
            return line;
    }
    return vm->line;
}

bool config_next_module(const char **list, struct config_module *out)
{
    const char *end = *list;
    if (!*end)
        return false;
    while (*end && *end != ',')
        end++;
    struct slice entry = config_trim((struct slice){*list, (size_t)(end - *list)});
    size_t path = 0;
    while (path < entry.n && !is_blank(entry.s[path]))
        path++;
    *out = (struct config_module){entry.s, entry.n, path};
    *list = *end ? end + 1 : end;
    return true;
}

const char *config_action_name(uint32_t action)
{
    for (const struct choice *c = config_actions; c->name; c++)
        if (c->value == action)
            return c->name;
    return "?";
}

const struct config_vm *config_find_vm(const struct config *config, const char *name)
{
    return find_vm(config, slice_of(name));
}
