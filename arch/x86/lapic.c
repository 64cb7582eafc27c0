/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The physical local APIC. SDM: "Advanced Programmable Interrupt Controller (APIC)". Guests never
 * reach it: their accesses are emulated or virtualised.
 */
#include "arch/x86/lapic.h"

#include "arch/x86/cpuid.h"
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/tsc.h"

#define REG_ID            0x020
#define REG_TPR           0x080
#define REG_EOI           0x0b0
#define REG_SPURIOUS      0x0f0
#define REG_ICR           0x300
#define REG_ICR_HIGH      0x310
#define REG_LVT_TIMER     0x320
#define REG_LVT_THERMAL   0x330
#define REG_LVT_PERF      0x340
#define REG_LVT_LINT0     0x350
#define REG_LVT_LINT1     0x360
#define REG_LVT_ERROR     0x370
#define REG_TIMER_INITIAL 0x380
#define REG_TIMER_CURRENT 0x390
#define REG_TIMER_DIVIDE  0x3e0

#define ICR_NMI           0x400u
#define ICR_INIT          0x500u
#define ICR_STARTUP       0x600u
#define ICR_PENDING       BIT(12)
#define ICR_ASSERT        BIT(14)

#define LVT_MASKED        BIT(16)
#define LVT_NMI           (4u << 8)
#define TIMER_DEADLINE    (2u << 17)
#define SPURIOUS_ENABLE   BIT(8)
#define DIVIDE_BY_1       0xb
#define MEASURE_NS        1000000

static volatile char *registers;
static uint64_t boot_base; /* the boot CPU's IA32_APIC_BASE */
static bool present, x2apic, has_deadline;
static uint64_t ticks_per_tsc_32; /* timer ticks per TSC tick, 32.32 fixed point */

static uint32_t lapic_read(uint32_t reg)
{
    return x2apic ? (uint32_t)rdmsr(MSR_IA32_X2APIC_BASE + reg / 16) : mmio_read32(registers + reg);
}

static void lapic_write(uint32_t reg, uint32_t v)
{
    if (x2apic)
        wrmsr(MSR_IA32_X2APIC_BASE + reg / 16, v);
    else
        mmio_write32(registers + reg, v);
}

hpa_t lapic_address(void)
{
    if (!(cpuid(1, 0).edx & CPUID_1_EDX_APIC))
        return HPA(0);
    uint64_t base = rdmsr(MSR_IA32_APIC_BASE);
    return HPA(base & APIC_BASE_ENABLE ? base & BITS(51, 12) : 0);
}

static void measure_timer(void)
{
    lapic_write(REG_TIMER_DIVIDE, DIVIDE_BY_1);
    lapic_write(REG_LVT_TIMER, (uint32_t)LVT_MASKED | LAPIC_VECTOR_TIMER);
    uint64_t begin = rdtsc(), wait = tsc_from_ns(MEASURE_NS), now;
    lapic_write(REG_TIMER_INITIAL, 0xffffffff);
    do
        now = rdtsc();
    while (now - begin < wait);
    uint64_t passed = 0xffffffff - lapic_read(REG_TIMER_CURRENT);
    lapic_write(REG_TIMER_INITIAL, 0);
    ticks_per_tsc_32 = (passed << 32) / (now - begin);
}

bool lapic_can_x2apic(void)
{
    return cpuid(1, 0).ecx & CPUID_1_ECX_X2APIC;
}

void lapic_use_x2apic(void)
{
    wrmsr(MSR_IA32_APIC_BASE, rdmsr(MSR_IA32_APIC_BASE) | APIC_BASE_ENABLE | APIC_BASE_X2APIC);
}

/* Every CPU's registers. NMIs from outside are the boot CPU's alone: one taker will do. */
static void switch_on(uint32_t lint1)
{
    lapic_write(REG_TPR, 0);
    lapic_write(REG_LVT_LINT0, (uint32_t)LVT_MASKED); /* the 8259s are masked and not used */
    lapic_write(REG_LVT_LINT1, lint1);
    lapic_write(REG_LVT_THERMAL, (uint32_t)LVT_MASKED);
    lapic_write(REG_LVT_PERF, (uint32_t)LVT_MASKED);
    lapic_write(REG_LVT_ERROR, (uint32_t)LVT_MASKED | LAPIC_VECTOR_ERROR);
    lapic_write(REG_SPURIOUS, (uint32_t)SPURIOUS_ENABLE | LAPIC_VECTOR_SPURIOUS);
}

static void prepare_timer(void)
{
    if (has_deadline) {
        lapic_write(REG_LVT_TIMER, TIMER_DEADLINE | LAPIC_VECTOR_TIMER);
        /* The MSR write that arms it must not pass the register write. */
        __asm__ volatile("mfence" : : : "memory");
    } else {
        lapic_write(REG_TIMER_DIVIDE, DIVIDE_BY_1);
        lapic_write(REG_LVT_TIMER, LAPIC_VECTOR_TIMER);
    }
}

void lapic_init(void *mapped)
{
    boot_base = rdmsr(MSR_IA32_APIC_BASE);
    registers = mapped;
    x2apic = boot_base & APIC_BASE_X2APIC;
    present = true;
    switch_on(LVT_NMI);
    has_deadline = cpuid(1, 0).ecx & CPUID_1_ECX_TSC_DEADLINE;
    if (!has_deadline)
        measure_timer();
    prepare_timer();
}

const char *lapic_init_cpu(void)
{
    uint64_t base = rdmsr(MSR_IA32_APIC_BASE), mode = APIC_BASE_ENABLE | APIC_BASE_X2APIC;
    uint64_t wanted = (boot_base & ~APIC_BASE_BSP) | (base & APIC_BASE_BSP);
    /* From x2APIC mode no way leads straight to xAPIC mode. */
    if ((base & APIC_BASE_X2APIC) && !x2apic)
        return "its APIC is in x2APIC mode, the boot CPU's is not";
    if (!(base & APIC_BASE_ENABLE) && x2apic)
        wrmsr(MSR_IA32_APIC_BASE, (base & ~mode) | APIC_BASE_ENABLE);
    if (base != wanted)
        wrmsr(MSR_IA32_APIC_BASE, wanted);
    switch_on((uint32_t)LVT_MASKED);
    prepare_timer();
    return NULL;
}

bool lapic_is_x2apic(void)
{
    return x2apic;
}

bool lapic_present(void)
{
    return present;
}

uint32_t lapic_id(void)
{
    if (!present)
        return 0;
    return x2apic ? lapic_read(REG_ID) : lapic_read(REG_ID) >> 24;
}

void lapic_eoi(void)
{
    lapic_write(REG_EOI, 0);
}

/* In xAPIC mode the ICR is two registers, and an NMI handler may use them between the two writes:
 * the high half is restored, so that whoever was interrupted still means his target. */
static void send(uint32_t apic_id, uint32_t command)
{
    if (x2apic) {
        /* WRMSR to the x2APIC's registers does not wait for earlier stores. */
        __asm__ volatile("mfence; lfence" : : : "memory");
        wrmsr(MSR_IA32_X2APIC_BASE + REG_ICR / 16, (uint64_t)apic_id << 32 | command);
        return;
    }
    while (lapic_read(REG_ICR) & ICR_PENDING)
        pause();
    uint32_t old = lapic_read(REG_ICR_HIGH);
    lapic_write(REG_ICR_HIGH, apic_id << 24);
    lapic_write(REG_ICR, command);
    lapic_write(REG_ICR_HIGH, old);
}

void lapic_send(uint32_t apic_id, uint8_t vector)
{
    send(apic_id, (uint32_t)ICR_ASSERT | vector);
}

void lapic_send_nmi(uint32_t apic_id)
{
    send(apic_id, (uint32_t)ICR_ASSERT | ICR_NMI);
}

void lapic_send_init(uint32_t apic_id)
{
    send(apic_id, (uint32_t)ICR_ASSERT | ICR_INIT);
}

void lapic_send_startup(uint32_t apic_id, uint8_t page)
{
    send(apic_id, (uint32_t)ICR_ASSERT | ICR_STARTUP | page);
}

void lapic_timer_arm(uint64_t tsc_deadline)
{
    if (!present)
        return;
    bool off = tsc_deadline == 0 || tsc_deadline == UINT64_MAX;
    if (has_deadline) {
        wrmsr(MSR_IA32_TSC_DEADLINE, off ? 0 : tsc_deadline);
        return;
    }
    uint64_t now = rdtsc(), ticks = 0;
    if (!off) {
        uint64_t wait = tsc_deadline > now ? tsc_deadline - now : 0;
        ticks = (uint64_t)((unsigned __int128)wait * ticks_per_tsc_32 >> 32) + 1;
        if (ticks > 0xffffffff)
            ticks = 0xffffffff;
    }
    lapic_write(REG_TIMER_INITIAL, (uint32_t)ticks);
}
