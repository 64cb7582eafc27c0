/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 8254 against one that is clocked tick by tick: counts, outputs, rises of channel 0 and
 * deadlines agree however time is cut. Every access is followed by at least one tick, since the
 * model lets gates and loads act a little early within it.
 */
#include <stdint.h>
#include <stdlib.h>

#include "core/lib/string.h"
#include "drivers/emu/vpit.h"

#define BUDGET 200000 /* ticks of one input */

struct clocked {
    unsigned mode, access;
    bool bcd, gate, out;
    bool loaded, counting, load_next, armed, half;
    uint8_t low;
    int32_t cr, current, ce;
};

static struct vpit p;
static struct clocked ref[VPIT_CHANNELS];
static bool edge;
static uint64_t tick;

static void check(bool ok)
{
    if (!ok)
        abort();
}

/* --- the clocked one ------------------------------------------------------------------------ */

static void ref_reload(struct clocked *c)
{
    c->current = c->cr;
    c->ce = c->mode == 3 ? c->cr & ~1 : c->cr;
}

static void ref_down(struct clocked *c)
{
    c->ce--;
    if (c->ce < 0)
        c->ce += c->bcd ? 10000 : 65536;
}

static void ref_square(struct clocked *c)
{
    if (c->out && (c->current & 1) && c->ce == 0) {
        c->out = false;
        ref_reload(c);
        return;
    }
    c->ce -= 2;
    if (c->ce == 0 && !(c->out && (c->current & 1))) {
        c->out = !c->out;
        ref_reload(c);
    }
}

static void ref_count(struct clocked *c)
{
    bool terminal;
    switch (c->mode) {
    case 2:
        c->out = true;
        if (--c->ce == 1)
            c->out = false;
        else if (c->ce == 0)
            ref_reload(c);
        break;
    case 3:
        ref_square(c);
        break;
    default:
        ref_down(c);
        terminal = c->ce == 0 && c->armed;
        c->armed = c->armed && !terminal;
        if (c->mode >= 4)
            c->out = !terminal;
        else if (terminal)
            c->out = true;
        break;
    }
}

static void ref_tick(struct clocked *c)
{
    if (c->load_next) {
        c->load_next = false;
        c->counting = c->armed = true;
        ref_reload(c);
        c->out = c->mode > 1;
    } else if (c->counting && (c->gate || c->mode == 1 || c->mode == 5)) {
        ref_count(c);
    }
}

static void ref_write_count(struct clocked *c, unsigned value)
{
    int32_t n = (int32_t)value;
    if (c->bcd)
        n = n / 4096 * 1000 + n / 256 % 16 * 100 + n / 16 % 16 * 10 + n % 16;
    if (n == 0)
        n = c->bcd ? 10000 : 65536;
    if (n == 1 && (c->mode == 2 || c->mode == 3))
        n = 2;
    c->cr = n;
    c->loaded = true;
    if (c->mode == 0)
        c->out = false;
    if (c->mode == 0 || c->mode == 4 || ((c->mode == 2 || c->mode == 3) && !c->counting))
        c->load_next = true;
}

static void ref_write(struct clocked *c, uint8_t value)
{
    if (c->access == 1) {
        ref_write_count(c, value);
    } else if (c->access == 2) {
        ref_write_count(c, (unsigned)value << 8);
    } else if (c->access == 3 && c->half) {
        c->half = false;
        ref_write_count(c, (unsigned)value << 8 | c->low);
    } else if (c->access == 3) {
        c->half = true;
        c->low = value;
        if (c->mode == 0) {
            c->out = false;
            c->counting = false;
        }
    }
}

static void ref_control(uint8_t value)
{
    if (value >> 6 == 3 || (value & 0x30) == 0)
        return;
    struct clocked *c = &ref[value >> 6];
    bool before = c->out;
    unsigned mode = value >> 1 & 7;
    *c = (struct clocked){.mode = mode > 5 ? mode - 4 : mode, .access = value >> 4 & 3,
                          .bcd = value & 1, .gate = c->gate};
    c->out = c->mode != 0;
    edge |= c == ref && c->out && !before;
}

static void ref_gate(struct clocked *c, bool gate)
{
    bool rises = gate && !c->gate, falls = !gate && c->gate;
    c->gate = gate;
    if (c->mode == 2 || c->mode == 3) {
        if (falls && c->counting)
            c->out = true;
        if (rises && c->counting)
            c->load_next = true;
    } else if (rises && (c->mode == 1 || c->mode == 5) && c->loaded) {
        c->load_next = true;
    }
}

/* --- both ----------------------------------------------------------------------------------- */

static uint64_t ns_of(uint64_t t)
{
    return (t * 88000 + 104) / 105;
}

static bool model_out(unsigned n)
{
    struct vpit copy = p;
    struct io_access control = {.offset = 3, .size = 1, .write = true, .value = 0xe0 | 2u << n};
    struct io_access a = {.offset = n, .size = 1, .value = 0xff};
    copy.channel[n].status_latched = false;
    vpit_ops.access(&copy, &control);
    vpit_ops.access(&copy, &a);
    return a.value >> 7;
}

static unsigned model_count(unsigned n)
{
    struct vpit copy = p;
    struct io_access control = {.offset = 3, .size = 1, .write = true, .value = 0xd0 | 2u << n};
    struct io_access a = {.offset = n, .size = 1, .value = 0xff};
    copy.channel[n].latched = copy.channel[n].status_latched = false;
    vpit_ops.access(&copy, &control);
    check(copy.channel[n].latched);
    vpit_ops.access(&copy, &a);
    unsigned access = ref[n].access, byte = (unsigned)a.value;
    unsigned latch = copy.channel[n].latch;
    check(byte == (access == 2 ? latch >> 8 : latch & 0xff));
    return latch;
}

static unsigned as_read(const struct clocked *c)
{
    unsigned v = (unsigned)c->ce;
    if (!c->bcd)
        return v & 0xffff;
    v %= 10000;
    return v / 1000 << 12 | v / 100 % 10 << 8 | v / 10 % 10 << 4 | v % 10;
}

static void compare(void)
{
    for (unsigned n = 0; n < VPIT_CHANNELS; n++) {
        check(model_out(n) == ref[n].out);
        if (ref[n].counting)
            check(model_count(n) == as_read(&ref[n]));
    }
    check(vpit_ops.irq(&p) == ref[0].out);
    check(p.edge == edge);
    if (edge && (tick & 1))
        check(vpit_take_edge(&p) && !(edge = false) && !vpit_take_edge(&p));
    check(vpit_ops.deadline(&p) > p.now_ns);
}

static void pass(uint64_t ticks)
{
    bool changed = false;
    for (uint64_t i = 0; i < ticks; i++) {
        bool before = ref[0].out;
        for (unsigned n = 0; n < VPIT_CHANNELS; n++)
            ref_tick(&ref[n]);
        edge |= ref[0].out && !before;
        changed |= ref[0].out != before;
    }
    tick += ticks;
    bool told = vpit_ops.advance(&p, ns_of(tick) + tick % 838);
    check(told || !changed);
    compare();
}

/* Nothing rises before the deadline, something does at it. */
static void to_deadline(void)
{
    uint64_t due = vpit_ops.deadline(&p);
    if (due == UINT64_MAX)
        return;
    uint64_t at = due / 88000 * 105 + due % 88000 * 105 / 88000;
    check(at > tick && ns_of(at) == due);
    if (at - tick > 70000 || at > BUDGET)
        return;
    vpit_take_edge(&p);
    edge = false;
    if (at - tick > 1)
        pass(at - tick - 1);
    check(!edge && !p.edge);
    pass(1);
    check(p.edge || !edge);
    check(ref[0].out);
}

static void access(const uint8_t *op)
{
    struct io_access a = {.offset = op[1] & 3, .size = 1, .write = op[0] & 1,
                          .value = op[0] & 1 ? op[2] : 0xff};
    vpit_ops.access(&p, &a);
    if (!a.write)
        check(a.value <= 0xff);
    else if (a.offset == 3)
        ref_control(op[2]);
    else
        ref_write(&ref[a.offset], op[2]);
    pass(1 + (op[1] >> 2));
}

static void speaker(const uint8_t *op)
{
    struct io_access a = {.size = 1, .write = op[0] & 1, .value = op[0] & 1 ? op[2] : 0xff};
    vpit_speaker_ops.access(&p, &a);
    if (a.write)
        ref_gate(&ref[2], op[2] & 1);
    else
        check((a.value & 1) == ref[2].gate && (a.value >> 5 & 1) == ref[2].out &&
              (a.value & 0xc0) == 0);
    pass(1 + op[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vpit_init(&p, 0);
    memset(ref, 0, sizeof(ref));
    for (unsigned n = 0; n < VPIT_CHANNELS; n++)
        ref[n] = (struct clocked){.access = 3, .gate = n != 2};
    edge = false;
    tick = 0;
    for (size_t at = 0; at + 3 <= size && tick < BUDGET; at += 3) {
        const uint8_t *op = data + at;
        switch (op[0] >> 1 & 7) {
        case 4:
            pass(1 + op[1]);
            break;
        case 5:
            pass(1 + ((op[1] | op[2] << 8) & 0x7fff));
            break;
        case 6:
            to_deadline();
            break;
        case 7:
            speaker(op);
            break;
        default:
            access(op);
            break;
        }
    }
    /* And far into the future, where no clock can follow. */
    for (unsigned shift = 40; shift < 64; shift += 4) {
        vpit_ops.advance(&p, BIT(shift));
        check(vpit_ops.deadline(&p) > p.now_ns);
        for (unsigned n = 0; n < VPIT_CHANNELS; n++) {
            model_out(n);
            model_count(n);
        }
    }
    return 0;
}
