/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The decoder over any bytes: what it returns is in range, depends on the instruction's own bytes
 * only, every shorter prefix of a known instruction is INSN_TRUNCATED, and the decoder of plain
 * moves agrees with that of all.
 */
#include <stdint.h>
#include <stdlib.h>

#include "core/insn.h"
#include "core/lib/string.h"

static void check(bool ok)
{
    if (!ok)
        abort();
}

static bool is_width(unsigned w)
{
    return w == 1 || w == 2 || w == 4 || w == 8;
}

static void check_register(const struct insn *in, unsigned regs)
{
    bool xmm = in->op == INSN_XMM_LOAD || in->op == INSN_XMM_STORE;
    if (in->reg == INSN_NO_REG) {
        check(in->reg_width == 0 && !in->high_byte && in->form != INSN_FORM_REG_MEM &&
              in->form != INSN_FORM_MEM_REG);
        return;
    }
    check(in->reg < regs && (xmm ? in->reg_width == 16 : is_width(in->reg_width)));
    check(!in->high_byte || (in->reg < 4 && in->reg_width == 1));
    if (in->op == INSN_MOVZX || in->op == INSN_MOVSX || xmm)
        check(in->width <= in->reg_width);
    else
        check(in->width == in->reg_width);
}

static void check_fields(const struct insn *in, unsigned mode)
{
    unsigned regs = mode == 64 ? 16 : 8;
    bool string = in->form == INSN_FORM_STRING;
    bool wide = in->op == INSN_XMM_LOAD || in->op == INSN_XMM_STORE ||
                in->op == INSN_CMPXCHG_PAIR;
    check(in->length >= (string ? 1 : 2) && in->length <= INSN_MAX_LENGTH && in->mode == mode);
    check(is_width(in->width) ? mode == 64 || in->width <= 4 || wide : wide && in->width == 16);
    check(!in->aligned || in->width == 16);
    check(is_width(in->scale) && (in->address_size == 2 || in->address_size == 4 ||
                                  in->address_size == 8));
    check((in->address_size == 8) <= (mode == 64) && !(mode == 64 && in->address_size == 2));
    check(in->seg <= INSN_GS && in->repeat <= INSN_REPNE && (string || !in->repeat));
    check(in->base == INSN_NO_REG || in->base < regs);
    check(in->index == INSN_NO_REG || (in->index < regs && (in->index != 4)));
    check(!in->rip_relative || (mode == 64 && in->base == INSN_NO_REG));
    check(in->form <= INSN_FORM_STRING && in->sub < 16);
    check(in->imm == 0 || in->form == INSN_FORM_MEM_IMM);
    check(in->imm >= INT32_MIN && in->imm <= INT32_MAX);
    check_register(in, regs);
    if (in->lock)
        check((in->form == INSN_FORM_MEM_REG || in->form == INSN_FORM_MEM_IMM ||
               in->form == INSN_FORM_MEM) && in->op >= INSN_ALU && in->op <= INSN_NEG &&
              in->op != INSN_TEST && !(in->op == INSN_ALU && in->sub == INSN_CMP) &&
              !(in->op == INSN_BIT && in->sub == INSN_BT));
}

static void check_address(const struct insn *in, const uint8_t *seed)
{
    uint64_t gpr[16], base[6], rip;
    for (unsigned i = 0; i < 16; i++)
        gpr[i] = (uint64_t)seed[i % 15] * 0x0123456789abcdf1u + i;
    for (unsigned i = 0; i < 6; i++)
        base[i] = (uint64_t)seed[i] << (i * 9);
    memcpy(&rip, seed, sizeof(rip));
    uint64_t offset = insn_offset(in, gpr, rip);
    uint64_t linear = insn_effective_address(in, gpr, rip, base);
    check(in->address_size == 8 || offset >> (8 * in->address_size) == 0);
    if (in->mode != 64)
        check(linear == (uint32_t)(offset + base[in->seg]));
    else
        check(linear == offset + (in->seg >= INSN_FS ? base[in->seg] : 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned modes[] = {16, 32, 64};
    uint8_t bytes[INSN_MAX_LENGTH + 3];
    struct insn in, other;
    memset(bytes, 0, sizeof(bytes));
    memcpy(bytes, data, size < sizeof(bytes) ? size : sizeof(bytes));
    for (unsigned m = 0; m < 3; m++) {
        /* Exactly as many bytes as there are, on the heap: a read beyond them is seen. */
        uint8_t *exact = malloc(size ? size : 1);
        check(exact != NULL);
        memcpy(exact, data, size);
        insn_decode_any(exact, size, modes[m], &other);
        free(exact);
        enum insn_op op = insn_decode_any(bytes, sizeof(bytes), modes[m], &in);
        check(op == in.op && op != INSN_TRUNCATED); /* there were as many as there can be */
        if (op == INSN_UNKNOWN)
            continue;
        check_fields(&in, modes[m]);
        check_address(&in, bytes);
        for (unsigned n = 0; n < in.length; n++)
            check(insn_decode_any(bytes, n, modes[m], &other) == INSN_TRUNCATED);
        memset(bytes + in.length, 0xa5, sizeof(bytes) - in.length);
        check(insn_decode_any(bytes, in.length, modes[m], &other) == op);
        check(memcmp(&in, &other, sizeof(in)) == 0);
        insn_decode_any(bytes, sizeof(bytes), modes[m], &other);
        check(memcmp(&in, &other, sizeof(in)) == 0);
    }
    return 0;
}
