/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The instructions that insn.c knows, as rows by opcode. For insn.c alone: each includer gets its
 * own copy of the tables. Constants only. An opcode without a row is INSN_UNKNOWN; forms that have
 * no memory operand, and instructions that have none at all, are not here on purpose. Have open:
 * SDM, "Opcode Map".
 */
#ifndef CORE_INSN_TABLE_H
#define CORE_INSN_TABLE_H

#include "core/insn.h"

/* What a row asks for. */
#define ROW_BYTE    BIT(0)  /* operands are bytes, whatever the operand size */
#define ROW_IMM     BIT(1)  /* an immediate of operand size, but at most 4 bytes */
#define ROW_IMM8    BIT(2)  /* a sign-extended byte */
#define ROW_ONE     BIT(3)  /* the immediate is 1, without a byte for it */
#define ROW_MOFFS   BIT(4)  /* no ModRM: the address follows, the register is rAX */
#define ROW_MEM8    BIT(5)  /* the memory operand is 1 byte, */
#define ROW_MEM16   BIT(6)  /* 2 bytes, */
#define ROW_MEM32   BIT(7)  /* 4 bytes; the register's size is the operand size */
#define ROW_LONG    BIT(8)  /* another instruction outside 64-bit mode */
#define ROW_HLE     BIT(9)  /* F2 and F3 are lock-elision hints, which may be ignored */
#define ROW_LOCK    BIT(10) /* LOCK is allowed, and F2 and F3 with it are hints */
#define ROW_GROUP   BIT(11) /* ModRM.reg picks a row of insn_groups[sub] */
#define ROW_STACK   BIT(12) /* in 64-bit mode the operand size is 8 or 2 */
#define ROW_NO_66   BIT(13) /* no instruction with an operand-size prefix */
#define ROW_PAIR    BIT(14) /* the operand is a pair of registers of 4 or 8 bytes */

struct insn_row {
    uint8_t op;   /* enum insn_op */
    uint8_t form; /* enum insn_form */
    uint8_t sub;
    uint16_t flags;
};

/* XMM moves are chosen by prefix and opcode together. */
enum insn_map { INSN_MAP_0F, INSN_MAP_0F38 };
struct insn_xmm_row {
    uint8_t map, prefix, opcode; /* prefix: 0, 66, F2 or F3 */
    uint8_t op;
    uint8_t width; /* 0: 4, or 8 with REX.W */
    bool aligned;
};

enum { GROUP_80, GROUP_81, GROUP_83, GROUP_8F, GROUP_C0, GROUP_C1, GROUP_C6, GROUP_C7, GROUP_D0,
       GROUP_D1, GROUP_D2, GROUP_D3, GROUP_F6, GROUP_F7, GROUP_FE, GROUP_FF, GROUP_0FBA,
       GROUP_0FC7 };

#define REG_MEM INSN_FORM_REG_MEM
#define MEM_REG INSN_FORM_MEM_REG
#define MEM_IMM INSN_FORM_MEM_IMM
#define MEM     INSN_FORM_MEM
#define STRING  INSN_FORM_STRING

/* The four of an operation's first six opcodes that touch memory. CMP writes nothing: no LOCK. */
#define ALU(at, alu, lock) \
    [at] = {INSN_ALU, MEM_REG, alu, ROW_BYTE | (lock)}, \
    [(at) + 1] = {INSN_ALU, MEM_REG, alu, lock}, \
    [(at) + 2] = {INSN_ALU, REG_MEM, alu, ROW_BYTE}, \
    [(at) + 3] = {INSN_ALU, REG_MEM, alu, 0}
#define GROUP(g)           {INSN_UNKNOWN, 0, g, ROW_GROUP}
#define STRING_PAIR(at, op) [at] = {op, STRING, 0, ROW_BYTE}, [(at) + 1] = {op, STRING, 0, 0}

static const struct insn_row insn_one_byte[256] = {
    ALU(0x00, INSN_ADD, ROW_LOCK), ALU(0x08, INSN_OR, ROW_LOCK), ALU(0x10, INSN_ADC, ROW_LOCK),
    ALU(0x18, INSN_SBB, ROW_LOCK), ALU(0x20, INSN_AND, ROW_LOCK), ALU(0x28, INSN_SUB, ROW_LOCK),
    ALU(0x30, INSN_XOR, ROW_LOCK), ALU(0x38, INSN_CMP, 0),
    [0x63] = {INSN_MOVSX, REG_MEM, 0, ROW_MEM32 | ROW_LONG},
    [0x80] = GROUP(GROUP_80), [0x81] = GROUP(GROUP_81), [0x83] = GROUP(GROUP_83),
    [0x84] = {INSN_TEST, MEM_REG, 0, ROW_BYTE}, [0x85] = {INSN_TEST, MEM_REG, 0, 0},
    [0x86] = {INSN_XCHG, MEM_REG, 0, ROW_BYTE | ROW_LOCK | ROW_HLE},
    [0x87] = {INSN_XCHG, MEM_REG, 0, ROW_LOCK | ROW_HLE},
    [0x88] = {INSN_MOV_STORE, MEM_REG, 0, ROW_BYTE | ROW_HLE},
    [0x89] = {INSN_MOV_STORE, MEM_REG, 0, ROW_HLE},
    [0x8a] = {INSN_MOV_LOAD, REG_MEM, 0, ROW_BYTE}, [0x8b] = {INSN_MOV_LOAD, REG_MEM, 0, 0},
    [0x8f] = GROUP(GROUP_8F),
    [0xa0] = {INSN_MOV_LOAD, REG_MEM, 0, ROW_BYTE | ROW_MOFFS},
    [0xa1] = {INSN_MOV_LOAD, REG_MEM, 0, ROW_MOFFS},
    [0xa2] = {INSN_MOV_STORE, MEM_REG, 0, ROW_BYTE | ROW_MOFFS},
    [0xa3] = {INSN_MOV_STORE, MEM_REG, 0, ROW_MOFFS},
    STRING_PAIR(0xa4, INSN_MOVS), STRING_PAIR(0xa6, INSN_CMPS), STRING_PAIR(0xaa, INSN_STOS),
    STRING_PAIR(0xac, INSN_LODS), STRING_PAIR(0xae, INSN_SCAS),
    [0xc0] = GROUP(GROUP_C0), [0xc1] = GROUP(GROUP_C1),
    [0xc6] = GROUP(GROUP_C6), [0xc7] = GROUP(GROUP_C7),
    [0xd0] = GROUP(GROUP_D0), [0xd1] = GROUP(GROUP_D1),
    [0xd2] = GROUP(GROUP_D2), [0xd3] = GROUP(GROUP_D3),
    [0xf6] = GROUP(GROUP_F6), [0xf7] = GROUP(GROUP_F7),
    [0xfe] = GROUP(GROUP_FE), [0xff] = GROUP(GROUP_FF),
};

#define CC(op, form, flags, at) \
    [at] = {op, form, 0, flags}, [(at) + 1] = {op, form, 1, flags}, \
    [(at) + 2] = {op, form, 2, flags}, [(at) + 3] = {op, form, 3, flags}, \
    [(at) + 4] = {op, form, 4, flags}, [(at) + 5] = {op, form, 5, flags}, \
    [(at) + 6] = {op, form, 6, flags}, [(at) + 7] = {op, form, 7, flags}, \
    [(at) + 8] = {op, form, 8, flags}, [(at) + 9] = {op, form, 9, flags}, \
    [(at) + 10] = {op, form, 10, flags}, [(at) + 11] = {op, form, 11, flags}, \
    [(at) + 12] = {op, form, 12, flags}, [(at) + 13] = {op, form, 13, flags}, \
    [(at) + 14] = {op, form, 14, flags}, [(at) + 15] = {op, form, 15, flags}

static const struct insn_row insn_two_byte[256] = {
    CC(INSN_CMOVCC, REG_MEM, 0, 0x40),
    CC(INSN_SETCC, MEM, ROW_BYTE, 0x90),
    [0xa3] = {INSN_BIT, MEM_REG, INSN_BT, 0}, [0xab] = {INSN_BIT, MEM_REG, INSN_BTS, ROW_LOCK},
    [0xb0] = {INSN_CMPXCHG, MEM_REG, 0, ROW_BYTE | ROW_LOCK},
    [0xb1] = {INSN_CMPXCHG, MEM_REG, 0, ROW_LOCK},
    [0xb3] = {INSN_BIT, MEM_REG, INSN_BTR, ROW_LOCK},
    [0xb6] = {INSN_MOVZX, REG_MEM, 0, ROW_MEM8}, [0xb7] = {INSN_MOVZX, REG_MEM, 0, ROW_MEM16},
    [0xba] = GROUP(GROUP_0FBA),
    [0xbb] = {INSN_BIT, MEM_REG, INSN_BTC, ROW_LOCK},
    [0xbe] = {INSN_MOVSX, REG_MEM, 0, ROW_MEM8}, [0xbf] = {INSN_MOVSX, REG_MEM, 0, ROW_MEM16},
    [0xc0] = {INSN_XADD, MEM_REG, 0, ROW_BYTE | ROW_LOCK},
    [0xc1] = {INSN_XADD, MEM_REG, 0, ROW_LOCK},
    [0xc3] = {INSN_MOV_STORE, MEM_REG, 0, ROW_NO_66}, /* MOVNTI */
    [0xc7] = GROUP(GROUP_0FC7),
};

static const struct insn_row insn_three_byte[256] = {
    [0xf0] = {INSN_MOVBE_LOAD, REG_MEM, 0, 0},
    [0xf1] = {INSN_MOVBE_STORE, MEM_REG, 0, 0},
};

#define ALU_IMM(alu, flags) {INSN_ALU, MEM_IMM, alu, flags}
#define ALU_GROUP(flags) { \
    ALU_IMM(INSN_ADD, (flags) | ROW_LOCK), ALU_IMM(INSN_OR, (flags) | ROW_LOCK), \
    ALU_IMM(INSN_ADC, (flags) | ROW_LOCK), ALU_IMM(INSN_SBB, (flags) | ROW_LOCK), \
    ALU_IMM(INSN_AND, (flags) | ROW_LOCK), ALU_IMM(INSN_SUB, (flags) | ROW_LOCK), \
    ALU_IMM(INSN_XOR, (flags) | ROW_LOCK), ALU_IMM(INSN_CMP, flags)}
#define SHIFT_GROUP(form, flags) { \
    {INSN_SHIFT, form, INSN_ROL, flags}, {INSN_SHIFT, form, INSN_ROR, flags}, \
    {INSN_SHIFT, form, INSN_RCL, flags}, {INSN_SHIFT, form, INSN_RCR, flags}, \
    {INSN_SHIFT, form, INSN_SHL, flags}, {INSN_SHIFT, form, INSN_SHR, flags}, \
    {INSN_SHIFT, form, INSN_SAL, flags}, {INSN_SHIFT, form, INSN_SAR, flags}}

static const struct insn_row insn_groups[][8] = {
    [GROUP_80] = ALU_GROUP(ROW_BYTE | ROW_IMM),
    [GROUP_81] = ALU_GROUP(ROW_IMM),
    [GROUP_83] = ALU_GROUP(ROW_IMM8),
    [GROUP_8F] = {{INSN_POP, MEM, 0, ROW_STACK}},
    [GROUP_C0] = SHIFT_GROUP(MEM_IMM, ROW_BYTE | ROW_IMM8),
    [GROUP_C1] = SHIFT_GROUP(MEM_IMM, ROW_IMM8),
    [GROUP_C6] = {{INSN_MOV_STORE_IMM, MEM_IMM, 0, ROW_BYTE | ROW_IMM | ROW_HLE}},
    [GROUP_C7] = {{INSN_MOV_STORE_IMM, MEM_IMM, 0, ROW_IMM | ROW_HLE}},
    [GROUP_D0] = SHIFT_GROUP(MEM_IMM, ROW_BYTE | ROW_ONE),
    [GROUP_D1] = SHIFT_GROUP(MEM_IMM, ROW_ONE),
    [GROUP_D2] = SHIFT_GROUP(INSN_FORM_CL, ROW_BYTE),
    [GROUP_D3] = SHIFT_GROUP(INSN_FORM_CL, 0),
    /* Every processor takes /1 of F6 and F7 for TEST too, but the manual does not name it. */
    [GROUP_F6] = {[0] = {INSN_TEST, MEM_IMM, 0, ROW_BYTE | ROW_IMM},
                  [2] = {INSN_NOT, MEM, 0, ROW_BYTE | ROW_LOCK},
                  [3] = {INSN_NEG, MEM, 0, ROW_BYTE | ROW_LOCK}},
    [GROUP_F7] = {[0] = {INSN_TEST, MEM_IMM, 0, ROW_IMM},
                  [2] = {INSN_NOT, MEM, 0, ROW_LOCK},
                  [3] = {INSN_NEG, MEM, 0, ROW_LOCK}},
    [GROUP_FE] = {[0] = {INSN_INC, MEM, 0, ROW_BYTE | ROW_LOCK},
                  [1] = {INSN_DEC, MEM, 0, ROW_BYTE | ROW_LOCK}},
    [GROUP_FF] = {[0] = {INSN_INC, MEM, 0, ROW_LOCK},
                  [1] = {INSN_DEC, MEM, 0, ROW_LOCK},
                  [6] = {INSN_PUSH, MEM, 0, ROW_STACK}},
    [GROUP_0FBA] = {[4] = {INSN_BIT, MEM_IMM, INSN_BT, ROW_IMM8},
                    [5] = {INSN_BIT, MEM_IMM, INSN_BTS, ROW_IMM8 | ROW_LOCK},
                    [6] = {INSN_BIT, MEM_IMM, INSN_BTR, ROW_IMM8 | ROW_LOCK},
                    [7] = {INSN_BIT, MEM_IMM, INSN_BTC, ROW_IMM8 | ROW_LOCK}},
    [GROUP_0FC7] = {[1] = {INSN_CMPXCHG_PAIR, MEM, 0, ROW_PAIR | ROW_NO_66 | ROW_LOCK}},
};

#define LOAD  INSN_XMM_LOAD
#define STORE INSN_XMM_STORE

static const struct insn_xmm_row insn_xmm[] = {
    {INSN_MAP_0F, 0x00, 0x10, LOAD, 16, false},  {INSN_MAP_0F, 0x00, 0x11, STORE, 16, false},
    {INSN_MAP_0F, 0x66, 0x10, LOAD, 16, false},  {INSN_MAP_0F, 0x66, 0x11, STORE, 16, false},
    {INSN_MAP_0F, 0xf3, 0x10, LOAD, 4, false},   {INSN_MAP_0F, 0xf3, 0x11, STORE, 4, false},
    {INSN_MAP_0F, 0xf2, 0x10, LOAD, 8, false},   {INSN_MAP_0F, 0xf2, 0x11, STORE, 8, false},
    {INSN_MAP_0F, 0x00, 0x28, LOAD, 16, true},   {INSN_MAP_0F, 0x00, 0x29, STORE, 16, true},
    {INSN_MAP_0F, 0x66, 0x28, LOAD, 16, true},   {INSN_MAP_0F, 0x66, 0x29, STORE, 16, true},
    {INSN_MAP_0F, 0x00, 0x2b, STORE, 16, true},  {INSN_MAP_0F, 0x66, 0x2b, STORE, 16, true},
    {INSN_MAP_0F, 0x66, 0x6f, LOAD, 16, true},   {INSN_MAP_0F, 0x66, 0x7f, STORE, 16, true},
    {INSN_MAP_0F, 0xf3, 0x6f, LOAD, 16, false},  {INSN_MAP_0F, 0xf3, 0x7f, STORE, 16, false},
    {INSN_MAP_0F, 0x66, 0x6e, LOAD, 0, false},   {INSN_MAP_0F, 0x66, 0x7e, STORE, 0, false},
    {INSN_MAP_0F, 0xf3, 0x7e, LOAD, 8, false},   {INSN_MAP_0F, 0x66, 0xd6, STORE, 8, false},
    {INSN_MAP_0F, 0x66, 0xe7, STORE, 16, true},  {INSN_MAP_0F, 0xf2, 0xf0, LOAD, 16, false},
    {INSN_MAP_0F, 0x66, 0x13, STORE, 8, false},  {INSN_MAP_0F, 0x00, 0x13, STORE, 8, false},
    {INSN_MAP_0F38, 0x66, 0x2a, LOAD, 16, true},
};

#undef REG_MEM
#undef MEM_REG
#undef MEM_IMM
#undef MEM
#undef STRING
#undef LOAD
#undef STORE

#endif
