/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * apic: the local APIC: each register in both modes, changes of mode, priorities, errors, local
 * sources, timer; with `cpus = 4` or more also who is meant by which destination. mode=steps: it
 * lowers its task priority for ever instead. Exit status: the number of checks that failed (at most
 * 200). Have open: SDM, "Advanced Programmable Interrupt Controller (APIC)".
 */
#include "guests/apic/apic.h"

#include "arch/x86/cpuid.h"
#include "arch/x86/msr.h"

unsigned apic_cpus;
bool apic_untouched = true;

/* As far as registers can be written: what waits is taken and ended before. */
static void reset_by_hand(void)
{
    static const struct {
        uint16_t at;
        uint32_t value;
    } resets[] = {
        {APIC_TPR, 0},      {APIC_LDR, 0},      {APIC_DFR, 0xffffffff}, {APIC_ICR_HIGH, 0},
        {APIC_INITIAL, 0},  {APIC_DIVIDE, 0},   {APIC_ESR, 0},          {APIC_ESR, 0},
    };
    for (unsigned at = APIC_LVT_TIMER; at <= APIC_LVT_ERROR; at += 16)
        apic_write(at, LVT_MASKED);
    for (unsigned i = 0; i < ARRAY_LEN(resets); i++)
        apic_write(resets[i].at, resets[i].value);
    irq_window();
    for (unsigned i = 0; i < 16; i++)
        apic_write(APIC_EOI, 0);
    irq_window();
}

void apic_fresh(void)
{
    if (apic_untouched) {
        reset_by_hand();
        apic_enable();
        return;
    }
    uint64_t base = rdmsr(MSR_IA32_APIC_BASE), off = ~(APIC_BASE_ENABLE | APIC_BASE_X2APIC);
    wrmsr(MSR_IA32_APIC_BASE, base & off);
    wrmsr(MSR_IA32_APIC_BASE, (base & off) | APIC_BASE_ENABLE);
    if (this_cpu()->x2apic)
        wrmsr(MSR_IA32_APIC_BASE, base | APIC_BASE_ENABLE);
    apic_enable();
}

struct guest_regs apic_try_rdmsr(uint32_t msr)
{
    struct guest_regs r = {.rcx = msr};
    GUEST_RUN(&r, "rdmsr");
    return r;
}

struct guest_regs apic_try_wrmsr(uint32_t msr, uint64_t value)
{
    struct guest_regs r = {.rcx = msr, .rax = (uint32_t)value, .rdx = value >> 32};
    GUEST_RUN(&r, "wrmsr");
    return r;
}

uint32_t apic_seen(unsigned first, unsigned last)
{
    uint32_t sum = 0;
    for (unsigned i = first; i <= last; i++)
        sum += this_cpu()->seen[i];
    return sum;
}

static void in_this_mode(const char *mode)
{
    test_mode(mode);
    apic_fresh();
    apic_priorities();
    apic_fresh();
    apic_errors();
    apic_fresh();
    apic_local_sources();
    apic_fresh();
    apic_timer();
    apic_fresh();
    apic_destinations();
}

int guest_main(const char *cmdline)
{
    test_begin("apic");
    irq_init();
    if (guest_option_is(cmdline, "mode", "steps"))
        apic_lower_priorities();
    for (unsigned i = 32; i < 256; i++)
        irq_handler[i] = irq_eoi;
    irq_handler[255] = NULL; /* the spurious vector gets no EOI */
    apic_cpus = cpu_count();
    test_mode("xAPIC, untouched");
    apic_xapic_registers();
    apic_start_others();
    in_this_mode("xAPIC, untouched");
    apic_move();
    apic_untouched = false;
    apic_fresh();
    test_mode("xAPIC");
    apic_xapic_registers();
    in_this_mode("xAPIC");
    if (cpuid(1, 0).ecx & CPUID_1_ECX_X2APIC) {
        test_mode("modes");
        apic_modes();
        apic_enter_x2apic();
        test_mode("x2APIC");
        apic_x2apic_registers();
        in_this_mode("x2APIC");
    }
    return test_end();
}
