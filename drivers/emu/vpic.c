/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 8259A pair. PURE, sans-I/O. The slave's output is wired to the master's input 2, whatever
 * ICW3 says; LTIM has no effect, as in every chipset that has edge/level registers instead; the
 * 8080 mode and buffering do not exist on a PC. A chip that waits for an initialisation word
 * requests nothing.
 * Have open: Intel's data sheet "8259A Programmable Interrupt Controller".
 */
#include "drivers/emu/vpic.h"

#include "core/lib/string.h"

#define MASTER           0
#define SLAVE            1

#define ICW1_SELECT      0x10
#define ICW1_IC4         0x01
#define ICW1_SNGL        0x02
#define ICW4_AEOI        0x02
#define ICW4_SFNM        0x10

#define OCW3_SELECT      0x08
#define OCW3_RIS         0x01
#define OCW3_RR          0x02
#define OCW3_P           0x04
#define OCW3_SMM         0x20
#define OCW3_ESMM        0x40

/* Timer, keyboard, cascade, clock and coprocessor are edge triggered for good. */
#define ELCR_MASTER_MASK 0xf8
#define ELCR_SLAVE_MASK  0xde

#define SPURIOUS         7

static uint8_t bit(unsigned input)
{
    return (uint8_t)(1u << (input & 7));
}

/* --- one chip ------------------------------------------------------------------------------- */

/* A level-triggered request is the line itself. An edge-triggered one is a memory of the rise,
 * which the line has to outlast. */
static uint8_t irr(const struct vpic_chip *c)
{
    return (uint8_t)((c->edges & ~c->elcr) | (c->lines & c->elcr));
}

static void chip_set_line(struct vpic_chip *c, unsigned input, bool level)
{
    uint8_t b = bit(input);
    if (!level) {
        c->lines &= (uint8_t)~b;
        c->edges &= (uint8_t)~b;
    } else if (!(c->lines & b)) {
        c->lines |= b;
        c->edges |= b;
    }
}

/* Input n of the order of priority, 0 being the highest. */
static unsigned by_priority(const struct vpic_chip *c, unsigned n)
{
    return (c->lowest + 1u + n) & 7;
}

/* The input to be served next, or -1. cascade: the inputs with a slave behind them. */
static int chip_request(const struct vpic_chip *c, uint8_t cascade)
{
    uint8_t requests = irr(c) & (uint8_t)~c->imr;
    if (!requests || c->next_icw)
        return -1;
    /* In special mask mode an input that is masked blocks nobody while it is in service. */
    uint8_t blocking = c->special_mask ? c->isr & (uint8_t)~c->imr : c->isr;
    for (unsigned n = 0; n < 8; n++) {
        unsigned input = by_priority(c, n);
        bool wanted = (requests & bit(input)) != 0;
        if (blocking & bit(input)) {
            /* Special fully nested: the slave may ask again, for something more urgent. */
            bool again = wanted && (c->icw4 & ICW4_SFNM) && (cascade & bit(input));
            return again ? (int)input : -1;
        }
        if (wanted)
            return (int)input;
    }
    return -1;
}

/* Begins to serve the request of highest priority; -1: it has gone. */
static int chip_acknowledge(struct vpic_chip *c, uint8_t cascade)
{
    int input = chip_request(c, cascade);
    if (input < 0)
        return -1;
    c->edges &= (uint8_t)~bit((unsigned)input);
    if (!(c->icw4 & ICW4_AEOI))
        c->isr |= bit((unsigned)input);
    else if (c->rotate_on_aeoi)
        c->lowest = (uint8_t)input;
    return input;
}

static void chip_initialise(struct vpic_chip *c, uint8_t icw1)
{
    c->edges = c->isr = c->imr = 0;
    c->lowest = 7;
    c->read_isr = c->poll = c->special_mask = c->rotate_on_aeoi = false;
    c->icw1 = icw1;
    if (!(icw1 & ICW1_IC4))
        c->icw4 = 0;
    c->next_icw = 2;
}

/* The input in service with the highest priority that a non-specific EOI ends, or -1. */
static int chip_in_service(const struct vpic_chip *c)
{
    uint8_t isr = c->special_mask ? c->isr & (uint8_t)~c->imr : c->isr;
    for (unsigned n = 0; n < 8; n++)
        if (isr & bit(by_priority(c, n)))
            return (int)by_priority(c, n);
    return -1;
}

static void chip_ocw2(struct vpic_chip *c, uint8_t value)
{
    bool rotate = (value & 0x80) != 0, specific = (value & 0x40) != 0, eoi = (value & 0x20) != 0;
    if (!specific && !eoi) {
        c->rotate_on_aeoi = rotate;
        return;
    }
    int input = specific ? value & 7 : chip_in_service(c);
    if (input < 0)
        return;
    if (eoi)
        c->isr &= (uint8_t)~bit((unsigned)input);
    if (rotate)
        c->lowest = (uint8_t)input;
}

static void chip_ocw3(struct vpic_chip *c, uint8_t value)
{
    if (value & OCW3_ESMM)
        c->special_mask = (value & OCW3_SMM) != 0;
    if (value & OCW3_P)
        c->poll = true;
    else if (value & OCW3_RR)
        c->read_isr = (value & OCW3_RIS) != 0;
}

static void chip_write_command(struct vpic_chip *c, uint8_t value)
{
    if (value & ICW1_SELECT)
        chip_initialise(c, value);
    else if (value & OCW3_SELECT)
        chip_ocw3(c, value);
    else
        chip_ocw2(c, value);
}

static void chip_write_data(struct vpic_chip *c, uint8_t value)
{
    uint8_t last = c->icw1 & ICW1_IC4 ? 4 : 0;
    switch (c->next_icw) {
    case 2:
        c->base = value & 0xf8;
        c->next_icw = c->icw1 & ICW1_SNGL ? last : 3;
        break;
    case 3: /* how the pair is wired is not the guest's to say */
        c->next_icw = last;
        break;
    case 4:
        c->icw4 = value;
        c->next_icw = 0;
        break;
    default:
        c->imr = value;
        break;
    }
}

/* --- the pair ------------------------------------------------------------------------------- */

static uint8_t cascade_of(unsigned n)
{
    return n == MASTER ? bit(VPIC_CASCADE) : 0;
}

static void update_cascade(struct vpic *p)
{
    chip_set_line(&p->chip[MASTER], VPIC_CASCADE, chip_request(&p->chip[SLAVE], 0) >= 0);
}

static int acknowledge_chip(struct vpic *p, unsigned n)
{
    int input = chip_acknowledge(&p->chip[n], cascade_of(n));
    if (n == SLAVE) {
        /* The slave's output drops with the acknowledge, so that what it asks for next is a new
         * edge for the master. */
        chip_set_line(&p->chip[MASTER], VPIC_CASCADE, false);
        update_cascade(p);
    }
    return input;
}

bool vpic_output(const struct vpic *p)
{
    return chip_request(&p->chip[MASTER], cascade_of(MASTER)) >= 0;
}

int vpic_acknowledge(struct vpic *p)
{
    int input = acknowledge_chip(p, MASTER);
    unsigned n = MASTER;
    if (input == VPIC_CASCADE && !(p->chip[MASTER].icw1 & ICW1_SNGL)) {
        n = SLAVE;
        input = acknowledge_chip(p, SLAVE);
    }
    return p->chip[n].base | (input < 0 ? SPURIOUS : input);
}

void vpic_set_line(struct vpic *p, unsigned irq, bool level)
{
    if (irq >= VPIC_LINES || irq == VPIC_CASCADE)
        return;
    chip_set_line(&p->chip[irq / 8], irq % 8, level);
    update_cascade(p);
}

bool vpic_hears(const struct vpic *p, unsigned irq)
{
    return irq < VPIC_LINES && !(p->chip[irq / 8].imr & bit(irq));
}

static uint8_t chip_read(struct vpic *p, unsigned n, unsigned offset)
{
    struct vpic_chip *c = &p->chip[n];
    if (c->poll) {
        c->poll = false;
        int input = acknowledge_chip(p, n);
        update_cascade(p);
        return input < 0 ? 0 : (uint8_t)(0x80 | input);
    }
    if (offset == 1)
        return c->imr;
    return c->read_isr ? c->isr : irr(c);
}

static void chip_access(struct vpic *p, unsigned n, struct io_access *a)
{
    if (a->size != 1 || a->offset >= VPIC_PORTS)
        return;
    if (!a->write) {
        a->value = chip_read(p, n, (unsigned)a->offset);
        return;
    }
    if (a->offset == 0)
        chip_write_command(&p->chip[n], (uint8_t)a->value);
    else
        chip_write_data(&p->chip[n], (uint8_t)a->value);
    update_cascade(p);
}

static void master_access(void *dev, struct io_access *a)
{
    chip_access(dev, MASTER, a);
}

static void slave_access(void *dev, struct io_access *a)
{
    chip_access(dev, SLAVE, a);
}

static void elcr_access(void *dev, struct io_access *a)
{
    static const uint8_t mask[2] = {ELCR_MASTER_MASK, ELCR_SLAVE_MASK};
    struct vpic *p = dev;
    if (a->size != 1 || a->offset >= ARRAY_LEN(mask))
        return;
    struct vpic_chip *c = &p->chip[a->offset];
    if (!a->write) {
        a->value = c->elcr;
        return;
    }
    c->elcr = (uint8_t)a->value & mask[a->offset];
    update_cascade(p);
}

void vpic_init(struct vpic *p)
{
    memset(p, 0, sizeof(*p));
    for (unsigned n = MASTER; n <= SLAVE; n++) {
        p->chip[n].imr = 0xff;
        p->chip[n].lowest = 7;
        p->chip[n].base = n == MASTER ? 0x08 : 0x70;
        p->chip[n].icw1 = ICW1_SELECT | ICW1_IC4;
        p->chip[n].icw4 = 0x01; /* 8086 mode */
    }
}

static void vpic_reset(void *dev)
{
    vpic_init(dev);
}

static bool vpic_irq(const void *dev)
{
    return vpic_output(dev);
}

const struct device_ops vpic_master_ops = {
    .reset = vpic_reset,
    .access = master_access,
    .irq = vpic_irq,
};
const struct device_ops vpic_slave_ops = {.reset = vpic_reset, .access = slave_access};
const struct device_ops vpic_elcr_ops = {.reset = vpic_reset, .access = elcr_access};
