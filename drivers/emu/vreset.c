/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reset ports. PURE, sans-I/O; see the header. The keyboard controller answers just enough that
 * software sees one that is idle and has no keyboard: it accepts every byte at once, and no answer
 * ever comes. Accesses of any other size than a byte are ignored and read all ones.
 */
#include "drivers/emu/vreset.h"

#include "core/lib/string.h"

/* Status: power-on self-test passed, keyboard not locked, both buffers empty. */
#define KBC_STATUS            0x14
#define KBC_WRITE_OUTPUT_PORT 0xd1
/* Commands F0 to FF pulse those of output bits 3:0 low whose command bit is 0; bit 0 is RESET#. */
#define KBC_PULSE             0xf0
#define OUTPUT_RESET_N        0x01

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

static void kbc_data_access(void *dev, struct io_access *a)
{
    struct vreset *r = dev;
    if (!is_byte(a))
        return;
    if (!a->write) {
        a->value = 0;
    } else if (r->output_port_next) {
        r->output_port_next = false;
        if (!(a->value & OUTPUT_RESET_N))
            request(r, false);
    }
}

static void kbc_command_access(void *dev, struct io_access *a)
{
    struct vreset *r = dev;
    if (!is_byte(a))
        return;
    if (!a->write) {
        a->value = KBC_STATUS;
        return;
    }
    uint8_t command = (uint8_t)a->value;
    r->output_port_next = command == KBC_WRITE_OUTPUT_PORT;
    if ((command & 0xf0) == KBC_PULSE && !(command & OUTPUT_RESET_N))
        request(r, false);
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

const struct device_ops vreset_kbc_data_ops = {.reset = vreset_reset, .access = kbc_data_access};
const struct device_ops vreset_kbc_command_ops = {.reset = vreset_reset,
                                                  .access = kbc_command_access};
const struct device_ops vreset_fast_a20_ops = {.reset = vreset_reset, .access = fast_a20_access};
const struct device_ops vreset_control_ops = {.reset = vreset_reset, .access = control_access};
