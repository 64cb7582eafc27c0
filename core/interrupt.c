/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupt wiring and timers of a VM. As on a PC: the 8259s' output goes to LINT0 of vCPU 0, ISA
 * IRQ n to IOAPIC pin n except that IRQ 0 is pin 2. SDM: "Advanced Programmable Interrupt
 * Controller (APIC)".
 */
#include "core/interrupt.h"

#include "arch/x86/msr.h"
#include "arch/x86/regs.h"
#include "core/apic_route.h"
#include "core/backend.h"
#include "core/host.h"
#include "core/machine.h"
#include "core/sched.h"

#define PIN_OF_IRQ0 2

/* True if this CPU holds v: it may touch v's local APIC and its registers. */
static bool is_ours(const struct vcpu *v)
{
    return v == host_current_vcpu();
}

uint64_t vm_guest_tsc(const struct vm *vm, uint64_t now)
{
    return now + vm->tsc_offset;
}

uint64_t vm_tsc_adjust(const struct vm *vm)
{
    return vm->tsc_offset + vm->start_tsc;
}

void interrupt_follow_tsc(struct vcpu *v)
{
    uint64_t delta = __atomic_load_n(&v->vm->tsc_offset, __ATOMIC_SEQ_CST) - v->tsc_offset;
    v->tsc_offset += delta;
    if (is_ours(v)) /* else when it is loaded */
        (void)backend->set_msr(v, MSR_IA32_TSC, v->tsc_offset);
    vlapic_tsc_moved(&v->apic, delta);
    interrupt_rearm(v);
}

uint64_t vm_clock_ns(const struct vm *vm, uint64_t now)
{
    return host_tsc_to_ns(now - vm->start_tsc);
}

uint64_t vm_clock_now(const struct vm *vm)
{
    return host_ns_since(vm->start_tsc);
}

/* --- to the vCPU --- */

int interrupt_next(const struct vcpu *v)
{
    int vector = vlapic_pending(&v->apic);
    if (vector >= 0 || v->index != 0)
        return vector;
    if (vlapic_lint0_extint(&v->apic) && v->vm->pic_intr)
        return 0; /* which one the 8259s say only when asked */
    return -1;
}

static uint8_t take_from_pic(struct vcpu *v)
{
    struct vm *vm = v->vm;
    lock_take(&vm->lock);
    uint8_t vector = (uint8_t)vpic_acknowledge(&vm->pic);
    vm->pic_intr = vpic_output(&vm->pic);
    vlapic_set_lint(&v->apic, 0, vm->pic_intr);
    lock_release(&vm->lock);
    return vector;
}

uint8_t interrupt_take(struct vcpu *v)
{
    int ours = vlapic_take(&v->apic);
    return ours >= 0 ? (uint8_t)ours : take_from_pic(v);
}

bool interrupt_more(const struct vcpu *v)
{
    /* The local APIC holds back what is less urgent until an EOI, which is seen. The 8259s do not
     * know of what it has delivered, nor, with automatic EOI, of what they have. */
    return v->index == 0 && unlikely(v->vm->pic_intr) && vlapic_lint0_extint(&v->apic);
}

bool interrupt_wakes(const struct vcpu *v)
{
    return v->nmi_pending || (v->wake_on_interrupt && interrupt_next(v) >= 0);
}

/* The level first: who sees the vector must see how it came. */
static void post(struct vcpu *v, uint8_t vector, bool level_trigger)
{
    uint32_t bit = 1u << vector % 32;
    if (level_trigger)
        __atomic_fetch_or(&v->posted_level[vector / 32], bit, __ATOMIC_RELAXED);
    else
        __atomic_fetch_and(&v->posted_level[vector / 32], ~bit, __ATOMIC_RELAXED);
    __atomic_fetch_or(&v->posted[vector / 32], bit, __ATOMIC_RELEASE);
    sched_notify(v, REQUEST_POSTED | REQUEST_EVENT);
}

static void collect_posted(struct vcpu *v)
{
    for (unsigned i = 0; i < ARRAY_LEN(v->posted); i++) {
        if (!__atomic_load_n(&v->posted[i], __ATOMIC_RELAXED))
            continue;
        uint32_t word = __atomic_exchange_n(&v->posted[i], 0, __ATOMIC_ACQUIRE);
        uint32_t level = __atomic_load_n(&v->posted_level[i], __ATOMIC_RELAXED);
        for (; word; word &= word - 1) {
            unsigned bit = (unsigned)__builtin_ctz(word);
            /* A vector that is refused may have raised the error interrupt. */
            (void)vlapic_accept(&v->apic, (uint8_t)(32 * i + bit), level >> bit & 1);
        }
    }
}

/* LINT0 follows the 8259s' output; a rise between two looks must not be missed. */
static void collect_lint0(struct vcpu *v)
{
    struct vm *vm = v->vm;
    lock_take(&vm->lock);
    if (vm->pic_rose)
        vlapic_set_lint(&v->apic, 0, false);
    vm->pic_rose = false;
    vlapic_set_lint(&v->apic, 0, vm->pic_intr);
    lock_release(&vm->lock);
}

void interrupt_collect(struct vcpu *v, uint32_t requests)
{
    if (requests & REQUEST_POSTED)
        collect_posted(v);
    if (requests & REQUEST_TSC)
        interrupt_follow_tsc(v);
    if (requests & REQUEST_NMI)
        v->nmi_pending = true;
    if (requests & REQUEST_LINT0)
        collect_lint0(v);
}

/* True: v's local APIC has accepted it, be it as an error. */
static bool deliver(struct vcpu *v, const struct apic_message *m)
{
    switch (m->mode) {
    case APIC_MODE_FIXED:
    case APIC_MODE_LOWEST:
        if (!is_ours(v)) {
            post(v, m->vector, m->level_trigger);
            return vlapic_software_enabled(&v->apic);
        }
        (void)vlapic_accept(&v->apic, m->vector, m->level_trigger);
        sched_notify(v, REQUEST_EVENT);
        return vlapic_software_enabled(&v->apic);
    case APIC_MODE_NMI:
        sched_notify(v, REQUEST_NMI | REQUEST_EVENT);
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

/* True: at least one local APIC has accepted it. Others' APICs are read as they are at some moment
 * between then and now: messages take time. */
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
    bool intr = vpic_output(&vm->pic);
    if (intr == vm->pic_intr)
        return;
    vm->pic_intr = intr;
    vm->pic_rose |= intr;
    sched_notify(vm->vcpu[0], REQUEST_LINT0 | REQUEST_EVENT);
}

void interrupt_set_pin(struct vm *vm, unsigned pin, bool level)
{
    vioapic_set_line(&vm->ioapic, pin, level);
    interrupt_update(vm);
}

static unsigned pin_of(unsigned irq)
{
    return irq == 0 ? PIN_OF_IRQ0 : irq;
}

bool interrupt_hears(const struct vm *vm, unsigned irq)
{
    return vpic_hears(&vm->pic, irq) || vioapic_hears(&vm->ioapic, pin_of(irq));
}

void interrupt_set_irq(struct vm *vm, unsigned irq, bool level)
{
    uint16_t bit = (uint16_t)BIT(irq);
    if (level == ((vm->irq_levels & bit) != 0))
        return;
    vm->irq_levels ^= bit;
    vpic_set_line(&vm->pic, irq, level);
    interrupt_set_pin(vm, pin_of(irq), level);
}

/* --- local APICs --- */

static void rearm(struct vcpu *v, uint64_t now);

void interrupt_apic_effects(struct vcpu *v)
{
    struct vlapic_effects e;
    uint64_t any = v->apic.effects.any;
    if (!any)
        return;
    /* By far the most: an interrupt that has come in, or been ended. */
    if (any == VLAPIC_STATE_CHANGED && likely(!v->vm->ioapic.refused)) {
        v->apic.effects.any = 0;
        vcpu_request(v, REQUEST_EVENT);
        return;
    }
    vlapic_take_effects(&v->apic, &e);
    if (e.ipi) {
        send(v->vm, v->apic.id, &e.message);
        if (e.message.mode == APIC_MODE_INIT)
            sched_await_exits(v->vm, REQUEST_INIT);
    }
    if (e.eoi_broadcast) {
        lock_take(&v->vm->lock);
        vioapic_eoi(&v->vm->ioapic, e.eoi_vector);
        interrupt_update(v->vm);
        lock_release(&v->vm->lock);
    } else if (unlikely(e.reach_changed)) {
        /* Who finds this APIC closed just now and notes a refusal has the lock meanwhile. */
        lock_take(&v->vm->lock);
        interrupt_update(v->vm);
        lock_release(&v->vm->lock);
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
        vcpu_request(v, REQUEST_EVENT);
}

/* --- time --- */

/* The host TSC of a guest TSC; what is past or never stays so. */
static uint64_t host_tsc_of(const struct vcpu *v, uint64_t guest, uint64_t now)
{
    uint64_t guest_now = vcpu_guest_tsc(v, now);
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

static inline void set_event(struct vcpu *v, uint64_t at)
{
    v->event_at = at;
    /* What is later than what the backend has armed its timer for is seen when that fires. */
    if (at < v->armed_for)
        v->look_at = 0;
}

static void rearm(struct vcpu *v, uint64_t now)
{
    set_event(v, max_u64(host_tsc_of(v, vlapic_deadline(&v->apic), now), now + 1));
}

void interrupt_rearm(struct vcpu *v)
{
    rearm(v, host_now());
}

bool interrupt_arm_deadline(struct vcpu *v, uint64_t deadline)
{
    uint64_t now = host_now(), guest_now = now + v->tsc_offset;
    if (!vlapic_arm_deadline(&v->apic, deadline, guest_now))
        return false;
    uint64_t left = deadline - guest_now;
    set_event(v, left < UINT64_MAX - now ? now + left : UINT64_MAX);
    return true;
}

bool interrupt_start_timer(struct vcpu *v, uint64_t count)
{
    uint64_t now = host_now();
    if (!vlapic_start_timer(&v->apic, count, now + v->tsc_offset))
        return false;
    rearm(v, now);
    return true;
}

/* The instruction that has exited is over, the guest lets interrupts in, and nothing else waits. */
static inline bool takes_the_next(const struct vcpu *v)
{
    return (v->rflags & RFLAGS_IF) && !v->exit.slow_step &&
           !(v->reinject_valid | v->exception_valid | v->nmi_pending) &&
           !(v->index == 0 && v->vm->pic_intr);
}

bool interrupt_self_ipi(struct vcpu *v, uint64_t icr)
{
    if (takes_the_next(v) && vlapic_serve_self_ipi(&v->apic, icr)) {
        backend->inject(v, (uint8_t)icr);
        return true;
    }
    if (!vlapic_self_ipi(&v->apic, icr))
        return false;
    vcpu_request(v, REQUEST_EVENT);
    return true;
}

void interrupt_time(struct vcpu *v, uint64_t now)
{
    vlapic_advance(&v->apic, vcpu_guest_tsc(v, now));
    interrupt_apic_effects(v);
    rearm(v, now);
}

/* TSC ticks: how long a VM's devices leave its vCPUs alone at least. Ticks and not time, since it
 * is work that has to fit in between: a PIT may be due every 84 ticks of a slow TSC. */
#define DEVICE_PAUSE 8192

void interrupt_rearm_devices(struct vm *vm)
{
    uint64_t at = max_u64(device_deadline(vm), vm->device_pause);
    if (at != vm->timer.entry.at)
        sched_set_timer(&vm->timer, at);
}

void interrupt_device_time(struct vm *vm)
{
    lock_take(&vm->lock);
    if (vm->state == VM_RUNNING && !__atomic_load_n(&vm->paused, __ATOMIC_SEQ_CST)) {
        machine_advance(vm, host_now());
        vm->device_pause = host_now() + DEVICE_PAUSE;
        interrupt_rearm_devices(vm);
    }
    lock_release(&vm->lock);
}
