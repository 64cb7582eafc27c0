/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hypercalls: one function per row of abi/hypercalls.def. Each reads and checks everything first
 * and then does what cannot fail. The contract is written up in docs/abi.md.
 */
#include "arch/x86/regs.h"
#include "core/abi/plinth.h"
#include "core/backend.h"
#include "core/console.h"
#include "core/host.h"
#include "core/machine.h"
#include "core/sched.h"
#include "core/vm.h"

/* What a hypercall leaves: a value for RAX and an outcome. */
struct hypercall {
    struct vcpu *v;
    uint64_t arg[4]; /* as many as its row says; the others are not set */
    uint64_t result;
};

typedef enum outcome hypercall_fn(struct hypercall *h);
#define HYPERCALL(number, name, args, text) static hypercall_fn hypercall_##name;
#include "core/abi/hypercalls.def"
#undef HYPERCALL

static const struct {
    hypercall_fn *fn;
    uint64_t args;
} table[] = {
#define HYPERCALL(number, name, args, text) [number] = {hypercall_##name, args},
#include "core/abi/hypercalls.def"
#undef HYPERCALL
};

static enum outcome hypercall_VERSION(struct hypercall *h)
{
    h->result = PLINTH_ABI_VERSION | (uint64_t)PLINTH_FEATURE_SLEEP << 32;
    return OUTCOME_ADVANCE;
}

static enum outcome hypercall_CONSOLE_WRITE(struct hypercall *h)
{
    char text[PLINTH_CONSOLE_MAX];
    struct vm *vm = h->v->vm;
    uint64_t len = h->arg[1];
    if (len > sizeof(text)) {
        h->result = (uint64_t)PLINTH_EINVAL;
        return OUTCOME_ADVANCE;
    }
    if (!guest_read(&vm->mem, GPA(h->arg[0]), text, len)) {
        h->result = (uint64_t)PLINTH_EFAULT;
        return OUTCOME_ADVANCE;
    }
    /* A console that is behind makes the caller wait, not the text get lost: it calls again. */
    if (!console_has_room()) {
        sched_stall(h->v);
        return OUTCOME_RETRY;
    }
    machine_console(vm, text, len);
    h->result = len;
    return OUTCOME_ADVANCE;
}

static enum outcome hypercall_YIELD(struct hypercall *h)
{
    uint64_t until = h->arg[0], now = host_uptime_ns();
    h->result = 0;
    if (until == 0) {
        sched_give_way(h->v);
        return OUTCOME_ADVANCE;
    }
    if (until <= now)
        return OUTCOME_ADVANCE;
    h->v->wake_on_interrupt = h->v->rflags & RFLAGS_IF;
    uint64_t start = host_now(), wait = host_ns_to_tsc(until - now);
    h->v->wake_at = wait < UINT64_MAX - start ? start + wait : UINT64_MAX;
    return OUTCOME_BLOCK;
}

static enum outcome hypercall_TIME(struct hypercall *h)
{
    h->result = host_uptime_ns();
    return OUTCOME_ADVANCE;
}

static enum outcome hypercall_EXIT(struct hypercall *h)
{
    return vm_exit(h->v->vm, (uint32_t)h->arg[0], "hypercall");
}

static void take_arguments(struct hypercall *h, uint64_t mask)
{
    const uint64_t *gpr = h->v->gpr;
    h->arg[0] = gpr[GPR_RDI] & mask;
    h->arg[1] = gpr[GPR_RSI] & mask;
    h->arg[2] = gpr[GPR_RDX] & mask;
    h->arg[3] = gpr[GPR_R10] & mask;
}

enum outcome exit_vmcall(struct vcpu *v, struct vm_exit *x)
{
    (void)x;
    struct hypercall h;
    unsigned bits = backend->kernel_code_bits(v);
    uint64_t mask = bits == 64 ? UINT64_MAX : UINT32_MAX;
    uint64_t number = v->gpr[GPR_RAX] & mask;
    enum outcome outcome = OUTCOME_ADVANCE;
    h.v = v;
    if (unlikely(bits == 0)) {
        mask = backend->code_bits(v) == 64 ? UINT64_MAX : UINT32_MAX;
        h.result = (uint64_t)PLINTH_EPERM;
    } else if (unlikely(number >= ARRAY_LEN(table)) || unlikely(!table[number].fn)) {
        h.result = (uint64_t)PLINTH_ENOSYS;
    } else {
        if (table[number].args)
            take_arguments(&h, mask);
        outcome = table[number].fn(&h);
        /* RETRY runs the same VMCALL again: its number must still be in RAX. */
        if (unlikely(outcome == OUTCOME_RETRY))
            return outcome;
    }
    v->gpr[GPR_RAX] = h.result & mask;
    return outcome;
}
