/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * storm: does one hostile thing for ever, as fast as it can; its neighbours must not notice. Words:
 * mode= one of the table at the end. It says that it has begun and, where it lives on interrupts,
 * that they have come. Have open: SDM "Advanced Programmable Interrupt Controller (APIC)"; the data
 * sheets of 8254, 8259A and 16550.
 */
#include "core/lib/string.h"
#include "guests/lib/guest.h"

#define LAPIC         0xfee00000u
#define LAPIC_EOI     0x0b0
#define LAPIC_SVR     0x0f0
#define LAPIC_ICR     0x300
#define LAPIC_ICR_TO  0x310
#define LAPIC_TIMER   0x320
#define LAPIC_INITIAL 0x380
#define LAPIC_DIVIDE  0x3e0
#define TIMER_PERIODIC 0x20000u
#define TIMER_DEADLINE 0x40000u
#define DIVIDE_BY_1   0xbu
#define IA32_TSC      0x10
#define IA32_TSC_DEADLINE 0x6e0
#define CPUID_1_ECX_DEADLINE BIT(24)

#define VECTOR        0x50u
#define PIC_VECTOR    0x60u
#define GATE          (UINT64_C(0x8e) << 40)
#define NMI           2
#define ENOUGH        100u /* interrupts that make a storm */

static uint64_t idt[256][2];
static uint64_t interrupts;

static volatile uint32_t *lapic(uint32_t offset)
{
    return (volatile uint32_t *)(uintptr_t)(LAPIC + offset);
}

/* Said in the handlers: what is interrupted that often gets nowhere, the storm itself least. */
static void count(void)
{
    if (++interrupts == ENOUGH)
        guest_print("storm: there are %u interrupts\n", ENOUGH);
}

/* --- interrupts: the library takes none, so the table is a copy of its own with more in it --- */

struct interrupt_frame;

__attribute__((interrupt)) static void on_apic(struct interrupt_frame *frame)
{
    (void)frame;
    count();
    *lapic(LAPIC_EOI) = 0;
}

/* The deadline that this sets has passed before the interrupt returns. */
__attribute__((interrupt)) static void on_deadline(struct interrupt_frame *frame)
{
    (void)frame;
    count();
    *lapic(LAPIC_EOI) = 0;
    wrmsr(IA32_TSC_DEADLINE, rdtsc() + 1);
}

__attribute__((interrupt)) static void on_pic(struct interrupt_frame *frame)
{
    (void)frame;
    count();
    out8(0x20, 0x20);
}

__attribute__((interrupt)) static void on_nmi(struct interrupt_frame *frame)
{
    (void)frame;
    count();
}

static void set_gate(unsigned vector, void (*handler)(struct interrupt_frame *))
{
    uint64_t at = (uint64_t)(uintptr_t)handler;
    idt[vector][0] = (at & 0xffff) | GUEST_CODE64 << 16 | GATE | (at & 0xffff0000) << 32;
    idt[vector][1] = at >> 32;
    __asm__ volatile("" : : : "memory"); /* nobody but the CPU reads it */
}

static void load_idt(void)
{
    struct PACKED {
        uint16_t limit;
        uint64_t base;
    } old, new = {sizeof(idt) - 1, (uint64_t)(uintptr_t)idt};
    __asm__ volatile("sidt %0" : "=m"(old) : : "memory");
    memcpy(idt, (const void *)(uintptr_t)old.base, (size_t)old.limit + 1);
    __asm__ volatile("lidt %0" : : "m"(new) : "memory");
}

NORETURN static void weather(bool halting)
{
    for (;;) {
        if (halting)
            __asm__ volatile("sti\n\thlt" : : : "memory");
        else
            __asm__ volatile("sti\n\tnop" : : : "memory");
    }
}

/* --- modes --- */

static void arm_apic_timer(void)
{
    set_gate(VECTOR, on_apic);
    *lapic(LAPIC_SVR) = 0x1ff;
    *lapic(LAPIC_DIVIDE) = DIVIDE_BY_1;
    *lapic(LAPIC_TIMER) = TIMER_PERIODIC | VECTOR;
    *lapic(LAPIC_INITIAL) = 1;
}

static void timer(void)
{
    arm_apic_timer();
    weather(false);
}

static void timer_halt(void)
{
    arm_apic_timer();
    weather(true);
}

/* Sleeps for good while its timers run out a million times a second into masks. */
static void timer_masked(void)
{
    *lapic(LAPIC_DIVIDE) = DIVIDE_BY_1;
    *lapic(LAPIC_TIMER) = TIMER_PERIODIC | 0x10000 | VECTOR;
    *lapic(LAPIC_INITIAL) = 1;
    out8(0x43, 0x14); /* channel 0, low byte, mode 2 */
    out8(0x40, 2);
    for (;;)
        __asm__ volatile("sti\n\thlt");
}

static void deadline(void)
{
    if (!(cpuid(1, 0).ecx & CPUID_1_ECX_DEADLINE)) {
        timer();
        return;
    }
    set_gate(VECTOR, on_deadline);
    *lapic(LAPIC_TIMER) = TIMER_DEADLINE | VECTOR;
    wrmsr(IA32_TSC_DEADLINE, rdtsc() + 1);
    weather(true);
}

static void pit(void)
{
    set_gate(PIC_VECTOR, on_pic);
    out8(0x20, 0x11);
    out8(0x21, PIC_VECTOR);
    out8(0x21, 4);
    out8(0x21, 1);
    out8(0x21, 0xfe);
    out8(0x43, 0x14);
    out8(0x40, 2); /* the shortest that mode 2 has */
    weather(false);
}

static void halt(void)
{
    out8(0x21, 0xff);
    out8(0xa1, 0xff);
    for (uint32_t lvt = LAPIC_TIMER; lvt <= 0x370; lvt += 0x10)
        *lapic(lvt) = 0x10000;
    for (;;)
        __asm__ volatile("sti\n\thlt");
}

/* Fills COM1 and COM2 without a look at their status, and asks for every interrupt. */
static void uart(void)
{
    out8(0x3f9, 0x0f);
    out8(0x3fc, 0x0b);
    for (;;) {
        for (unsigned i = 0; i < 70; i++) {
            out8(0x3f8, 'a');
            out8(0x2f8, 'b');
        }
        out8(0x3f8, '\n');
    }
}

static void debug_port(void)
{
    for (;;) {
        for (unsigned i = 0; i < 70; i++)
            out8(0xe9, 'e');
        out8(0xe9, '\n');
    }
}

/* As many lines as one hypercall takes. */
static void lines(void)
{
    static char feeds[PLINTH_CONSOLE_MAX];
    memset(feeds, '\n', sizeof(feeds));
    for (;;)
        plinth_CONSOLE_WRITE((uintptr_t)feeds, sizeof(feeds));
}

/* A short line every millisecond: seldom enough that there is always room for it. */
static void chatter(void)
{
    for (unsigned n = 0;; n++) {
        guest_print("%u\n", n);
        plinth_YIELD((uint64_t)plinth_TIME() + 1000000);
    }
}

/* To nobody: IDs, logical sets and shorthands without a member; every delivery mode, even reserved
 * ones; start-up IPIs to no CPU. INIT and start-up go to others only: they would end the storm. */
static void ipi(void)
{
    *lapic(0x0d0) = 0; /* in no logical set */
    for (uint32_t n = 0;; n++) {
        uint32_t mode = (n & 7) << 8, shorthand = n & 8 ? 0xc0000 : 0, logical = n & 16 ? 0x800 : 0;
        *lapic(LAPIC_ICR_TO) = (n % 254 + 1) << 24;
        *lapic(LAPIC_ICR) = 0x4000 | shorthand | logical | mode | (n & 0xff);
    }
}

static void nmi(void)
{
    set_gate(NMI, on_nmi);
    for (;;) {
        /* By its ID: the shorthand self allows no NMI. */
        *lapic(LAPIC_ICR_TO) = 0;
        *lapic(LAPIC_ICR) = 0x4400;
    }
}

/* All of the 4 GiB that is neither RAM nor a device, read and written in all widths. */
static void memory(void)
{
    uint64_t end = guest_ram_end();
    for (;;) {
        for (uint64_t at = end; at < 0xfec00000; at += 0x111000) {
            volatile uint8_t *p = (volatile uint8_t *)(uintptr_t)at;
            *p = 0x55;
            *(volatile uint64_t *)(uintptr_t)(at + 8) = at;
            if (*p != 0xff || *(volatile uint32_t *)(uintptr_t)(at + 16) != 0xffffffff)
                guest_print("storm: WRONG: memory at %#llx\n", (unsigned long long)at);
        }
    }
}

static void ports(void)
{
    for (uint16_t port = 0x700;; port = port >= 0xcf0 ? 0x700 : port + 1) {
        out32(port, 0x12345678);
        if (in8(port) != 0xff)
            guest_print("storm: WRONG: port %#x\n", port);
    }
}

static void msr(void)
{
    struct guest_regs r;
    memset(&r, 0, sizeof(r));
    for (uint32_t n = 0x12340000;; n++) {
        r.rcx = n;
        GUEST_RUN(&r, "rdmsr");
        if (r.vector != 13)
            guest_print("storm: WRONG: MSR %#x\n", n);
    }
}

/* Moves the clock of all the VM's CPUs. */
static void tsc(void)
{
    for (;;)
        wrmsr(IA32_TSC, 0);
}

static void exits(void)
{
    for (uint32_t n = 0;; n++) {
        (void)cpuid(n, n);
        (void)plinth_call(n, n, ~UINT64_C(0), n, n);
        if (n == 2) /* past the call that ends the VM */
            n = 0x1000;
    }
}

static const struct {
    const char *name;
    void (*run)(void);
} modes[] = {
    {"timer", timer},   {"timer-halt", timer_halt}, {"timer-masked", timer_masked},
    {"deadline", deadline}, {"pit", pit},           {"halt", halt},
    {"uart", uart},     {"debug-port", debug_port}, {"lines", lines},
    {"chatter", chatter},
    {"ipi", ipi},       {"nmi", nmi},               {"memory", memory},
    {"ports", ports},   {"msr", msr},               {"tsc", tsc},
    {"exits", exits},
};

int guest_main(const char *cmdline)
{
    load_idt();
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        if (!guest_option_is(cmdline, "mode", modes[i].name))
            continue;
        guest_print("storm: %s\n", modes[i].name);
        modes[i].run();
    }
    return 1;
}
