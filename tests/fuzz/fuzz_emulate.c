/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any instruction with any registers, on a machine that refuses at will: the executor asks for what
 * it accesses, reads nothing before the destination is known to be writable, and changes no
 * register when it is refused.
 * Input: mode, stack, which callback refuses, limit, flags; 15 bytes of code; the registers.
 */
#include <stdint.h>
#include <stdlib.h>

#include "core/emulate.h"
#include "core/lib/string.h"

#define HEAD 8

struct grant {
    uint64_t linear;
    unsigned size;
};

struct machine {
    struct grant allowed[2], probed;
    unsigned grants, calls, refuse_at;
    bool read, wrote, xmm, raised, refused;
    uint64_t noise;
};

static void check(bool ok)
{
    if (!ok)
        abort();
}

static bool refuse(struct machine *m)
{
    check(!m->refused && !m->raised); /* nothing comes behind a refusal */
    return m->refused = ++m->calls == m->refuse_at;
}

static bool granted(const struct machine *m, uint64_t linear, unsigned size)
{
    for (unsigned i = 0; i < 2; i++)
        if (m->allowed[i].linear == linear && m->allowed[i].size == size)
            return true;
    return false;
}

static bool op_linear(void *p, unsigned seg, uint64_t offset, unsigned size, bool write,
                      uint64_t *linear)
{
    struct machine *m = p;
    (void)write;
    check(seg <= INSN_GS && (size == 1 || size == 2 || size == 4 || size == 8 || size == 16));
    *linear = offset + (seg >= INSN_FS ? 0x100000 * seg : 0);
    m->allowed[m->grants++ & 1] = (struct grant){*linear, size};
    return !refuse(m);
}

static bool op_probe(void *p, uint64_t linear, unsigned size, bool write)
{
    struct machine *m = p;
    check(granted(m, linear, size));
    if (write)
        m->probed = (struct grant){linear, size};
    return !refuse(m);
}

static bool op_read(void *p, uint64_t linear, void *buf, unsigned size)
{
    struct machine *m = p;
    uint8_t *bytes = buf;
    check(granted(m, linear, size));
    if (refuse(m))
        return false;
    m->read = true;
    for (unsigned i = 0; i < size; i++)
        bytes[i] = (uint8_t)(m->noise = m->noise * 6364136223846793005u + 1);
    return true;
}

static bool op_write(void *p, uint64_t linear, const void *buf, unsigned size)
{
    struct machine *m = p;
    uint8_t copy[16];
    check(granted(m, linear, size) && m->probed.linear == linear && m->probed.size == size);
    memcpy(copy, buf, size);
    m->noise ^= copy[0];
    return m->wrote = !refuse(m);
}

static bool op_read_xmm(void *p, unsigned n, uint8_t value[16])
{
    struct machine *m = p;
    check(n < 16 && !m->read && m->grants == 0);
    memset(value, 0x5a, 16);
    return !refuse(m);
}

static void op_write_xmm(void *p, unsigned n, const uint8_t value[16])
{
    struct machine *m = p;
    check(n < 16 && m->read && !m->wrote && value != NULL);
    m->xmm = true;
}

static void op_raise(void *p, uint8_t vector, uint32_t error_code)
{
    struct machine *m = p;
    check(vector == 13 && error_code == 0 && !m->read && !m->wrote);
    m->raised = true;
}

static const struct emulate_ops ops = {
    .linear = op_linear, .probe = op_probe, .read = op_read, .write = op_write,
    .read_xmm = op_read_xmm, .write_xmm = op_write_xmm, .raise = op_raise,
};

/* No general register changes but these. */
static uint16_t may_change(const struct insn *in)
{
    bool alu = in->op == INSN_ALU && in->form == INSN_FORM_REG_MEM && in->sub != INSN_CMP;
    switch (in->op) {
    case INSN_MOV_LOAD:
    case INSN_MOVZX:
    case INSN_MOVSX:
    case INSN_MOVBE_LOAD:
    case INSN_XCHG:
    case INSN_XADD:
    case INSN_CMOVCC:
        return (uint16_t)(1 << in->reg);
    case INSN_ALU:
        return (uint16_t)(alu ? 1 << in->reg : 0);
    case INSN_CMPXCHG:
        return 1;
    case INSN_CMPXCHG_PAIR:
        return 1 | 1 << 2;
    case INSN_PUSH:
    case INSN_POP:
        return 1 << 4;
    case INSN_MOVS:
    case INSN_CMPS:
        return 1 << 1 | 1 << 6 | 1 << 7;
    case INSN_LODS:
        return 1 | 1 << 1 | 1 << 6;
    case INSN_STOS:
    case INSN_SCAS:
        return 1 << 1 | 1 << 7;
    default:
        return 0;
    }
}

static void check_result(const struct emulate_ctx *c, const struct emulate_ctx *before,
                         const struct machine *m, enum emulate_result r)
{
    const struct insn *in = c->insn;
    bool string = in->form == INSN_FORM_STRING;
    check(r != EMULATE_UNKNOWN && (r == EMULATE_FAULT) == (m->refused || m->raised));
    check(r != EMULATE_MORE || (string && in->repeat));
    check(c->rip == before->rip && ((c->rflags ^ before->rflags) & ~UINT64_C(0x8d5)) == 0);
    uint16_t may = r == EMULATE_FAULT && !string ? 0 : may_change(in);
    for (unsigned i = 0; i < 16; i++)
        check(c->gpr[i] == before->gpr[i] || (may & 1 << i));
    if (r == EMULATE_FAULT)
        check(c->rflags == before->rflags && !m->xmm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t modes[] = {16, 32, 64, 64};
    uint8_t head[HEAD] = {0}, registers[128] = {0};
    struct insn in;
    if (size < HEAD + 1)
        return 0;
    memcpy(head, data, HEAD);
    data += HEAD;
    size -= HEAD;
    size_t code = size < INSN_MAX_LENGTH ? size : INSN_MAX_LENGTH;
    if (insn_decode_any(data, code, modes[head[0] & 3], &in) <= INSN_TRUNCATED)
        return 0;
    size_t rest = size - code < sizeof(registers) ? size - code : sizeof(registers);
    memcpy(registers, data + code, rest);
    struct machine m = {.refuse_at = head[1], .noise = head[2]};
    struct emulate_ctx c = {.insn = &in, .ops = &ops, .machine = &m, .limit = head[3] & 31,
                            .rip = 0x1000, .stack_size = in.mode == 64 ? 8 : head[4] & 1 ? 4 : 2};
    c.rflags = (head[5] | (uint64_t)head[6] << 8) & 0xcd5;
    for (unsigned i = 0; i < 16; i++)
        memcpy(&c.gpr[i], registers + 8 * i, 8);
    for (unsigned round = 0; round < 4; round++) {
        struct emulate_ctx before = c;
        enum emulate_result r = emulate(&c);
        check_result(&c, &before, &m, r);
        if (r != EMULATE_MORE)
            break;
    }
    return 0;
}
