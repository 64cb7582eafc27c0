/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside the VMX backend: what its files share. Nothing outside arch/x86/vmx includes this, except
 * boot/main.c for vmx_init() and the table it returns.
 */
#ifndef ARCH_X86_VMX_VMX_H
#define ARCH_X86_VMX_VMX_H

#include "arch/x86/vmx/caps.h"
#include "core/backend.h"
#include "core/vcpu.h"
#include "mm/types.h"

#define VMX_MSR_SWITCHED 8 /* room for MSR_SWITCHED rows of core/msr.def */

struct cpu;

struct vmx_vcpu {
    hpa_t vmcs;
    const struct cpu *host_cpu; /* for which its host state was written last; NULL: none */
    bool observed;         /* exits go by vmx_exit_entry_observed */
    bool launched;         /* VMLAUNCH after VMCLEAR, VMRESUME from then on */
    uint8_t outcome;       /* enum outcome */
    uint16_t vpid;         /* 0: none */
    uint32_t proc_controls; /* as written to PROC_BASED_CONTROLS */
    uint32_t proc_controls2; /* and to PROC_BASED_CONTROLS2 */
    void *vmcs_page;
    bool tpr_shadow;       /* the APIC's page is the CPU's virtual-APIC page */
    uint8_t tpr_threshold; /* as written to TPR_THRESHOLD */
    bool apicv;            /* the CPU delivers the APIC's interrupts */
    bool nmi_blocked;      /* an NMI was injected; until its IRET, as vmx_blocking() finds out */
    uint64_t eoi_exit[4];  /* as written to EOI_EXIT_BITMAP_n */
    bool eoi_exits;        /* some of them may not be 0 */
    uint64_t msr[VMX_MSR_SWITCHED];
    bool spec_ctrl_used;   /* has written IA32_SPEC_CTRL: accesses don't exit any more */
    uint64_t spec_ctrl;    /* its value while another vCPU's is in the CPU */
};

/* One VM's part. */
struct vmx_vm {
    uint64_t eptp;
    void *apic_page;       /* its APIC-access page; NULL: none */
    bool apic_mapped;      /* at VLAPIC_DEFAULT_BASE; atomic */
    bool apic_leaves;      /* somebody is about to unmap it, or has; atomic */
};

extern struct vmx_raw vmx_raw;
extern struct vmx_caps vmx_caps;
extern hpa_t vmx_io_bitmap_a, vmx_io_bitmap_b;
/* Every combination of what a vCPU has open beyond core/msr.def's rows. */
#define VMX_OPEN_X2APIC    BIT(0)
#define VMX_OPEN_SPEC_CTRL BIT(1)
#define VMX_MSR_BITMAPS    4
extern hpa_t vmx_msr_bitmap[VMX_MSR_BITMAPS];

static inline struct vmx_vcpu *vmx_of(const struct vcpu *v)
{
    return v->arch;
}

/* Reads the capability MSRs, negotiates, and switches VMX on. NULL when something required is
 * missing; vmx_caps_for_each(&vmx_raw, ...) says what. without: see vmx_caps_without(). */
const struct backend *vmx_init(const char *without);
/* Switches VMX on on another CPU, once vmx_init() was successful. NULL, or why it cannot be. */
const char *vmx_init_cpu(void);
void vmx_off(void);

/* vmcs_init.c: the parts of a VMCS that never change, and a vCPU's start state. */
void vmx_vmcs_init(struct vcpu *v);
/* The current VMCS, v's, is on another CPU than before. */
void vmx_move_here(struct vcpu *v);
void vmx_vcpu_start(struct vcpu *v, const struct vcpu_start *start);

/* state.c: registers of the current VMCS. */
uint64_t vmx_get_reg(struct vcpu *v, enum vreg reg);
void vmx_set_reg(struct vcpu *v, enum vreg reg, uint64_t value);
void vmx_get_segment(struct vcpu *v, enum seg_name seg, struct segment *out);
unsigned vmx_cpl(struct vcpu *v);
unsigned vmx_code_bits(struct vcpu *v);
void vmx_set_segment(struct vcpu *v, enum seg_name seg, const struct segment *s);
uint64_t vmx_get_msr(struct vcpu *v, uint32_t msr);
bool vmx_set_msr(struct vcpu *v, uint32_t msr, uint64_t value);
bool vmx_load_pdptes(struct vcpu *v);
void vmx_flush_tlb(struct vcpu *v);
void vmx_block_nmi(struct vcpu *v, bool block);
void vmx_intercept_dr(struct vcpu *v, bool on);
struct msr_features;
/* After xv->apicv or xv->spec_ctrl_used has changed. */
void vmx_choose_msr_bitmap(const struct vmx_vcpu *xv);
void vmx_find_switched_msrs(const struct msr_features *features);
void vmx_load(struct vcpu *v);
void vmx_save(struct vcpu *v);

/* ept.c */
uint64_t vmx_eptp(hpa_t root);
void vmx_flush_vm(const struct vm *vm);

/* event.c: what to inject at the next entry; what an exit interrupted. */
bool vmx_inject_events(struct vcpu *v);
/* v->event_at is past, and the entry is certain. True: that was its APIC's timer, whose interrupt
 * the guest receives at once. False: not so simple, and nothing has been done. */
bool vmx_inject_timer(struct vcpu *v, uint64_t now);
void vmx_inject(struct vcpu *v, uint8_t vector);
void vmx_take_back(struct vcpu *v);
/* For an entry without a look at what waits: a threshold above the task priority of then would make
 * it fail, or exit at once. Whoever calls this has a look taken later, if anything waits. */
void vmx_clear_tpr_threshold(struct vcpu *v);
uint32_t vmx_blocking(struct vcpu *v);
void vmx_save_interrupted_event(struct vcpu *v);
void vmx_finish_step(struct vcpu *v);
void vmx_queue_breakpoints(struct vcpu *v, uint32_t hits);
void vmx_cancel_step(void);
bool vmx_interrupts_enabled(struct vcpu *v);

/* apic_page.c: the page in a guest's memory at which the CPU knows accesses to its xAPIC. */
enum pl_status vmx_apic_page_create(struct vm *vm);
void vmx_apic_page_free(struct vmx_vm *xv);
bool vmx_apic_page_there(const struct vm *vm);
/* For good: not all of the VM's APICs are there any more. No lock is held. */
void vmx_apic_page_leave(struct vm *vm);

/* apicv.c: the local APIC in hardware. */
/* The controls for v's APIC as it is now. */
uint32_t vmx_apic_controls(const struct vcpu *v);
void vmx_apic_mode(struct vcpu *v);
void vmx_apicv_reset(struct vcpu *v);
void vmx_apicv_update(struct vcpu *v);

/* debug.c: for a debugger. */
void vmx_set_debug(struct vcpu *v, bool attached, uint64_t dr7);
/* v is loaded: the debugger's DR0 to DR3 go into the CPU. */
void vmx_load_debug_registers(const struct vcpu *v);
/* A #DB exit while a debugger is there: true if it is its own, noted in v->debug. */
bool vmx_debug_hit(struct vcpu *v);
/* Before an entry, when REQUEST_DEBUG was set: arms or ends a step. The requests that remain. */
uint32_t vmx_debug_look(struct vcpu *v, uint32_t requests);
/* The exceptions that exit for every guest. */
uint32_t vmx_exceptions(void);

/* run.c */
enum outcome vmx_run(struct vcpu *v);
/* What enter.S does after an exit has been handled. FAST: RBP and R12 to R15, which C preserves,
 * still hold the guest's values and are not loaded again. */
enum vmx_next { VMX_LEAVE = 0, VMX_RESUME_FAST = 1, VMX_RESUME = 2 };
/* At TSC now: nobody has asked for anything, and no time is up. */
static inline bool vmx_may_resume(const struct vcpu *v, uint64_t now)
{
    return likely(!v->requests) && likely(now < v->look_at);
}

/* The end of an exit, v->exit, that is not the common case; of an event, when the guest goes on. */
enum vmx_next vmx_after_exit(struct vcpu *v, enum outcome outcome);
enum vmx_next vmx_resume(struct vcpu *v);
/* The preemption timer has exited. */
enum vmx_next vmx_time_is_up(struct vcpu *v);

/* exit.c: called by enter.S at every exit. */
enum vmx_next vmx_handle_exit(struct vcpu *v);
/* observe.c: the same for an observed vCPU; which way v's exits take from now on (its VMCS is
 * current); and an entry that injects something. */
enum vmx_next vmx_handle_exit_observed(struct vcpu *v);
void vmx_choose_way(struct vcpu *v, bool observed);
void vmx_observe_entry(struct vcpu *v);
const char *vmx_reason_name(unsigned reason);

/* enter.S: enters the guest and comes back when vmx_handle_exit() says VMX_LEAVE. Returns true, or
 * false when the CPU refused the VM-instruction itself (INSTRUCTION_ERROR says why). */
bool vmx_enter(struct vcpu *v, bool launched);
extern const char vmx_exit_entry[], vmx_exit_entry_observed[];

/* vmcs_dump.c */
void vmx_dump(struct vcpu *v, fmt_sink_fn *sink, void *ctx);
const char *vmx_instruction_error(unsigned number);

#endif
