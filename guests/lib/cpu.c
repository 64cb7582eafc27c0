/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's CPU tables and exceptions: TSS, IDT, and the handler behind GUEST_RUN. An exception
 * that nobody waits for is printed and ends the guest with status 255. Interrupts are irq.c's. Have
 * open: SDM "Interrupt and Exception Handling".
 */
#include "guests/lib/guest.h"
#include "guests/lib/start_info.h"

#include "core/lib/string.h"

#define TSS_SELECTOR 0x30
#define GATE         (UINT64_C(0x8e) << 40) /* present, DPL 0, 64-bit interrupt gate */
#define STACK_SIZE   4096

struct guest_frame {
    uint64_t gpr[15]; /* in the order of struct guest_regs */
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};

struct tss {
    uint32_t reserved0;
    uint32_t rsp[6];  /* RSP0..2, low and high halves: the structure is not 8-byte aligned */
    uint32_t reserved1[2];
    uint32_t ist[14]; /* IST1..7 */
    uint32_t reserved2[2];
    uint16_t reserved3, io_map;
};

extern uint64_t guest_gdt[];
extern uint64_t boot_pd[];
extern const char exception_stubs[], guest_unwind[];
extern uint64_t guest_enter_rsp;

void guest_enter(const void *code, struct guest_regs *regs);
void guest_exception(struct guest_frame *frame);

_Static_assert(offsetof(struct guest_regs, r15) == 14 * 8, "start.S counts on it");
_Static_assert(offsetof(struct guest_regs, rflags) == 15 * 8, "start.S counts on it");
_Static_assert(sizeof(struct tss) == 104, "the architecture's size");

static struct tss tss;
uint64_t guest_idt[256][2]; /* the upper part is irq.c's */
static uint8_t user_entry_stack[STACK_SIZE] __attribute__((aligned(16)));
static uint8_t fault_stack[STACK_SIZE] __attribute__((aligned(16)));

static struct guest_regs *running; /* what GUEST_RUN is busy with, or NULL */
static uint64_t running_code;

static void load_tables(void)
{
    struct PACKED {
        uint16_t limit;
        uint64_t base;
    } pointer = {32 * 16 - 1, (uint64_t)guest_idt};
    uint64_t base = (uint64_t)&tss;

    for (unsigned v = 0; v < 32; v++) {
        uint64_t handler = (uint64_t)exception_stubs + v * 16;
        /* A double fault may mean that the stack is gone: it has its own, IST1. */
        uint64_t ist = v == 8 ? UINT64_C(1) << 32 : 0;
        guest_idt[v][0] = (handler & 0xffff) | (uint64_t)GUEST_CODE64 << 16 | GATE | ist
                  | (handler & 0xffff0000) << 32;
        guest_idt[v][1] = handler >> 32;
    }
    tss.rsp[0] = (uint32_t)(uintptr_t)(user_entry_stack + STACK_SIZE);
    tss.ist[0] = (uint32_t)(uintptr_t)(fault_stack + STACK_SIZE);
    tss.io_map = sizeof(tss); /* no I/O permission map: user mode has no ports */
    guest_gdt[TSS_SELECTOR / 8] = (sizeof(tss) - 1) | (base & 0xffffff) << 16
                                | UINT64_C(0x89) << 40 | (base >> 24 & 0xff) << 56;
    guest_gdt[TSS_SELECTOR / 8 + 1] = base >> 32;
    __asm__ volatile("lidt %0\n\tltr %w1" : : "m"(pointer), "r"(TSS_SELECTOR) : "memory");
}

void guest_exception(struct guest_frame *frame)
{
    struct guest_regs *r = running;
    uint64_t dr6 = read_dr6();

    /* The breakpoints go off first: the handler itself might step on one. */
    write_dr7(0x400);
    write_dr6(0xffff0ff0);
    if (!r) {
        guest_print("guest: exception %u error %#llx at %#llx cr2 %#llx\n",
                    (unsigned)frame->vector, (unsigned long long)frame->error,
                    (unsigned long long)frame->rip, (unsigned long long)read_cr2());
        guest_exit(255);
    }
    running = NULL;
    memcpy(r, frame->gpr, sizeof(frame->gpr));
    r->rflags = frame->rflags;
    r->vector = (uint32_t)frame->vector;
    r->error = frame->error;
    r->rip = frame->rip - running_code;
    r->cs = frame->cs;
    r->cr2 = read_cr2();
    r->dr6 = dr6;
    frame->rip = (uint64_t)guest_unwind;
    frame->cs = GUEST_CODE64;
    frame->ss = GUEST_DATA;
    frame->rsp = guest_enter_rsp;
    frame->rflags = BIT(1);
}

void guest_run_code(const void *code, struct guest_regs *regs)
{
    regs->vector = GUEST_NO_EXCEPTION;
    regs->error = regs->rip = regs->cs = regs->cr2 = regs->dr6 = 0;
    running = regs;
    running_code = (uint64_t)code;
    guest_enter(code, regs);
    running = NULL;
}

void guest_map_table(uint64_t va, uint64_t *table)
{
    boot_pd[va >> 21] = (uint64_t)table | 7;
    write_cr3(read_cr3());
}

void guest_map_apart(void)
{
    for (uint64_t i = 0; i < 512; i++) {
        boot_pd[(GUEST_USER_ALIAS >> 21) + i] = i << 21 | 0x87;
        boot_pd[i] = i << 21 | 0x83;
    }
    write_cr3(read_cr3());
}

/* Entered from start.S on the boot stack. */
NORETURN void guest_start(void);
void guest_start(void)
{
    load_tables();
    write_dr7(0x400);
    guest_exit((uint32_t)guest_main(guest_cmdline()));
}
