/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Masks the physical 8259 pair. It is initialised first, since a spurious interrupt comes even
 * through a mask and must then not look like an exception. Data sheet: Intel 8259A.
 */
#include "drivers/hw/pic.h"

#include "arch/x86/insn.h"

#define MASTER        0x20
#define SLAVE         0xa0
#define ICW1_INIT     0x11
#define ICW4_8086     0x01
#define VECTOR_MASTER 0xe0 /* spurious ones arrive at E7h and EFh and are ignored */
#define VECTOR_SLAVE  0xe8

void pic_disable(void)
{
    out8(MASTER, ICW1_INIT);
    out8(SLAVE, ICW1_INIT);
    out8(MASTER + 1, VECTOR_MASTER);
    out8(SLAVE + 1, VECTOR_SLAVE);
    out8(MASTER + 1, 1 << 2);
    out8(SLAVE + 1, 2);
    out8(MASTER + 1, ICW4_8086);
    out8(SLAVE + 1, ICW4_8086);
    out8(MASTER + 1, 0xff);
    out8(SLAVE + 1, 0xff);
}
