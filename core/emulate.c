/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The executor: one function per shape of instruction; arith.c computes. PURE; see the header.
 * Everything that can be refused comes before the first change of a register, and all checks of a
 * destination before the first read, since reads of devices have side effects. Have open: SDM,
 * "Instruction Set Reference".
 */
#include "core/emulate.h"

#include "arch/x86/regs.h"
#include "core/arith.h"
#include "core/lib/string.h"

enum { AX, CX, DX, BX, SP, BP, SI, DI };

/* --- numbers of 1, 2, 4 or 8 bytes ---------------------------------------------------------- */

static uint64_t sign_extend(uint64_t v, unsigned width)
{
    uint64_t sign = BIT(8 * width - 1);
    return ((v & arith_mask(width)) ^ sign) - sign;
}

static uint64_t swap_bytes(uint64_t v, unsigned width)
{
    return __builtin_bswap64(v) >> (64 - 8 * width);
}

/* What a register becomes: 32-bit results clear the upper half, narrower ones leave the rest. */
static uint64_t merge(uint64_t old, uint64_t value, unsigned width)
{
    uint64_t mask = arith_mask(width);
    return width == 4 ? value & mask : (old & ~mask) | (value & mask);
}

static void set_flag(uint64_t *rflags, uint64_t flag, bool on)
{
    *rflags = on ? *rflags | flag : *rflags & ~flag;
}

/* --- operands ------------------------------------------------------------------------------- */

static uint64_t get_register(const struct emulate_ctx *c)
{
    const struct insn *in = c->insn;
    uint64_t v = c->gpr[in->reg];
    return (in->high_byte ? v >> 8 : v) & arith_mask(in->reg_width);
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
        return (uint64_t)c->insn->imm & arith_mask(c->insn->width);
    return get_register(c);
}

static bool linear(const struct emulate_ctx *c, unsigned seg, uint64_t offset, unsigned size,
                   bool write, uint64_t *at)
{
    return c->ops->linear(c->machine, seg, offset, size, write, at);
}

/* Of an operand that is only read: for instructions that have another one as well. */
static bool probe_read(const struct emulate_ctx *c, uint64_t at, unsigned size)
{
    return c->ops->probe(c->machine, at, size, false);
}

static bool probe(const struct emulate_ctx *c, uint64_t at, unsigned size)
{
    return c->ops->probe(c->machine, at, size, true);
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
    else if (in->op == INSN_CMOVCC && !arith_condition(in->sub, c->rflags))
        v = get_register(c); /* written all the same: 32 bits clear the upper half */
    set_register(c, v);
    return true;
}

static bool store(struct emulate_ctx *c)
{
    const struct insn *in = c->insn;
    uint64_t at, v;
    if (in->op == INSN_SETCC)
        v = arith_condition(in->sub, c->rflags);
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
    if (!locate(c, false, &from) || !probe_read(c, from, width) ||
        !linear(c, INSN_SS, sp & arith_mask(c->stack_size), width, true, &to) ||
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
    if (!linear(c, INSN_SS, old & arith_mask(c->stack_size), width, false, &from) ||
        !probe_read(c, from, width))
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
    uint64_t r = arith_alu(in->sub, get_register(c), v, in->width, &c->rflags);
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
    arith_alu(in->op == INSN_TEST ? INSN_AND : INSN_CMP, v, get_source(c), in->width, &c->rflags);
    return true;
}

/* The new value of a memory operand which is read and written. */
static uint64_t modified(const struct emulate_ctx *c, uint64_t v, uint64_t *rflags)
{
    const struct insn *in = c->insn;
    switch (in->op) {
    case INSN_INC:
        return arith_step(v, true, in->width, rflags);
    case INSN_DEC:
        return arith_step(v, false, in->width, rflags);
    case INSN_NOT:
        return ~v;
    case INSN_NEG:
        return arith_subtract(0, v, 0, in->width, rflags);
    case INSN_SHIFT:
        return arith_shift(in->sub, v,
                     (unsigned)(in->form == INSN_FORM_CL ? c->gpr[CX] : (uint64_t)in->imm) & 0xff,
                     in->width, rflags);
    case INSN_XCHG:
        return get_register(c);
    case INSN_XADD:
        return arith_add(v, get_register(c), 0, in->width, rflags);
    default:
        return arith_alu(in->sub, v, get_source(c), in->width, rflags);
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
 * other flags but CF are undefined. */
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
    set_flag(&c->rflags, ARITH_CF, v & flag);
    return true;
}

/* Memory is written whatever comes out of the comparison. */
static bool cmpxchg(struct emulate_ctx *c)
{
    const struct insn *in = c->insn;
    uint64_t at, v, rflags = c->rflags;
    if (!locate(c, true, &at) || !read(c, at, in->width, &v))
        return false;
    arith_subtract(c->gpr[AX] & arith_mask(in->width), v, 0, in->width, &rflags);
    bool equal = rflags & ARITH_ZF;
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
    uint64_t at, low = 0, high = 0, mask = arith_mask(half);
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
    set_flag(&c->rflags, ARITH_ZF, equal);
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
    uint64_t mask = arith_mask(in->address_size), from = 0, to = 0, w;
    uint64_t v = c->gpr[AX] & arith_mask(in->width);
    if (si && !linear(c, in->seg, c->gpr[SI] & mask, in->width, false, &from))
        return false;
    if (si && di && !probe_read(c, from, in->width))
        return false;
    if (di && !linear(c, INSN_ES, c->gpr[DI] & mask, in->width, stores, &to))
        return false;
    if (stores ? !probe(c, to, in->width) : si && di && !probe_read(c, to, in->width))
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
    arith_subtract(v, w, 0, in->width, &c->rflags);
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
    if ((c->gpr[CX] & arith_mask(in->address_size)) == 0)
        return true;
    if (in->op != INSN_CMPS && in->op != INSN_SCAS)
        return false;
    return !!(c->rflags & ARITH_ZF) != (in->repeat == INSN_REPE);
}

static enum emulate_result string(struct emulate_ctx *c)
{
    const struct insn *in = c->insn;
    uint64_t flags_before = c->rflags;
    unsigned limit = c->limit ? c->limit : 1;
    if (in->repeat && (c->gpr[CX] & arith_mask(in->address_size)) == 0)
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
