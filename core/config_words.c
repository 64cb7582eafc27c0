/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Words to configuration text. PURE. Checks nothing that the parser checks; only makes sure that a
 * word stays in its own line and a value in its own quotes.
 */
#include "core/config_words.h"

#include "core/lib/string.h"

struct writer {
    char *out;
    size_t used, size;
    bool full;
};

static void put(struct writer *w, char c)
{
    if (w->used + 1 >= w->size) {
        w->full = true;
        return;
    }
    w->out[w->used++] = c;
}

static void put_text(struct writer *w, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put(w, s[i]);
}

static void put_quoted(struct writer *w, const char *s)
{
    put(w, '"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            put(w, '\\');
        put(w, *s);
    }
    put(w, '"');
}

/* False: no KEY=VALUE, or one that would not stay a line. */
static bool put_word(struct writer *w, const char *word)
{
    const char *equals = strchr(word, '=');
    if (!equals || equals == word || word[0] == '[' || word[0] == '#' || strchr(word, '\n'))
        return false;
    put_text(w, word, (size_t)(equals - word));
    put_text(w, " = ", 3);
    put_quoted(w, equals + 1);
    put(w, '\n');
    return true;
}

bool config_words(const char *name, const char *const *words, unsigned n, char *out, size_t size,
                  const char **wrong)
{
    struct writer w = {.out = out, .size = size};
    *wrong = NULL;
    put_text(&w, "[vm ", 4);
    put_text(&w, name, strlen(name));
    put_text(&w, "]\n", 2);
    for (unsigned i = 0; i < n; i++)
        if (!put_word(&w, words[i])) {
            *wrong = words[i];
            return false;
        }
    if (w.full || !size)
        return false;
    out[w.used] = '\0';
    return true;
}
