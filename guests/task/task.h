/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * task: what its files share. main.c checks in 64-bit mode; legacy.c leaves that mode, runs a piece
 * of 32-bit code in a task called main, and comes back. What main, the other task (B) and exception
 * handlers see on the way is in records.
 */
#ifndef GUESTS_TASK_TASK_H
#define GUESTS_TASK_TASK_H

#include "guests/lib/guest.h"

/* Selectors of the legacy GDT; the first six are as in the guests' own. */
#define SEL_FLAT   0x10
#define SEL_CODE   0x28
#define SEL_MAIN   0x40
#define SEL_B      0x48
#define SEL_GATE   0x50 /* task gate to B */
#define SEL_LDT    0x58
#define SEL_TEST   0x60 /* whatever a check needs */
#define SEL_CODE16 0x68 /* based at the code, so that 16 bits reach it */
#define SEL_STACK16 0x70
#define GDT_COUNT  16
#define GATE_INT   0x40 /* vector of the task gate that INT n uses */
#define IDT_COUNT  (GATE_INT + 1)

/* A page that main and B see with different contents, when there is paging. */
#define MARKER     0x40000000u
#define MARK_MAIN  0x8badf00du
#define MARK_B     0xb00b1e55u

struct tss32 {
    uint32_t link, esp0, ss0, esp1, ss1, esp2, ss2;
    uint32_t cr3, eip, eflags;
    uint32_t gpr[8];  /* in the order of encodings */
    uint32_t seg[6];  /* ES CS SS DS FS GS */
    uint32_t ldt;
    uint16_t trap, io_map;
};

struct tss16 {
    uint16_t link, sp0, ss0, sp1, ss1, sp2, ss2, ip, flags, gpr[8], seg[4], ldt;
};

/* The order is known to legacy.c. */
struct record {
    uint32_t gpr[8];
    uint32_t seg[6];
    uint32_t eflags, tr, ldtr, cr0, cr3;
    uint32_t rights_main, rights_b; /* byte 5 of the TSS descriptors */
    uint32_t stack_top;
    uint32_t marker;
    uint32_t count;                 /* how often */
};

struct fault_record {
    uint32_t count, vector, error, eip, cs, eflags, tr, dr6;
};

/* What the next run uses. */
extern struct legacy {
    uint32_t entry;     /* the 32-bit code that main runs */
    uint32_t cr3, cr4;  /* main's; CR3 0: no paging */
    uint32_t skip, pop; /* before B's IRET: added to main's saved EIP, popped from B's stack */
    uint32_t marker;    /* where to look for the marker */
} legacy;

extern uint64_t legacy_gdt[GDT_COUNT], legacy_idt[IDT_COUNT];
extern struct tss32 tss_main, tss_b;
extern struct record record_main, record_b;
extern struct fault_record record_fault;
extern const char legacy_stubs[];  /* 16 bytes for each of 32 exceptions */
extern const char legacy_b_stack_top[], legacy_code_base[];

/* 32-bit code. */
extern const char b_entry[], b_jumps_back[], b_iret_not_busy[], legacy_fault_task[];
/* NAME and, where main goes on, NAME_after. */
#define PIECE(name) extern const char name[], name##_after[]
PIECE(p_call);
PIECE(p_call_twice);
PIECE(p_call_sti);
PIECE(p_jmp);
PIECE(p_call_gate);
PIECE(p_int);
PIECE(p_bad_selector);
PIECE(p_ud);
PIECE(p_int3);
PIECE(p_call_test);

/* Runs it; returns in 64-bit mode with the guest's own tables. */
void legacy_run(void);

#endif
