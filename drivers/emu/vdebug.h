/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The three debug ports every guest has: 0x80 (POST code), 0xE9 (console byte), 0xF4 (exit with a
 * status). PURE, sans-I/O: what the guest did is recorded here, its owner looks after each access.
 * One struct, three regions: of one port, one port, and VDEBUG_EXIT_PORTS, so that a status may
 * have 32 bits.
 */
#ifndef DRIVERS_EMU_VDEBUG_H
#define DRIVERS_EMU_VDEBUG_H

#include "core/io.h"

#define VDEBUG_POST_PORT     0x80
#define VDEBUG_CONSOLE_PORT  0xe9
#define VDEBUG_EXIT_PORT     0xf4
#define VDEBUG_EXIT_PORTS    4
#define VDEBUG_CONSOLE_BYTES 64

struct vdebug {
    uint8_t post;          /* last POST code */
    uint8_t console_count;
    char console[VDEBUG_CONSOLE_BYTES]; /* written and not yet taken, oldest first */
    uint64_t console_lost; /* bytes written while console was full */
    bool exit_requested;   /* stays until reset */
    uint32_t exit_status;  /* of the first request */
};

extern const struct device_ops vdebug_post_ops, vdebug_console_ops, vdebug_exit_ops;

void vdebug_init(struct vdebug *d);
/* Moves at most n console bytes to buf; returns how many. */
size_t vdebug_take(struct vdebug *d, char *buf, size_t n);

#endif
