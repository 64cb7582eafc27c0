/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of modules.
 */
#include "core/modules.h"

#include "core/lib/string.h"

static struct module modules[64];
static unsigned count;

bool modules_add(const char *name, const void *data, size_t len)
{
    if (count == ARRAY_LEN(modules))
        return false;
    modules[count++] = (struct module){name, data, len};
    return true;
}

void modules_remove(const char *name)
{
    for (unsigned i = 0; i < count; i++)
        if (str_eq(modules[i].name, name)) {
            modules[i] = modules[--count];
            return;
        }
}

const struct module *modules_find(const char *name)
{
    for (unsigned i = 0; i < count; i++)
        if (str_eq(modules[i].name, name))
            return &modules[i];
    return NULL;
}

unsigned modules_count(void)
{
    return count;
}

const struct module *modules_at(unsigned i)
{
    return i < count ? &modules[i] : NULL;
}
