/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smp: INIT and start-up IPIs: where a CPU starts and with what in its registers, that a second
 * start-up IPI is ignored, and that a CPU can be stopped and started again. Have open: SDM,
 * "Multiple-Processor Initialization", table "IA-32 and Intel 64 Processor States Following
 * Power-up, Reset, or INIT".
 */
#include "guests/smp/smp.h"

#include "arch/x86/msr.h"

#define LOW_VECTOR 0x08

static void enable_apic(void *arg)
{
    if (arg)
        apic_enter_x2apic();
    apic_enable();
    this_cpu()->start.gpr[0] = apic_read(APIC_ID) >> (arg ? 0 : 24);
}

static void check_fresh_registers(const struct cpu *c, uint8_t vector)
{
    const struct cpu_start *s = &c->start;
    for (unsigned i = 0; i < 8; i++)
        if (i != 2)
            test_equal("a general register at the start", s->gpr[i], 0);
    test_true("EDX at the start: a family", (s->gpr[2] >> 8 & 0xf) != 0);
    test_equal("CS", s->cs, (uint64_t)vector << 8);
    test_equal("SS", s->ss, 0);
    test_equal("DS, ES, FS, GS", s->ds | s->es | s->fs | s->gs, 0);
    test_equal("CR0 but for CD and NW", s->cr0 & ~0x60000000u, 0x10);
    test_equal("CR2", s->cr2, 0);
    test_equal("CR3", s->cr3, 0);
    test_equal("CR4", s->cr4, 0);
    test_equal("EFLAGS", s->eflags, 2);
    test_equal("GDTR's limit", s->gdt_limit, 0xffff);
    test_equal("GDTR's base", s->gdt_base[0] | s->gdt_base[1], 0);
    test_equal("IDTR's limit", s->idt_limit, 0xffff);
    test_equal("IDTR's base", s->idt_base[0] | s->idt_base[1], 0);
    test_equal("DR6", s->dr6 & 0xf00f, 0);
    test_equal("DR7", s->dr7, 0x400);
}

void smp_starts(void)
{
    bool x2apic = this_cpu()->x2apic;
    wait_us(100);
    for (unsigned i = 1; i < smp_count; i++)
        test_equal("nobody starts by itself", cpus[i].starts, 0);
    cpu_prepare(LOW_VECTOR);
    if (!guest_on_plinth())
        apic_send(1, ICR_INIT | ICR_ASSERT);
    /* Else the first may come without an INIT: docs/abi.md. */
    apic_send(1, ICR_STARTUP | ICR_ASSERT | LOW_VECTOR);
    test_true("starts without an INIT", wait_for(&cpus[1].starts, 1, 1000));
    for (unsigned i = 1; i < smp_count; i++) {
        static const uint8_t vectors[] = {0x08, 0x00, 0x03, 0x9e, 0x40, 0x7f, 0x22, 0x55};
        if (i > 1)
            test_true("starts", cpu_start(i, vectors[i]));
        check_fresh_registers(&cpus[i], i > 1 ? vectors[i] : LOW_VECTOR);
        /* Software sends two; the second finds it running. */
        cpu_prepare(0x30);
        apic_send(i, ICR_STARTUP | ICR_ASSERT | 0x30);
        test_true("takes a job", cpu_call(i, enable_apic, x2apic ? &x2apic : NULL));
        test_equal("its APIC ID", cpus[i].start.gpr[0], i);
        test_equal("a second start-up IPI is ignored", cpus[i].starts, 1);
    }
    apic_send(smp_count, ICR_INIT | ICR_ASSERT);
    apic_send(smp_count, ICR_STARTUP | ICR_ASSERT | LOW_VECTOR);
    for (unsigned i = 1; i < smp_count; i++)
        test_equal("an IPI for nobody starts nobody", cpus[i].starts, 1);
}

/* --- stopped and started again -------------------------------------------------------------- */

static uint64_t found[16];

static void fill_state(void *arg)
{
    (void)arg;
    __asm__ volatile("fninit\n\tfld1");
    wrmsr(MSR_IA32_PAT, UINT64_C(0x0007010600070106));
    wrmsr(MSR_IA32_SYSENTER_CS, 0x33);
    wrmsr(MSR_IA32_SYSENTER_EIP, 0x123456);
    wrmsr(MSR_IA32_LSTAR, 0x654321);
    wrmsr(MSR_IA32_KERNEL_GS_BASE, 0x777000);
    write_cr2(0x1234000);
    __asm__ volatile("mov %0, %%dr0" : : "r"(UINT64_C(0x5678)));
    write_dr7(0x700);
    apic_write(APIC_TPR, 0x20);
    apic_write(APIC_LVT_TIMER, 0x99);
    apic_write(APIC_DIVIDE, 0xb);
    apic_send(smp_count, 0x55);
}

static void fetch_state(void *arg)
{
    (void)arg;
    found[0] = rdmsr(MSR_IA32_PAT);
    found[1] = rdmsr(MSR_IA32_SYSENTER_CS);
    found[2] = rdmsr(MSR_IA32_SYSENTER_EIP);
    found[3] = rdmsr(MSR_IA32_LSTAR);
    found[4] = rdmsr(MSR_IA32_KERNEL_GS_BASE);
    __asm__ volatile("mov %%dr0, %0" : "=r"(found[5]));
    found[6] = apic_read(APIC_TPR);
    found[7] = apic_read(APIC_LVT_TIMER);
    found[8] = apic_read(APIC_DIVIDE);
    found[9] = apic_read(APIC_SVR);
    found[10] = apic_read(APIC_ICR);
    found[11] = rdmsr(MSR_IA32_APIC_BASE);
    uint16_t status = 0xffff;
    __asm__ volatile("fnstsw %0" : "=m"(status));
    found[12] = status;
}

/* What INIT leaves alone, and what it resets. */
static void check_init_state(void)
{
    test_equal("INIT keeps IA32_PAT", found[0], UINT64_C(0x0007010600070106));
    test_equal("INIT keeps SYSENTER_CS", found[1], 0x33);
    test_equal("INIT keeps SYSENTER_EIP", found[2], 0x123456);
    test_equal("INIT keeps LSTAR", found[3], 0x654321);
    test_equal("INIT keeps KERNEL_GS_BASE", found[4], 0x777000);
    test_equal("INIT clears DR0", found[5], 0);
    test_equal("INIT clears TPR", found[6], 0);
    test_equal("INIT masks LVT", found[7], LVT_MASKED);
    test_equal("INIT clears DIVIDE", found[8], 0);
    test_equal("INIT disables by SVR", found[9], 0xff);
    test_equal("INIT clears ICR", found[10], 0);
    test_equal("INIT keeps the mode", found[11],
                rdmsr(MSR_IA32_APIC_BASE) & ~APIC_BASE_BSP);
    test_equal("INIT keeps the FPU", found[12] & 0x3800, 0x3800);
}

static volatile uint32_t spinning;

static void spin_deaf(void *arg)
{
    (void)arg;
    irq_off();
    for (;;)
        spinning++;
}

static void halt_deaf(void *arg)
{
    (void)arg;
    irq_off();
    spinning++;
    for (;;)
        __asm__ volatile("hlt");
}

static void check_stop(const char *name, unsigned cpu, void (*job)(void *arg))
{
    uint32_t starts = cpus[cpu].starts;
    spinning = 0;
    cpu_post(cpu, job, NULL);
    test_true("it runs", wait_for(&spinning, 1, 1000));
    apic_send(cpu, ICR_INIT | ICR_ASSERT);
    wait_us(200);
    uint32_t then = spinning;
    wait_us(30000);
    test_equal("an INIT stops a CPU", spinning, then);
    test_equal("no start before its IPI", cpus[cpu].starts, starts);
    /* Interrupts and NMIs do not start it. */
    apic_send(cpu, ICR_NMI | ICR_ASSERT);
    apic_send(cpu, VECTOR_ALL);
    wait_us(1000);
    test_equal("only a start-up IPI does", cpus[cpu].starts, starts);
    cpu_prepare(0x44);
    apic_send(cpu, ICR_STARTUP | ICR_ASSERT | 0x44);
    test_true(name, wait_for(&cpus[cpu].starts, starts + 1, 1000));
    check_fresh_registers(&cpus[cpu], 0x44);
}

void smp_restarts(void)
{
    unsigned cpu = smp_count - 1;
    test_true("fills its state", cpu_call(cpu, fill_state, NULL));
    check_stop("starts after INIT of a running CPU", cpu, spin_deaf);
    test_true("fetches its state", cpu_call(cpu, fetch_state, NULL));
    check_init_state();
    check_stop("starts after INIT of a halted CPU", cpu, halt_deaf);
    for (unsigned i = 0; i < 50; i++)
        test_true("starts again and again", cpu_start(cpu, (uint8_t)(0x10 + i)));
    /* INIT twice, then two start-up IPIs: one start. */
    uint32_t starts = cpus[cpu].starts;
    apic_send(cpu, ICR_INIT | ICR_ASSERT);
    apic_send(cpu, ICR_INIT | ICR_ASSERT);
    apic_send(cpu, ICR_INIT | ICR_LEVEL); /* de-assert: no effect */
    apic_send(cpu, ICR_STARTUP | ICR_ASSERT | 0x10);
    apic_send(cpu, ICR_STARTUP | ICR_ASSERT | 0x11);
    test_true("starts after two INITs", wait_for(&cpus[cpu].starts, starts + 1, 1000));
    wait_us(1000);
    test_equal("once", cpus[cpu].starts, starts + 1);
    if (guest_on_plinth()) /* QEMU lets the second one say */
        test_equal("where the first said", cpus[cpu].start.cs, 0x1000);
}
