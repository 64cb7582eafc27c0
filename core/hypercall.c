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

/* A handler answers by done(), or leaves RAX alone. */
#define HYPERCALL(number, name, args, text) static exit_fn hypercall_##name;
#include "core/abi/hypercalls.def"
#undef HYPERCALL

static exit_fn *const table[] = {
#define HYPERCALL(number, name, args, text) [number] = hypercall_##name,
#include "core/abi/hypercalls.def"
#undef HYPERCALL
};

static inline uint64_t argument(const struct vcpu *v, const struct vm_exit *x, enum gpr reg)
{
    return v->gpr[reg] & x->call_mask;
}

static inline enum outcome done(struct vcpu *v, const struct vm_exit *x, uint64_t result)
{
    v->gpr[GPR_RAX] = result & x->call_mask;
    return OUTCOME_ADVANCE;
}

static enum outcome hypercall_VERSION(struct vcpu *v, struct vm_exit *x)
{
    return done(v, x, PLINTH_ABI_VERSION | (uint64_t)PLINTH_FEATURE_SLEEP << 32);
}

static enum outcome hypercall_CONSOLE_WRITE(struct vcpu *v, struct vm_exit *x)
{
    char text[PLINTH_CONSOLE_MAX];
    struct vm *vm = v->vm;
    uint64_t from = argument(v, x, GPR_RDI), len = argument(v, x, GPR_RSI);
    if (len > sizeof(text))
        return done(v, x, (uint64_t)PLINTH_EINVAL);
    if (!guest_read(&vm->mem, GPA(from), text, len))
        return done(v, x, (uint64_t)PLINTH_EFAULT);
    /* A console that is behind makes the caller wait, not the text get lost: it calls again, so its
     * number must still be in RAX. */
    if (!console_has_room()) {
        sched_stall(v);
        return OUTCOME_RETRY;
    }
    machine_console(vm, text, len);
    return done(v, x, len);
}

static enum outcome hypercall_YIELD(struct vcpu *v, struct vm_exit *x)
{
    uint64_t until = argument(v, x, GPR_RDI), now = host_uptime_ns();
    (void)done(v, x, 0);
    if (until == 0) {
        sched_give_way(v);
        return OUTCOME_ADVANCE;
    }
    if (until <= now)
        return OUTCOME_ADVANCE;
    v->wake_on_interrupt = v->rflags & RFLAGS_IF;
    uint64_t start = host_now(), wait = host_ns_to_tsc(until - now);
    v->wake_at = wait < UINT64_MAX - start ? start + wait : UINT64_MAX;
    return OUTCOME_BLOCK;
}

static enum outcome hypercall_TIME(struct vcpu *v, struct vm_exit *x)
{
    return done(v, x, host_uptime_ns());
}

static enum outcome hypercall_EXIT(struct vcpu *v, struct vm_exit *x)
{
    return vm_exit(v->vm, (uint32_t)argument(v, x, GPR_RDI), "hypercall");
}

/* Only kernels call. */
static COLD enum outcome refuse_call(struct vcpu *v, struct vm_exit *x)
{
    x->call_mask = backend->code_bits(v) == 64 ? UINT64_MAX : UINT32_MAX;
    return done(v, x, (uint64_t)PLINTH_EPERM);
}

enum outcome exit_vmcall(struct vcpu *v, struct vm_exit *x)
{
    if (unlikely(!x->call_mask))
        return refuse_call(v, x);
    uint64_t number = argument(v, x, GPR_RAX);
    if (unlikely(number >= ARRAY_LEN(table)) || unlikely(!table[number]))
        return done(v, x, (uint64_t)PLINTH_ENOSYS);
    return table[number](v, x);
}
