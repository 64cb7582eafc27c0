/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Port I/O exits: IN and OUT straight to the bus, INS and OUTS through stringio.c with the guest's
 * segments and page tables. SDM: "Input/Output", "IN", "OUT", "INS", "OUTS".
 */
#include "arch/x86/regs.h"
#include "arch/x86/seg.h"
#include "core/backend.h"
#include "core/machine.h"
#include "core/stringio.h"
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
    uint64_t mask = size == 4 ? UINT64_MAX : BITS(8 * (int)size - 1, 0);
    v->gpr[GPR_RAX] = (v->gpr[GPR_RAX] & ~mask) | (value & mask);
}

struct string_context {
    struct vcpu *v;
    struct segment segment;
    uint8_t segment_name;
    bool wide;             /* 64-bit code */
    unsigned access;       /* WALK_USER or 0 */
    struct guest_paging paging;
    enum outcome outcome;  /* of a refusal */
};

static bool refuse(struct string_context *c, enum outcome outcome)
{
    c->outcome = outcome;
    return false;
}

static bool is_canonical(uint64_t address)
{
    return (uint64_t)((int64_t)(address << 16) >> 16) == address;
}

/* Limits and types, as "Protected-Mode Exceptions" of INS and OUTS list them. */
static bool segment_allows(const struct segment *s, uint64_t offset, unsigned size, bool write)
{
    uint64_t last = offset + size - 1;
    bool code = s->access & 8, expand_down = !code && (s->access & 4), readwrite = s->access & 2;
    if (s->access & AR_UNUSABLE)
        return false;
    if (write ? code || !readwrite : code && !readwrite)
        return false;
    if (expand_down) {
        uint64_t top = s->access & AR_DB ? UINT32_MAX : 0xffff;
        return offset > s->limit && last <= top;
    }
    return last <= s->limit;
}

static bool string_linear(void *ctx, uint64_t offset, unsigned size, bool write, uint64_t *linear)
{
    struct string_context *c = ctx;
    uint8_t vector = c->segment_name == SEG_SS ? VECTOR_SS : VECTOR_GP;
    if (c->wide) {
        bool based = c->segment_name == SEG_FS || c->segment_name == SEG_GS;
        *linear = offset + (based ? c->segment.base : 0);
        if (is_canonical(*linear) && is_canonical(*linear + size - 1))
            return true;
    } else {
        *linear = (uint32_t)(offset + c->segment.base);
        if (segment_allows(&c->segment, offset, size, write))
            return true;
    }
    return refuse(c, vcpu_raise(c->v, EXCEPTION_ERR(vector, 0)));
}

/* What a failed walk means for the guest. */
static bool walk_failed(struct string_context *c, enum walk_result result,
                        const struct walk_info *info)
{
    switch (result) {
    case WALK_FAULT:
        return refuse(c, vcpu_raise_page_fault(c->v, info->gva.v, info->error_code));
    case WALK_NONCANONICAL:
        return refuse(c, vcpu_raise(c->v, GP(0)));
    case WALK_RETRY:
        return refuse(c, OUTCOME_RETRY);
    default:
        return refuse(c, vm_stop(c->v->vm, STOP_UNSUPPORTED,
                                 "string I/O with memory at %#lx, which is not RAM", info->gpa.v));
    }
}

static bool string_probe(void *ctx, uint64_t linear, unsigned size)
{
    struct string_context *c = ctx;
    struct walk_info info = {.gva = GVA(linear)};
    for (unsigned at = 0; at < size; at += size - 1 ? size - 1 : 1) {
        info.gva = GVA(linear + at);
        enum walk_result r = guest_walk(&c->paging, &c->v->vm->mem, GVA(linear + at),
                                        WALK_WRITE | c->access, &info);
        if (r == WALK_OK && !guest_mem_contains(&c->v->vm->mem, info.gpa, 1))
            r = WALK_NO_MEMORY;
        if (r != WALK_OK) {
            /* CR2 gets the first byte that cannot be reached. */
            info.gva = GVA(at ? max_u64(linear, (linear + at) & PAGE_MASK) : linear);
            return walk_failed(c, r, &info);
        }
    }
    return true;
}

static bool string_read(void *ctx, uint64_t linear, void *buf, unsigned size)
{
    struct string_context *c = ctx;
    struct walk_info info;
    enum walk_result r = guest_copy_from(&c->paging, &c->v->vm->mem, GVA(linear), c->access, buf,
                                         size, &info);
    return r == WALK_OK || walk_failed(c, r, &info);
}

static bool string_write(void *ctx, uint64_t linear, const void *buf, unsigned size)
{
    struct string_context *c = ctx;
    struct walk_info info;
    enum walk_result r = guest_copy_to(&c->paging, &c->v->vm->mem, GVA(linear), c->access, buf,
                                       size, &info);
    return r == WALK_OK || walk_failed(c, r, &info);
}

static uint32_t string_port_in(void *ctx, uint16_t port, unsigned size)
{
    struct string_context *c = ctx;
    return port_in(c->v->vm, port, size);
}

static void string_port_out(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
    struct string_context *c = ctx;
    port_out(c->v->vm, port, size, value);
    /* Keeps the UART's FIFO from filling up within one exit; requests are looked at after it. */
    char text[VUART_FIFO];
    size_t n;
    while ((n = vuart_take(&c->v->vm->uart, text, sizeof(text))) > 0)
        machine_console(c->v->vm, text, n);
}

static const struct stringio_ops string_ops = {
    .linear = string_linear,
    .probe = string_probe,
    .read = string_read,
    .write = string_write,
    .port_in = string_port_in,
    .port_out = string_port_out,
};

static COLD enum outcome string_io(struct vcpu *v, struct vm_exit *x)
{
    unsigned index = x->io.in ? GPR_RDI : GPR_RSI;
    struct string_context c = {.v = v, .segment_name = x->io.segment};
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
    backend->get_segment(v, (enum seg_name)x->io.segment, &c.segment);
    c.wide = backend->code_bits(v) == 64;
    c.access = backend->cpl(v) == 3 ? WALK_USER : 0;
    vcpu_paging(v, &c.paging);
    /* A single step is one iteration, with its trap after each. */
    unsigned limit = v->rflags & RFLAGS_TF ? 1 : STRING_CHUNK;
    enum stringio_result r = stringio_run(&s, &string_ops, &c, limit);
    v->gpr[GPR_RCX] = s.rcx;
    v->gpr[index] = s.index;
    enum outcome after = machine_after_io(v->vm);
    if (after == OUTCOME_STOP)
        return after;
    switch (r) {
    case STRINGIO_DONE:
        return OUTCOME_ADVANCE;
    case STRINGIO_MORE:
        if (x->slow_step)
            backend->finish_step(v);
        x->slow_step = false; /* one iteration is done, and its trap is due */
        return OUTCOME_RETRY;
    default:
        return c.outcome;
    }
}

enum outcome exit_io(struct vcpu *v, struct vm_exit *x)
{
    if (unlikely(!x->io.in && machine_must_wait(v->vm, x->io.port))) {
        vcpu_request(v, REQUEST_RESCHEDULE);
        return OUTCOME_RETRY;
    }
    if (unlikely(x->io.string))
        return string_io(v, x);
    if (x->io.in) {
        set_accumulator(v, x->io.size, port_in(v->vm, x->io.port, x->io.size));
        return OUTCOME_ADVANCE;
    }
    port_out(v->vm, x->io.port, x->io.size, (uint32_t)v->gpr[GPR_RAX] &
                                                (uint32_t)BITS(8 * x->io.size - 1, 0));
    return machine_after_io(v->vm);
}
