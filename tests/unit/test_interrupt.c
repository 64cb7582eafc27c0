/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/interrupt.c with the real models: from a device's line by 8259s or IOAPIC to the vCPU that
 * takes the vector; from vCPU to vCPU; who is woken, and when timers are due.
 */
#include "tests/unit/fake_core.h"

#define PIN_EDGE(vector)  (vector)
#define PIN_LEVEL(vector) (1u << 15 | (vector))
#define PIN_REMOTE_IRR    BIT(14)
#define X2APIC_ICR        (MSR_IA32_X2APIC_BASE + VLAPIC_ICR / 16)
#define ICR_LOGICAL       (1u << 11)
#define ICR_ASSERT        (1u << 14)
#define ICR_LEVEL         (1u << 15)
#define ICR_OTHERS        (3u << 18)

static void out(uint16_t port, uint8_t value)
{
    struct io_access a = {.write = true, .size = 1, .value = value};
    machine_port(&vm, port, &a);
}

static int setup(void **state)
{
    fake_setup(state);
    out(0x43, 0x34);
    vlapic_set_virtual_wire(&vcpu.apic);
    interrupt_apic_effects(&vcpu);
    vcpu.requests = 0;
    return 0;
}

/* Another vCPU that has started, with its APIC software-enabled. */
static struct vcpu *add_running(unsigned i)
{
    struct vcpu *v = fake_add_vcpu(&sibling[i - 1]);
    struct vlapic_effects ignored;
    vlapic_write(&v->apic, VLAPIC_SVR, 0x1ff, 0);
    vlapic_take_effects(&v->apic, &ignored);
    v->state = VCPU_RUNNING;
    return v;
}

static void halt(struct vcpu *v, bool interrupts)
{
    v->state = VCPU_BLOCKED;
    v->wake_on_interrupt = interrupts;
    v->wake_at = UINT64_MAX;
}

static uint8_t in(uint16_t port)
{
    struct io_access a = {.size = 1};
    machine_port(&vm, port, &a);
    return (uint8_t)a.value;
}

static void ioapic_write(uint32_t reg, uint32_t value)
{
    struct io_access select = {.write = true, .size = 4, .value = reg};
    struct io_access window = {.write = true, .size = 4, .value = value};
    machine_memory(&vm, GPA(VIOAPIC_BASE), &select);
    machine_memory(&vm, GPA(VIOAPIC_BASE + 0x10), &window);
}

static void route(unsigned pin, uint32_t low, uint32_t destination)
{
    ioapic_write(0x10 + 2 * pin + 1, destination << 24);
    ioapic_write(0x10 + 2 * pin, low);
}

static void apic_write(struct vcpu *v, unsigned reg, uint32_t value)
{
    vlapic_write(&v->apic, reg, value, vm_guest_tsc(&vm, fake.now));
    interrupt_apic_effects(v);
}

static void send_ipi(struct vcpu *from, uint32_t low, uint8_t destination)
{
    apic_write(from, VLAPIC_ICR_HIGH, (uint32_t)destination << 24);
    apic_write(from, VLAPIC_ICR, low);
}

/* The 8259s with vectors 20h and 28h, nothing masked but what these say. */
static void start_pics(uint8_t master_mask, uint8_t slave_mask)
{
    out(0x20, 0x11), out(0x21, 0x20), out(0x21, 4), out(0x21, 1), out(0x21, master_mask);
    out(0xa0, 0x11), out(0xa1, 0x28), out(0xa1, 2), out(0xa1, 1), out(0xa1, slave_mask);
}

static void start_uart(void)
{
    out(0x3fa, 1); /* FCR: FIFOs */
    out(0x3f9, 1); /* IER: received data */
    out(0x3fc, 8); /* MCR: OUT2 lets the line through */
}

/* Channel 0, mode 2: 1193 clocks, 999848 ns. The control word alone raises OUT, unseen here: the
 * first edge that counts is the first period's. */
static void start_pit(void)
{
    out(0x40, 1193 & 0xff), out(0x40, 1193 >> 8);
}

/* TSC ticks that n of its periods take, and that a moment is theirs to a few ticks. */
static uint64_t pit_periods(uint64_t n)
{
    return n * 1193 * 88000 * 2 / 105;
}

static void assert_near(uint64_t at, uint64_t want)
{
    if (at + 4 < want || at > want + 4)
        fail_msg("%lu, should be %lu", at, want);
}

static void pass(uint64_t now)
{
    fake.now = now;
    interrupt_time(&vcpu, now);
    interrupt_device_time(&vm);
}

/* --- IOAPIC ----------------------------------------------------------------------------------- */

/* The timer's edges come by pin 2, one interrupt each, at the time that event_at says. */
static void pit_by_edge(void **state)
{
    (void)state;
    route(2, PIN_EDGE(0x30), 0);
    start_pit();
    uint64_t first = vm.timer.entry.at;
    assert_true(first >= FAKE_NOW + pit_periods(1) && first < FAKE_NOW + pit_periods(1) + 4000);
    vcpu.requests = 0;
    pass(first - 10);
    assert_int_equal(interrupt_next(&vcpu), -1);
    assert_int_equal(vcpu.requests, 0);
    for (unsigned i = 1; i <= 5; i++) {
        uint64_t due = vm.timer.entry.at;
        pass(due);
        assert_int_equal(interrupt_next(&vcpu), 0x30);
        assert_true(vcpu.requests & REQUEST_EVENT);
        assert_int_equal(interrupt_take(&vcpu), 0x30);
        assert_int_equal(interrupt_next(&vcpu), -1);
        apic_write(&vcpu, VLAPIC_EOI, 0);
        assert_int_equal(interrupt_next(&vcpu), -1);
        assert_near(vm.timer.entry.at, first + pit_periods(i)); /* no drift */
    }
    /* Looked at much too late, it has ticked once, and is in phase again. */
    pass(first + pit_periods(100) + 50);
    assert_int_equal(interrupt_take(&vcpu), 0x30);
    apic_write(&vcpu, VLAPIC_EOI, 0);
    assert_int_equal(interrupt_next(&vcpu), -1);
    assert_near(vm.timer.entry.at, first + pit_periods(101));
}

/* A read of the PIT is a look at its line when that has changed; then the edge is delivered. */
static void pit_edge_seen_by_a_read(void **state)
{
    (void)state;
    route(2, PIN_EDGE(0x30), 0);
    start_pit();
    fake.now = FAKE_NOW + pit_periods(1) / 2;
    (void)in(0x40);
    assert_int_equal(interrupt_next(&vcpu), -1);
    fake.now += pit_periods(1);
    (void)in(0x40);
    assert_int_equal(interrupt_take(&vcpu), 0x30);
    apic_write(&vcpu, VLAPIC_EOI, 0);
    (void)in(0x61);
    assert_int_equal(interrupt_next(&vcpu), -1);
    fake.now += pit_periods(1);
    (void)in(0x61);
    assert_int_equal(interrupt_take(&vcpu), 0x30);
}

/* An edge on a masked pin is lost. */
static void masked_edge(void **state)
{
    (void)state;
    start_pit();
    pass(FAKE_NOW + pit_periods(1) + 50);
    route(2, PIN_EDGE(0x30), 0);
    assert_int_equal(interrupt_next(&vcpu), -1);
    pass(vm.timer.entry.at);
    assert_int_equal(interrupt_next(&vcpu), 0x30);
}

/* A PIT that nobody hears needs no timer; unmasked at either controller it has one, in phase. */
static void unheard_pit(void **state)
{
    (void)state;
    route(2, PIN_EDGE(0x30), 0);
    start_pit();
    uint64_t first = vm.timer.entry.at;
    route(2, BIT(16), 0);
    assert_true(vm.timer.entry.at == UINT64_MAX);
    pass(first + pit_periods(9) + 5000);
    route(2, PIN_EDGE(0x30), 0);
    assert_int_equal(interrupt_next(&vcpu), -1); /* the edges were lost with the mask */
    assert_near(vm.timer.entry.at, first + pit_periods(10));
    route(2, BIT(16), 0);
    assert_true(vm.timer.entry.at == UINT64_MAX);
    start_pics(0xff, 0xff);
    assert_true(vm.timer.entry.at == UINT64_MAX);
    pass(first + pit_periods(19) + 5000);
    out(0x20, 0x0a);
    assert_int_equal(in(0x20), 1); /* IRR: that of the 8259 has kept one */
    out(0x21, 0xfe);
    assert_near(vm.timer.entry.at, first + pit_periods(20));
    assert_int_equal(interrupt_take(&vcpu), 0x20);
    out(0x21, 0xff);
    assert_true(vm.timer.entry.at == UINT64_MAX);
    out(0x20, 0x20);
    pass(first + pit_periods(29) + 5000);
    out(0x21, 0xfe); /* nobody has looked before: the edge is there all the same */
    assert_int_equal(interrupt_take(&vcpu), 0x20);
}

/* A PIT that is always due leaves its VM time to run, but what is programmed later than that is
 * not moved by it, however often it is asked for. */
static void pit_without_end(void **state)
{
    (void)state;
    route(2, PIN_EDGE(0x30), 0);
    out(0x43, 0x14), out(0x40, 2);
    for (unsigned i = 0; i < 50; i++) {
        pass(vm.timer.entry.at);
        assert_true(vm.timer.entry.at >= fake.now + 8000);
        assert_int_equal(interrupt_take(&vcpu), 0x30);
        apic_write(&vcpu, VLAPIC_EOI, 0);
    }
    uint64_t at = vm.timer.entry.at;
    fake.now = at - 10;
    (void)in(0x71); /* the clock's: the timer is set anew */
    assert_int_equal(vm.timer.entry.at, at);
}

/* A level comes again after the EOI for as long as nobody has dealt with its cause. */
static void uart_by_level(void **state)
{
    (void)state;
    route(4, PIN_LEVEL(0x34), 0);
    start_uart();
    assert_int_equal(interrupt_next(&vcpu), -1);
    assert_int_equal(machine_input(&vm, "xy", 2), 2);
    assert_int_equal(interrupt_next(&vcpu), 0x34);
    assert_true(vm.ioapic.entry[4] & PIN_REMOTE_IRR);
    assert_int_equal(interrupt_take(&vcpu), 0x34);
    assert_int_equal(machine_input(&vm, "z", 1), 1);
    assert_int_equal(interrupt_next(&vcpu), -1); /* it is being served */
    apic_write(&vcpu, VLAPIC_EOI, 0);
    assert_int_equal(interrupt_next(&vcpu), 0x34); /* nobody has read */
    assert_int_equal(interrupt_take(&vcpu), 0x34);
    assert_int_equal(in(0x3f8), 'x');
    assert_int_equal(in(0x3f8), 'y');
    assert_int_equal(in(0x3f8), 'z');
    apic_write(&vcpu, VLAPIC_EOI, 0);
    assert_int_equal(interrupt_next(&vcpu), -1);
    assert_false(vm.ioapic.entry[4] & PIN_REMOTE_IRR);
}

/* Unmasking a pin whose level is there already is enough. */
static void level_waits_for_unmask(void **state)
{
    (void)state;
    start_uart();
    machine_input(&vm, "x", 1);
    assert_int_equal(interrupt_next(&vcpu), -1);
    route(4, PIN_LEVEL(0x34), 0);
    assert_int_equal(interrupt_next(&vcpu), 0x34);
}

static void pins_go_where_they_say(void **state)
{
    (void)state;
    struct vcpu *second = add_running(1), *third = add_running(2);
    halt(second, true);
    route(20, PIN_EDGE(0x55), 1);
    interrupt_set_pin(&vm, 20, true);
    assert_int_equal(interrupt_next(second), 0x55);
    assert_int_equal(interrupt_next(&vcpu), -1);
    assert_int_equal(interrupt_next(third), -1);
    assert_ptr_equal(fake.woken, second);
    assert_int_equal(vcpu.requests | third->requests, 0);
    /* Nobody has this ID, and it goes nowhere; broadcast reaches all. */
    interrupt_set_pin(&vm, 20, false);
    route(20, PIN_EDGE(0x56), 77);
    interrupt_set_pin(&vm, 20, true);
    interrupt_set_pin(&vm, 20, false);
    assert_int_equal(interrupt_next(third), -1);
    route(20, PIN_EDGE(0x57), 0xff);
    interrupt_set_pin(&vm, 20, true);
    assert_int_equal(interrupt_next(&vcpu), 0x57);
    assert_int_equal(interrupt_next(third), 0x57);
    interrupt_set_pin(&vm, 24, true); /* there is no such pin */
    interrupt_set_pin(&vm, UINT32_MAX, true);
}

/* Lowest priority: one of those addressed, and equals take turns. */
static void lowest_priority(void **state)
{
    unsigned got[3] = {0};
    (void)state;
    struct vcpu *v[] = {&vcpu, add_running(1), add_running(2)};
    for (unsigned i = 0; i < 3; i++)
        apic_write(v[i], VLAPIC_LDR, 1u << (24 + i));
    route(20, PIN_EDGE(0x61) | APIC_MODE_LOWEST << 8 | 1 << 11, 7);
    for (unsigned round = 0; round < 6; round++) {
        interrupt_set_pin(&vm, 20, true);
        interrupt_set_pin(&vm, 20, false);
        for (unsigned i = 0; i < 3; i++)
            if (interrupt_next(v[i]) == 0x61) {
                got[i]++;
                interrupt_take(v[i]);
                apic_write(v[i], VLAPIC_EOI, 0);
            }
    }
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(got[i], 2);
    vlapic_set_tpr(&vcpu.apic, 0x20);
    vlapic_set_tpr(&v[2]->apic, 0x10);
    for (unsigned round = 0; round < 3; round++) {
        interrupt_set_pin(&vm, 20, true);
        interrupt_set_pin(&vm, 20, false);
        assert_int_equal(interrupt_next(v[1]), 0x61);
        assert_int_equal(interrupt_next(v[0]), -1);
        assert_int_equal(interrupt_next(v[2]), -1);
        interrupt_take(v[1]);
        apic_write(v[1], VLAPIC_EOI, 0);
    }
}

/* A vector below 16 is an error of the receiver's; its error interrupt wakes as any other does. */
static void illegal_vector(void **state)
{
    (void)state;
    apic_write(&vcpu, VLAPIC_LVT_ERROR, 0x60);
    halt(&vcpu, true);
    vcpu.requests = 0;
    route(20, PIN_EDGE(5), 0);
    interrupt_set_pin(&vm, 20, true);
    assert_int_equal(interrupt_next(&vcpu), 0x60);
    assert_true(vcpu.requests & REQUEST_EVENT);
    assert_int_equal(vcpu.state, VCPU_QUEUED);
}

/* --- 8259s ------------------------------------------------------------------------------------ */

static void extint(void **state)
{
    (void)state;
    struct vcpu *second = add_running(1);
    start_pics(0xef, 0xff); /* IRQ 4 */
    start_uart();
    assert_int_equal(interrupt_next(&vcpu), -1);
    vcpu.requests = 0;
    machine_input(&vm, "x", 1);
    assert_true(interrupt_next(&vcpu) >= 0);
    assert_int_equal(interrupt_next(second), -1); /* its LINT0 goes nowhere */
    assert_true(vcpu.requests & REQUEST_EVENT);
    assert_int_equal(interrupt_take(&vcpu), 0x24);
    assert_int_equal(interrupt_next(&vcpu), -1);
    in(0x3f8);
    out(0x20, 0x20);
    assert_int_equal(interrupt_next(&vcpu), -1);
    machine_input(&vm, "y", 1);
    assert_int_equal(interrupt_take(&vcpu), 0x24);
}

static void extint_of_the_slave(void **state)
{
    (void)state;
    start_pics(0xfb, 0xfe); /* IRQ 8 */
    vcpu.requests = 0;
    interrupt_set_irq(&vm, 8, true);
    assert_true(vcpu.requests & REQUEST_EVENT);
    assert_int_equal(interrupt_take(&vcpu), 0x28);
}

static void extint_wakes(void **state)
{
    (void)state;
    start_pics(0xfe, 0xff); /* IRQ 0: the timer */
    start_pit();
    halt(&vcpu, true);
    pass(vm.timer.entry.at);
    assert_int_equal(fake.wakes, 1);
    assert_int_equal(vcpu.state, VCPU_QUEUED);
    assert_int_equal(interrupt_take(&vcpu), 0x20);
    out(0x20, 0x20);
    pass(vcpu.event_at);
    assert_int_equal(interrupt_take(&vcpu), 0x20);
}

/* Two requests: the second comes when the first has been taken, without a new edge of INTR. */
static void extint_one_after_another(void **state)
{
    (void)state;
    start_pics(0, 0xff);
    interrupt_set_irq(&vm, 4, true);
    interrupt_set_irq(&vm, 1, true);
    assert_int_equal(interrupt_take(&vcpu), 0x21);
    assert_int_equal(interrupt_next(&vcpu), -1); /* 4 is less urgent */
    out(0x20, 0x20);
    assert_true(interrupt_next(&vcpu) >= 0);
    assert_int_equal(interrupt_take(&vcpu), 0x24);
}

/* With automatic EOI, or behind one of the local APIC's, the next is there at once. */
static void extint_waits_behind(void **state)
{
    (void)state;
    start_pics(0, 0xff);
    interrupt_set_irq(&vm, 4, true);
    interrupt_set_irq(&vm, 1, true);
    assert_int_equal(interrupt_take(&vcpu), 0x21);
    assert_false(interrupt_more(&vcpu));
    out(0x20, 0x20);
    vlapic_accept(&vcpu.apic, 0x71, false);
    assert_int_equal(interrupt_take(&vcpu), 0x71);
    assert_true(interrupt_more(&vcpu));
    assert_int_equal(interrupt_take(&vcpu), 0x24);
    assert_false(interrupt_more(&vcpu));
    interrupt_set_irq(&vm, 4, false), interrupt_set_irq(&vm, 1, false);
    out(0x20, 0x11), out(0x21, 0x20), out(0x21, 4), out(0x21, 3), out(0x21, 0);
    interrupt_set_irq(&vm, 4, true);
    interrupt_set_irq(&vm, 1, true);
    assert_int_equal(interrupt_take(&vcpu), 0x21);
    assert_true(interrupt_more(&vcpu));
    assert_int_equal(interrupt_take(&vcpu), 0x24);
    assert_false(interrupt_more(&vcpu));
}

/* What the local APIC has goes first; LINT0 masked keeps the 8259s out, without a local APIC they
 * go straight to the CPU. */
static void extint_and_the_apic(void **state)
{
    (void)state;
    start_pics(0, 0xff);
    interrupt_set_irq(&vm, 4, true);
    vlapic_accept(&vcpu.apic, 0x71, false);
    assert_int_equal(interrupt_next(&vcpu), 0x71);
    assert_int_equal(interrupt_take(&vcpu), 0x71);
    /* The APIC's priorities do not hold an ExtINT back. */
    assert_true(interrupt_next(&vcpu) >= 0);
    apic_write(&vcpu, VLAPIC_LVT_LINT0, 1 << 16 | APIC_MODE_EXTINT << 8);
    assert_int_equal(interrupt_next(&vcpu), -1);
    assert_true(vlapic_msr_write(&vcpu.apic, MSR_IA32_APIC_BASE,
                                 VLAPIC_DEFAULT_BASE | APIC_BASE_BSP, fake.now));
    interrupt_apic_effects(&vcpu);
    assert_true(interrupt_next(&vcpu) >= 0);
    assert_int_equal(interrupt_take(&vcpu), 0x24);
}

/* --- between vCPUs ---------------------------------------------------------------------------- */

static void ipi_wakes_another(void **state)
{
    (void)state;
    struct vcpu *second = add_running(1);
    halt(second, true);
    send_ipi(&vcpu, 0x40, 1);
    assert_int_equal(fake.wakes, 1);
    assert_ptr_equal(fake.woken, second);
    assert_int_equal(second->state, VCPU_QUEUED);
    assert_true(second->requests & REQUEST_EVENT);
    assert_int_equal(interrupt_next(second), 0x40);
    assert_int_equal(interrupt_next(&vcpu), -1);
    assert_int_equal(interrupt_take(second), 0x40);
    apic_write(second, VLAPIC_EOI, 0);
    assert_int_equal(interrupt_next(second), -1);
}

/* Halted with interrupts off: it waits, but the halt goes on; an NMI ends it. */
static void ipi_does_not_wake_without_if(void **state)
{
    (void)state;
    struct vcpu *second = add_running(1);
    halt(second, false);
    send_ipi(&vcpu, 0x40, 1);
    assert_int_equal(fake.wakes, 0);
    assert_int_equal(second->state, VCPU_BLOCKED);
    assert_int_equal(interrupt_next(second), 0x40);
    send_ipi(&vcpu, APIC_MODE_NMI << 8, 1);
    assert_int_equal(fake.wakes, 1);
    assert_true(second->nmi_pending);
    assert_false(vcpu.nmi_pending);
}

static void ipi_by_x2apic(void **state)
{
    struct vcpu *v[FAKE_VCPUS] = {&vcpu};
    (void)state;
    for (unsigned i = 0; i < FAKE_VCPUS; i++) {
        if (i)
            v[i] = add_running(i);
        assert_true(vlapic_msr_write(&v[i]->apic, MSR_IA32_APIC_BASE,
                                     v[i]->apic.apic_base | APIC_BASE_X2APIC, fake.now));
        interrupt_apic_effects(v[i]);
        v[i]->requests = 0;
    }
    struct vm_exit x = {.kind = EXIT_WRMSR, .length = 2};
    vcpu.gpr[GPR_RCX] = X2APIC_ICR;
    vcpu.gpr[GPR_RAX] = ICR_LOGICAL | 0x91;
    vcpu.gpr[GPR_RDX] = 0xa; /* cluster 0: 1 and 3 */
    assert_int_equal(exit_dispatch(&vcpu, &x), OUTCOME_ADVANCE);
    assert_int_equal(interrupt_next(v[1]), 0x91);
    assert_int_equal(interrupt_next(v[2]), -1);
    assert_int_equal(interrupt_next(v[3]), 0x91);
    vcpu.gpr[GPR_RAX] = ICR_OTHERS | 0xa2;
    vcpu.gpr[GPR_RDX] = 0;
    assert_int_equal(exit_dispatch(&vcpu, &x), OUTCOME_ADVANCE);
    for (unsigned i = 1; i < FAKE_VCPUS; i++)
        assert_int_equal(interrupt_next(v[i]), 0xa2);
    assert_int_equal(interrupt_next(&vcpu), -1);
    assert_int_equal(vcpu.requests, 0);
}

static enum outcome hlt(struct vcpu *v, bool interrupts)
{
    struct vm_exit x = {.kind = EXIT_HLT, .length = 1};
    v->rflags = RFLAGS_FIXED1 | (interrupts ? RFLAGS_IF : 0);
    enum outcome outcome = exit_dispatch(v, &x);
    if (outcome == OUTCOME_BLOCK)
        v->state = VCPU_BLOCKED;
    return outcome;
}

/* With IF clear only an NMI ends the halt. */
static void hlt_with_interrupts_off(void **state)
{
    (void)state;
    struct vcpu *second = add_running(1);
    assert_int_equal(hlt(&vcpu, false), OUTCOME_BLOCK);
    assert_false(vcpu.wake_on_interrupt);
    vlapic_accept(&vcpu.apic, 0x80, false);
    assert_false(interrupt_wakes(&vcpu));
    send_ipi(second, APIC_MODE_NMI << 8, 0);
    assert_true(interrupt_wakes(&vcpu));
    assert_int_equal(fake.wakes, 1);
}

/* A level nobody takes is not pending for ever: who switches its APIC on gets it, and ends it. */
static void level_without_taker(void **state)
{
    (void)state;
    struct vcpu *second = add_running(1);
    route(4, PIN_LEVEL(0x44), 9); /* no such APIC */
    start_uart();
    machine_input(&vm, "x", 1);
    assert_int_equal(vm.ioapic.entry[4] & PIN_REMOTE_IRR, 0);
    route(4, PIN_LEVEL(0x44), 1);
    assert_int_equal(interrupt_next(second), 0x44);
    assert_true(vm.ioapic.entry[4] & PIN_REMOTE_IRR);
    assert_int_equal(interrupt_take(second), 0x44);
    apic_write(second, VLAPIC_SVR, 0xff); /* software-disabled: refuses */
    vioapic_eoi(&vm.ioapic, 0x44);
    interrupt_update(&vm);
    assert_int_equal(vm.ioapic.entry[4] & PIN_REMOTE_IRR, 0);
    apic_write(second, VLAPIC_SVR, 0x1ff);
    assert_true(vm.ioapic.entry[4] & PIN_REMOTE_IRR);
    assert_int_equal(vlapic_highest_irr(&second->apic), 0x44);
    assert_int_equal(in(0x3f8), 'x'); /* the line falls */
}

/* --- INIT and start-up ------------------------------------------------------------------------ */

static bool handle(struct vcpu *v)
{
    uint32_t requests = v->requests;
    v->requests = 0;
    return vcpu_handle_signals(v, requests);
}

static void init_then_startup(void **state)
{
    (void)state;
    struct vcpu *second = add_running(1);
    second->nmi_pending = second->exception_valid = true;
    send_ipi(&vcpu, APIC_MODE_INIT << 8 | ICR_ASSERT | ICR_LEVEL, 1);
    assert_true(second->requests & REQUEST_INIT);
    assert_false(handle(second)); /* it has to leave */
    assert_true(second->waits_for_startup);
    assert_int_equal(fake.starts, 1);
    assert_ptr_equal(fake.started, second);
    assert_int_equal(fake.start.mode, START_REAL);
    assert_int_equal(fake.start.rip, 0xfff0);
    assert_int_equal(fake.start.cs_base, 0xffff0000);
    assert_false(second->nmi_pending || second->exception_valid);
    assert_false(vlapic_software_enabled(&second->apic));
    second->state = VCPU_BLOCKED;
    /* De-assert, which came after INIT once, is nothing. */
    send_ipi(&vcpu, APIC_MODE_INIT << 8 | ICR_LEVEL, 1);
    assert_int_equal(second->requests, 0);

    send_ipi(&vcpu, APIC_MODE_SIPI << 8 | 0x9a, 1);
    assert_int_equal(fake.wakes, 1);
    assert_ptr_equal(fake.woken, second);
    assert_true(handle(second));
    assert_false(second->waits_for_startup);
    assert_int_equal(fake.starts, 2);
    assert_int_equal(fake.start.rip, 0);
    assert_int_equal(fake.start.cs_base, 0x9a000);
    /* The second of the pair finds it running. */
    send_ipi(&vcpu, APIC_MODE_SIPI << 8 | 0x10, 1);
    assert_true(handle(second));
    assert_int_equal(fake.starts, 2);
    assert_int_equal(fake.wakes, 1);
}

/* Both have come before it looked: it starts, and from the reset state. */
static void init_and_startup_at_once(void **state)
{
    (void)state;
    struct vcpu *second = add_running(1);
    send_ipi(&vcpu, APIC_MODE_INIT << 8 | ICR_ASSERT, 1);
    send_ipi(&vcpu, APIC_MODE_SIPI << 8 | 0x12, 1);
    assert_true(handle(second));
    assert_int_equal(fake.start.cs_base, 0x12000);
    assert_false(vlapic_software_enabled(&second->apic));
    /* And the other way round it waits again. */
    send_ipi(&vcpu, APIC_MODE_INIT << 8 | ICR_ASSERT, 1);
    send_ipi(&vcpu, APIC_MODE_SIPI << 8 | 0x12, 1);
    send_ipi(&vcpu, APIC_MODE_INIT << 8 | ICR_ASSERT, 1);
    assert_false(handle(second));
}

/* INIT reaches one that is halted, so that it notices; a lone SIPI is ignored by one that runs. */
static void init_of_a_halted_one(void **state)
{
    (void)state;
    struct vcpu *second = add_running(1);
    send_ipi(&vcpu, APIC_MODE_SIPI << 8 | 0x12, 1);
    assert_true(handle(second));
    assert_int_equal(fake.starts, 0);
    halt(second, false);
    send_ipi(&vcpu, APIC_MODE_INIT << 8 | ICR_ASSERT, 1);
    assert_int_equal(fake.wakes, 1);
    assert_false(handle(second));
    assert_int_equal(vcpu.requests & (REQUEST_INIT | REQUEST_STARTUP), 0);
}

/* --- time ------------------------------------------------------------------------------------- */

/* event_at is that of its own timer; the devices have the VM's. */
static void earliest_timer(void **state)
{
    (void)state;
    struct vcpu *second = add_running(1);
    route(2, PIN_EDGE(0x30), 0);
    start_pit();
    uint64_t pit = vm.timer.entry.at;
    assert_true(pit < UINT64_MAX);
    assert_true(vcpu.event_at == UINT64_MAX);
    interrupt_rearm(second);
    assert_true(second->event_at == UINT64_MAX);
    struct vcpu *both[] = {&vcpu, second};
    for (unsigned i = 0; i < 2; i++) {
        apic_write(both[i], VLAPIC_DIVIDE, 0xb);
        apic_write(both[i], VLAPIC_LVT_TIMER, 0x80);
        apic_write(both[i], VLAPIC_INITIAL_COUNT, 5000);
        assert_int_equal(both[i]->event_at, FAKE_NOW + 5000);
        assert_int_equal(both[i]->look_at, 0);
    }
    apic_write(&vcpu, VLAPIC_INITIAL_COUNT, 50000000);
    assert_int_equal(vcpu.event_at, FAKE_NOW + 50000000);
    apic_write(&vcpu, VLAPIC_INITIAL_COUNT, 0);
    assert_true(vcpu.event_at == UINT64_MAX);
    assert_int_equal(vm.timer.entry.at, pit);
    /* The timer wakes its own vCPU. */
    halt(second, true);
    fake.now = FAKE_NOW + 5000;
    interrupt_time(second, fake.now);
    assert_true(interrupt_wakes(second));
    assert_int_equal(interrupt_next(second), 0x80);
    assert_true(second->event_at == UINT64_MAX);
}

/* A timer that is always due does not hold the CPU: the next look is in the future. */
static void never_due_now(void **state)
{
    (void)state;
    apic_write(&vcpu, VLAPIC_DIVIDE, 0xb);
    apic_write(&vcpu, VLAPIC_LVT_TIMER, 1 << 17 | 0x80);
    apic_write(&vcpu, VLAPIC_INITIAL_COUNT, 1);
    for (unsigned i = 0; i < 100; i++) {
        pass(fake.now + 1000);
        assert_true(vcpu.event_at > fake.now);
    }
    assert_int_equal(interrupt_next(&vcpu), 0x80);
}

/* The CPU has ended a level-triggered interrupt by itself; its line is still up: it comes again. */
static void eoi_by_hardware(void **state)
{
    (void)state;
    apic_write(&vcpu, VLAPIC_SVR, 0x1ff);
    route(10, PIN_LEVEL(0x51), 0);
    interrupt_set_irq(&vm, 10, true);
    assert_int_equal(interrupt_take(&vcpu), 0x51);
    assert_int_equal(interrupt_next(&vcpu), -1);
    /* What the hardware does to ISR before the exit. */
    vcpu.apic.page[VLAPIC_ISR + 0x51 / 32 * 16 + 0x51 % 32 / 8] = 0;
    assert_int_equal(fake_exit((struct vm_exit){.eoi_vector = 0x51}, EXIT_EOI, 0), OUTCOME_RETRY);
    assert_int_equal(interrupt_next(&vcpu), 0x51);
    assert_true(vcpu.requests & REQUEST_EVENT);
}

/* The CPU has put a value into a register of the xAPIC's page: what it means follows. */
static void register_written_by_hardware(void **state)
{
    const uint32_t enabled = 0x1ff, count = 100, self = 0x40077;
    (void)state;
    memcpy(vcpu.apic.page + VLAPIC_SVR, &enabled, 4);
    assert_int_equal(fake_exit((struct vm_exit){.apic_register = VLAPIC_SVR}, EXIT_APIC_WRITE, 0),
                     OUTCOME_RETRY);
    assert_true(vlapic_software_enabled(&vcpu.apic));
    memcpy(vcpu.apic.page + VLAPIC_ICR, &self, 4);
    vcpu.requests = 0;
    fake_exit((struct vm_exit){.apic_register = VLAPIC_ICR}, EXIT_APIC_WRITE, 0);
    assert_int_equal(interrupt_next(&vcpu), 0x77);
    assert_true(vcpu.requests & REQUEST_EVENT);
    apic_write(&vcpu, VLAPIC_LVT_TIMER, 0x80);
    memcpy(vcpu.apic.page + VLAPIC_INITIAL_COUNT, &count, 4);
    fake_exit((struct vm_exit){.apic_register = VLAPIC_INITIAL_COUNT}, EXIT_APIC_WRITE, 0);
    assert_true(vcpu.event_at > fake.now && vcpu.event_at < UINT64_MAX);
    /* Not a register, or one that is not written: nothing. */
    fake_exit((struct vm_exit){.apic_register = 0xff0}, EXIT_APIC_WRITE, 0);
    fake_exit((struct vm_exit){.apic_register = VLAPIC_VERSION + 4}, EXIT_APIC_WRITE, 0);
    assert_int_equal(interrupt_next(&vcpu), 0x77);
}

/* A self-IPI by the x2APIC's ICR goes in at once, but waits in IRR when anything is in its way. */
static void self_ipi_goes_in_at_once(void **state)
{
    (void)state;
    assert_true(vlapic_msr_write(&vcpu.apic, MSR_IA32_APIC_BASE,
                                 vcpu.apic.apic_base | APIC_BASE_X2APIC, fake.now));
    interrupt_apic_effects(&vcpu);
    vcpu.requests = 0;
    vcpu.rflags = RFLAGS_FIXED1 | RFLAGS_IF;
    assert_false(interrupt_self_ipi(&vcpu, 0x80077)); /* it is for all */
    assert_true(interrupt_self_ipi(&vcpu, 0x40077));
    assert_int_equal(fake.injected, 0x77);
    assert_int_equal(vlapic_highest_isr(&vcpu.apic), 0x77);
    assert_int_equal(vcpu.requests, 0);
    fake.injected = 0;
    for (unsigned i = 0; i < 5; i++) {
        vlapic_init_reset(&vcpu.apic);
        vlapic_set_virtual_wire(&vcpu.apic);
        vcpu.rflags = RFLAGS_FIXED1 | (i == 0 ? 0 : RFLAGS_IF);
        vcpu.exit.slow_step = i == 1;
        vcpu.reinject_valid = i == 2;
        vcpu.nmi_pending = i == 3;
        vm.pic_intr = i == 4;
        vcpu.requests = 0;
        assert_true(interrupt_self_ipi(&vcpu, 0x40077));
        assert_int_equal(fake.injected, 0);
        assert_int_equal(vlapic_highest_irr(&vcpu.apic), 0x77);
        assert_int_equal(vcpu.requests, REQUEST_EVENT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(pit_by_edge, setup),
        cmocka_unit_test_setup(pit_edge_seen_by_a_read, setup),
        cmocka_unit_test_setup(masked_edge, setup),
        cmocka_unit_test_setup(unheard_pit, setup),
        cmocka_unit_test_setup(pit_without_end, setup),
        cmocka_unit_test_setup(uart_by_level, setup),
        cmocka_unit_test_setup(level_waits_for_unmask, setup),
        cmocka_unit_test_setup(pins_go_where_they_say, setup),
        cmocka_unit_test_setup(lowest_priority, setup),
        cmocka_unit_test_setup(illegal_vector, setup),
        cmocka_unit_test_setup(extint, setup),
        cmocka_unit_test_setup(extint_of_the_slave, setup),
        cmocka_unit_test_setup(extint_wakes, setup),
        cmocka_unit_test_setup(extint_one_after_another, setup),
        cmocka_unit_test_setup(extint_and_the_apic, setup),
        cmocka_unit_test_setup(extint_waits_behind, setup),
        cmocka_unit_test_setup(ipi_wakes_another, setup),
        cmocka_unit_test_setup(ipi_does_not_wake_without_if, setup),
        cmocka_unit_test_setup(ipi_by_x2apic, setup),
        cmocka_unit_test_setup(self_ipi_goes_in_at_once, setup),
        cmocka_unit_test_setup(hlt_with_interrupts_off, setup),
        cmocka_unit_test_setup(level_without_taker, setup),
        cmocka_unit_test_setup(init_then_startup, setup),
        cmocka_unit_test_setup(init_and_startup_at_once, setup),
        cmocka_unit_test_setup(init_of_a_halted_one, setup),
        cmocka_unit_test_setup(earliest_timer, setup),
        cmocka_unit_test_setup(never_due_now, setup),
        cmocka_unit_test_setup(eoi_by_hardware, setup),
        cmocka_unit_test_setup(register_written_by_hardware, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
