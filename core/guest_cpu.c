/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guests' CPUID: the table is built once, an exit looks it up. The policy is cpuid.def's.
 */
#include "core/guest_cpu.h"

#include "arch/x86/cpuid.h"
#include "arch/x86/msr.h"
#include "core/backend.h"
#include "core/cpuid.h"
#include "core/exit.h"
#include "core/host.h"
#include "core/log.h"
#include "core/vm.h"

static struct cpuid_table table;
static uint64_t cr4_bits;
static unsigned maxphyaddr;
static bool has_1g;
static struct msr_features msrs;

void guest_cpu_init(void)
{
    bool compacts = host_fpu_compacts();
    if (backend->msrs.xsaves && !compacts)
        log_warn("cpu: XSAVEC loses register state here: XSAVEC and XSAVES are not offered");
    msrs = backend->msrs;
    msrs.xsaves = backend->msrs.xsaves && compacts;
    struct cpuid_features f = {
        .rdtscp = backend->msrs.rdtscp,
        .invpcid = backend->has_invpcid,
        .xsaves = msrs.xsaves,
        .xcr0 = host_fpu_mask(),
        .tsc_khz = (uint32_t)host_tsc_khz(),
    };
    struct cpuid_dynamic none = {0};
    struct cpuid_regs r;
    cpuid_build(&table, host_cpuid, &f);
    cr4_bits = cpuid_cr4_bits(&table);
    cpuid_look_up(&table, 0x80000008, 0, &none, &r);
    maxphyaddr = r.eax & 0xff;
    cpuid_look_up(&table, 0x80000001, 0, &none, &r);
    has_1g = r.edx & CPUID_80000001_EDX_1G;
}

uint64_t guest_cr4_bits(void)
{
    return cr4_bits;
}

uint64_t guest_efer_bits(void)
{
    /* The hypervisor refuses to start without long mode and NX. */
    return EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
}

unsigned guest_maxphyaddr(void)
{
    return maxphyaddr;
}

bool guest_has_1g_pages(void)
{
    return has_1g;
}

const struct msr_features *guest_msr_features(void)
{
    return &msrs;
}

static inline enum outcome answer(struct vcpu *v, const struct cpuid_regs *r)
{
    v->gpr[GPR_RAX] = r->eax;
    v->gpr[GPR_RBX] = r->ebx;
    v->gpr[GPR_RCX] = r->ecx;
    v->gpr[GPR_RDX] = r->edx;
    return OUTCOME_ADVANCE;
}

static __attribute__((noinline)) enum outcome look_up(struct vcpu *v)
{
    uint32_t leaf = (uint32_t)v->gpr[GPR_RAX];
    struct cpuid_dynamic now = {
        .xcr0 = v->xcr0, .apic_id = v->index, .cpus = v->vm->vcpu_count};
    struct cpuid_regs r;
    /* Only leaf 1 shows a bit of CR4, which costs VMCS reads, and whether the APIC is on. */
    if (leaf == 1) {
        now.cr4 = backend->get_reg(v, VREG_CR4);
        now.apic_off = !vlapic_hardware_enabled(&v->apic);
    }
    cpuid_look_up(&table, leaf, (uint32_t)v->gpr[GPR_RCX], &now, &r);
    return answer(v, &r);
}

enum outcome exit_cpuid(struct vcpu *v, struct vm_exit *x)
{
    (void)x;
    const struct cpuid_regs *plain = cpuid_plain(&table, (uint32_t)v->gpr[GPR_RAX]);
    return likely(plain != NULL) ? answer(v, plain) : look_up(v);
}
