/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A physical serial line (16550 family): the operator's console, the debugger's wire. Output goes
 * through a ring which is drained whenever the line takes more; only a full ring makes a writer
 * wait. Who shares one among CPUs brings a lock.
 */
#ifndef DRIVERS_HW_UART_H
#define DRIVERS_HW_UART_H

#include "core/lib/ring.h"

/* How the two sides ask each other to pause. RTS is dropped while our input ring is nearly full,
 * whatever is chosen here: it harms nobody who does not look at it. */
enum uart_flow {
    UART_FLOW_NONE,
    UART_FLOW_RTS, /* we send only while CTS is there: not over a three-wire cable */
    UART_FLOW_XON, /* the bytes XON and XOFF, both ways */
};

struct uart {
    struct ring tx, rx;
    uint16_t base;       /* first port */
    uint8_t depth;       /* bytes of the transmitter's FIFO */
    bool present, synchronous, tx_interrupt;
    bool late;           /* its FIFO has been found full: nobody came in time */
    bool holding;        /* the other side has been asked to pause */
    bool stopped;        /* the other side has asked us to */
    char urgent;         /* XON or XOFF: goes out before everything else; 0: none */
    uint8_t flow;        /* enum uart_flow */
    uint64_t lost;       /* bytes that came while the input ring was full */
};

/* Over two buffers whose sizes are powers of two. */
#define UART_INIT(tx_buffer, rx_buffer) \
    {.tx = {tx_buffer, sizeof(tx_buffer), 0, 0}, .rx = {rx_buffer, sizeof(rx_buffer), 0, 0}}

/* Sets the port up (8N1, FIFOs on, interrupts on received data). False: no UART answers there. */
bool uart_init(struct uart *u, uint16_t port, uint32_t baud);
bool uart_present(const struct uart *u);
/* Queues bytes, waiting for room if it must. While the other side has asked us to pause, what finds
 * no room is dropped: nobody waits for an operator. */
void uart_write(struct uart *u, const char *bytes, size_t len);
/* The same with each LF as CR LF, as terminals want it. */
void uart_write_text(struct uart *u, const char *text, size_t len);
/* Bytes that can be queued without waiting; SIZE_MAX while nothing waits. */
size_t uart_room(const struct uart *u);
/* Moves bytes from the ring to the line and from the line to the input ring. */
void uart_poll(struct uart *u);
/* The next byte received, or -1. */
int uart_read(struct uart *u);
/* Waits until everything queued has left the machine. */
void uart_flush(struct uart *u);
void uart_set_flow(struct uart *u, enum uart_flow kind);
/* From now on write at once, without the ring: for panic. */
void uart_set_synchronous(struct uart *u);

#endif
