/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The physical serial line (16550 family): the operator's console. Output goes through a ring which
 * is drained whenever the line takes more; only a full ring makes a writer wait.
 */
#ifndef DRIVERS_HW_UART_H
#define DRIVERS_HW_UART_H

#include "core/lib/bits.h"

/* Sets the port up (8N1, FIFOs on, interrupts on received data). False: no UART answers there. */
bool uart_init(uint16_t port, uint32_t baud);
bool uart_present(void);
/* Queues text, waiting for room if it must. */
void uart_write(const char *text, size_t len);
size_t uart_room(void);
/* Moves bytes from the ring to the line and from the line to the input ring. */
void uart_poll(void);
/* The next byte received, or -1. */
int uart_read(void);
/* Waits until everything queued has left the machine. */
void uart_flush(void);
/* From now on write at once, without the ring: for panic. */
void uart_set_synchronous(void);

#endif
