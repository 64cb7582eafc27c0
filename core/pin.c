/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sets of physical CPUs as text. PURE, text is hostile. One reader serves both the check and the
 * use, so that they cannot differ.
 */
#include "core/pin.h"

#include "core/lib/string.h"

#define VCPU_MAX 63
#define ANY      UINT32_MAX

struct word {
    uint32_t vcpu; /* or ANY */
    uint64_t cpus[PIN_WORDS];
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Digits at *s, stepping over them; at most `most`. */
static bool take_number(const char **s, uint32_t most, uint32_t *out)
{
    uint32_t v = 0;
    const char *start = *s;
    for (; **s >= '0' && **s <= '9'; ++*s) {
        v = v * 10 + (uint32_t)(**s - '0');
        if (v > most)
            return false;
    }
    *out = v;
    return *s != start;
}

static const char *take_list(const char **s, struct word *w)
{
    do {
        uint32_t first, last;
        if (!take_number(s, PIN_CPUS - 1, &first))
            return "a CPU is a number from 0 to 255, as in 0,2-3 or, for each vCPU, 0:1 1:2-3";
        last = first;
        if (**s == '-') {
            ++*s;
            if (!take_number(s, PIN_CPUS - 1, &last) || last < first)
                return "a range of CPUs is written FIRST-LAST, as in 2-3";
        }
        for (uint32_t cpu = first; cpu <= last; cpu++)
            w->cpus[cpu / 64] |= BIT(cpu % 64);
    } while (**s == ',' && ++*s);
    if (**s && !is_blank(**s))
        return "expected a comma, a dash or a blank behind a CPU's number";
    return NULL;
}

/* The next word of *s, which stands on one. NULL, or what is wrong with it. */
static const char *take_word(const char **s, struct word *w)
{
    const char *from = *s;
    *w = (struct word){.vcpu = ANY};
    uint32_t vcpu;
    if (take_number(&from, VCPU_MAX, &vcpu) && *from == ':') {
        w->vcpu = vcpu;
        *s = from + 1;
    }
    return take_list(s, w);
}

static void skip_blanks(const char **s)
{
    while (is_blank(**s))
        ++*s;
}

bool pin_check(const char *text, const char **why)
{
    struct word w;
    for (skip_blanks(&text); *text; skip_blanks(&text)) {
        *why = take_word(&text, &w);
        if (*why)
            return false;
    }
    return true;
}

void pin_allowed(const char *text, unsigned vcpu, uint64_t cpus[PIN_WORDS])
{
    struct word w;
    bool own = false;
    memset(cpus, 0xff, PIN_WORDS * sizeof(*cpus));
    for (skip_blanks(&text); *text; skip_blanks(&text)) {
        if (take_word(&text, &w))
            return;
        if (w.vcpu == vcpu || (w.vcpu == ANY && !own))
            memcpy(cpus, w.cpus, sizeof(w.cpus));
        own |= w.vcpu == vcpu;
    }
}
