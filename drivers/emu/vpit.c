/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 8254 and port 61h. PURE, sans-I/O. A channel is described by the tick at which its counting
 * element was loaded; what it holds and what OUT shows is computed from the present tick whenever
 * somebody looks. Not modelled: the count of 1 that modes 2 and 3 forbid is taken as 2, a gate acts
 * at once and not with the clock, digits above 9 in a BCD count are worth what they say.
 * Have open: Intel's data sheet "8254 Programmable Interval Timer", "Mode Definitions".
 */
#include "drivers/emu/vpit.h"

#include "core/lib/string.h"

/* 105 ticks take 88000 ns: 14.31818 MHz, which is 315/22 MHz, divided by 12. */
#define TICKS             105
#define TICKS_NS          88000
#define NEVER             INT64_MAX

#define CONTROL_PORT      3
#define CONTROL_BCD       0x01
#define READ_BACK         3
#define READ_BACK_COUNT   0x20 /* active low, both */
#define READ_BACK_STATUS  0x10
#define STATUS_OUT        0x80
#define STATUS_NULL       0x40

enum { ACCESS_LATCH, ACCESS_LOW, ACCESS_HIGH, ACCESS_BOTH };

#define SPEAKER_GATE      0x01
#define SPEAKER_STORED    0x0f
#define SPEAKER_REFRESH   0x10
#define SPEAKER_OUT       0x20
/* Channel 1 of a PC asked for a refresh of memory every 18 ticks, some 15 us. */
#define REFRESH_TICKS     18

static int64_t ticks_at(uint64_t ns)
{
    if (likely(ns <= UINT64_MAX / TICKS)) /* five years */
        return (int64_t)(ns * TICKS / TICKS_NS);
    return (int64_t)(ns / TICKS_NS * TICKS + ns % TICKS_NS * TICKS / TICKS_NS);
}

/* The first nanosecond of a tick. */
static uint64_t ns_of(int64_t tick)
{
    uint64_t t = (uint64_t)tick;
    if (tick == NEVER || t / TICKS >= UINT64_MAX / TICKS_NS)
        return UINT64_MAX;
    return t / TICKS * TICKS_NS + (t % TICKS * TICKS_NS + TICKS - 1) / TICKS;
}

/* --- a channel at a tick -------------------------------------------------------------------- */

static unsigned mode_of(const struct vpit_channel *c)
{
    unsigned mode = c->control >> 1 & 7;
    return mode > 5 ? mode - 4 : mode;
}

static unsigned access_of(const struct vpit_channel *c)
{
    return c->control >> 4 & 3;
}

static bool is_periodic(const struct vpit_channel *c)
{
    return mode_of(c) == 2 || mode_of(c) == 3;
}

/* Modes that count from a trigger, which is a rise of the gate. */
static bool is_triggered(const struct vpit_channel *c)
{
    return mode_of(c) == 1 || mode_of(c) == 5;
}

/* Clocks since the load; -1 before it: the load itself takes one. */
static int64_t elapsed(const struct vpit_channel *c, int64_t now)
{
    return c->stopped ? c->held : now - c->start;
}

/* Length of the high half of mode 3. */
static int64_t high_half(uint32_t count)
{
    return (count + 1) / 2;
}

static bool out(const struct vpit_channel *c, int64_t now)
{
    if (!c->running)
        return c->idle_out;
    int64_t e = elapsed(c, now), n = c->count;
    switch (mode_of(c)) {
    case 0:
    case 1:
        return e >= n;
    case 2:
        return c->stopped || e < 0 || e % n != n - 1;
    case 3:
        return c->stopped || e < 0 || e % n < high_half(c->count);
    default:
        return e != n;
    }
}

/* The first tick after `after` with which OUT rises if nobody interferes. */
static int64_t next_rise(const struct vpit_channel *c, int64_t after)
{
    if (!c->running || c->stopped)
        return NEVER;
    int64_t e = after - c->start, n = c->count;
    if (is_periodic(c))
        return c->start + (e < 0 ? 1 : e / n + 1) * n;
    int64_t rise = mode_of(c) < 2 ? n : n + 1;
    return e < rise ? c->start + rise : NEVER;
}

/* The same for its falls. */
static int64_t next_fall(const struct vpit_channel *c, int64_t after)
{
    if (!c->running || c->stopped)
        return NEVER;
    int64_t e = after - c->start, n = c->count;
    if (!is_periodic(c))
        return mode_of(c) > 3 && e < n ? c->start + n : NEVER;
    int64_t fall = mode_of(c) == 3 ? high_half(c->count) : n - 1;
    if (e >= fall)
        fall += ((e - fall) / n + 1) * n;
    return c->start + fall;
}

/* What the counting element shows in mode 3, which counts in steps of two and twice a period. */
static int64_t square_value(const struct vpit_channel *c, int64_t e)
{
    int64_t n = c->count, at = e % n, high = high_half(c->count);
    return (n & ~INT64_C(1)) - 2 * (at < high ? at : at - high);
}

static uint16_t to_bcd(unsigned value)
{
    return (uint16_t)(value / 1000 << 12 | value / 100 % 10 << 8 | value / 10 % 10 << 4 |
                      value % 10);
}

/* The counting element as the guest reads it. */
static uint16_t value_at(const struct vpit_channel *c, int64_t now)
{
    int64_t v = c->next_count;
    if (c->running) {
        int64_t e = elapsed(c, now);
        if (e < 0)
            e = 0;
        if (mode_of(c) == 3)
            v = square_value(c, e);
        else
            v = c->count - (is_periodic(c) ? e % c->count : e);
    }
    if (!(c->control & CONTROL_BCD))
        return (uint16_t)v;
    v %= 10000;
    return to_bcd((unsigned)(v < 0 ? v + 10000 : v));
}

static uint8_t status_at(const struct vpit_channel *c, int64_t now)
{
    bool null = !c->loaded || c->pending || (c->running && elapsed(c, now) < 0);
    return (uint8_t)(c->control | (null ? STATUS_NULL : 0) | (out(c, now) ? STATUS_OUT : 0));
}

/* --- a channel through time ----------------------------------------------------------------- */

static void load(struct vpit_channel *c, int64_t start)
{
    c->count = c->next_count;
    c->start = start;
    c->running = true;
    c->pending = false;
}

/* A new count takes over where the old one has come to an end: of its period, or of its half. */
static void take_over(struct vpit_channel *c)
{
    int64_t at = c->switch_at;
    bool low = mode_of(c) == 3 && (at - c->start) % c->count != 0;
    load(c, low ? at - high_half(c->next_count) : at);
}

static bool takes_over(const struct vpit_channel *c)
{
    return c->pending && c->running && !c->stopped && is_periodic(c);
}

/* Lets a channel run on. True if OUT has risen on the way. */
static bool run(struct vpit_channel *c, int64_t from, int64_t to)
{
    int64_t rise = next_rise(c, from);
    bool risen = false;
    if (takes_over(c) && c->switch_at <= to) {
        risen = rise <= c->switch_at;
        take_over(c);
        rise = next_rise(c, c->switch_at);
    }
    return risen || rise <= to;
}

/* Until when all channels do is count, and channel 0's OUT stays. */
static void find_calm(struct vpit *p)
{
    const struct vpit_channel *c = &p->channel[0];
    int64_t until = out(c, p->now) ? next_fall(c, p->now) : next_rise(c, p->now);
    for (unsigned n = 0; n < VPIT_CHANNELS; n++)
        if (takes_over(&p->channel[n]) && p->channel[n].switch_at < until)
            until = p->channel[n].switch_at;
    p->calm_until = until;
}

static void write_count(struct vpit_channel *c, int64_t now, uint16_t value)
{
    uint32_t n = value;
    if (c->control & CONTROL_BCD)
        n = (n >> 12) * 1000 + (n >> 8 & 15) * 100 + (n >> 4 & 15) * 10 + (n & 15);
    if (n == 0)
        n = c->control & CONTROL_BCD ? 10000 : 65536;
    if (n == 1 && is_periodic(c))
        n = 2;
    c->next_count = n;
    c->loaded = true;
    if (is_triggered(c)) {
        c->pending = true;
    } else if (!is_periodic(c) || !c->running || (!c->stopped && now < c->start)) {
        load(c, now + 1);
        c->stopped = !c->gate;
        c->held = 0;
    } else if (!c->pending) {
        c->pending = true;
        int64_t at = (now - c->start) % c->count, high = high_half(c->count);
        c->switch_at = now + (mode_of(c) == 3 && at < high ? high : (int64_t)c->count) - at;
    }
}

static void set_gate(struct vpit_channel *c, int64_t now, bool gate)
{
    bool rises = gate && !c->gate, falls = !gate && c->gate;
    c->gate = gate;
    if (is_triggered(c)) {
        if (rises && c->loaded)
            load(c, now + 1);
    } else if (falls && c->running) {
        c->held = now > c->start ? now - c->start : 0;
        c->stopped = true;
    } else if (rises && c->stopped) {
        c->stopped = false;
        if (is_periodic(c))
            load(c, now + 1);
        else
            c->start = now - c->held;
    }
}

/* --- registers ------------------------------------------------------------------------------ */

static void write_byte(struct vpit_channel *c, int64_t now, uint8_t value)
{
    switch (access_of(c)) {
    case ACCESS_LOW:
        write_count(c, now, value);
        break;
    case ACCESS_HIGH:
        write_count(c, now, (uint16_t)(value << 8));
        break;
    case ACCESS_BOTH:
        if (c->write_high) {
            write_count(c, now, (uint16_t)(value << 8 | c->write_low));
        } else {
            c->write_low = value;
            if (mode_of(c) == 0) /* half a count already ends the old one */
                c->running = false;
        }
        c->write_high = !c->write_high;
        break;
    default: /* before any control word */
        break;
    }
}

/* The next byte of a 16-bit value for the channel's way of access; *high is flipped for two. */
static uint8_t byte_of(const struct vpit_channel *c, uint16_t value, bool *high)
{
    bool upper = access_of(c) == ACCESS_HIGH || (access_of(c) == ACCESS_BOTH && *high);
    if (access_of(c) == ACCESS_BOTH)
        *high = !*high;
    return (uint8_t)(upper ? value >> 8 : value);
}

static uint8_t read_byte(struct vpit_channel *c, int64_t now)
{
    if (c->status_latched) {
        c->status_latched = false;
        return c->status;
    }
    if (!c->latched)
        return byte_of(c, value_at(c, now), &c->read_high);
    uint8_t byte = byte_of(c, c->latch, &c->latch_high);
    c->latched = c->latch_high;
    return byte;
}

/* A latch that nobody has read stays. */
static void latch_count(struct vpit_channel *c, int64_t now)
{
    if (c->latched)
        return;
    c->latched = true;
    c->latch_high = false;
    c->latch = value_at(c, now);
}

static void latch_status(struct vpit_channel *c, int64_t now)
{
    if (c->status_latched)
        return;
    c->status_latched = true;
    c->status = status_at(c, now);
}

static void read_back(struct vpit *p, uint8_t command)
{
    for (unsigned n = 0; n < VPIT_CHANNELS; n++) {
        if (!(command & 2u << n))
            continue;
        if (!(command & READ_BACK_COUNT))
            latch_count(&p->channel[n], p->now);
        if (!(command & READ_BACK_STATUS))
            latch_status(&p->channel[n], p->now);
    }
}

static void program(struct vpit_channel *c, uint8_t control)
{
    bool gate = c->gate;
    memset(c, 0, sizeof(*c));
    c->control = control & 0x3f;
    c->gate = gate;
    c->idle_out = mode_of(c) != 0;
}

static void write_control(struct vpit *p, uint8_t value)
{
    unsigned n = value >> 6;
    if (n == READ_BACK)
        read_back(p, value);
    else if ((value >> 4 & 3) == ACCESS_LATCH)
        latch_count(&p->channel[n], p->now);
    else
        program(&p->channel[n], value);
}

static NOINLINE void write_port(struct vpit *p, unsigned port, uint8_t value)
{
    bool before = out(&p->channel[0], p->now);
    if (port == CONTROL_PORT)
        write_control(p, value);
    else
        write_byte(&p->channel[port], p->now, value);
    if (!before && out(&p->channel[0], p->now))
        p->edge = true;
    find_calm(p);
}

static void vpit_access(void *dev, struct io_access *a)
{
    struct vpit *p = dev;
    if (a->size != 1 || a->offset >= VPIT_PORTS)
        return;
    if (a->write)
        write_port(p, (unsigned)a->offset, (uint8_t)a->value);
    else if (a->offset < VPIT_CHANNELS) /* the control word cannot be read */
        a->value = read_byte(&p->channel[a->offset], p->now);
}

static void speaker_access(void *dev, struct io_access *a)
{
    struct vpit *p = dev;
    if (a->size != 1 || a->offset != 0)
        return;
    if (a->write) {
        p->speaker = (uint8_t)a->value & SPEAKER_STORED;
        set_gate(&p->channel[2], p->now, (a->value & SPEAKER_GATE) != 0);
        find_calm(p);
        return;
    }
    a->value = p->speaker | (p->now / REFRESH_TICKS & 1 ? SPEAKER_REFRESH : 0) |
               (out(&p->channel[2], p->now) ? SPEAKER_OUT : 0);
}

/* --- time ----------------------------------------------------------------------------------- */

static NOINLINE bool run_all(struct vpit *p, int64_t from)
{
    p->edge |= run(&p->channel[0], from, p->now);
    run(&p->channel[1], from, p->now);
    run(&p->channel[2], from, p->now);
    find_calm(p);
    return true;
}

static bool vpit_advance(void *dev, uint64_t now_ns)
{
    struct vpit *p = dev;
    if (now_ns <= p->now_ns)
        return false;
    int64_t from = p->now;
    p->now_ns = now_ns;
    p->now = ticks_at(now_ns);
    return p->now < p->calm_until ? false : run_all(p, from);
}

static uint64_t vpit_deadline(const void *dev)
{
    const struct vpit *p = dev;
    struct vpit_channel c = p->channel[0];
    int64_t rise = next_rise(&c, p->now);
    if (takes_over(&c) && rise > c.switch_at) {
        take_over(&c);
        rise = next_rise(&c, c.switch_at);
    }
    return ns_of(rise);
}

static bool vpit_irq(const void *dev)
{
    const struct vpit *p = dev;
    return out(&p->channel[0], p->now);
}

bool vpit_take_edge(struct vpit *p)
{
    bool edge = p->edge;
    p->edge = false;
    return edge;
}

void vpit_init(struct vpit *p, uint64_t now_ns)
{
    memset(p, 0, sizeof(*p));
    p->now_ns = now_ns;
    p->now = ticks_at(now_ns);
    for (unsigned n = 0; n < VPIT_CHANNELS; n++) {
        p->channel[n].control = ACCESS_BOTH << 4;
        p->channel[n].gate = n != 2;
    }
    find_calm(p);
}

static void vpit_reset(void *dev)
{
    struct vpit *p = dev;
    vpit_init(p, p->now_ns);
}

const struct device_ops vpit_ops = {
    .reset = vpit_reset,
    .access = vpit_access,
    .advance = vpit_advance,
    .deadline = vpit_deadline,
    .irq = vpit_irq,
};
const struct device_ops vpit_speaker_ops = {.reset = vpit_reset, .access = speaker_access,
                                              .advance = vpit_advance};
