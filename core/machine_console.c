/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM's console: bytes that its UART and debug port have taken, or a hypercall has brought, on
 * their way out; the operator's keys on their way in.
 */
#include "core/machine_parts.h"

#include "core/console.h"
#include "core/interrupt.h"
#include "core/log.h"

static void emit_line(void *ctx, const char *line, size_t len)
{
    log_vm_line(ctx, line, len);
}

static void console_text(struct vm *vm, const char *text, size_t len)
{
    if (!len)
        return;
    vm->console_used = true;
    vm->last_console_byte = text[len - 1];
    console_vm_raw(vm, text, len);
    struct log_vm_lines lines;
    log_vm_begin(&lines, vm->name);
    for (size_t i = 0; i < len; i++)
        lines_put(&vm->line, text[i], emit_line, &lines);
    log_vm_end(&lines);
}

void machine_console(struct vm *vm, const char *text, size_t len)
{
    lock_take(&vm->lock);
    console_text(vm, text, len);
    lock_release(&vm->lock);
}

void machine_flush(struct vm *vm)
{
    struct log_vm_lines lines;
    log_vm_begin(&lines, vm->name);
    lines_flush(&vm->line, emit_line, &lines);
    log_vm_end(&lines);
}

size_t machine_input(struct vm *vm, const char *text, size_t len)
{
    lock_take(&vm->lock);
    size_t n = vuart_give(&vm->uart, text, len);
    interrupt_set_irq(vm, IRQ_COM1, vuart_ops.irq(&vm->uart));
    lock_release(&vm->lock);
    return n;
}

bool machine_input_break(struct vm *vm)
{
    lock_take(&vm->lock);
    bool done = vuart_break(&vm->uart);
    interrupt_set_irq(vm, IRQ_COM1, vuart_ops.irq(&vm->uart));
    lock_release(&vm->lock);
    return done;
}

void machine_uart_changed(struct vm *vm)
{
    interrupt_set_irq(vm, IRQ_COM1, vuart_ops.irq(&vm->uart));
    interrupt_set_irq(vm, IRQ_COM2, vuart_ops.irq(&vm->uart2));
}

void machine_drain_locked(struct vm *vm)
{
    bool sent = false;
    char text[VDEBUG_CONSOLE_BYTES];
    size_t n;
    while ((n = vuart_take(&vm->uart, text, sizeof(text))) > 0) {
        console_text(vm, text, n);
        sent = true;
    }
    while ((n = vdebug_take(&vm->debug, text, sizeof(text))) > 0)
        console_text(vm, text, n);
    /* COM2 has no cable. */
    while (vuart_take(&vm->uart2, text, sizeof(text)) > 0)
        sent = true;
    /* An empty transmitter interrupts: whoever has asked for that may do nothing else for it. */
    if (sent)
        machine_uart_changed(vm);
}

void machine_drain(struct vm *vm)
{
    lock_take(&vm->lock);
    machine_drain_locked(vm);
    lock_release(&vm->lock);
}
