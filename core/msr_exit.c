/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RDMSR and WRMSR exits: rows of msr.def, and what the CALL rows do. An MSR without a row is #GP,
 * counted, and logged once per VM and number.
 */
#include "arch/x86/msr.h"
#include "core/backend.h"
#include "core/cr.h"
#include "core/guest_cpu.h"
#include "core/guest_time.h"
#include "core/host.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/msr.h"
#include "core/sched.h"
#include "core/vm.h"

static bool offered(const struct msr_row *row)
{
    return row && (likely(row->needs == MSR_ALWAYS) || msr_row_offered(row, guest_msr_features()));
}

/* True: this VM has not been seen to use it yet. Several of its vCPUs may come at once, and an
 * index that two of them step on would be beyond the array. */
static COLD bool note_unlisted(struct vm *vm, uint32_t msr)
{
    bool fresh = true;
    lock_take(&vm->lock);
    vm->unlisted_msrs++;
    for (unsigned i = 0; i < vm->logged_msrs; i++)
        fresh &= vm->logged_msr[i] != msr;
    fresh = fresh && vm->logged_msrs < ARRAY_LEN(vm->logged_msr);
    if (fresh)
        vm->logged_msr[vm->logged_msrs++] = msr;
    lock_release(&vm->lock);
    return fresh;
}

static COLD enum outcome unlisted(struct vcpu *v, uint32_t msr, const char *what)
{
    if (note_unlisted(v->vm, msr))
        log_info("vm %s: %s %#x: not offered, #GP", v->vm->name, what, msr);
    return vcpu_raise(v, GP(0));
}

static enum outcome result(struct vcpu *v, uint64_t value)
{
    v->gpr[GPR_RAX] = (uint32_t)value;
    v->gpr[GPR_RDX] = value >> 32;
    return OUTCOME_ADVANCE;
}

/* Where a VM keeps the value of an MTRR. */
static uint64_t *mtrr(struct vm *vm, uint32_t msr)
{
    if (msr >= MSR_IA32_MTRR_PHYSBASE0 && msr <= MSR_IA32_MTRR_PHYSMASK7)
        return &vm->mtrr_variable[msr - MSR_IA32_MTRR_PHYSBASE0];
    if (msr == MSR_IA32_MTRR_DEF_TYPE)
        return &vm->mtrr_default;
    if (msr == MSR_IA32_MTRR_FIX64K_00000)
        return &vm->mtrr_fixed[0];
    if (msr == MSR_IA32_MTRR_FIX16K_80000 || msr == MSR_IA32_MTRR_FIX16K_80000 + 1)
        return &vm->mtrr_fixed[1 + (msr & 1)];
    return &vm->mtrr_fixed[3 + (msr & 7)];
}

static enum outcome read_apic(struct vcpu *v, uint32_t msr)
{
    uint64_t value;
    if (!vlapic_msr_read(&v->apic, msr, vcpu_guest_tsc(v, host_now()), &value))
        return vcpu_raise(v, GP(0));
    return result(v, value);
}

static enum outcome read_call(struct vcpu *v, const struct msr_row *row, uint32_t msr)
{
    switch (row - msr_rows) {
    case MSR_ROW_IA32_APIC_BASE:
    case MSR_ROW_IA32_TSC_DEADLINE:
    case MSR_ROW_IA32_X2APIC:
        return read_apic(v, msr);
    case MSR_ROW_IA32_TSC_ADJUST:
        return result(v, vm_tsc_adjust(v->vm));
    case MSR_ROW_KVM_CLOCK:
    case MSR_ROW_KVM_STEAL_TIME:
        return result(v, guest_time_read(v, msr));
    case MSR_ROW_IA32_DEBUGCTL:
    case MSR_ROW_IA32_SPEC_CTRL:
        return result(v, backend->get_msr(v, msr));
    case MSR_ROW_IA32_ARCH_CAPABILITIES:
        return result(v, msr_guest_capabilities(backend->arch_capabilities));
    default:
        return result(v, *mtrr(v->vm, msr));
    }
}

enum outcome exit_rdmsr(struct vcpu *v, struct vm_exit *x)
{
    uint32_t msr = (uint32_t)v->gpr[GPR_RCX];
    (void)x;
    if (msr == MSR_IA32_APIC_BASE)
        return result(v, v->apic.apic_base);
    const struct msr_row *row = msr_find(msr);
    if (unlikely(!offered(row)))
        return unlisted(v, msr, "RDMSR");
    switch (row->read) {
    case MSR_CONST:
        return result(v, row->value);
    case MSR_CALL:
        return read_call(v, row, msr);
    default:
        return vcpu_raise(v, GP(0));
    }
}

static NOINLINE enum outcome write_efer(struct vcpu *v, uint64_t value)
{
    uint64_t old = backend->get_reg(v, VREG_EFER), efer;
    if (value == old)
        return OUTCOME_ADVANCE;
    if (efer_check_write(old, value, backend->get_reg(v, VREG_CR0), guest_efer_bits(), &efer) !=
        CR_OK)
        return vcpu_raise(v, GP(0));
    if (efer != old)
        backend->set_reg(v, VREG_EFER, efer);
    return OUTCOME_ADVANCE;
}

static enum outcome write_debugctl(struct vcpu *v, uint64_t value)
{
    if (value & ~DEBUGCTL_BTF)
        return vcpu_raise(v, GP(0));
    return backend->set_msr(v, MSR_IA32_DEBUGCTL, value) ? OUTCOME_ADVANCE : vcpu_raise(v, GP(0));
}

/* The VM's TSC moves by delta, on all its vCPUs alike, and so does what depends on it. When the
 * guest goes on nobody reads the old one any more. An operating system that writes the same
 * adjustment on each of its CPUs moves it once. */
static void move_tsc(struct vcpu *v, uint64_t delta)
{
    struct vm *vm = v->vm;
    guest_time_hold(vm);
    __atomic_fetch_add(&vm->tsc_offset, delta, __ATOMIC_SEQ_CST);
    interrupt_follow_tsc(v);
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        if (vm->vcpu[i] != v)
            sched_notify(vm->vcpu[i], REQUEST_TSC);
    sched_await_exits(vm, REQUEST_TSC);
    guest_time_release(vm);
}

static enum outcome write_tsc(struct vcpu *v, uint64_t value)
{
    move_tsc(v, value - vm_guest_tsc(v->vm, host_now()));
    return OUTCOME_ADVANCE;
}

static enum outcome write_apic(struct vcpu *v, uint32_t msr, uint64_t value)
{
    if (!vlapic_msr_write(&v->apic, msr, value, vcpu_guest_tsc(v, host_now())))
        return vcpu_raise(v, GP(0));
    interrupt_apic_effects(v);
    return OUTCOME_ADVANCE;
}

static bool valid_memory_type(uint8_t type)
{
    return type <= 6 && type != 2 && type != 3;
}

static enum outcome write_mtrr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    bool variable = msr >= MSR_IA32_MTRR_PHYSBASE0 && msr <= MSR_IA32_MTRR_PHYSMASK7;
    uint64_t address = BITS((int)guest_maxphyaddr() - 1, 12);
    if (variable) {
        uint64_t low = msr & 1 ? BIT(11) : BITS(7, 0);
        if ((value & ~(address | low)) || (!(msr & 1) && !valid_memory_type((uint8_t)value)))
            return vcpu_raise(v, GP(0));
    } else if (msr == MSR_IA32_MTRR_DEF_TYPE) {
        if ((value & ~(BITS(11, 10) | BITS(7, 0))) || !valid_memory_type((uint8_t)value))
            return vcpu_raise(v, GP(0));
    } else {
        for (int i = 0; i < 64; i += 8)
            if (!valid_memory_type((uint8_t)(value >> i)))
                return vcpu_raise(v, GP(0));
    }
    *mtrr(v->vm, msr) = value;
    return OUTCOME_ADVANCE;
}

static enum outcome write_call(struct vcpu *v, const struct msr_row *row, uint32_t msr,
                               uint64_t value)
{
    switch (row - msr_rows) {
    case MSR_ROW_IA32_APIC_BASE:
    case MSR_ROW_IA32_TSC_DEADLINE:
    case MSR_ROW_IA32_X2APIC:
        return write_apic(v, msr, value);
    case MSR_ROW_IA32_DEBUGCTL:
        return write_debugctl(v, value);
    case MSR_ROW_IA32_SPEC_CTRL:
        return backend->set_msr(v, msr, value) ? OUTCOME_ADVANCE : vcpu_raise(v, GP(0));
    case MSR_ROW_IA32_TSC:
        return write_tsc(v, value);
    case MSR_ROW_IA32_TSC_ADJUST:
        move_tsc(v, value - vm_tsc_adjust(v->vm));
        return OUTCOME_ADVANCE;
    case MSR_ROW_KVM_CLOCK:
    case MSR_ROW_KVM_STEAL_TIME:
        return guest_time_write(v, msr, value) ? OUTCOME_ADVANCE : vcpu_raise(v, GP(0));
    default:
        return write_mtrr(v, msr, value);
    }
}

static NOINLINE enum outcome write_any(struct vcpu *v, uint32_t msr, uint64_t value)
{
    if (msr == MSR_IA32_TSC_DEADLINE || msr - MSR_IA32_X2APIC_BASE < 0x100)
        return write_apic(v, msr, value);
    const struct msr_row *row = msr_find(msr);
    if (unlikely(!offered(row)))
        return unlisted(v, msr, "WRMSR");
    switch (row->write) {
    case MSR_CALL:
        return write_call(v, row, msr, value);
    case MSR_CONST:
        return OUTCOME_ADVANCE;
    case MSR_SAME:
        if (value == row->value)
            return OUTCOME_ADVANCE;
        return vcpu_raise(v, GP(0));
    default:
        return vcpu_raise(v, GP(0));
    }
}

static NOINLINE enum outcome write_deadline(struct vcpu *v, uint64_t value)
{
    return likely(interrupt_arm_deadline(v, value)) ? OUTCOME_ADVANCE
                                                    : write_any(v, MSR_IA32_TSC_DEADLINE, value);
}

static NOINLINE enum outcome write_initial_count(struct vcpu *v, uint64_t value)
{
    return likely(interrupt_start_timer(v, value))
               ? OUTCOME_ADVANCE
               : write_any(v, MSR_IA32_X2APIC_INIT_COUNT, value);
}

static NOINLINE enum outcome write_icr(struct vcpu *v, uint64_t value)
{
    return interrupt_self_ipi(v, value) ? OUTCOME_ADVANCE
                                        : write_any(v, MSR_IA32_X2APIC_ICR, value);
}

/* What running systems write most, the common case of each; all else is write_any()'s. */
enum outcome exit_wrmsr(struct vcpu *v, struct vm_exit *x)
{
    uint32_t msr = (uint32_t)v->gpr[GPR_RCX];
    uint64_t value = (uint32_t)v->gpr[GPR_RAX] | v->gpr[GPR_RDX] << 32;
    (void)x;
    if (msr == MSR_IA32_TSC_DEADLINE)
        return write_deadline(v, value);
    if (msr == MSR_IA32_X2APIC_INIT_COUNT)
        return write_initial_count(v, value);
    if (msr == MSR_IA32_EFER)
        return write_efer(v, value);
    if (msr == MSR_IA32_X2APIC_ICR)
        return write_icr(v, value);
    return write_any(v, msr, value);
}
