/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * task: hardware task switches, by CALL, JMP, IRET and task gates, good and bad ones, without
 * paging, with 32-bit paging and with PAE. Exit status: the number of checks that failed (at most
 * 200). Have open: SDM "Task Management".
 */
#include "guests/task/task.h"

#include "arch/x86/cr.h"
#include "core/lib/string.h"

#define RIGHTS_TSS      0x89u /* present, 32-bit TSS, available */
#define RIGHTS_TSS_BUSY 0x8bu
#define RIGHTS_TSS16    0x81u
#define RIGHTS_LDT      0x82u
#define RIGHTS_DATA     0x93u
#define RIGHTS_CODE     0x9bu
#define NT              BIT(14)
#define RF              BIT(16)
#define VM              BIT(17)
#define TS              CR0_TS
#define PHYS_MAIN       0x800000u /* 4M pages for the marker */
#define PHYS_B          0xc00000u
#define STACK16_SIZE    0x1000u
#define V86_CODE        0x7000u

enum { DB = 1, UD = 6, DF = 8, TSX = 10, NP = 11, GP = 13 };

static uint32_t directory[2][1024] __attribute__((aligned(4096)));
static uint64_t pdpt[2][4] __attribute__((aligned(4096)));
static uint64_t marker_pd[2][512] __attribute__((aligned(4096)));
static uint8_t stack16[STACK16_SIZE] __attribute__((aligned(16)));
static struct tss16 tss_16;
static uint64_t ldt[2];
extern uint64_t boot_pd[], guest_gdt[];

static const char *mode;
static unsigned checks, failed;
static uint32_t cr3[2], cr4;

static uint32_t low(const void *p)
{
    return (uint32_t)(uintptr_t)p;
}

static void check(const char *name, uint64_t got, uint64_t want)
{
    checks++;
    if (got == want)
        return;
    failed++;
    guest_print("task: FAILED: %s (%s): got %#llx want %#llx\n", name, mode,
                (unsigned long long)got, (unsigned long long)want);
}

/* --- tables --------------------------------------------------------------------------------- */

static uint64_t descriptor(uint32_t base, uint32_t limit, uint32_t rights, uint32_t flags)
{
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)rights << 40 |
           (uint64_t)(limit >> 16 & 0xf) << 48 | (uint64_t)flags << 52 |
           (uint64_t)(base >> 24) << 56;
}

static uint64_t interrupt_gate(uint32_t to)
{
    return (to & 0xffff) | (uint64_t)SEL_CODE << 16 | UINT64_C(0x8e) << 40 |
           (uint64_t)(to >> 16) << 48;
}

static uint64_t task_gate(uint16_t selector)
{
    return (uint64_t)selector << 16 | UINT64_C(0x85) << 40;
}

static void set_test_tss(const void *tss, uint32_t limit, uint32_t rights)
{
    legacy_gdt[SEL_TEST / 8] = descriptor(low(tss), limit, rights, 0);
}

/* Everything as a check finds it: main and B are plain 32-bit tasks. */
static void reset(const char *piece)
{
    memset(&record_main, 0, sizeof(record_main));
    memset(&record_b, 0, sizeof(record_b));
    memset(&record_fault, 0, sizeof(record_fault));
    memset(&tss_main, 0, sizeof(tss_main));
    memset(legacy_gdt, 0, sizeof(legacy_gdt));
    for (unsigned i = 0; i < 6; i++)
        legacy_gdt[i] = guest_gdt[i];
    legacy_gdt[SEL_MAIN / 8] = descriptor(low(&tss_main), 103, RIGHTS_TSS, 0);
    legacy_gdt[SEL_B / 8] = descriptor(low(&tss_b), 103, RIGHTS_TSS, 0);
    legacy_gdt[SEL_GATE / 8] = task_gate(SEL_B);
    legacy_gdt[SEL_LDT / 8] = descriptor(low(ldt), sizeof(ldt) - 1, RIGHTS_LDT, 0);
    legacy_gdt[SEL_CODE16 / 8] = descriptor(low(legacy_code_base), 0xffff, RIGHTS_CODE, 4);
    legacy_gdt[SEL_STACK16 / 8] = descriptor(low(stack16), STACK16_SIZE - 1, RIGHTS_DATA, 0);
    ldt[0] = ldt[1] = legacy_gdt[SEL_FLAT / 8];
    for (unsigned i = 0; i < 32; i++)
        legacy_idt[i] = interrupt_gate(low(legacy_stubs) + 16 * i);
    legacy_idt[GATE_INT] = task_gate(SEL_B);
    tss_b = (struct tss32){
        .link = 0x7777, .esp0 = low(legacy_b_stack_top) - 2048, .ss0 = SEL_FLAT, .cr3 = cr3[1],
        .eip = low(b_entry), .eflags = 2, .io_map = 104,
        .gpr = {0xb0, 0xb1, 0xb2, 0xb3, low(legacy_b_stack_top) - 64, 0xb5, 0xb6, 0xb7},
        .seg = {SEL_FLAT, SEL_CODE, SEL_FLAT, SEL_FLAT, SEL_FLAT, 0},
    };
    legacy = (struct legacy){.entry = low(piece), .cr3 = cr3[0], .cr4 = cr4,
                             .marker = cr3[0] ? MARKER : PHYS_MAIN};
}

/* --- good ones ------------------------------------------------------------------------------ */

/* B found the registers of its TSS. */
static void check_b(const char *name, uint32_t eflags, uint32_t esp)
{
    for (unsigned i = 0; i < 8; i++)
        check(name, record_b.gpr[i], i == 4 ? esp : 0xb0 + i);
    check(name, record_b.count, 1);
    check("B's EFLAGS", record_b.eflags, eflags);
    check("B's TR", record_b.tr, SEL_B);
    check("B's LDTR", record_b.ldtr, 0);
    check("B's CR0.TS", record_b.cr0 & TS, TS);
    check("B's CR3", record_b.cr3, cr3[1]);
    check("B's marker", record_b.marker, cr3[0] ? MARK_B : MARK_MAIN);
    check("B's CS", record_b.seg[1], SEL_CODE);
    check("B's FS", record_b.seg[4], SEL_FLAT);
    check("B is busy", record_b.rights_b, RIGHTS_TSS_BUSY);
}

/* Main's state as the switch saved it and as it came back. */
static void check_main(const char *name, const char *eip, uint32_t eflags)
{
    static const uint32_t gpr[8] = {0xa0a0a0a0, 0xa1a1a1a1, 0xa2a2a2a2, 0xa3a3a3a3, 0, 0xa5a5a5a5,
                                    0xa6a6a6a6, 0xa7a7a7a7};
    check("no fault", record_fault.count, 0);
    check(name, record_main.count, 1);
    check("main's saved EIP", tss_main.eip, low(eip));
    check("main's saved EFLAGS", tss_main.eflags, eflags);
    for (unsigned i = 1; i < 8; i++)
        if (i != 4)
            check("main's saved registers", tss_main.gpr[i], gpr[i]);
    for (unsigned i = 1; i < 8; i++)
        check("main's registers", record_main.gpr[i], i == 4 ? tss_main.gpr[4] : gpr[i]);
    check("main's saved SS", tss_main.seg[2], SEL_FLAT);
    check("main's saved CS", tss_main.seg[1], SEL_CODE);
    check("main's TR", record_main.tr, SEL_MAIN);
    check("main's EFLAGS", record_main.eflags & (NT | 1), eflags & 1);
    check("main is busy again", record_main.rights_main, RIGHTS_TSS_BUSY);
    check("B is not busy any more", record_main.rights_b, RIGHTS_TSS);
    check("main's marker", record_main.marker, MARK_MAIN);
    check("main's CR3", record_main.cr3, cr3[0]);
}

static void check_nested(const char *name, const char *eip, uint32_t eflags)
{
    check_main(name, eip, eflags);
    check("B's link", tss_b.link & 0xffff, SEL_MAIN);
    check("main stays busy below B", record_b.rights_main, RIGHTS_TSS_BUSY);
    check("B's saved EAX", tss_b.gpr[0], 0xb0b0b0b0);
    check("B's saved EFLAGS", tss_b.eflags & NT, 0);
}

static void check_calls(void)
{
    uint32_t esp = low(legacy_b_stack_top) - 64;
    /* A task's CR3 is not saved: main's must be in its TSS before IRET. */
    reset(p_call);
    tss_main.cr3 = cr3[0];
    legacy_run();
    check_b("CALL: B's registers", 2 | NT, esp);
    check_nested("CALL", p_call_after, 0x8d7);
    check("main's EFLAGS come back", record_main.eflags, 0x8d7);
    reset(p_call_gate);
    tss_main.cr3 = cr3[0];
    legacy_run();
    check_b("CALL of a gate: B's registers", 2 | NT, esp);
    check_nested("CALL of a gate", p_call_gate_after, record_main.eflags);
    reset(p_call_sti);
    tss_main.cr3 = cr3[0];
    legacy_run();
    check_b("CALL behind STI: B's registers", 2 | NT, esp);
    check_nested("CALL behind STI", p_call_sti_after, record_main.eflags);
    check("IF", record_main.eflags & BIT(9), BIT(9));
    reset(p_call_twice);
    tss_main.cr3 = cr3[0];
    legacy_run();
    check("B goes on behind its IRET", record_b.count, 2);
    check("B kept its EAX", record_b.gpr[0], 0xb0b0b0b0);
    reset(p_jmp);
    tss_main.cr3 = cr3[0];
    tss_b.eip = low(b_jumps_back);
    legacy_run();
    check_b("JMP: B's registers", 2, esp);
    check_main("JMP", p_jmp_after, record_main.eflags);
    check("JMP sets no link", tss_b.link, 0x7777);
    check("main is not busy after JMP", record_b.rights_main, RIGHTS_TSS);
}

/* --- task gates in the IDT ------------------------------------------------------------------ */

static void run_event(const char *piece, unsigned vector, uint32_t skip, uint32_t pop)
{
    reset(piece);
    tss_main.cr3 = cr3[0];
    legacy_idt[vector] = task_gate(SEL_B);
    legacy.skip = skip;
    legacy.pop = pop;
    legacy_run();
}

static void check_events(void)
{
    uint32_t esp = low(legacy_b_stack_top) - 64;
    run_event(p_int, GATE_INT, 0, 0);
    check_b("INT n: B's registers", 2 | NT, esp);
    check_nested("INT n", p_int_after, record_main.eflags);
    run_event(p_int3, 3, 0, 0);
    check_b("INT3: B's registers", 2 | NT, esp);
    check_nested("INT3", p_int3_after, record_main.eflags);
    run_event(p_ud, UD, 2, 0);
    check_b("#UD: B's registers", 2 | NT, esp);
    check_nested("#UD", p_ud_after, record_main.eflags | RF);
    run_event(p_bad_selector, GP, 2, 4);
    check_b("#GP: B's registers", 2 | NT, esp - 4);
    check("#GP's error code", record_b.stack_top, 0xfff8);
    check_nested("#GP", p_bad_selector_after, record_main.eflags | RF);
    /* #GP cannot be delivered: its gate is not present. */
    reset(p_bad_selector);
    tss_main.cr3 = cr3[0];
    legacy_idt[GP] = 0;
    legacy_idt[DF] = task_gate(SEL_B);
    legacy.skip = 2;
    legacy.pop = 4;
    legacy_run();
    check_b("#DF: B's registers", 2 | NT, esp - 4);
    check("#DF's error code", record_b.stack_top, 0);
    check("#DF: back in main", record_main.count, 1);
    check("#DF: no other fault", record_fault.count, 0);
}

/* --- bad ones ------------------------------------------------------------------------------- */

static void check_fault(const char *name, uint32_t vector, uint32_t error, uint32_t tr)
{
    legacy_run();
    check(name, record_fault.count, 1);
    check(name, record_fault.vector, vector);
    check(name, record_fault.error, error);
    check(name, record_fault.tr, tr);
    check("main does not go on", record_main.count, 0);
}

static void check_refusals(void)
{
    reset(p_call_test);
    set_test_tss(&tss_b, 103, RIGHTS_TSS & ~0x80u);
    check_fault("TSS not present", NP, SEL_TEST, SEL_MAIN);
    check("EIP is CALL's", record_fault.eip, low(p_call_test_after) - 7);
    reset(p_call_test);
    set_test_tss(&tss_b, 103, RIGHTS_TSS_BUSY);
    check_fault("TSS is busy", GP, SEL_TEST, SEL_MAIN);
    reset(p_call_test);
    set_test_tss(&tss_b, 103, RIGHTS_LDT);
    check_fault("not a TSS", GP, SEL_TEST, SEL_MAIN);
    reset(p_call_test);
    set_test_tss(&tss_b, 102, RIGHTS_TSS);
    check_fault("TSS too short", TSX, SEL_TEST, SEL_MAIN);
    check("its busy flag", legacy_gdt[SEL_TEST / 8] >> 40 & 0xff, RIGHTS_TSS);
    reset(p_call_gate);
    legacy_gdt[SEL_GATE / 8] = task_gate(SEL_FLAT);
    legacy_run();
    check("gate to no TSS", record_fault.error, SEL_FLAT);
    check("gate to no TSS: a fault", record_fault.count, 1);
    reset(p_call);
    tss_b.eip = low(b_iret_not_busy);
    check_fault("IRET to a TSS that is not busy", TSX, SEL_MAIN, SEL_B);
    /* An event through a gate to a TSS that is too short: #TS with EXT clear for INT n. */
    reset(p_int);
    legacy_gdt[SEL_B / 8] = descriptor(low(&tss_b), 50, RIGHTS_TSS, 0);
    check_fault("INT n to a short TSS", TSX, SEL_B, SEL_MAIN);
    check("EIP is INT's", record_fault.eip, low(p_int_after) - 2);
    reset(p_ud);
    legacy_idt[UD] = task_gate(SEL_B);
    legacy_gdt[SEL_B / 8] = descriptor(low(&tss_b), 50, RIGHTS_TSS, 0);
    check_fault("#UD to a short TSS", TSX, SEL_B | 1, SEL_MAIN);
}

/* Where B has got no stack that a handler could use, #TS needs a task of its own. */
static void check_in_third_task(const char *name, uint32_t *selector, uint32_t bad)
{
    static struct tss32 third;
    reset(p_call);
    third = tss_b;
    third.eip = low(legacy_fault_task);
    set_test_tss(&third, 103, RIGHTS_TSS);
    legacy_idt[TSX] = task_gate(SEL_TEST);
    *selector = bad;
    check_fault(name, TSX, bad, SEL_TEST);
    check("the fault's link", third.link & 0xffff, SEL_B);
    check("B's saved EIP", tss_b.eip, low(b_entry));
}

/* Behind the point of no return: the fault belongs to B. */
static void check_new_task_faults(void)
{
    reset(p_call);
    tss_b.seg[3] = SEL_TEST;
    legacy_gdt[SEL_TEST / 8] = descriptor(0, 0xfffff, RIGHTS_DATA & ~0x80u, 0xc);
    check_fault("B's DS is not present", NP, SEL_TEST, SEL_B);
    check("EIP is B's", record_fault.eip, low(b_entry));
    check("link is set", tss_b.link & 0xffff, SEL_MAIN);
    reset(p_call);
    tss_b.seg[3] = GDT_COUNT * 8;
    check_fault("B's DS is beyond the GDT", TSX, GDT_COUNT * 8, SEL_B);
    check_in_third_task("B's CS is data", &tss_b.seg[1], SEL_FLAT);
    check_in_third_task("B's SS is code", &tss_b.seg[2], SEL_CODE);
    check_in_third_task("B's LDT is none", &tss_b.ldt, SEL_FLAT);
    reset(p_call);
    tss_b.seg[1] = SEL_CODE16;
    tss_b.eip = 0x10000;
    check_fault("B's EIP is beyond CS", GP, 0, SEL_B);
    reset(p_call);
    tss_b.trap = 1;
    write_dr6(0xffff0ff0);
    check_fault("B's T flag", DB, 0, SEL_B);
    check("DR6.BT", record_fault.dr6 & 0xf00f, 0x8000);
    check("#DB: EIP is B's first", record_fault.eip, low(b_entry));
}

/* --- the odd ones --------------------------------------------------------------------------- */

static void check_ldt(void)
{
    reset(p_call);
    tss_main.cr3 = cr3[0];
    tss_b.ldt = SEL_LDT;
    tss_b.seg[3] = 0xc; /* entry 1 of the LDT */
    legacy_run();
    check("LDT: no fault", record_fault.count, 0);
    check("LDT: B", record_b.count, 1);
    check("LDTR", record_b.ldtr, SEL_LDT);
    check("DS in the LDT", record_b.seg[3], 0xc);
    check("LDT: main", record_main.count, 1);
    check("main's LDTR", record_main.ldtr, 0);
}

static void check_16_bit(void)
{
    reset(p_call_test);
    tss_main.cr3 = cr3[0];
    set_test_tss(&tss_16, 43, RIGHTS_TSS16);
    tss_16 = (struct tss16){
        .ip = (uint16_t)(low(b_entry) - low(legacy_code_base)), .flags = 2,
        .gpr = {0xb0, 0xb1, 0xb2, 0xb3, STACK16_SIZE - 64, 0xb5, 0xb6, 0xb7},
        .seg = {SEL_FLAT, SEL_CODE16, SEL_STACK16, SEL_FLAT},
    };
    legacy_run();
    check("16-bit TSS: no fault", record_fault.count, 0);
    check("16-bit TSS: B", record_b.count, 1);
    check("16-bit TSS: TR", record_b.tr, SEL_TEST);
    for (unsigned i = 0; i < 8; i++)
        check("16-bit TSS: registers", record_b.gpr[i] & 0xffff,
              i == 4 ? STACK16_SIZE - 64u : 0xb0u + i);
    check("16-bit TSS: CR3 stays", record_b.cr3, cr3[0]);
    check("16-bit TSS: main", record_main.count, 1);
    check("16-bit TSS: main's EIP", tss_main.eip, low(p_call_test_after));
    check("16-bit TSS: saved AX", tss_16.gpr[0], 0xb0b0);
    check("16-bit TSS: link", tss_16.link, SEL_MAIN);
}

/* A task in virtual-8086 mode; its HLT faults, and the handler has the stack of B's ring 0. */
static void check_virtual_8086(void)
{
    *(volatile uint8_t *)(uintptr_t)(V86_CODE + 3) = 0xf4;
    reset(p_jmp);
    tss_b.eflags = VM | 2;
    tss_b.eip = 3;
    tss_b.seg[1] = V86_CODE >> 4;
    tss_b.seg[2] = 0x1000;
    tss_b.seg[3] = 0x1234;
    tss_b.gpr[4] = 0xfff0;
    check_fault("HLT in virtual-8086 mode", GP, 0, SEL_B);
    check("its EIP", record_fault.eip, 3);
    check("its CS", record_fault.cs & 0xffff, V86_CODE >> 4);
    check("its EFLAGS.VM", record_fault.eflags & VM, VM);
}

/* --- paging --------------------------------------------------------------------------------- */

static void make_tables(void)
{
    static const uint32_t phys[2] = {PHYS_MAIN, PHYS_B};
    for (unsigned t = 0; t < 2; t++) {
        for (unsigned i = 0; i < 1024; i++)
            directory[t][i] = i << 22 | 0x87;
        directory[t][MARKER >> 22] = phys[t] | 0x87;
        marker_pd[t][0] = phys[t] | 0x87;
        for (unsigned i = 0; i < 4; i++)
            pdpt[t][i] = (uint64_t)(boot_pd + 512 * i) | 1;
        pdpt[t][MARKER >> 30] = (uint64_t)marker_pd[t] | 1;
    }
    *(volatile uint32_t *)(uintptr_t)PHYS_MAIN = MARK_MAIN;
    *(volatile uint32_t *)(uintptr_t)PHYS_B = MARK_B;
}

static void run_all(const char *name, const void *main_cr3, const void *b_cr3, uint32_t with_cr4)
{
    mode = name;
    cr3[0] = low(main_cr3);
    cr3[1] = low(b_cr3);
    cr4 = with_cr4;
    check_calls();
    check_events();
    check_refusals();
    check_new_task_faults();
    check_ldt();
    check_16_bit();
    check_virtual_8086();
}

int guest_main(const char *cmdline)
{
    (void)cmdline;
    if (!guest_on_plinth())
        out8(0x21, 0xff); /* a PC's timer interrupt is waiting for STI */
    make_tables();
    run_all("no paging", NULL, NULL, 0);
    run_all("32-bit paging", directory[0], directory[1], (uint32_t)CR4_PSE);
    run_all("PAE", pdpt[0], pdpt[1], (uint32_t)CR4_PAE);
    guest_print("task: %u checks, %u failed\n", checks, failed);
    return failed < 200 ? (int)failed : 200;
}
