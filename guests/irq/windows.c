/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * irq: at which instruction a waiting interrupt is taken, also when that instruction is one that
 * the hypervisor executes; what happens if it cannot be delivered. Have open: SDM, "Interrupt and
 * Exception Handling", "Masking Exceptions and Interrupts When Switching Stacks".
 */
#include "guests/irq/irq_guest.h"

#define VECTOR 0x50
#define NP     11
#define GP     13
#define DF     8
#define NONE   GUEST_NO_EXCEPTION

extern uint64_t guest_idt[256][2];

/* Code that leaves in RAX where the interrupt should find it. RSI is the local APIC. */
#define WINDOW(name, text, want)                                       \
    do {                                                               \
        struct guest_regs r_ = {.rsi = APIC_BASE_ADDRESS};             \
        irqs_log();                                                    \
        apic_send(0, ICR_SELF | VECTOR);                               \
        GUEST_RUN(&r_, "mov %%ss, %%edx\n\tlea 6f(%%rip), %%rbp\n\t"   \
                  "mov %%rbp, %%r12\n\t" text "\n\tnop\n\tcli");       \
        test_raised(name, &r_, NONE, 0);                               \
        test_equal(name, logged, want);                                \
        if (want)                                                      \
            test_equal(name, log_rip, r_.r12);                         \
        irq_window();                                                  \
    } while (0)

void irq_windows(void)
{
    irq_handler[VECTOR] = log_apic;
    WINDOW("STI", "sti\n\tnop\n6:", 1);
    WINDOW("STI, CLI", "sti\n\tcli\n6:", 0);
    WINDOW("STI, CPUID", "sti\n\tcpuid\n6:", 1);
    WINDOW("STI, OUT", "sti\n\tout %%al, $0x80\n6:", 1);
    WINDOW("STI, MOV from device", "sti\n\tmov 0x30(%%rsi), %%eax\n6:", 1);
    WINDOW("STI, HLT", "sti\n\thlt\n6:", 1);
    WINDOW("STI, PAUSE", "sti\n\tpause\n6:", 1);
    WINDOW("STI, MOV SS", "sti\n\tmov %%edx, %%ss\n\tnop\n6:", 1);
    WINDOW("STI, MOV SS, CPUID", "sti\n\tmov %%edx, %%ss\n\tcpuid\n6:", 1);
    WINDOW("STI, MOV SS, OUT", "sti\n\tmov %%edx, %%ss\n\tout %%al, $0x80\n6:", 1);
    WINDOW("POPF", "pushfq\n\torl $0x200, (%%rsp)\n\tpopfq\n6:", 1);
    WINDOW("IRET", "mov %%rsp, %%rcx\n\tpushq $0x10\n\tpush %%rcx\n\tpushq $0x202\n\t"
           "pushq $8\n\tpush %%r12\n\tiretq\n6:", 1);
    WINDOW("POPF, that exits behind it",
           "pushfq\n\torl $0x200, (%%rsp)\n\tpopfq\n6:\tcpuid\n\tout %%al, $0x80", 1);
    /* The task priority opens the window. */
    apic_write(APIC_TPR, 0xf0);
    WINDOW("MOV CR8", "sti\n\tnop\n\tnop\n\txor %%eax, %%eax\n\tmov %%rax, %%cr8\n6:", 1);
    apic_write(APIC_TPR, 0xf0);
    WINDOW("write to TPR", "sti\n\tnop\n\tnop\n\tmovl $0, 0x80(%%rsi)\n6:", 1);
    apic_write(APIC_TPR, 0);
    /* An NMI that arrives in STI's shadow together with an interrupt goes first. */
    irq_handler[2] = log_only;
    WINDOW("NMI first", "sti\n\tmovl $0x4400, 0x300(%%rsi)\n6:", 2);
    test_equal("NMI first", log_vector[0], 2);
    test_equal("then the interrupt", log_vector[1], VECTOR);
    irq_handler[2] = NULL;
}

/* --- delivery that fails -------------------------------------------------------------------- */

static void check_delivery(const char *name, unsigned vector, uint32_t error)
{
    struct guest_regs r = {0};
    GUEST_RUN(&r, "sti\n\tnop\n\tnop\n\tcli");
    test_raised(name, &r, vector, error);
    apic_write(APIC_EOI, 0); /* it is in service all the same */
}

static void set_idt_limit(uint16_t limit)
{
    struct PACKED {
        uint16_t limit;
        uint64_t base;
    } pointer = {limit, (uint64_t)guest_idt};
    __asm__ volatile("lidt %0" : : "m"(pointer));
}

void irq_faults(void)
{
    uint64_t gate = guest_idt[VECTOR][0], np = guest_idt[NP][0], nmi = guest_idt[2][0];
    struct guest_regs r = {0};
    irqs_log();
    guest_idt[VECTOR][0] = gate & ~BIT(47);
    GUEST_RUN(&r, "int $0x50");
    test_raised("INT n, gate not present", &r, NP, VECTOR * 8 + 2);
    apic_send(0, ICR_SELF | VECTOR);
    check_delivery("gate not present", NP, VECTOR * 8 + 3);
    guest_idt[NP][0] = np & ~BIT(47);
    apic_send(0, ICR_SELF | VECTOR);
    check_delivery("gate not present, nor #NP's", DF, 0);
    guest_idt[NP][0] = np;
    guest_idt[VECTOR][0] = gate;
    set_idt_limit(VECTOR * 16 - 1);
    apic_send(0, ICR_SELF | VECTOR);
    check_delivery("beyond IDTR's limit", GP, VECTOR * 8 + 3);
    set_idt_limit(256 * 16 - 1);
    guest_idt[2][0] = nmi & ~BIT(47);
    r = (struct guest_regs){.rsi = APIC_BASE_ADDRESS};
    GUEST_RUN(&r, "movl $0x4400, 0x300(%%rsi)\n\tnop\n\tnop");
    test_raised("NMI's gate not present", &r, NP, 2 * 8 + 3);
    guest_idt[2][0] = nmi;
    /* NMIs are blocked since then, in hardware until an IRET. */
    irq_handler[VECTOR] = log_apic;
    apic_send(0, ICR_SELF | VECTOR);
    irq_window();
    test_equal("only the last one came", logged, 1);
}
