/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * INS and OUTS, an iteration at a time. PURE; see the header.
 */
#include "core/stringio.h"

/* A register after an operation of the address size: 16-bit ones keep the bits above, 32-bit ones
 * clear them. */
static uint64_t merge_register(uint64_t old, uint64_t value, unsigned address_size)
{
    switch (address_size) {
    case 2:
        return (old & ~UINT64_C(0xffff)) | (value & 0xffff);
    case 4:
        return (uint32_t)value;
    default:
        return value;
    }
}

static uint64_t cut(uint64_t value, unsigned address_size)
{
    return merge_register(0, value, address_size);
}

/* One element. A string may hold fewer bytes than the value, little end first. */
static bool transfer(const struct stringio *s, const struct stringio_ops *ops, void *ctx)
{
    uint8_t bytes[4] = {0, 0, 0, 0};
    uint64_t linear;
    if (!ops->linear(ctx, cut(s->index, s->address_size), s->size, s->in, &linear))
        return false;
    if (s->in) {
        if (!ops->probe(ctx, linear, s->size))
            return false;
        uint32_t value = ops->port_in(ctx, s->port, s->size);
        for (unsigned i = 0; i < s->size; i++)
            bytes[i] = (uint8_t)(value >> (8 * i));
        return ops->write(ctx, linear, bytes, s->size);
    }
    if (!ops->read(ctx, linear, bytes, s->size))
        return false;
    uint32_t value = 0;
    for (unsigned i = 0; i < s->size; i++)
        value |= (uint32_t)bytes[i] << (8 * i);
    ops->port_out(ctx, s->port, s->size, value);
    return true;
}

enum stringio_result stringio_run(struct stringio *s, const struct stringio_ops *ops, void *ctx,
                                  unsigned limit)
{
    uint64_t step = s->backward ? 0 - (uint64_t)s->size : s->size;
    for (unsigned i = 0; i < limit; i++) {
        if (s->rep && cut(s->rcx, s->address_size) == 0)
            return STRINGIO_DONE;
        if (!transfer(s, ops, ctx))
            return STRINGIO_FAULT;
        s->index = merge_register(s->index, s->index + step, s->address_size);
        if (!s->rep)
            return STRINGIO_DONE;
        s->rcx = merge_register(s->rcx, s->rcx - 1, s->address_size);
    }
    return s->rep && cut(s->rcx, s->address_size) == 0 ? STRINGIO_DONE : STRINGIO_MORE;
}
