/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where every exit goes: the table is the whole story. exit_handle() in dispatch.h counts and
 * calls, exit_step() there is the one place that steps RIP. A kind without a subject of its own has
 * its few lines here.
 */
#include "core/exit.h"

#include "arch/x86/regs.h"
#include "core/dispatch.h"
#include "core/host.h"
#include "core/interrupt.h"
#include "core/sched.h"
#include "core/vm.h"

static exit_fn exit_hlt, exit_pause, exit_cache, exit_fault_gp, exit_undefined, exit_exception,
    exit_retry, exit_step_done, exit_window, exit_eoi, exit_apic_write,
    exit_triple_fault, exit_entry_failed, exit_machine_check, exit_unknown;

const struct exit_row exit_table[EXIT_KINDS] = {
    [EXIT_CPUID]         = {exit_cpuid,         "CPUID"},
    [EXIT_VMCALL]        = {exit_vmcall,        "VMCALL"},
    [EXIT_RDMSR]         = {exit_rdmsr,         "RDMSR"},
    [EXIT_WRMSR]         = {exit_wrmsr,         "WRMSR"},
    [EXIT_IO]            = {exit_io,            "I/O"},
    [EXIT_HLT]           = {exit_hlt,           "HLT"},
    [EXIT_PAUSE]         = {exit_pause,         "PAUSE"},
    [EXIT_MEMORY]        = {exit_memory,        "memory"},
    [EXIT_CR_ACCESS]     = {exit_cr_access,     "CR access"},
    [EXIT_MOV_DR]        = {exit_mov_dr,        "MOV DR"},
    [EXIT_XSETBV]        = {exit_xsetbv,        "XSETBV"},
    [EXIT_CACHE]         = {exit_cache,         "INVD/WBINVD"},
    [EXIT_RDPMC]         = {exit_fault_gp,      "RDPMC"},
    [EXIT_UNDEFINED]     = {exit_undefined,     "undefined"},
    [EXIT_EXCEPTION]     = {exit_exception,     "exception"},
    [EXIT_INTERRUPT]     = {exit_retry,         "interrupt"},
    [EXIT_NMI]           = {exit_retry,         "NMI"},
    [EXIT_TIMER]         = {exit_retry,         "timer"},
    [EXIT_WINDOW]        = {exit_window,        "window"},
    [EXIT_TPR]           = {exit_window,        "TPR"},
    [EXIT_EOI]           = {exit_eoi,           "EOI"},
    [EXIT_APIC_WRITE]    = {exit_apic_write,    "APIC write"},
    [EXIT_TRIPLE_FAULT]  = {exit_triple_fault,  "triple fault"},
    [EXIT_TASK_SWITCH]   = {exit_task_switch,   "task switch"},
    [EXIT_STEP]          = {exit_step_done,     "debug step"},
    [EXIT_INIT]          = {exit_retry,         "INIT"},
    [EXIT_SIPI]          = {exit_retry,         "SIPI"},
    [EXIT_ENTRY_FAILED]  = {exit_entry_failed,  "entry failed"},
    [EXIT_MACHINE_CHECK] = {exit_machine_check, "machine check"},
    [EXIT_UNKNOWN]       = {exit_unknown,       "unknown"},
};

const char *exit_kind_name(unsigned kind)
{
    return kind < EXIT_KINDS ? exit_table[kind].name : "?";
}

/* The new RIP may have gone past a multiple of 4 GiB: in 32-bit code EIP wraps. */
COLD uint64_t exit_step_far(struct vcpu *v, uint64_t next)
{
    return backend->code_bits(v) == 64 ? next : (uint32_t)next;
}

enum outcome exit_end(struct vcpu *v, const struct vm_exit *x, enum outcome outcome)
{
    if (outcome != OUTCOME_ADVANCE && outcome != OUTCOME_BLOCK)
        return outcome;
    (void)exit_step(v, x);
    if (unlikely(x->slow_step))
        backend->finish_step(v);
    return outcome;
}

static enum outcome exit_hlt(struct vcpu *v, struct vm_exit *x)
{
    (void)x;
    /* The single-step trap that is due ends the halt as it begins. */
    if (v->rflags & RFLAGS_TF)
        return OUTCOME_ADVANCE;
    v->wake_on_interrupt = v->rflags & RFLAGS_IF;
    v->wake_at = UINT64_MAX;
    return OUTCOME_BLOCK;
}

static enum outcome exit_pause(struct vcpu *v, struct vm_exit *x)
{
    (void)x;
    sched_give_way(v);
    return OUTCOME_ADVANCE;
}

static enum outcome exit_cache(struct vcpu *v, struct vm_exit *x)
{
    (void)v;
    (void)x;
    /* Caches are coherent and no device is assigned: there is nothing that a guest could see. */
    return OUTCOME_ADVANCE;
}

static enum outcome exit_fault_gp(struct vcpu *v, struct vm_exit *x)
{
    (void)x;
    return vcpu_raise(v, GP(0));
}

static enum outcome exit_undefined(struct vcpu *v, struct vm_exit *x)
{
    (void)x;
    return vcpu_raise(v, UD());
}

static enum outcome exit_exception(struct vcpu *v, struct vm_exit *x)
{
    if (unlikely(v->debug.attached) && debug_exception(v, &x->exception))
        return OUTCOME_RETRY;
    return vcpu_raise(v, x->exception);
}

static enum outcome exit_step_done(struct vcpu *v, struct vm_exit *x)
{
    (void)x;
    debug_stop(v, DEBUG_STEPPED);
    vcpu_request(v, REQUEST_DEBUG); /* no further trap */
    return OUTCOME_RETRY;
}

/* The host has had what it wanted; a timer is for the backend, before the next entry. */
static enum outcome exit_retry(struct vcpu *v, struct vm_exit *x)
{
    (void)v;
    (void)x;
    return OUTCOME_RETRY;
}

static enum outcome exit_window(struct vcpu *v, struct vm_exit *x)
{
    (void)x;
    vcpu_request(v, REQUEST_EVENT);
    return OUTCOME_RETRY;
}

/* The CPU has done the APIC's part; the IOAPIC wants to know, too. */
static enum outcome exit_eoi(struct vcpu *v, struct vm_exit *x)
{
    vlapic_eoi_done(&v->apic, x->eoi_vector);
    interrupt_apic_effects(v); /* what waited for this end goes in at the next entry */
    return OUTCOME_RETRY;
}

static enum outcome exit_apic_write(struct vcpu *v, struct vm_exit *x)
{
    vlapic_written(&v->apic, x->apic_register, vcpu_guest_tsc(v, host_now()));
    interrupt_apic_effects(v);
    return OUTCOME_RETRY;
}

static enum outcome exit_triple_fault(struct vcpu *v, struct vm_exit *x)
{
    (void)x;
    return vm_stop(v->vm, STOP_TRIPLE_FAULT, "triple fault");
}

static enum outcome exit_entry_failed(struct vcpu *v, struct vm_exit *x)
{
    return vm_stop(v->vm, STOP_ENTRY_FAILED, "VM entry failed: %s, qualification %#lx",
                   backend->reason_name(x->reason), x->qualification);
}

static enum outcome exit_machine_check(struct vcpu *v, struct vm_exit *x)
{
    (void)x;
    return vm_stop(v->vm, STOP_MACHINE_CHECK, "the CPU reported a machine check while it ran");
}

static enum outcome exit_unknown(struct vcpu *v, struct vm_exit *x)
{
    return vm_stop(v->vm, STOP_UNSUPPORTED, "unexpected VM exit: reason %u (%s)", x->reason,
                   backend->reason_name(x->reason));
}
