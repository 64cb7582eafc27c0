/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration's language: keys[] says what there is, one row per key; the functions above it
 * say how each kind of value is read; the rest is lines and sections. PURE. Goes on after every
 * error and must never let one section's errors touch another section's VM. Texts live in struct
 * config's pool; the tail of the pool doubles as the buffer in which a value loses its quotes.
 */
#include "core/config.h"

#include "core/lib/string.h"

#define TEXT_SHOWN 48 /* bytes of a foreign text in a message */
#define CMDLINE_MAX 2047

enum section {
    SECTION_PLINTH,
    SECTION_VM,
    SECTION_NONE,    /* before the first header */
    SECTION_UNKNOWN, /* below a header that made no sense: its keys are skipped */
};

struct slice {
    const char *s;
    size_t n;
};

struct parser {
    struct config *out;
    struct config_errors *errors;
    uint32_t line;
    enum section section;
    struct config_vm *vm;     /* of the section: in out->vms, or &scratch */
    struct config_vm scratch; /* for a section that cannot become a VM */
    uint32_t pool_mark;       /* pool_used before a scratch section */
};

struct choice {
    const char *name; /* NULL ends a list */
    uint32_t value;
};

struct key;
/* Reads value (terminated, at the pool's tail) into *field; false after reporting an error. */
typedef bool value_fn(struct parser *p, const struct key *key, const char *value, void *field);

struct key {
    enum section section;
    const char *name;
    value_fn *parse;
    size_t offset; /* of the field in struct config or struct config_vm */
    uint64_t min, max;
    const struct choice *choices;
    const char *fallback; /* read like a value of the file; NULL: the key is required */
    const char *values;   /* for people */
    const char *help;
};

/* --- errors -------------------------------------------------------------------------------- */

static PRINTF_LIKE(3, 4) void error_at(struct parser *p, uint32_t line, const char *format, ...)
{
    struct config_errors *e = p->errors;
    if (p->section == SECTION_VM)
        p->vm->valid = false;
    if (e->count == CONFIG_ERRORS) {
        e->more++;
        return;
    }
    uint32_t at = e->count++;
    for (; at > 0 && e->list[at - 1].line > line; at--)
        e->list[at] = e->list[at - 1];
    e->list[at].line = line;
    va_list args;
    va_start(args, format);
    fmt_vprint(e->list[at].text, sizeof(e->list[at].text), format, args);
    va_end(args);
}

#define error(p, ...) error_at((p), (p)->line, __VA_ARGS__)

/* A foreign text cut to what fits in a message, at the start of a UTF-8 character. */
struct shown {
    char text[TEXT_SHOWN + 4];
};

static struct shown show(struct slice s)
{
    struct shown out = {""};
    size_t n = s.n;
    if (n > TEXT_SHOWN) {
        n = TEXT_SHOWN;
        while (n > 0 && ((unsigned char)s.s[n] & 0xc0) == 0x80)
            n--;
    }
    memcpy(out.text, s.s, n);
    str_copy(out.text + n, sizeof(out.text) - n, n < s.n ? "..." : "");
    return out;
}

static struct slice slice_of(const char *s)
{
    return (struct slice){s, strlen(s)};
}

static bool slice_is(struct slice s, const char *name)
{
    return s.n == strlen(name) && memcmp(s.s, name, s.n) == 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct slice trim(struct slice s)
{
    while (s.n && is_blank(s.s[0]))
        s.s++, s.n--;
    while (s.n && is_blank(s.s[s.n - 1]))
        s.n--;
    return s;
}

/* --- the nearest known word ---------------------------------------------------------------- */

#define WORD_MAX 31

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;
    return m < c ? m : c;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Edit distance without regard to case; WORD_MAX when a word is too long to be compared. */
static unsigned distance(struct slice a, const char *b)
{
    unsigned row[WORD_MAX + 1], blen = (unsigned)strlen(b);
    if (a.n > WORD_MAX || blen > WORD_MAX)
        return WORD_MAX;
    for (unsigned j = 0; j <= blen; j++)
        row[j] = j;
    for (unsigned i = 1; i <= a.n; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= blen; j++) {
            unsigned change = diagonal + (lower(a.s[i - 1]) != lower(b[j - 1]));
            diagonal = row[j];
            row[j] = min3(change, row[j] + 1, row[j - 1] + 1);
        }
    }
    return row[blen];
}

/* Is `known` what `word` may have been meant to be? Smaller is nearer; 0 is "no". */
static unsigned nearness(struct slice word, const char *known)
{
    unsigned d = distance(word, known), limit = strlen(known) < 5 ? 1 : 2;
    if (word.n >= 3 && word.n < strlen(known) && memcmp(word.s, known, word.n) == 0)
        return 2;
    return d <= limit ? d + 1 : 0;
}

struct guess {
    const char *name;
    unsigned score;
};

static void guess_try(struct guess *g, struct slice word, const char *known)
{
    unsigned score = nearness(word, known);
    if (score && (!g->name || score < g->score))
        *g = (struct guess){known, score};
}

/* --- kinds of value ------------------------------------------------------------------------ */

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
    struct shown v = show(slice_of(value));
    error(p, "%s = %s: %s", key->name, v.text, rule);
}

static bool parse_text(struct parser *p, const struct key *key, const char *value, void *field)
{
    struct config *c = p->out;
    size_t n = strlen(value);
    if (n < key->min || n > key->max) {
        struct shown v = show(slice_of(value));
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

static bool parse_memory(struct parser *p, const struct key *key, const char *value, void *field)
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
        bad_value(p, key, value, "must be from 64K to 1024G");
        return false;
    }
    if (v % 4096) {
        bad_value(p, key, value, "must be a multiple of 4K (4096 bytes)");
        return false;
    }
    *(uint64_t *)field = v;
    return true;
}

static bool parse_time(struct parser *p, const struct key *key, const char *value, void *field)
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

static bool parse_choice(struct parser *p, const struct key *key, const char *value, void *field)
{
    struct guess g = {0};
    for (const struct choice *c = key->choices; c->name; c++) {
        if (str_eq(value, c->name)) {
            *(uint32_t *)field = c->value;
            return true;
        }
        guess_try(&g, slice_of(value), c->name);
    }
    struct shown v = show(slice_of(value));
    error(p, "%s = %s: must be one of %s%s%s%s", key->name, v.text, key->values,
          g.name ? "; did you mean " : "", g.name ? g.name : "", g.name ? "?" : "");
    return false;
}

static bool parse_count(struct parser *p, const struct key *key, const char *value, void *field)
{
    const char *s = value;
    uint64_t v;
    if (!take_number(&s, &v) || *s || v < key->min || v > key->max) {
        struct shown shown = show(slice_of(value));
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
    struct shown path = show((struct slice){m->text, m->path_len});
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
static bool parse_modules(struct parser *p, const struct key *key, const char *value, void *field)
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
    return good && parse_text(p, key, value, field);
}

/* One word, +NAME or -NAME. */
static bool take_switch(struct parser *p, const struct key *key, struct slice word, uint64_t *on)
{
    const struct choice *c = key->choices;
    struct shown shown = show(word);
    struct guess g = {0};
    bool plus = word.s[0] == '+', sign = plus || word.s[0] == '-';
    struct slice name = {word.s + sign, word.n - sign};
    for (; c->name && !slice_is(name, c->name); c++)
        guess_try(&g, name, c->name);
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
static bool parse_switches(struct parser *p, const struct key *key, const char *value, void *field)
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

static const struct choice booleans[] = {{"yes", 1},   {"no", 0}, {"true", 1}, {"false", 0},
                                         {"on", 1},    {"off", 0}, {NULL, 0}};
static const struct choice poweroffs[] = {
    {"never", CONFIG_POWEROFF_NEVER}, {"when-idle", CONFIG_POWEROFF_WHEN_IDLE}, {NULL, 0}};
static const struct choice devices[] = {{"testdev", CONFIG_DEVICE_TESTDEV}, {NULL, 0}};
static const struct choice actions[] = {
    {"restart", CONFIG_RESTART}, {"stop", CONFIG_STOP}, {"keep", CONFIG_KEEP}, {NULL, 0}};
#define ACTIONS "restart, stop, keep"

/* --- the keys ------------------------------------------------------------------------------ */

#define PLINTH(member) offsetof(struct config, member)
#define VM(member)     offsetof(struct config_vm, member)

static const struct key keys[] = {
    {SECTION_PLINTH, "slice", parse_time, PLINTH(slice_ns), 100000, 1000000000, NULL, "10ms",
     "TIME, 100us to 1s", "how long a guest runs before another one gets the CPU"},
    {SECTION_PLINTH, "poweroff", parse_choice, PLINTH(poweroff), 0, 0, poweroffs, "never",
     "never, when-idle", "when-idle ends the machine after the last VM has ended"},
    {SECTION_PLINTH, "attach", parse_text, PLINTH(attach), 0, CONFIG_NAME_MAX - 1, NULL, "",
     "NAME", "the VM whose console the terminal is at the start"},

    {SECTION_VM, "kernel", parse_text, VM(kernel), 1, CONFIG_PATH_MAX, NULL, NULL,
     "FILE", "what the VM starts: a Linux bzImage, an ELF with a PVH note, a Multiboot1 or a flat "
     "image"},
    {SECTION_VM, "initrd", parse_text, VM(initrd), 0, CONFIG_PATH_MAX, NULL, "",
     "FILE", "given to the kernel as its initial RAM disk (PVH, Multiboot1: as module 0)"},
    {SECTION_VM, "cmdline", parse_text, VM(cmdline), 0, CMDLINE_MAX, NULL, "",
     "TEXT, up to 2047 bytes", "the kernel's command line"},
    {SECTION_VM, "memory", parse_memory, VM(memory), UINT64_C(65536), BIT(40), NULL, "32M",
     "SIZE, 64K to 1024G, a multiple of 4K", "the VM's RAM"},
    {SECTION_VM, "autostart", parse_choice, VM(autostart), 0, 0, booleans, "yes",
     "yes, no, true, false, on, off", "start the VM when the machine starts"},
    {SECTION_VM, "cpus", parse_count, VM(cpus), 1, CONFIG_CPUS, NULL, "1",
     "NUMBER, 1 to 64", "the VM's virtual CPUs"},
    {SECTION_VM, "modules", parse_modules, VM(modules), 0, CMDLINE_MAX, NULL, "",
     "FILE [ARGUMENTS], ...", "boot modules of a Multiboot1 kernel"},
    {SECTION_VM, "devices", parse_switches, VM(devices), 0, 0, devices, "",
     "+testdev, -testdev", "devices beyond the usual ones"},
    {SECTION_VM, "on_reboot", parse_choice, VM(on_reboot), 0, 0, actions, "restart",
     ACTIONS, "what becomes of the VM when it resets itself"},
    {SECTION_VM, "on_poweroff", parse_choice, VM(on_poweroff), 0, 0, actions, "stop",
     ACTIONS, "what becomes of the VM when it switches itself off"},
    {SECTION_VM, "on_crash", parse_choice, VM(on_crash), 0, 0, actions, "stop",
     ACTIONS, "what becomes of the VM when it ends badly"},
};
_Static_assert(ARRAY_LEN(keys) <= CONFIG_KEYS_MAX, "struct config has a line number per key");

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
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (keys[i].section == section && keys[i].fallback)
            (void)keys[i].parse(p, &keys[i], keys[i].fallback, field_of(p, &keys[i]));
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
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (keys[i].section == SECTION_VM && !keys[i].fallback && !p->vm->key_line[i])
            error_at(p, p->vm->line, "[vm %s]: %s is missing", p->vm->name, keys[i].name);
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
    struct shown shown = show(name);

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
    struct shown shown = show(inside);
    struct guess g = {0};
    p->section = SECTION_UNKNOWN;
    guess_try(&g, word, "plinth");
    guess_try(&g, word, "vm");
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
        struct shown shown = show(line);
        error(p, "%s: a section header ends with ]", shown.text);
        return;
    }
    struct slice inside = trim((struct slice){line.s + 1, (size_t)(end - line.s - 1)});
    struct slice rest = trim((struct slice){end + 1, line.n - (size_t)(end + 1 - line.s)});
    struct slice word = {inside.s, 0};
    while (word.n < inside.n && !is_blank(word.s[word.n]))
        word.n++;
    if (slice_is(word, "vm")) {
        enter_vm(p, trim((struct slice){word.s + word.n, inside.n - word.n}));
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
        struct shown shown = show(rest);
        error(p, "%s: nothing but a comment may follow a section header", shown.text);
    }
}

/* --- key = value --------------------------------------------------------------------------- */

static void report_unknown_key(struct parser *p, struct slice word)
{
    struct shown shown = show(word);
    struct guess g = {0};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (keys[i].section == p->section) {
            guess_try(&g, word, keys[i].name);
        } else if (slice_is(word, keys[i].name)) {
            error(p, "%s: belongs in %s", shown.text,
                  keys[i].section == SECTION_VM ? "a [vm NAME] section" : "[plinth]");
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
    struct slice after = trim(rest);
    if (after.n && (after.s[0] != '#' || !is_blank(rest.s[0]))) {
        struct shown shown = show(after);
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
    s = trim(s);
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
    struct slice word = trim((struct slice){line.s, equals ? (size_t)(equals - line.s) : line.n});
    const struct key *key = NULL;
    if (p->section == SECTION_UNKNOWN)
        return;
    if (!equals || word.n == 0) {
        struct shown shown = show(line);
        error(p, "%s: expected key = value, [section] or # comment", shown.text);
        return;
    }
    if (p->section == SECTION_NONE) {
        struct shown shown = show(word);
        error(p, "%s: stands outside a section; put it below [plinth] or [vm NAME]", shown.text);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(keys) && !key; i++)
        if (keys[i].section == p->section && slice_is(word, keys[i].name))
            key = &keys[i];
    if (!key) {
        report_unknown_key(p, word);
        return;
    }
    uint32_t *seen = &lines_of(p, p->section)[key - keys];
    if (*seen) {
        error(p, "%s: stands on line %u already", key->name, *seen);
        return;
    }
    *seen = p->line;
    size_t used = (size_t)(equals + 1 - line.s);
    const char *value = take_value(p, key->name, trim((struct slice){equals + 1, line.n - used}));
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
    line = trim(line);
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
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (keys[i].section == SECTION_VM && str_eq(keys[i].name, key) && vm->key_line[i])
            return vm->key_line[i];
    return vm->line;
}

bool config_next_module(const char **list, struct config_module *out)
{
    const char *end = *list;
    if (!*end)
        return false;
    while (*end && *end != ',')
        end++;
    struct slice entry = trim((struct slice){*list, (size_t)(end - *list)});
    size_t path = 0;
    while (path < entry.n && !is_blank(entry.s[path]))
        path++;
    *out = (struct config_module){entry.s, entry.n, path};
    *list = *end ? end + 1 : end;
    return true;
}

const char *config_action_name(uint32_t action)
{
    for (const struct choice *c = actions; c->name; c++)
        if (c->value == action)
            return c->name;
    return "?";
}

const struct config_vm *config_find_vm(const struct config *config, const char *name)
{
    return find_vm(config, slice_of(name));
}

void config_describe(fmt_sink_fn *sink, void *ctx)
{
    static const char *const headers[] = {"[plinth]", "[vm NAME]"};
    for (enum section s = SECTION_PLINTH; s <= SECTION_VM; s++) {
        fmt_write(sink, ctx, "%s%s\n", s ? "\n" : "", headers[s]);
        for (const struct key *k = keys; k < keys + ARRAY_LEN(keys); k++) {
            if (k->section != s)
                continue;
            fmt_write(sink, ctx, "  %-11s %s\n              %s; ", k->name, k->help, k->values);
            if (!k->fallback)
                fmt_write(sink, ctx, "required\n");
            else
                fmt_write(sink, ctx, "default %s\n", *k->fallback ? k->fallback : "none");
        }
    }
}
