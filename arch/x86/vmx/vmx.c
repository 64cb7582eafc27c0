/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Switching VMX on, and the backend table. What the CPU can do is judged in caps.c; here only the
 * MSRs are read. SDM: "Introduction to Virtual Machine Extensions", "Enabling and Entering VMX
 * Operation".
 */
#include "arch/x86/vmx/vmx.h"

#include "arch/x86/barrier.h"
#include "arch/x86/cpuid.h"
#include "arch/x86/cr.h"
#include "arch/x86/exception.h"
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/vmx/bitmaps.h"
#include "arch/x86/vmx/vmcs.h"
#include "core/lib/string.h"
#include "core/log.h"
#include "core/vm.h"
#include "mm/pool.h"

#define BASIC_REVISION  BITS(30, 0)
#define BASIC_TRUE_CTLS BIT(55)

struct vmx_raw vmx_raw;
static struct vmx_raw boot_raw; /* vmx_raw before anything was taken out of it */
struct vmx_caps vmx_caps;
hpa_t vmx_io_bitmap_a, vmx_io_bitmap_b, vmx_msr_bitmap[VMX_MSR_BITMAPS];

static void read_raw(struct vmx_raw *raw)
{
    memset(raw, 0, sizeof(*raw));
    raw->nx = cpuid(0x80000001, 0).edx & CPUID_80000001_EDX_NX;
    raw->vmx = cpuid(1, 0).ecx & CPUID_1_ECX_VMX;
    /* A CPU (or a hypervisor under us) that shows VMX but not its MSRs has no VMX. */
    if (!raw->vmx || !rdmsr_safe(MSR_IA32_VMX_BASIC, &raw->basic)) {
        raw->vmx = false;
        return;
    }
    bool ok = rdmsr_safe(MSR_IA32_FEATURE_CONTROL, &raw->feature_control);
    if (!ok)
        raw->feature_control = 0;
    bool t = raw->basic & BASIC_TRUE_CTLS;
    const struct {
        uint64_t *to;
        uint32_t msr;
    } reads[] = {
        {&raw->word[WORD_PIN],
         t ? MSR_IA32_VMX_TRUE_PINBASED_CTLS : MSR_IA32_VMX_PINBASED_CTLS},
        {&raw->word[WORD_PROC],
         t ? MSR_IA32_VMX_TRUE_PROCBASED_CTLS : MSR_IA32_VMX_PROCBASED_CTLS},
        {&raw->word[WORD_EXIT], t ? MSR_IA32_VMX_TRUE_EXIT_CTLS : MSR_IA32_VMX_EXIT_CTLS},
        {&raw->word[WORD_ENTRY], t ? MSR_IA32_VMX_TRUE_ENTRY_CTLS : MSR_IA32_VMX_ENTRY_CTLS},
        {&raw->word[WORD_PROC2], MSR_IA32_VMX_PROCBASED_CTLS2},
        {&raw->misc, MSR_IA32_VMX_MISC},
        {&raw->cr0_fixed0, MSR_IA32_VMX_CR0_FIXED0},
        {&raw->cr0_fixed1, MSR_IA32_VMX_CR0_FIXED1},
        {&raw->cr4_fixed0, MSR_IA32_VMX_CR4_FIXED0},
        {&raw->cr4_fixed1, MSR_IA32_VMX_CR4_FIXED1},
        {&raw->ept_vpid, MSR_IA32_VMX_EPT_VPID_CAP},
    };
    /* Those of missing features fault: their words stay 0, which says just that. */
    for (size_t i = 0; i < ARRAY_LEN(reads); i++)
        if (!rdmsr_safe(reads[i].msr, reads[i].to))
            *reads[i].to = 0;
}

/* False: locked without VMX, or it cannot be written. */
static bool unlock(uint64_t feature_control)
{
    if (feature_control & FEATURE_CONTROL_LOCK)
        return feature_control & FEATURE_CONTROL_VMX;
    /* Left open by the firmware: ours to lock, with VMX on. */
    return wrmsr_safe(MSR_IA32_FEATURE_CONTROL,
                      feature_control | FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX);
}

/* The region of VMXON, or a VMCS: a page that begins with the revision. */
static void *new_vmcs_page(hpa_t *at)
{
    uint32_t *page = pool_alloc(at);
    if (page)
        page[0] = (uint32_t)(vmx_raw.basic & BASIC_REVISION);
    return page;
}

/* On this CPU. NULL, or why not; it prints nothing, since other CPUs must not. */
static const char *switch_on(void)
{
    hpa_t region;
    if (!new_vmcs_page(&region))
        return "no memory for the VMXON region";
    write_cr0((read_cr0() | vmx_raw.cr0_fixed0) & (vmx_raw.cr0_fixed1 | ~BITS(31, 0)));
    write_cr4((read_cr4() | vmx_raw.cr4_fixed0 | CR4_VMXE) & vmx_raw.cr4_fixed1);
    if (!vmx_vmxon(region))
        return "VMXON failed";
    if (vmx_raw.ept_vpid & EPT_CAP_INVEPT_ALL)
        vmx_invept(INVEPT_ALL_CONTEXTS, 0);
    if (vmx_raw.ept_vpid & VPID_CAP_ALL)
        vmx_invvpid(INVVPID_ALL, 0);
    return NULL;
}

const char *vmx_init_cpu(void)
{
    struct vmx_raw raw;
    read_raw(&raw);
    if (!unlock(raw.feature_control))
        return "VMX is locked off there by the firmware";
    const char *differs = vmx_caps_differ(&boot_raw, &raw);
    return differs ? differs : switch_on();
}

void vmx_off(void)
{
    if (read_cr4() & CR4_VMXE)
        __asm__ volatile("vmxoff" : : : "cc", "memory");
}

static enum pl_status vmx_vm_create(struct vm *vm)
{
    struct vmx_vm *xv = pool_alloc(NULL);
    if (!xv)
        return PL_NO_MEMORY;
    xv->eptp = vmx_eptp(vm->gpa_tables.root);
    vm->arch = xv;
    return vmx_caps.xapic ? vmx_apic_page_create(vm) : PL_OK;
}

static void vmx_vm_free(struct vm *vm)
{
    if (!vm->arch)
        return;
    vmx_apic_page_free(vm->arch);
    pool_free(vm->arch);
    vm->arch = NULL;
}

static void vmx_vcpu_free(struct vcpu *v)
{
    struct vmx_vcpu *xv = v->arch;
    if (!xv)
        return;
    if (xv->vmcs_page) {
        (void)vmx_vmclear(xv->vmcs);
        pool_free(xv->vmcs_page);
    }
    pool_free(xv);
    v->arch = NULL;
}

static enum pl_status vmx_vcpu_create(struct vcpu *v)
{
    struct vmx_vcpu *xv = pool_alloc(NULL);
    if (!xv)
        return PL_NO_MEMORY;
    v->arch = xv;
    xv->vmcs_page = new_vmcs_page(&xv->vmcs);
    if (!xv->vmcs_page)
        goto out_free;
    xv->tpr_shadow = vmx_caps.word[WORD_PROC] & VMX_CTL(USE_TPR_SHADOW);
    if (vmx_caps.word[WORD_PROC2] & VMX_CTL(ENABLE_VPID))
        xv->vpid = (uint16_t)(v->vm->slot * VM_VCPUS + v->index + 1);
    if (!vmx_vmclear(xv->vmcs) || !vmx_vmptrld(xv->vmcs)) {
        log_error("vmx: a fresh VMCS was refused");
        goto out_free;
    }
    vmx_vmcs_init(v);
    (void)vmx_vmclear(xv->vmcs);
    return PL_OK;
out_free:
    vmx_vcpu_free(v);
    return PL_NO_MEMORY;
}

static struct backend vmx_backend = {
    .name = "VMX",
    .gpa_format = &radix_ept,
    .vm_create = vmx_vm_create,
    .vm_free = vmx_vm_free,
    .flush_vm = vmx_flush_vm,
    .vcpu_create = vmx_vcpu_create,
    .vcpu_free = vmx_vcpu_free,
    .vcpu_start = vmx_vcpu_start,
    .load = vmx_load,
    .save = vmx_save,
    .run = vmx_run,
    .get_reg = vmx_get_reg,
    .set_reg = vmx_set_reg,
    .get_segment = vmx_get_segment,
    .set_segment = vmx_set_segment,
    .cpl = vmx_cpl,
    .code_bits = vmx_code_bits,
    .finish_step = vmx_finish_step,
    .queue_breakpoints = vmx_queue_breakpoints,
    .inject = vmx_inject,
    .apic_mode = vmx_apic_mode,
    .set_debug = vmx_set_debug,
    .intercept_dr = vmx_intercept_dr,
    .load_pdptes = vmx_load_pdptes,
    .flush_tlb = vmx_flush_tlb,
    .block_nmi = vmx_block_nmi,
    .get_msr = vmx_get_msr,
    .set_msr = vmx_set_msr,
    .interrupts_enabled = vmx_interrupts_enabled,
    .dump = vmx_dump,
    .reason_name = vmx_reason_name,
};

static bool make_bitmaps(void)
{
    void *a = pool_alloc(&vmx_io_bitmap_a), *b = pool_alloc(&vmx_io_bitmap_b);
    if (!a || !b)
        return false;
    vmx_build_io_bitmaps(a, b);
    for (unsigned i = 0; i < VMX_MSR_BITMAPS; i++) {
        uint8_t *page = pool_alloc(&vmx_msr_bitmap[i]);
        if (!page)
            return false;
        vmx_build_msr_bitmap(page, &vmx_backend.msrs);
        if (i & VMX_OPEN_X2APIC)
            vmx_open_x2apic(page);
        if (i & VMX_OPEN_SPEC_CTRL)
            vmx_open_spec_ctrl(page);
    }
    vmx_find_switched_msrs(&vmx_backend.msrs);
    return true;
}

static void find_msrs(void)
{
    struct msr_features *f = &vmx_backend.msrs;
    uint32_t proc2 = vmx_caps.word[WORD_PROC2], edx = cpuid(0, 0).eax >= 7 ? cpuid(7, 0).edx : 0;
    f->rdtscp = proc2 & VMX_CTL(ENABLE_RDTSCP);
    f->xsaves = proc2 & VMX_CTL(ENABLE_XSAVES);
    f->spec_ctrl = edx & (CPUID_7_EDX_SPEC_CTRL | CPUID_7_EDX_STIBP | CPUID_7_EDX_SSBD);
    f->pred_cmd = edx & CPUID_7_EDX_SPEC_CTRL;
    f->flush_cmd = edx & CPUID_7_EDX_L1D_FLUSH;
    f->arch_capabilities = edx & CPUID_7_EDX_ARCH_CAPABILITIES;
    if (!f->arch_capabilities ||
        !rdmsr_safe(MSR_IA32_ARCH_CAPABILITIES, &vmx_backend.arch_capabilities))
        vmx_backend.arch_capabilities = 0;
}

const struct backend *vmx_init(const char *without)
{
    read_raw(&vmx_raw);
    boot_raw = vmx_raw;
    const char *unknown = vmx_caps_without(&vmx_raw, without);
    if (unknown)
        log_warn("without=%s: no control that Plinth can do without has this name", unknown);
    if (!vmx_negotiate(&vmx_raw, &vmx_caps))
        return NULL;
    if (!unlock(vmx_raw.feature_control)) {
        log_error("vmx: IA32_FEATURE_CONTROL is open but cannot be written");
        return NULL;
    }
    const char *why = switch_on();
    if (why) {
        log_error("vmx: %s (IA32_FEATURE_CONTROL %#lx)", why, vmx_raw.feature_control);
        return NULL;
    }
    vmx_backend.has_invpcid = vmx_caps.word[WORD_PROC2] & VMX_CTL(ENABLE_INVPCID);
    vmx_backend.small_code_pages = barrier_on(REMEDY_SMALL_CODE);
    find_msrs();
    vmx_backend.has_slice_timer = vmx_caps.word[WORD_PIN] & VMX_CTL(ACTIVATE_PREEMPTION_TIMER);
    vmx_backend.gpa_page = vmx_caps.ept_1g ? PAGE_SIZE_1G : PAGE_SIZE_2M;
    if (!make_bitmaps()) {
        log_error("vmx: no memory for the bitmaps");
        return NULL;
    }
    return &vmx_backend;
}
