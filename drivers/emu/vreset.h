/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two of the ways in which software resets a PC: the fast-A20 port 0x92 and the reset control
 * register 0xCF9 (the keyboard controller is vkbc.h). PURE, sans-I/O: a request is recorded, its
 * owner looks after each access. One struct, two regions of one port. Have open: the data sheet of
 * a PC chipset, "Reset Control Register", "Port 92".
 */
#ifndef DRIVERS_EMU_VRESET_H
#define DRIVERS_EMU_VRESET_H

#include "core/io.h"

#define VRESET_FAST_A20_PORT 0x92
#define VRESET_CONTROL_PORT  0xcf9

struct vreset {
    bool reset_requested; /* stays until reset */
    bool hard;            /* by 0xCF9 with SYS_RST set; else only the CPUs */
    uint8_t control;      /* what 0xCF9 holds */
    uint8_t fast_a20;     /* what 0x92 holds */
};

extern const struct device_ops vreset_fast_a20_ops, vreset_control_ops;

void vreset_init(struct vreset *r);

#endif
