/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * INS and OUTS: however the work is cut into chunks, the same accesses happen in the same order,
 * and the registers always say how many have. Faults come where the input wants them.
 */
#include <stdint.h>
#include <stdlib.h>

#include "core/lib/string.h"
#include "core/stringio.h"

#define TRACE 512

struct machine {
    const uint8_t *plan; /* one byte per iteration: which callback faults */
    size_t plan_size;
    unsigned iteration;  /* completed ones */
    bool faulted;        /* the fault of this iteration has been delivered */
    bool probed;
    unsigned count;
    uint64_t trace[TRACE];
};

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void note(struct machine *m, uint64_t what)
{
    if (m->count < TRACE)
        m->trace[m->count++] = what;
}

/* True once for each iteration whose byte asks for a fault of this kind. */
static bool faults_now(struct machine *m, uint8_t kind)
{
    if (m->faulted || m->iteration >= m->plan_size || m->plan[m->iteration] != kind)
        return false;
    m->faulted = true;
    return true;
}

static bool on_linear(void *ctx, uint64_t offset, unsigned size, bool write, uint64_t *linear)
{
    (void)size, (void)write;
    *linear = offset + 7;
    return !faults_now(ctx, 1);
}

static bool on_probe(void *ctx, uint64_t linear, unsigned size)
{
    struct machine *m = ctx;
    (void)linear, (void)size;
    m->probed = true;
    return !faults_now(m, 2);
}

static void done(struct machine *m, uint64_t linear)
{
    note(m, linear);
    m->iteration++;
    m->faulted = m->probed = false;
}

static bool on_read(void *ctx, uint64_t linear, void *buf, unsigned size)
{
    struct machine *m = ctx;
    memset(buf, (int)linear & 0xff, size);
    if (faults_now(m, 3))
        return false;
    note(m, linear);
    return true;
}

static bool on_write(void *ctx, uint64_t linear, const void *buf, unsigned size)
{
    uint32_t v = 0;
    memcpy(&v, buf, size);
    note(ctx, v);
    done(ctx, linear);
    return true;
}

static uint32_t on_in(void *ctx, uint16_t port, unsigned size)
{
    struct machine *m = ctx;
    check(m->probed);
    return (uint32_t)(port * 0x9e3779b1u + m->iteration + size);
}

static void on_out(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
    check(size == 4 || value >> (8 * size) == 0);
    note(ctx, port);
    done(ctx, value);
}

static const struct stringio_ops ops = {on_linear, on_probe, on_read, on_write, on_in, on_out};

static uint64_t mask_of(const struct stringio *s)
{
    return s->address_size == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * s->address_size)) - 1;
}

/* Registers after n iterations, from those before. */
static void check_registers(const struct stringio *start, const struct stringio *s, uint64_t n)
{
    uint64_t mask = mask_of(s), step = n * s->size;
    uint64_t index = s->backward ? start->index - step : start->index + step;
    check((s->index & mask) == (index & mask));
    if (s->rep)
        check((s->rcx & mask) == ((start->rcx - n) & mask));
    else
        check(s->rcx == start->rcx);
    if (n == 0)
        check(s->index == start->index && s->rcx == start->rcx);
    else if (s->address_size == 2)
        check((s->index & ~mask) == (start->index & ~mask) &&
              (s->rcx & ~mask) == (start->rcx & ~mask));
    else if (s->address_size == 4)
        check(s->index <= mask && (!s->rep || s->rcx <= mask));
}

/* Runs to the end or for 300 iterations, restarting behind every fault. */
static void run(struct stringio *s, struct machine *m, unsigned limit)
{
    struct stringio start = *s;
    for (unsigned calls = 0; calls < 1000 && m->iteration < 300; calls++) {
        unsigned had = m->iteration;
        enum stringio_result r = stringio_run(s, &ops, m, limit);
        check(m->iteration - had <= limit);
        check_registers(&start, s, m->iteration);
        if (r == STRINGIO_DONE) {
            check(s->rep ? (s->rcx & mask_of(s)) == 0 : m->iteration == 1);
            return;
        }
        check(r == STRINGIO_FAULT ? m->faulted : m->iteration - had == limit);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stringio s = {0};
    static struct machine one, other;
    if (size < 20)
        return 0;
    s.port = (uint16_t)(data[0] | data[1] << 8);
    s.size = (uint8_t)(1 << data[2] % 3);
    s.address_size = (uint8_t)(2 << (data[2] >> 4) % 3);
    s.in = data[3] & 1;
    s.rep = data[3] & 2;
    s.backward = data[3] & 4;
    memcpy(&s.rcx, data + 4, 8);
    memcpy(&s.index, data + 12, 8);
    if (data[3] & 8)
        s.rcx &= ~UINT64_C(0xff00);
    memset(&one, 0, sizeof(one));
    one.plan = data + 20;
    one.plan_size = size - 20;
    other = one;
    struct stringio a = s, b = s;
    run(&a, &one, 1);
    run(&b, &other, 1 + (data[3] >> 4));
    /* Both stop after 300 iterations or a little more: compare what both have done. */
    unsigned n = one.count < other.count ? one.count : other.count;
    check(memcmp(one.trace, other.trace, n * sizeof(one.trace[0])) == 0);
    check(one.iteration >= 300 || one.count == other.count);
    return 0;
}
