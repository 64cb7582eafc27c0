/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI's fixed hardware: the PM1a event and control blocks and the PM timer, in one region of
 * VPM_PORTS ports. PURE, sans-I/O. The machine is always in ACPI mode: SCI_EN reads 1, the FADT
 * says SMI_CMD 0. Only S5 exists; entering it is recorded, its owner looks after each access.
 * Have open: the ACPI specification, "ACPI Hardware Specification".
 */
#ifndef DRIVERS_EMU_VPM_H
#define DRIVERS_EMU_VPM_H

#include "core/io.h"

#define VPM_PORTS      12 /* accesses of at most 4 bytes */
/* Offsets for the FADT's block addresses, and the blocks' lengths. */
#define VPM_EVENT      0  /* PM1a_EVT_BLK: status, enable */
#define VPM_EVENT_LEN  4
#define VPM_CONTROL    4  /* PM1a_CNT_BLK */
#define VPM_CONTROL_LEN 2
#define VPM_TIMER      8  /* PM_TMR_BLK */
#define VPM_TIMER_LEN  4
#define VPM_SLP_TYP_S5 5  /* for the DSDT's _S5 */

struct vpm {
    uint16_t status, enable, control; /* PM1a registers as they are read */
    bool timer32;          /* TMR_VAL_EXT of the FADT: 32 bits, else 24 */
    bool s5_requested;     /* stays until reset */
    uint64_t now_ns;
    uint64_t now;          /* the same in ticks */
};

/* advance, deadline and irq included; irq is the level of SCI, true for asserted. Advance to the
 * present before every access. The deadline is the timer's next carry, if its interrupt is enabled
 * and not pending. */
extern const struct device_ops vpm_ops;

/* now_ns is the VM's clock; the timer is that clock in ticks of 315/88 MHz (3.579545 MHz). */
void vpm_init(struct vpm *p, bool timer32, uint64_t now_ns);
/* The operator asks for an orderly end: sets PWRBTN_STS. */
void vpm_press_power_button(struct vpm *p);
/* The guest has asked for an interrupt by it. */
bool vpm_listens_to_power_button(const struct vpm *p);

#endif
