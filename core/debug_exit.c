/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What exits bring to a debugger: #DB, INT3, MOV DR, and what steps by RFLAGS.TF leave in the
 * guest. On the vCPU's CPU, with its VM's memory in the window. SDM: "Debug Exceptions", "MOV --
 * Move to/from Debug Registers".
 */
#include "core/debug_parts.h"

#include "arch/x86/cr.h"
#include "arch/x86/regs.h"
#include "core/backend.h"
#include "core/vm.h"

#define PUSHF        0x9c
#define OPERAND_SIZE 0x66 /* prefix */

static uint64_t linear(struct vcpu *v, enum seg_name name, uint64_t offset)
{
    struct segment s;
    backend->get_segment(v, name, &s);
    return backend->code_bits(v) == 64 ? offset : (uint32_t)(s.base + offset);
}

static uint64_t rip(struct vcpu *v)
{
    return linear(v, SEG_CS, backend->get_reg(v, VREG_RIP));
}

bool debug_at_pushf(struct vcpu *v)
{
    uint8_t code[2] = {0};
    struct debug_transfer t = {.at = rip(v), .to = code, .n = sizeof(code)};
    debug_transfer(v, &t);
    return code[0] == PUSHF || (code[0] == OPERAND_SIZE && code[1] == PUSHF);
}

void debug_clean_pushf(struct vcpu *v)
{
    uint8_t byte = 0;
    uint64_t at = linear(v, SEG_SS, backend->get_reg(v, VREG_RSP)) + 1;
    struct debug_transfer get = {.at = at, .to = &byte, .n = 1};
    struct debug_transfer put = {.at = at, .from = &byte, .n = 1};
    debug_transfer(v, &get);
    byte &= (uint8_t)~(RFLAGS_TF >> 8);
    if (get.done)
        debug_transfer(v, &put);
}

static void stop_at_register(struct vcpu *v)
{
    unsigned i = (unsigned)__builtin_ctz(v->debug.hits);
    enum debug_break kind = debug_break_register(i, &v->debug.address);
    debug_stop(v, kind == BREAK_HARDWARE ? DEBUG_HARDWARE
                  : kind == BREAK_WRITE  ? DEBUG_WATCH_WRITE
                                         : DEBUG_WATCH_ACCESS);
}

bool debug_exception(struct vcpu *v, const struct event *e)
{
    if (e->vector == VECTOR_DB && v->debug.hits) {
        stop_at_register(v);
        v->debug.hits = 0;
        return true;
    }
    if (e->vector == VECTOR_DB && v->debug.stepped)
        debug_stop(v, DEBUG_STEPPED);
    if (e->vector == VECTOR_DB)
        return v->debug.stepped || v->debug.stray;
    bool stale;
    if (e->vector != VECTOR_BP || e->type != EVENT_SW_EXC ||
        !debug_break_is_ours(v, rip(v), &stale))
        return false;
    if (!stale)
        debug_stop(v, DEBUG_BREAKPOINT);
    return true;
}

enum outcome debug_mov_dr(struct vcpu *v, struct vm_exit *x)
{
    unsigned n = x->dr.dr;
    x->slow_step = true; /* a register that C preserves may be written */
    if ((n == 4 || n == 5) && (backend->get_reg(v, VREG_CR4) & CR4_DE))
        return vcpu_raise(v, UD());
    uint64_t *dr = n < 4 ? &v->dr[n] : n & 1 ? &v->debug.guest_dr7 : &v->dr6;
    if (x->dr.read) {
        vcpu_set_gpr(v, x->dr.gpr, *dr);
        return OUTCOME_ADVANCE;
    }
    uint64_t value = vcpu_gpr(v, x->dr.gpr);
    if (n >= 4 && value >> 32)
        return vcpu_raise(v, GP(0));
    if (n == 4 || n == 6)
        value = (value & DR6_WRITABLE) | (DR6_RESET & ~DR6_WRITABLE);
    else if (n >= 4)
        value = (value & ~DR7_RESERVED0) | DR7_FIXED1;
    *dr = value;
    v->dr_used = true;
    return OUTCOME_ADVANCE;
}
