/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of the PC are to each other; for core/machine*.c alone.
 */
#ifndef CORE_MACHINE_PARTS_H
#define CORE_MACHINE_PARTS_H

#include "core/machine.h"

/* Inputs of the 8259 pair, and of the IOAPIC but for the PIT's. */
#define IRQ_PIT     0
#define IRQ_KBC     1
#define IRQ_COM2    3
#define IRQ_COM1    4
#define IRQ_SCI     9

/* What an access to a region may have consequences for; the tags of the buses' regions. */
#define TAG_LINES  BIT(0) /* interrupt lines */
#define TAG_TIME   BIT(1) /* its time has to come to now before */
#define TAG_PIT    BIT(2) /* the PIT's has, if nobody hears it */
#define TAG_TIMER  BIT(3) /* when the devices are due next */
#define TAG_MASKS  BIT(4) /* who hears the PIT */
#define TAG_AFTER  BIT(5) /* console bytes, or the VM's end */
#define TAG_BEFORE (TAG_TIME | TAG_PIT)
#define TAG_TIMED  (TAG_LINES | TAG_TIME | TAG_TIMER) /* writes to what knows the time */
#define TAG_INPUTS (TAG_LINES | TAG_PIT | TAG_MASKS)  /* writes to an interrupt controller */

/* --- machine.c --- */
/* What running systems access again and again is found by its port alone. */
void machine_set_cells(struct vm *vm);

/* --- machine_console.c --- */
/* machine_drain() for who holds the VM's lock. */
void machine_drain_locked(struct vm *vm);

#endif
