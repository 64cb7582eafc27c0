/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which device sits where in a VM, and what happens with what devices have to say: console bytes,
 * exit and reset requests.
 */
#ifndef CORE_MACHINE_H
#define CORE_MACHINE_H

#include "core/exit.h"
#include "core/vm.h"

#define MACHINE_COM1 0x3f8

/* Places every device on the VM's buses, as after power-on. */
MUST_CHECK enum pl_status machine_init(struct vm *vm);
void machine_free(struct vm *vm);
/* The VM's clock shows 0 now. */
void machine_start_clock(struct vm *vm);
/* An access to a port or to device memory, with all that follows from it for interrupt lines. The
 * caller presets what is read to all ones, which stay where nobody answers; then its bits beyond
 * a->size mean nothing. */
void machine_port(struct vm *vm, uint16_t port, struct io_access *a);
void machine_memory(struct vm *vm, gpa_t at, struct io_access *a);
/* The same for who holds the VM's lock. */
void machine_port_locked(struct vm *vm, uint16_t port, struct io_access *a);
/* Lets the devices' time come to host TSC now; when that must happen next, on the VM's clock. The
 * VM's lock is held. */
void machine_advance(struct vm *vm, uint64_t now);
uint64_t machine_deadline(const struct vm *vm);
/* Moves the console bytes of VM's UARTs and debug port on. */
void machine_drain(struct vm *vm);
/* True for a port whose bytes go to the console: a write waits until console_has_room(). */
static inline bool machine_is_console(uint16_t port)
{
    return port == MACHINE_COM1 || port == VDEBUG_CONSOLE_PORT;
}

/* After accesses: moves console bytes on, and ends the VM if a device asks for it. OUTCOME_ADVANCE
 * or OUTCOME_STOP. */
enum outcome machine_finish_io(struct vm *vm);
static inline enum outcome machine_after_io(struct vm *vm)
{
    return likely(!vm->io_after) ? OUTCOME_ADVANCE : machine_finish_io(vm);
}
/* COM1 and COM2 may have got rid of their bytes: their lines follow. */
void machine_uart_changed(struct vm *vm);
/* Bytes for the VM's console, from wherever. */
void machine_console(struct vm *vm, const char *text, size_t len);
/* The operator's bytes; returns how many the guest took. */
size_t machine_input(struct vm *vm, const char *text, size_t len);
/* A BREAK on its serial line. False: bytes that came before it have not been read yet. */
bool machine_input_break(struct vm *vm);
/* Prints what has not become a line. The VM's lock is held. */
void machine_flush(struct vm *vm);
/* The operator asks the guest for an orderly end. False: no driver of it listens. Any CPU. */
bool machine_press_power_button(struct vm *vm);

#endif
