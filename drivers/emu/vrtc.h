/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MC146818 real-time clock and the PC's 128 bytes of CMOS. PURE, sans-I/O: time of day runs on
 * the VM's clock from the Unix time the owner gives, edges are computed from absolute time. Must
 * not ask anyone for the time.
 * Have open: Motorola's data sheet "MC146818 Real-Time Clock Plus RAM".
 */
#ifndef DRIVERS_EMU_VRTC_H
#define DRIVERS_EMU_VRTC_H

#include "core/io.h"

#define VRTC_PORT    0x70 /* index and data; accesses are single bytes */
#define VRTC_PORTS   2
#define VRTC_IRQ     8
#define VRTC_BYTES   128
#define VRTC_CENTURY 0x32 /* for the FADT */

struct vrtc {
    uint8_t index;        /* port 70h, bits 6:0 */
    bool nmi_masked;      /* port 70h, bit 7 */
    uint8_t ram[VRTC_BYTES]; /* registers and memory as the guest sees them, but for UIP */
    uint64_t now_ns;
    uint64_t seconds_done;/* update cycles since `epoch_ns` that have been looked at */
    uint64_t ticks_done;  /* periodic ticks since then, at the present rate */
    int64_t epoch_ns;     /* an update cycle ends here and every second after it */
    int64_t base_seconds; /* Unix time at 0 of the VM's clock, for reset */
};

/* advance, deadline and irq included; irq is the level of IRQF. Advance to the present before every
 * access. Flags stay set until register C is read, so that missed periods count as one; the edges
 * that follow stay in phase. There is a deadline only for what would raise irq when it is low. */
extern const struct device_ops vrtc_ops;

/* A battery-backed clock that is right: unix_seconds is the time of day, UTC, at 0 of the VM's
 * clock (years 0 to 9999, else 1970), now_ns what that clock shows. 24 hours, BCD, no interrupt
 * enabled, the memory zero. A reset does the same with the time that was given here. */
void vrtc_init(struct vrtc *r, int64_t unix_seconds, uint64_t now_ns);
/* What firmware would leave in the memory: index 0x0e to 0x7f but for the century, others are
 * ignored. A reset clears it. */
void vrtc_set_byte(struct vrtc *r, unsigned index, uint8_t value);

#endif
