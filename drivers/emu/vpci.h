/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PCI configuration mechanism #1 without a single device: the address latch at 0xCF8, and data
 * ports that read all ones. PURE, sans-I/O. Port 0xCF9 lies inside the latch: byte accesses to it
 * go to whoever the owner names.
 * Have open: PCI Local Bus Specification, "Configuration Mechanism #1".
 */
#ifndef DRIVERS_EMU_VPCI_H
#define DRIVERS_EMU_VPCI_H

#include "core/io.h"

#define VPCI_PORT  0xcf8 /* CONFIG_ADDRESS and CONFIG_DATA; accesses of at most 4 bytes */
#define VPCI_PORTS 8

struct vpci {
    uint32_t address;               /* CONFIG_ADDRESS */
    const struct device_ops *inner; /* the device at 0xCF9, seen at its offset 0, or NULL */
    void *inner_dev;
};

extern const struct device_ops vpci_ops;

/* inner and inner_dev stay over a reset, which is not passed on: their owner resets them. */
void vpci_init(struct vpci *p, const struct device_ops *inner, void *inner_dev);

#endif
