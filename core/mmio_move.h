/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The short way for what touches devices most: MOV and MOVZX in 64-bit code that a vCPU has
 * executed there before. core/mmio.c is the long way for all instructions and knows nothing that
 * this does not: when anything at all differs from last time, this steps aside.
 *
 * Why it is never wrong: an entry holds for one RIP and CR3, and nothing in it is believed. Each
 * time, the paging-structure entries through which instruction and operand are reached, and then
 * the instruction's bytes, are read again from the guest's memory and compared. So self-modifying
 * code, a changed mapping or another vCPU's hand are seen as the long way would see them, and no
 * invalidation exists that could be forgotten. Rights, alignment and canonicality the CPU has
 * checked before the exit.
 */
#ifndef CORE_MMIO_MOVE_H
#define CORE_MMIO_MOVE_H

#include "core/exit.h"
#include "core/insn.h"
#include "mm/guest_walk.h"

#define MMIO_MOVES 8 /* entries of a vCPU */

struct mmio_move {
    uint64_t rip, cr3;
    struct walk_proof code, data;
    uint64_t word[2], mask[2]; /* the instruction's bytes */
    uint64_t page;             /* linear, of the operand */
    uint64_t disp;             /* to which RIP has been added where that is meant */
    uint64_t imm;              /* stores without a register */
    uint64_t bits;             /* of a value of width */
    uint64_t keep;             /* loads: bits that stay in the register */
    uint8_t access;            /* the exit's; 0: this entry is empty */
    uint8_t length, width;     /* bytes */
    uint8_t align;             /* width - 1 */
    uint8_t reg, base, index;  /* INSN_NO_REG: none */
    uint8_t shift;             /* of the index */
    bool store;
};

/* An exit for memory whose x->memory.plain is set. True: it is done, and x says how to step. */
bool mmio_move_again(struct vcpu *v, struct vm_exit *x);
/* The long way: any exit for memory. core/mmio.c. */
enum outcome mmio_emulate(struct vcpu *v, struct vm_exit *x);
/* After the long way has executed `in` at rip, with its n bytes and the registers from before. */
void mmio_move_learn(struct vcpu *v, const struct vm_exit *x, const struct insn *in, uint64_t rip,
                     const uint8_t *bytes, uint64_t operand);

#endif
