/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The executor: one function per shape of instruction, arithmetic as pure functions of operands and
 * flags. PURE; see the header. Everything that can be refused comes before the first change of a
 * register, and all checks of a destination before the first read, since reads of devices have side
 * effects. Flags that the manual leaves undefined get some value. Have open: SDM, "Instruction Set
 * Reference" and "EFLAGS Cross-Reference".
 */
#include "core/emulate.h"

#include "arch/x86/regs.h"
#include "core/lib/string.h"

#define FLAG_CF RFLAGS_CF
#define FLAG_PF BIT(2)
#define FLAG_AF BIT(4)
#define FLAG_ZF BIT(6)
#define FLAG_SF BIT(7)
#define FLAG_OF BIT(11)
#define STATUS  (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

enum { AX, CX, DX, BX, SP, BP, SI, DI };

/* --- numbers of 1, 2, 4 or 8 bytes ---------------------------------------------------------- */

static uint64_t mask_of(unsigned width)
{
    return width >= 8 ? UINT64_MAX : BIT(8 * width) - 1;
}

static uint64_t top_bit(unsigned width)
{
    return BIT(8 * width - 1);
}

static uint64_t sign_extend(uint64_t v, unsigned width)
{
    uint64_t sign = top_bit(width);
    return ((v & mask_of(width)) ^ sign) - sign;
}

static uint64_t swap_bytes(uint64_t v, unsigned width)
{
    return __builtin_bswap64(v) >> (64 - 8 * width);
}

/* What a register becomes: 32-bit results clear the upper half, narrower ones leave the rest. */
static uint64_t merge(uint64_t old, uint64_t value, unsigned width)
{
    uint64_t mask = mask_of(width);
    return width == 4 ? value & mask : (old & ~mask) | (value & mask);
}

/* --- flags ---------------------------------------------------------------------------------- */

static uint64_t flag_if(bool set, uint64_t flag)
{
    return set ? flag : 0;
}

/* PF looks at the low byte only. */
static uint64_t result_flags(uint64_t r, unsigned width)
{
    return flag_if(r == 0, FLAG_ZF) | flag_if(r & top_bit(width), FLAG_SF) |
           flag_if(!__builtin_parity((unsigned)(r & 0xff)), FLAG_PF);
}

static void set_flags(uint64_t *rflags, uint64_t which, uint64_t value)
{
    *rflags = (*rflags & ~which) | (value & which);
}

/* a and b are cut to width; carries are recovered from operands and result. */
static uint64_t add(uint64_t a, uint64_t b, uint64_t carry, unsigned width, uint64_t *rflags)
{
    uint64_t r = (a + b + carry) & mask_of(width), top = top_bit(width);
    set_flags(rflags, STATUS,
              result_flags(r, width) | flag_if(((a & b) | ((a | b) & ~r)) & top, FLAG_CF) |
              flag_if((a ^ r) & (b ^ r) & top, FLAG_OF) | ((a ^ b ^ r) & FLAG_AF));
    return r;
}

static uint64_t subtract(uint64_t a, uint64_t b, uint64_t borrow, unsigned width, uint64_t *rflags)
{
    uint64_t r = (a - b - borrow) & mask_of(width), top = top_bit(width);
    set_flags(rflags, STATUS,
              result_flags(r, width) | flag_if(((~a & b) | (~(a ^ b) & r)) & top, FLAG_CF) |
              flag_if((a ^ b) & (a ^ r) & top, FLAG_OF) | ((a ^ b ^ r) & FLAG_AF));
    return r;
}

/* Of AND, OR, XOR, TEST. AF is undefined. */
static uint64_t logic(uint64_t r, unsigned width, uint64_t *rflags)
{
    set_flags(rflags, STATUS, result_flags(r, width));
    return r;
}

static uint64_t alu(unsigned op, uint64_t a, uint64_t b, unsigned width, uint64_t *rflags)
{
    uint64_t carry = *rflags & FLAG_CF;
    switch (op) {
    case INSN_ADD:
        return add(a, b, 0, width, rflags);
    case INSN_ADC:
        return add(a, b, carry, width, rflags);
    case INSN_SUB:
    case INSN_CMP:
        return subtract(a, b, 0, width, rflags);
    case INSN_SBB:
        return subtract(a, b, carry, width, rflags);
    case INSN_AND:
        return logic(a & b, width, rflags);
    case INSN_OR:
        return logic(a | b, width, rflags);
    default:
        return logic(a ^ b, width, rflags);
    }
}

/* INC and DEC leave CF alone. */
static uint64_t step(uint64_t a, bool up, unsigned width, uint64_t *rflags)
{
    uint64_t carry = *rflags & FLAG_CF;
    uint64_t r = up ? add(a, 1, 0, width, rflags) : subtract(a, 1, 0, width, rflags);
    set_flags(rflags, FLAG_CF, carry);
    return r;
}

/* One position at a time: at most 63 of them, and RCL and RCR need no case of their own. */
static uint64_t rotate(unsigned op, uint64_t v, unsigned count, unsigned width, uint64_t *rflags)
{
    uint64_t top = top_bit(width), mask = mask_of(width);
    bool left = op == INSN_ROL || op == INSN_RCL, through = op >= INSN_RCL;
    bool carry = *rflags & FLAG_CF;
    for (unsigned i = 0; i < count; i++) {
        bool out = v & (left ? top : 1);
        bool in = through ? carry : out;
        v = left ? (v << 1 & mask) | in : v >> 1 | (in ? top : 0);
        carry = out;
    }
    bool overflow = left ? !!(v & top) != carry : !!(v & top) != !!(v & top >> 1);
    if (count > 0)
        set_flags(rflags, FLAG_CF | FLAG_OF,
                  flag_if(carry, FLAG_CF) | flag_if(overflow, FLAG_OF));
    return v;
}

static uint64_t shift(unsigned op, uint64_t v, unsigned count, unsigned width, uint64_t *rflags)
{
    uint64_t top = top_bit(width), mask = mask_of(width), before = v;
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
    set_flags(rflags, STATUS, result_flags(v, width) | flag_if(carry, FLAG_CF) |
                                  flag_if(overflow, FLAG_OF));
    return v;
}

/* The sixteen conditions: eight and their opposites. */
static bool condition(unsigned cc, uint64_t rflags)
{
    bool less = !!(rflags & FLAG_SF) != !!(rflags & FLAG_OF), met;
    switch (cc >> 1) {
    case 0:
        met = rflags & FLAG_OF;
        break;
    case 1:
        met = rflags & FLAG_CF;
        break;
    case 2:
        met = rflags & FLAG_ZF;
        break;
    case 3:
        met = rflags & (FLAG_CF | FLAG_ZF);
        break;
    case 4:
        met = rflags & FLAG_SF;
        break;
    case 5:
        met = rflags & FLAG_PF;
        break;
    case 6:
        met = less;
        break;
    default:
        met = less || (rflags & FLAG_ZF);
        break;
    }
    return met != (cc & 1);
}

/* --- operands ------------------------------------------------------------------------------- */

static uint64_t get_register(const struct emulate_ctx *c)
{
    const struct insn *in = c->insn;
    uint64_t v = c->gpr[in->reg];
    return (in->high_byte ? v >> 8 : v) & mask_of(in->reg_width);
}

static void set_register(struct emulate_ctx *c, uint64_t value)
{
    const struct insn *in = c->insn;
    uint64_t *r = &c->gpr[in->reg];
    if (in->high_byte)
        *r = (*r & ~UINT64_C(0xff00)) | (value & 0xff) << 8;
    else
        *r = merge(*r, value, in->reg_width);
}

/* What stands to the right of the operation. */
static uint64_t get_source(const struct emulate_ctx *c)
{
    if (c->insn->form == INSN_FORM_MEM_IMM)
        return (uint64_t)c->insn->imm & mask_of(c->insn->width);
    return get_register(c);
}

static bool linear(const struct emulate_ctx *c, unsigned seg, uint64_t offset, unsigned size,
                   bool write, uint64_t *at)
{
    return c->ops->linear(c->machine, seg, offset, size, write, at);
}

static bool probe(const struct emulate_ctx *c, uint64_t at, unsigned size)
{
    return c->ops->probe(c->machine, at, size);
}

static bool read(const struct emulate_ctx *c, uint64_t at, unsigned size, uint64_t *value)
{
    uint8_t bytes[8] = {0};
    if (!c->ops->read(c->machine, at, bytes, size))
        return false;
    *value = 0;
    for (unsigned i = 0; i < size; i++)
        *value |= (uint64_t)bytes[i] << (8 * i);
    return true;
}

static bool write(const struct emulate_ctx *c, uint64_t at, unsigned size, uint64_t value)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    return c->ops->write(c->machine, at, bytes, size);
}

/* The linear address of the memory operand; writable: probed for that too. */
static bool locate_at(const struct emulate_ctx *c, uint64_t offset, bool writable, uint64_t *at)
{
    const struct insn *in = c->insn;
    if (!linear(c, in->seg, offset, in->width, writable, at))
        return false;
    if (in->aligned && *at % in->width != 0) {
        c->ops->raise(c->machine, VECTOR_GP, 0);
        return false;
    }
    return !writable || probe(c, *at, in->width);
}

static bool locate(const struct emulate_ctx *c, bool writable, uint64_t *at)
{
    return locate_at(c, insn_offset(c->insn, c->gpr, c->rip), writable, at);
}

/* --- moves ---------------------------------------------------------------------------------- */

static bool load(struct emulate_ctx *c)
{
    const struct insn *in = c->insn;
    uint64_t at, v;
    if (!locate(c, false, &at) || !read(c, at, in->width, &v))
        return false;
    if (in->op == INSN_MOVSX)
        v = sign_extend(v, in->width);
    else if (in->op == INSN_MOVBE_LOAD)
        v = swap_bytes(v, in->width);
    else if (in->op == INSN_CMOVCC && !condition(in->sub, c->rflags))
        v = get_register(c); /* written all the same: 32 bits clear the upper half */
    set_register(c, v);
    return true;
}

static bool store(struct emulate_ctx *c)
{
    const struct insn *in = c->insn;
    uint64_t at, v;
    if (in->op == INSN_SETCC)
        v = condition(in->sub, c->rflags);
    else
        v = get_source(c);
    if (in->op == INSN_MOVBE_STORE)
        v = swap_bytes(v, in->width);
    return locate(c, true, &at) && write(c, at, in->width, v);
}

static bool move_xmm(struct emulate_ctx *c)
{
    const struct insn *in = c->insn;
    uint8_t value[16];
    uint64_t at;
    bool is_load = in->op == INSN_XMM_LOAD;
    if (!c->ops->read_xmm(c->machine, in->reg, value) || !locate(c, !is_load, &at))
        return false;
    if (!is_load)
        return c->ops->write(c->machine, at, value, in->width);
    memset(value, 0, sizeof(value));
    if (!c->ops->read(c->machine, at, value, in->width))
        return false;
    c->ops->write_xmm(c->machine, in->reg, value);
    return true;
}

/* PUSH of memory: read first, then onto the stack. */
static bool push(struct emulate_ctx *c)
{
    unsigned width = c->insn->width;
    uint64_t sp = merge(c->gpr[SP], c->gpr[SP] - width, c->stack_size), from, to, v;
    if (!locate(c, false, &from) ||
        !linear(c, INSN_SS, sp & mask_of(c->stack_size), width, true, &to) ||
        !probe(c, to, width) || !read(c, from, width, &v) || !write(c, to, width, v))
        return false;
    c->gpr[SP] = sp;
    return true;
}

/* POP to memory: the address is computed with the stack pointer behind the popped value. */
static bool pop(struct emulate_ctx *c)
{
    unsigned width = c->insn->width;
    uint64_t old = c->gpr[SP], from, to, v;
    if (!linear(c, INSN_SS, old & mask_of(c->stack_size), width, false, &from))
        return false;
    c->gpr[SP] = merge(old, old + width, c->stack_size);
    if (locate(c, true, &to) && read(c, from, width, &v) && write(c, to, width, v))
        return true;
    c->gpr[SP] = old;
    return false;
}

/* --- arithmetic ----------------------------------------------------------------------------- */

/* register = register op memory */
static bool alu_to_register(struct emulate_ctx *c)
{
    const struct insn *in = c->insn;
    uint64_t at, v;
    if (!locate(c, false, &at) || !read(c, at, in->width, &v))
        return false;
    uint64_t r = alu(in->sub, get_register(c), v, in->width, &c->rflags);
    if (in->sub != INSN_CMP)
        set_register(c, r);
    return true;
}

/* CMP and TEST with memory on the left: nothing is written. */
static bool compare(struct emulate_ctx *c)
{
    const struct insn *in = c->insn;
    uint64_t at, v;
    if (!locate(c, false, &at) || !read(c, at, in->width, &v))
        return false;
    alu(in->op == INSN_TEST ? INSN_AND : INSN_CMP, v, get_source(c), in->width, &c->rflags);
    return true;
}

/* The new value of a memory operand which is read and written. */
static uint64_t modified(const struct emulate_ctx *c, uint64_t v, uint64_t *rflags)
{
    const struct insn *in = c->insn;
    switch (in->op) {
    case INSN_INC:
        return step(v, true, in->width, rflags);
    case INSN_DEC:
        return step(v, false, in->width, rflags);
    case INSN_NOT:
        return ~v;
    case INSN_NEG:
        return subtract(0, v, 0, in->width, rflags);
    case INSN_SHIFT:
        return shift(in->sub, v,
                     (unsigned)(in->form == INSN_FORM_CL ? c->gpr[CX] : (uint64_t)in->imm) & 0xff,
                     in->width, rflags);
    case INSN_XCHG:
        return get_register(c);
    case INSN_XADD:
        return add(v, get_register(c), 0, in->width, rflags);
    default:
        return alu(in->sub, v, get_source(c), in->width, rflags);
    }
}

static bool modify(struct emulate_ctx *c)
{
    const struct insn *in = c->insn;
    uint64_t at, v, rflags = c->rflags;
    if (!locate(c, true, &at) || !read(c, at, in->width, &v))
        return false;
    if (!write(c, at, in->width, modified(c, v, &rflags)))
        return false;
    c->rflags = rflags;
    if (in->op == INSN_XCHG || in->op == INSN_XADD)
        set_register(c, v);
    return true;
}

/* A bit's number in a register reaches beyond the operand: it moves the address. ZF stays, the
 * others but CF are undefined. */
static bool bit(struct emulate_ctx *c)
{
    const struct insn *in = c->insn;
    uint64_t offset, at, v;
    uint64_t flag = BIT(insn_bit_offset(in, c->gpr, c->rip, &offset));
    if (!locate_at(c, offset, in->sub != INSN_BT, &at) || !read(c, at, in->width, &v))
        return false;
    uint64_t r = in->sub == INSN_BTS ? v | flag : in->sub == INSN_BTR ? v & ~flag : v ^ flag;
    if (in->sub != INSN_BT && !write(c, at, in->width, r))
        return false;
    set_flags(&c->rflags, FLAG_CF, flag_if(v & flag, FLAG_CF));
    return true;
}

/* Memory is written whatever comes out of the comparison. */
static bool cmpxchg(struct emulate_ctx *c)
{
    const struct insn *in = c->insn;
    uint64_t at, v, rflags = c->rflags;
    if (!locate(c, true, &at) || !read(c, at, in->width, &v))
        return false;
    subtract(c->gpr[AX] & mask_of(in->width), v, 0, in->width, &rflags);
    bool equal = rflags & FLAG_ZF;
    if (!write(c, at, in->width, equal ? get_register(c) : v))
        return false;
    c->rflags = rflags;
    if (!equal)
        c->gpr[AX] = merge(c->gpr[AX], v, in->width);
    return true;
}

static bool cmpxchg_pair(struct emulate_ctx *c)
{
    unsigned half = c->insn->width / 2;
    uint8_t old[16] = {0}, new[16];
    uint64_t at, low = 0, high = 0, mask = mask_of(half);
    if (!locate(c, true, &at) || !c->ops->read(c->machine, at, old, 2 * half))
        return false;
    for (unsigned i = 0; i < half; i++) {
        low |= (uint64_t)old[i] << (8 * i);
        high |= (uint64_t)old[half + i] << (8 * i);
        new[i] = (uint8_t)(c->gpr[BX] >> (8 * i));
        new[half + i] = (uint8_t)(c->gpr[CX] >> (8 * i));
    }
    bool equal = low == (c->gpr[AX] & mask) && high == (c->gpr[DX] & mask);
    if (!c->ops->write(c->machine, at, equal ? new : old, 2 * half))
        return false;
    set_flags(&c->rflags, FLAG_ZF, flag_if(equal, FLAG_ZF));
    if (!equal) {
        c->gpr[AX] = merge(c->gpr[AX], low, half);
        c->gpr[DX] = merge(c->gpr[DX], high, half);
    }
    return true;
}

/* --- strings -------------------------------------------------------------------------------- */

static bool uses_si(const struct insn *in)
{
    return in->op == INSN_MOVS || in->op == INSN_LODS || in->op == INSN_CMPS;
}

/* One element, without stepping the index registers. */
static bool string_element(struct emulate_ctx *c)
{
    const struct insn *in = c->insn;
    bool si = uses_si(in), di = in->op != INSN_LODS;
    bool stores = in->op == INSN_MOVS || in->op == INSN_STOS;
    uint64_t mask = mask_of(in->address_size), from = 0, to = 0, w;
    uint64_t v = c->gpr[AX] & mask_of(in->width);
    if (si && !linear(c, in->seg, c->gpr[SI] & mask, in->width, false, &from))
        return false;
    if (di && !linear(c, INSN_ES, c->gpr[DI] & mask, in->width, stores, &to))
        return false;
    if (stores && !probe(c, to, in->width))
        return false;
    if (si && !read(c, from, in->width, &v))
        return false;
    if (stores)
        return write(c, to, in->width, v);
    if (!di) {
        set_register(c, v);
        return true;
    }
    if (!read(c, to, in->width, &w))
        return false;
    subtract(v, w, 0, in->width, &c->rflags);
    return true;
}

static void string_step(struct emulate_ctx *c)
{
    const struct insn *in = c->insn;
    uint64_t by = c->rflags & RFLAGS_DF ? 0 - (uint64_t)in->width : in->width;
    if (uses_si(in))
        c->gpr[SI] = merge(c->gpr[SI], c->gpr[SI] + by, in->address_size);
    if (in->op != INSN_LODS)
        c->gpr[DI] = merge(c->gpr[DI], c->gpr[DI] + by, in->address_size);
}

/* REPE goes on while ZF is set, REPNE while it is clear; only CMPS and SCAS ask. */
static bool string_ends(const struct emulate_ctx *c)
{
    const struct insn *in = c->insn;
    if ((c->gpr[CX] & mask_of(in->address_size)) == 0)
        return true;
    if (in->op != INSN_CMPS && in->op != INSN_SCAS)
        return false;
    return !!(c->rflags & FLAG_ZF) != (in->repeat == INSN_REPE);
}

static enum emulate_result string(struct emulate_ctx *c)
{
    const struct insn *in = c->insn;
    uint64_t flags_before = c->rflags;
    unsigned limit = c->limit ? c->limit : 1;
    if (in->repeat && (c->gpr[CX] & mask_of(in->address_size)) == 0)
        return EMULATE_DONE;
    for (unsigned i = 0; i < limit; i++) {
        if (!string_element(c)) {
            c->rflags = flags_before;
            return EMULATE_FAULT;
        }
        string_step(c);
        if (!in->repeat)
            return EMULATE_DONE;
        c->gpr[CX] = merge(c->gpr[CX], c->gpr[CX] - 1, in->address_size);
        if (string_ends(c))
            return EMULATE_DONE;
    }
    return EMULATE_MORE;
}

/* --- all of them ---------------------------------------------------------------------------- */

/* False: a callback refused, and no register has changed. */
static bool single(struct emulate_ctx *c)
{
    const struct insn *in = c->insn;
    switch (in->op) {
    case INSN_MOV_STORE:
    case INSN_MOV_STORE_IMM:
    case INSN_MOVBE_STORE:
    case INSN_SETCC:
        return store(c);
    case INSN_MOV_LOAD:
    case INSN_MOVZX:
    case INSN_MOVSX:
    case INSN_MOVBE_LOAD:
    case INSN_CMOVCC:
        return load(c);
    case INSN_XMM_LOAD:
    case INSN_XMM_STORE:
        return move_xmm(c);
    case INSN_PUSH:
        return push(c);
    case INSN_POP:
        return pop(c);
    case INSN_BIT:
        return bit(c);
    case INSN_CMPXCHG:
        return cmpxchg(c);
    case INSN_CMPXCHG_PAIR:
        return cmpxchg_pair(c);
    case INSN_TEST:
        return compare(c);
    case INSN_ALU:
        if (in->form == INSN_FORM_REG_MEM)
            return alu_to_register(c);
        return in->sub == INSN_CMP ? compare(c) : modify(c);
    default:
        return modify(c);
    }
}

enum emulate_result emulate(struct emulate_ctx *c)
{
    unsigned op = c->insn->op;
    if (op <= INSN_TRUNCATED || op >= INSN_OPS)
        return EMULATE_UNKNOWN;
    if (c->insn->form == INSN_FORM_STRING)
        return string(c);
    return single(c) ? EMULATE_DONE : EMULATE_FAULT;
}
