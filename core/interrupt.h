/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interrupt wiring of a VM: from a device's line through 8259s and IOAPIC to local APICs, from
 * one local APIC to another, and to the vCPU that takes it. The controllers themselves are PURE
 * models in drivers/emu; here is who is connected to whom, and who gets woken.
 */
#ifndef CORE_INTERRUPT_H
#define CORE_INTERRUPT_H

#include "core/vm.h"

/* A device's line, by ISA IRQ number (0 to 15): to the 8259s and to the IOAPIC's pin. */
void interrupt_set_irq(struct vm *vm, unsigned irq, bool level);
/* An IOAPIC pin that has no ISA number, 16 to 23. */
void interrupt_set_pin(struct vm *vm, unsigned pin, bool level);
/* The IOAPIC's or the 8259s' registers have changed: send what waits. */
void interrupt_update(struct vm *vm);
/* v's local APIC has been written to: carry out what that caused. */
void interrupt_apic_effects(struct vcpu *v);

/* For the backend: the vector that v would take now if it could, -1 for none; and that it does. */
int interrupt_next(const struct vcpu *v);
uint8_t interrupt_take(struct vcpu *v);

/* Lets the time of v's timers (and, for vCPU 0, of its VM's devices) come to host TSC now, and sets
 * v->event_at. */
void interrupt_time(struct vcpu *v, uint64_t now);
/* The guest writes IA32_TSC_DEADLINE. False: not as running systems do, and nothing was done. */
bool interrupt_arm_deadline(struct vcpu *v, uint64_t deadline);
/* Sets v->event_at anew after a timer was programmed. */
void interrupt_rearm(struct vcpu *v);
/* True if something is there for which a halted v wakes. */
bool interrupt_wakes(const struct vcpu *v);

/* Guest TSC, and nanoseconds of the VM's clock, at host TSC now. */
uint64_t vm_guest_tsc(const struct vm *vm, uint64_t now);
uint64_t vm_clock_ns(const struct vm *vm, uint64_t now);

#endif
