/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bus, with regions of plain memory beside the debug and reset ports. For plain memory it makes
 * no difference how an access is cut, so a flat array says what every access must do.
 */
#include <stdint.h>
#include <stdlib.h>

#include "core/bus.h"
#include "core/lib/string.h"
#include "drivers/emu/vdebug.h"
#include "drivers/emu/vreset.h"

#define PORTS 0x1000

/* What a memory device knows: where it is in the flat array. */
struct memory {
    uint64_t base, size;
    uint8_t width;
};

static uint8_t ports[PORTS + 8], flat[PORTS + 8];
static uint8_t owner[PORTS + 8]; /* 0: nobody, 1: memory, 2: another device */
static struct memory devices[BUS_REGIONS];
static struct bus b;
static struct vdebug debug;
static struct vreset reset;

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void memory_access(void *dev, struct io_access *a)
{
    const struct memory *m = dev;
    check(a->size <= m->width && a->offset < m->size && a->size <= m->size - a->offset);
    check(a->size == 8 || a->value >> (8 * a->size) == 0);
    uint8_t *at = ports + m->base + a->offset;
    if (a->write) {
        memcpy(at, &a->value, a->size);
    } else {
        a->value = UINT64_C(0x6b6b6b6b6b6b6b6b);
        memcpy(&a->value, at, a->size);
    }
}

static const struct device_ops memory_ops = {.access = memory_access};

static void claim(uint64_t base, uint64_t size, unsigned width, const struct device_ops *ops,
                  void *dev, uint8_t kind)
{
    bool free_there = size > 0 && base < PORTS && size <= PORTS - base;
    for (uint64_t i = 0; free_there && i < size; i++)
        free_there = owner[base + i] == 0;
    bool width_ok = width == 1 || width == 2 || width == 4 || width == 8;
    if (size > 0 && (base >= PORTS || size > PORTS - base))
        return; /* the array knows nothing of it */
    enum pl_status want = !free_there || !width_ok ? PL_INVALID
                          : b.count == BUS_REGIONS ? PL_NO_MEMORY
                                                   : PL_OK;
    check(bus_add(&b, base, size, width, ops, dev) == want);
    if (want == PL_OK)
        memset(owner + base, kind, size);
}

static void add_devices(void)
{
    bus_init(&b);
    vdebug_init(&debug);
    vreset_init(&reset);
    claim(VDEBUG_POST_PORT, 1, 1, &vdebug_post_ops, &debug, 2);
    claim(VDEBUG_CONSOLE_PORT, 1, 1, &vdebug_console_ops, &debug, 2);
    claim(VDEBUG_EXIT_PORT, VDEBUG_EXIT_PORTS, 4, &vdebug_exit_ops, &debug, 2);
    claim(VRESET_FAST_A20_PORT, 1, 1, &vreset_fast_a20_ops, &reset, 2);
    claim(VRESET_CONTROL_PORT, 1, 1, &vreset_control_ops, &reset, 2);
    check(b.count == 5);
}

/* Reads and writes the flat array; bytes of other devices are left out. */
static void check_access(uint64_t addr, unsigned size, bool write, uint64_t value)
{
    struct io_access a = {.size = (uint8_t)size, .write = write, .value = value};
    bool width_ok = size == 1 || size == 2 || size == 4 || size == 8;
    bool found = bus_access(&b, addr, &a);
    check(found == (width_ok && owner[addr] != 0));
    if (!width_ok)
        return;
    check(write || size == 8 || a.value >> (8 * size) == 0);
    for (unsigned i = 0; i < size; i++) {
        uint8_t *cell = &flat[addr + i];
        bool mine = owner[addr] != 0 && owner[addr + i] == 1;
        if (write && mine)
            *cell = (uint8_t)(value >> (8 * i));
        if (!write && owner[addr + i] != 2)
            check((uint8_t)(a.value >> (8 * i)) == (mine ? *cell : 0xff));
    }
}

static void check_devices(void)
{
    char buf[VDEBUG_CONSOLE_BYTES];
    check(debug.console_count <= VDEBUG_CONSOLE_BYTES);
    if (debug.console_count > 40) {
        unsigned n = debug.console_count;
        check(vdebug_take(&debug, buf, sizeof(buf)) == n && debug.console_count == 0);
    }
    check(!reset.hard || reset.reset_requested);
    check(debug.exit_requested || debug.exit_status == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t sizes[8] = {1, 2, 4, 8, 1, 2, 4, 3};
    memset(ports, 0, sizeof(ports));
    memset(flat, 0, sizeof(flat));
    memset(owner, 0, sizeof(owner));
    add_devices();
    size_t at = 0;
    unsigned n = 0;
    for (; at + 5 <= size && data[at] < 0xf0 && n < BUS_REGIONS; at += 5, n++) {
        const uint8_t *d = data + at;
        uint64_t base = d[1] | (d[2] & 0x0f) << 8;
        devices[n] = (struct memory){base, d[3], (uint8_t)(1 << (d[4] & 3))};
        claim(base, d[3], d[4] & 0x80 ? d[4] : devices[n].width, &memory_ops, &devices[n], 1);
    }
    for (; at + 5 <= size; at += 5) {
        const uint8_t *d = data + at;
        uint64_t value = d[3] * UINT64_C(0x0101010101010101) ^ (uint64_t)d[4] << (d[3] % 57);
        check_access(d[1] | (d[2] & 0x0f) << 8, sizes[d[0] >> 1 & 7], d[0] & 1, value);
        check_devices();
    }
    check(memcmp(ports, flat, sizeof(ports)) == 0);
    return 0;
}
