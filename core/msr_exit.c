/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RDMSR and WRMSR exits: rows of msr.def, and what the CALL rows do. An MSR without a row is #GP,
 * counted, and logged once per VM and number.
 */
#include "arch/x86/msr.h"
#include "core/backend.h"
#include "core/cr.h"
#include "core/guest_cpu.h"
#include "core/host.h"
#include "core/log.h"
#include "core/msr.h"
#include "core/vm.h"

static bool offered(const struct msr_row *row)
{
    struct msr_features features = {backend->has_rdtscp, backend->has_xsaves};
    return row && msr_row_offered(row, &features);
}

static COLD enum outcome unlisted(struct vcpu *v, uint32_t msr, const char *what)
{
    struct vm *vm = v->vm;
    vm->unlisted_msrs++;
    for (unsigned i = 0; i < vm->logged_msrs; i++)
        if (vm->logged_msr[i] == msr)
            return vcpu_raise(v, GP(0));
    if (vm->logged_msrs < ARRAY_LEN(vm->logged_msr)) {
        vm->logged_msr[vm->logged_msrs++] = msr;
        log_info("vm %s: %s %#x: not offered, #GP", vm->name, what, msr);
    }
    return vcpu_raise(v, GP(0));
}

static enum outcome result(struct vcpu *v, uint64_t value)
{
    v->gpr[GPR_RAX] = (uint32_t)value;
    v->gpr[GPR_RDX] = value >> 32;
    return OUTCOME_ADVANCE;
}

enum outcome exit_rdmsr(struct vcpu *v, struct vm_exit *x)
{
    uint32_t msr = (uint32_t)v->gpr[GPR_RCX];
    const struct msr_row *row = msr_find(msr);
    (void)x;
    if (unlikely(!offered(row)))
        return unlisted(v, msr, "RDMSR");
    switch (row->read) {
    case MSR_CONST:
        return result(v, row->value);
    case MSR_CALL:
        return result(v, backend->get_msr(v, msr)); /* IA32_DEBUGCTL */
    default:
        return vcpu_raise(v, GP(0));
    }
}

static enum outcome write_efer(struct vcpu *v, uint64_t value)
{
    uint64_t old = backend->get_reg(v, VREG_EFER), efer;
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
    backend->set_msr(v, MSR_IA32_DEBUGCTL, value);
    return OUTCOME_ADVANCE;
}

static enum outcome write_tsc(struct vcpu *v, uint64_t value)
{
    v->vm->tsc_offset = value - host_now();
    backend->set_msr(v, MSR_IA32_TSC, value);
    return OUTCOME_ADVANCE;
}

static enum outcome write_call(struct vcpu *v, const struct msr_row *row, uint64_t value)
{
    switch (row - msr_rows) {
    case MSR_ROW_IA32_EFER:
        return write_efer(v, value);
    case MSR_ROW_IA32_DEBUGCTL:
        return write_debugctl(v, value);
    case MSR_ROW_IA32_TSC:
        return write_tsc(v, value);
    default:
        return vcpu_raise(v, GP(0));
    }
}

enum outcome exit_wrmsr(struct vcpu *v, struct vm_exit *x)
{
    uint32_t msr = (uint32_t)v->gpr[GPR_RCX];
    uint64_t value = (uint32_t)v->gpr[GPR_RAX] | v->gpr[GPR_RDX] << 32;
    const struct msr_row *row = msr_find(msr);
    (void)x;
    if (unlikely(!offered(row)))
        return unlisted(v, msr, "WRMSR");
    switch (row->write) {
    case MSR_CALL:
        return write_call(v, row, value);
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
