/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Integer arithmetic as the processor does it, flags included: numbers go in, the result comes out
 * and the status flags in *rflags change, all other bits of it stay. PURE. Have open: SDM, "EFLAGS
 * Cross-Reference" and the instructions' own pages.
 */
#ifndef CORE_ARITH_H
#define CORE_ARITH_H

#include "core/insn.h"

#define ARITH_CF     BIT(0)
#define ARITH_PF     BIT(2)
#define ARITH_AF     BIT(4)
#define ARITH_ZF     BIT(6)
#define ARITH_SF     BIT(7)
#define ARITH_OF     BIT(11)
#define ARITH_STATUS (ARITH_CF | ARITH_PF | ARITH_AF | ARITH_ZF | ARITH_SF | ARITH_OF)

/* The bits of a number of width bytes: 1, 2, 4 or 8, as everywhere here. Operands must not have
 * others set. */
static inline uint64_t arith_mask(unsigned width)
{
    return width >= 8 ? UINT64_MAX : BIT(8 * width) - 1;
}

/* carry and borrow: 0 or 1. */
uint64_t arith_add(uint64_t a, uint64_t b, uint64_t carry, unsigned width, uint64_t *rflags);
uint64_t arith_subtract(uint64_t a, uint64_t b, uint64_t borrow, unsigned width,
                        uint64_t *rflags);
/* op: enum insn_alu. CMP gives the difference too. */
uint64_t arith_alu(unsigned op, uint64_t a, uint64_t b, unsigned width, uint64_t *rflags);
/* INC and DEC: CF stays. */
uint64_t arith_step(uint64_t a, bool up, unsigned width, uint64_t *rflags);
/* op: enum insn_shift. count is cut as the processor does. */
uint64_t arith_shift(unsigned op, uint64_t v, unsigned count, unsigned width, uint64_t *rflags);
/* Whether condition cc (0 to 15, as in Jcc, SETcc, CMOVcc) holds. */
bool arith_condition(unsigned cc, uint64_t rflags);

#endif
