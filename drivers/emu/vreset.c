/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reset ports 92h and CF9h. PURE, sans-I/O; see the header. Accesses of any other size than a
 * byte are ignored and read all ones.
 */
#include "drivers/emu/vreset.h"

#include "core/lib/string.h"

#define CONTROL_SYS_RST       0x02
#define CONTROL_RST_CPU       0x04
#define CONTROL_FULL_RST      0x08
#define CONTROL_STORED        (CONTROL_SYS_RST | CONTROL_RST_CPU | CONTROL_FULL_RST)

#define FAST_A20_RESET        0x01
#define FAST_A20_GATE         0x02

void vreset_init(struct vreset *r)
{
    memset(r, 0, sizeof(*r));
    r->fast_a20 = FAST_A20_GATE; /* address line 20 is never masked here */
}

static void vreset_reset(void *dev)
{
    vreset_init(dev);
}

static void request(struct vreset *r, bool hard)
{
    r->reset_requested = true;
    r->hard |= hard;
}

static bool is_byte(const struct io_access *a)
{
    return a->size == 1 && a->offset == 0;
}

static void fast_a20_access(void *dev, struct io_access *a)
{
    struct vreset *r = dev;
    if (!is_byte(a))
        return;
    if (!a->write) {
        a->value = r->fast_a20;
        return;
    }
    uint8_t value = (uint8_t)a->value;
    /* The bit acts when it goes from 0 to 1. */
    if (value & ~r->fast_a20 & FAST_A20_RESET)
        request(r, false);
    r->fast_a20 = value;
}

static void control_access(void *dev, struct io_access *a)
{
    struct vreset *r = dev;
    if (!is_byte(a))
        return;
    if (!a->write) {
        a->value = r->control;
        return;
    }
    uint8_t value = (uint8_t)a->value & CONTROL_STORED;
    if (value & ~r->control & CONTROL_RST_CPU)
        request(r, (value & CONTROL_SYS_RST) != 0);
    r->control = value;
}

const struct device_ops vreset_fast_a20_ops = {.reset = vreset_reset, .access = fast_a20_access};
const struct device_ops vreset_control_ops = {.reset = vreset_reset, .access = control_access};
