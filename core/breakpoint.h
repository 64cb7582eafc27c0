/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Data and I/O breakpoints of a guest whose access the hypervisor makes in its place: the CPU saw
 * none of it, so DR7 and DR0 to DR3 are looked at here. PURE. Instruction breakpoints are the
 * CPU's. Have open: SDM, "Debug Control Register (DR7)", "Breakpoint Field Recognition".
 */
#ifndef CORE_BREAKPOINT_H
#define CORE_BREAKPOINT_H

#include "core/lib/bits.h"

enum breakpoint_kind { BREAKPOINT_READ, BREAKPOINT_WRITE, BREAKPOINT_IO };

/* Which of the four enabled breakpoints an access of size bytes at address (linear, or a port)
 * meets: bits 3:0, as in DR6. I/O breakpoints count only with CR4.DE, which is the caller's. */
uint32_t breakpoint_hits(uint64_t dr7, const uint64_t dr[4], enum breakpoint_kind kind,
                         uint64_t address, unsigned size);

#endif
