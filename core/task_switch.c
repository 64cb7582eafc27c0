/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A task switch in the manual's order: checks of the new TSS, a look at all memory that is needed,
 * then busy flags, the old task's state, the point of no return, the new task's state and its
 * segments. PURE; see the header. A segment that could not be loaded is left with its selector and
 * a cache nobody can use, in a form that VM entry takes. Have open: SDM, "Task Management", the
 * tables "Exception Conditions Checked During a Task Switch" and "Effect of a Task Switch on Busy
 * Flag, NT Flag, Previous Task Link Field, and TS Flag".
 */
#include "core/task_switch.h"

#include "arch/x86/cr.h"
#include "arch/x86/regs.h"
#include "arch/x86/seg.h"
#include "core/lib/bytes.h"
#include "core/lib/string.h"

#define RFLAGS_NT    BIT(14)
#define DR7_LOCAL    0x155u  /* L0 to L3 and LE: breakpoints of one task only */
#define TSS_BUSY     0x02u
#define TSS_WIDE     0x08u   /* a 32-bit one */
#define RIGHTS_AT    5       /* the byte of a descriptor with type, DPL and P */

/* Offsets in the two kinds of TSS; registers and selectors in the order of encodings. */
enum { TSS32_CR3 = 0x1c, TSS32_EIP = 0x20, TSS32_EFLAGS = 0x24, TSS32_GPR = 0x28, TSS32_SEG = 0x48,
       TSS32_LDT = 0x60, TSS32_T = 0x64, TSS32_SIZE = 0x68 };
enum { TSS16_IP = 0x0e, TSS16_FLAGS = 0x10, TSS16_GPR = 0x12, TSS16_SEG = 0x22, TSS16_LDT = 0x2a,
       TSS16_SIZE = 0x2c };

struct switcher {
    const struct task_request *req;
    const struct task_switch_ops *ops;
    void *machine;
    struct task_registers *regs;
    struct task_switch_outcome *out;
    struct segment tss;      /* the new one */
    uint8_t image[TSS32_SIZE];
    uint32_t ext;            /* bit 0 of error codes: an event from outside is behind it all */
    unsigned cpl;            /* of the new task */
};

struct descriptor {
    uint32_t linear, low, high;
};

/* --- small ones ----------------------------------------------------------------------------- */

static bool fault(struct switcher *s, uint8_t vector, uint16_t selector)
{
    uint32_t code = (selector & 0xfffcu) | s->ext;
    s->out->fault = (struct event){.type = EVENT_HW_EXCEPTION, .vector = vector,
                                   .has_error = true, .error_code = code};
    return false;
}

static bool refuse(struct switcher *s)
{
    s->out->refused = true;
    return false;
}

static bool fetch(struct switcher *s, uint32_t linear, void *buf, unsigned n)
{
    return s->ops->read(s->machine, linear, buf, n) || refuse(s);
}

static bool probe(struct switcher *s, uint64_t linear, unsigned n)
{
    return s->ops->probe(s->machine, (uint32_t)linear, n) || refuse(s);
}

static bool put(struct switcher *s, uint64_t linear, const void *buf, unsigned n)
{
    return s->ops->write(s->machine, (uint32_t)linear, buf, n, false) || refuse(s);
}

static void set16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static void set32(uint8_t *p, uint32_t v)
{
    set16(p, v);
    set16(p + 2, v >> 16);
}

static bool is_wide(const struct segment *tss)
{
    return tss->access & TSS_WIDE;
}

static bool is_null(uint16_t selector)
{
    return (selector & 0xfffc) == 0;
}

static bool nests(const struct switcher *s)
{
    return s->req->source == TASK_CALL || s->req->source == TASK_GATE;
}

/* --- descriptors ---------------------------------------------------------------------------- */

static struct segment segment_of(const struct descriptor *d, uint16_t selector)
{
    struct segment g = {.selector = selector, .access = d->high >> 8 & 0xf0ff};
    g.base = d->low >> 16 | (d->high & 0xff) << 16 | (d->high & 0xff000000);
    g.limit = (d->low & 0xffff) | (d->high & 0xf0000);
    if (g.access & AR_G)
        g.limit = g.limit << 12 | 0xfff;
    return g;
}

/* Not for null selectors. vector is raised where the table has no such entry. */
static bool get_descriptor(struct switcher *s, uint16_t selector, uint8_t vector,
                           struct descriptor *d)
{
    const struct segment *ldt = &s->regs->seg[SEG_LDTR];
    bool local = selector & 4;
    uint64_t base = local ? ldt->base : s->req->gdt_base;
    uint32_t limit = local ? ldt->limit : s->req->gdt_limit;
    uint8_t bytes[8];
    if ((local && (ldt->access & AR_UNUSABLE)) || (selector | 7u) > limit)
        return fault(s, vector, selector);
    d->linear = (uint32_t)(base + (selector & 0xfff8u));
    if (!fetch(s, d->linear, bytes, sizeof(bytes)))
        return false;
    d->low = get32(bytes);
    d->high = get32(bytes + 4);
    return true;
}

static bool set_busy(struct switcher *s, uint16_t selector, bool busy)
{
    uint32_t at = (uint32_t)(s->req->gdt_base + (selector & 0xfff8u) + RIGHTS_AT);
    uint8_t rights;
    if (!fetch(s, at, &rights, 1))
        return false;
    rights = (uint8_t)(busy ? rights | TSS_BUSY : rights & ~TSS_BUSY);
    return put(s, at, &rights, 1);
}

/* --- before the point of no return ---------------------------------------------------------- */

static bool check_new_tss(struct switcher *s)
{
    const struct task_request *req = s->req;
    bool back = req->source == TASK_IRET;
    uint8_t vector = back ? VECTOR_TS : VECTOR_GP;
    struct descriptor d;
    if (is_null(req->selector) || (req->selector & 4))
        return fault(s, vector, req->selector);
    if (!get_descriptor(s, req->selector, vector, &d))
        return false;
    s->tss = segment_of(&d, req->selector);
    unsigned type = s->tss.access & (AR_S | AR_TYPE) & ~TSS_WIDE;
    unsigned dpl = AR_DPL(s->tss.access);
    if (type != (back ? AR_TYPE_TSS16_BUSY : AR_TYPE_TSS16_BUSY & ~TSS_BUSY))
        return fault(s, vector, req->selector);
    if (req->check_dpl && (dpl < req->cpl || dpl < (req->selector & 3u)))
        return fault(s, VECTOR_GP, req->selector);
    if (!(s->tss.access & AR_P))
        return fault(s, VECTOR_NP, req->selector);
    if (s->tss.limit < (is_wide(&s->tss) ? TSS32_SIZE : TSS16_SIZE) - 1u)
        return fault(s, VECTOR_TS, req->selector);
    s->tss.access |= TSS_BUSY;
    return true;
}

/* The part of the old TSS that is written: from the instruction pointer to the last selector. */
static void save_area(const struct segment *tss, uint32_t *at, unsigned *n)
{
    *at = is_wide(tss) ? TSS32_EIP : TSS16_IP;
    *n = (is_wide(tss) ? TSS32_LDT : TSS16_LDT) - *at;
}

/* Nothing has been changed so far; what cannot be reached is found out now. */
static bool check_memory(struct switcher *s)
{
    const struct segment *old = &s->regs->seg[SEG_TR];
    uint32_t at, gdt = (uint32_t)s->req->gdt_base;
    unsigned n;
    save_area(old, &at, &n);
    if (old->limit < at + n - 1)
        return fault(s, VECTOR_TS, old->selector);
    if (!fetch(s, (uint32_t)s->tss.base, s->image, is_wide(&s->tss) ? TSS32_SIZE : TSS16_SIZE) ||
        !probe(s, old->base + at, n))
        return false;
    if (nests(s) && !probe(s, s->tss.base, 2))
        return false;
    if (s->req->source != TASK_IRET &&
        !probe(s, gdt + (s->req->selector & 0xfff8u) + RIGHTS_AT, 1))
        return false;
    return nests(s) || probe(s, gdt + (old->selector & 0xfff8u) + RIGHTS_AT, 1);
}

/* Faults have RF set in the image that is saved, so that a breakpoint is not met twice. */
static uint32_t old_flags(const struct switcher *s)
{
    const struct event *e = &s->req->event;
    bool is_fault = e->type == EVENT_HW_EXCEPTION && e->vector != VECTOR_DB &&
                    e->vector != VECTOR_DF && e->vector != VECTOR_MC;
    if (s->req->source == TASK_IRET)
        return s->regs->eflags & ~(uint32_t)RFLAGS_NT;
    if (s->req->source == TASK_GATE && is_fault)
        return s->regs->eflags | (uint32_t)RFLAGS_RF;
    return s->regs->eflags;
}

static uint32_t old_eip(const struct switcher *s)
{
    bool event = s->req->source == TASK_GATE;
    return s->regs->eip + (event ? s->req->event.insn_length : s->req->insn_length);
}

static bool save_wide(struct switcher *s)
{
    const struct task_registers *r = s->regs;
    uint64_t base = r->seg[SEG_TR].base;
    uint8_t image[TSS32_SEG - TSS32_EIP], selector[2];
    set32(image, old_eip(s));
    set32(image + 4, old_flags(s));
    for (unsigned i = 0; i < 8; i++)
        set32(image + 8 + 4 * i, r->gpr[i]);
    if (!put(s, base + TSS32_EIP, image, sizeof(image)))
        return false;
    /* The halves above the selectors stay as they are. */
    for (unsigned i = 0; i < 6; i++) {
        set16(selector, r->seg[i].selector);
        if (!put(s, base + TSS32_SEG + 4 * i, selector, sizeof(selector)))
            return false;
    }
    return true;
}

static bool save_narrow(struct switcher *s)
{
    const struct task_registers *r = s->regs;
    uint8_t image[TSS16_LDT - TSS16_IP];
    set16(image, old_eip(s));
    set16(image + 2, old_flags(s));
    for (unsigned i = 0; i < 8; i++)
        set16(image + 4 + 2 * i, r->gpr[i]);
    for (unsigned i = 0; i < 4; i++)
        set16(image + 20 + 2 * i, r->seg[i].selector);
    return put(s, r->seg[SEG_TR].base + TSS16_IP, image, sizeof(image));
}

/* Busy flags, the old task's state and the link back to it. */
static bool leave_old_task(struct switcher *s)
{
    const struct segment *old = &s->regs->seg[SEG_TR];
    uint8_t link[2];
    set16(link, old->selector);
    if (!nests(s) && !set_busy(s, old->selector, false))
        return false;
    if (!(is_wide(old) ? save_wide(s) : save_narrow(s)))
        return false;
    if (s->req->source != TASK_IRET && !set_busy(s, s->req->selector, true))
        return false;
    if (nests(s) && !put(s, s->tss.base, link, sizeof(link)))
        return false;
    /* Read again: a task may go back to itself, and then this is what has just been saved. */
    return fetch(s, (uint32_t)s->tss.base, s->image, is_wide(&s->tss) ? TSS32_SIZE : TSS16_SIZE);
}

/* --- behind it ------------------------------------------------------------------------------ */

/* Selectors without descriptors: what the new task has until each is loaded. CS and SS keep the
 * task's CPL, and not a byte is within CS. */
static void set_selectors(struct switcher *s, uint32_t seg_at, unsigned stride, unsigned count)
{
    struct segment *seg = s->regs->seg;
    for (unsigned i = 0; i < 6; i++) {
        uint16_t selector = i < count ? get16(s->image + seg_at + stride * i) : 0;
        seg[i] = (struct segment){.selector = selector, .access = AR_UNUSABLE};
    }
    s->cpl = seg[SEG_CS].selector & 3u;
    seg[SEG_SS].access |= s->cpl << AR_DPL_SHIFT;
    seg[SEG_CS].access = AR_TYPE_CODE_RX | AR_S | AR_P | s->cpl << AR_DPL_SHIFT;
}

static void set_virtual_8086(struct switcher *s)
{
    s->cpl = 3;
    for (unsigned i = 0; i < 6; i++) {
        struct segment *g = &s->regs->seg[i];
        g->base = (uint32_t)g->selector << 4;
        g->limit = 0xffff;
        g->access = AR_P | 3 << AR_DPL_SHIFT | AR_S | AR_TYPE_DATA_RW;
    }
}

/* The registers that need no check. 16-bit TSSs have neither CR3 nor FS and GS; the upper halves
 * of their registers become ones, as on the first processors that had any. */
static bool enter_new_task(struct switcher *s)
{
    struct task_registers *r = s->regs;
    const uint8_t *t = s->image;
    bool wide = is_wide(&s->tss);
    uint32_t eflags = wide ? get32(t + TSS32_EFLAGS) : get16(t + TSS16_FLAGS);
    r->eip = wide ? get32(t + TSS32_EIP) : get16(t + TSS16_IP);
    r->eflags = (eflags & ~(uint32_t)RFLAGS_RESERVED) | (uint32_t)RFLAGS_FIXED1;
    if (nests(s))
        r->eflags |= (uint32_t)RFLAGS_NT;
    for (unsigned i = 0; i < 8; i++)
        r->gpr[i] = wide ? get32(t + TSS32_GPR + 4 * i)
                         : 0xffff0000u | get16(t + TSS16_GPR + 2 * i);
    r->cr0 |= (uint32_t)CR0_TS;
    r->dr7 &= ~DR7_LOCAL;
    set_selectors(s, wide ? TSS32_SEG : TSS16_SEG, wide ? 4 : 2, wide ? 6 : 4);
    if (r->eflags & RFLAGS_VM)
        set_virtual_8086(s);
    r->seg[SEG_LDTR] = (struct segment){
        .selector = get16(t + (wide ? (unsigned)TSS32_LDT : (unsigned)TSS16_LDT)),
        .access = AR_UNUSABLE,
    };
    r->seg[SEG_TR] = s->tss;
    if (!wide || !(r->cr0 & CR0_PG))
        return true;
    r->cr3 = get32(t + TSS32_CR3);
    return s->ops->load_cr3(s->machine, r->cr3) || fault(s, VECTOR_GP, 0);
}

static bool load_ldtr(struct switcher *s)
{
    struct segment *ldtr = &s->regs->seg[SEG_LDTR];
    struct descriptor d;
    if (is_null(ldtr->selector))
        return true;
    if (ldtr->selector & 4)
        return fault(s, VECTOR_TS, ldtr->selector);
    if (!get_descriptor(s, ldtr->selector, VECTOR_TS, &d))
        return false;
    struct segment g = segment_of(&d, ldtr->selector);
    if ((g.access & (AR_S | AR_TYPE)) != AR_TYPE_LDT || !(g.access & AR_P))
        return fault(s, VECTOR_TS, ldtr->selector);
    *ldtr = g;
    return true;
}

/* Checks are done: into the register, and the descriptor is marked as accessed. */
static bool take(struct switcher *s, unsigned name, struct segment *g, const struct descriptor *d)
{
    if (!(g->access & AR_ACCESSED)) {
        uint8_t rights = (uint8_t)(g->access | AR_ACCESSED);
        g->access |= AR_ACCESSED;
        if (!put(s, d->linear + RIGHTS_AT, &rights, 1))
            return false;
    }
    s->regs->seg[name] = *g;
    return true;
}

static bool load_cs(struct switcher *s)
{
    uint16_t selector = s->regs->seg[SEG_CS].selector;
    struct descriptor d;
    if (is_null(selector))
        return fault(s, VECTOR_TS, selector);
    if (!get_descriptor(s, selector, VECTOR_TS, &d))
        return false;
    struct segment g = segment_of(&d, selector);
    unsigned dpl = AR_DPL(g.access);
    bool code = (g.access & AR_S) && (g.access & 8), conforming = g.access & 4;
    if (!code || (conforming ? dpl > s->cpl : dpl != s->cpl))
        return fault(s, VECTOR_TS, selector);
    if (!(g.access & AR_P))
        return fault(s, VECTOR_NP, selector);
    return take(s, SEG_CS, &g, &d);
}

static bool load_ss(struct switcher *s)
{
    uint16_t selector = s->regs->seg[SEG_SS].selector;
    struct descriptor d;
    if (is_null(selector))
        return fault(s, VECTOR_TS, selector);
    if (!get_descriptor(s, selector, VECTOR_TS, &d))
        return false;
    struct segment g = segment_of(&d, selector);
    bool writable = (g.access & (AR_S | 8 | 2)) == (AR_S | 2);
    if (!writable)
        return fault(s, VECTOR_TS, selector);
    if (!(g.access & AR_P))
        return fault(s, VECTOR_SS, selector);
    if (AR_DPL(g.access) != s->cpl || (selector & 3u) != s->cpl)
        return fault(s, VECTOR_TS, selector);
    return take(s, SEG_SS, &g, &d);
}

static bool load_data(struct switcher *s, unsigned name)
{
    uint16_t selector = s->regs->seg[name].selector;
    struct descriptor d;
    if (is_null(selector))
        return true;
    if (!get_descriptor(s, selector, VECTOR_TS, &d))
        return false;
    struct segment g = segment_of(&d, selector);
    unsigned dpl = AR_DPL(g.access);
    bool code = g.access & 8, conforming = code && (g.access & 4);
    if (!(g.access & AR_S) || (code && !(g.access & 2)))
        return fault(s, VECTOR_TS, selector);
    if (!conforming && (dpl < s->cpl || dpl < (selector & 3u)))
        return fault(s, VECTOR_TS, selector);
    if (!(g.access & AR_P))
        return fault(s, VECTOR_NP, selector);
    return take(s, name, &g, &d);
}

static bool load_segments(struct switcher *s)
{
    static const uint8_t data[] = {SEG_DS, SEG_ES, SEG_FS, SEG_GS};
    if (!load_ldtr(s))
        return false;
    if (s->regs->eflags & RFLAGS_VM)
        return true;
    if (!load_cs(s) || !load_ss(s))
        return false;
    for (unsigned i = 0; i < ARRAY_LEN(data); i++)
        if (!load_data(s, data[i]))
            return false;
    return true;
}

/* On the new stack, 4 bytes or 2 by the kind of the TSS. */
static bool push_error_code(struct switcher *s)
{
    const struct segment *ss = &s->regs->seg[SEG_SS];
    uint32_t n = is_wide(&s->tss) ? 4 : 2, *esp = &s->regs->gpr[4];
    uint32_t mask = ss->access & AR_DB ? UINT32_MAX : 0xffff;
    uint32_t sp = (*esp - n) & mask;
    uint64_t last = (uint64_t)sp + n - 1;
    uint8_t bytes[4];
    bool down = ss->access & 4;
    if (down ? sp <= ss->limit || last > mask : last > ss->limit)
        return fault(s, VECTOR_SS, 0);
    set32(bytes, s->req->event.error_code);
    if (!s->ops->write(s->machine, (uint32_t)(ss->base + sp), bytes, n, s->cpl == 3))
        return refuse(s);
    *esp = (*esp & ~mask) | sp;
    return true;
}

static bool start_new_task(struct switcher *s)
{
    const struct task_request *req = s->req;
    if (!enter_new_task(s) || !load_segments(s))
        return false;
    if (req->source == TASK_GATE && req->event.has_error && !push_error_code(s))
        return false;
    if (s->regs->eip > s->regs->seg[SEG_CS].limit)
        return fault(s, VECTOR_GP, 0);
    s->out->debug_trap = is_wide(&s->tss) && (s->image[TSS32_T] & 1);
    return true;
}

enum task_switch_result task_switch(const struct task_request *req,
                                    const struct task_switch_ops *ops, void *machine,
                                    struct task_registers *regs,
                                    struct task_switch_outcome *out)
{
    struct switcher s = {.req = req, .ops = ops, .machine = machine, .regs = regs, .out = out};
    uint8_t type = req->event.type;
    memset(out, 0, sizeof(*out));
    s.ext = req->source == TASK_GATE && type != EVENT_SW_INT && type != EVENT_SW_EXC;
    if (!check_new_tss(&s) || !check_memory(&s) || !leave_old_task(&s))
        return TASK_SWITCH_FAULT;
    return start_new_task(&s) ? TASK_SWITCH_DONE : TASK_SWITCH_NEW_FAULT;
}
