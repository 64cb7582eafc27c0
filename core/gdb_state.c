/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gdb's packets about what stands still: registers, memory, breakpoints. Have open: gdb's manual,
 * "Remote Protocol", "Packets".
 */
#include "core/gdb_parts.h"

#include "core/debug.h"
#include "core/gdb_regs.h"
#include "core/gdb_target.h"
#include "core/lib/string.h"

#define MEMORY_MAX (GDB_PACKET_MAX / 2)

static uint8_t memory[MEMORY_MAX];

void gdb_packet_registers(void)
{
    struct vcpu *v = gdb_vcpu(gdb.general);
    gdb_tx_begin(&gdb.tx);
    struct gdb_regs_call c = {.wide = gdb.wide, .tx = &gdb.tx};
    debug_inspect(v, gdb_regs_read, &c);
    gdb_send();
}

void gdb_packet_set_registers(const char *at)
{
    struct gdb_regs_call c = {.wide = gdb.wide, .at = at};
    debug_inspect(gdb_vcpu(gdb.general), gdb_regs_write, &c);
    gdb_answer(c.failed ? GDB_ERROR : "OK");
}

void gdb_packet_register(const char *at)
{
    uint64_t n;
    struct gdb_reg r;
    if (!gdb_number(&at, &n) || n > UINT32_MAX || !gdb_target_reg(gdb.wide, (unsigned)n, &r)) {
        gdb_answer(GDB_ERROR);
        return;
    }
    gdb_tx_begin(&gdb.tx);
    struct gdb_regs_call c = {.wide = gdb.wide, .tx = &gdb.tx, .one = true, .n = (unsigned)n};
    debug_inspect(gdb_vcpu(gdb.general), gdb_regs_read, &c);
    gdb_send();
}

void gdb_packet_set_register(const char *at)
{
    uint64_t n;
    if (!gdb_number_then(&at, &n, '=') || n > UINT32_MAX) {
        gdb_answer(GDB_ERROR);
        return;
    }
    struct gdb_regs_call c = {.wide = gdb.wide, .at = at, .one = true, .n = (unsigned)n};
    debug_inspect(gdb_vcpu(gdb.general), gdb_regs_write, &c);
    gdb_answer(c.failed ? GDB_ERROR : "OK");
}

/* --- memory --- */

void gdb_packet_read(const char *at)
{
    uint64_t address, n;
    if (!gdb_number_then(&at, &address, ',') || !gdb_number(&at, &n)) {
        gdb_answer(GDB_ERROR);
        return;
    }
    size_t got = debug_read(gdb_vcpu(gdb.general), address, memory, min_u64(n, MEMORY_MAX));
    if (n && !got) {
        gdb_answer(GDB_ERROR);
        return;
    }
    gdb_tx_begin(&gdb.tx);
    gdb_tx_bytes(&gdb.tx, memory, got);
    gdb_send();
}

void gdb_packet_write(char *data, size_t size, bool binary)
{
    const char *at = data;
    uint64_t address, n;
    bool good = gdb_number_then(&at, &address, ',') && gdb_number_then(&at, &n, ':') &&
                n <= MEMORY_MAX;
    if (good && binary) {
        size_t left = gdb_unescape(data + (at - data), size - (size_t)(at - data));
        good = left == n;
        if (good)
            memcpy(memory, at, n);
    } else if (good) {
        good = gdb_bytes(&at, memory, n);
    }
    good = good && debug_write(gdb_vcpu(gdb.general), address, memory, n) == n;
    gdb_answer(good ? "OK" : GDB_ERROR);
}

void gdb_packet_break(const char *at, bool set)
{
    uint64_t kind, address, size;
    if (!gdb_number_then(&at, &kind, ',') || !gdb_number_then(&at, &address, ',') ||
        !gdb_number(&at, &size)) {
        gdb_answer(GDB_ERROR);
        return;
    }
    if (kind > BREAK_ACCESS) {
        gdb_answer("");
        return;
    }
    struct vcpu *v = gdb_vcpu(gdb.general);
    if (!set)
        debug_clear_break(v, (enum debug_break)kind, address, (unsigned)size);
    bool good = !set || debug_set_break(v, (enum debug_break)kind, address, (unsigned)size);
    gdb_answer(good ? "OK" : GDB_ERROR);
}
