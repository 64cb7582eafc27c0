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
#define REG_MSR     6
#define REG_SCRATCH 7

#define IER_RX      0x01
#define IER_THRE    0x02
#define FCR_ENABLE  0x01
#define FCR_CLEAR   0x06
/* An interrupt from the first byte on. With a higher level the rest comes by a time-out, and Bochs'
 * strikes for bytes that have been fetched already: the last one would be read twice. */
#define FCR_TRIGGER 0x00
#define IIR_FIFO    0xc0
#define IIR_NONE    0x01 /* no cause of an interrupt */
#define LCR_8N1     0x03
#define LCR_DLAB    0x80
#define MCR_ON      0x0b /* DTR, RTS, and OUT2, which lets interrupts through */
#define MCR_RTS     0x02
#define MSR_CTS     0x10
#define LSR_DATA    0x01
#define LSR_THRE    0x20
#define LSR_IDLE    0x40

#define XON         0x11
#define XOFF        0x13

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

/* The other side shall pause before the ring is full, and may go on when most of it is free again:
 * what is on its way by then still fits. */
static void hold_off(struct uart *u, bool hold)
{
    if (u->holding == hold)
        return;
    u->holding = hold;
    out8(u->base + REG_MCR, hold ? MCR_ON & ~MCR_RTS : MCR_ON);
    if (u->flow == UART_FLOW_XON)
        u->urgent = hold ? XOFF : XON;
}

/* True: it was for us. */
static bool flow_byte(struct uart *u, char c)
{
    if (u->flow != UART_FLOW_XON || (c != XON && c != XOFF))
        return false;
    u->stopped = c == XOFF;
    return true;
}

/* A ring that is full loses the newest, as any terminal line would. A FIFO that is full may have
 * lost some: Bochs' UART does not say so. */
static void pull_in(struct uart *u)
{
    unsigned n = 0;
    for (; n < FIFO_DEPTH && (in8(u->base + REG_LSR) & LSR_DATA); n++) {
        char c = (char)in8(u->base + REG_DATA);
        if (!flow_byte(u, c) && !ring_put(&u->rx, c))
            u->lost++;
    }
    u->late |= n == FIFO_DEPTH;
    if (ring_used(&u->rx) >= u->rx.size / 4 * 3)
        hold_off(u, true);
}

static bool may_send(const struct uart *u)
{
    if (u->flow == UART_FLOW_XON)
        return !u->stopped;
    return u->flow != UART_FLOW_RTS || (in8(u->base + REG_MSR) & MSR_CTS);
}

/* What the line has and takes now. */
static void service_once(struct uart *u)
{
    char c;
    uint8_t status = in8(u->base + REG_LSR);
    if (status & LSR_DATA)
        pull_in(u);
    if (u->urgent && (status & LSR_THRE)) {
        out8(u->base + REG_DATA, (uint8_t)u->urgent);
        u->urgent = 0;
    } else if (ring_used(&u->tx) && (status & LSR_THRE) && may_send(u)) {
        for (unsigned i = 0; i < u->depth && ring_get(&u->tx, &c); i++)
            out8(u->base + REG_DATA, (uint8_t)c);
    }
    want_tx_interrupt(u, u->urgent || ring_used(&u->tx));
}

/* Whoever reads or writes does this, too: 16 bytes come in 1.4 ms, and an answer takes longer than
 * that. Until the UART has no cause left: its line is edge-triggered at the IOAPIC, and a byte that
 * came between the two looks of service_once() would get no interrupt, nor those behind it. */
static void service(struct uart *u)
{
    for (unsigned round = 0; round < POLL_ROUNDS; round++) {
        service_once(u);
        if (in8(u->base + REG_IIR) & IIR_NONE)
            break;
    }
}

void uart_poll(struct uart *u)
{
    if (u->present)
        service(u);
}

/* Waits for room if it must, and may: patience says how often to look. */
static void queue(struct uart *u, const char *bytes, size_t len, unsigned *patience)
{
    for (;;) {
        size_t n = ring_put_some(&u->tx, bytes, len);
        bytes += n;
        len -= n;
        if (!len || !*patience || !may_send(u))
            return;
        service(u);
        --*patience;
    }
}

/* Once for all that was queued: asking the UART takes longer than a line of text. */
static void send(struct uart *u, unsigned patience)
{
    if (!patience)
        u->present = false; /* the line is dead: never wait for it again */
    if (u->synchronous)
        uart_flush(u);
    else
        service(u);
}

void uart_write(struct uart *u, const char *bytes, size_t len)
{
    unsigned patience = PATIENCE;
    if (!u->present)
        return;
    queue(u, bytes, len, &patience);
    send(u, patience);
}

void uart_write_text(struct uart *u, const char *text, size_t len)
{
    unsigned patience = PATIENCE;
    if (!u->present)
        return;
    for (size_t start = 0, end = 0; start < len; start = end) {
        while (end < len && text[end] != '\n')
            end++;
        queue(u, text + start, end - start, &patience);
        if (end < len)
            queue(u, "\r\n", 2, &patience);
        end += end < len;
    }
    send(u, patience);
}

void uart_set_flow(struct uart *u, enum uart_flow kind)
{
    u->flow = kind;
    u->stopped = false;
}

size_t uart_room(const struct uart *u)
{
    return u->present && may_send(u) ? ring_room(&u->tx) : SIZE_MAX;
}

int uart_read(struct uart *u)
{
    char c;
    if (!u->present)
        return -1;
    service(u);
    bool any = ring_get(&u->rx, &c);
    if (ring_used(&u->rx) <= u->rx.size / 4)
        hold_off(u, false);
    return any ? (unsigned char)c : -1;
}

void uart_flush(struct uart *u)
{
    if (!u->present)
        return;
    for (unsigned patience = PATIENCE; ring_used(&u->tx) && patience; patience--)
        service(u);
    unsigned left = PATIENCE;
    while (!(in8(u->base + REG_LSR) & LSR_IDLE) && left--)
        pause();
}

void uart_set_synchronous(struct uart *u)
{
    u->synchronous = true;
    uart_flush(u);
}
