/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smp: interrupts from CPU to CPU, and CPUs that sleep until one comes: no wake-up may be lost.
 * Have open: SDM, "Issuing Interprocessor Interrupts".
 */
#include "guests/smp/smp.h"

/* --- ping-pong ------------------------------------------------------------------------------ */

static volatile uint32_t pongs;

static void answer(unsigned vector, struct irq_frame *frame)
{
    irq_eoi(vector, frame);
    apic_send(0, VECTOR_PONG);
}

static void count_pong(unsigned vector, struct irq_frame *frame)
{
    pongs++;
    irq_eoi(vector, frame);
}

static void check_ping_pong(void)
{
    irq_handler[VECTOR_PING] = answer;
    irq_handler[VECTOR_PONG] = count_pong;
    irq_on();
    for (unsigned cpu = 1; cpu < smp_count; cpu++) {
        uint32_t i, before = cpus[cpu].seen[VECTOR_PING];
        pongs = 0;
        for (i = 1; i <= smp_rounds; i++) {
            apic_send(cpu, VECTOR_PING);
            if (!wait_for(&pongs, i, 500))
                break;
        }
        test_equal("ping-pong: answers", pongs, smp_rounds);
        test_equal("ping-pong: pings", cpus[cpu].seen[VECTOR_PING] - before, smp_rounds);
    }
    irq_off();
}

/* --- to several ----------------------------------------------------------------------------- */

static void check_seen(const char *name, unsigned vector, uint32_t icr, uint32_t destination,
                       unsigned expected)
{
    uint32_t before[CPU_MAX];
    for (unsigned i = 0; i < smp_count; i++)
        before[i] = cpus[i].seen[vector];
    irq_on();
    apic_send(destination, icr);
    wait_us(100);
    for (unsigned i = 0; i < smp_count; i++)
        if (expected & 1u << i)
            wait_for(&cpus[i].seen[vector], before[i] + 1, 500);
    irq_off();
    for (unsigned i = 0; i < smp_count; i++)
        test_equal(name, cpus[i].seen[vector] - before[i], expected >> i & 1);
}

static void check_groups(void)
{
    unsigned all = (1u << smp_count) - 1;
    irq_handler[VECTOR_ALL] = irq_eoi;
    for (unsigned n = 0; n < 3; n++) {
        check_seen("all but self", VECTOR_ALL, ICR_OTHERS | VECTOR_ALL, 0, all & ~1u);
        check_seen("all", VECTOR_ALL, ICR_ALL | VECTOR_ALL, 0, all);
        check_seen("self", VECTOR_ALL, ICR_SELF | VECTOR_ALL, 0, 1);
        check_seen("broadcast ID", VECTOR_ALL, VECTOR_ALL,
                   this_cpu()->x2apic ? 0xffffffff : 0xff, all);
        check_seen("nobody", VECTOR_ALL, VECTOR_ALL, smp_count, 0);
        check_seen("NMI to one", 2, ICR_NMI | ICR_ASSERT, 1, 2);
        check_seen("NMI to all but self", 2, ICR_OTHERS | ICR_NMI | ICR_ASSERT, 0, all & ~1u);
    }
}

/* --- sleeping ------------------------------------------------------------------------------- */

static volatile uint32_t token, alarms;
static volatile bool stop;

static void alarm(unsigned vector, struct irq_frame *frame)
{
    alarms++;
    irq_eoi(vector, frame);
}

/* Sleeps until the token is this CPU's number, modulo how many there are. */
static void await_token(unsigned me)
{
    for (;;) {
        irq_off();
        if (token % smp_count == me || stop || alarms)
            break;
        /* STI holds interrupts back until HLT has begun: none can slip in between. */
        __asm__ volatile("sti\n\thlt" : : : "memory");
    }
    irq_on();
}

static void ring(void *arg)
{
    unsigned me = this_cpu()->id;
    (void)arg;
    for (;;) {
        await_token(me);
        if (stop)
            return;
        __atomic_add_fetch(&token, 1, __ATOMIC_SEQ_CST);
        apic_send((me + 1) % smp_count, VECTOR_TOKEN);
    }
}

static void set_alarm(uint32_t ms)
{
    apic_write(APIC_DIVIDE, 0xb);
    apic_write(APIC_LVT_TIMER, VECTOR_ALARM);
    apic_write(APIC_INITIAL, (uint32_t)(ms * guest_tsc_khz()));
}

/* A token goes round; whoever has passed it on sleeps. Every round each CPU wakes once. */
static void check_ring(void)
{
    uint32_t passes = 10 * smp_rounds;
    token = alarms = 0;
    stop = false;
    irq_handler[VECTOR_TOKEN] = irq_eoi;
    irq_handler[VECTOR_ALARM] = alarm;
    for (unsigned i = 1; i < smp_count; i++)
        cpu_post(i, ring, NULL);
    while (token < passes && !alarms) {
        set_alarm(2000);
        token++;
        apic_send(1, VECTOR_TOKEN);
        await_token(0);
    }
    apic_write(APIC_INITIAL, 0);
    test_equal("token ring: alarms", alarms, 0);
    test_range("token ring: passes", token, passes, passes + smp_count);
    stop = true;
    apic_send(0, ICR_OTHERS | VECTOR_TOKEN);
    for (unsigned i = 1; i < smp_count; i++)
        for (unsigned ms = 0; !cpu_finished(i) && ms < 1000; ms++)
            wait_us(1000);
    irq_off();
    for (unsigned i = 1; i < smp_count; i++)
        test_true("token ring: it ends", cpu_finished(i));
}

static void sleep_once(void *arg)
{
    (void)arg;
    uint32_t *slept = arg;
    irq_off();
    __atomic_add_fetch(slept, 1, __ATOMIC_SEQ_CST);
    __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
    __atomic_sub_fetch(slept, 1, __ATOMIC_SEQ_CST);
}

/* All sleep, this one too, until its timer; then it wakes all the others at once. */
static void check_all_asleep(void)
{
    static uint32_t slept;
    irq_handler[VECTOR_ALARM] = alarm;
    for (unsigned round = 0; round < 50; round++) {
        for (unsigned i = 1; i < smp_count; i++)
            cpu_post(i, sleep_once, &slept);
        if (!wait_for(&slept, smp_count - 1, 1000)) {
            test_true("all fall asleep", false);
            return;
        }
        alarms = 0;
        set_alarm(1);
        __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
        test_equal("the alarm wakes CPU 0", alarms, 1);
        test_equal("and nobody else", slept, smp_count - 1);
        irq_on();
        apic_send(0, round & 1 ? ICR_OTHERS | VECTOR_ALL : ICR_OTHERS | ICR_NMI | ICR_ASSERT);
        for (unsigned i = 1; i < smp_count; i++)
            for (unsigned ms = 0; !cpu_finished(i) && ms < 1000; ms++)
                wait_us(100);
        irq_off();
        test_equal("all wake up", slept, 0);
    }
}

/* HLT with interrupts off: an interrupt does not wake it, an NMI does. */
static void halt_for_nmi(void *arg)
{
    volatile uint32_t *woken = arg;
    irq_off();
    *woken = 1;
    __asm__ volatile("hlt" : : : "memory");
    *woken = 2;
}

static void check_deaf_halt(void)
{
    static volatile uint32_t woken;
    uint32_t before = cpus[1].seen[VECTOR_ALL];
    cpu_post(1, halt_for_nmi, (void *)&woken);
    wait_for(&woken, 1, 1000);
    wait_us(100);
    apic_send(1, VECTOR_ALL);
    wait_us(30000);
    test_equal("an interrupt does not end HLT with IF clear", woken, 1);
    apic_send(1, ICR_NMI | ICR_ASSERT);
    test_true("an NMI does", wait_for(&woken, 2, 1000));
    test_true("the interrupt comes when IF is set",
               wait_for(&cpus[1].seen[VECTOR_ALL], before + 1, 1000));
}

void smp_ipis(void)
{
    check_ping_pong();
    check_groups();
}

void smp_wake_ups(void)
{
    check_ring();
    check_all_asleep();
    check_deaf_halt();
}
