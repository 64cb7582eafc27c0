/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `vm key`: keys for a guest's serial console that nobody is attached to. The guest takes them as
 * its UART has room; what it has not taken waits in its record. Boot CPU only.
 */
#include "core/command_key.h"

#include "core/commands.h"
#include "core/host.h"
#include "core/machine.h"
#include "core/vm.h"

#define LOOK_NS 5000000 /* how often a guest is looked at that is slow to take its keys */

static unsigned waiting; /* VMs with keys, as key_poll() found it last */

static bool type(struct vm *vm, uint16_t code)
{
    char c = (char)code;
    return code == KEY_BREAK ? machine_input_break(vm) : machine_input(vm, &c, 1) == 1;
}

/* As many as the guest takes. */
static void move(struct vm *vm)
{
    unsigned done = 0;
    if (vm->state == VM_RUNNING)
        while (done < vm->keys.n && type(vm, vm->keys.code[done]))
            done++;
    keys_drop(&vm->keys, done);
}

void key_poll(void)
{
    if (likely(!waiting))
        return;
    waiting = 0;
    for (unsigned i = 0; i < vm_count(); i++) {
        if (vm_at(i)->keys.n)
            move(vm_at(i));
        waiting += vm_at(i)->keys.n != 0;
    }
}

uint64_t key_deadline(void)
{
    return waiting ? host_now() + host_ns_to_tsc(LOOK_NS) : UINT64_MAX;
}

void command_vm_key(const struct call *c)
{
    struct vm *vm = call_vm(c, 0);
    if (!vm)
        return;
    if (vm->state != VM_RUNNING) {
        REFUSE(c, "vm %s is %s: only a running VM reads keys\n", vm->name, vm_state_name(vm));
        return;
    }
    unsigned before = vm->keys.n;
    for (unsigned i = 1; i < c->argc; i++) {
        if (keys_add(&vm->keys, c->argv[i]))
            continue;
        vm->keys.n = before;
        REFUSE(c, "vm %s: at most %u bytes wait for it, and %u do so already\n", vm->name, KEYS_MAX,
               before);
        return;
    }
    SAY(c, "vm %s: %u bytes typed\n", vm->name, vm->keys.n - before);
    waiting = 1;
    key_poll();
}
