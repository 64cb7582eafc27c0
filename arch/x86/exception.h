/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exceptions and interrupts in root mode: the frame, the IDT, and the two ways an exception can be
 * survived: the instructions listed in the fix-up table (MSR access that may fault), and NMI.
 */
#ifndef ARCH_X86_EXCEPTION_H
#define ARCH_X86_EXCEPTION_H

#include "core/lib/bits.h"

struct exception_frame {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
    uint8_t vector;
    uint8_t pushed[7]; /* the sign of the byte that a stub pushed: no meaning */
    uint64_t error_code;
    uint64_t rip, cs, rflags, rsp, ss;
};

/* Builds the IDT (once, before any exception_load_idt()). */
void exception_init(void);
void exception_load_idt(void);
uint64_t exception_idt_base(void);
/* Called by exception.S; may change the frame. */
void exception_handle(struct exception_frame *f);

/* Called for a physical interrupt's vector (32..255), from the IDT or from a VM exit. */
typedef void interrupt_fn(uint8_t vector);
/* Registers who gets physical interrupts; arch knows no devices. */
void exception_set_interrupt_handler(interrupt_fn *fn);
void interrupt_deliver(uint8_t vector);

/* Registers who looks at NMIs, besides their count. It uses the NMI stack and may be called between
 * any two instructions: no locks, no logging. */
typedef void nmi_fn(const struct exception_frame *f);
void exception_set_nmi_handler(nmi_fn *fn);

/* MSR access that tolerates #GP: false when the MSR does not exist or refuses the value. */
MUST_CHECK bool rdmsr_safe(uint32_t msr, uint64_t *v);
MUST_CHECK bool wrmsr_safe(uint32_t msr, uint64_t v);
/* XSETBV and XRSTOR, likewise. */
MUST_CHECK bool xsetbv_safe(uint32_t index, uint64_t v);
MUST_CHECK bool xrstor_safe(const void *area, uint64_t mask);

#endif
