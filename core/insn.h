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
};

/* Segment registers by number of encoding. */
enum insn_seg { INSN_ES, INSN_CS, INSN_SS, INSN_DS, INSN_FS, INSN_GS };

struct insn {
    uint8_t op;          /* enum insn_op */
    uint8_t length;      /* bytes of the whole instruction */
    uint8_t mode;        /* 16, 32 or 64: as given */
    uint8_t width;       /* bytes of the memory operand: 1, 2, 4 or 8 */
    uint8_t reg_width;   /* bytes of the register written or read; 0 with an immediate */
    uint8_t reg;         /* 0 to 15 by number of encoding; INSN_NO_REG with an immediate */
    bool high_byte;      /* the register is bits 15:8 of reg (AH, CH, DH, BH are reg 0 to 3) */
    bool rip_relative;
    uint8_t address_size; /* bytes: 2, 4 or 8 */
    uint8_t seg;         /* enum insn_seg */
    uint8_t base, index; /* 0 to 15, or INSN_NO_REG */
    uint8_t scale;       /* 1, 2, 4 or 8 */
    int64_t disp;        /* sign-extended displacement; the whole address for A0 to A3 */
    int64_t imm;         /* sign-extended immediate */
};

/* Decodes the instruction at bytes[0..n). mode: default sizes of the code segment, 16, 32 or 64.
 * Returns what it also stores in out->op; the rest of *out means something unless that is
 * INSN_UNKNOWN or INSN_TRUNCATED. */
enum insn_op insn_decode(const uint8_t *bytes, size_t n, unsigned mode, struct insn *out);

/* The offset of the memory operand in its segment, cut to the address size. gpr is in the order of
 * encodings, rip is of the instruction itself. */
uint64_t insn_offset(const struct insn *in, const uint64_t gpr[16], uint64_t rip);

/* The linear address of the memory operand; seg_base in the order of enum insn_seg. In 64-bit mode
 * only FS and GS have a base, elsewhere the result is cut to 32 bits. */
uint64_t insn_effective_address(const struct insn *in, const uint64_t gpr[16], uint64_t rip,
                                const uint64_t seg_base[6]);

#endif
