/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a virtualisation backend (VMX now, SVM later, a fake in tests) provides to core: a constant
 * table, chosen once by boot/main.c. Everything here is called on the CPU that owns the vCPU.
 */
#ifndef CORE_BACKEND_H
#define CORE_BACKEND_H

#include "core/lib/fmt.h"
#include "core/lib/status.h"
#include "core/msr.h"
#include "core/vcpu.h"
#include "mm/radix.h"

struct vm;

/* The start state of a vCPU, as a loader defines it; registers not named are as after INIT. */
struct vcpu_start {
    enum { START_REAL, START_PROTECTED, START_LONG } mode;
    uint64_t rip, rsp, cr3;
    uint64_t gpr[GPR_COUNT];
    uint64_t cs_base; /* real mode: selector is base / 16 */
    uint64_t gdt_base;
    uint16_t gdt_limit, idt_limit;
};

struct backend {
    const char *name; /* "VMX" */
    /* Guest-physical translation: format of its tables and the largest page (bytes). */
    const struct radix_format *gpa_format;
    uint64_t gpa_page;
    /* What must not be shown since the CPU cannot back it in a guest. */
    bool has_invpcid;
    struct msr_features msrs;
    uint64_t arch_capabilities; /* the host's IA32_ARCH_CAPABILITIES; 0: it has none */
    bool small_code_pages;      /* large pages of guest RAM must not be executable */
    bool has_slice_timer; /* run() ends slices by itself; else host_set_slice_timer() does */

    enum pl_status (*vm_create)(struct vm *vm);
    void (*vm_free)(struct vm *vm);
    /* Drops this CPU's translations of vm's memory. */
    void (*flush_vm)(const struct vm *vm);
    enum pl_status (*vcpu_create)(struct vcpu *v);
    void (*vcpu_free)(struct vcpu *v);
    void (*vcpu_start)(struct vcpu *v, const struct vcpu_start *start);
    /* Makes v the vCPU whose state this CPU holds / gives that state back to memory, from where
     * another CPU may load it. */
    void (*load)(struct vcpu *v);
    void (*save)(struct vcpu *v);
    /* Runs v until an outcome is not "go on". OUTCOME_RETRY: rescheduling was asked for. */
    enum outcome (*run)(struct vcpu *v);
    /* RIP and RFLAGS of the exit at hand go out of struct vcpu's cache by set_reg() too. */
    uint64_t (*get_reg)(struct vcpu *v, enum vreg reg);
    void (*set_reg)(struct vcpu *v, enum vreg reg, uint64_t value);
    void (*get_segment)(struct vcpu *v, enum seg_name seg, struct segment *out);
    void (*set_segment)(struct vcpu *v, enum seg_name seg, const struct segment *s);
    unsigned (*cpl)(struct vcpu *v);
    /* Default operand size of the code that runs: 16, 32 or 64. */
    unsigned (*code_bits)(struct vcpu *v);
    /* Clears the interrupt shadow and queues the single-step trap that stepping over an
     * instruction owes. */
    void (*finish_step)(struct vcpu *v);
    /* Queues the #DB of data or I/O breakpoints, bits 3:0 as in DR6, for behind the instruction. */
    void (*queue_breakpoints)(struct vcpu *v, uint32_t hits);
    /* In an instruction's exit: v takes this interrupt behind it, at its next entry. The handler
     * returns OUTCOME_ADVANCE. v->rflags has IF, slow_step is not set, and no event waits. */
    void (*inject)(struct vcpu *v, uint8_t vector);
    /* The mode of v's local APIC has changed (IA32_APIC_BASE). */
    void (*apic_mode)(struct vcpu *v);
    /* While a debugger has v: INT3 exits, v->debug.step is obeyed, and with dr7 the debug registers
     * are v->debug's. */
    void (*set_debug)(struct vcpu *v, bool attached, uint64_t dr7);
    /* Lets MOV DR through (true) or intercepts it. */
    void (*intercept_dr)(struct vcpu *v, bool on);
    /* Reads PAE's four page-directory-pointer entries at CR3. False: one has reserved bits set. */
    bool (*load_pdptes)(struct vcpu *v);
    /* Drops v's cached linear translations. */
    void (*flush_tlb)(struct vcpu *v);
    /* Blocks NMIs as the delivery of one does, or ends that as IRET does. */
    void (*block_nmi)(struct vcpu *v, bool block);
    /* MSRs of core/msr.def's CALL rows that the backend keeps: IA32_DEBUGCTL, IA32_TSC,
     * IA32_SPEC_CTRL. False: the CPU refuses this value, and nothing has changed. */
    uint64_t (*get_msr)(struct vcpu *v, uint32_t msr);
    bool (*set_msr)(struct vcpu *v, uint32_t msr, uint64_t value);
    /* True when v could take an interrupt if there were one: for "halted for good". */
    bool (*interrupts_enabled)(struct vcpu *v);
    /* Prints everything the backend knows of v. */
    void (*dump)(struct vcpu *v, fmt_sink_fn *sink, void *ctx);
    /* Name of an exit reason number, for reports. */
    const char *(*reason_name)(unsigned reason);
};

/* The chosen one; NULL when this machine cannot run VMs. Set once by boot. */
extern const struct backend *backend;

#endif
