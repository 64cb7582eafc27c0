/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long an instruction is: for listings that show where instructions begin. PURE. Knows the
 * one-byte, 0F, 0F38 and 0F3A maps, VEX and EVEX; not which opcodes a CPU really has. Have open:
 * SDM, "Instruction Format", "Opcode Map".
 */
#ifndef CORE_INSN_LENGTH_H
#define CORE_INSN_LENGTH_H

#include "core/lib/bits.h"

/* Bytes of the instruction at code[0..n), 1 to 15. mode: 16, 32 or 64. 0: it is cut off by n, or
 * longer than an instruction can be. */
unsigned insn_length(const uint8_t *code, size_t n, unsigned mode);

#endif
