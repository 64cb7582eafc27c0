/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Output to the UART, waiting for room in its transmitter as a driver has to: a hypervisor, or
 * Bochs, that is behind with its own console makes the guest wait here instead of losing bytes.
 */
#include "guests/lib/guest.h"

#include "core/lib/fmt.h"

#define UART_LSR  (PLINTH_PORT_UART + 5)
#define LSR_THRE  BIT(5)
#define PATIENCE  10000000u /* polls until the UART counts as dead, and output is dropped */

/* 115200 baud, 8 data bits, no parity: out of reset a real one sends 5 bits at no rate at all. */
static void set_up(void)
{
    out8(PLINTH_PORT_UART + 3, 0x80);
    out8(PLINTH_PORT_UART + 0, 1);
    out8(PLINTH_PORT_UART + 1, 0);
    out8(PLINTH_PORT_UART + 3, 0x03);
}

static void put(char c)
{
    static bool ready, dead;

    if (!ready)
        set_up();
    ready = true;
    for (uint32_t i = 0; !dead && !(in8(UART_LSR) & LSR_THRE); i++) {
        pause();
        dead = i == PATIENCE;
    }
    if (!dead)
        out8(PLINTH_PORT_UART, (uint8_t)c);
}

void guest_write(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n')
            put('\r');
        put(text[i]);
    }
}

static void sink(void *ctx, const char *text, size_t len)
{
    (void)ctx;
    guest_write(text, len);
}

void guest_vprint(const char *format, va_list args)
{
    fmt_vwrite(sink, NULL, format, args);
}

void guest_print(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    guest_vprint(format, args);
    va_end(args);
}
