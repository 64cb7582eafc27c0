/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The small PC devices on a bus, as a guest reaches them: ACPI's block, the empty PCI bus with the
 * reset register in it, the keyboard controller, the test device and the firmware configuration.
 */
#include <stdint.h>
#include <stdlib.h>

#include "core/bus.h"
#include "core/lib/string.h"
#include "drivers/emu/vfwcfg.h"
#include "drivers/emu/vkbc.h"
#include "drivers/emu/vpci.h"
#include "drivers/emu/vpm.h"
#include "drivers/emu/vreset.h"
#include "drivers/emu/vtestdev.h"

#define PM_BASE 0x600

static struct bus ports, memory_bus;
static struct vpm pm;
static struct vpci pci;
static struct vreset reset;
static struct vkbc kbc;
static struct vtestdev testdev;
static struct vfwcfg fwcfg;
static uint8_t memory[VTESTDEV_MEMORY_BYTES], shadow[VTESTDEV_MEMORY_BYTES + 8];
static uint8_t latch[VTESTDEV_LATCH_PORTS + 4]; /* and what is behind: nobody */

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void add(struct bus *b, uint64_t base, uint64_t size, unsigned width,
                const struct device_ops *ops, void *dev)
{
    check(bus_add(b, base, size, width, ops, dev) == PL_OK);
}

static void build(void)
{
    memset(memory, 0, sizeof(memory));
    memset(shadow, 0, sizeof(shadow));
    memset(latch, 0, VTESTDEV_LATCH_PORTS);
    memset(latch + VTESTDEV_LATCH_PORTS, 0xff, 4);
    bus_init(&ports);
    bus_init(&memory_bus);
    vpm_init(&pm, false, 0);
    vreset_init(&reset);
    vpci_init(&pci, &vreset_control_ops, &reset);
    vkbc_init(&kbc);
    vtestdev_init(&testdev, memory);
    vfwcfg_init(&fwcfg, 4);
    add(&ports, VKBC_DATA_PORT, 1, 1, &vkbc_data_ops, &kbc);
    add(&ports, VKBC_COMMAND_PORT, 1, 1, &vkbc_command_ops, &kbc);
    add(&ports, VTESTDEV_LATCH_PORT, VTESTDEV_LATCH_PORTS, 4, &vtestdev_latch_ops, &testdev);
    add(&ports, VFWCFG_PORT, VFWCFG_PORTS, VFWCFG_WIDTH, &vfwcfg_ops, &fwcfg);
    add(&ports, PM_BASE, VPM_PORTS, 4, &vpm_ops, &pm);
    add(&ports, VPCI_PORT, VPCI_PORTS, 4, &vpci_ops, &pci);
    add(&ports, VTESTDEV_LINES_PORT, VTESTDEV_LINES, 1, &vtestdev_lines_ops, &testdev);
    add(&memory_bus, VTESTDEV_MEMORY, VTESTDEV_MEMORY_BYTES, 8, &vtestdev_memory_ops, &testdev);
}

static uint64_t port_access(unsigned port, unsigned size, bool write, uint64_t value)
{
    struct io_access a = {.size = (uint8_t)size, .write = write, .value = value};
    bus_access(&ports, port, &a);
    check(write || a.value >> (8 * size) == 0);
    return a.value;
}

/* What must hold for an access of a known meaning. */
static void check_access(unsigned port, unsigned size, bool write, uint64_t value,
                         const struct vkbc *kbc_before)
{
    if (port == VPCI_PORT && size == 4)
        check(write ? pci.address == (value & 0x80fffffc) : value == pci.address);
    if (port >= VPCI_PORT + 4 && port < VPCI_PORT + VPCI_PORTS && !write)
        check(value == UINT64_MAX >> (64 - 8 * size));
    if (port == VKBC_COMMAND_PORT && size == 1 && !write)
        check((value & 0x32) == 0x10);
    if (port == VKBC_DATA_PORT && size == 1 && !write)
        check(value == kbc_before->data && !vkbc_data_ops.irq(&kbc));
    if (port == PM_BASE + VPM_TIMER && size == 4 && !write)
        check(value == ((pm.now_ns / 88000 * 315 + pm.now_ns % 88000 * 315 / 88000) & 0xffffff));
    if (port >= VTESTDEV_LATCH_PORT && port < VTESTDEV_LATCH_PORT + VTESTDEV_LATCH_PORTS) {
        uint8_t *at = latch + (port - VTESTDEV_LATCH_PORT);
        if (write)
            memcpy(at, &value, size);
        else
            check(memcmp(at, &value, size) == 0);
        memset(latch + VTESTDEV_LATCH_PORTS, 0xff, 4);
    }
}

static void any_port(const uint8_t *op)
{
    static const uint16_t bases[8] = {VKBC_DATA_PORT, VTESTDEV_LATCH_PORT, VFWCFG_PORT, PM_BASE,
                                      VPCI_PORT, VTESTDEV_LINES_PORT, VKBC_COMMAND_PORT, PM_BASE};
    unsigned port = bases[op[0] >> 5] + (op[1] & 0x1f), size = 1u << (op[1] >> 5) % 3;
    bool write = op[0] & 1;
    uint64_t value = op[2] | (uint64_t)op[3] << 8 | (uint64_t)op[2] << 16 | (uint64_t)op[3] << 24;
    value &= UINT64_MAX >> (64 - 8 * size);
    struct vkbc before = kbc;
    value = write ? port_access(port, size, true, value) : port_access(port, size, false, 0);
    check_access(port, size, write, value, &before);
}

static void any_memory(const uint8_t *op)
{
    unsigned size = 1u << (op[1] & 3), offset = op[2] | (unsigned)op[3] << 8;
    struct io_access a = {.size = (uint8_t)size, .write = op[0] & 1,
                          .value = op[1] * UINT64_C(0x0123456789abcdef)};
    uint64_t written = a.value;
    bus_access(&memory_bus, VTESTDEV_MEMORY + offset, &a);
    if (a.write) {
        memcpy(shadow + offset, &written, size);
        memset(shadow + sizeof(memory), 0xff, 8); /* nobody is behind the end */
    } else {
        memset(shadow + sizeof(memory), 0xff, 8);
        check(memcmp(shadow + offset, &a.value, size) == 0);
    }
}

static void advance(const uint8_t *op)
{
    uint64_t now = pm.now_ns, to = now + ((uint64_t)(op[1] + 1) << (op[2] % 40));
    uint64_t due = vpm_ops.deadline(&pm);
    bool before = vpm_ops.irq(&pm);
    check(due > now);
    if (to < now)
        return;
    if (due <= to) {
        vpm_ops.advance(&pm, due - 1);
        check(vpm_ops.irq(&pm) == before);
        check(vpm_ops.advance(&pm, due));
        check(vpm_ops.irq(&pm));
    }
    vpm_ops.advance(&pm, to);
    check(vpm_ops.irq(&pm) == (before || due <= to));
}

static void check_state(void)
{
    check(testdev.lines >> VTESTDEV_LINES == 0);
    check((pm.control & 1) && !(pm.control & 0x2000) && (pm.enable & ~0x0721) == 0);
    check(vpm_ops.irq(&pm) == ((pm.status & pm.enable) != 0));
    check(kbc.ram[0] & 0x20);
    check(vkbc_data_ops.irq(&kbc) == ((kbc.status & 1) && (kbc.ram[0] & 1)));
    check(pci.inner_dev == &reset && (pci.address & 0x7f000003) == 0);
    check(fwcfg.cpus == 4 && fwcfg.offset <= 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    build();
    for (size_t at = 0; at + 4 <= size; at += 4) {
        const uint8_t *op = data + at;
        switch (op[0] >> 1 & 7) {
        case 4:
            any_memory(op);
            break;
        case 5:
            advance(op);
            break;
        case 6:
            vpm_press_power_button(&pm);
            break;
        default:
            any_port(op);
            break;
        }
        check_state();
    }
    return 0;
}
