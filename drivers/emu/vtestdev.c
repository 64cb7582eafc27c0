/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The test device. PURE, sans-I/O; see the header. Its memory is an array whose every access goes
 * through the device's access function, which is all that it is for.
 */
#include "drivers/emu/vtestdev.h"

#include "core/lib/string.h"

/* True if an access of at most `widest` bytes stays within `size`. */
static bool fits(const struct io_access *a, unsigned widest, uint64_t size)
{
    return a->size > 0 && a->size <= widest && a->offset < size && a->size <= size - a->offset;
}

static void access_bytes(uint8_t *at, struct io_access *a)
{
    if (a->write) {
        memcpy(at, &a->value, a->size);
    } else {
        a->value = 0;
        memcpy(&a->value, at, a->size);
    }
}

static void lines_access(void *dev, struct io_access *a)
{
    struct vtestdev *t = dev;
    if (!a->write || !fits(a, 1, VTESTDEV_LINES))
        return;
    uint32_t line = UINT32_C(1) << a->offset;
    t->lines = (uint8_t)a->value ? t->lines | line : t->lines & ~line;
}

static void latch_access(void *dev, struct io_access *a)
{
    struct vtestdev *t = dev;
    if (fits(a, 4, VTESTDEV_LATCH_PORTS))
        access_bytes(t->latch + a->offset, a);
}

static void memory_access(void *dev, struct io_access *a)
{
    struct vtestdev *t = dev;
    if (t->memory && fits(a, 8, VTESTDEV_MEMORY_BYTES))
        access_bytes(t->memory + a->offset, a);
}

void vtestdev_init(struct vtestdev *t, uint8_t *memory)
{
    memset(t, 0, sizeof(*t));
    t->memory = memory;
}

static void vtestdev_reset(void *dev)
{
    struct vtestdev *t = dev;
    vtestdev_init(t, t->memory);
}

const struct device_ops vtestdev_lines_ops = {.reset = vtestdev_reset, .access = lines_access};
const struct device_ops vtestdev_latch_ops = {.reset = vtestdev_reset, .access = latch_access};
const struct device_ops vtestdev_memory_ops = {.reset = vtestdev_reset, .access = memory_access};
