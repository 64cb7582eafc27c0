/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The KVM clock's and the steal time's MSRs, and the writing of what stands behind them. An address
 * is checked when the guest gives it and at each writing: guest_write() is the only way there.
 */
#include "core/guest_time.h"

#include "core/host.h"
#include "core/interrupt.h"
#include "core/pvclock.h"
#include "core/vm.h"

_Static_assert(sizeof(struct pvclock_steal) == 64, "as Linux has it");

static bool write_version(struct vcpu *v, gpa_t at, uint32_t version)
{
    return guest_write(&v->vm->mem, at, &version, sizeof(version));
}

/* --- clock; the VM's lock is held --- */

/* Writes the clock's structure as of now to where the guest wants it. False: that is not RAM. The
 * version is odd while the rest changes, for other vCPUs may be reading; and it stays so while the
 * TSC is about to jump. */
static bool publish_clock(struct vcpu *v, uint64_t where)
{
    const struct vm *vm = v->vm;
    uint64_t now = host_now();
    gpa_t at = GPA(where & ~PVCLOCK_ENABLE);
    uint32_t even = v->pvclock_version + 2;
    struct pvclock_system s;
    if (!(where & PVCLOCK_ENABLE))
        return true;
    pvclock_fill(&s, even - 1, vm_guest_tsc(vm, now), vm_clock_ns(vm, now), host_tsc_khz());
    if (!guest_mem_contains(&vm->mem, at, sizeof(s)) || !write_version(v, at, s.version) ||
        !guest_write(&v->vm->mem, at, &s, sizeof(s)))
        return false;
    if (vm->tsc_moves)
        return true;
    v->pvclock_version = even;
    return write_version(v, at, even);
}

void guest_time_hold(struct vm *vm)
{
    lock_take(&vm->lock);
    vm->tsc_moves++;
    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        struct vcpu *v = vm->vcpu[i];
        if (v->pvclock_system & PVCLOCK_ENABLE) /* was RAM when it was set */
            (void)write_version(v, GPA(v->pvclock_system & ~PVCLOCK_ENABLE),
                                v->pvclock_version + 1);
    }
    lock_release(&vm->lock);
}

void guest_time_release(struct vm *vm)
{
    lock_take(&vm->lock);
    if (--vm->tsc_moves == 0)
        for (unsigned i = 0; i < vm->vcpu_count; i++)
            (void)publish_clock(vm->vcpu[i], vm->vcpu[i]->pvclock_system);
    lock_release(&vm->lock);
}

static bool set_clock(struct vcpu *v, uint64_t where)
{
    bool good = !(where & PVCLOCK_SYSTEM_RESERVED);
    lock_take(&v->vm->lock);
    good = good && publish_clock(v, where);
    if (good)
        v->pvclock_system = where;
    lock_release(&v->vm->lock);
    return good;
}

static bool write_wall(struct vm *vm, uint64_t where)
{
    struct pvclock_wall wall = {2, (uint32_t)vm->wall_clock_base, 0};
    if (where & PVCLOCK_WALL_RESERVED)
        return false;
    if (where && !guest_write(&vm->mem, GPA(where), &wall, sizeof(wall)))
        return false;
    vm->pvclock_wall = where;
    return true;
}

/* --- steal time --- */

/* The version is odd while the rest changes: other vCPUs may be reading. False: not RAM. */
static bool publish_steal(struct vcpu *v, uint64_t where)
{
    struct pvclock_steal s = {.steal = host_tsc_to_ns(v->waited - v->steal_from)};
    gpa_t at = GPA(where & ~PVCLOCK_ENABLE);
    gpa_t version_at = GPA(at.v + offsetof(struct pvclock_steal, version));
    uint32_t even = v->steal_version + 2;
    s.version = even - 1;
    if (!write_version(v, version_at, s.version) ||
        !guest_write(&v->vm->mem, at, &s, sizeof(s)) || !write_version(v, version_at, even))
        return false;
    v->steal_version = even;
    return true;
}

static bool write_steal(struct vcpu *v, uint64_t value)
{
    uint64_t from = v->steal_from;
    if (value & PVCLOCK_STEAL_RESERVED)
        return false;
    v->steal_from = v->waited;
    if ((value & PVCLOCK_ENABLE) && !publish_steal(v, value)) {
        v->steal_from = from;
        return false;
    }
    v->steal_where = value;
    return true;
}

void guest_time_enter(struct vcpu *v, uint64_t now)
{
    v->waited += now > v->runnable_since ? now - v->runnable_since : 0;
    if (v->steal_where & PVCLOCK_ENABLE)
        (void)publish_steal(v, v->steal_where); /* was RAM when it was set */
}

void guest_time_preempted(struct vcpu *v)
{
    const uint8_t preempted = 1;
    uint64_t at = (v->steal_where & ~PVCLOCK_ENABLE) + offsetof(struct pvclock_steal, preempted);
    if ((v->steal_where & PVCLOCK_ENABLE) &&
        !guest_write(&v->vm->mem, GPA(at), &preempted, sizeof(preempted)))
        v->steal_where = 0; /* cannot be: it was RAM when it was set */
}

/* --- MSRs --- */

uint64_t guest_time_read(const struct vcpu *v, uint32_t msr)
{
    switch (msr) {
    case PVCLOCK_MSR_WALL:
        return v->vm->pvclock_wall;
    case PVCLOCK_MSR_SYSTEM:
        return v->pvclock_system;
    default:
        return v->steal_where;
    }
}

bool guest_time_write(struct vcpu *v, uint32_t msr, uint64_t value)
{
    switch (msr) {
    case PVCLOCK_MSR_WALL:
        return write_wall(v->vm, value);
    case PVCLOCK_MSR_SYSTEM:
        return set_clock(v, value);
    default:
        return write_steal(v, value);
    }
}
