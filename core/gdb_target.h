/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What gdb is told of an x86 CPU: its registers, in the order of gdb's "g" packet, and the XML that
 * names them. PURE tables; where a value comes from is the stub's business. Have open: gdb's
 * manual, "Target Descriptions", "Standard Target Features", "i386 Features".
 */
#ifndef CORE_GDB_TARGET_H
#define CORE_GDB_TARGET_H

#include "core/lib/bits.h"

/* Where a register's value comes from; n says which of them. */
enum gdb_source {
    GDB_GPR,      /* n: by number of encoding */
    GDB_PC,
    GDB_FLAGS,
    GDB_SELECTOR, /* n: enum seg_name */
    GDB_BASE,     /* of a segment */
    GDB_FPU,      /* n: offset in the FXSAVE image */
    GDB_FPU_CTRL, /* n: enum gdb_fpu_ctrl */
    GDB_CR,       /* n: 0, 2, 3, 4 */
    GDB_EFER,
};

enum gdb_fpu_ctrl { GDB_FCTRL, GDB_FSTAT, GDB_FTAG, GDB_FISEG, GDB_FIOFF, GDB_FOSEG, GDB_FOOFF,
                    GDB_FOP };

struct gdb_reg {
    uint8_t source; /* enum gdb_source */
    uint8_t bytes;  /* in packets */
    uint16_t n;
};

#define GDB_REG_MAX_BYTES 16
/* Room for either description. */
#define GDB_XML_MAX       8192

/* Register number i of a 64-bit (wide) or a 32-bit target. False: there are no so many. */
bool gdb_target_reg(bool wide, unsigned i, struct gdb_reg *out);
/* Writes target.xml to out (at least GDB_XML_MAX bytes); its length. */
size_t gdb_target_xml(bool wide, char *out, size_t size);

#endif
