/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A debugger's hold on one VM: stop and go, single steps, breakpoints, the guest's memory and
 * registers. The protocol is gdb.c's. All functions are for the boot CPU with no locks held, except
 * where "on its CPU" stands: these are called by exits. A VM without a debugger pays one test at
 * the start of a time slice. docs/debugging.md has the rules in words.
 */
#ifndef CORE_DEBUG_H
#define CORE_DEBUG_H

#include "core/exit.h"
#include "core/lib/bits.h"

struct vm;
struct vcpu;

enum debug_step {
    STEP_NONE,
    STEP_WANTED, /* one instruction, from the next entry on */
    STEP_GOING,  /* the trap is armed */
};

/* Why a vCPU stopped the VM. */
enum debug_stop {
    DEBUG_RUNS,
    DEBUG_STEPPED,
    DEBUG_BREAKPOINT, /* an INT3 of ours */
    DEBUG_HARDWARE,   /* a breakpoint in DR0 to DR3 */
    DEBUG_WATCH_WRITE,
    DEBUG_WATCH_ACCESS,
};

/* A vCPU's part. Written by the boot CPU while the vCPU is parked, and on its CPU. */
struct vcpu_debug {
    bool attached;      /* a debugger has its VM */
    bool hold;          /* it runs no guest code; atomic */
    uint8_t step;       /* enum debug_step */
    uint8_t stop;       /* enum debug_stop; atomic */
    uint8_t hits;       /* of the debugger's DR0 to DR3, from the last #DB; as in DR6 */
    bool stepped;       /* that #DB was the end of a step */
    bool stray;         /* or a trap that an earlier step has left in the guest's stack */
    bool armed;         /* the backend has taken the step over */
    bool guest_tf, tf_used, pushf; /* the backend's, when it steps by RFLAGS.TF */
    uint64_t step_from; /* RIP when the step began */
    uint64_t address;   /* of the watchpoint that was met */
    uint64_t dr[4], dr7; /* the debugger's; dr7 0: the registers are the guest's */
    uint64_t guest_dr7; /* while dr7 is in its place */
};

enum debug_break { BREAK_SOFTWARE, BREAK_HARDWARE, BREAK_WRITE, BREAK_READ, BREAK_ACCESS };

/* Takes a running VM and asks its vCPUs to stop. False: it doesn't run, or another is taken. */
bool debug_attach(struct vm *vm);
/* Takes all breakpoints out and lets the VM run on. */
void debug_detach(void);
/* The VM, or NULL: then it has ended, and its breakpoints with it. */
struct vm *debug_vm(void);
/* vm's vCPUs are off for good. If it was taken, it is not any more: its next life is another. */
void debug_vm_ended(const struct vm *vm);

/* Asks all vCPUs to stop; debug_stopped() says when they have. */
void debug_stop_all(void);
bool debug_stopped(void);
/* The vCPU that stopped the VM and why, or NULL when debug_stop_all() did. */
struct vcpu *debug_stopper(enum debug_stop *why);
/* Lets v go on when debug_go() comes, step: for one instruction. All others stay. */
void debug_release(struct vcpu *v, bool step);
void debug_go(void);

/* Copies up to n bytes, however they are protected; breakpoints don't show. As v sees memory
 * (linear addresses); how many bytes could be reached. */
size_t debug_read(struct vcpu *v, uint64_t gva, void *buf, size_t n);
size_t debug_write(struct vcpu *v, uint64_t gva, const void *buf, size_t n);
/* The same by guest-physical address; v: any of the VM's. */
size_t debug_read_physical(struct vcpu *v, uint64_t gpa, void *buf, size_t n);

/* At a linear address as v sees it. False: not mapped, no room, or the guest uses its debug
 * registers itself. Clearing one that is not there is fine. */
bool debug_set_break(struct vcpu *v, enum debug_break kind, uint64_t gva, unsigned size);
void debug_clear_break(struct vcpu *v, enum debug_break kind, uint64_t gva, unsigned size);

/* Takes all of them out, of memory and of the debug registers. All vCPUs stand still. */
void debug_break_remove_all(struct vm *vm);

/* Calls fn(v, arg) with v's registers at hand and its VM's memory in the window. */
void debug_inspect(struct vcpu *v, void (*fn)(struct vcpu *v, void *arg), void *arg);

/* --- on its CPU --- */
/* An exception that v's guest has met: true when it is the debugger's. */
bool debug_exception(struct vcpu *v, const struct event *e);
/* v stops, and all others with it. */
void debug_stop(struct vcpu *v, enum debug_stop why);
/* Steps by RFLAGS.TF: does PUSHF come next, and take TF out of what it has pushed. */
bool debug_at_pushf(struct vcpu *v);
void debug_clean_pushf(struct vcpu *v);
/* MOV DR while the debugger has the registers: the guest sees its own, which have no effect. */
enum outcome debug_mov_dr(struct vcpu *v, struct vm_exit *x);
/* True: v must not run now. */
bool debug_held(struct vcpu *v);

#endif
