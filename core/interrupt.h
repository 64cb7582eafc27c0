/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interrupt wiring of a VM: from a device's line through 8259s and IOAPIC to local APICs, from
 * one local APIC to another, and to the vCPU that takes it. The controllers themselves are PURE
 * models in drivers/emu; here is who is connected to whom, and who gets woken.
 *
 * The VM's lock covers 8259s, IOAPIC and their lines. A local APIC belongs to the CPU that runs or
 * parks its vCPU: everybody else posts (struct vcpu's posted[] and request bits) and notifies.
 */
#ifndef CORE_INTERRUPT_H
#define CORE_INTERRUPT_H

#include "core/vm.h"

/* The VM's lock is held: */
/* A device's line, by ISA IRQ number (0 to 15): to the 8259s and to the IOAPIC's pin. */
void interrupt_set_irq(struct vm *vm, unsigned irq, bool level);
/* An IOAPIC pin that has no ISA number, 16 to 23. */
void interrupt_set_pin(struct vm *vm, unsigned pin, bool level);
/* The IOAPIC's or the 8259s' registers have changed: send what waits. */
void interrupt_update(struct vm *vm);
/* True if the line is not masked both at the 8259s and at the IOAPIC: its edges reach somebody. */
bool interrupt_hears(const struct vm *vm, unsigned irq);
/* The VM's lock is not held, v is this CPU's: */
/* v's local APIC has been written to: carry out what that caused. */
void interrupt_apic_effects(struct vcpu *v);

/* For the backend: the vector that v would take now if it could, -1 for none; and that it does. */
int interrupt_next(const struct vcpu *v);
uint8_t interrupt_take(struct vcpu *v);
/* Behind interrupt_take(): another one waits for nothing but the guest to let interrupts in. */
bool interrupt_more(const struct vcpu *v);

/* Takes in what others have posted; requests: the REQUEST_* bits that v had and has no more. */
void interrupt_collect(struct vcpu *v, uint32_t requests);
/* Lets the time of v's APIC timer come to host TSC now, and sets v->event_at. */
void interrupt_time(struct vcpu *v, uint64_t now);
/* The guest writes IA32_TSC_DEADLINE. False: not as running systems do, and nothing was done. */
bool interrupt_arm_deadline(struct vcpu *v, uint64_t deadline);
/* The guest writes the initial count of its x2APIC; the same. */
bool interrupt_start_timer(struct vcpu *v, uint64_t count);
/* The guest writes its x2APIC's ICR; the same. */
bool interrupt_self_ipi(struct vcpu *v, uint64_t icr);
/* Sets v->event_at anew after a timer was programmed. */
void interrupt_rearm(struct vcpu *v);
/* True if something is there for which a halted v wakes. */
bool interrupt_wakes(const struct vcpu *v);

/* Lets the time of vm's devices come to now, and sets their timer: a timer of theirs is due. */
void interrupt_device_time(struct vm *vm);
/* The same timer anew after a device was programmed; the VM's lock is held. */
void interrupt_rearm_devices(struct vm *vm);

/* The VM's TSC has moved: v's own and its APIC timer follow. */
void interrupt_follow_tsc(struct vcpu *v);
/* IA32_TSC_ADJUST of all vCPUs. */
uint64_t vm_tsc_adjust(const struct vm *vm);
/* Guest TSC as v's APIC knows it: late from a move to interrupt_follow_tsc(). */
static inline uint64_t vcpu_guest_tsc(const struct vcpu *v, uint64_t now)
{
    return now + v->tsc_offset;
}
/* Guest TSC, and nanoseconds of the VM's clock, at host TSC now; the latter just now. */
uint64_t vm_guest_tsc(const struct vm *vm, uint64_t now);
uint64_t vm_clock_ns(const struct vm *vm, uint64_t now);
uint64_t vm_clock_now(const struct vm *vm);

#endif
