/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands about the console itself: whose terminal it is, and what has been printed.
 */
#include "core/commands.h"
#include "core/console.h"
#include "core/log.h"
#include "core/vm.h"

void command_attach(const struct call *c)
{
    struct vm *vm = call_vm(c, 0);
    if (!vm)
        return;
    if (vm->state != VM_RUNNING && vm->state != VM_STARTING) {
        REFUSE(c, "vm %s is %s: only a running VM has a console to attach to\n", vm->name,
               vm_state_name(vm));
        return;
    }
    SAY(c, "attached to %s; %s leaves it\n", vm->name, CONSOLE_ESCAPE_NAME);
    console_attach(vm);
}

void command_log(const struct call *c)
{
    log_replay(c->sink, c->ctx);
}
