/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A PCI bus with nothing on it. PURE, sans-I/O. Only a dword reaches CONFIG_ADDRESS: the
 * specification lets smaller accesses pass on to whatever else is at those ports, here port 0xCF9.
 * Have open: PCI Local Bus Specification, "Configuration Mechanism #1".
 */
#include "drivers/emu/vpci.h"

#define ADDRESS_STORED 0x80fffffc /* enable; bus, device, function, register */
#define INNER_OFFSET   1

void vpci_init(struct vpci *p, const struct device_ops *inner, void *inner_dev)
{
    p->address = 0;
    p->inner = inner;
    p->inner_dev = inner_dev;
}

static void vpci_reset(void *dev)
{
    struct vpci *p = dev;
    p->address = 0;
}

static void pass_on(struct vpci *p, struct io_access *a)
{
    struct io_access copy = *a;
    copy.offset = 0;
    p->inner->access(p->inner_dev, &copy);
    if (!a->write)
        a->value = copy.value;
}

static void vpci_access(void *dev, struct io_access *a)
{
    struct vpci *p = dev;
    if (a->offset == INNER_OFFSET && a->size == 1 && p->inner)
        pass_on(p, a);
    if (a->offset != 0 || a->size != 4)
        return; /* CONFIG_DATA among them: nobody answers, all ones */
    if (a->write)
        p->address = (uint32_t)a->value & ADDRESS_STORED;
    else
        a->value = p->address;
}

const struct device_ops vpci_ops = {.reset = vpci_reset, .access = vpci_access};
