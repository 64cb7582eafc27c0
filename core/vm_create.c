/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMs made and changed at run time. The words go through the configuration's own parser, so keys,
 * rules and messages are the file's. A parsed configuration is big: it is taken from the pool for
 * the time of the command.
 */
#include "core/vm_control.h"

#include "core/config.h"
#include "core/config_words.h"
#include "core/lib/string.h"
#include "core/modules.h"
#include "core/pin.h"
#include "core/sched.h"
#include "core/vm.h"
#include "mm/pool.h"

struct scratch {
    struct config config;
    struct config_errors errors;
    char text[4096]; /* a command line with every byte escaped has less */
};

#define SCRATCH_PAGES ((unsigned)(ALIGN_UP(sizeof(struct scratch), PAGE_SIZE) / PAGE_SIZE))

/* The scratch with one VM parsed out of the words, or NULL after the messages. */
static struct scratch *parse(const char *name, const char *const *words, unsigned n,
                             fmt_sink_fn *sink, void *ctx)
{
    const char *wrong;
    struct scratch *s = pool_alloc_pages(SCRATCH_PAGES, NULL);
    if (!s) {
        fmt_write(sink, ctx, "no hypervisor memory for it\n");
        return NULL;
    }
    if (!config_words(name, words, n, s->text, sizeof(s->text), &wrong)) {
        fmt_write(sink, ctx, "%s%s\n", wrong ? wrong : "",
                  wrong ? ": expected KEY=VALUE" : "too long");
        goto out;
    }
    config_parse(s->text, strlen(s->text), &s->config, &s->errors);
    for (unsigned i = 0; i < s->errors.count; i++)
        fmt_write(sink, ctx, "%s\n", s->errors.list[i].text);
    if (s->errors.count)
        goto out;
    if (s->config.vm_count == 1 && str_eq(s->config.vms[0].name, name))
        return s;
    fmt_write(sink, ctx, "'%s' is no name for a VM\n", name);
out:
    pool_free_pages(s, SCRATCH_PAGES);
    return NULL;
}

static bool in_store(const char *name, fmt_sink_fn *sink, void *ctx)
{
    if (!*name || modules_find(name))
        return true;
    fmt_write(sink, ctx, "there is no file '%s'; 'store' lists those that were loaded\n", name);
    return false;
}

bool vm_create(const char *name, const char *const *words, unsigned n, fmt_sink_fn *sink,
               void *ctx)
{
    if (vm_find(name)) {
        fmt_write(sink, ctx, "there is a VM of the name '%s' already\n", name);
        return false;
    }
    struct scratch *s = parse(name, words, n, sink, ctx);
    if (!s)
        return false;
    struct vm *vm = NULL;
    const struct config_vm *c = &s->config.vms[0];
    bool starts = c->autostart && config_vm_key_line(c, "autostart") != c->line;
    if (in_store(config_text(&s->config, c->kernel), sink, ctx) &&
        in_store(config_text(&s->config, c->initrd), sink, ctx)) {
        vm = vm_define(&s->config, c);
        if (vm)
            fmt_write(sink, ctx, "vm %s is defined\n", name);
        else
            fmt_write(sink, ctx, "vm %s: not defined: no memory, or %d VMs\n", name, VM_MAX);
    }
    pool_free_pages(s, SCRATCH_PAGES);
    return vm && (!starts || vm_control(vm, VERB_START, 0, sink, ctx));
}

/* --- set --- */

static void set_weight(struct vm *vm, const struct config *c)
{
    vm->weight = c->vms[0].weight;
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        sched_set_weight(vm->vcpu[i], vm->weight);
}

static void set_cap(struct vm *vm, const struct config *c)
{
    cap_set(&vm->cap, c->vms[0].cap);
    /* Those that wait for the old cap's next tokens look again. */
    if (vm->state == VM_RUNNING)
        for (unsigned i = 0; i < vm->vcpu_count; i++)
            sched_notify(vm->vcpu[i], REQUEST_LOOK);
}

static void set_pin(struct vm *vm, const struct config *c)
{
    uint64_t cpus[CPU_WORDS];
    str_copy(vm->pin, sizeof(vm->pin), config_text(c, c->vms[0].pin));
    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        pin_allowed(vm->pin, i, cpus);
        sched_set_pin(vm->vcpu[i], cpus);
    }
}

static void set_autostart(struct vm *vm, const struct config *c)
{
    vm->autostart = c->vms[0].autostart;
}

static void set_on_reboot(struct vm *vm, const struct config *c)
{
    vm->on_reboot = (uint8_t)c->vms[0].on_reboot;
}

static void set_on_poweroff(struct vm *vm, const struct config *c)
{
    vm->on_poweroff = (uint8_t)c->vms[0].on_poweroff;
}

static void set_on_crash(struct vm *vm, const struct config *c)
{
    vm->on_crash = (uint8_t)c->vms[0].on_crash;
}

static const struct {
    const char *key;
    void (*fn)(struct vm *vm, const struct config *c);
} settable[] = {
    {"weight", set_weight},           {"cap", set_cap},
    {"pin", set_pin},                 {"autostart", set_autostart},
    {"on_reboot", set_on_reboot},     {"on_poweroff", set_on_poweroff},
    {"on_crash", set_on_crash},
};

/* -1: no such key, or not one that can be changed. */
static int find_settable(const char *word)
{
    for (size_t i = 0; i < ARRAY_LEN(settable); i++) {
        size_t n = strlen(settable[i].key);
        if (strncmp(word, settable[i].key, n) == 0 && word[n] == '=')
            return (int)i;
    }
    return -1;
}

bool vm_set(struct vm *vm, const char *word, fmt_sink_fn *sink, void *ctx)
{
    const char *const words[] = {"kernel=x", word}; /* a section must have one */
    int row = find_settable(word);
    if (row < 0) {
        fmt_write(sink, ctx, "only these can be changed:");
        for (size_t i = 0; i < ARRAY_LEN(settable); i++)
            fmt_write(sink, ctx, " %s", settable[i].key);
        fmt_write(sink, ctx, "; for the rest destroy the VM and create it anew\n");
        return false;
    }
    struct scratch *s = parse(vm->name, words, ARRAY_LEN(words), sink, ctx);
    if (!s)
        return false;
    char why[VM_END_TEXT];
    const char *pin = config_text(&s->config, s->config.vms[0].pin);
    bool fits = settable[row].fn != set_pin || vm_pin_fits(vm, pin, why, sizeof(why));
    if (fits)
        settable[row].fn(vm, &s->config);
    fmt_write(sink, ctx, "vm %s: %s\n", vm->name, fits ? word : why);
    pool_free_pages(s, SCRATCH_PAGES);
    return fits;
}
