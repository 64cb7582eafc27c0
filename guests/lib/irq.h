/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts and several CPUs, for guests that want them: handlers for the vectors from 32 up and
 * for NMIs, the local APIC in both modes, the other CPUs' start. What the library does for itself
 * is the least that can work, since these are the things that the guests test. Have open: SDM,
 * "Advanced Programmable Interrupt Controller (APIC)", "Multiple-Processor Initialization".
 */
#ifndef GUESTS_LIB_IRQ_H
#define GUESTS_LIB_IRQ_H

#include "guests/lib/guest.h"

/* --- CPUs ----------------------------------------------------------------------------------- */

#define CPU_MAX 8

/* As real mode found the registers at the start-up IPI; the order is smp.S's. */
struct cpu_start {
    uint32_t gpr[8];             /* EAX ECX EDX EBX ESP EBP ESI EDI */
    uint32_t cr0, cr2, cr3, cr4, eflags;
    uint16_t cs, ss, ds, es, fs, gs;
    uint16_t gdt_limit, gdt_base[2], idt_limit, idt_base[2];
    uint32_t dr6, dr7;
};

struct cpu {
    uint32_t id;                 /* APIC ID; GS points here, and smp.S knows the place */
    bool x2apic;                 /* how apic_read() and its kin are to reach the local APIC */
    volatile uint32_t starts;    /* how often it came out of a start-up IPI */
    volatile uint32_t beats;     /* counts while it has nothing to do */
    void (*volatile job)(void *arg);
    void *volatile arg;
    volatile uint32_t jobs_posted, jobs_done;
    volatile uint32_t seen[256]; /* interrupts by vector; 2: NMIs */
    struct cpu_start start;
};
extern struct cpu cpus[CPU_MAX];

/* The CPU that asks. Needs irq_init() on the first one. */
static inline struct cpu *this_cpu(void)
{
    uint32_t id;
    __asm__ volatile("movl %%gs:0, %0" : "=r"(id));
    return &cpus[id];
}

/* How many logical processors CPUID says there are. */
unsigned cpu_count(void);
/* Puts the trampoline on the page of that start-up vector. */
void cpu_prepare(uint8_t vector);
/* INIT, start-up IPI; waits. False: it did not come up. It idles then, with interrupts on. */
bool cpu_start(unsigned id, uint8_t vector);
/* Has it run job(arg), with interrupts on; cpu_call() waits, at most a second. */
void cpu_post(unsigned id, void (*job)(void *arg), void *arg);
bool cpu_finished(unsigned id);
bool cpu_call(unsigned id, void (*job)(void *arg), void *arg);

/* --- interrupts ----------------------------------------------------------------------------- */

struct irq_frame {
    uint64_t rip, cs, rflags, rsp, ss;
};
typedef void irq_fn(unsigned vector, struct irq_frame *frame);

/* What runs on a vector, 2 or 32 to 255, beside the count in seen[]. It has to send its EOI. */
extern irq_fn *irq_handler[256];
/* Handler that only sends the EOI. */
irq_fn irq_eoi;

/* Fills the IDT; interrupts stay off. */
void irq_init(void);

static inline void irq_on(void)
{
    __asm__ volatile("sti" : : : "memory");
}

static inline void irq_off(void)
{
    __asm__ volatile("cli" : : : "memory");
}

/* Interrupts on for a moment: what is deliverable comes. */
static inline void irq_window(void)
{
    __asm__ volatile("sti\n\tnop\n\tnop\n\tcli" : : : "memory");
}

/* Waits, with interrupts as they are, until *word is at least value. False: not within ms. */
bool wait_for(const volatile uint32_t *word, uint32_t value, uint32_t ms);
void wait_us(uint64_t us);

/* --- local APIC ----------------------------------------------------------------------------- */

#define APIC_BASE_ADDRESS UINT64_C(0xfee00000)

enum {
    APIC_ID = 0x20, APIC_VERSION = 0x30, APIC_TPR = 0x80, APIC_APR = 0x90, APIC_PPR = 0xa0,
    APIC_EOI = 0xb0, APIC_RRD = 0xc0, APIC_LDR = 0xd0, APIC_DFR = 0xe0, APIC_SVR = 0xf0,
    APIC_ISR = 0x100, APIC_TMR = 0x180, APIC_IRR = 0x200, APIC_ESR = 0x280, APIC_CMCI = 0x2f0,
    APIC_ICR = 0x300, APIC_ICR_HIGH = 0x310, APIC_LVT_TIMER = 0x320, APIC_LVT_THERMAL = 0x330,
    APIC_LVT_PERF = 0x340, APIC_LVT_LINT0 = 0x350, APIC_LVT_LINT1 = 0x360,
    APIC_LVT_ERROR = 0x370, APIC_INITIAL = 0x380, APIC_CURRENT = 0x390, APIC_DIVIDE = 0x3e0,
    APIC_SELF_IPI = 0x3f0,
};

#define ICR_FIXED    0x000u
#define ICR_LOWEST   0x100u
#define ICR_SMI      0x200u
#define ICR_NMI      0x400u
#define ICR_INIT     0x500u
#define ICR_STARTUP  0x600u
#define ICR_LOGICAL  0x800u
#define ICR_BUSY     0x1000u
#define ICR_ASSERT   0x4000u
#define ICR_LEVEL    0x8000u
#define ICR_SELF     0x40000u
#define ICR_ALL      0x80000u
#define ICR_OTHERS   0xc0000u

#define LVT_MASKED   0x10000u
#define LVT_PERIODIC 0x20000u
#define LVT_DEADLINE 0x40000u
#define SVR_ENABLE   0x100u

uint32_t apic_read(unsigned reg);
void apic_write(unsigned reg, uint32_t value);
/* Sends, with the destination as a number in either mode. */
void apic_send(uint32_t destination, uint32_t icr);
/* Software enable with spurious vector FFH, task priority 0. */
void apic_enable(void);
/* To x2APIC mode; and back, by way of disabled. */
void apic_enter_x2apic(void);
void apic_leave_x2apic(void);
/* A bit of the 256 behind APIC_ISR, APIC_TMR or APIC_IRR. */
bool apic_bit(unsigned set, uint8_t vector);

#endif
