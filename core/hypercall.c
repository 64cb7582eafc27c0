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
#include "core/vm.h"

/* What a hypercall leaves: a value for RAX and an outcome. */
struct hypercall {
    struct vcpu *v;
    uint64_t arg[4];
    uint64_t result;
};

typedef enum outcome hypercall_fn(struct hypercall *h);
#define HYPERCALL(number, name, args, text) static hypercall_fn hypercall_##name;
#include "core/abi/hypercalls.def"
#undef HYPERCALL

static hypercall_fn *const table[] = {
#define HYPERCALL(number, name, args, text) [number] = hypercall_##name,
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
        vcpu_request(h->v, REQUEST_RESCHEDULE);
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
        vcpu_request(h->v, REQUEST_RESCHEDULE);
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
    h->v->vm->status = (uint32_t)h->arg[0];
    return vm_stop(h->v->vm, STOP_EXIT, "exit by hypercall, status %u", (uint32_t)h->arg[0]);
}

enum outcome exit_vmcall(struct vcpu *v, struct vm_exit *x)
{
    (void)x;
    bool wide = backend->code_bits(v) == 64;
    uint64_t mask = wide ? UINT64_MAX : UINT32_MAX;
    struct hypercall h = {
        .v = v,
        .arg = {v->gpr[GPR_RDI] & mask, v->gpr[GPR_RSI] & mask, v->gpr[GPR_RDX] & mask,
                v->gpr[GPR_R10] & mask},
    };
    uint64_t number = v->gpr[GPR_RAX] & mask;
    enum outcome outcome = OUTCOME_ADVANCE;
    if (backend->cpl(v) != 0)
        h.result = (uint64_t)PLINTH_EPERM;
    else if (number >= ARRAY_LEN(table) || !table[number])
        h.result = (uint64_t)PLINTH_ENOSYS;
    else
        outcome = table[number](&h);
    /* RETRY runs the same VMCALL again: its number must still be in RAX. */
    if (outcome != OUTCOME_RETRY)
        v->gpr[GPR_RAX] = h.result & mask;
    return outcome;
}
