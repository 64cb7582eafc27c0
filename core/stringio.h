/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * INS and OUTS, with and without REP. PURE: memory and ports are reached through callbacks, so that
 * neither segments nor page tables are known here. Works in chunks, so that a guest's count of 2^64
 * never keeps the hypervisor busy, and leaves the registers after every iteration as the processor
 * would, so that a fault or an interrupt can come in between. Have open: SDM, "INS/INSB/INSW/INSD"
 * and "REP/REPE/REPZ/REPNE/REPNZ".
 */
#ifndef CORE_STRINGIO_H
#define CORE_STRINGIO_H

#include "core/lib/bits.h"

struct stringio {
    uint16_t port;
    uint8_t size;         /* bytes a time: 1, 2 or 4 */
    uint8_t address_size; /* bytes: 2, 4 or 8 */
    bool in;              /* INS, to ES:rDI; else OUTS, from seg:rSI */
    bool rep;
    bool backward;        /* RFLAGS.DF */
    uint64_t rcx;         /* in and out; only REP counts */
    uint64_t index;       /* in and out: RDI for INS, RSI for OUTS */
};

/* The callbacks that return bool return false when an exception is to be raised; ctx knows which.
 * An offset is the index register cut to the address size. */
struct stringio_ops {
    /* Checks segment and limit for size bytes at offset, and gives the linear address. */
    bool (*linear)(void *ctx, uint64_t offset, unsigned size, bool write, uint64_t *linear);
    /* INS: true if size bytes can be written at linear. The port is read only then, since what a
     * device has given away it cannot take back. */
    bool (*probe)(void *ctx, uint64_t linear, unsigned size);
    bool (*read)(void *ctx, uint64_t linear, void *buf, unsigned size);
    bool (*write)(void *ctx, uint64_t linear, const void *buf, unsigned size);
    uint32_t (*port_in)(void *ctx, uint16_t port, unsigned size);
    void (*port_out)(void *ctx, uint16_t port, unsigned size, uint32_t value);
};

enum stringio_result {
    STRINGIO_DONE,  /* the instruction is complete */
    STRINGIO_MORE,  /* the limit was reached: call again, or let the guest run into it again */
    STRINGIO_FAULT, /* a callback refused; the registers are as after the last whole iteration */
};

/* Runs at most limit iterations (1 or more). */
enum stringio_result stringio_run(struct stringio *s, const struct stringio_ops *ops, void *ctx,
                                  unsigned limit);

#endif
