/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PC's pair of 8259A interrupt controllers with the chipset's edge/level registers. PURE,
 * sans-I/O: lines come in, INTR goes out as a level, and an acknowledge cycle yields a vector. Must
 * not know who drives a line or which CPU listens.
 * Have open: Intel's data sheet "8259A Programmable Interrupt Controller"; a PC chipset's data
 * sheet, "Edge/Level Control Registers".
 */
#ifndef DRIVERS_EMU_VPIC_H
#define DRIVERS_EMU_VPIC_H

#include "core/io.h"

#define VPIC_MASTER_PORT 0x20
#define VPIC_SLAVE_PORT  0xa0
#define VPIC_PORTS       2      /* of each chip; accesses are single bytes */
#define VPIC_ELCR_PORT   0x4d0  /* two registers: master, slave */
#define VPIC_LINES       16
#define VPIC_CASCADE     2      /* the master's input that the slave drives */

struct vpic_chip {
    uint8_t lines;       /* levels of the eight inputs */
    uint8_t edges;       /* inputs that rose and have been neither acknowledged nor lowered since */
    uint8_t elcr;        /* inputs that are level triggered */
    uint8_t isr, imr;
    uint8_t base;        /* ICW2: vector of input 0 */
    uint8_t lowest;      /* input of lowest priority, 7 unless rotated */
    uint8_t next_icw;    /* 2, 3, 4: the initialisation word expected next; 0: none */
    uint8_t icw1, icw4;
    bool read_isr;       /* OCW3: address 0 reads ISR instead of IRR */
    bool poll;           /* OCW3: the next read is a poll */
    bool special_mask;
    bool rotate_on_aeoi;
};

struct vpic {
    struct vpic_chip chip[2]; /* master, slave */
};

/* Regions of one struct vpic: each chip's two ports, and the two edge/level registers. irq of the
 * master's ops is INTR; the others have none. */
extern const struct device_ops vpic_master_ops, vpic_slave_ops, vpic_elcr_ops;

/* To the state in which firmware leaves the pair: vectors 0x08 and 0x70, everything masked. */
void vpic_init(struct vpic *p);

/* Drives input irq (0 to 15) to a level. 2 and anything above 15 is ignored: the slave drives 2. An
 * input must stay high until it is acknowledged, or the request is withdrawn. */
void vpic_set_line(struct vpic *p, unsigned irq, bool level);
/* Input irq (0 to 15) is not masked in its chip. */
bool vpic_hears(const struct vpic *p, unsigned irq);
/* INTR: the level of the master's output. */
bool vpic_output(const struct vpic *p);
/* The CPU's acknowledge cycle: the vector, 0 to 255. If the request has gone away meanwhile it is
 * that of input 7 of the chip that lost it, without a bit in its ISR. */
int vpic_acknowledge(struct vpic *p);

/* True while the next read of one of the chips is a poll, that is, an acknowledge. */
static inline bool vpic_polled(const struct vpic *p)
{
    return p->chip[0].poll || p->chip[1].poll;
}

#endif
