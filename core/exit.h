/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM exit as core sees it, whatever the vendor: the kind, what was decoded, and what a handler
 * may answer. The table that says where every kind goes is in exit.c: the page to print out.
 */
#ifndef CORE_EXIT_H
#define CORE_EXIT_H

#include "core/event.h"
#include "core/lib/bits.h"
#include "mm/types.h"

struct vcpu;

enum exit_kind {
    EXIT_CPUID,
    EXIT_VMCALL,
    EXIT_RDMSR,
    EXIT_WRMSR,
    EXIT_IO,
    EXIT_HLT,
    EXIT_PAUSE,
    EXIT_MEMORY,       /* guest-physical memory that is not mapped, or not for this access */
    EXIT_CR_ACCESS,
    EXIT_MOV_DR,
    EXIT_XSETBV,
    EXIT_CACHE,        /* INVD, WBINVD */
    EXIT_RDPMC,
    EXIT_UNDEFINED,    /* an instruction that is not offered: #UD */
    EXIT_EXCEPTION,    /* one that the backend intercepts */
    EXIT_INTERRUPT,    /* a physical one */
    EXIT_NMI,          /* a physical one */
    EXIT_TIMER,        /* the preemption timer */
    EXIT_WINDOW,       /* the guest can take an interrupt or an NMI now */
    EXIT_EOI,          /* the end of a level-triggered interrupt, done by hardware */
    EXIT_APIC_WRITE,   /* a register of its APIC, in whose page the hardware has put the value */
    EXIT_TPR,          /* its task priority lets a waiting interrupt through now */
    EXIT_TRIPLE_FAULT,
    EXIT_TASK_SWITCH,
    EXIT_STEP,         /* a debugger's single step is done */
    EXIT_INIT,
    EXIT_SIPI,
    EXIT_ENTRY_FAILED, /* the CPU refused the guest's state */
    EXIT_MACHINE_CHECK,
    EXIT_UNKNOWN,      /* a reason that should not occur, or that nobody knows */
    EXIT_KINDS
};

enum outcome {
    OUTCOME_ADVANCE, /* the instruction is done: step over it */
    OUTCOME_RETRY,   /* run on at the same RIP */
    OUTCOME_FAULT,   /* an exception has been raised instead */
    OUTCOME_BLOCK,   /* step over it, then wait for an event */
    OUTCOME_STOP,    /* this VM has come to its end */
};

#define IO_STRING      BIT(0)
#define IO_REP         BIT(1)
#define IO_BREAKPOINTS BIT(2) /* some are enabled: vcpu_breakpoints() has to be asked */

/* qualification of a plain IN or OUT: what of io is not named here is 0. */
#define IO_KEY(port, size, out) \
    ((uint64_t)(port) | (uint64_t)(size) << 16 | (uint64_t)((out) ? 1 : 0) << 24)

#define MEMORY_READ  BIT(0)
#define MEMORY_WRITE BIT(1)
#define MEMORY_FETCH BIT(2)

enum cr_access { CR_WRITE, CR_READ, CR_CLTS, CR_LMSW };

/* kind and reason as EXIT_HEAD() lays them out, the rest 0: one store instead of four. */
#define EXIT_HEAD(kind, reason) ((uint64_t)(kind) | (uint64_t)(reason) << 32)

struct vm_exit {
    union {
        struct {
            uint8_t kind;    /* enum exit_kind */
            uint8_t length;  /* of the instruction, bytes; 0 unless the exit is one instruction's */
            bool slow_step;  /* stepping has to mind an interrupt shadow or a single-step trap */
            uint16_t reason __attribute__((aligned(4))); /* the backend's own number, for reports */
        };
        uint64_t head;
    };
    union {
        struct {
            uint16_t port;
            uint8_t size; /* 1, 2 or 4 */
            bool out;
            uint8_t odd;          /* IO_*; 0: a plain IN or OUT */
            uint8_t address_size; /* string: 2, 4 or 8 */
            uint8_t segment;      /* string: of the memory operand, enum seg_name */
        } io;
        struct {
            uint8_t cr, gpr;
            uint8_t access; /* enum cr_access */
            uint16_t lmsw;
        } cr;
        struct {
            uint8_t dr, gpr;
            bool read;
        } dr;
        struct {
            gpa_t gpa;
            uint8_t access; /* MEMORY_* */
            bool table; /* the CPU was walking the guest's page tables */
            /* The rest counts while plain is set: 64-bit code with 4-level paging has touched the
             * data there, no event was being delivered and no breakpoint is enabled. */
            bool plain;
            uint64_t cr3;
        } memory;
        uint64_t call_mask; /* VMCALL from a kernel: the bits of a register that count there, 32 or
                             * 64; from elsewhere 0 */
        uint8_t eoi_vector;
        uint16_t apic_register; /* enum vlapic_register */
        struct event exception; /* to be delivered to the guest; DR6 and CR2 are up to date */
        struct {
            uint8_t vector;
        } interrupt;
        uint64_t qualification;
    };
};

/* A handler of an exit that is not one instruction's may set v->rip, length and slow_step itself
 * and answer OUTCOME_ADVANCE. */
typedef enum outcome exit_fn(struct vcpu *v, struct vm_exit *x);

_Static_assert(offsetof(struct vm_exit, reason) == 4, "EXIT_HEAD");
_Static_assert(offsetof(struct vm_exit, io) == 8 && offsetof(struct vm_exit, io.size) == 10 &&
               offsetof(struct vm_exit, io.out) == 11, "backends fill it as one word");

struct exit_row {
    exit_fn *handler;
    const char *name;
};

/* By enum exit_kind; exit_handle() in dispatch.h calls its rows. */
extern const struct exit_row exit_table[];
/* "CPUID" for EXIT_CPUID and so on. */
const char *exit_kind_name(unsigned kind);

/* Handlers, each in the file of its subject. */
exit_fn exit_cpuid;     /* guest_cpu.c */
exit_fn exit_vmcall;    /* hypercall.c */
exit_fn exit_rdmsr;     /* msr_exit.c */
exit_fn exit_wrmsr;     /* msr_exit.c */
exit_fn exit_cr_access; /* cr_exit.c */
exit_fn exit_mov_dr;    /* cr_exit.c */
exit_fn exit_xsetbv;    /* cr_exit.c */
exit_fn exit_io;        /* io_exit.c */
exit_fn exit_memory;    /* mmio_move.c, and the long way in mmio.c */
exit_fn exit_task_switch; /* task_exit.c */

#endif
