/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM's console in a program's hands: which VM, what is typed to it, and its end. The VM is known
 * by name: it may be gone at any time.
 */
#include "core/control_parts.h"

#include "core/host.h"
#include "core/lib/bytes.h"
#include "core/lib/string.h"
#include "core/machine.h"
#include "core/vm.h"

/* What `S` asks for. */
#define SUBSCRIBE_LOG     BIT(0)
#define SUBSCRIBE_CONSOLE BIT(1)

static char watched[CONFIG_NAME_MAX]; /* the VM whose console the program has; "": none */
static uint16_t watched_channel;

static struct {
    int seq;                /* of the last input; -1: none yet */
    uint16_t taken;         /* bytes of it that the VM's serial port took */
} input;

void control_console_close(void)
{
    struct vm *vm = vm_find(watched);
    if (*watched && vm)
        vm->watched = false;
    watched[0] = '\0';
    input.seq = -1;
}

void control_on_subscribe(const struct frame *f)
{
    char name[CONFIG_NAME_MAX];
    uint8_t what = f->len ? f->payload[0] : 0;
    size_t n = f->len ? f->len - 1 : 0;
    if (!f->len || n >= sizeof(name)) {
        control_send_result('s', f, 0, false, "no such VM");
        return;
    }
    memcpy(name, f->payload + 1, n);
    name[n] = '\0';
    control_console_close();
    control_want_log((what & SUBSCRIBE_LOG) || !host_control_is_apart());
    if (!(what & SUBSCRIBE_CONSOLE)) {
        control_send_result('s', f, 0, true, "");
        return;
    }
    struct vm *vm = vm_find(name);
    if (!vm || (vm->state != VM_RUNNING && vm->state != VM_STARTING)) {
        char text[160];
        fmt_print(text, sizeof(text), vm ? "vm %s is %s: only a running VM has a console"
                                         : "no VM is called '%s'", name,
                  vm ? vm_state_name(vm) : "");
        control_send_result('s', f, 0, false, text);
        return;
    }
    str_copy(watched, sizeof(watched), name);
    watched_channel = (uint16_t)(vm->slot + 1);
    vm->watched = true;
    control_send_result('s', f, watched_channel, true, "");
}

void control_on_input(const struct frame *f)
{
    struct vm *vm = *watched ? vm_find(watched) : NULL;
    uint8_t taken[2];
    if (!vm || f->channel != watched_channel) {
        control_send_error(f, "input: no such console is open");
        return;
    }
    if (f->seq != input.seq) {
        input.seq = f->seq;
        input.taken = vm->state == VM_RUNNING
                          ? (uint16_t)machine_input(vm, (const char *)f->payload, f->len) : 0;
    }
    put16(taken, input.taken);
    control_send('i', f->seq, f->channel, taken, sizeof(taken));
}

void control_console_check(void)
{
    struct vm *vm = vm_find(watched);
    if (!*watched)
        return;
    if (vm && vm->watched && (vm->state == VM_RUNNING || vm->state == VM_STARTING))
        return;
    const char *why = vm ? vm->end_text : "it is gone";
    control_send('z', 0, watched_channel, why, strlen(why));
    control_console_close();
}
