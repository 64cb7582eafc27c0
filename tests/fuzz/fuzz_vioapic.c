/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The I/O APIC under any sequence of lines, accesses and EOIs, with a bookkeeper beside it that
 * knows for each pin whether a message is due.
 */
#include <stdint.h>
#include <stdlib.h>

#include "core/apic_route.h"
#include "core/lib/string.h"
#include "drivers/emu/vioapic.h"

static struct vioapic p;
static bool line[VIOAPIC_PINS], remote[VIOAPIC_PINS], rose[VIOAPIC_PINS];

static void check(bool ok)
{
    if (!ok)
        abort();
}

static uint32_t read_reg(unsigned reg)
{
    struct vioapic copy = p;
    struct io_access a = {.offset = 0, .size = 4, .write = true, .value = reg};
    vioapic_ops.access(&copy, &a);
    a = (struct io_access){.offset = 0x10, .size = 4};
    vioapic_ops.access(&copy, &a);
    return (uint32_t)a.value;
}

static uint32_t low(unsigned pin)
{
    return read_reg(0x10 + 2 * pin);
}

static unsigned mode(unsigned pin)
{
    return low(pin) >> 8 & 7;
}

static bool live(unsigned pin)
{
    return !(low(pin) & 0x10000) && mode(pin) != 3 && mode(pin) != 6;
}

static bool level(unsigned pin)
{
    return (low(pin) & 0x8000) && mode(pin) < 2;
}

static bool due(unsigned pin)
{
    return live(pin) && (level(pin) ? line[pin] && !remote[pin] : rose[pin]);
}

static void settle(void)
{
    /* Registers may have changed what is remembered of a pin. */
    for (unsigned pin = 0; pin < VIOAPIC_PINS; pin++) {
        if (!level(pin))
            remote[pin] = false;
        if (level(pin) || !live(pin))
            rose[pin] = false;
        check(((low(pin) >> 14) & 1) == remote[pin] && !(low(pin) & 0x1000));
        check((read_reg(0x11 + 2 * pin) & 0xffffff) == 0);
    }
    struct apic_message m;
    vioapic_retry(&p);
    for (unsigned pin = 0; pin < VIOAPIC_PINS; pin++) {
        if (!due(pin))
            continue;
        check(vioapic_take(&p, &m));
        check(m.vector == (low(pin) & 0xff) && m.mode == mode(pin));
        check(m.logical == (low(pin) >> 11 & 1) && m.level_trigger == level(pin));
        check(m.destination == read_reg(0x11 + 2 * pin) >> 24);
        check(m.level_assert && m.shorthand == APIC_TO_DESTINATION);
        bool accepted = (m.destination & 3) != 3; /* else nobody is there */
        if (!accepted)
            vioapic_refused(&p);
        remote[pin] = level(pin) && accepted;
        rose[pin] = false;
    }
    check(!vioapic_take(&p, &m));
}

static void set_line(unsigned pin, bool on)
{
    vioapic_set_line(&p, pin, on);
    if (pin >= VIOAPIC_PINS)
        return;
    if (on && !line[pin] && !level(pin) && live(pin))
        rose[pin] = true;
    line[pin] = on;
}

static void eoi(uint8_t vector)
{
    for (unsigned pin = 0; pin < VIOAPIC_PINS; pin++)
        if ((low(pin) & 0xff) == vector)
            remote[pin] = false;
}

static void write_reg(const uint8_t *op)
{
    struct io_access a = {.size = op[0] & 1 ? 4 : 1, .write = true, .value = op[1] & 0x3f};
    vioapic_ops.access(&p, &a);
    uint32_t value = op[2] | (uint32_t)(op[1] >> 6) << 15 | (uint32_t)(op[0] >> 5) << 8;
    a = (struct io_access){.offset = 0x10, .size = 4, .write = true,
                           .value = op[1] & 1 ? value << 24 : value};
    vioapic_ops.access(&p, &a);
}

static void any_access(const uint8_t *op)
{
    struct io_access a = {.offset = op[1], .size = (uint8_t)(1 << (op[2] & 3)),
                          .write = op[0] & 1, .value = op[0] & 1 ? op[2] * 0x01010101u : 0};
    if (op[2] & 0x80)
        a.offset <<= op[1] % 56;
    bool known = a.size == 4 && (a.offset == 0 || a.offset == 0x10 || a.offset == 0x40);
    known |= a.size == 1 && a.offset == 0;
    struct vioapic before = p;
    if (a.write && a.size == 4 && a.offset == 0x40)
        eoi((uint8_t)a.value);
    vioapic_ops.access(&p, &a);
    if (!a.write || !known)
        check(memcmp(&before, &p, sizeof(p)) == 0);
    check(a.write || a.value <= UINT32_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vioapic_init(&p, 0);
    memset(line, 0, sizeof(line));
    memset(remote, 0, sizeof(remote));
    memset(rose, 0, sizeof(rose));
    for (size_t at = 0; at + 3 <= size; at += 3) {
        const uint8_t *op = data + at;
        switch (op[0] >> 1 & 7) {
        case 0:
        case 1:
            set_line(op[1] & 31, op[0] & 1);
            break;
        case 2:
            vioapic_eoi(&p, op[1]);
            eoi(op[1]);
            break;
        case 3:
        case 4:
            any_access(op);
            break;
        default:
            write_reg(op);
            break;
        }
        settle();
        check(read_reg(1) == 0x00170020 && (read_reg(0) & 0xf0ffffff) == 0);
    }
    return 0;
}
