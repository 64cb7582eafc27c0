/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An emulated 16550A. PURE, sans-I/O: bytes the guest sends wait in the transmitter's FIFO until
 * the owner takes them, bytes for the guest are given to the receiver's. Plain data: copying the
 * struct is a snapshot. Must not print, and knows neither VM nor port number.
 * Have open: National Semiconductor's data sheet "PC16550D Universal Asynchronous
 * Receiver/Transmitter with FIFOs".
 */
#ifndef DRIVERS_EMU_VUART_H
#define DRIVERS_EMU_VUART_H

#include "core/io.h"

#define VUART_PORTS 8  /* size of its region; accesses are single bytes */
#define VUART_FIFO  16

struct vuart_fifo {
    uint8_t byte[VUART_FIFO];
    uint8_t head, count; /* oldest byte, bytes held */
};

struct vuart {
    uint8_t ier, lcr, mcr, scr, fcr, dll, dlm;
    uint8_t msr;         /* modem lines and what changed in them since the last read */
    uint8_t lsr_errors;  /* OE and BI: no others can occur here */
    bool thre_interrupt; /* the transmitter ran empty and nobody has looked yet */
    struct vuart_fifo rx, tx;
    uint64_t tx_lost;    /* bytes written to a full transmitter */
};

extern const struct device_ops vuart_ops;

/* To the state after power-on; bytes still in the FIFOs are gone: take them first. */
void vuart_init(struct vuart *u);

/* Moves at most n bytes from the transmitter to buf; returns how many. Sending takes no time: once
 * taken, a byte is on the line, and THRE comes when the last one is. */
size_t vuart_take(struct vuart *u, char *buf, size_t n);
/* True if one more byte written by the guest would be lost. */
bool vuart_tx_full(const struct vuart *u);

/* Gives the receiver at most n bytes; returns how many it had room for. Nothing is ever overrun
 * from outside: the owner keeps the rest. In loopback the receiver is cut off and has no room. */
size_t vuart_give(struct vuart *u, const char *buf, size_t n);
/* The other end holds the line low for longer than a character: a byte of zeroes with the BI flag.
 * False: bytes that came before it wait still (LSR's flags are those of the oldest byte). */
bool vuart_break(struct vuart *u);
/* How many bytes vuart_give() would take. */
size_t vuart_room(const struct vuart *u);

#endif
