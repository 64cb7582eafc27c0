/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands about files: what there is, and dropping what was pushed over the line.
 */
#include "core/commands.h"
#include "core/lib/json.h"
#include "core/modules.h"
#include "core/store.h"

static const struct store_file *pushed(const struct module *m)
{
    for (unsigned i = 0; i < STORE_FILES; i++)
        if (store_at(i) && store_at(i)->name == m->name)
            return store_at(i);
    return NULL;
}

static void list_json(const struct call *c)
{
    struct json j;
    json_begin(&j, c->sink, c->ctx);
    json_array(&j, "files");
    for (unsigned i = 0; i < modules_count(); i++) {
        const struct module *m = modules_at(i);
        const struct store_file *f = pushed(m);
        json_object(&j, NULL);
        json_text(&j, "name", m->name);
        json_u64(&j, "bytes", m->len);
        json_bool(&j, "pushed", f != NULL);
        if (f)
            json_hex(&j, "crc32", f->crc);
        json_object_end(&j);
    }
    json_array_end(&j);
    json_finish(&j);
}

void command_store_list(const struct call *c)
{
    if (c->json) {
        list_json(c);
        return;
    }
    SAY(c, "  %-32s %12s  %s\n", "NAME", "BYTES", "FROM");
    for (unsigned i = 0; i < modules_count(); i++) {
        const struct module *m = modules_at(i);
        const struct store_file *f = pushed(m);
        SAY(c, "  %-32s %12zu  ", m->name, m->len);
        if (f)
            SAY(c, "pushed, CRC-32 %08x\n", f->crc);
        else
            SAY(c, "boot\n");
    }
}

void command_store_drop(const struct call *c)
{
    const char *why = store_drop(c->argv[0]);
    if (why)
        REFUSE(c, "%s: %s\n", c->argv[0], why);
    else
        SAY(c, "%s is gone\n", c->argv[0]);
}
