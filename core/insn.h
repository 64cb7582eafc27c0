/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decoder for instructions that touch device memory. PURE: bytes in, a description out; it reads no
 * register and no memory. What it does not know for certain is INSN_UNKNOWN; it never guesses.
 * The bytes are the guest's and hostile. Have open: SDM, "Instruction Format" and "Opcode Map".
 */
#ifndef CORE_INSN_H
#define CORE_INSN_H

#include "core/lib/bits.h"

#define INSN_MAX_LENGTH 15
#define INSN_NO_REG     0xff

enum insn_op {
    INSN_UNKNOWN,   /* not in the table, no memory operand, or longer than an instruction can be */
    INSN_TRUNCATED, /* more bytes are needed than were given */
    INSN_MOV_LOAD,  /* register = memory, width == reg_width */
    INSN_MOV_STORE, /* memory = register */
    INSN_MOV_STORE_IMM, /* memory = imm */
    INSN_MOVZX,     /* register = memory, zero-extended from width to reg_width */
    INSN_MOVSX,     /* the same, sign-extended; MOVSXD too */
    INSN_MOVBE_LOAD, INSN_MOVBE_STORE,
    INSN_ALU,       /* sub: enum insn_alu; every form */
    INSN_TEST,
    INSN_XCHG, INSN_XADD, INSN_CMPXCHG,
    INSN_CMPXCHG_PAIR, /* CMPXCHG8B and 16B: width is 8 or 16 */
    INSN_BIT,       /* sub: enum insn_bit. With a register the bit's number moves the address: see
                     * insn_bit_offset() */
    INSN_INC, INSN_DEC, INSN_NOT, INSN_NEG,
    INSN_SHIFT,     /* sub: enum insn_shift. Count: imm, or CL in INSN_FORM_CL */
    INSN_SETCC, INSN_CMOVCC, /* sub: the condition, 0 to 15 */
    INSN_PUSH, INSN_POP,
    INSN_MOVS, INSN_STOS, INSN_LODS, INSN_CMPS, INSN_SCAS,
    INSN_XMM_LOAD,  /* XMM register = memory; 4 and 8 bytes are zero-extended to 16 */
    INSN_XMM_STORE, /* memory = the low width bytes of an XMM register */
    INSN_OPS
};

enum insn_form {
    INSN_FORM_REG_MEM, /* register = register op memory, or register = memory */
    INSN_FORM_MEM_REG, /* memory = memory op register; XCHG and XADD change both */
    INSN_FORM_MEM_IMM, /* memory = memory op imm */
    INSN_FORM_MEM,     /* memory only */
    INSN_FORM_CL,      /* memory op CL */
    INSN_FORM_STRING,  /* operands by rSI and rDI; rAX is reg in STOS, LODS, SCAS */
};

/* As encoded. */
enum insn_alu { INSN_ADD, INSN_OR, INSN_ADC, INSN_SBB, INSN_AND, INSN_SUB, INSN_XOR, INSN_CMP };
enum insn_shift { INSN_ROL, INSN_ROR, INSN_RCL, INSN_RCR, INSN_SHL, INSN_SHR, INSN_SAL, INSN_SAR };
enum insn_bit { INSN_BT, INSN_BTS, INSN_BTR, INSN_BTC };

/* Segment registers by number of encoding. */
enum insn_seg { INSN_ES, INSN_CS, INSN_SS, INSN_DS, INSN_FS, INSN_GS };

enum insn_repeat {
    INSN_ONCE,
    INSN_REPE,  /* REP of MOVS, STOS and LODS too */
    INSN_REPNE, /* the same as REP in MOVS, STOS and LODS, as in every processor */
};

struct insn {
    uint8_t op;          /* enum insn_op */
    uint8_t form;        /* enum insn_form */
    uint8_t sub;         /* which of a family, see enum insn_op */
    uint8_t length;      /* bytes of the whole instruction */
    uint8_t mode;        /* 16, 32 or 64: as given */
    uint8_t width;       /* bytes of the memory operand: 1, 2, 4, 8 or 16 */
    uint8_t reg_width;   /* bytes of the register written or read; 0 without a register */
    uint8_t reg;         /* 0 to 15 by number of encoding; INSN_NO_REG without a register */
    bool high_byte;      /* the register is bits 15:8 of reg (AH, CH, DH, BH are reg 0 to 3) */
    bool rip_relative;
    bool lock;           /* has a LOCK prefix, and may */
    bool aligned;        /* XMM and CMPXCHG16B: #GP(0) unless the operand is aligned to its width */
    uint8_t repeat;      /* enum insn_repeat; strings */
    uint8_t address_size; /* bytes: 2, 4 or 8 */
    uint8_t seg;         /* enum insn_seg; strings: of the first operand, the second has ES */
    uint8_t base, index; /* 0 to 15, or INSN_NO_REG; strings: base is rSI or rDI */
    uint8_t scale;       /* 1, 2, 4 or 8 */
    int64_t disp;        /* sign-extended displacement; the whole address for A0 to A3 */
    int64_t imm;         /* sign-extended immediate */
};

/* Decodes the instruction at bytes[0..n). mode: default sizes of the code segment, 16, 32 or 64.
 * Returns what it also stores in out->op; the rest of *out means something unless that is
 * INSN_UNKNOWN or INSN_TRUNCATED. For emulate(). */
enum insn_op insn_decode_any(const uint8_t *bytes, size_t n, unsigned mode, struct insn *out);

/* The offset of the memory operand in its segment, cut to the address size. gpr is in the order of
 * encodings, rip is of the instruction itself. */
uint64_t insn_offset(const struct insn *in, const uint64_t gpr[16], uint64_t rip);

/* Of INSN_BIT: the bit's number within the operand, and in *offset where that operand is. */
unsigned insn_bit_offset(const struct insn *in, const uint64_t gpr[16], uint64_t rip,
                         uint64_t *offset);

/* The linear address of the memory operand; seg_base in the order of enum insn_seg. In 64-bit mode
 * only FS and GS have a base, elsewhere the result is cut to 32 bits. */
uint64_t insn_effective_address(const struct insn *in, const uint64_t gpr[16], uint64_t rip,
                                const uint64_t seg_base[6]);

#endif
