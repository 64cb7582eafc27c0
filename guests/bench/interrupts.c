/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Times until an interrupt's handler runs: self-IPI, TSC deadline, one-shot timer; and the local
 * APIC's registers. The handler reads the TSC first of all; EOI is written outside the measured
 * time. Have open: SDM "Advanced Programmable Interrupt Controller (APIC)".
 */
#include "guests/bench/bench.h"

#include "core/lib/string.h"

#define XAPIC            0xfee00000u
#define REG_TPR          0x80
#define REG_EOI          0xb0
#define REG_SVR          0xf0
#define REG_ICR          0x300
#define REG_LVT_TIMER    0x320
#define REG_TIMER_INIT   0x380
#define REG_TIMER_NOW    0x390
#define REG_TIMER_DIVIDE 0x3e0

#define X2(reg)          (MSR_IA32_X2APIC_BASE + (reg) / 16)
#define SVR_ON           0x1ff
#define DIVIDE_BY_1      11
#define TIMER_DEADLINE   (2u << 17)
#define ICR_SELF         (1u << 18)
#define VECTOR           0x40
#define LEAF1_X2APIC     BIT(21)
#define LEAF1_DEADLINE   BIT(24)
/* Ticks ahead of which a timer is set: more than setting it costs on any hypervisor. */
#define AHEAD            60000
/* Ticks for which the local APIC's timer is compared with the TSC. */
#define COMPARED         5000000

static uint64_t idt[256][2];
static uint32_t ahead_count; /* AHEAD, as the local APIC's timer counts */
uint64_t bench_handled; /* TSC as the handler saw it; 0: not yet */
extern const char bench_handler[], bench_breakpoint[];

__asm__(".text\n"
        "bench_handler:\n\t"
        "push %rax\n\tpush %rdx\n\t"
        "rdtsc\n\tshl $32, %rdx\n\tor %rdx, %rax\n\t"
        "mov %rax, bench_handled\n\t"
        "pop %rdx\n\tpop %rax\n"
        "bench_breakpoint:\n\t"
        "iretq\n");

static void set_gate(unsigned vector, const char *handler)
{
    uint64_t at = (uint64_t)handler;
    idt[vector][0] = (at & 0xffff) | GUEST_CODE64 << 16 | UINT64_C(0x8e) << 40 |
                     (at & 0xffff0000) << 32;
    idt[vector][1] = at >> 32;
}

/* The library's gates for exceptions, and ours. */
static void load_idt(void)
{
    struct PACKED {
        uint16_t limit;
        uint64_t base;
    } old, ours = {sizeof(idt) - 1, (uint64_t)idt};
    __asm__ volatile("sidt %0" : "=m"(old));
    memcpy(idt, (const void *)old.base, 32 * sizeof(idt[0]));
    set_gate(3, bench_breakpoint);
    set_gate(VECTOR, bench_handler);
    __asm__ volatile("lidt %0" : : "m"(ours));
}

static void xapic_write(unsigned reg, uint32_t value)
{
    *(volatile uint32_t *)(uintptr_t)(XAPIC + reg) = value;
}

static void wait(void)
{
    __asm__ volatile("sti\n1: cmpq $0, bench_handled\n\tje 1b\n\tcli" : : : "memory");
}

static void halt(void)
{
    __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
    while (!bench_handled)
        __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
}

/* Runs `start`, which says when the event is or was, then waits; samples are the ticks from there
 * to the handler; end: its EOI. */
#define TIME_EVENT(name, start, waiting, end)            \
    do {                                                 \
        for (int i_ = -WARM_UPS; i_ < SAMPLES; i_++) {   \
            bench_handled = 0;                           \
            uint64_t at_ = start;                        \
            waiting();                                   \
            end;                                         \
            if (i_ >= 0)                                 \
                samples[i_] = bench_handled - at_;       \
        }                                                \
        report_raw(name);                                \
    } while (0)

static uint64_t xapic_self_ipi(void)
{
    __asm__ volatile("sti");
    uint64_t at = rdtsc();
    xapic_write(REG_ICR, ICR_SELF | VECTOR);
    return at;
}

static void measure_xapic(void)
{
    xapic_write(REG_SVR, SVR_ON);
    xapic_write(REG_LVT_TIMER, BIT(16));
    xapic_write(REG_TIMER_DIVIDE, DIVIDE_BY_1);
    xapic_write(REG_TIMER_INIT, UINT32_MAX);
    TIME("xapic-timer-read", (void)*(volatile uint32_t *)(uintptr_t)(XAPIC + REG_TIMER_NOW));
    xapic_write(REG_TIMER_INIT, 0);
    TIME("xapic-tpr", xapic_write(REG_TPR, 0));
    TIME("xapic-eoi", xapic_write(REG_EOI, 0));
    TIME_EVENT("xapic-self-ipi", xapic_self_ipi(), wait, xapic_write(REG_EOI, 0));
}

static void x2apic_eoi(void)
{
    wrmsr(X2(REG_EOI), 0);
}

static uint64_t self_ipi(void)
{
    __asm__ volatile("sti");
    uint64_t at = rdtsc();
    wrmsr(X2(REG_ICR), ICR_SELF | VECTOR);
    return at;
}

static uint64_t arm_deadline(void)
{
    uint64_t at = rdtsc() + AHEAD;
    wrmsr(MSR_IA32_TSC_DEADLINE, at);
    return at;
}

/* Counted from before the write: an upper bound, since the counter starts somewhere within it. */
static uint64_t arm_one_shot(void)
{
    uint64_t at = rdtsc() + AHEAD;
    wrmsr(X2(REG_TIMER_INIT), ahead_count);
    return at;
}

/* Bare Bochs and Plinth count at the TSC's rate; KVM counts nanoseconds, Xen tens of them. Both
 * ends are read in the same way, so that what the reading costs does not count. */
static void learn_timer_rate(void)
{
    wrmsr(X2(REG_LVT_TIMER), BIT(16));
    wrmsr(X2(REG_TIMER_INIT), UINT32_MAX);
    uint64_t first = rdmsr(X2(REG_TIMER_NOW)), from = rdtsc(), to = from;
    while (to - from < COMPARED)
        to = rdtsc();
    uint64_t last = rdmsr(X2(REG_TIMER_NOW));
    to = rdtsc();
    ahead_count = (uint32_t)((AHEAD * (first - last) + (to - from) / 2) / (to - from));
}

static void measure_x2apic(uint32_t features)
{
    wrmsr(MSR_IA32_APIC_BASE, rdmsr(MSR_IA32_APIC_BASE) | APIC_BASE_X2APIC);
    wrmsr(X2(REG_SVR), SVR_ON);
    wrmsr(X2(REG_TPR), 0);
    TIME("x2apic-tpr", wrmsr(X2(REG_TPR), 0));
    TIME("x2apic-eoi", wrmsr(X2(REG_EOI), 0));
    TIME_EVENT("self-ipi", self_ipi(), wait, x2apic_eoi());
    wrmsr(X2(REG_TIMER_DIVIDE), DIVIDE_BY_1);
    learn_timer_rate();
    wrmsr(X2(REG_LVT_TIMER), VECTOR);
    TIME_EVENT("one-shot-spin", arm_one_shot(), wait, x2apic_eoi());
    TIME_EVENT("one-shot-hlt", arm_one_shot(), halt, x2apic_eoi());
    if (!(features & LEAF1_DEADLINE))
        return;
    wrmsr(X2(REG_LVT_TIMER), TIMER_DEADLINE | VECTOR);
    __asm__ volatile("mfence");
    uint64_t far = rdtsc() + (UINT64_C(1) << 40);
    TIME("deadline-arm", wrmsr(MSR_IA32_TSC_DEADLINE, far));
    wrmsr(MSR_IA32_TSC_DEADLINE, 0);
    TIME_EVENT("deadline-spin", arm_deadline(), wait, x2apic_eoi());
    TIME_EVENT("deadline-hlt", arm_deadline(), halt, x2apic_eoi());
}

void measure_interrupts(void)
{
    uint32_t features = cpuid(1, 0).ecx;
    /* The 8259s stay silent. */
    out8(0x21, 0xff);
    out8(0xa1, 0xff);
    load_idt();
    TIME("breakpoint", __asm__ volatile("int3"));
    if (!(rdmsr(MSR_IA32_APIC_BASE) & APIC_BASE_X2APIC))
        measure_xapic();
    if (features & LEAF1_X2APIC)
        measure_x2apic(features);
}
