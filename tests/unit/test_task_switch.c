/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Task switches on a model machine: 64 KiB of memory with a GDT, an LDT and TSSs of both kinds.
 * Nesting by CALL and back by IRET, JMP, events with error codes, virtual-8086 tasks; then every
 * check, with whose task the fault belongs to and that nothing changed when it is the old one's.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "arch/x86/cr.h"
#include "arch/x86/regs.h"
#include "arch/x86/seg.h"
#include "core/lib/string.h"
#include "core/task_switch.h"

#define MEMORY  0x10000
#define GDT_AT  0x1000
#define LDT_AT  0x1400
#define STACK   0x8000
#define NT      0x4000u

enum { TSS_A = 0x2000, TSS_B = 0x2100, TSS_C = 0x2200, TSS_E = 0x2300 };

/* Selectors. A to C and E as above; D is absent, F too short. */
enum { CODE = 0x08, DATA = 0x10, A = 0x18, B = 0x20, C = 0x28, LDT = 0x30, CODE3 = 0x3b,
       DATA3 = 0x43, CODE_NP = 0x48, DATA_NP = 0x50, DATA_RO = 0x58, CONFORMING = 0x60,
       CODE16 = 0x68, DATA16 = 0x70, D = 0x78, E = 0x80, F = 0x88, LDT_NP = 0x90, XONLY = 0x98,
       DATA_SMALL = 0xa0, CONF3 = 0xab, GDT_END = 0xb0, LOCAL = 0x0c };

struct machine {
    uint8_t memory[MEMORY];
    uint32_t cr3;
    bool bad_cr3, user_write;
    unsigned calls, refuse_at;
};

static struct machine m;
static struct task_registers regs;
static struct task_request req;
static struct task_switch_outcome out;

static bool reachable(uint32_t linear, unsigned n)
{
    assert_true(linear <= MEMORY - n);
    return ++m.calls != m.refuse_at;
}

static bool op_read(void *p, uint32_t linear, void *buf, unsigned n)
{
    (void)p;
    if (!reachable(linear, n))
        return false;
    memcpy(buf, m.memory + linear, n);
    return true;
}

static bool op_probe(void *p, uint32_t linear, unsigned n)
{
    (void)p;
    return reachable(linear, n);
}

static bool op_write(void *p, uint32_t linear, const void *buf, unsigned n, bool user)
{
    (void)p;
    if (!reachable(linear, n))
        return false;
    m.user_write |= user;
    memcpy(m.memory + linear, buf, n);
    return true;
}

static bool op_load_cr3(void *p, uint32_t cr3)
{
    (void)p;
    m.cr3 = cr3;
    return !m.bad_cr3;
}

static const struct task_switch_ops ops = {op_read, op_probe, op_write, op_load_cr3};

/* --- building it ---------------------------------------------------------------------------- */

static void poke(uint32_t linear, uint64_t value, unsigned n)
{
    memcpy(m.memory + linear, &value, n);
}

static uint32_t peek(uint32_t linear, unsigned n)
{
    uint32_t value = 0;
    memcpy(&value, m.memory + linear, n);
    return value;
}

/* access: descriptor bits 55:40 with the limit's nibble 0. */
static void describe(uint32_t table, unsigned selector, uint32_t base, uint32_t limit,
                     uint32_t access)
{
    uint64_t low = (limit & 0xffff) | base << 16;
    uint64_t high = (base >> 16 & 0xff) | (base & 0xff000000) | access << 8 | (limit & 0xf0000);
    poke(table + (selector & 0xfff8), low | high << 32, 8);
}

static uint8_t rights(unsigned selector)
{
    return m.memory[GDT_AT + (selector & 0xfff8) + 5];
}

static void make_gdt(void)
{
    describe(GDT_AT, CODE, 0, 0xfffff, 0xc09a);
    describe(GDT_AT, DATA, 0, 0xfffff, 0xc092);
    describe(GDT_AT, A, TSS_A, 0x67, 0x8b);
    describe(GDT_AT, B, TSS_B, 0x67, 0x89);
    describe(GDT_AT, C, TSS_C, 0x2b, 0x81);
    describe(GDT_AT, LDT, LDT_AT, 0x1f, 0x82);
    describe(GDT_AT, CODE3, 0, 0xfffff, 0xc0fa);
    describe(GDT_AT, DATA3, 0, 0xfffff, 0xc0f2);
    describe(GDT_AT, CODE_NP, 0, 0xfffff, 0xc01a);
    describe(GDT_AT, DATA_NP, 0, 0xfffff, 0xc012);
    describe(GDT_AT, DATA_RO, 0, 0xfffff, 0xc090);
    describe(GDT_AT, CONFORMING, 0, 0xfffff, 0xc09e);
    describe(GDT_AT, CODE16, 0x5000, 0xffff, 0x009a);
    describe(GDT_AT, DATA16, 0, 0xffff, 0x0092);
    describe(GDT_AT, D, TSS_B, 0x67, 0x09);
    describe(GDT_AT, E, TSS_E, 0x67, 0xe9);
    describe(GDT_AT, F, TSS_B, 0x66, 0x89);
    describe(GDT_AT, LDT_NP, LDT_AT, 0x1f, 0x02);
    describe(GDT_AT, XONLY, 0, 0xfffff, 0xc098);
    describe(GDT_AT, DATA_SMALL, 0x6000, 0x0fff, 0x4092);
    describe(GDT_AT, CONF3, 0, 0xfffff, 0xc0fe);
    describe(LDT_AT, LOCAL, 0x7000, 0x0fff, 0x40f2);
}

static void make_tss32(uint32_t at)
{
    poke(at + 0x1c, 0x5000, 4);
    poke(at + 0x20, 0x4321, 4);
    poke(at + 0x24, 0x246, 4);
    for (unsigned i = 0; i < 8; i++)
        poke(at + 0x28 + 4 * i, 0xb0000000 + i, 4);
    poke(at + 0x38, STACK, 4);
    static const uint16_t sel[] = {DATA, CODE, DATA, DATA, 0, DATA, 0};
    for (unsigned i = 0; i < 7; i++)
        poke(at + 0x48 + 4 * i, sel[i], 2);
}

static void make_tss16(void)
{
    poke(TSS_C + 0x0e, 0x1234, 2);
    poke(TSS_C + 0x10, 0x7202, 2);
    for (unsigned i = 0; i < 8; i++)
        poke(TSS_C + 0x12 + 2 * i, 0xc000 + i, 2);
    poke(TSS_C + 0x1a, 0x800, 2);
    static const uint16_t sel[] = {DATA16, CODE16, DATA16, DATA16, 0};
    for (unsigned i = 0; i < 5; i++)
        poke(TSS_C + 0x22 + 2 * i, sel[i], 2);
}

static void start(enum task_switch_source source, uint16_t selector)
{
    memset(&m, 0, sizeof(m));
    memset(&req, 0, sizeof(req));
    make_gdt();
    make_tss32(TSS_B);
    make_tss32(TSS_E);
    make_tss16();
    memset(m.memory + TSS_A, 0xee, 0x68);
    regs = (struct task_registers){.eip = 0x1000, .eflags = 0x202, .cr0 = CR0_PE, .cr3 = 0x9000,
                                   .dr7 = 0x7ff};
    for (unsigned i = 0; i < 8; i++)
        regs.gpr[i] = 0xa0000000 + i;
    for (unsigned i = 0; i < 6; i++)
        regs.seg[i] = (struct segment){0, 0xffffffff, 0xc093, DATA};
    regs.seg[SEG_CS] = (struct segment){0, 0xffffffff, 0xc09b, CODE};
    regs.seg[SEG_LDTR] = (struct segment){.access = AR_UNUSABLE};
    regs.seg[SEG_TR] = (struct segment){TSS_A, 0x67, 0x8b, A};
    req.source = source;
    req.selector = selector;
    req.gdt_base = GDT_AT;
    req.gdt_limit = GDT_END - 1;
    req.insn_length = 7;
    req.event.type = EVENT_HW_EXCEPTION;
    req.event.vector = 8;
}

static enum task_switch_result go(void)
{
    return task_switch(&req, &ops, &m, &regs, &out);
}

/* --- what works ----------------------------------------------------------------------------- */

static void call_and_return(void **unused)
{
    (void)unused;
    start(TASK_CALL, B);
    regs.cr0 |= (uint32_t)CR0_PG;
    struct task_registers before = regs;
    assert_int_equal(go(), TASK_SWITCH_DONE);
    assert_int_equal(peek(TSS_B, 2), A);
    assert_int_equal(peek(TSS_A, 4), 0xeeeeeeee);
    assert_int_equal(peek(TSS_A + 0x1c, 4), 0xeeeeeeee);
    assert_int_equal(peek(TSS_A + 0x20, 4), 0x1007);
    assert_int_equal(peek(TSS_A + 0x24, 4), 0x202);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(peek(TSS_A + 0x28 + 4 * i, 4), 0xa0000000 + i);
    assert_int_equal(peek(TSS_A + 0x48, 4), 0xeeee0000 | DATA);
    assert_int_equal(peek(TSS_A + 0x4c, 4), 0xeeee0000 | CODE);
    assert_int_equal(peek(TSS_A + 0x60, 4), 0xeeeeeeee);
    assert_int_equal(rights(A), 0x8b);
    assert_int_equal(rights(B), 0x8b);
    assert_int_equal(rights(CODE), 0x9b);
    assert_int_equal(rights(DATA), 0x93);
    assert_int_equal(regs.eip, 0x4321);
    assert_int_equal(regs.eflags, 0x246 | NT);
    assert_int_equal(regs.gpr[0], 0xb0000000);
    assert_int_equal(regs.gpr[4], STACK);
    assert_int_equal(regs.gpr[7], 0xb0000007);
    assert_int_equal(regs.cr0, CR0_PE | CR0_PG | CR0_TS);
    assert_int_equal(regs.cr3, 0x5000);
    assert_int_equal(m.cr3, 0x5000);
    assert_int_equal(regs.dr7, 0x6aa);
    assert_int_equal(regs.seg[SEG_TR].selector, B);
    assert_int_equal(regs.seg[SEG_TR].base, TSS_B);
    assert_int_equal(regs.seg[SEG_TR].limit, 0x67);
    assert_int_equal(regs.seg[SEG_TR].access, 0x8b);
    assert_int_equal(regs.seg[SEG_CS].access, 0xc09b);
    assert_int_equal(regs.seg[SEG_CS].limit, 0xffffffff);
    assert_int_equal(regs.seg[SEG_SS].access, 0xc093);
    assert_int_equal(regs.seg[SEG_FS].access, AR_UNUSABLE);
    assert_int_equal(regs.seg[SEG_LDTR].access, AR_UNUSABLE);
    assert_false(out.debug_trap);
    assert_false(m.user_write);
    /* And back. */
    poke(TSS_A + 0x1c, 0x9000, 4);
    poke(TSS_A + 0x60, 0, 2);
    poke(TSS_A + 0x64, 0, 4);
    req.source = TASK_IRET;
    req.selector = A;
    req.insn_length = 1;
    regs.gpr[3] = 0x12345678;
    assert_int_equal(go(), TASK_SWITCH_DONE);
    assert_int_equal(peek(TSS_B + 0x20, 4), 0x4322);
    assert_int_equal(peek(TSS_B + 0x24, 4), 0x246);
    assert_int_equal(peek(TSS_B + 0x34, 4), 0x12345678);
    assert_int_equal(rights(A), 0x8b);
    assert_int_equal(rights(B), 0x89);
    before.eip = 0x1007;
    before.cr0 |= (uint32_t)CR0_TS;
    before.dr7 = 0x6aa;
    assert_memory_equal(regs.gpr, before.gpr, sizeof(regs.gpr));
    assert_int_equal(regs.eip, before.eip);
    assert_int_equal(regs.eflags, before.eflags);
    assert_int_equal(regs.cr0, before.cr0);
    assert_int_equal(regs.cr3, 0x9000);
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        assert_int_equal(regs.seg[i].selector, before.seg[i].selector);
        assert_int_equal(regs.seg[i].access, before.seg[i].access);
        assert_int_equal(regs.seg[i].base, before.seg[i].base);
        assert_int_equal(regs.seg[i].limit, before.seg[i].limit);
    }
}

static void jump(void **unused)
{
    (void)unused;
    start(TASK_JMP, B);
    regs.eflags |= NT;
    poke(TSS_B, 0x7777, 2);
    assert_int_equal(go(), TASK_SWITCH_DONE);
    assert_int_equal(peek(TSS_B, 2), 0x7777);
    assert_int_equal(rights(A), 0x89);
    assert_int_equal(rights(B), 0x8b);
    assert_int_equal(peek(TSS_A + 0x24, 4), 0x202 | NT);
    assert_int_equal(regs.eflags, 0x246);
    assert_int_equal(regs.cr3, 0x9000); /* paging is off */
    assert_int_equal(m.cr3, 0);
}

static void narrow_and_back(void **unused)
{
    (void)unused;
    start(TASK_CALL, C);
    regs.cr0 |= (uint32_t)CR0_PG;
    assert_int_equal(go(), TASK_SWITCH_DONE);
    assert_int_equal(peek(TSS_C, 2), A);
    assert_int_equal(rights(C), 0x83);
    assert_int_equal(regs.eip, 0x1234);
    assert_int_equal(regs.eflags, 0x7202);
    assert_int_equal(regs.gpr[0] & 0xffff, 0xc000);
    assert_int_equal(regs.gpr[4] & 0xffff, 0x800);
    assert_int_equal(regs.gpr[7] & 0xffff, 0xc007);
    assert_int_equal(regs.cr3, 0x9000);
    assert_int_equal(regs.seg[SEG_CS].base, 0x5000);
    assert_int_equal(regs.seg[SEG_CS].limit, 0xffff);
    assert_int_equal(regs.seg[SEG_FS].access, AR_UNUSABLE);
    assert_int_equal(regs.seg[SEG_GS].selector, 0);
    assert_int_equal(regs.seg[SEG_TR].access, 0x83);
    poke(TSS_A + 0x60, 0, 2);
    poke(TSS_A + 0x64, 1, 2);
    poke(TSS_C + 0x2a, 0xabcd, 2);
    regs.gpr[1] = 0x11112222;
    req.source = TASK_IRET;
    req.selector = A;
    req.insn_length = 1;
    assert_int_equal(go(), TASK_SWITCH_DONE);
    assert_int_equal(peek(TSS_C + 0x0e, 2), 0x1235);
    assert_int_equal(peek(TSS_C + 0x10, 2), 0x3202);
    assert_int_equal(peek(TSS_C + 0x12, 2), 0xc000);
    assert_int_equal(peek(TSS_C + 0x14, 2), 0x2222);
    assert_int_equal(peek(TSS_C + 0x20, 2), 0xc007);
    assert_int_equal(peek(TSS_C + 0x22, 2), DATA16);
    assert_int_equal(peek(TSS_C + 0x24, 2), CODE16);
    assert_int_equal(peek(TSS_C + 0x28, 2), DATA16);
    assert_int_equal(peek(TSS_C + 0x2a, 2), 0xabcd);
    assert_int_equal(rights(C), 0x81);
    assert_int_equal(regs.eip, 0x1007);
    assert_true(out.debug_trap);
}

static void events(void **unused)
{
    (void)unused;
    start(TASK_GATE, B);
    req.event = (struct event){.type = EVENT_HW_EXCEPTION, .vector = 13, .has_error = true,
                               .error_code = 0x1234abcd};
    assert_int_equal(go(), TASK_SWITCH_DONE);
    assert_int_equal(regs.gpr[4], STACK - 4);
    assert_int_equal(peek(STACK - 4, 4), 0x1234abcd);
    assert_int_equal(peek(TSS_A + 0x20, 4), 0x1000); /* a fault: the same instruction again */
    assert_int_equal(peek(TSS_A + 0x24, 4), 0x202 | RFLAGS_RF);
    assert_int_equal(peek(TSS_B, 2), A);
    assert_int_equal(regs.eflags, 0x246 | NT);

    start(TASK_GATE, C); /* 16 bits: 2 bytes at SS:SP */
    req.event.has_error = true;
    req.event.error_code = 0x55aa;
    poke(TSS_C + 0x1a, 0, 2);
    assert_int_equal(go(), TASK_SWITCH_DONE);
    assert_int_equal(regs.gpr[4] & 0xffff, 0xfffe);
    assert_int_equal(peek(0xfffe, 2), 0x55aa);

    start(TASK_GATE, B); /* INT n: behind it, no RF */
    req.event = (struct event){.type = EVENT_SW_INT, .vector = 0x80, .insn_length = 2};
    assert_int_equal(go(), TASK_SWITCH_DONE);
    assert_int_equal(regs.gpr[4], STACK);
    assert_int_equal(peek(TSS_A + 0x20, 4), 0x1002);
    assert_int_equal(peek(TSS_A + 0x24, 4), 0x202);

    start(TASK_GATE, B); /* CPL 3: the push is the task's own access */
    poke(TSS_B + 0x4c, CODE3, 2);
    poke(TSS_B + 0x50, DATA3, 2);
    poke(TSS_B + 0x48, DATA3, 2);
    poke(TSS_B + 0x54, DATA3, 2);
    poke(TSS_B + 0x5c, CONF3, 2);
    req.event.has_error = true;
    assert_int_equal(go(), TASK_SWITCH_DONE);
    assert_true(m.user_write);
}

static void virtual_8086(void **unused)
{
    (void)unused;
    start(TASK_JMP, B);
    poke(TSS_B + 0x24, 0x23202, 4);
    poke(TSS_B + 0x4c, 0x1100, 2);
    poke(TSS_B + 0x50, 0, 2);
    poke(TSS_B + 0x58, 0xfff0, 2);
    poke(TSS_B + 0x60, LDT, 2);
    assert_int_equal(go(), TASK_SWITCH_DONE);
    assert_int_equal(regs.eflags, 0x23202);
    assert_int_equal(regs.seg[SEG_CS].base, 0x11000);
    assert_int_equal(regs.seg[SEG_CS].limit, 0xffff);
    assert_int_equal(regs.seg[SEG_CS].access, 0xf3);
    assert_int_equal(regs.seg[SEG_SS].base, 0);
    assert_int_equal(regs.seg[SEG_SS].access, 0xf3);
    assert_int_equal(regs.seg[SEG_FS].base, 0xfff00);
    assert_int_equal(regs.seg[SEG_LDTR].base, LDT_AT);
    assert_int_equal(regs.seg[SEG_LDTR].limit, 0x1f);
}

static void local_segments(void **unused)
{
    (void)unused;
    start(TASK_JMP, B);
    poke(TSS_B + 0x60, LDT, 2);
    poke(TSS_B + 0x58, LOCAL, 2);
    poke(TSS_B + 0x48, CONFORMING, 2); /* readable, and conforming knows no DPL */
    assert_int_equal(go(), TASK_SWITCH_DONE);
    assert_int_equal(regs.seg[SEG_FS].base, 0x7000);
    assert_int_equal(regs.seg[SEG_FS].access, 0x40f3);
    assert_int_equal(m.memory[LDT_AT + 8 + 5], 0xf3);
    assert_int_equal(regs.seg[SEG_ES].access, 0xc09f);
}

/* --- what does not -------------------------------------------------------------------------- */

static void expect(enum task_switch_result result, uint8_t vector, uint32_t code, int row)
{
    struct task_registers before = regs;
    static uint8_t memory[MEMORY];
    memcpy(memory, m.memory, MEMORY);
    enum task_switch_result got = go();
    if (got != result || out.refused || out.fault.vector != vector || !out.fault.has_error ||
        out.fault.type != EVENT_HW_EXCEPTION || out.fault.error_code != code)
        fail_msg("row %d: result %d, vector %u, code %x", row, got, out.fault.vector,
                 out.fault.error_code);
    if (result == TASK_SWITCH_FAULT) {
        assert_memory_equal(memory, m.memory, MEMORY);
        assert_memory_equal(&before, &regs, sizeof(regs));
    } else {
        assert_int_equal(regs.seg[SEG_TR].selector, req.selector);
        assert_true(regs.cr0 & CR0_TS);
    }
}

static void faults_of_old(void **unused)
{
    (void)unused;
    static const struct { enum task_switch_source source; uint16_t selector; uint8_t vector;
                          uint32_t code; } rows[] = {
        {TASK_CALL, 0, 13, 0}, {TASK_JMP, 3, 13, 0}, {TASK_IRET, 0, 10, 0},
        {TASK_CALL, B | 4, 13, B | 4}, {TASK_IRET, B | 4, 10, B | 4},
        {TASK_CALL, GDT_END, 13, GDT_END}, {TASK_IRET, GDT_END, 10, GDT_END},
        {TASK_GATE, GDT_END, 13, GDT_END | 1},
        {TASK_CALL, A, 13, A}, {TASK_JMP, A, 13, A}, {TASK_GATE, A, 13, A | 1}, /* busy */
        {TASK_IRET, B, 10, B}, /* not busy */
        {TASK_CALL, CODE, 13, CODE}, {TASK_IRET, DATA, 10, DATA}, {TASK_JMP, LDT, 13, LDT},
        {TASK_CALL, D, 11, D}, {TASK_GATE, D, 11, D | 1},
        {TASK_CALL, F, 10, F}, {TASK_GATE, F, 10, F | 1},
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        start(rows[i].source, rows[i].selector);
        expect(TASK_SWITCH_FAULT, rows[i].vector, rows[i].code, (int)i);
    }
    start(TASK_GATE, F); /* INT n is nothing from outside */
    req.event = (struct event){.type = EVENT_SW_INT, .vector = 3, .insn_length = 2};
    expect(TASK_SWITCH_FAULT, 10, F, 100);
    start(TASK_CALL, B | 1); /* privilege, where nobody has checked it */
    req.check_dpl = true;
    expect(TASK_SWITCH_FAULT, 13, B, 101);
    start(TASK_JMP, B);
    req.check_dpl = true;
    req.cpl = 1;
    expect(TASK_SWITCH_FAULT, 13, B, 102);
    start(TASK_JMP, E | 3);
    req.check_dpl = true;
    req.cpl = 3;
    assert_int_equal(go(), TASK_SWITCH_DONE);
    start(TASK_CALL, C); /* a 16-bit TSS, one byte short */
    poke(GDT_AT + C, 0x2a, 2);
    expect(TASK_SWITCH_FAULT, 10, C, 103);
    start(TASK_CALL, B); /* nor does the old one hold its state */
    regs.seg[SEG_TR].limit = 0x5e;
    expect(TASK_SWITCH_FAULT, 10, A, 104);
}

static void faults_of_new(void **unused)
{
    (void)unused;
    static const struct { uint8_t at; uint16_t selector; uint8_t vector; uint32_t code; } rows[] = {
        {0x60, LDT | 4, 10, LDT | 4}, {0x60, GDT_END, 10, GDT_END}, {0x60, DATA, 10, DATA},
        {0x60, LDT_NP, 10, LDT_NP}, {0x60, A, 10, A},
        {0x4c, 0, 10, 0}, {0x4c, GDT_END, 10, GDT_END}, {0x4c, DATA, 10, DATA},
        {0x4c, CODE | 1, 10, CODE}, {0x4c, CODE3, 10, DATA},
        {0x4c, CODE3 & ~3, 10, CODE3 & ~3u},
        {0x4c, CONF3 & ~3, 10, CONF3 & ~3u}, {0x4c, CODE_NP, 11, CODE_NP}, {0x4c, B, 10, B},
        {0x4c, LOCAL, 10, LOCAL}, /* there is no LDT */
        {0x50, 0, 10, 0}, {0x50, GDT_END, 10, GDT_END}, {0x50, CODE, 10, CODE},
        {0x50, DATA_RO, 10, DATA_RO}, {0x50, DATA_NP, 12, DATA_NP}, {0x50, DATA3, 10, DATA3 & ~3u},
        {0x50, DATA | 1, 10, DATA}, {0x50, LOCAL, 10, LOCAL},
        {0x54, GDT_END, 10, GDT_END}, {0x54, XONLY, 10, XONLY}, {0x54, DATA_NP, 11, DATA_NP},
        {0x48, DATA | 1, 10, DATA}, {0x58, LDT, 10, LDT}, {0x5c, LOCAL, 10, LOCAL},
        {0x48, A, 10, A}, {0x58, CODE_NP, 11, CODE_NP},
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        start(TASK_CALL, B);
        poke(TSS_B + rows[i].at, rows[i].selector, 2);
        expect(TASK_SWITCH_NEW_FAULT, rows[i].vector, rows[i].code, (int)i);
        /* VM entry needs CS and SS to agree whatever happened. */
        assert_int_equal(AR_DPL(regs.seg[SEG_SS].access), regs.seg[SEG_CS].selector & 3);
        assert_true(regs.seg[SEG_CS].access & AR_P);
    }
    start(TASK_GATE, B); /* EXT */
    poke(TSS_B + 0x54, DATA_NP, 2);
    expect(TASK_SWITCH_NEW_FAULT, 11, DATA_NP | 1, 100);
    start(TASK_JMP, B);
    poke(TSS_B + 0x4c, CODE16, 2);
    poke(TSS_B + 0x20, 0x10000, 4);
    expect(TASK_SWITCH_NEW_FAULT, 13, 0, 101);
    start(TASK_GATE, B); /* no room for the error code */
    poke(TSS_B + 0x50, DATA_SMALL, 2);
    poke(TSS_B + 0x38, 0x1002, 4);
    req.event.has_error = true;
    expect(TASK_SWITCH_NEW_FAULT, 12, 1, 102);
    start(TASK_JMP, B);
    regs.cr0 |= (uint32_t)CR0_PG;
    m.bad_cr3 = true;
    expect(TASK_SWITCH_NEW_FAULT, 13, 0, 103);
}

/* Every access may be refused. Before the point of no return nothing of the registers changes, and
 * up to the first write, nothing of memory. */
static void refusals(void **unused)
{
    (void)unused;
    static const enum task_switch_source sources[] = {TASK_CALL, TASK_JMP, TASK_GATE};
    static uint8_t memory[MEMORY];
    unsigned faults = 0, new_faults = 0;
    for (unsigned i = 0; i < 2 * ARRAY_LEN(sources); i++) {
        for (unsigned n = 1;; n++) {
            start(sources[i / 2], i & 1 ? C : B);
            req.event.has_error = true;
            m.refuse_at = n;
            struct task_registers before = regs;
            memcpy(memory, m.memory, MEMORY);
            enum task_switch_result r = go();
            if (r == TASK_SWITCH_DONE)
                break;
            assert_true(out.refused);
            if (r == TASK_SWITCH_FAULT) {
                faults++;
                assert_memory_equal(&before, &regs, sizeof(regs));
                if (n <= 4)
                    assert_memory_equal(memory, m.memory, MEMORY);
            } else {
                new_faults++;
                assert_int_equal(regs.seg[SEG_TR].selector, req.selector);
            }
        }
        assert_true(m.refuse_at > 15);
    }
    assert_true(faults > 50 && new_faults > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(call_and_return), cmocka_unit_test(jump),
        cmocka_unit_test(narrow_and_back), cmocka_unit_test(events),
        cmocka_unit_test(virtual_8086), cmocka_unit_test(local_segments),
        cmocka_unit_test(faults_of_old), cmocka_unit_test(faults_of_new),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
