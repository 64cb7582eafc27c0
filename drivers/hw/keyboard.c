/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 8042 and the ring behind it. It never waits for a key, only, at the start and with an end,
 * for the controller. What the keys are is scancodes.c's. Data sheet: Intel 8042; IBM's PC/AT
 * technical reference, "Keyboard Controller".
 */
#include "drivers/hw/keyboard.h"

#include "arch/x86/insn.h"
#include "core/lib/ring.h"
#include "drivers/hw/scancodes.h"

#define PORT_DATA     0x60
#define PORT_STATUS   0x64 /* read */
#define PORT_COMMAND  0x64 /* write */

#define STATUS_OUTPUT 0x01 /* a byte waits for us */
#define STATUS_INPUT  0x02 /* the controller has not taken our last one */
#define STATUS_MOUSE  0x20 /* the byte is the other port's */

#define COMMAND_READ_CONFIG  0x20
#define COMMAND_WRITE_CONFIG 0x60
#define COMMAND_ENABLE       0xae
#define CONFIG_INTERRUPT     0x01
#define CONFIG_DISABLED      0x10
#define CONFIG_TRANSLATE     0x40 /* to set 1 */

#define PATIENCE  100000 /* looks at the status, a microsecond each on a real bus */
#define AT_ONCE   32     /* codes that one poll takes: a broken controller never runs dry */

static bool present;
static struct scancodes scancodes;
static char buffer[256];
static struct ring typed = {buffer, sizeof(buffer), 0, 0};

static bool wait_for(uint8_t mask, uint8_t value)
{
    for (unsigned i = 0; i < PATIENCE; i++)
        if ((in8(PORT_STATUS) & mask) == value)
            return true;
    return false;
}

static bool send(uint16_t port, uint8_t byte)
{
    if (!wait_for(STATUS_INPUT, 0))
        return false;
    out8(port, byte);
    return true;
}

static void drop_output(void)
{
    for (unsigned i = 0; i < AT_ONCE && (in8(PORT_STATUS) & STATUS_OUTPUT); i++)
        (void)in8(PORT_DATA);
}

bool keyboard_init(void)
{
    if (in8(PORT_STATUS) == 0xff)
        return false;
    drop_output();
    if (!send(PORT_COMMAND, COMMAND_READ_CONFIG) || !wait_for(STATUS_OUTPUT, STATUS_OUTPUT))
        return false;
    uint8_t config = in8(PORT_DATA);
    config = (uint8_t)((config & ~CONFIG_DISABLED) | CONFIG_INTERRUPT | CONFIG_TRANSLATE);
    if (!send(PORT_COMMAND, COMMAND_WRITE_CONFIG) || !send(PORT_DATA, config) ||
        !send(PORT_COMMAND, COMMAND_ENABLE))
        return false;
    drop_output();
    return present = true;
}

bool keyboard_present(void)
{
    return present;
}

void keyboard_poll(void)
{
    char bytes[SCANCODES_MAX];
    for (unsigned i = 0; present && i < AT_ONCE; i++) {
        uint8_t status = in8(PORT_STATUS);
        if (status == 0xff || !(status & STATUS_OUTPUT))
            return;
        uint8_t code = in8(PORT_DATA);
        size_t n = status & STATUS_MOUSE ? 0 : scancodes_take(&scancodes, code, bytes);
        for (size_t k = 0; k < n && ring_room(&typed) >= n - k; k++)
            (void)ring_put(&typed, bytes[k]);
    }
}

int keyboard_read(void)
{
    char c;
    return ring_get(&typed, &c) ? (unsigned char)c : -1;
}
