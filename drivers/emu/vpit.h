/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 8254 timer and the port 61h that belongs to it. PURE, sans-I/O. Everything is computed from
 * absolute ticks of its 105/88 MHz clock (1.19318 MHz), so nothing drifts however rarely time is
 * given. Must not call anyone, and does not know which interrupt channel 0 is wired to.
 * Have open: Intel's data sheet "8254 Programmable Interval Timer"; a PC chipset's "NMI Status and
 * Control Register".
 */
#ifndef DRIVERS_EMU_VPIT_H
#define DRIVERS_EMU_VPIT_H

#include "core/io.h"

#define VPIT_PORT         0x40
#define VPIT_PORTS        4     /* accesses are single bytes */
#define VPIT_SPEAKER_PORT 0x61  /* one port */
#define VPIT_CHANNELS     3

struct vpit_channel {
    uint8_t control;     /* the control word's bits 5:0: access, mode, BCD */
    bool gate;
    bool loaded;         /* a count has been written since the control word */
    bool running;        /* the counting element counts since `start` */
    bool stopped;        /* modes 0, 2, 3, 4: by a low gate, having counted `held` */
    bool pending;        /* `next_count` waits: for `switch_at` in modes 2 and 3, else a trigger */
    bool idle_out;       /* level of OUT while nothing runs */
    bool latched, status_latched;
    bool write_high, read_high;   /* the next byte of a two-byte access is the upper one */
    bool latch_high;     /* the next byte of a two-byte latch is the upper one */
    uint8_t write_low;   /* first half of a two-byte write */
    uint8_t status;      /* latched */
    uint16_t latch;      /* latched count, as the guest reads it */
    uint32_t count;      /* period of what runs, clocks: 1 to 65536 */
    uint32_t next_count; /* the count register, clocks: 1 to 65536 */
    int64_t start;       /* tick at which `count` was loaded into the counting element */
    int64_t held;        /* ticks */
    int64_t switch_at;   /* tick */
};

struct vpit {
    struct vpit_channel channel[VPIT_CHANNELS];
    uint64_t now_ns;
    int64_t now;         /* the same in ticks */
    int64_t calm_until;  /* tick before which nothing changes but the counts of channels */
    bool edge;           /* channel 0's OUT has risen and nobody has taken it */
    uint8_t speaker;     /* port 61h, bits 3:0 */
};

/* Regions of one struct vpit. vpit_ops has advance, deadline and irq (the level of channel 0's
 * OUT); the speaker's port has only access. Advance to the present before every access to either.
 * The deadline is the next rise of channel 0's OUT: at most 600000 a second if the guest asks for
 * that, so the owner may want to be late on purpose. */
extern const struct device_ops vpit_ops, vpit_speaker_ops;

/* Nothing counts until the guest programs it; the gates of channels 0 and 1 are high. now_ns is the
 * VM's clock. */
void vpit_init(struct vpit *p, uint64_t now_ns);

/* True if channel 0's OUT has risen since the last call. Several rises count as one: a periodic
 * timer that was not looked at catches up with one tick and stays in phase. The low pulse of mode 2
 * is shorter than anyone looks, so on true the owner lowers the interrupt line before it sets it to
 * irq(). */
bool vpit_take_edge(struct vpit *p);

#endif
