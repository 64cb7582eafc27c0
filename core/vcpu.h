/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtual CPU: the registers that exits need at hand, and what the scheduler knows of it. A vCPU
 * is touched by the CPU that runs it and by nobody else; others set bits in requests.
 */
#ifndef CORE_VCPU_H
#define CORE_VCPU_H

#include "core/breakpoint.h"
#include "core/debug.h"
#include "core/event.h"
#include "core/exit.h"
#include "core/mmio_move.h"
#include "core/runqueue.h"
#include "core/timerq.h"
#include "drivers/emu/vlapic.h"
#include "mm/guest_walk.h"
#include "mm/types.h"

/* In the order of instruction encodings. */
enum gpr {
    GPR_RAX, GPR_RCX, GPR_RDX, GPR_RBX, GPR_RSP, GPR_RBP, GPR_RSI, GPR_RDI,
    GPR_R8, GPR_R9, GPR_R10, GPR_R11, GPR_R12, GPR_R13, GPR_R14, GPR_R15,
    GPR_COUNT
};

/* Registers that live in the backend's hands; read and written through it. */
enum vreg {
    VREG_RIP, VREG_RSP, VREG_RFLAGS,
    VREG_CR0, VREG_CR3, VREG_CR4, /* as the guest sees them */
    VREG_EFER, VREG_DR7,
    VREG_GDTR_BASE, VREG_GDTR_LIMIT, /* not for set_reg() */
    VREG_COUNT
};

enum seg_name { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR, SEG_COUNT };

struct segment {
    uint64_t base;
    uint32_t limit;  /* in bytes, granularity applied */
    uint32_t access; /* AR_* of arch/x86/seg.h */
    uint16_t selector;
};

enum vcpu_state {
    VCPU_OFF,     /* not started yet, or its VM has ended */
    VCPU_QUEUED,  /* on a run queue */
    VCPU_RUNNING, /* picked by its CPU */
    VCPU_BLOCKED, /* waits for an event, for wake_at or for a start-up IPI */
};

/* Bits of vcpu.requests; looked at before every entry, each exit's only extra test. */
#define REQUEST_RESCHEDULE BIT(0) /* give the CPU back */
#define REQUEST_EVENT      BIT(1) /* events.* has changed */
#define REQUEST_STOP       BIT(2) /* the VM is ending */
#define REQUEST_INIT       BIT(3) /* an INIT has come: reset, then wait for a start-up IPI */
#define REQUEST_STARTUP    BIT(4) /* a start-up IPI has come; its vector is in the top byte */
#define REQUEST_NMI        BIT(5) /* an NMI has come */
#define REQUEST_POSTED     BIT(6) /* posted[] has vectors */
#define REQUEST_LINT0      BIT(7) /* the 8259s' output has changed; vCPU 0 */
#define REQUEST_LOOK       BIT(8) /* slice_end has changed */
#define REQUEST_TSC        BIT(9) /* vm.tsc_offset has changed */
#define REQUEST_PAUSE      BIT(10) /* vm.paused has changed */
#define REQUEST_GO         BIT(16) /* a debugger has let it go on */
#define REQUEST_DEBUG      BIT(17) /* step by step, or just not any more */
#define REQUEST_VECTOR_SHIFT 24
#define REQUEST_STARTUP_ALL ((uint32_t)(REQUEST_STARTUP | BITS(31, REQUEST_VECTOR_SHIFT)))

#define VCPU_TRAIL         256 /* as many as a byte counts */

#define CPU_WORDS (256 / 64) /* of a set of physical CPUs */

/* A timer on a physical CPU's queue: a blocked vCPU's, or that of a VM's devices (v is NULL). */
struct sched_timer {
    struct timerq_entry entry;
    struct vm *vm;
    struct vcpu *v;
    uint32_t cpu; /* on whose queue it is or was */
};

/* Counters as they were at some moment; core/stat.h. */
struct stat_sample {
    uint64_t tsc; /* 0: never taken */
    uint64_t ran, waited, latency, wakes, switches;
    uint64_t exits[EXIT_KINDS];
};

struct vcpu {
    /* Saved by the exit assembly, which starts at offset 0. GPR_RSP lives in the backend. */
    uint64_t gpr[GPR_COUNT];
    uint64_t host_rsp;  /* stack pointer to come back to */
    uint64_t rip;       /* valid in instruction exits; written back after OUTCOME_ADVANCE */
    uint64_t rflags;    /* the same; both also in EXIT_MEMORY if it is plain */
    uint64_t look_at;   /* TSC: from then on an exit looks at timers and slice */
    uint32_t requests;  /* REQUEST_*; any CPU sets, the running one clears */
    uint32_t index;     /* within the VM */
    struct vm *vm;
    void *arch;         /* the backend's part */
    struct vm_exit exit; /* the last one, as decoded */

    uint64_t slice_begin; /* TSC */
    uint64_t slice_end; /* TSC; others may bring it forward, then set REQUEST_LOOK */
    uint64_t event_at;  /* TSC: when interrupt_time() is due */
    uint64_t armed_for; /* TSC for which the backend has armed its timer: slice_end or event_at */
    uint64_t wake_at;   /* TSC; UINT64_MAX: only by an event */
    /* sched.c's: under the lock of the queue of cpu. */
    uint8_t state;      /* enum vcpu_state; atomic */
    uint32_t cpu;       /* on whose queue it is, or runs, or sleeps; atomic */
    uint32_t held_by;   /* the CPU that holds its state in registers, + 1; 0: none; atomic */
    struct runq_entity run;
    struct sched_timer timer;
    uint64_t cpus_allowed[CPU_WORDS]; /* the boot CPU writes, word by word; atomic */
    bool halted;        /* goes on only for what wakes it */
    bool hopeless;      /* counted in vm.hopeless: nothing but another vCPU can wake it */
    bool yielded;       /* it has given its turn up */
    bool stalled;       /* its last exit could not be served: it tries again in a moment */

    /* Events waiting to be delivered. */
    bool reinject_valid;  /* an exit interrupted the delivery of reinject */
    bool exception_valid; /* exception has been raised */
    bool nmi_pending;
    struct event reinject, exception;
    uint32_t posted[8], posted_level[8]; /* vectors from other CPUs; atomic */
    bool wake_on_interrupt; /* halted with IF set */
    bool waits_for_startup; /* INIT has come, the start-up IPI has not */
    struct vlapic apic;
    void *apic_page;    /* the APIC's registers; also the hardware's virtual-APIC page */

    void *fpu;          /* save area */
    uint64_t xcr0;
    uint64_t cr2, dr[4], dr6;
    uint64_t fault_address; /* goes to CR2 with the #PF that waits in exception */
    bool dr_used;       /* the guest has touched debug registers */
    bool dr_live;       /* DR0-3 and DR6 are in the CPU and MOV DR does not exit */
    uint64_t tsc_offset;       /* the VM's, as far as this vCPU has followed it */
    struct vcpu_debug debug;
    uint64_t pvclock_system; /* as the guest wrote it */
    uint32_t pvclock_version;
    uint32_t steal_version;
    uint64_t steal_where;    /* as the guest wrote it */
    uint64_t steal_from;     /* waited when it did: the guest's count starts there */
    uint64_t runnable_since; /* TSC: on the run queue from then on */
    uint64_t waited;         /* TSC ticks on the run queue since the VM started */

    struct mmio_move moves[MMIO_MOVES];

    /* Counts since the VM started. */
    uint64_t exits[EXIT_KINDS];
    uint64_t ran;       /* TSC ticks in its slices */
    uint64_t switches;
    uint64_t wakes;     /* times it became runnable; under its queue's lock */
    uint64_t latency, latency_max; /* TSC ticks from there to its turn: sum, longest */
    bool woken;         /* and has had no turn since */
    struct stat_sample stat[2]; /* stat.c's: the older, the newer */
    struct observe_stats *observe_stats; /* NULL: exits are not measured; core/observe.h */
    uint8_t trail_at;          /* where the next goes; wraps by itself */
    uint8_t trail[VCPU_TRAIL]; /* kinds of the last exits, a ring */
};

/* Registers by number of instruction encoding, RSP included. */
uint64_t vcpu_gpr(struct vcpu *v, unsigned n);
void vcpu_set_gpr(struct vcpu *v, unsigned n, uint64_t value);
/* What a page walk for this vCPU needs. */
void vcpu_paging(struct vcpu *v, struct guest_paging *out);

/* The enabled breakpoints that an access by v meets, made in its place. Ask only if v->dr_live: who
 * has any enabled has its debug registers in the CPU. */
uint32_t vcpu_breakpoints(struct vcpu *v, enum breakpoint_kind kind, uint64_t address,
                          unsigned size);

/* Raises an exception to be delivered at the next entry, with the rules for one raised while
 * another is pending. Always OUTCOME_FAULT, or OUTCOME_STOP when it was the third. */
enum outcome vcpu_raise(struct vcpu *v, struct event e);
enum outcome vcpu_raise_page_fault(struct vcpu *v, uint64_t address, uint32_t error_code);

#define EXCEPTION(vec)          ((struct event){.type = EVENT_HW_EXCEPTION, .vector = (vec)})
#define EXCEPTION_ERR(vec, err) \
    ((struct event){.type = EVENT_HW_EXCEPTION, .vector = (vec), .has_error = true, \
                    .error_code = (err)})
#define UD()                    EXCEPTION(6)
#define GP(err)                 EXCEPTION_ERR(13, err)

/* Asks the running CPU to look at v before its next entry. */
static inline void vcpu_request(struct vcpu *v, uint64_t bits)
{
    __atomic_fetch_or(&v->requests, (uint32_t)bits, __ATOMIC_RELEASE);
}

/* From a local APIC, on any CPU: INIT, and the start-up IPI that counts only after it. */
void vcpu_init_signal(struct vcpu *v);
void vcpu_startup_signal(struct vcpu *v, uint8_t vector);
/* For the backend, before an entry: carries out INIT and STARTUP. False: v waits and must leave. */
bool vcpu_handle_signals(struct vcpu *v, uint32_t requests);

/* Allocates and frees a vCPU of vm, its FPU area and the backend's part. NULL: no memory. */
struct vcpu *vcpu_create(struct vm *vm, unsigned index);
void vcpu_free(struct vcpu *v);

#endif
