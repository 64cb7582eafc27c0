/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The decoder. PURE. Prefixes, then a row of insn_table.h by opcode, then the operands which the
 * row asks for. To add an instruction, add a row; one that is in no table is INSN_UNKNOWN, and so
 * are forms whose operands are all registers, since such an instruction touches no memory. Every
 * byte is fetched through fetch(), which knows how many there are and how long an instruction may
 * be. Have open: SDM, "Instruction Format" and "Opcode Map".
 */
#include "core/insn.h"

#include "core/insn_table.h"
#include "core/lib/string.h"

#define REX_W 0x08
#define REX_R 0x04
#define REX_X 0x02
#define REX_B 0x01

enum failure { FAILED_NOT, FAILED_TRUNCATED, FAILED_TOO_LONG };

struct decoder {
    const uint8_t *bytes;
    size_t n;
    unsigned at;
    enum failure failure; /* once set, every further byte reads 0 */
    struct insn *out;
    bool opsize, addrsize, lock;
    uint8_t repeat;       /* F2 or F3, the last one; 0: none */
    uint8_t rex;          /* 0: none */
    uint8_t seg;          /* of an override, or INSN_NO_REG */
    uint8_t operand;      /* operand size, bytes */
};

/* --- bytes ---------------------------------------------------------------------------------- */

static uint8_t fetch(struct decoder *d)
{
    if (d->failure == FAILED_NOT && d->at >= INSN_MAX_LENGTH)
        d->failure = FAILED_TOO_LONG;
    else if (d->failure == FAILED_NOT && d->at >= d->n)
        d->failure = FAILED_TRUNCATED;
    return d->failure == FAILED_NOT ? d->bytes[d->at++] : 0;
}

/* A little-endian number of 1, 2, 4 or 8 bytes. */
static uint64_t fetch_unsigned(struct decoder *d, unsigned size)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < size; i++)
        v |= (uint64_t)fetch(d) << (8 * i);
    return v;
}

static int64_t fetch_signed(struct decoder *d, unsigned size)
{
    uint64_t v = fetch_unsigned(d, size), sign = BIT(8 * size - 1);
    return (int64_t)((v ^ sign) - sign);
}

/* --- prefixes ------------------------------------------------------------------------------- */

/* In 64-bit mode only FS and GS can be chosen; the other four prefixes are ignored. */
static void override_segment(struct decoder *d, uint8_t seg)
{
    if (d->out->mode != 64 || seg >= INSN_FS)
        d->seg = seg;
}

static bool take_prefix(struct decoder *d, uint8_t byte)
{
    switch (byte) {
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
        override_segment(d, (byte >> 3) & 3);
        return true;
    case 0x64:
    case 0x65:
        override_segment(d, (uint8_t)(INSN_FS + (byte & 1)));
        return true;
    case 0x66:
        d->opsize = true;
        return true;
    case 0x67:
        d->addrsize = true;
        return true;
    case 0xf0:
        d->lock = true;
        return true;
    case 0xf2:
    case 0xf3:
        d->repeat = byte;
        return true;
    default:
        return false;
    }
}

/* Returns the first byte of the opcode. A REX prefix counts only if it stands right before it. */
static uint8_t take_prefixes(struct decoder *d)
{
    uint8_t byte = fetch(d);
    while (d->failure == FAILED_NOT) {
        if (take_prefix(d, byte))
            d->rex = 0;
        else if (d->out->mode == 64 && (byte & 0xf0) == 0x40)
            d->rex = byte;
        else
            break;
        byte = fetch(d);
    }
    return byte;
}

static void set_sizes(struct decoder *d)
{
    struct insn *o = d->out;
    if (o->mode == 16) {
        d->operand = d->opsize ? 4 : 2;
        o->address_size = d->addrsize ? 4 : 2;
    } else {
        d->operand = d->opsize ? 2 : 4;
        o->address_size = d->addrsize ? 2 : 4;
    }
    if (o->mode == 64) {
        o->address_size = d->addrsize ? 4 : 8;
        if (d->rex & REX_W)
            d->operand = 8;
    }
}

/* --- addresses ------------------------------------------------------------------------------ */

static void address_16bit(struct decoder *d, unsigned mod, unsigned rm)
{
    enum { AX, CX, DX, BX, SP, BP, SI, DI };
    static const uint8_t bases[8] = {BX, BX, BP, BP, SI, DI, BP, BX};
    static const uint8_t indexes[8] = {SI, DI, SI, DI, INSN_NO_REG, INSN_NO_REG, INSN_NO_REG,
                                       INSN_NO_REG};
    struct insn *o = d->out;
    if (mod == 0 && rm == 6) {
        o->disp = fetch_signed(d, 2);
        return;
    }
    o->base = bases[rm];
    o->index = indexes[rm];
    if (mod > 0)
        o->disp = fetch_signed(d, mod == 1 ? 1 : 2);
    if (o->base == BP)
        o->seg = INSN_SS;
}

static void address_sib(struct decoder *d, unsigned mod)
{
    struct insn *o = d->out;
    uint8_t sib = fetch(d);
    unsigned index = (sib >> 3 & 7) | (d->rex & REX_X ? 8 : 0);
    o->scale = (uint8_t)(1 << (sib >> 6));
    if (index != 4)
        o->index = (uint8_t)index;
    if ((sib & 7) == 5 && mod == 0)
        o->disp = fetch_signed(d, 4);
    else
        o->base = (uint8_t)((sib & 7) | (d->rex & REX_B ? 8 : 0));
}

static void address_32bit(struct decoder *d, unsigned mod, unsigned rm)
{
    struct insn *o = d->out;
    if (rm == 4) {
        address_sib(d, mod);
    } else if (rm == 5 && mod == 0) {
        o->rip_relative = o->mode == 64;
        o->disp = fetch_signed(d, 4);
    } else {
        o->base = (uint8_t)(rm | (d->rex & REX_B ? 8 : 0));
    }
    if (mod > 0)
        o->disp = fetch_signed(d, mod == 1 ? 1 : 4);
    /* RSP and RBP as a base mean the stack; R12 and R13, which share their low bits, do not. */
    if (o->base == 4 || o->base == 5)
        o->seg = INSN_SS;
}

/* --- operands ------------------------------------------------------------------------------- */

static void set_register(struct decoder *d, unsigned reg, bool byte)
{
    struct insn *o = d->out;
    /* Without any REX, byte registers 4 to 7 are AH, CH, DH and BH. */
    o->high_byte = byte && d->rex == 0 && reg >= 4 && reg < 8;
    o->reg = (uint8_t)(o->high_byte ? reg - 4 : reg);
}

static bool has_register(const struct insn *o)
{
    return o->form == INSN_FORM_REG_MEM || o->form == INSN_FORM_MEM_REG;
}

static void set_widths(struct decoder *d, unsigned flags)
{
    struct insn *o = d->out;
    uint8_t operand = flags & ROW_BYTE ? 1 : d->operand;
    if ((flags & ROW_STACK) && o->mode == 64 && operand == 4)
        operand = 8;
    o->reg_width = has_register(o) ? operand : 0;
    o->width = operand;
    if (flags & ROW_MEM8)
        o->width = 1;
    else if (flags & ROW_MEM16)
        o->width = 2;
    else if (flags & ROW_MEM32)
        o->width = 4;
    else if (flags & ROW_PAIR)
        o->width = d->operand == 8 ? 16 : 8;
    o->aligned = o->width == 16;
}

/* What ModRM says of memory. False: it names a register instead. */
static bool take_memory(struct decoder *d, uint8_t modrm)
{
    unsigned mod = modrm >> 6, rm = modrm & 7;
    if (mod == 3)
        return false;
    if (d->out->address_size == 2)
        address_16bit(d, mod, rm);
    else
        address_32bit(d, mod, rm);
    return true;
}

static unsigned modrm_reg(const struct decoder *d, uint8_t modrm)
{
    return (modrm >> 3 & 7u) | (d->rex & REX_R ? 8u : 0u);
}

static bool prefixes_allowed(const struct decoder *d, const struct insn_row *row)
{
    bool string = row->form == INSN_FORM_STRING;
    if (d->lock && !(row->flags & ROW_LOCK))
        return false;
    if (d->repeat && !string && !(row->flags & ROW_HLE) && !d->lock)
        return false;
    if ((row->flags & ROW_LONG) && d->out->mode != 64)
        return false;
    if ((row->flags & ROW_NO_66) && d->opsize)
        return false;
    /* Vendors disagree on how much a 16-bit MOVSXD reads. */
    return !((row->flags & ROW_MEM32) && d->operand == 2);
}

static void take_immediate(struct decoder *d, unsigned flags)
{
    struct insn *o = d->out;
    if (flags & ROW_IMM)
        o->imm = fetch_signed(d, o->width < 4 ? o->width : 4);
    else if (flags & ROW_IMM8)
        o->imm = fetch_signed(d, 1);
    else if (flags & ROW_ONE)
        o->imm = 1;
}

/* rSI with DS or its override; rDI has ES, and no prefix changes that. */
static void set_string(struct decoder *d)
{
    enum { SI = 6, DI = 7 };
    struct insn *o = d->out;
    bool by_di = o->op == INSN_STOS || o->op == INSN_SCAS;
    o->base = by_di ? DI : SI;
    if (by_di) {
        o->seg = INSN_ES;
        d->seg = INSN_NO_REG;
    }
    if (by_di || o->op == INSN_LODS) {
        o->reg = 0;
        o->reg_width = o->width;
    }
    if (d->repeat)
        o->repeat = d->repeat == 0xf3 ? INSN_REPE : INSN_REPNE;
}

/* --- instructions --------------------------------------------------------------------------- */

/* A row and all behind its opcode. False: not this instruction. */
static bool decode_row(struct decoder *d, const struct insn_row *row)
{
    struct insn *o = d->out;
    bool modrm_follows = !(row->flags & ROW_MOFFS) && row->form != INSN_FORM_STRING;
    uint8_t modrm = modrm_follows ? fetch(d) : 0;
    if (d->failure != FAILED_NOT)
        return true;
    if (row->flags & ROW_GROUP)
        row = &insn_groups[row->sub][modrm >> 3 & 7];
    if (row->op == INSN_UNKNOWN || !prefixes_allowed(d, row))
        return false;
    o->op = row->op;
    o->form = row->form;
    o->sub = row->sub;
    o->lock = d->lock;
    set_widths(d, row->flags);
    if (row->form == INSN_FORM_STRING)
        set_string(d);
    else if (row->flags & ROW_MOFFS)
        o->disp = (int64_t)fetch_unsigned(d, o->address_size);
    else if (!take_memory(d, modrm))
        return false;
    if (has_register(o))
        set_register(d, modrm_follows ? modrm_reg(d, modrm) : 0, (row->flags & ROW_BYTE) != 0);
    take_immediate(d, row->flags);
    return true;
}

/* F2 and F3 choose before 66 does, which then means nothing. */
static const struct insn_xmm_row *find_xmm(const struct decoder *d, unsigned map, uint8_t opcode)
{
    uint8_t prefix = d->repeat ? d->repeat : d->opsize ? 0x66 : 0;
    for (size_t i = 0; i < ARRAY_LEN(insn_xmm); i++) {
        const struct insn_xmm_row *x = &insn_xmm[i];
        if (x->opcode == opcode && x->map == map && x->prefix == prefix)
            return x;
    }
    return NULL;
}

static bool decode_xmm(struct decoder *d, const struct insn_xmm_row *x)
{
    struct insn *o = d->out;
    uint8_t modrm = fetch(d);
    if (d->failure != FAILED_NOT)
        return true;
    if (d->lock || !take_memory(d, modrm))
        return false;
    o->op = x->op;
    o->form = x->op == INSN_XMM_LOAD ? INSN_FORM_REG_MEM : INSN_FORM_MEM_REG;
    o->width = x->width ? x->width : d->rex & REX_W ? 8 : 4;
    o->aligned = x->aligned;
    o->reg_width = 16;
    o->reg = (uint8_t)modrm_reg(d, modrm);
    return true;
}

/* All but the bookkeeping. False: unknown. */
static bool decode(struct decoder *d)
{
    const struct insn_row *rows = insn_one_byte;
    const struct insn_xmm_row *xmm = NULL;
    uint8_t opcode = take_prefixes(d);
    set_sizes(d);
    if (opcode == 0x0f) {
        unsigned map = INSN_MAP_0F;
        rows = insn_two_byte;
        opcode = fetch(d);
        if (opcode == 0x38) {
            map = INSN_MAP_0F38;
            rows = insn_three_byte;
            opcode = fetch(d);
        }
        xmm = find_xmm(d, map, opcode);
    }
    if (d->failure != FAILED_NOT)
        return true;
    const struct insn_row *row = &rows[opcode];
    if (!xmm && row->op == INSN_UNKNOWN && !(row->flags & ROW_GROUP))
        return false;
    if (!(xmm ? decode_xmm(d, xmm) : decode_row(d, row)))
        return false;
    if (d->seg != INSN_NO_REG)
        d->out->seg = d->seg;
    d->out->length = (uint8_t)d->at;
    return true;
}

enum insn_op insn_decode_any(const uint8_t *bytes, size_t n, unsigned mode, struct insn *out)
{
    struct decoder d = {.bytes = bytes, .n = n, .out = out, .seg = INSN_NO_REG};
    memset(out, 0, sizeof(*out));
    out->mode = (uint8_t)mode;
    out->seg = INSN_DS;
    out->base = out->index = out->reg = INSN_NO_REG;
    out->scale = 1;
    bool known = (mode == 16 || mode == 32 || mode == 64) && decode(&d);
    if (!known || d.failure == FAILED_TOO_LONG)
        out->op = INSN_UNKNOWN;
    else if (d.failure == FAILED_TRUNCATED)
        out->op = INSN_TRUNCATED;
    return (enum insn_op)out->op;
}

/* --- where the operand is ------------------------------------------------------------------- */

static uint64_t cut(uint64_t v, unsigned bytes)
{
    return bytes >= 8 ? v : v & (BIT(8 * bytes) - 1);
}

uint64_t insn_offset(const struct insn *in, const uint64_t gpr[16], uint64_t rip)
{
    uint64_t offset = (uint64_t)in->disp;
    if (in->rip_relative)
        offset += rip + in->length;
    if (in->base != INSN_NO_REG)
        offset += gpr[in->base];
    if (in->index != INSN_NO_REG)
        offset += gpr[in->index] * in->scale;
    return cut(offset, in->address_size);
}

unsigned insn_bit_offset(const struct insn *in, const uint64_t gpr[16], uint64_t rip,
                         uint64_t *offset)
{
    unsigned bits = 8u * in->width;
    *offset = insn_offset(in, gpr, rip);
    if (in->reg == INSN_NO_REG)
        return (unsigned)in->imm & (bits - 1);
    /* The register is a signed number of bits from the operand's own address. */
    unsigned shift = 64 - bits;
    int64_t bit = (int64_t)(gpr[in->reg] << shift) >> shift;
    unsigned within = (unsigned)bit & (bits - 1);
    *offset = cut(*offset + (uint64_t)((bit - (int64_t)within) / 8), in->address_size);
    return within;
}

uint64_t insn_effective_address(const struct insn *in, const uint64_t gpr[16], uint64_t rip,
                                const uint64_t seg_base[6])
{
    uint64_t offset = insn_offset(in, gpr, rip);
    if (in->mode == 64)
        return in->seg >= INSN_FS ? offset + seg_base[in->seg] : offset;
    return cut(offset + seg_base[in->seg], 4);
}
