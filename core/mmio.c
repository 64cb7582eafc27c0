/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accesses to guest-physical addresses without RAM, the long way: the instruction is read through
 * the guest's page tables, decoded by insn.c and executed by emulate.c, whose memory is linear.c's.
 * An instruction that these do not know stops the VM with its bytes: never a wrong result. SDM:
 * "EPT Violations", "RFLAGS" in "Saving RIP, RSP, RFLAGS, and SSP".
 */
#include "arch/x86/cr.h"
#include "arch/x86/regs.h"
#include "arch/x86/seg.h"
#include "core/backend.h"
#include "core/code_pages.h"
#include "core/emulate.h"
#include "core/host.h"
#include "core/lib/string.h"
#include "core/linear.h"
#include "core/machine.h"
#include "core/vm.h"

/* Iterations of a repeated string instruction per exit: bounds the time away from the scheduler. */
#define MMIO_CHUNK 64

_Static_assert((int)INSN_ES == SEG_ES && (int)INSN_SS == SEG_SS && (int)INSN_GS == SEG_GS,
               "instructions number segments as encodings do");

/* Reads up to 15 bytes at RIP; fewer where the next page cannot be read. 0: not even one. */
static size_t fetch(struct vcpu *v, uint64_t rip, unsigned mode, uint8_t bytes[INSN_MAX_LENGTH])
{
    struct segment cs;
    struct guest_paging paging;
    struct walk_info info;
    unsigned access = WALK_EXEC | (backend->cpl(v) == 3 ? WALK_USER : 0);
    uint64_t at = rip;
    if (mode != 64) {
        backend->get_segment(v, SEG_CS, &cs);
        at = (uint32_t)(cs.base + rip);
    }
    size_t n = INSN_MAX_LENGTH, in_page = PAGE_SIZE - (at & (PAGE_SIZE - 1));
    vcpu_paging(v, &paging);
    if (guest_copy_from(&paging, &v->vm->mem, GVA(at), access, bytes, n, &info) == WALK_OK)
        return n;
    n = min_u64(n, in_page);
    return guest_copy_from(&paging, &v->vm->mem, GVA(at), access, bytes, n, &info) == WALK_OK ? n
                                                                                              : 0;
}

/* --- what the executor asks for ------------------------------------------------------------- */

static bool mmio_linear(void *machine, unsigned seg, uint64_t offset, unsigned size, bool write,
                        uint64_t *linear)
{
    struct linear *l = machine;
    if (!linear_address(l, (enum seg_name)seg, offset, size, write, linear))
        return false;
    if (unlikely(l->v->dr_live))
        l->breakpoints |= (uint8_t)vcpu_breakpoints(
            l->v, write ? BREAKPOINT_WRITE : BREAKPOINT_READ, *linear, size);
    return true;
}

static bool mmio_probe(void *machine, uint64_t linear, unsigned size, bool write)
{
    return linear_probe(machine, linear, size, write);
}

static bool mmio_read(void *machine, uint64_t linear, void *buf, unsigned size)
{
    return linear_read(machine, linear, buf, size);
}

static bool mmio_write(void *machine, uint64_t linear, const void *buf, unsigned size)
{
    return linear_write(machine, linear, buf, size);
}

/* The guest's XMM registers are in the CPU as long as its vCPU is. */
static bool mmio_read_xmm(void *machine, unsigned n, uint8_t value[16])
{
    struct linear *l = machine;
    if ((l->paging.cr0 & CR0_EM) || !(l->paging.cr4 & CR4_OSFXSR))
        return linear_raise(l, UD());
    if (l->paging.cr0 & CR0_TS)
        return linear_raise(l, EXCEPTION(VECTOR_NM));
    host_fpu_get_xmm(n, value);
    return true;
}

static void mmio_write_xmm(void *machine, unsigned n, const uint8_t value[16])
{
    (void)machine;
    host_fpu_set_xmm(n, value);
}

static void mmio_raise(void *machine, uint8_t vector, uint32_t error_code)
{
    /* Real mode drops the code later: injecting it is where the mode counts. */
    linear_raise(machine, event_exception(vector, error_code, true));
}

static const struct emulate_ops mmio_ops = {
    .linear = mmio_linear,
    .probe = mmio_probe,
    .read = mmio_read,
    .write = mmio_write,
    .read_xmm = mmio_read_xmm,
    .write_xmm = mmio_write_xmm,
    .raise = mmio_raise,
};

static uint8_t stack_size(struct vcpu *v, unsigned bits)
{
    struct segment ss;
    if (bits == 64)
        return 8;
    backend->get_segment(v, SEG_SS, &ss);
    return ss.access & AR_DB ? 4 : 2;
}

static void take_registers(struct vcpu *v, const uint64_t gpr[GPR_COUNT])
{
    for (unsigned i = 0; i < GPR_COUNT; i++)
        if (i != GPR_RSP)
            v->gpr[i] = gpr[i];
    if (gpr[GPR_RSP] != backend->get_reg(v, VREG_RSP))
        backend->set_reg(v, VREG_RSP, gpr[GPR_RSP]);
}

/* --- exits ---------------------------------------------------------------------------------- */

static COLD enum outcome unknown_instruction(struct vcpu *v, struct vm_exit *x, uint64_t rip,
                                             const uint8_t *bytes, size_t n)
{
    char hex[3 * INSN_MAX_LENGTH + 1] = "";
    for (size_t i = 0; i < n; i++)
        fmt_print(hex + 3 * i, sizeof(hex) - 3 * i, " %02x", bytes[i]);
    return vm_stop(v->vm, STOP_UNSUPPORTED,
                   "%s of %#lx, where no RAM is, by an instruction that is not emulated: "
                   "rip %#lx, bytes%s",
                   x->memory.access & MEMORY_WRITE ? "write" : "read", x->memory.gpa.v, rip,
                   n ? hex : " unreadable");
}

/* Accesses that are not an instruction's own and so cannot be emulated as one. */
static COLD enum outcome cannot_emulate(struct vcpu *v, struct vm_exit *x, uint64_t rip)
{
    const char *what = x->memory.access & MEMORY_FETCH ? "it fetches instructions"
                       : x->memory.table               ? "its page tables point"
                                                       : "the delivery of an event needs memory";
    return vm_stop(v->vm, STOP_UNSUPPORTED, "it ran wild: no RAM at %#lx, where %s (rip %#lx)",
                   x->memory.gpa.v, what, rip);
}

/* The CPU has set RF for an instruction that is to run again: it stays set between iterations, so
 * that a breakpoint is met once, and is cleared by the instruction's end. */
static enum outcome execute(struct vcpu *v, struct vm_exit *x, const struct insn *in, uint64_t rip,
                            const uint8_t *bytes)
{
    struct linear l;
    linear_init(&l, v);
    struct emulate_ctx c = {
        .insn = in,
        .ops = &mmio_ops,
        .machine = &l,
        .rip = rip,
        .rflags = backend->get_reg(v, VREG_RFLAGS),
        .stack_size = stack_size(v, l.bits),
    };
    /* A single step is one iteration, and a breakpoint's trap comes behind the one that met it. */
    c.limit = (c.rflags & RFLAGS_TF) || v->dr_live ? 1 : MMIO_CHUNK;
    memcpy(c.gpr, v->gpr, sizeof(c.gpr));
    c.gpr[GPR_RSP] = backend->get_reg(v, VREG_RSP);
    x->slow_step = true;
    uint64_t operand = insn_offset(in, c.gpr, rip);
    enum emulate_result r = emulate(&c);
    take_registers(v, c.gpr);
    if (r == EMULATE_DONE && x->memory.plain)
        mmio_move_learn(v, x, in, rip, bytes, operand);
    enum outcome after = machine_after_io(v->vm);
    if (after == OUTCOME_STOP)
        return after;
    switch (r) {
    case EMULATE_DONE:
        if (unlikely(l.breakpoints))
            backend->queue_breakpoints(v, l.breakpoints);
        backend->set_reg(v, VREG_RFLAGS, c.rflags & ~RFLAGS_RF);
        v->rip = rip;
        x->length = in->length;
        return OUTCOME_ADVANCE;
    case EMULATE_MORE:
        if (unlikely(l.breakpoints))
            backend->queue_breakpoints(v, l.breakpoints);
        backend->set_reg(v, VREG_RFLAGS, c.rflags);
        if (c.rflags & RFLAGS_TF)
            backend->finish_step(v);
        x->slow_step = false; /* one iteration is done, and its trap is due */
        return OUTCOME_RETRY;
    case EMULATE_FAULT:
        return l.outcome;
    default: /* insn.c gives nothing that emulate.c does not know */
        return vm_stop(v->vm, STOP_UNSUPPORTED, "an instruction without execution: kind %u, "
                       "rip %#lx", in->op, rip);
    }
}

enum outcome mmio_emulate(struct vcpu *v, struct vm_exit *x)
{
    uint8_t bytes[INSN_MAX_LENGTH];
    struct insn in;
    if (x->memory.access & MEMORY_FETCH) {
        enum outcome outcome = code_pages_split(v, x->memory.gpa);
        if (outcome != OUTCOME_ADVANCE)
            return outcome;
    }
    uint64_t rip = backend->get_reg(v, VREG_RIP);
    if ((x->memory.access & MEMORY_FETCH) || x->memory.table || v->reinject_valid)
        return cannot_emulate(v, x, rip);
    unsigned mode = backend->code_bits(v);
    size_t n = fetch(v, rip, mode, bytes);
    enum insn_op op = n ? insn_decode_any(bytes, n, mode, &in) : INSN_UNKNOWN;
    if (op == INSN_UNKNOWN || op == INSN_TRUNCATED)
        return unknown_instruction(v, x, rip, bytes, n);
    return execute(v, x, &in, rip, bytes);
}
