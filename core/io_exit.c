/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Port I/O exits: IN and OUT straight to the bus, INS and OUTS through stringio.c with memory by
 * linear.c. SDM: "Input/Output", "IN", "OUT", "INS", "OUTS".
 */
#include "arch/x86/regs.h"
#include "core/backend.h"
#include "core/console.h"
#include "core/linear.h"
#include "core/machine.h"
#include "core/stringio.h"
#include "core/sched.h"
#include "core/vm.h"

/* Iterations of REP INS/OUTS per exit: bounds the time away from the scheduler's look. */
#define STRING_CHUNK 64

static uint32_t port_in(struct vm *vm, uint16_t port, unsigned size)
{
    struct io_access a = {.size = (uint8_t)size, .write = false};
    machine_port(vm, port, &a);
    return (uint32_t)a.value;
}

static void port_out(struct vm *vm, uint16_t port, unsigned size, uint32_t value)
{
    struct io_access a = {.size = (uint8_t)size, .write = true, .value = value};
    machine_port(vm, port, &a);
}

/* IN writes AL, AX or EAX, the latter zero-extended. */
static void set_accumulator(struct vcpu *v, unsigned size, uint32_t value)
{
    if (size == 4)
        v->gpr[GPR_RAX] = value;
    else if (size == 1)
        v->gpr[GPR_RAX] = (v->gpr[GPR_RAX] & ~BITS(7, 0)) | (uint8_t)value;
    else
        v->gpr[GPR_RAX] = (v->gpr[GPR_RAX] & ~BITS(15, 0)) | (uint16_t)value;
}

struct string_context {
    struct linear linear;
    enum seg_name segment; /* of the memory operand */
};

static bool string_linear(void *ctx, uint64_t offset, unsigned size, bool write, uint64_t *linear)
{
    struct string_context *c = ctx;
    struct linear *l = &c->linear;
    if (!linear_address(l, c->segment, offset, size, write, linear))
        return false;
    if (unlikely(l->v->dr_live))
        l->breakpoints |= (uint8_t)vcpu_breakpoints(
            l->v, write ? BREAKPOINT_WRITE : BREAKPOINT_READ, *linear, size);
    return true;
}

static bool string_probe(void *ctx, uint64_t linear, unsigned size)
{
    struct string_context *c = ctx;
    return linear_probe(&c->linear, linear, size, true);
}

static bool string_read(void *ctx, uint64_t linear, void *buf, unsigned size)
{
    struct string_context *c = ctx;
    return linear_read(&c->linear, linear, buf, size);
}

static bool string_write(void *ctx, uint64_t linear, const void *buf, unsigned size)
{
    struct string_context *c = ctx;
    return linear_write(&c->linear, linear, buf, size);
}

static uint32_t string_port_in(void *ctx, uint16_t port, unsigned size)
{
    struct string_context *c = ctx;
    return port_in(c->linear.v->vm, port, size);
}

static void string_port_out(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
    struct string_context *c = ctx;
    struct vm *vm = c->linear.v->vm;
    port_out(vm, port, size, value);
    /* Keeps the UART's FIFO from filling up within one exit; requests are looked at after it. */
    machine_drain(vm);
}

static const struct stringio_ops string_ops = {
    .linear = string_linear,
    .probe = string_probe,
    .read = string_read,
    .write = string_write,
    .port_in = string_port_in,
    .port_out = string_port_out,
};

/* The instruction runs again, and the exit has cleared RF: set, it keeps a breakpoint on it from
 * being met twice, and shows in what an interrupt between two iterations pushes. */
static void keep_breakpoint_met(struct vcpu *v)
{
    backend->set_reg(v, VREG_RFLAGS, backend->get_reg(v, VREG_RFLAGS) | RFLAGS_RF);
}

static COLD enum outcome string_io(struct vcpu *v, struct vm_exit *x)
{
    unsigned index = x->io.in ? GPR_RDI : GPR_RSI;
    struct string_context c = {.segment = (enum seg_name)x->io.segment};
    struct stringio s = {
        .port = x->io.port,
        .size = x->io.size,
        .address_size = x->io.address_size,
        .in = x->io.in,
        .rep = x->io.rep,
        .backward = v->rflags & RFLAGS_DF,
        .rcx = v->gpr[GPR_RCX],
        .index = v->gpr[index],
    };
    linear_init(&c.linear, v);
    /* A single step is one iteration, with its trap after each; a breakpoint's trap the same. */
    unsigned limit = (v->rflags & RFLAGS_TF) || v->dr_live ? 1 : STRING_CHUNK;
    uint64_t left = s.rcx;
    enum stringio_result r = stringio_run(&s, &string_ops, &c, limit);
    if (unlikely(v->dr_live) && (!s.rep || s.rcx != left)) {
        uint32_t hits = c.linear.breakpoints |
                        vcpu_breakpoints(v, BREAKPOINT_IO, x->io.port, x->io.size);
        if (hits && (r == STRINGIO_DONE || r == STRINGIO_MORE))
            backend->queue_breakpoints(v, hits);
    }
    v->gpr[GPR_RCX] = s.rcx;
    v->gpr[index] = s.index;
    enum outcome after = machine_after_io(v->vm);
    if (after == OUTCOME_STOP)
        return after;
    switch (r) {
    case STRINGIO_DONE:
        return OUTCOME_ADVANCE;
    case STRINGIO_MORE:
        keep_breakpoint_met(v);
        if (x->slow_step)
            backend->finish_step(v);
        x->slow_step = false; /* one iteration is done, and its trap is due */
        return OUTCOME_RETRY;
    default:
        return c.linear.outcome;
    }
}

enum outcome exit_io(struct vcpu *v, struct vm_exit *x)
{
    struct io_access a;
    a.size = x->io.size;
    a.write = !x->io.in;
    if (a.write && unlikely(machine_is_console(x->io.port)) && !console_has_room()) {
        keep_breakpoint_met(v);
        sched_give_way(v);
        return OUTCOME_RETRY;
    }
    if (unlikely(x->io.string))
        return string_io(v, x);
    a.value = v->gpr[GPR_RAX];
    machine_port(v->vm, x->io.port, &a);
    if (x->io.in)
        set_accumulator(v, x->io.size, (uint32_t)a.value);
    if (unlikely(v->dr_live)) {
        uint32_t hits = vcpu_breakpoints(v, BREAKPOINT_IO, x->io.port, x->io.size);
        if (hits)
            backend->queue_breakpoints(v, hits);
    }
    return machine_after_io(v->vm);
}
