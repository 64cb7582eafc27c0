/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PC that a guest finds: its ports and who answers them.
 *
 *   0x60 0x64 0x92 0xCF9   resets (drivers/emu/vreset.c)
 *   0x80 0xE9 0xF4         debug ports (drivers/emu/vdebug.c)
 *   0x3F8-0x3FF            COM1 (drivers/emu/vuart.c)
 */
#include "core/machine.h"

#include "core/console.h"
#include "core/log.h"

#define COM1       0x3f8
#define COM1_DATA  COM1

enum pl_status machine_init(struct vm *vm)
{
    const struct {
        uint16_t port;
        uint8_t size, width;
        const struct device_ops *ops;
        void *dev;
    } ports[] = {
        {VRESET_KBC_DATA_PORT, 1, 1, &vreset_kbc_data_ops, &vm->reset},
        {VRESET_KBC_COMMAND_PORT, 1, 1, &vreset_kbc_command_ops, &vm->reset},
        {VRESET_FAST_A20_PORT, 1, 1, &vreset_fast_a20_ops, &vm->reset},
        {VRESET_CONTROL_PORT, 1, 1, &vreset_control_ops, &vm->reset},
        {VDEBUG_POST_PORT, 1, 1, &vdebug_post_ops, &vm->debug},
        {VDEBUG_CONSOLE_PORT, 1, 1, &vdebug_console_ops, &vm->debug},
        {VDEBUG_EXIT_PORT, VDEBUG_EXIT_PORTS, 4, &vdebug_exit_ops, &vm->debug},
        {COM1, VUART_PORTS, 1, &vuart_ops, &vm->uart},
    };
    bus_init(&vm->ports);
    bus_init(&vm->memory_bus);
    vuart_init(&vm->uart);
    vdebug_init(&vm->debug);
    vreset_init(&vm->reset);
    lines_init(&vm->line);
    for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
        enum pl_status s = bus_add(&vm->ports, ports[i].port, ports[i].size, ports[i].width,
                                   ports[i].ops, ports[i].dev);
        if (s != PL_OK)
            return s;
    }
    return PL_OK;
}

bool machine_must_wait(const struct vm *vm, uint16_t port)
{
    (void)vm;
    return (port == COM1_DATA || port == VDEBUG_CONSOLE_PORT) && !console_has_room();
}

static void emit_line(void *ctx, const char *line, size_t len)
{
    struct vm *vm = ctx;
    console_vm_line(vm, line, len);
}

void machine_console(struct vm *vm, const char *text, size_t len)
{
    if (!len)
        return;
    vm->console_used = true;
    vm->last_console_byte = text[len - 1];
    if (vm->attached)
        console_vm_raw(vm, text, len);
    for (size_t i = 0; i < len; i++)
        lines_put(&vm->line, text[i], emit_line, vm);
}

void machine_flush(struct vm *vm)
{
    lines_flush(&vm->line, emit_line, vm);
}

size_t machine_input(struct vm *vm, const char *text, size_t len)
{
    return vuart_give(&vm->uart, text, len);
}

enum outcome machine_after_io(struct vm *vm)
{
    char text[VDEBUG_CONSOLE_BYTES];
    size_t n;
    while ((n = vuart_take(&vm->uart, text, sizeof(text))) > 0)
        machine_console(vm, text, n);
    while ((n = vdebug_take(&vm->debug, text, sizeof(text))) > 0)
        machine_console(vm, text, n);
    if (vm->debug.exit_requested) {
        vm->status = vm->debug.exit_status;
        return vm_stop(vm, STOP_EXIT, "exit by port 0xf4, status %u", vm->status);
    }
    if (vm->reset.reset_requested)
        return vm_stop(vm, STOP_RESET, "the guest reset its machine");
    return OUTCOME_ADVANCE;
}
