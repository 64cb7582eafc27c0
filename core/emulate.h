/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Executes one decoded instruction. PURE: memory, segments and XMM registers are reached through
 * callbacks, general registers and flags are copied in and out, so that this knows neither paging
 * nor devices. It never steps RIP (exit_step() does), and a locked instruction is a plain read
 * and a plain write. Have open: SDM, "Instruction Set Reference" and "EFLAGS Cross-Reference".
 */
#ifndef CORE_EMULATE_H
#define CORE_EMULATE_H

#include "core/insn.h"

/* Callbacks that return bool return false when the access is refused; they have then noted what is
 * to be raised, and emulate() ends with EMULATE_FAULT. All are needed. */
struct emulate_ops {
    /* Checks size bytes at offset (already cut to the address size) against segment seg, an enum
     * insn_seg, and gives their linear address. Type, limit, canonicality and, if the caller
     * offers it, alignment (#AC) belong here. */
    bool (*linear)(void *machine, unsigned seg, uint64_t offset, unsigned size, bool write,
                   uint64_t *linear);
    /* True if size bytes can be read (write: written) at linear. Asked of all operands, in the
     * order in which a processor would find fault with them, before anything is read whose result
     * goes to memory: what a device has given away it cannot take back. */
    bool (*probe)(void *machine, uint64_t linear, unsigned size, bool write);
    /* 1, 2, 4, 8 or 16 bytes, little end first. */
    bool (*read)(void *machine, uint64_t linear, void *buf, unsigned size);
    bool (*write)(void *machine, uint64_t linear, const void *buf, unsigned size);
    /* XMM register n. Read before memory is touched, loads included: the place to refuse with #NM
     * or #UD if CR0 and CR4 say so. */
    bool (*read_xmm)(void *machine, unsigned n, uint8_t value[16]);
    void (*write_xmm)(void *machine, unsigned n, const uint8_t value[16]);
    /* The executor's own faults: #GP(0) for operands that must be aligned. */
    void (*raise)(void *machine, uint8_t vector, uint32_t error_code);
};

struct emulate_ctx {
    const struct insn *insn;
    const struct emulate_ops *ops;
    void *machine;      /* handed to the callbacks */
    uint64_t gpr[16];   /* in and out, in the order of encodings */
    uint64_t rip;       /* of the instruction; not changed */
    uint64_t rflags;    /* in and out; only the six status flags change */
    uint8_t stack_size; /* bytes of the stack pointer: 8 in 64-bit mode, else 4 or 2 by SS.B */
    unsigned limit;     /* iterations of a repeated string instruction in one call, from 1 */
};

enum emulate_result {
    EMULATE_DONE,    /* complete: take the registers, step RIP over insn->length bytes */
    EMULATE_MORE,    /* limit was reached: take the registers, leave RIP, run it again */
    EMULATE_FAULT,   /* refused. Registers are as before or, of a string instruction, as after the
                      * last whole iteration (status flags as before): take them, leave RIP */
    EMULATE_UNKNOWN, /* insn->op is not an instruction */
};

enum emulate_result emulate(struct emulate_ctx *c);

#endif
