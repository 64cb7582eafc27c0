/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupt wiring and timers of a VM. As on a PC: the 8259s' output goes to LINT0 of vCPU 0, ISA
 * IRQ n to IOAPIC pin n except that IRQ 0 is pin 2. SDM: "Advanced Programmable Interrupt
 * Controller (APIC)".
 */
#include "core/interrupt.h"

#include "core/apic_route.h"
#include "core/backend.h"
#include "core/host.h"
#include "core/machine.h"
#include "core/sched.h"

#define PIN_OF_IRQ0 2

uint64_t vm_guest_tsc(const struct vm *vm, uint64_t now)
{
    return now + vm->tsc_offset;
}

uint64_t vm_clock_ns(const struct vm *vm, uint64_t now)
{
    return host_tsc_to_ns(now - vm->start_tsc);
}

/* --- to the vCPU --- */

int interrupt_next(const struct vcpu *v)
{
    int vector = vlapic_pending(&v->apic);
    if (vector >= 0 || v->index != 0)
        return vector;
    if (vlapic_lint0_extint(&v->apic) && vpic_output(&v->vm->pic))
        return 0; /* which one the 8259s say only when asked */
    return -1;
}

uint8_t interrupt_take(struct vcpu *v)
{
    int ours = vlapic_take(&v->apic);
    if (ours >= 0)
        return (uint8_t)ours;
    uint8_t vector = (uint8_t)vpic_acknowledge(&v->vm->pic);
    v->vm->pic_intr = vpic_output(&v->vm->pic);
    vlapic_set_lint(&v->apic, 0, v->vm->pic_intr);
    return vector;
}

bool interrupt_wakes(const struct vcpu *v)
{
    return v->nmi_pending || (v->wake_on_interrupt && interrupt_next(v) >= 0);
}

/* Something may have become deliverable. */
static void kick(struct vcpu *v)
{
    vcpu_request(v, REQUEST_EVENT);
    if (v->state == VCPU_BLOCKED && interrupt_wakes(v))
        sched_wake(v);
}

/* True: v's local APIC has accepted it, be it as an error. */
static bool deliver(struct vcpu *v, const struct apic_message *m)
{
    switch (m->mode) {
    case APIC_MODE_FIXED:
    case APIC_MODE_LOWEST:
        /* A vector that is refused may have raised the error interrupt. */
        (void)vlapic_accept(&v->apic, m->vector, m->level_trigger);
        kick(v);
        return vlapic_software_enabled(&v->apic);
    case APIC_MODE_NMI:
        v->nmi_pending = true;
        kick(v);
        break;
    case APIC_MODE_INIT:
        /* The level de-assert form is for CPUs of the last century: no effect. */
        if (m->level_assert || !m->level_trigger)
            vcpu_init_signal(v);
        break;
    case APIC_MODE_SIPI:
        vcpu_startup_signal(v, m->vector);
        break;
    default: /* SMI: there is no SMM; ExtINT goes by LINT0 */
        break;
    }
    return true;
}

/* True: at least one local APIC has accepted it. */
static bool send(struct vm *vm, uint32_t source, const struct apic_message *m)
{
    bool accepted = false;
    bool candidate[VM_VCPUS] = {false};
    uint8_t priority[VM_VCPUS];
    struct apic_target target;
    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        struct vcpu *v = vm->vcpu[i];
        candidate[i] = vlapic_target(&v->apic, &target) && apic_matches(m, source, &target);
        if (candidate[i] && m->mode != APIC_MODE_LOWEST)
            accepted |= deliver(v, m);
        else if (candidate[i])
            priority[i] = vlapic_ppr(&v->apic);
    }
    if (m->mode != APIC_MODE_LOWEST)
        return accepted;
    int chosen = apic_arbitrate(candidate, priority, vm->vcpu_count, &vm->apic_turn);
    return chosen >= 0 && deliver(vm->vcpu[chosen], m);
}

/* --- lines --- */

void interrupt_update(struct vm *vm)
{
    struct apic_message m;
    vioapic_retry(&vm->ioapic);
    while (vioapic_take(&vm->ioapic, &m))
        if (!send(vm, UINT32_MAX, &m))
            vioapic_refused(&vm->ioapic);
    struct vcpu *boot = vm->vcpu[0];
    bool intr = vpic_output(&vm->pic);
    if (intr == vm->pic_intr)
        return;
    vm->pic_intr = intr;
    vlapic_set_lint(&boot->apic, 0, intr);
    if (intr)
        kick(boot);
}

void interrupt_set_pin(struct vm *vm, unsigned pin, bool level)
{
    vioapic_set_line(&vm->ioapic, pin, level);
    interrupt_update(vm);
}

void interrupt_set_irq(struct vm *vm, unsigned irq, bool level)
{
    uint16_t bit = (uint16_t)BIT(irq);
    if (level == ((vm->irq_levels & bit) != 0))
        return;
    vm->irq_levels ^= bit;
    vpic_set_line(&vm->pic, irq, level);
    interrupt_set_pin(vm, irq == 0 ? PIN_OF_IRQ0 : irq, level);
}

/* --- local APICs --- */

static void rearm(struct vcpu *v, uint64_t now);

void interrupt_apic_effects(struct vcpu *v)
{
    struct vlapic_effects e;
    vlapic_take_effects(&v->apic, &e);
    if (e.ipi)
        send(v->vm, v->apic.id, &e.message);
    if (e.eoi_broadcast) {
        vioapic_eoi(&v->vm->ioapic, e.eoi_vector);
        interrupt_update(v->vm);
    } else if (unlikely(v->vm->ioapic.refused) && e.state_changed) {
        interrupt_update(v->vm);
    }
    if (e.nmi)
        v->nmi_pending = true;
    if (e.init)
        vcpu_init_signal(v);
    if (e.base_changed)
        backend->apic_mode(v);
    if (e.timer_changed)
        rearm(v, host_now());
    if (e.state_changed || e.nmi)
        kick(v);
}

/* --- time --- */

/* The host TSC of a guest TSC; what is past or never stays so. */
static uint64_t host_tsc_of(const struct vm *vm, uint64_t guest, uint64_t now)
{
    uint64_t guest_now = vm_guest_tsc(vm, now);
    if (guest == VLAPIC_NEVER)
        return UINT64_MAX;
    if (guest <= guest_now)
        return now;
    return guest - guest_now > UINT64_MAX - now ? UINT64_MAX : now + (guest - guest_now);
}

static uint64_t device_deadline(const struct vm *vm)
{
    uint64_t ns = machine_deadline(vm);
    return ns == UINT64_MAX ? UINT64_MAX
                            : vm->start_tsc + host_ns_to_tsc(ns) + 1; /* never a tick early */
}

static void rearm(struct vcpu *v, uint64_t now)
{
    uint64_t at = host_tsc_of(v->vm, vlapic_deadline(&v->apic), now);
    if (v->index == 0)
        at = min_u64(at, v->vm->device_at);
    v->event_at = max_u64(at, now + 1);
    /* What is later than what the backend has armed its timer for is seen when that fires. */
    if (v->event_at < v->armed_for)
        v->look_at = 0;
    if (v->state != VCPU_RUNNABLE)
        sched_due(v->event_at);
}

void interrupt_rearm(struct vcpu *v)
{
    if (v->index == 0)
        v->vm->device_at = device_deadline(v->vm);
    rearm(v, host_now());
}

bool interrupt_arm_deadline(struct vcpu *v, uint64_t deadline)
{
    uint64_t now = host_now();
    if (!vlapic_arm_deadline(&v->apic, deadline, vm_guest_tsc(v->vm, now)))
        return false;
    rearm(v, now);
    return true;
}

void interrupt_time(struct vcpu *v, uint64_t now)
{
    vlapic_advance(&v->apic, vm_guest_tsc(v->vm, now));
    interrupt_apic_effects(v);
    if (v->index == 0 && v->vm->device_at <= now) {
        machine_advance(v->vm, now);
        v->vm->device_at = device_deadline(v->vm);
    }
    rearm(v, now);
}
