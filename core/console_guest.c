/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The terminal as a guest's console: what it has printed last, then its bytes as they come and the
 * operator's keys to its serial port, until Ctrl-] or its end.
 */
#include "core/console_parts.h"
#include "core/lib/ring.h"
#include "core/machine.h"

void console_attach(struct vm *vm)
{
    console.guest_next = vm;
}

static bool has_console(const struct vm *vm)
{
    return vm->state == VM_RUNNING || vm->state == VM_STARTING;
}

static void replay(const struct vm *vm)
{
    const struct ring *r = &vm->scrollback;
    for (uint64_t at = r->tail; at < r->head;) {
        uint64_t offset = at & (r->size - 1), n = min_u64(r->head - at, r->size - offset);
        host_console_write(r->buf + offset, n);
        at += n;
    }
}

bool console_guest_enter(void)
{
    struct vm *vm = console.guest_next;
    console.guest_next = NULL;
    if (!vm || !has_console(vm))
        return false;
    log_lock();
    lineedit_hide(&console.edit);
    console.mode = CONSOLE_GUEST;
    log_unlock();
    lock_take(&vm->lock);
    replay(vm);
    vm->attached = true; /* from here on its bytes come by themselves */
    console.guest = vm;
    lock_release(&vm->lock);
    return true;
}

void console_guest_leave(void)
{
    struct vm *vm = console.guest;
    lock_take(&vm->lock);
    vm->attached = false;
    console.guest = NULL;
    lock_release(&vm->lock);
    log_lock();
    console.mode = CONSOLE_PROMPT;
    host_console_write("\n", 1);
    log_unlock();
}

/* The VM whose console this is has ended. */
static void lost_guest(void)
{
    struct vm *vm = console.guest;
    console_guest_leave();
    log_info("detached: vm %s has ended: %s", vm->name, vm->end_text);
    console_show_prompt();
}

void console_guest_poll(void)
{
    if (!has_console(console.guest))
        lost_guest();
}

void console_forget(const struct vm *vm)
{
    if (console.guest_next == vm)
        console.guest_next = NULL;
    if (console.guest == vm)
        lost_guest();
}

void console_guest_key(char c)
{
    if (c != CONSOLE_ESCAPE) {
        machine_input(console.guest, &c, 1);
        return;
    }
    struct vm *vm = console.guest;
    console_guest_leave();
    log_info("detached from %s", vm->name);
    console_show_prompt();
}

/* What ends takes all there is: nobody reads it any more. */
bool console_guest_ready(void)
{
    return console.guest->state != VM_RUNNING || vuart_room(&console.guest->uart);
}
