/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For guests that leave IA-32e mode: text of assembly that they share. Have open: SDM, "Exception
 * and Interrupt Reference".
 */
#ifndef GUESTS_LIB_LEGACY_H
#define GUESTS_LIB_LEGACY_H

/* legacy_stubs: the 32 exceptions' entries in 32-bit code, 16 bytes each. They push an error code
 * where the CPU pushes none, then the vector, and go on at `target`. */
#define LEGACY_STUBS(target)                     \
    ".globl legacy_stubs\n"                      \
    "legacy_stubs:\n"                            \
    "    .set vector, 0\n"                       \
    "    .rept 32\n"                             \
    "    .balign 16\n"                           \
    "    .if (1 << vector) & 0x60227d00\n"       \
    "    .else\n"                                \
    "    pushl $0\n"                             \
    "    .endif\n"                               \
    "    pushl $vector\n"                        \
    "    jmp " target "\n"                       \
    "    .set vector, vector + 1\n"              \
    "    .endr\n"

#endif
