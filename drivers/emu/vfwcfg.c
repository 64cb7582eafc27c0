/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The firmware configuration device. PURE, sans-I/O. Numbers are little-endian; every item is
 * followed by zeros without end, so an item that does not exist is one of no bytes.
 * Have open: QEMU's document "QEMU Firmware Configuration (fw_cfg) Device".
 */
#include "drivers/emu/vfwcfg.h"

#define KEY_SIGNATURE 0x0000
#define KEY_ID        0x0001
#define KEY_CPUS      0x0005
#define KEY_MAX_CPUS  0x000f

#define ID_TRADITIONAL 1 /* the interface of two ports; no DMA */

#define OFFSET_SELECT 0
#define OFFSET_DATA   1

/* The item's first eight bytes, the first one lowest. */
static uint64_t item(const struct vfwcfg *f)
{
    switch (f->key) {
    case KEY_SIGNATURE:
        return 'Q' | (uint64_t)'E' << 8 | (uint64_t)'M' << 16 | (uint64_t)'U' << 24;
    case KEY_ID:
        return ID_TRADITIONAL;
    case KEY_CPUS:
    case KEY_MAX_CPUS:
        return f->cpus;
    default:
        return 0;
    }
}

static uint8_t next_byte(struct vfwcfg *f)
{
    if (f->offset >= sizeof(uint64_t))
        return 0;
    return (uint8_t)(item(f) >> (8 * f->offset++));
}

static void vfwcfg_access(void *dev, struct io_access *a)
{
    struct vfwcfg *f = dev;
    if (a->write && a->size == 2 && a->offset == OFFSET_SELECT) {
        f->key = (uint16_t)a->value;
        f->offset = 0;
    } else if (!a->write && a->size == 1 && a->offset == OFFSET_DATA) {
        a->value = next_byte(f);
    }
}

void vfwcfg_init(struct vfwcfg *f, uint16_t cpus)
{
    f->cpus = cpus;
    f->key = 0;
    f->offset = 0;
}

static void vfwcfg_reset(void *dev)
{
    struct vfwcfg *f = dev;
    vfwcfg_init(f, f->cpus);
}

const struct device_ops vfwcfg_ops = {.reset = vfwcfg_reset, .access = vfwcfg_access};
