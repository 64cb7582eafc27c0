/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * apic: the timer in its three modes, every divide value, and what changes of mode do. On Plinth
 * its clock is the TSC's; bare, only what holds at any rate is checked. Others may run beside: a
 * timer may be late, but never early. Have open: SDM, "APIC Timer".
 */
#include "guests/apic/apic.h"

#include "arch/x86/msr.h"

#define VECTOR 0x66
#define STORM  100

static uint64_t khz, late; /* TSC ticks that anything may be late */

static uint32_t *seen(void)
{
    return (uint32_t *)&this_cpu()->seen[VECTOR];
}

static void check_divide_values(void)
{
    static const uint8_t code[] = {0xb, 0, 1, 2, 3, 8, 9, 0xa};
    apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR);
    for (unsigned i = 0; i < ARRAY_LEN(code); i++) {
        apic_write(APIC_DIVIDE, code[i]);
        uint64_t before = rdtsc();
        apic_write(APIC_INITIAL, 0xffffffff);
        uint64_t start = rdtsc();
        wait_us(300);
        uint64_t asked = rdtsc();
        uint32_t left = apic_read(APIC_CURRENT);
        uint64_t after = rdtsc(), counted = (uint64_t)(0xffffffff - left) << i;
        test_equal("INITIAL reads back", apic_read(APIC_INITIAL), 0xffffffff);
        if (guest_on_plinth())
            test_range("counts by the divide value", counted, asked - start - (2u << i),
                       after - before + (2u << i));
        else
            test_true("counts by the divide value", counted > 0);
    }
    apic_write(APIC_INITIAL, 0);
    test_equal("INITIAL 0 stops it", apic_read(APIC_CURRENT), 0);
}

/* Waits with HLT until n more interrupts have come. Interrupts come only here. */
static void await(uint32_t before, uint32_t n)
{
    while (*(volatile uint32_t *)seen() - before < n)
        __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
}

static void check_one_shot(void)
{
    uint32_t before = *seen();
    apic_write(APIC_DIVIDE, 0xb);
    apic_write(APIC_LVT_TIMER, VECTOR);
    for (unsigned i = 1; i <= 4; i++) {
        uint64_t start = rdtsc(), count = khz * i / 4;
        apic_write(APIC_INITIAL, (uint32_t)count);
        await(before, i);
        test_range("one-shot: not early", rdtsc() - start, count, count + late);
        test_equal("one-shot: current count", apic_read(APIC_CURRENT), 0);
    }
    irq_on();
    wait_us(3000);
    irq_off();
    test_equal("one-shot: once", *seen(), before + 4);
    /* One that expires while it is masked has gone by. */
    apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR);
    apic_write(APIC_INITIAL, 1000);
    wait_us(200);
    test_equal("masked: no request", apic_bit(APIC_IRR, VECTOR), 0);
    apic_write(APIC_LVT_TIMER, VECTOR);
    irq_window();
    test_equal("masked: gone by", *seen(), before + 4);
    /* A count that is written again starts again. */
    uint64_t start = rdtsc();
    for (unsigned i = 0; i < 5; i++) {
        apic_write(APIC_INITIAL, (uint32_t)khz);
        wait_us(100);
        irq_window();
    }
    if (rdtsc() - start < khz) /* else somebody else had the CPU for long */
        test_equal("restarted: not yet", *seen(), before + 4);
    await(before, 5);
    test_range("restarted: not early", rdtsc() - start, khz + khz / 10, late);
}

static volatile uint32_t storm;

static void calm_down(unsigned vector, struct irq_frame *frame)
{
    if (++storm == STORM)
        apic_write(APIC_INITIAL, 0);
    irq_eoi(vector, frame);
}

static void check_periodic(void)
{
    uint32_t before = *seen(), period = (uint32_t)(khz / 2);
    apic_write(APIC_LVT_TIMER, LVT_PERIODIC | VECTOR);
    uint64_t start = rdtsc();
    apic_write(APIC_INITIAL, period);
    await(before, 20);
    test_range("periodic: 20 periods", rdtsc() - start, 19 * (uint64_t)period,
               20 * (uint64_t)period + late);
    test_range("periodic: current count", apic_read(APIC_CURRENT), 1, period);
    /* To one-shot: the period that has begun is the last. */
    irq_window();
    before = *seen();
    apic_write(APIC_LVT_TIMER, VECTOR);
    irq_on();
    wait_us(2000);
    irq_off();
    test_range("periodic to one-shot: one more", *seen() - before, 1, 2);
    before = *seen();
    irq_on();
    wait_us(2000);
    irq_off();
    test_equal("periodic to one-shot: no more", *seen(), before);
    /* Back to periodic when it has run out: it stays so. */
    apic_write(APIC_LVT_TIMER, LVT_PERIODIC | VECTOR);
    apic_write(APIC_INITIAL, period);
    await(before, 3);
    apic_write(APIC_INITIAL, 0);
    irq_window();
    before = *seen();
    irq_on();
    wait_us(2000);
    irq_off();
    test_equal("INITIAL 0 stops a periodic one", *seen(), before);
    /* An interrupt for every tick: an emulated CPU of few MHz may do nothing else any more. */
    irq_handler[VECTOR] = calm_down;
    storm = 0;
    apic_write(APIC_INITIAL, 1);
    irq_on();
    test_true("the shortest period: it interrupts", wait_for(&storm, STORM, 1000));
    irq_off();
    irq_handler[VECTOR] = irq_eoi;
}

static void check_deadline(void)
{
    uint32_t before = *seen();
    wrmsr(MSR_IA32_TSC_DEADLINE, rdtsc() + khz);
    test_equal("deadline: ignored in another mode", rdmsr(MSR_IA32_TSC_DEADLINE), 0);
    apic_write(APIC_INITIAL, (uint32_t)khz);
    apic_write(APIC_LVT_TIMER, LVT_DEADLINE | VECTOR);
    test_equal("deadline: current count", apic_read(APIC_CURRENT), 0);
    apic_write(APIC_INITIAL, 5000);
    test_equal("deadline: the initial count is ignored", apic_read(APIC_CURRENT), 0);
    irq_on();
    wait_us(2000);
    irq_off();
    test_equal("deadline: nothing armed", *seen(), before);
    for (unsigned i = 1; i <= 5; i++) {
        uint64_t at = rdtsc() + khz * i / 4;
        wrmsr(MSR_IA32_TSC_DEADLINE, at);
        if (rdtsc() < at)
            test_equal("deadline: reads back", rdmsr(MSR_IA32_TSC_DEADLINE), at);
        await(before, i);
        test_range("deadline: not early", rdtsc(), at, at + late);
        test_equal("deadline: 0 afterwards", rdmsr(MSR_IA32_TSC_DEADLINE), 0);
    }
    before = *seen();
    wrmsr(MSR_IA32_TSC_DEADLINE, 1);
    irq_window();
    test_equal("deadline: one in the past", *seen(), before + 1);
    wrmsr(MSR_IA32_TSC_DEADLINE, rdtsc() + khz / 2);
    wrmsr(MSR_IA32_TSC_DEADLINE, 0);
    wrmsr(MSR_IA32_TSC_DEADLINE, UINT64_MAX);
    irq_on();
    wait_us(2000);
    irq_off();
    test_equal("deadline: disarmed, or never", *seen(), before + 1);
    wrmsr(MSR_IA32_TSC_DEADLINE, rdtsc() + khz / 2);
    apic_write(APIC_LVT_TIMER, VECTOR);
    test_equal("deadline: disarmed by a mode", rdmsr(MSR_IA32_TSC_DEADLINE), 0);
    irq_on();
    wait_us(2000);
    irq_off();
    test_equal("deadline: and by nothing else", *seen(), before + 1);
}

void apic_timer(void)
{
    khz = guest_tsc_khz();
    late = 500 * khz;
    if (guest_on_plinth())
        test_equal("CPUID 40000010H: the timer's rate",
                   cpuid(PLINTH_CPUID_FREQUENCY, 0).ebx, khz);
    check_divide_values();
    if (!guest_on_plinth())
        return;
    check_one_shot();
    check_periodic();
    check_deadline();
    apic_write(APIC_LVT_TIMER, LVT_MASKED);
}
