/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The decoder. PURE. Prefixes, then a row of a table by opcode, then the operands which the row
 * asks for. To add an instruction, add a row; one that is in no table is INSN_UNKNOWN, and so are
 * forms whose operands are all registers, since such an instruction touches no memory. Every byte
 * is fetched through fetch(), which knows how many there are and how long an instruction may be.
 * Have open: SDM, "Instruction Format" and "Opcode Map".
 */
#include "core/insn.h"

#include "core/lib/string.h"

/* What a row asks for. */
#define ROW_BYTE   BIT(0) /* operands are bytes, whatever the operand size */
#define ROW_IMM    BIT(1) /* an immediate of operand size, but at most 4 bytes */
#define ROW_MOFFS  BIT(2) /* no ModRM: the address follows, the register is rAX */
#define ROW_REG0   BIT(3) /* ModRM.reg extends the opcode and must be 0 */
#define ROW_MEM8   BIT(4) /* the memory operand is 1 byte, */
#define ROW_MEM16  BIT(5) /* 2 bytes, */
#define ROW_MEM32  BIT(6) /* 4 bytes; the register's size is the operand size */
#define ROW_LONG   BIT(7) /* another instruction outside 64-bit mode */
#define ROW_HLE    BIT(8) /* F2 and F3 are lock-elision hints, which any processor may ignore */

struct row {
    uint8_t opcode;
    uint8_t op; /* enum insn_op */
    uint16_t flags;
};

static const struct row one_byte[] = {
    {0x63, INSN_MOVSX, ROW_MEM32 | ROW_LONG},
    {0x88, INSN_MOV_STORE, ROW_BYTE | ROW_HLE},
    {0x89, INSN_MOV_STORE, ROW_HLE},
    {0x8a, INSN_MOV_LOAD, ROW_BYTE},
    {0x8b, INSN_MOV_LOAD, 0},
    {0xa0, INSN_MOV_LOAD, ROW_BYTE | ROW_MOFFS},
    {0xa1, INSN_MOV_LOAD, ROW_MOFFS},
    {0xa2, INSN_MOV_STORE, ROW_BYTE | ROW_MOFFS},
    {0xa3, INSN_MOV_STORE, ROW_MOFFS},
    {0xc6, INSN_MOV_STORE_IMM, ROW_BYTE | ROW_IMM | ROW_REG0 | ROW_HLE},
    {0xc7, INSN_MOV_STORE_IMM, ROW_IMM | ROW_REG0 | ROW_HLE},
};

/* Behind 0F. */
static const struct row two_byte[] = {
    {0xb6, INSN_MOVZX, ROW_MEM8},
    {0xb7, INSN_MOVZX, ROW_MEM16},
    {0xbe, INSN_MOVSX, ROW_MEM8},
    {0xbf, INSN_MOVSX, ROW_MEM16},
};

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
    bool opsize, addrsize, lock, repeat;
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
        d->repeat = true;
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

/* --- the rest ------------------------------------------------------------------------------- */

static const struct row *find_row(const struct row *rows, size_t n, uint8_t opcode)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i].opcode == opcode)
            return &rows[i];
    return NULL;
}

static void set_register(struct decoder *d, unsigned reg, bool byte)
{
    struct insn *o = d->out;
    /* Without any REX, byte registers 4 to 7 are AH, CH, DH and BH. */
    o->high_byte = byte && d->rex == 0 && reg >= 4 && reg < 8;
    o->reg = (uint8_t)(o->high_byte ? reg - 4 : reg);
}

static void set_widths(struct decoder *d, const struct row *row)
{
    struct insn *o = d->out;
    uint8_t operand = row->flags & ROW_BYTE ? 1 : d->operand;
    o->reg_width = row->op == INSN_MOV_STORE_IMM ? 0 : operand;
    o->width = operand;
    if (row->flags & ROW_MEM8)
        o->width = 1;
    else if (row->flags & ROW_MEM16)
        o->width = 2;
    else if (row->flags & ROW_MEM32)
        o->width = 4;
}

/* ModRM and what hangs on it. False: no memory operand, or not this instruction. */
static bool take_modrm(struct decoder *d, const struct row *row)
{
    uint8_t modrm = fetch(d);
    unsigned mod = modrm >> 6, reg = modrm >> 3 & 7, rm = modrm & 7;
    if (d->failure != FAILED_NOT)
        return true;
    if (mod == 3 || ((row->flags & ROW_REG0) && reg != 0))
        return false;
    if (d->out->address_size == 2)
        address_16bit(d, mod, rm);
    else
        address_32bit(d, mod, rm);
    if (!(row->flags & ROW_REG0))
        set_register(d, reg | (d->rex & REX_R ? 8 : 0), (row->flags & ROW_BYTE) != 0);
    return true;
}

static bool prefixes_allowed(const struct decoder *d, const struct row *row)
{
    if (d->lock || (d->repeat && !(row->flags & ROW_HLE)))
        return false;
    if ((row->flags & ROW_LONG) && d->out->mode != 64)
        return false;
    /* Vendors disagree on how much a 16-bit MOVSXD reads. */
    return !((row->flags & ROW_MEM32) && d->operand == 2);
}

/* All but the bookkeeping. False: unknown. */
static bool decode(struct decoder *d)
{
    struct insn *o = d->out;
    uint8_t opcode = take_prefixes(d);
    const struct row *row;
    set_sizes(d);
    if (opcode == 0x0f)
        row = find_row(two_byte, ARRAY_LEN(two_byte), fetch(d));
    else
        row = find_row(one_byte, ARRAY_LEN(one_byte), opcode);
    if (d->failure != FAILED_NOT)
        return true;
    if (!row || !prefixes_allowed(d, row))
        return false;
    o->op = row->op;
    set_widths(d, row);
    if (row->flags & ROW_MOFFS) {
        o->disp = (int64_t)fetch_unsigned(d, o->address_size);
        set_register(d, 0, (row->flags & ROW_BYTE) != 0);
    } else if (!take_modrm(d, row)) {
        return false;
    }
    if (row->flags & ROW_IMM)
        o->imm = fetch_signed(d, o->width < 4 ? o->width : 4);
    if (d->seg != INSN_NO_REG)
        o->seg = d->seg;
    o->length = (uint8_t)d->at;
    return true;
}

enum insn_op insn_decode(const uint8_t *bytes, size_t n, unsigned mode, struct insn *out)
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

uint64_t insn_effective_address(const struct insn *in, const uint64_t gpr[16], uint64_t rip,
                                const uint64_t seg_base[6])
{
    uint64_t offset = insn_offset(in, gpr, rip);
    if (in->mode == 64)
        return in->seg >= INSN_FS ? offset + seg_base[in->seg] : offset;
    return cut(offset + seg_base[in->seg], 4);
}
