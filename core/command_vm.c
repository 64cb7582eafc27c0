/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands that rule VMs: words in, vm_control.h's verbs out.
 */
#include "core/commands.h"

#include "core/config.h"
#include "core/image.h"
#include "core/lib/string.h"
#include "core/modules.h"
#include "core/vm_control.h"

static void control(const struct call *c, enum vm_verb verb, unsigned argument)
{
    struct vm *vm = call_vm(c, 0);
    if (vm && !vm_control(vm, verb, argument, c->sink, c->ctx))
        call_ended(c, COMMAND_REFUSED);
}

void command_vm_start(const struct call *c)
{
    control(c, VERB_START, 0);
}

void command_vm_stop(const struct call *c)
{
    control(c, VERB_STOP, 0);
}

void command_vm_kill(const struct call *c)
{
    control(c, VERB_KILL, 0);
}

void command_vm_pause(const struct call *c)
{
    control(c, VERB_PAUSE, 0);
}

void command_vm_resume(const struct call *c)
{
    control(c, VERB_RESUME, 0);
}

void command_vm_reset(const struct call *c)
{
    control(c, VERB_RESET, 0);
}

void command_vm_restart(const struct call *c)
{
    control(c, VERB_RESTART, 0);
}

void command_vm_destroy(const struct call *c)
{
    control(c, VERB_DESTROY, 0);
}

void command_vm_nmi(const struct call *c)
{
    uint64_t vcpu = 0;
    if (c->argc > 1 && (!call_number(c->argv[1], &vcpu) || vcpu > UINT32_MAX)) {
        command_usage(c);
        return;
    }
    control(c, VERB_NMI, (unsigned)vcpu);
}

void command_vm_create(const struct call *c)
{
    if (!vm_create(c->argv[0], c->argv + 1, c->argc - 1, c->sink, c->ctx))
        call_ended(c, COMMAND_REFUSED);
}

void command_vm_set(const struct call *c)
{
    char word[COMMAND_LINE_MAX];
    struct vm *vm = call_vm(c, 0);
    if (!vm)
        return;
    fmt_print(word, sizeof(word), "%s=%s", c->argv[1], c->argv[2]);
    if (!vm_set(vm, word, c->sink, c->ctx))
        call_ended(c, COMMAND_REFUSED);
}

void command_store(const struct call *c)
{
    char why[CONFIG_ERROR_TEXT];
    SAY(c, "  %-32s %12s  %s\n", "FILE", "BYTES", "KIND");
    for (unsigned i = 0; i < modules_count(); i++) {
        const struct module *m = modules_at(i);
        struct image image;
        bool kernel = image_parse(m->data, m->len, &image, why, sizeof(why));
        SAY(c, "  %-32s %12zu  %s\n", m->name, m->len,
            kernel ? image_kind_name(image.kind) : "data");
    }
}
