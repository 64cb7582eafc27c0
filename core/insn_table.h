/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The instructions that insn.c knows, as rows by opcode. Constants only; for insn.c alone. An
 * opcode without a row is INSN_UNKNOWN. Have open: SDM, "Opcode Map".
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

#define INSN_XMM_ROWS 27

extern const struct insn_row insn_one_byte[256];
extern const struct insn_row insn_two_byte[256];    /* behind 0F */
extern const struct insn_row insn_three_byte[256];  /* behind 0F 38 */
extern const struct insn_row insn_groups[][8];
extern const struct insn_xmm_row insn_xmm[INSN_XMM_ROWS];

#endif
