/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the two halves of the emulated local APIC share: vlapic.c (interrupts and modes) and
 * vlapic_regs.c (registers and MSRs). Nobody else includes this.
 */
#ifndef DRIVERS_EMU_VLAPIC_REGS_H
#define DRIVERS_EMU_VLAPIC_REGS_H

#include "core/lib/string.h"
#include "drivers/emu/vlapic.h"

#define VLAPIC_SVR_ENABLE          0x100u  /* software enable */
#define VLAPIC_SVR_NO_BROADCAST    0x1000u /* suppress EOI broadcasts */

#define VLAPIC_LVT_MODE            0x700u   /* enum apic_mode, fixed is 0 */
#define VLAPIC_LVT_LEVEL           0x8000u
#define VLAPIC_LVT_MASKED          0x10000u
#define VLAPIC_LVT_REMOTE_IRR      0x4000u

#define VLAPIC_ESR_SEND_ILLEGAL    0x20u /* illegal vector in a message sent */
#define VLAPIC_ESR_RECEIVE_ILLEGAL 0x40u /* the same in one received */
#define VLAPIC_ESR_ILLEGAL_ADDRESS 0x80u /* register address */

/* 32 bits of the page; offset is below VLAPIC_SIZE. */
static inline uint32_t vlapic_reg(const struct vlapic *v, unsigned offset)
{
    uint32_t value;
    memcpy(&value, v->page + offset, sizeof(value));
    return value;
}

static inline void vlapic_set_reg(struct vlapic *v, unsigned offset, uint32_t value)
{
    memcpy(v->page + offset, &value, sizeof(value));
}

static inline void vlapic_set_svr(struct vlapic *v, uint32_t value)
{
    v->svr = value;
    vlapic_set_reg(v, VLAPIC_SVR, value);
}

/* In vlapic.c. */
void vlapic_error(struct vlapic *v, uint8_t bit);
/* The source behind an LVT register wants an interrupt; false if nothing came of it. */
bool vlapic_deliver_lvt(struct vlapic *v, unsigned offset);
/* LINT0's level, its LVT register or its remote IRR bit may have changed. */
void vlapic_lint0_changed(struct vlapic *v);

/* In vlapic_regs.c: page, timer and errors as after an INIT in the present mode. */
void vlapic_registers_reset(struct vlapic *v);

#endif
