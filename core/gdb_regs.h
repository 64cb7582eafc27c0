/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vCPU's registers as gdb's packets carry them. gdb's pc is the linear address of the next
 * instruction, so that breakpoints and disassembly fit in real mode; cs_base is what was added.
 */
#ifndef CORE_GDB_REGS_H
#define CORE_GDB_REGS_H

#include "core/gdb_packet.h"

struct vcpu;

struct gdb_regs_call {
    bool wide;         /* the 64-bit set */
    struct gdb_tx *tx; /* reading: where the digits go */
    const char *at;    /* writing: where they come from */
    bool one;          /* register n alone */
    unsigned n;
    bool failed;       /* writing: something cannot be written, or digits are missing */
};

/* For debug_inspect(); arg is a struct gdb_regs_call. What cannot be written (control and segment
 * registers, the FPU) is skipped among all, and fails as one. */
void gdb_regs_read(struct vcpu *v, void *arg);
void gdb_regs_write(struct vcpu *v, void *arg);

#endif
