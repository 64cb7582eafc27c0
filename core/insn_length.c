/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lengths by opcode: prefixes, opcode bytes, ModRM with SIB and displacement, immediate. PURE.
 * Each opcode of the two main maps has a character below that says what follows it.
 */
#include "core/insn_length.h"

#define LENGTH_MAX 15

/* What follows the opcode:
 *   .  nothing              m  ModRM                 b  imm8            w  imm16
 *   z  imm16 or imm32 by operand size                v  the same, imm64 with REX.W
 *   B  ModRM, imm8          Z  ModRM, immz           a  an address of the address size
 *   p  far pointer: immz and imm16                   e  imm16, imm8
 *   j  immz, but always imm32 in 64-bit mode         t  ModRM, imm8 if reg is 0 or 1
 *   T  ModRM, immz if reg is 0 or 1                  P  prefix or escape, handled before */
static const char one[] =
    "mmmmbz..mmmmbz.P" "mmmmbz..mmmmbz.." "mmmmbzP.mmmmbzP." "mmmmbzP.mmmmbzP."
    "................" "................" "..mmPPPPzZbB...." "bbbbbbbbbbbbbbbb"
    "BZBBmmmmmmmmmmmm" "..........p....." "aaaa....bz......" "bbbbbbbbvvvvvvvv"
    "BBw.mmBZe.w..b.." "mmmmbb..mmmmmmmm" "bbbbbbbbjjpb...." "P.PP..tT......mm";
static const char two[] =
    "mmmm.........m.B" "mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm" "........P.P....."
    "mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm" "BBBBmmm.mmmmmmmm"
    "jjjjjjjjjjjjjjjj" "mmmmmmmmmmmmmmmm" "...mBmmm...mBmmm" "mmmmmmmmmmBmmmmm"
    "mmBmBBBm........" "mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm";

struct reader {
    const uint8_t *code;
    size_t n, at;
    unsigned mode;
    bool operand, address, rex_w;
};

static uint8_t peek(const struct reader *r)
{
    return r->at < r->n ? r->code[r->at] : 0;
}

static unsigned address_bits(const struct reader *r)
{
    if (r->mode == 64)
        return r->address ? 32 : 64;
    return (r->mode == 32) != r->address ? 32 : 16;
}

static unsigned immediate(const struct reader *r)
{
    if (r->rex_w)
        return 4;
    return (r->mode != 16) != r->operand ? 4 : 2;
}

/* Returns the reg field. */
static unsigned skip_modrm(struct reader *r)
{
    uint8_t modrm = peek(r);
    unsigned mod = modrm >> 6, rm = modrm & 7;
    r->at++;
    if (mod == 3)
        return modrm >> 3 & 7;
    if (address_bits(r) == 16) {
        r->at += mod == 1 ? 1 : mod == 2 || rm == 6 ? 2 : 0;
        return modrm >> 3 & 7;
    }
    unsigned base = rm == 4 ? peek(r) & 7u : rm;
    r->at += rm == 4;
    r->at += mod == 1 ? 1 : mod == 2 || base == 5 ? 4 : 0;
    return modrm >> 3 & 7;
}

static void skip_rest(struct reader *r, char what)
{
    unsigned z = immediate(r);
    switch (what) {
    case 'm':
        skip_modrm(r);
        break;
    case 'B':
        skip_modrm(r);
        r->at++;
        break;
    case 'Z':
        skip_modrm(r);
        r->at += z;
        break;
    case 't':
        r->at += skip_modrm(r) < 2;
        break;
    case 'T':
        r->at += skip_modrm(r) < 2 ? z : 0;
        break;
    case 'b':
        r->at++;
        break;
    case 'w':
        r->at += 2;
        break;
    case 'e':
        r->at += 3;
        break;
    case 'z':
        r->at += z;
        break;
    case 'v':
        r->at += r->rex_w ? 8 : z;
        break;
    case 'j':
        r->at += r->mode == 64 ? 4 : z;
        break;
    case 'p':
        r->at += z + 2;
        break;
    case 'a':
        r->at += address_bits(r) / 8;
        break;
    default:
        break;
    }
}

static bool is_prefix(uint8_t b)
{
    return b == 0x26 || b == 0x2e || b == 0x36 || b == 0x3e || (b >= 0x64 && b <= 0x67) ||
           b == 0xf0 || b == 0xf2 || b == 0xf3;
}

static void skip_prefixes(struct reader *r)
{
    for (; r->at < r->n && r->at < LENGTH_MAX && is_prefix(peek(r)); r->at++) {
        r->operand |= peek(r) == 0x66;
        r->address |= peek(r) == 0x67;
    }
    if (r->mode == 64 && (peek(r) & 0xf0) == 0x40)
        r->rex_w = r->code[r->at++] & 8;
}

/* VEX (C4, C5) and EVEX (62): the map is in the prefix; all have a ModRM byte but VZEROUPPER. */
static void skip_vector(struct reader *r, uint8_t first)
{
    unsigned map = first == 0xc5 ? 1 : peek(r) & 7u;
    r->at += first == 0xc5 ? 1 : first == 0xc4 ? 2 : 3;
    uint8_t opcode = peek(r);
    r->at++;
    if (map == 1 && opcode == 0x77)
        return;
    skip_rest(r, map == 3 || (map == 1 && two[opcode] == 'B') ? 'B' : 'm');
}

/* In 16- and 32-bit code these are LES, LDS and BOUND, unless ModRM would name a register. */
static bool is_vector(const struct reader *r, uint8_t b)
{
    return (b == 0xc4 || b == 0xc5 || b == 0x62) && (r->mode == 64 || peek(r) >= 0xc0);
}

static void skip_two_byte(struct reader *r)
{
    uint8_t b = peek(r);
    r->at++;
    if (b == 0x38 || b == 0x3a) {
        r->at++;
        skip_rest(r, b == 0x3a ? 'B' : 'm');
    } else {
        skip_rest(r, two[b]);
    }
}

unsigned insn_length(const uint8_t *code, size_t n, unsigned mode)
{
    struct reader r = {.code = code, .n = n, .mode = mode};
    skip_prefixes(&r);
    uint8_t b = peek(&r);
    r.at++;
    if (b == 0x0f)
        skip_two_byte(&r);
    else if (is_vector(&r, b))
        skip_vector(&r, b);
    else
        skip_rest(&r, one[b]);
    return r.at <= n && r.at <= LENGTH_MAX ? (unsigned)r.at : 0;
}
