/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A keyboard controller with nothing plugged in. PURE, sans-I/O. Whatever is asked of it is
 * answered before the access ends, in an output buffer of one byte, so the input buffer is never
 * full. There is no auxiliary port: its disable bit is stuck at 1, a looped byte comes back as the
 * keyboard's, its test fails. So drivers give up at once and not after a time-out of theirs.
 * Have open: the data sheet of an 8042 keyboard controller for PC/AT, "Commands".
 */
#include "drivers/emu/vkbc.h"

#include "core/lib/string.h"

#define STATUS_OBF        0x01
#define STATUS_SYS        0x04
#define STATUS_COMMAND    0x08 /* the last byte written was a command */
#define STATUS_UNLOCKED   0x10
#define STATUS_TIMEOUT    0x40
#define STATUS_STORED     (STATUS_OBF | STATUS_COMMAND | STATUS_TIMEOUT)

#define BYTE_INT          0x01 /* of the command byte */
#define BYTE_SYS          0x04
#define BYTE_DISABLE      0x10
#define BYTE_DISABLE_AUX  0x20
#define BYTE_TRANSLATE    0x40

#define COMMAND_READ_RAM  0x20 /* to 0x3f */
#define COMMAND_WRITE_RAM 0x60 /* to 0x7f */
#define COMMAND_TEST_AUX  0xa9
#define COMMAND_SELF_TEST 0xaa
#define COMMAND_TEST_KBD  0xab
#define COMMAND_DISABLE   0xad
#define COMMAND_ENABLE    0xae
#define COMMAND_INPUT     0xc0
#define COMMAND_OUTPUT    0xd0
#define COMMAND_WRITE_OUT 0xd1
#define COMMAND_LOOP_KBD  0xd2
#define COMMAND_LOOP_AUX  0xd3
#define COMMAND_SEND_AUX  0xd4
#define COMMAND_A20_OFF   0xdd
#define COMMAND_A20_ON    0xdf
#define COMMAND_TEST_PINS 0xe0
/* F0 to FF pulse those of output bits 3:0 low whose command bit is 0. */
#define COMMAND_PULSE     0xf0

#define SELF_TEST_OK      0x55
#define CLOCK_STUCK_LOW   0x01
#define RESEND            0xfe

#define INPUT_UNLOCKED    0x80
#define OUTPUT_RESET_N    0x01
#define OUTPUT_A20        0x02
#define OUTPUT_IDLE       0xcc /* keyboard data and clock are high */

static void answer(struct vkbc *k, uint8_t byte)
{
    k->data = byte;
    k->status = (uint8_t)((k->status & ~STATUS_TIMEOUT) | STATUS_OBF);
}

/* Nobody took the byte that was sent. */
static void answer_timeout(struct vkbc *k)
{
    answer(k, RESEND);
    k->status |= STATUS_TIMEOUT;
}

static void write_output_port(struct vkbc *k, uint8_t value)
{
    k->a20 = (value & OUTPUT_A20) != 0;
    if (!(value & OUTPUT_RESET_N))
        k->reset_requested = true;
}

static void write_ram(struct vkbc *k, unsigned at, uint8_t value)
{
    k->ram[at] = at == 0 ? value | BYTE_DISABLE_AUX : value;
}

/* Commands that do not answer. */
static void act(struct vkbc *k, uint8_t command)
{
    switch (command) {
    case COMMAND_DISABLE:
        k->ram[0] |= BYTE_DISABLE;
        break;
    case COMMAND_ENABLE:
        k->ram[0] &= (uint8_t)~BYTE_DISABLE;
        break;
    case COMMAND_A20_OFF:
    case COMMAND_A20_ON:
        k->a20 = command == COMMAND_A20_ON;
        break;
    case COMMAND_WRITE_OUT:
    case COMMAND_LOOP_KBD:
    case COMMAND_LOOP_AUX:
    case COMMAND_SEND_AUX:
        k->argument_for = command;
        break;
    default: /* the auxiliary port's 0xa7 and 0xa8, and what no controller knows */
        break;
    }
}

static void write_command(struct vkbc *k, uint8_t command)
{
    k->argument_for = 0;
    k->status |= STATUS_COMMAND;
    if ((command & 0xe0) == COMMAND_READ_RAM) {
        answer(k, k->ram[command & 0x1f]);
        return;
    }
    if ((command & 0xe0) == COMMAND_WRITE_RAM) {
        k->argument_for = command;
        return;
    }
    if (command >= COMMAND_PULSE) {
        if (!(command & OUTPUT_RESET_N))
            k->reset_requested = true;
        return;
    }
    switch (command) {
    case COMMAND_TEST_AUX:
        answer(k, CLOCK_STUCK_LOW);
        break;
    case COMMAND_SELF_TEST:
        k->ram[0] |= BYTE_SYS;
        answer(k, SELF_TEST_OK);
        break;
    case COMMAND_TEST_KBD:
    case COMMAND_TEST_PINS:
        answer(k, 0);
        break;
    case COMMAND_INPUT:
        answer(k, INPUT_UNLOCKED);
        break;
    case COMMAND_OUTPUT:
        answer(k, OUTPUT_IDLE | OUTPUT_RESET_N | (k->a20 ? OUTPUT_A20 : 0));
        break;
    default:
        act(k, command);
        break;
    }
}

static void write_data(struct vkbc *k, uint8_t value)
{
    uint8_t command = k->argument_for;
    k->argument_for = 0;
    k->status &= (uint8_t)~STATUS_COMMAND;
    if ((command & 0xe0) == COMMAND_WRITE_RAM)
        write_ram(k, command & 0x1f, value);
    else if (command == COMMAND_WRITE_OUT)
        write_output_port(k, value);
    else if (command == COMMAND_LOOP_KBD || command == COMMAND_LOOP_AUX)
        answer(k, value);
    else /* for the keyboard, or by COMMAND_SEND_AUX for the mouse */
        answer_timeout(k);
}

static bool is_byte(const struct io_access *a)
{
    return a->size == 1 && a->offset == 0;
}

static void data_access(void *dev, struct io_access *a)
{
    struct vkbc *k = dev;
    if (!is_byte(a))
        return;
    if (a->write) {
        write_data(k, (uint8_t)a->value);
        return;
    }
    a->value = k->data;
    k->status &= (uint8_t)~(STATUS_OBF | STATUS_TIMEOUT);
}

static void command_access(void *dev, struct io_access *a)
{
    struct vkbc *k = dev;
    if (!is_byte(a))
        return;
    if (a->write)
        write_command(k, (uint8_t)a->value);
    else
        a->value = (k->status & STATUS_STORED) | STATUS_UNLOCKED |
                   (k->ram[0] & BYTE_SYS ? STATUS_SYS : 0);
}

void vkbc_init(struct vkbc *k)
{
    memset(k, 0, sizeof(*k));
    k->a20 = true;
    /* As firmware leaves it. */
    k->ram[0] = BYTE_TRANSLATE | BYTE_DISABLE_AUX | BYTE_SYS | BYTE_INT;
}

static void vkbc_reset(void *dev)
{
    vkbc_init(dev);
}

static bool vkbc_irq(const void *dev)
{
    const struct vkbc *k = dev;
    return (k->status & STATUS_OBF) && (k->ram[0] & BYTE_INT);
}

const struct device_ops vkbc_data_ops = {
    .reset = vkbc_reset,
    .access = data_access,
    .irq = vkbc_irq,
};
const struct device_ops vkbc_command_ops = {.reset = vkbc_reset, .access = command_access};
