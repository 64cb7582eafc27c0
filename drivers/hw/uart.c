/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Driver of UARTs: the console's and the debugger's. Writes never wait for the line unless the ring
 * is full: at 115200 baud a byte takes 87 us, the time of many VM exits. Data sheet: National
 * Semiconductor PC16550D.
 */
#include "drivers/hw/uart.h"

#include "arch/x86/insn.h"
#include "core/lib/ring.h"

#define REG_DATA    0
#define REG_IER     1
#define REG_FCR     2 /* write */
#define REG_IIR     2 /* read */
#define REG_LCR     3
#define REG_MCR     4
#define REG_LSR     5
#define REG_SCRATCH 7

#define IER_RX      0x01
#define IER_THRE    0x02
#define FCR_ENABLE  0x01
#define FCR_CLEAR   0x06
#define FCR_TRIGGER 0x40 /* an interrupt from 4 bytes on, or when the line falls silent */
#define IIR_FIFO    0xc0
#define IIR_NONE    0x01 /* no cause of an interrupt */
#define LCR_8N1     0x03
#define LCR_DLAB    0x80
#define MCR_ON      0x0b /* DTR, RTS, and OUT2, which lets interrupts through */
#define LSR_DATA    0x01
#define LSR_THRE    0x20
#define LSR_IDLE    0x40

#define BASE_BAUD   115200
#define FIFO_DEPTH  16
#define POLL_ROUNDS 32
/* How often to ask a line that never gets ready (no UART behind the port any more). */
#define PATIENCE    10000000

bool uart_init(struct uart *u, uint16_t base, uint32_t baud)
{
    u->base = base;
    out8(base + REG_SCRATCH, 0x5a);
    if (in8(base + REG_SCRATCH) != 0x5a || in8(base + REG_LSR) == 0xff)
        return false;
    uint32_t divisor = baud && baud <= BASE_BAUD ? BASE_BAUD / baud : 1;
    out8(base + REG_IER, 0);
    out8(base + REG_LCR, LCR_DLAB);
    out8(base + REG_DATA, (uint8_t)divisor);
    out8(base + REG_IER, (uint8_t)(divisor >> 8));
    out8(base + REG_LCR, LCR_8N1);
    out8(base + REG_FCR, FCR_ENABLE | FCR_CLEAR | FCR_TRIGGER);
    u->depth = (in8(base + REG_IIR) & IIR_FIFO) == IIR_FIFO ? FIFO_DEPTH : 1;
    out8(base + REG_MCR, MCR_ON);
    out8(base + REG_IER, IER_RX);
    u->present = true;
    return true;
}

bool uart_present(const struct uart *u)
{
    return u->present;
}

static void want_tx_interrupt(struct uart *u, bool on)
{
    if (u->tx_interrupt == on)
        return;
    u->tx_interrupt = on;
    out8(u->base + REG_IER, on ? IER_RX | IER_THRE : IER_RX);
}

static void push_out(struct uart *u)
{
    char c;
    if (ring_used(&u->tx) && (in8(u->base + REG_LSR) & LSR_THRE))
        for (unsigned i = 0; i < u->depth && ring_get(&u->tx, &c); i++)
            out8(u->base + REG_DATA, (uint8_t)c);
    want_tx_interrupt(u, ring_used(&u->tx) != 0);
}

void uart_poll(struct uart *u)
{
    if (!u->present)
        return;
    /* Until the UART has no cause left: its line is edge-triggered at the IOAPIC, so a cause that
     * stays would be the last interrupt ever. */
    for (unsigned round = 0; round < POLL_ROUNDS; round++) {
        push_out(u);
        /* A ring that is full loses the newest, as any terminal line would. */
        for (unsigned i = 0; i < FIFO_DEPTH && (in8(u->base + REG_LSR) & LSR_DATA); i++)
            ring_put(&u->rx, (char)in8(u->base + REG_DATA));
        if (in8(u->base + REG_IIR) & IIR_NONE)
            break;
    }
}

void uart_write(struct uart *u, const char *text, size_t len)
{
    if (!u->present)
        return;
    unsigned patience = PATIENCE;
    for (size_t i = 0; i < len; i++) {
        while (!ring_put(&u->tx, text[i]) && patience) {
            push_out(u);
            patience--;
        }
    }
    if (!patience)
        u->present = false; /* the line is dead: never wait for it again */
    if (u->synchronous)
        uart_flush(u);
    else
        push_out(u);
}

size_t uart_room(const struct uart *u)
{
    return u->present ? ring_room(&u->tx) : SIZE_MAX;
}

int uart_read(struct uart *u)
{
    char c;
    return ring_get(&u->rx, &c) ? (unsigned char)c : -1;
}

void uart_flush(struct uart *u)
{
    if (!u->present)
        return;
    for (unsigned patience = PATIENCE; ring_used(&u->tx) && patience; patience--)
        push_out(u);
    unsigned left = PATIENCE;
    while (!(in8(u->base + REG_LSR) & LSR_IDLE) && left--)
        pause();
}

void uart_set_synchronous(struct uart *u)
{
    u->synchronous = true;
    uart_flush(u);
}
