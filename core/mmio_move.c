/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MOV to and from device memory, the second time. The header says why this may be. It must not do
 * anything that mmio.c would not do: whatever is special goes there. SDM: "EPT Violations", "Basic
 * VM-Exit Information".
 */
#include "core/mmio_move.h"

#include "arch/x86/regs.h"
#include "core/backend.h"
#include "core/lib/string.h"
#include "core/linear.h"
#include "core/machine.h"
#include "core/vm.h"

#define PAGE_OFFSET (PAGE_SIZE - 1)
#define CODE_BYTES  16 /* that are compared, in two words */

static struct mmio_move *entry_for(struct vcpu *v, uint64_t rip)
{
    return &v->moves[(rip >> 2 ^ rip >> 6) % MMIO_MOVES];
}

/* The instruction and what leads to it and to its operand are as they were. */
static inline bool still_true(const struct mmio_move *m, const uint8_t *window)
{
    gpa_t code = GPA(m->code.page.v + (m->rip & PAGE_OFFSET));
    return guest_walk_proved(&m->code, window) && guest_walk_proved(&m->data, window) &&
           likely((guest_reload64(window, code) & m->mask[0]) == m->word[0]) &&
           (likely(m->length <= 8) ||
            (guest_reload64(window, GPA(code.v + 8)) & m->mask[1]) == m->word[1]);
}

static inline uint64_t operand_of(const struct mmio_move *m, const uint64_t *gpr)
{
    uint64_t at = m->disp;
    if (m->base != INSN_NO_REG)
        at += gpr[m->base];
    if (m->index != INSN_NO_REG)
        at += gpr[m->index] << m->shift;
    return at;
}

__attribute__((hot)) bool mmio_move_again(struct vcpu *v, struct vm_exit *x)
{
    uint64_t rip = v->rip;
    const struct mmio_move *m = entry_for(v, rip);
    __asm__("" : "+r"(m)); /* computed once */
    if (m->rip != rip || m->cr3 != x->memory.cr3 || m->access != x->memory.access)
        return false;
    uint64_t at = operand_of(m, v->gpr) - m->page;
    /* Aligned, thus in one page; and it is the page that the CPU speaks of. */
    if (at >= PAGE_SIZE || (at & m->align) || x->memory.gpa.v != m->data.page.v + at ||
        !still_true(m, v->vm->mem.window))
        return false;
    struct io_access a;
    a.size = m->width;
    a.write = m->store;
    a.value = UINT64_MAX;
    if (m->store)
        a.value = (m->reg == INSN_NO_REG ? m->imm : v->gpr[m->reg]) & m->bits;
    linear_access_device(v, x->memory.gpa, &a);
    if (!m->store)
        v->gpr[m->reg] = (v->gpr[m->reg] & m->keep) | (a.value & m->bits);
    x->length = m->length;
    /* The CPU has set RF, for an instruction that is to run again. */
    if (v->rflags & RFLAGS_RF)
        backend->set_reg(v, VREG_RFLAGS, v->rflags & ~RFLAGS_RF);
    return true;
}

/* What differs from last time is the long way's. */
__attribute__((hot, flatten)) enum outcome exit_memory(struct vcpu *v, struct vm_exit *x)
{
    if (likely(x->memory.plain) && likely(mmio_move_again(v, x)))
        return machine_after_io(v->vm);
    return mmio_emulate(v, x);
}

/* --- learning ------------------------------------------------------------------------------- */

static bool is_simple(const struct insn *in)
{
    bool load = in->op == INSN_MOV_LOAD || in->op == INSN_MOVZX;
    bool store = in->op == INSN_MOV_STORE || in->op == INSN_MOV_STORE_IMM;
    return (load || store) && in->mode == 64 && in->address_size == 8 && in->seg < INSN_FS &&
           !in->high_byte && !in->lock && !in->repeat && in->width <= 8 && in->reg != GPR_RSP &&
           in->base != GPR_RSP && in->index != GPR_RSP;
}

static void take_bytes(struct mmio_move *m, const uint8_t *bytes, unsigned length)
{
    uint8_t mask[CODE_BYTES] = {0}, code[CODE_BYTES] = {0};
    memset(mask, 0xff, length);
    memcpy(code, bytes, length);
    memcpy(m->mask, mask, sizeof(mask));
    memcpy(m->word, code, sizeof(code));
}

void mmio_move_learn(struct vcpu *v, const struct vm_exit *x, const struct insn *in, uint64_t rip,
                     const uint8_t *bytes, uint64_t operand)
{
    struct mmio_move *m = entry_for(v, rip);
    struct guest_paging paging;
    unsigned user = backend->cpl(v) == 3 ? WALK_USER : 0;
    bool store = in->op == INSN_MOV_STORE || in->op == INSN_MOV_STORE_IMM;
    m->access = 0;
    if (!is_simple(in) || store != !!(x->memory.access & MEMORY_WRITE) ||
        (rip & PAGE_OFFSET) > PAGE_SIZE - CODE_BYTES)
        return;
    vcpu_paging(v, &paging);
    if (!guest_walk_prove(&paging, &v->vm->mem, GVA(rip), WALK_EXEC | user, &m->code) ||
        !guest_walk_prove(&paging, &v->vm->mem, GVA(operand), (store ? WALK_WRITE : 0) | user,
                          &m->data) ||
        !guest_mem_contains(&v->vm->mem, m->code.page, PAGE_SIZE) ||
        guest_mem_contains(&v->vm->mem, m->data.page, 1))
        return;
    take_bytes(m, bytes, in->length);
    m->rip = rip;
    m->cr3 = paging.cr3;
    m->disp = (uint64_t)in->disp + (in->rip_relative ? rip + in->length : 0);
    m->imm = (uint64_t)in->imm;
    m->bits = bus_ones(in->width);
    m->keep = in->reg_width >= 4 ? 0 : ~(BIT(8 * in->reg_width) - 1);
    m->length = in->length;
    m->width = in->width;
    m->align = in->width - 1;
    m->reg = in->op == INSN_MOV_STORE_IMM ? INSN_NO_REG : in->reg;
    m->base = in->base;
    m->index = in->index;
    m->shift = (uint8_t)__builtin_ctz(in->scale);
    m->store = store;
    m->access = x->memory.access;
    m->page = operand & ~PAGE_OFFSET;
}
