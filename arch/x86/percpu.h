/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one physical CPU owns. GS base points at its struct cpu in root mode, always: VM exits load
 * it from the VMCS, exceptions never change it. Written only by its own CPU, except where a field
 * says otherwise.
 */
#ifndef ARCH_X86_PERCPU_H
#define ARCH_X86_PERCPU_H

#include "arch/x86/seg.h"
#include "arch/x86/tsc_sync.h"
#include "core/host.h"
#include "core/lib/bits.h"
#include "mm/types.h"

/* The hardware's task-state segment in 64-bit mode, as in the SDM's chapter "Task Management". */
struct PACKED tss64 {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_map_base;
};

/* What one CPU asks of others: host_call_on(). One at a time, so it lives in the caller. */
struct cpu_call {
    host_call_fn *fn;
    void *arg;
    uint32_t pending; /* targets that are not through; they count it down */
};

#define CPU_STACK_PAGES 8
#define IST_STACK_PAGES 2

struct cpu {
    struct cpu *self; /* first: this_cpu() reads it through GS */
    uint32_t index;   /* 0 = the boot CPU */
    uint32_t apic_id;
    uint64_t stack_top;    /* of the one stack all exits and the scheduler run on */
    hpa_t root;            /* page-table root that CR3 holds */
    void *current_vcpu;    /* whose FPU, debug and MSR state the CPU holds; NULL: nobody's */
    uint32_t domain;       /* VM whose traces the CPU's caches and predictors hold: barrier.c */
    bool spec_ctrl_used;   /* IA32_SPEC_CTRL holds a vCPU's value: vmx/state.c */
    uint64_t nmi_count;    /* NMIs taken in root mode */
    uint64_t interrupts;   /* physical interrupts taken */
    uint64_t xcr0;         /* as loaded: arch/x86/fpu.c */
    uint64_t idle_ticks;   /* TSC ticks spent in host_idle() ... */
    uint64_t idle_since;   /* ... until it began the sleep it is in; 0: awake */
    /* Written once, when another CPU panics: boot/panic.c. */
    uint32_t stopped;
    bool panicked;         /* while the other one reported */
    uint64_t stopped_rip, stopped_guest_rip; /* the latter 0 without a current vCPU */
    /* Others set bits, this CPU takes them: by whom it is called. */
    uint64_t called_by[CPU_MAX / 64];
    struct cpu_call call;  /* the one that this CPU makes */
    bool serving;          /* a call is being served here: it must make none itself */
    /* While it is being started; it and the boot CPU write. */
    uint32_t phase;        /* enum phase of smp.c */
    const char *refused;   /* why it left itself out */
    struct tsc_sync tsc;
    bool mtrr_corrected;
    uint64_t gdt[GDT_ENTRIES] __attribute__((aligned(16)));
    struct tss64 tss;
};

extern struct cpu boot_cpu;
/* By index; NULL from host_cpu_count() on. Grows only while boot starts CPUs. */
extern struct cpu *cpu_table[CPU_MAX];

_Static_assert(sizeof(struct cpu) <= 4096, "a CPU is one page");

static inline struct cpu *this_cpu(void)
{
    struct cpu *c;
    __asm__("mov %%gs:0, %0" : "=r"(c));
    return c;
}

static inline uint32_t this_cpu_index(void)
{
    uint32_t index;
    __asm__("mov %%gs:%c1, %0" : "=r"(index) : "i"(offsetof(struct cpu, index)));
    return index;
}

/* Makes c this CPU's: loads GS base, GDT, TSS and IDT. Stacks must have been mapped. */
void cpu_init(struct cpu *c, uint32_t index);
/* Fills c's interrupt stacks: ist[i] is the top of slot IST i + 1. */
void cpu_set_stacks(struct cpu *c, uint64_t stack_top, const uint64_t ist[IST_COUNT]);

#endif
