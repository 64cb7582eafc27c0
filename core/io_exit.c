/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Port I/O exits: IN and OUT straight to the bus, INS and OUTS through stringio.c with memory by
 * linear.c. SDM: "Input/Output", "IN", "OUT", "INS", "OUTS".
 */
#include "arch/x86/regs.h"
#include "core/backend.h"
#include "core/console.h"
#include "core/host.h"
#include "core/lib/string.h"
#include "core/linear.h"
#include "core/machine.h"
#include "core/stringio.h"
#include "core/sched.h"
#include "core/vm.h"

/* Iterations of REP INS/OUTS per exit: bounds the time away from the scheduler's look. */
#define STRING_CHUNK 64

static uint32_t port_in(struct vm *vm, uint16_t port, unsigned size)
{
    struct io_access a = {.size = (uint8_t)size, .value = UINT64_MAX};
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
    uint64_t *rax = &v->gpr[GPR_RAX];
    if (size == 1)
        memcpy(rax, &value, 1);
    else if (size == 4)
        *rax = value;
    else
        memcpy(rax, &value, 2);
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

/* Whether the console takes what v is about to write; if not, v sleeps before it tries again. Our
 * own UART may be what v keeps busy: under Bochs a guest with IF clear takes no exit for a physical
 * interrupt (docs/hardware.md), so it is let in here. */
static bool console_for(struct vcpu *v)
{
    host_let_in();
    if (likely(console_has_room()))
        return true;
    keep_breakpoint_met(v);
    sched_stall(v);
    return false;
}

static COLD enum outcome string_io(struct vcpu *v, struct vm_exit *x)
{
    unsigned index = x->io.out ? GPR_RSI : GPR_RDI;
    struct string_context c = {.segment = (enum seg_name)x->io.segment};
    struct stringio s = {
        .port = x->io.port,
        .size = x->io.size,
        .address_size = x->io.address_size,
        .in = !x->io.out,
        .rep = x->io.odd & IO_REP,
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

static NOINLINE enum outcome access_port(struct vcpu *v, const struct vm_exit *x)
{
    struct vm *vm = v->vm;
    struct io_access a;
    a.size = x->io.size;
    a.write = x->io.out;
    a.value = a.write ? v->gpr[GPR_RAX] & bus_ones(a.size) : UINT64_MAX;
    lock_take(&vm->lock);
    machine_port_locked(vm, x->io.port, &a);
    lock_release(&vm->lock);
    if (!a.write)
        set_accumulator(v, a.size, (uint32_t)a.value);
    return machine_after_io(vm);
}

static bool is_console_write(const struct vm_exit *x)
{
    return x->io.out && machine_is_console(x->io.port);
}

static NOINLINE enum outcome write_console(struct vcpu *v, const struct vm_exit *x)
{
    return console_for(v) ? access_port(v, x) : OUTCOME_RETRY;
}

static COLD enum outcome odd_io(struct vcpu *v, struct vm_exit *x)
{
    if (is_console_write(x) && !console_for(v))
        return OUTCOME_RETRY;
    if (x->io.odd & IO_STRING)
        return string_io(v, x);
    enum outcome outcome = access_port(v, x);
    uint32_t hits = vcpu_breakpoints(v, BREAKPOINT_IO, x->io.port, x->io.size);
    if (hits)
        backend->queue_breakpoints(v, hits);
    return outcome;
}

/* The one word that the access is. */
static inline void access_cell(struct vcpu *v, const struct vm_exit *x, void *at)
{
    if (x->io.out)
        __atomic_store_n((uint8_t *)at, (uint8_t)v->gpr[GPR_RAX], __ATOMIC_RELAXED);
    else if (x->io.size == 1)
        set_accumulator(v, 1, __atomic_load_n((const uint8_t *)at, __ATOMIC_RELAXED));
    else
        set_accumulator(v, 4, __atomic_load_n((const uint32_t *)at, __ATOMIC_RELAXED));
}

enum outcome exit_io(struct vcpu *v, struct vm_exit *x)
{
    const struct port_cell *c = &v->vm->cells[port_cell_index(x->io.port)];
    if (c->key == x->qualification) {
        access_cell(v, x, c->at);
        return OUTCOME_ADVANCE;
    }
    if (unlikely(x->io.odd))
        return odd_io(v, x);
    return is_console_write(x) ? write_console(v, x) : access_port(v, x);
}
