/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a VMX exit to core's struct vm_exit, over exits.def. Decoders read the VMCS and judge
 * nothing: policy is core's. vmx_handle_exit() is the hot path; what comes between an exit that is
 * not the common case and the next entry is run.c's. SDM: "VM Exits", "VM-Exit Information Fields".
 */
#include "arch/x86/exception.h"
#include "arch/x86/insn.h"
#include "arch/x86/cr.h"
#include "arch/x86/msr.h"
#include "arch/x86/percpu.h"
#include "arch/x86/regs.h"
#include "arch/x86/seg.h"
#include "arch/x86/vmx/vmcs.h"
#include "arch/x86/vmx/vmx.h"
#include "core/dispatch.h"
#include "core/host.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/observe.h"
#include "core/vm.h"

#define REASON_ENTRY_FAILED BIT(31)
#define INFO_VALID          BIT(31)
#define INFO_NMI_UNBLOCKED  BIT(12)
#define INFO_TYPE(info)     ((info) >> 8 & 7)
#define SHADOW              3u /* interruptibility: STI or MOV SS */
#define BLOCKED_BY_NMI      BIT(3)

typedef void vmx_decode_fn(struct vcpu *v, struct vm_exit *x);

#define vmx_decode_plain NULL

static void vmx_decode_qualification(struct vcpu *v, struct vm_exit *x)
{
    vmx_save_interrupted_event(v);
    x->qualification = vmcs_get(EXIT_QUALIFICATION);
}

/* The length counts for CALL, JMP, IRET and software interrupts; an event from outside has none. */
static void vmx_decode_task_switch(struct vcpu *v, struct vm_exit *x)
{
    vmx_decode_qualification(v, x);
    bool outside = v->reinject_valid && v->reinject.type < EVENT_SW_INT;
    x->length = outside ? 0 : (uint8_t)vmcs_get(EXIT_INSTRUCTION_LENGTH);
}

/* IRET unblocked NMIs and then faulted: it will run again, so they are blocked still. */
static void restore_nmi_blocking(uint64_t info)
{
    if ((info & INFO_NMI_UNBLOCKED) && !(vmcs_get(IDT_VECTORING_INFORMATION) & INFO_VALID))
        vmcs_set(GUEST_INTERRUPTIBILITY_STATE,
                 vmcs_get(GUEST_INTERRUPTIBILITY_STATE) | (uint32_t)BLOCKED_BY_NMI);
}

/* A #DB exit leaves DR6, DR7 and DEBUGCTL as they were: what delivery would have done is done
 * here. */
static void apply_debug_exception(struct vcpu *v, const struct event *e)
{
    if (unlikely(v->debug.attached) && vmx_debug_hit(v))
        return;
    vmcs_set(GUEST_IA32_DEBUGCTL, vmcs_get(GUEST_IA32_DEBUGCTL) & ~DEBUGCTL_BTF);
    /* Injected into an STI or MOV SS shadow with TF set, it needs BS pending, or the entry would
     * fail. */
    if ((vmcs_get(GUEST_INTERRUPTIBILITY_STATE) & SHADOW) && (vmcs_get(GUEST_RFLAGS) & RFLAGS_TF))
        vmcs_set(GUEST_PENDING_DEBUG_EXCEPTIONS,
                 vmcs_get(GUEST_PENDING_DEBUG_EXCEPTIONS) | DR6_BS);
    vmcs_set(GUEST_DR7, vmcs_get(GUEST_DR7) & ~DR7_GD);
    if (e->type == EVENT_PRIV_SW_EXC)
        return; /* INT1 leaves DR6 alone */
    uint64_t hit = vmcs_get(EXIT_QUALIFICATION) & (DR6_WRITABLE & ~BIT(15));
    uint64_t dr6 = v->dr_live ? read_dr6() : v->dr6;
    dr6 = (dr6 & ~BITS(3, 0)) | hit | DR6_RTM;
    if (v->dr_live)
        write_dr6(dr6);
    v->dr6 = dr6;
}

static void vmx_decode_exception(struct vcpu *v, struct vm_exit *x)
{
    uint32_t info = vmcs_get(EXIT_INTERRUPTION_INFORMATION);
    if (INFO_TYPE(info) == EVENT_NMI) {
        /* NMIs stay blocked until an IRET: take this one through the IDT. */
        __asm__ volatile("int $2");
        /* It may have come to make this guest exit, for the sake of an interrupt that waits
         * (host_call_on()): let that in before the guest runs on. */
        sti_nop_cli();
        x->kind = EXIT_NMI;
        vmx_save_interrupted_event(v);
        return;
    }
    if (!event_from_vmx(info, vmcs_get(EXIT_INTERRUPTION_ERROR_CODE),
                        vmcs_get(EXIT_INSTRUCTION_LENGTH), &x->exception)) {
        x->kind = EXIT_UNKNOWN;
        return;
    }
    restore_nmi_blocking(info);
    vmx_save_interrupted_event(v);
    if (x->exception.vector == VECTOR_MC) {
        x->kind = EXIT_MACHINE_CHECK;
        /* Or the next one shuts the machine down. */
        if (!wrmsr_safe(MSR_IA32_MCG_STATUS, 0))
            log_warn("vmx: a machine check, but IA32_MCG_STATUS cannot be cleared");
    } else if (x->exception.vector == VECTOR_DB) {
        apply_debug_exception(v, &x->exception);
    }
}

static void vmx_decode_interrupt(struct vcpu *v, struct vm_exit *x)
{
    (void)v;
    x->interrupt.vector = (uint8_t)vmcs_get(EXIT_INTERRUPTION_INFORMATION);
    interrupt_deliver(x->interrupt.vector);
}

static void vmx_decode_window(struct vcpu *v, struct vm_exit *x)
{
    struct vmx_vcpu *xv = vmx_of(v);
    (void)x;
    xv->proc_controls &= ~(VMX_CTL(INTERRUPT_WINDOW_EXITING) | VMX_CTL(NMI_WINDOW_EXITING));
    vmcs_set(PROC_BASED_CONTROLS, xv->proc_controls);
}

static void vmx_decode_eoi(struct vcpu *v, struct vm_exit *x)
{
    (void)v;
    x->eoi_vector = (uint8_t)vmcs_get(EXIT_QUALIFICATION);
}

static void vmx_decode_cr(struct vcpu *v, struct vm_exit *x)
{
    uint64_t q = vmcs_get(EXIT_QUALIFICATION);
    static const uint8_t access[] = {CR_WRITE, CR_READ, CR_CLTS, CR_LMSW};
    x->cr.cr = q & 0xf;
    x->cr.access = access[q >> 4 & 3];
    x->cr.gpr = q >> 8 & 0xf;
    x->cr.lmsw = (uint16_t)(q >> 16);
    /* It may write a register that VMX_RESUME_FAST doesn't load: the long way does. */
    if (x->cr.access == CR_READ)
        vcpu_request(v, REQUEST_LOOK);
}

static void vmx_decode_dr(struct vcpu *v, struct vm_exit *x)
{
    uint64_t q = vmcs_get(EXIT_QUALIFICATION);
    (void)v;
    x->dr.dr = q & 7;
    x->dr.read = q & BIT(4);
    x->dr.gpr = q >> 8 & 0xf;
}

static void vmx_decode_vmcall(struct vcpu *v, struct vm_exit *x)
{
    (void)v;
    x->call_mask = 0;
    if (unlikely(AR_DPL(vmcs_get(GUEST_SS_ACCESS_RIGHTS))))
        return;
    /* L means something only with LMA. */
    bool wide = (vmcs_get(GUEST_CS_ACCESS_RIGHTS) & AR_L) && (vmcs_get(GUEST_IA32_EFER) & EFER_LMA);
    x->call_mask = wide ? UINT64_MAX : UINT32_MAX;
}

static COLD void decode_string_io(struct vm_exit *x, uint64_t q)
{
    /* Address size and segment: as "VM-Exit Instruction-Information Field for INS and OUTS". */
    uint32_t info = vmcs_get(EXIT_INSTRUCTION_INFORMATION);
    x->io.odd |= (uint8_t)(IO_STRING | (q & BIT(5) ? IO_REP : 0));
    x->io.address_size = (uint8_t)(2u << (info >> 7 & 3));
    x->io.segment = x->io.out ? info >> 15 & 7 : SEG_ES;
}

/* Bits 3:0 of the qualification, size and direction, as io has them in its first word. */
#define IO_WORD(q) ((uint32_t)(((q) & 7) + 1) << 16 | ((q) & 8 ? 0 : 1u << 24))

static void vmx_decode_io(struct vcpu *v, struct vm_exit *x)
{
    static const uint32_t word[16] = {
        IO_WORD(0), IO_WORD(1), IO_WORD(2), IO_WORD(3), IO_WORD(4), IO_WORD(5), IO_WORD(6),
        IO_WORD(7), IO_WORD(8), IO_WORD(9), IO_WORD(10), IO_WORD(11), IO_WORD(12), IO_WORD(13),
        IO_WORD(14), IO_WORD(15)};
    uint64_t q = vmcs_get(EXIT_QUALIFICATION);
    x->qualification = word[q & 15] | (q >> 16 & 0xffff); /* port, size, out; the rest is 0 */
    if (unlikely(v->dr_live) && unlikely(vmcs_get(GUEST_DR7) & DR7_ENABLES))
        x->io.odd = IO_BREAKPOINTS;
    if (unlikely(q & BIT(4)))
        decode_string_io(x, q);
}

static inline void decode_plain_access(struct vcpu *v, struct vm_exit *x)
{
    /* With 4 levels, since CPUID does not offer 5. */
    if (!(vmcs_get(GUEST_CS_ACCESS_RIGHTS) & AR_L) ||
        !(vmcs_get(ENTRY_CONTROLS) & VMX_CTL(IA32E_MODE_GUEST)) ||
        (v->dr_live && (vmcs_get(GUEST_DR7) & DR7_ENABLES)))
        return;
    x->memory.plain = true;
    x->memory.cr3 = vmcs_get(GUEST_CR3);
    vmx_vmread_to(VMCS_GUEST_RIP, &v->rip);
    v->rflags = vmcs_get(GUEST_RFLAGS);
    x->slow_step = (v->rflags & RFLAGS_TF) || (vmcs_get(GUEST_INTERRUPTIBILITY_STATE) & SHADOW);
}

/* Not simply an instruction's access to data. */
static COLD void decode_odd_violation(struct vcpu *v, struct vm_exit *x, uint64_t q)
{
    restore_nmi_blocking(q);
    vmx_save_interrupted_event(v);
    x->memory.table = (q & BITS(8, 7)) == BIT(7);
}

_Static_assert(MEMORY_READ == BIT(0) && MEMORY_WRITE == BIT(1) && MEMORY_FETCH == BIT(2),
               "as in the exit qualification of EPT violations");

static void vmx_decode_ept_violation(struct vcpu *v, struct vm_exit *x)
{
    uint64_t q = vmcs_get(EXIT_QUALIFICATION);
    x->memory.gpa = GPA(vmcs_get(GUEST_PHYSICAL_ADDRESS));
    x->memory.access = q & (MEMORY_READ | MEMORY_WRITE | MEMORY_FETCH);
    x->memory.table = x->memory.plain = false;
    if (unlikely((q & (INFO_NMI_UNBLOCKED | MEMORY_FETCH | BITS(8, 7))) != BITS(8, 7)) ||
        unlikely(vmcs_get(IDT_VECTORING_INFORMATION) & INFO_VALID) ||
        unlikely(v->reinject_valid))
        decode_odd_violation(v, x, q);
    else
        decode_plain_access(v, x);
}

/* What touched the page, bits 15:12 of the qualification. The last two have guest-physical
 * addresses, and no offset. */
enum { APIC_READ, APIC_WRITE, APIC_FETCH, APIC_EVENT, APIC_EVENT_WALK = 10, APIC_WALK = 15 };

_Static_assert(MEMORY_READ == APIC_READ + 1 && MEMORY_WRITE == APIC_WRITE + 1, "one addition");

static COLD void decode_odd_apic_access(struct vcpu *v, struct vm_exit *x, unsigned type)
{
    vmx_save_interrupted_event(v);
    x->memory.table = type == APIC_WALK;
    if (type >= APIC_EVENT_WALK)
        x->memory.gpa = GPA(VLAPIC_DEFAULT_BASE);
    if (type > APIC_WRITE)
        x->memory.access = type == APIC_FETCH ? MEMORY_FETCH : MEMORY_READ;
}

static void vmx_decode_apic_access(struct vcpu *v, struct vm_exit *x)
{
    uint64_t q = vmcs_get(EXIT_QUALIFICATION);
    unsigned type = q >> 12 & 0xf;
    x->memory.gpa = GPA(VLAPIC_DEFAULT_BASE | (q & 0xfff));
    x->memory.access = (uint8_t)(type + 1);
    x->memory.table = x->memory.plain = false;
    if (unlikely(type > APIC_WRITE) ||
        unlikely(vmcs_get(IDT_VECTORING_INFORMATION) & INFO_VALID) || unlikely(v->reinject_valid))
        decode_odd_apic_access(v, x, type);
    else
        decode_plain_access(v, x);
}

static void vmx_decode_apic_write(struct vcpu *v, struct vm_exit *x)
{
    (void)v;
    /* A byte of it may have been written alone. */
    x->apic_register = vmcs_get(EXIT_QUALIFICATION) & 0xff0;
}

/* A bit of head that struct vm_exit does not use: the exit is one instruction's. */
#define HEAD_INSN BIT(63)

static const struct vmx_exit_row {
    vmx_decode_fn *decode;
    uint64_t head;
} rows[] = {
#define INSN(n, name, fn, kind)  [n] = {fn, EXIT_HEAD(kind, n) | HEAD_INSN},
#define EXIT(n, name, fn, kind)  [n] = {fn, EXIT_HEAD(kind, n)},
#define NEVER(n, name, why)      [n] = {vmx_decode_qualification, EXIT_HEAD(EXIT_UNKNOWN, n)},
#include "arch/x86/vmx/exits.def"
#undef INSN
#undef EXIT
#undef NEVER
};

static const char *const names[] = {
#define INSN(n, name, fn, kind)  [n] = #name,
#define EXIT(n, name, fn, kind)  [n] = #name,
#define NEVER(n, name, why)      [n] = #name,
#include "arch/x86/vmx/exits.def"
#undef INSN
#undef EXIT
#undef NEVER
};

const char *vmx_reason_name(unsigned reason)
{
    return reason < ARRAY_LEN(names) ? names[reason] : "not in the manual";
}

/* An exit whose number has no row, or an entry that failed. */
static COLD enum vmx_next odd_exit(struct vcpu *v, uint32_t reason)
{
    struct vmx_vcpu *xv = vmx_of(v);
    uint16_t basic = (uint16_t)reason;
    struct vm_exit x = {.head = EXIT_HEAD(EXIT_UNKNOWN, basic)};
    if ((reason & REASON_ENTRY_FAILED) && basic < ARRAY_LEN(rows))
        x.head = rows[basic].head;
    x.qualification = vmcs_get(EXIT_QUALIFICATION);
    xv->outcome = (uint8_t)exit_dispatch(v, &x);
    return VMX_LEAVE;
}

static NOINLINE enum vmx_next handle_other_event(struct vcpu *v, const struct vmx_exit_row *row)
{
    struct vm_exit *x = &v->exit;
    if (row->decode)
        row->decode(v, x);
    enum outcome outcome = exit_handle(v, x);
    if (unlikely(x->slow_step) || unlikely(outcome > OUTCOME_RETRY))
        return vmx_after_exit(v, exit_end(v, x, outcome));
    if (outcome == OUTCOME_ADVANCE)
        vmcs_set(GUEST_RIP, exit_step(v, x));
    return likely(vmx_may_resume(v, rdtsc())) ? VMX_RESUME : vmx_resume(v);
}

/* An exit that is not one instruction's. */
static NOINLINE enum vmx_next handle_event(struct vcpu *v, const struct vmx_exit_row *row)
{
    if (v->exit.kind != EXIT_TIMER)
        return handle_other_event(v, row);
    exit_count(v, EXIT_TIMER);
    return vmx_time_is_up(v);
}

/* An instruction's exit with a shadow or a single-step trap to mind. */
static NOINLINE enum vmx_next handle_slow_step(struct vcpu *v, const struct vmx_exit_row *row)
{
    struct vm_exit *x = &v->exit;
    x->slow_step = true;
    if (row->decode)
        row->decode(v, x);
    return vmx_after_exit(v, exit_dispatch(v, x));
}

/* One without, whose handler did not just complete it. */
static NOINLINE enum vmx_next handle_odd_outcome(struct vcpu *v, enum outcome outcome)
{
    return vmx_after_exit(v, exit_end(v, &v->exit, outcome));
}

__attribute__((hot)) enum vmx_next vmx_handle_exit(struct vcpu *v)
{
    uint64_t reason = vmx_vmread(VMCS_EXIT_REASON);
    struct vm_exit *x = &v->exit;
    if (unlikely(reason >= ARRAY_LEN(rows)))
        return odd_exit(v, (uint32_t)reason);
    const struct vmx_exit_row *row = &rows[reason];
    __asm__("" : "+r"(row)); /* computed once */
    x->head = row->head;
    if ((int64_t)row->head >= 0) /* HEAD_INSN is not set */
        return handle_event(v, row);
    x->length = (uint8_t)vmcs_get(EXIT_INSTRUCTION_LENGTH);
    vmx_vmread_to(VMCS_GUEST_RIP, &v->rip);
    v->rflags = vmcs_get(GUEST_RFLAGS);
    if (unlikely(v->rflags & RFLAGS_TF) ||
        unlikely(vmcs_get(GUEST_INTERRUPTIBILITY_STATE) & SHADOW))
        return handle_slow_step(v, row);
    if (row->decode)
        row->decode(v, x);
    __asm__ volatile("" : "+r"(v)); /* or x would be kept in a register that has to be saved */
    enum outcome outcome = exit_handle(v, &v->exit);
    if (unlikely(outcome != OUTCOME_ADVANCE))
        return handle_odd_outcome(v, outcome);
    uint64_t rip = exit_step(v, &v->exit);
    if (unlikely(!vmx_may_resume(v, rdtsc())))
        return vmx_after_exit(v, OUTCOME_ADVANCE);
    vmcs_set(GUEST_RIP, rip);
    return VMX_RESUME_FAST;
}
