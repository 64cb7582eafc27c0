/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The physical 8259 pair: moved out of the exceptions' way and masked; the IOAPIC does the work.
 */
#ifndef DRIVERS_HW_PIC_H
#define DRIVERS_HW_PIC_H

void pic_disable(void);

#endif
