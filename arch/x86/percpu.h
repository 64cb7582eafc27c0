/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one physical CPU owns. GS base points at its struct cpu in root mode, always: VM exits load
 * it from the VMCS, exceptions never change it. Written only by its own CPU.
 */
#ifndef ARCH_X86_PERCPU_H
#define ARCH_X86_PERCPU_H

#include "arch/x86/seg.h"
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

struct cpu {
    struct cpu *self; /* first: this_cpu() reads it through GS */
    uint32_t index;   /* 0 = the boot CPU */
    uint32_t apic_id;
    uint64_t stack_top;    /* of the one stack all exits and the scheduler run on */
    hpa_t root;            /* page-table root that CR3 holds */
    void *current_vcpu;    /* whose FPU, debug and MSR state the CPU holds; NULL: nobody's */
    uint64_t nmi_count;    /* NMIs taken in root mode */
    uint64_t interrupts;   /* physical interrupts taken */
    bool in_panic;
    uint64_t gdt[GDT_ENTRIES] __attribute__((aligned(16)));
    struct tss64 tss;
};

extern struct cpu boot_cpu;

static inline struct cpu *this_cpu(void)
{
    struct cpu *c;
    __asm__("mov %%gs:0, %0" : "=r"(c));
    return c;
}

/* Makes c this CPU's: loads GS base, GDT, TSS and IDT. Stacks must have been mapped. */
void cpu_init(struct cpu *c, uint32_t index);
/* Fills c's interrupt stacks: ist[i] is the top of slot IST i + 1. */
void cpu_set_stacks(struct cpu *c, uint64_t stack_top, const uint64_t ist[IST_COUNT]);

#endif
