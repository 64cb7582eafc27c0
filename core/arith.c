/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Integer arithmetic as the processor does it, flags included. PURE. Flags that the manual leaves
 * undefined get some value. Have open: SDM, "EFLAGS Cross-Reference" and the instructions' pages.
 */
#include "core/arith.h"

static uint64_t top_bit(unsigned width)
{
    return BIT(8 * width - 1);
}

static uint64_t flag_if(bool set, uint64_t flag)
{
    return set ? flag : 0;
}

/* PF looks at the low byte only. */
static uint64_t result_flags(uint64_t r, unsigned width)
{
    return flag_if(r == 0, ARITH_ZF) | flag_if(r & top_bit(width), ARITH_SF) |
           flag_if(!__builtin_parity((unsigned)(r & 0xff)), ARITH_PF);
}

static void set_flags(uint64_t *rflags, uint64_t which, uint64_t value)
{
    *rflags = (*rflags & ~which) | (value & which);
}

/* a and b are cut to width; carries are recovered from operands and result. */
uint64_t arith_add(uint64_t a, uint64_t b, uint64_t carry, unsigned width, uint64_t *rflags)
{
    uint64_t r = (a + b + carry) & arith_mask(width), top = top_bit(width);
    set_flags(rflags, ARITH_STATUS,
              result_flags(r, width) | flag_if(((a & b) | ((a | b) & ~r)) & top, ARITH_CF) |
              flag_if((a ^ r) & (b ^ r) & top, ARITH_OF) | ((a ^ b ^ r) & ARITH_AF));
    return r;
}

uint64_t arith_subtract(uint64_t a, uint64_t b, uint64_t borrow, unsigned width, uint64_t *rflags)
{
    uint64_t r = (a - b - borrow) & arith_mask(width), top = top_bit(width);
    set_flags(rflags, ARITH_STATUS,
              result_flags(r, width) | flag_if(((~a & b) | (~(a ^ b) & r)) & top, ARITH_CF) |
              flag_if((a ^ b) & (a ^ r) & top, ARITH_OF) | ((a ^ b ^ r) & ARITH_AF));
    return r;
}

/* Of AND, OR, XOR, TEST. AF is undefined. */
static uint64_t logic(uint64_t r, unsigned width, uint64_t *rflags)
{
    set_flags(rflags, ARITH_STATUS, result_flags(r, width));
    return r;
}

uint64_t arith_alu(unsigned op, uint64_t a, uint64_t b, unsigned width, uint64_t *rflags)
{
    uint64_t carry = *rflags & ARITH_CF;
    switch (op) {
    case INSN_ADD:
        return arith_add(a, b, 0, width, rflags);
    case INSN_ADC:
        return arith_add(a, b, carry, width, rflags);
    case INSN_SUB:
    case INSN_CMP:
        return arith_subtract(a, b, 0, width, rflags);
    case INSN_SBB:
        return arith_subtract(a, b, carry, width, rflags);
    case INSN_AND:
        return logic(a & b, width, rflags);
    case INSN_OR:
        return logic(a | b, width, rflags);
    default:
        return logic(a ^ b, width, rflags);
    }
}

/* INC and DEC leave CF alone. */
uint64_t arith_step(uint64_t a, bool up, unsigned width, uint64_t *rflags)
{
    uint64_t carry = *rflags & ARITH_CF;
    uint64_t r = up ? arith_add(a, 1, 0, width, rflags) : arith_subtract(a, 1, 0, width, rflags);
    set_flags(rflags, ARITH_CF, carry);
    return r;
}

/* One position at a time: at most 63 of them, and RCL and RCR need no case of their own. */
static uint64_t rotate(unsigned op, uint64_t v, unsigned count, unsigned width, uint64_t *rflags)
{
    uint64_t top = top_bit(width), mask = arith_mask(width);
    bool left = op == INSN_ROL || op == INSN_RCL, through = op >= INSN_RCL;
    bool carry = *rflags & ARITH_CF;
    for (unsigned i = 0; i < count; i++) {
        bool out = v & (left ? top : 1);
        bool in = through ? carry : out;
        v = left ? (v << 1 & mask) | in : v >> 1 | (in ? top : 0);
        carry = out;
    }
    bool overflow = left ? !!(v & top) != carry : !!(v & top) != !!(v & top >> 1);
    if (count > 0)
        set_flags(rflags, ARITH_CF | ARITH_OF,
                  flag_if(carry, ARITH_CF) | flag_if(overflow, ARITH_OF));
    return v;
}

uint64_t arith_shift(unsigned op, uint64_t v, unsigned count, unsigned width, uint64_t *rflags)
{
    uint64_t top = top_bit(width), mask = arith_mask(width), before = v;
    bool carry = false, overflow = false;
    count &= width == 8 ? 63 : 31;
    if (op <= INSN_RCR)
        return rotate(op, v, count, width, rflags);
    if (count == 0)
        return v;
    for (unsigned i = 0; i < count; i++) {
        if (op == INSN_SHL || op == INSN_SAL) {
            carry = v & top;
            v = v << 1 & mask;
            overflow = !!(v & top) != carry;
        } else {
            carry = v & 1;
            v = v >> 1 | (op == INSN_SAR ? v & top : 0);
            overflow = op == INSN_SHR && (before & top);
        }
    }
    set_flags(rflags, ARITH_STATUS, result_flags(v, width) | flag_if(carry, ARITH_CF) |
                                  flag_if(overflow, ARITH_OF));
    return v;
}

/* The sixteen conditions: eight and their opposites. */
bool arith_condition(unsigned cc, uint64_t rflags)
{
    bool less = !!(rflags & ARITH_SF) != !!(rflags & ARITH_OF), met;
    switch (cc >> 1) {
    case 0:
        met = rflags & ARITH_OF;
        break;
    case 1:
        met = rflags & ARITH_CF;
        break;
    case 2:
        met = rflags & ARITH_ZF;
        break;
    case 3:
        met = rflags & (ARITH_CF | ARITH_ZF);
        break;
    case 4:
        met = rflags & ARITH_SF;
        break;
    case 5:
        met = rflags & ARITH_PF;
        break;
    case 6:
        met = less;
        break;
    default:
        met = less || (rflags & ARITH_ZF);
        break;
    }
    return met != (cc & 1);
}
