/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exits for guest-physical addresses without RAM: the instruction is read through the guest's page
 * tables, decoded by insn.c, and its access made on the memory bus. Where no device is, reads give
 * all ones and writes go nowhere, as on a PC. An instruction that insn.c does not know stops the
 * VM with its bytes: never a wrong result.
 */
#include "core/backend.h"
#include "core/host.h"
#include "core/insn.h"
#include "core/interrupt.h"
#include "core/machine.h"
#include "core/vm.h"

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

static uint64_t low_mask(unsigned bytes)
{
    return bytes >= 8 ? UINT64_MAX : BITS(8 * (int)bytes - 1, 0);
}

static uint64_t read_register(struct vcpu *v, const struct insn *in)
{
    uint64_t value = vcpu_gpr(v, in->reg);
    return (in->high_byte ? value >> 8 : value) & low_mask(in->width);
}

static void write_register(struct vcpu *v, const struct insn *in, uint64_t value)
{
    uint64_t old = vcpu_gpr(v, in->reg);
    unsigned shift = in->high_byte ? 8 : 0;
    /* A 32-bit result clears the upper half; narrower ones leave the rest alone. */
    uint64_t mask = in->reg_width == 4 ? UINT64_MAX : low_mask(in->reg_width) << shift;
    value &= low_mask(in->reg_width);
    vcpu_set_gpr(v, in->reg, (old & ~mask) | (value << shift & mask));
}

static uint64_t sign_extend(uint64_t value, unsigned bytes)
{
    unsigned shift = 64 - 8 * bytes;
    return (uint64_t)((int64_t)(value << shift) >> shift);
}

/* The local APIC is the vCPU's own; everything else is on the VM's bus. */
static void access_memory(struct vcpu *v, gpa_t gpa, struct io_access *a)
{
    uint64_t base;
    if (!vlapic_mmio_base(&v->apic, &base) || gpa.v - base >= VLAPIC_SIZE) {
        machine_memory(v->vm, gpa, a);
        return;
    }
    v->apic.now = vm_guest_tsc(v->vm, host_now());
    a->offset = gpa.v - base;
    if (!a->write)
        a->value = low_mask(a->size);
    vlapic_ops.access(&v->apic, a);
    a->value &= low_mask(a->size);
    interrupt_apic_effects(v);
}

static void perform(struct vcpu *v, const struct insn *in, gpa_t gpa)
{
    struct io_access a = {.size = in->width};
    a.write = in->op == INSN_MOV_STORE || in->op == INSN_MOV_STORE_IMM;
    if (a.write)
        a.value = (in->op == INSN_MOV_STORE ? read_register(v, in) : (uint64_t)in->imm) &
                  low_mask(in->width);
    access_memory(v, gpa, &a);
    if (!a.write)
        write_register(v, in, in->op == INSN_MOVSX ? sign_extend(a.value, in->width) : a.value);
}

static COLD enum outcome unknown_instruction(struct vcpu *v, struct vm_exit *x, uint64_t rip,
                                             const uint8_t *bytes, size_t n)
{
    char hex[3 * INSN_MAX_LENGTH + 1] = "";
    for (size_t i = 0; i < n; i++)
        fmt_print(hex + 3 * i, sizeof(hex) - 3 * i, " %02x", bytes[i]);
    return vm_stop(v->vm, STOP_UNSUPPORTED,
                   "%s of %#lx, where no RAM is, by an instruction that is not emulated: "
                   "rip %#lx, bytes%s",
                   x->memory.write ? "write" : "read", x->memory.gpa.v, rip,
                   n ? hex : " unreadable");
}

/* Accesses that are not an instruction's own and so cannot be emulated as one. */
static COLD enum outcome cannot_emulate(struct vcpu *v, struct vm_exit *x, uint64_t rip)
{
    const char *what = x->memory.fetch   ? "it fetches instructions"
                       : x->memory.table ? "its page tables point"
                                         : "the delivery of an event needs memory";
    return vm_stop(v->vm, STOP_UNSUPPORTED, "it ran wild: no RAM at %#lx, where %s (rip %#lx)",
                   x->memory.gpa.v, what, rip);
}

enum outcome exit_memory(struct vcpu *v, struct vm_exit *x)
{
    uint8_t bytes[INSN_MAX_LENGTH];
    struct insn in;
    uint64_t rip = backend->get_reg(v, VREG_RIP);
    if (x->memory.fetch || x->memory.table || v->reinject_valid)
        return cannot_emulate(v, x, rip);
    unsigned mode = backend->code_bits(v);
    size_t n = fetch(v, rip, mode, bytes);
    enum insn_op op = n ? insn_decode(bytes, n, mode, &in) : INSN_UNKNOWN;
    if (op == INSN_UNKNOWN || op == INSN_TRUNCATED)
        return unknown_instruction(v, x, rip, bytes, n);
    perform(v, &in, x->memory.gpa);
    v->rip = rip;
    v->rflags = backend->get_reg(v, VREG_RFLAGS);
    x->length = in.length;
    x->slow_step = true;
    return machine_after_io(v->vm);
}
