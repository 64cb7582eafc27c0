/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smp: what its files share. CPU 0 checks; the others do what it tells them.
 */
#ifndef GUESTS_SMP_SMP_H
#define GUESTS_SMP_SMP_H

#include "guests/lib/test.h"
#include "guests/lib/irq.h"

#define VECTOR_PING  0x41
#define VECTOR_PONG  0x42
#define VECTOR_ALL   0x43
#define VECTOR_TOKEN 0x44
#define VECTOR_ALARM 0x45

extern unsigned smp_count; /* CPUs of this VM */
extern uint32_t smp_rounds;

/* start.c: INIT and start-up IPIs. Leaves all CPUs up, idle, their local APICs enabled. */
void smp_starts(void);
void smp_restarts(void);
/* ipi.c: interrupts from CPU to CPU, and waking up. */
void smp_ipis(void);
void smp_wake_ups(void);
/* time.c: one TSC for all. */
void smp_time(void);

#endif
