/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * irq: what its files share. Interrupts are off but where a check lets them in.
 */
#ifndef GUESTS_IRQ_IRQ_GUEST_H
#define GUESTS_IRQ_IRQ_GUEST_H

#include "guests/lib/irq.h"
#include "guests/lib/test.h"

/* What came, in order, and where the first of it found the program; irqs_log() empties it. */
#define LOG_MAX 16
extern volatile uint32_t logged;
extern uint8_t log_vector[LOG_MAX];
extern uint64_t log_rip;
void irqs_log(void);
/* Handlers: they log, and end the interrupt at the local APIC, at the 8259s, or not at all. */
irq_fn log_apic, log_pic, log_only;

/* A redirection entry of the I/O APIC. */
#define IOAPIC_LEVEL  0x8000u
#define IOAPIC_MASKED 0x10000u
#define IOAPIC_REMOTE_IRR 0x4000u
uint32_t ioapic_read(unsigned reg);
void ioapic_write(unsigned reg, uint32_t value);
void ioapic_route(unsigned pin, uint32_t low, uint32_t destination);
uint32_t ioapic_entry(unsigned pin);

/* Line n of the test device. */
void line_set(unsigned n, bool level);
/* Interrupts on and the CPU asleep until so many have been logged; false: 500 ms passed. */
bool await_logged(uint32_t n);

/* The 8259s anew, with inputs 2, 5, 6, 7 and 10, 11, 12 open; icw4 is the master's. What a chip
 * answers at its first port after an OCW3. */
#define PIC_BASE 0x30 /* master's vectors; the slave's from 38H on */
void pics_start(uint8_t icw4);
uint8_t pic_read(uint16_t port, uint8_t ocw3);

void irq_pic_modes(void); /* pic.c */
void irq_pit(void);       /* pit.c */
void irq_ioapic(void);
void irq_pic(void);
void irq_timers(void);
void irq_windows(void);
void irq_faults(void);
void irq_debug(void);

#endif
