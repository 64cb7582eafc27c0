/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * apic: priorities and nesting, errors, NMIs, all in the mode that is on. Have open: SDM,
 * "Interrupt Acceptance for Fixed Interrupts", "Task Priority", "Error Handling".
 */
#include "guests/apic/apic.h"

#include "arch/x86/msr.h"

#define ESR_ILLEGAL_VECTOR 0x60u /* sent or received: for one sent to itself both are right */

static unsigned order[16], orders;
static bool asked;

static void note(unsigned vector, struct irq_frame *frame)
{
    if (orders < ARRAY_LEN(order))
        order[orders++] = vector;
    irq_eoi(vector, frame);
}

/* Notes itself, then lets others in before its EOI. */
static void nest(unsigned vector, struct irq_frame *frame)
{
    if (orders < ARRAY_LEN(order))
        order[orders++] = vector;
    if (vector == 0x60 && !asked) {
        asked = true;
        test_true("in service: ISR", apic_bit(APIC_ISR, vector));
        test_true("in service: not in IRR", !apic_bit(APIC_IRR, vector));
        test_equal("in service: PPR", apic_read(APIC_PPR), 0x60);
        apic_send(0, ICR_SELF | 0x58);
        apic_send(0, ICR_SELF | 0x61);
        apic_send(0, ICR_SELF | 0x60);
        apic_send(0, ICR_SELF | 0x75);
        irq_window();
        test_true("below it: IRR", apic_bit(APIC_IRR, 0x58));
        test_true("its own class: IRR", apic_bit(APIC_IRR, 0x61));
        test_true("itself again: IRR", apic_bit(APIC_IRR, 0x60));
        test_equal("PPR afterwards", apic_read(APIC_PPR), 0x60);
    }
    irq_eoi(vector, frame);
    test_true("not in ISR behind its EOI", !apic_bit(APIC_ISR, (uint8_t)vector));
}

static void check_order(const char *name, const uint8_t *want, unsigned n)
{
    test_equal(name, orders, n);
    for (unsigned i = 0; i < n && i < orders; i++)
        test_equal(name, order[i], want[i]);
    orders = 0;
}

static void check_task_priority(void)
{
    static const uint8_t expected[] = {0x55};
    irq_handler[0x55] = note;
    apic_write(APIC_TPR, 0x50);
    test_equal("PPR is TPR", apic_read(APIC_PPR), 0x50);
    test_equal("CR8 is TPR's upper half", read_cr8(), 5);
    apic_send(0, ICR_SELF | 0x55);
    irq_window();
    check_order("held back by TPR", NULL, 0);
    test_true("it waits in IRR", apic_bit(APIC_IRR, 0x55));
    apic_write(APIC_TPR, 0x4f);
    irq_window();
    check_order("let in by TPR", expected, 1);
    write_cr8(9);
    test_equal("TPR is CR8", apic_read(APIC_TPR), 0x90);
    test_equal("PPR is CR8", apic_read(APIC_PPR), 0x90);
    apic_send(0, ICR_SELF | 0x55);
    irq_window();
    check_order("held back by CR8", NULL, 0);
    irq_on();
    write_cr8(4); /* here, not a moment later */
    __asm__ volatile("nop");
    irq_off();
    check_order("let in by CR8", expected, 1);
    write_cr8(0);
    struct guest_regs r = {.rax = 0x10};
    GUEST_RUN(&r, "mov %%rax, %%cr8");
    test_raised("CR8 has four bits", &r, 13, 0);
    irq_handler[0x55] = irq_eoi;
}

void apic_priorities(void)
{
    static const uint8_t by_priority[] = {0x91, 0x71, 0x61, 0x41};
    static const uint8_t nested[] = {0x60, 0x75, 0x61, 0x60, 0x58};
    static const uint8_t once[] = {0x41};
    check_task_priority();
    for (unsigned i = 0; i < ARRAY_LEN(by_priority); i++)
        irq_handler[by_priority[i]] = note;
    apic_send(0, ICR_SELF | 0x61);
    apic_send(0, ICR_SELF | 0x91);
    apic_send(0, ICR_SELF | 0x41);
    apic_send(0, ICR_SELF | 0x71);
    irq_on();
    wait_us(20);
    irq_off();
    check_order("the highest first", by_priority, 4);
    apic_send(0, ICR_SELF | 0x41);
    apic_send(0, ICR_SELF | 0x41);
    irq_window();
    check_order("twice requested is once delivered", once, 1);
    for (unsigned i = 0; i < ARRAY_LEN(nested); i++)
        irq_handler[nested[i]] = note;
    irq_handler[0x60] = nest;
    asked = false;
    apic_send(0, ICR_SELF | 0x60);
    irq_on();
    wait_us(20);
    irq_off();
    check_order("nesting", nested, ARRAY_LEN(nested));
    for (unsigned i = 32; i < 255; i++)
        irq_handler[i] = irq_eoi;
    /* Every vector, one at a time. */
    for (unsigned i = 32; i < 255; i++) {
        uint32_t before = this_cpu()->seen[i];
        apic_send(0, ICR_SELF | i);
        test_true("IRR", apic_bit(APIC_IRR, (uint8_t)i));
        test_true("TMR is clear for an edge", !apic_bit(APIC_TMR, (uint8_t)i));
        irq_window();
        test_equal("every vector comes", this_cpu()->seen[i] - before, 1);
        test_true("ISR is clear again", !apic_bit(APIC_ISR, (uint8_t)i));
    }
    /* An EOI without anything in service. */
    apic_write(APIC_EOI, 0);
    test_equal("PPR at rest", apic_read(APIC_PPR), 0);
}

/* --- errors --------------------------------------------------------------------------------- */

static uint32_t take_errors(void)
{
    apic_write(APIC_ESR, 0);
    return apic_read(APIC_ESR);
}

void apic_errors(void)
{
    uint32_t id = this_cpu()->id, before = this_cpu()->seen[0x5e];
    (void)take_errors();
    (void)take_errors();
    for (unsigned vector = 0; vector < 16; vector++) {
        apic_send(0, ICR_SELF | vector);
        test_true("ESR: illegal vector to self", take_errors() & ESR_ILLEGAL_VECTOR);
        apic_send(id, vector);
        test_true("ESR: illegal vector", take_errors() & ESR_ILLEGAL_VECTOR);
        test_equal("ESR: once", take_errors(), 0);
        if (this_cpu()->x2apic) {
            apic_write(APIC_SELF_IPI, vector);
            test_true("ESR: illegal vector by SELF_IPI", take_errors() & ESR_ILLEGAL_VECTOR);
        }
    }
    irq_window();
    test_equal("LVT_ERROR is masked", this_cpu()->seen[0x5e], before);
    apic_write(APIC_LVT_ERROR, 0x5e);
    apic_send(0, ICR_SELF | 3);
    irq_window();
    test_equal("the error interrupt", this_cpu()->seen[0x5e], before + 1);
    test_true("ESR behind it", take_errors() & ESR_ILLEGAL_VECTOR);
    /* An error vector that is an error itself. */
    apic_write(APIC_LVT_ERROR, 5);
    apic_send(0, ICR_SELF | 3);
    irq_window();
    test_true("illegal error vector", take_errors() & ESR_ILLEGAL_VECTOR);
    apic_write(APIC_LVT_ERROR, LVT_MASKED);
    (void)take_errors();
    /* The timer's. */
    apic_write(APIC_DIVIDE, 0xb);
    apic_write(APIC_LVT_TIMER, 7);
    apic_write(APIC_INITIAL, 1000);
    wait_us(100);
    test_equal("ESR: illegal vector in an LVT entry", take_errors(), 0x40);
    apic_write(APIC_LVT_TIMER, LVT_MASKED);
}

/* --- NMIs ----------------------------------------------------------------------------------- */

static unsigned nmi_depth, nmi_deepest, nmi_to_send;

static void in_nmi(unsigned vector, struct irq_frame *frame)
{
    (void)vector;
    (void)frame;
    nmi_depth++;
    if (nmi_depth > nmi_deepest)
        nmi_deepest = nmi_depth;
    for (; nmi_to_send; nmi_to_send--)
        apic_send(this_cpu()->id, ICR_NMI | ICR_ASSERT);
    wait_us(5);
    nmi_depth--;
}

void apic_local_sources(void)
{
    struct cpu *me = this_cpu();
    uint32_t before = me->seen[2];
    irq_handler[2] = in_nmi;
    nmi_deepest = 0;
    apic_send(me->id, ICR_NMI | ICR_ASSERT);
    __asm__ volatile("nop");
    test_equal("an NMI with IF clear", me->seen[2], before + 1);
    apic_send(me->id, ICR_NMI | 0x02); /* its vector does not count */
    __asm__ volatile("nop");
    test_equal("an NMI with a vector", me->seen[2], before + 2);
    nmi_to_send = 1;
    apic_send(me->id, ICR_NMI | ICR_ASSERT);
    wait_us(20);
    test_equal("an NMI in an NMI's handler", me->seen[2], before + 4);
    test_equal("comes behind IRET", nmi_deepest, 1);
    nmi_to_send = 3;
    apic_send(me->id, ICR_NMI | ICR_ASSERT);
    wait_us(20);
    test_equal("several become one", me->seen[2], before + 6);
    test_equal("behind IRET", nmi_deepest, 1);
    irq_handler[2] = NULL;
    /* The task priority does not hold an NMI back, nor does a software-disabled APIC. */
    apic_write(APIC_TPR, 0xff);
    apic_send(me->id, ICR_NMI | ICR_ASSERT);
    __asm__ volatile("nop");
    test_equal("NMI and TPR", me->seen[2], before + 7);
    apic_write(APIC_TPR, 0);
    /* These do nothing, and not to the sender. */
    uint32_t seen = apic_seen(2, 255);
    apic_send(me->id, ICR_SMI | ICR_ASSERT);
    apic_send(me->id, ICR_STARTUP | ICR_ASSERT | 0x10);
    apic_send(me->id, ICR_INIT | ICR_LEVEL);
    irq_window();
    test_equal("SMI, start-up IPI, INIT de-assert to itself", apic_seen(2, 255), seen);
}

/* --- for a debugger -------------------------------------------------------------------------- */

volatile uint32_t apic_toggle; /* by the debugger */
void apic_lower_priority(void);

NOINLINE void apic_lower_priority(void)
{
    __asm__ volatile("movl $0, (%0)\n\tnop\n\tnop\n\tnop\n\tnop"
                     : : "r"(APIC_BASE_ADDRESS + APIC_TPR) : "memory");
}

void apic_lower_priorities(void)
{
    uint64_t base = rdmsr(MSR_IA32_APIC_BASE);
    for (unsigned round = 0;; round++) {
        if (apic_toggle) {
            apic_toggle = 0;
            wrmsr(MSR_IA32_APIC_BASE, base & ~APIC_BASE_ENABLE);
            wrmsr(MSR_IA32_APIC_BASE, base);
        }
        apic_enable();
        apic_write(APIC_TPR, 0x50);
        apic_send(0, ICR_SELF | 0x41);
        apic_lower_priority();
        irq_on();
        if (round % 64 == 0)
            guest_print("apic: round %u\n", round);
        wait_us(20000);
        irq_off();
    }
}
