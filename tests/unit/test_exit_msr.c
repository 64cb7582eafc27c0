/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exits for the MSRs that have a device or a clock behind them: the local APIC's in both modes, the
 * TSC and its adjustment, MTRRs, and the paravirtual clock. Models and policy are the real ones.
 */
#include "tests/unit/fake_core.h"

#define X2(reg)  (MSR_IA32_X2APIC_BASE + (reg) / 16)
#define ENABLED  (VLAPIC_DEFAULT_BASE | APIC_BASE_ENABLE)
#define CLOCK_AT UINT64_C(0x2000)

static enum outcome rdmsr(struct vcpu *v, uint32_t msr)
{
    v->rip = 0x1000;
    v->gpr[GPR_RCX] = msr;
    v->gpr[GPR_RAX] = v->gpr[GPR_RDX] = UINT64_MAX;
    struct vm_exit x = {.kind = EXIT_RDMSR, .length = 2};
    return exit_dispatch(v, &x);
}

static enum outcome wrmsr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    v->rip = 0x1000;
    v->gpr[GPR_RCX] = msr;
    v->gpr[GPR_RAX] = (uint32_t)value;
    v->gpr[GPR_RDX] = value >> 32;
    struct vm_exit x = {.kind = EXIT_WRMSR, .length = 2};
    return exit_dispatch(v, &x);
}

static uint64_t get(struct vcpu *v, uint32_t msr)
{
    assert_int_equal(rdmsr(v, msr), OUTCOME_ADVANCE);
    return v->gpr[GPR_RDX] << 32 | v->gpr[GPR_RAX];
}

static void set(struct vcpu *v, uint32_t msr, uint64_t value)
{
    assert_int_equal(wrmsr(v, msr, value), OUTCOME_ADVANCE);
}

#define REFUSED(msr, value) fake_assert_fault(wrmsr(&vcpu, (msr), (value)), VECTOR_GP, 0)

/* --- local APIC ------------------------------------------------------------------------------- */

static void apic_base(void **state)
{
    (void)state;
    struct vcpu *second = fake_add_vcpu(&sibling[0]);
    assert_int_equal(get(&vcpu, MSR_IA32_APIC_BASE), ENABLED | APIC_BASE_BSP);
    assert_int_equal(get(second, MSR_IA32_APIC_BASE), ENABLED);
    /* Its region can be moved, within the 40 bits of this CPU; BSP is not the guest's to write. */
    set(&vcpu, MSR_IA32_APIC_BASE, UINT64_C(0xff12345000) | APIC_BASE_ENABLE | APIC_BASE_BSP);
    assert_int_equal(get(&vcpu, MSR_IA32_APIC_BASE),
                     UINT64_C(0xff12345000) | APIC_BASE_ENABLE | APIC_BASE_BSP);
    REFUSED(MSR_IA32_APIC_BASE, BIT(40) | ENABLED | APIC_BASE_BSP);
    REFUSED(MSR_IA32_APIC_BASE, ENABLED | APIC_BASE_BSP | 1);
    /* x2APIC without the APIC is no mode. */
    REFUSED(MSR_IA32_APIC_BASE, VLAPIC_DEFAULT_BASE | APIC_BASE_X2APIC | APIC_BASE_BSP);
    assert_int_equal(get(second, MSR_IA32_APIC_BASE), ENABLED); /* the other's is its own */
}

/* MSRs 800H-8FFH are there in x2APIC mode only, and the memory region out of it. */
static void apic_modes(void **state)
{
    uint64_t base;
    (void)state;
    for (uint32_t msr = 0x800; msr <= 0x8ff; msr++)
        fake_assert_fault(rdmsr(&vcpu, msr), VECTOR_GP, 0);
    REFUSED(X2(VLAPIC_TPR), 0x20);
    assert_true(vlapic_mmio_base(&vcpu.apic, &base));
    set(&vcpu, MSR_IA32_APIC_BASE, ENABLED | APIC_BASE_BSP | APIC_BASE_X2APIC);
    assert_false(vlapic_mmio_base(&vcpu.apic, &base));
    set(&vcpu, X2(VLAPIC_TPR), 0x20);
    assert_int_equal(get(&vcpu, X2(VLAPIC_TPR)), 0x20);
    assert_int_equal(vlapic_cr8(&vcpu.apic), 2);
    assert_int_equal(get(&vcpu, X2(VLAPIC_VERSION)) & 0xf0, 0x10);
    REFUSED(X2(VLAPIC_TPR), BIT(32));
    REFUSED(X2(VLAPIC_ID), 0);
    REFUSED(X2(VLAPIC_EOI), 1);
    fake_assert_fault(rdmsr(&vcpu, X2(VLAPIC_EOI)), VECTOR_GP, 0);
    fake_assert_fault(rdmsr(&vcpu, 0x8ff), VECTOR_GP, 0);
    /* There is no way straight back. */
    REFUSED(MSR_IA32_APIC_BASE, ENABLED | APIC_BASE_BSP);
    set(&vcpu, MSR_IA32_APIC_BASE, VLAPIC_DEFAULT_BASE | APIC_BASE_BSP);
    set(&vcpu, MSR_IA32_APIC_BASE, ENABLED | APIC_BASE_BSP);
    assert_int_equal(vm.unlisted_msrs, 0);
}

static void x2apic_ids_differ(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FAKE_VCPUS; i++) {
        struct vcpu *v = i ? fake_add_vcpu(&sibling[i - 1]) : &vcpu;
        set(v, MSR_IA32_APIC_BASE, get(v, MSR_IA32_APIC_BASE) | APIC_BASE_X2APIC);
        assert_int_equal(get(v, X2(VLAPIC_ID)), i);
        assert_int_equal(get(v, X2(VLAPIC_LDR)), 1u << i);
    }
}

/* The timer in TSC-deadline mode: event_at is when, in host TSC; then the vector waits. */
static void tsc_deadline(void **state)
{
    (void)state;
    vm.tsc_offset = vcpu.tsc_offset = UINT64_C(500000);
    set(&vcpu, MSR_IA32_APIC_BASE, ENABLED | APIC_BASE_BSP | APIC_BASE_X2APIC);
    set(&vcpu, X2(VLAPIC_SVR), 0x1ff);
    set(&vcpu, X2(VLAPIC_LVT_TIMER), 2 << 17 | 0xec);
    /* The backend's timer is armed for something earlier, which is not looked at again for it, and
     * for something later. */
    vcpu.armed_for = FAKE_NOW + 7000;
    vcpu.look_at = FAKE_NOW + 5000;
    set(&vcpu, MSR_IA32_TSC_DEADLINE, FAKE_NOW + 500000 + 7000);
    assert_int_equal(vcpu.look_at, FAKE_NOW + 5000);
    vcpu.armed_for = FAKE_NOW + 7001;
    set(&vcpu, MSR_IA32_TSC_DEADLINE, FAKE_NOW + 500000 + 7000);
    assert_int_equal(get(&vcpu, MSR_IA32_TSC_DEADLINE), FAKE_NOW + 507000);
    assert_int_equal(vcpu.event_at, FAKE_NOW + 7000);
    assert_int_equal(vcpu.look_at, 0);

    fake.now = FAKE_NOW + 6999;
    interrupt_time(&vcpu, fake.now);
    assert_int_equal(interrupt_next(&vcpu), -1);
    assert_int_equal(vcpu.event_at, FAKE_NOW + 7000);
    vcpu.requests = 0;
    fake.now = FAKE_NOW + 7000;
    interrupt_time(&vcpu, fake.now);
    assert_int_equal(interrupt_next(&vcpu), 0xec);
    assert_true(vcpu.requests & REQUEST_EVENT);
    assert_int_equal(get(&vcpu, MSR_IA32_TSC_DEADLINE), 0); /* disarmed */
    assert_true(vcpu.event_at == UINT64_MAX);
    /* One in the past is due at once. */
    assert_int_equal(interrupt_take(&vcpu), 0xec);
    set(&vcpu, X2(VLAPIC_EOI), 0);
    set(&vcpu, MSR_IA32_TSC_DEADLINE, 1);
    assert_int_equal(interrupt_next(&vcpu), 0xec);
}

/* --- time-stamp counter ----------------------------------------------------------------------- */

static void tsc_write(void **state)
{
    (void)state;
    set(&vcpu, MSR_IA32_TSC, UINT64_C(0x1122334455667788));
    assert_int_equal(vm.tsc_offset, UINT64_C(0x1122334455667788) - FAKE_NOW);
    assert_int_equal(fake.tsc_offset_loads, 1);
    assert_int_equal(get(&vcpu, MSR_IA32_TSC_ADJUST), vm.tsc_offset);
    set(&vcpu, MSR_IA32_TSC, 0); /* a negative offset */
    assert_true(vm.tsc_offset == 0 - FAKE_NOW);
    assert_true(get(&vcpu, MSR_IA32_TSC_ADJUST) == 0 - FAKE_NOW);
}

static void tsc_adjust(void **state)
{
    (void)state;
    vm.tsc_offset = vcpu.tsc_offset = 77;
    vm.start_tsc = 0 - UINT64_C(77);
    assert_int_equal(get(&vcpu, MSR_IA32_TSC_ADJUST), 0);
    set(&vcpu, MSR_IA32_TSC_ADJUST, 1000);
    assert_int_equal(vm.tsc_offset, 1077);
    assert_int_equal(get(&vcpu, MSR_IA32_TSC_ADJUST), 1000);
    set(&vcpu, MSR_IA32_TSC_ADJUST, 400); /* back by 600 */
    assert_int_equal(vm.tsc_offset, 477);
    set(&vcpu, MSR_IA32_TSC_ADJUST, 0 - UINT64_C(100));
    assert_true(vm.tsc_offset == 0 - UINT64_C(23));
    set(&vcpu, MSR_IA32_TSC_ADJUST, 0);
    assert_int_equal(vm.tsc_offset, 77);
}

/* The counters of a VM's vCPUs are one: so are their adjustments, and an operating system that
 * writes the same value on each moves it once. */
static void tsc_adjust_is_one(void **state)
{
    (void)state;
    struct vcpu *second = fake_add_vcpu(&sibling[0]);
    set(&vcpu, MSR_IA32_TSC_ADJUST, 1000);
    set(second, MSR_IA32_TSC_ADJUST, 1000);
    assert_int_equal(vm.tsc_offset, 1000);
    set(second, MSR_IA32_TSC, 0);
    assert_true(get(&vcpu, MSR_IA32_TSC_ADJUST) == 0 - FAKE_NOW);
    assert_true(get(second, MSR_IA32_TSC_ADJUST) == 0 - FAKE_NOW);
}

/* A running counter keeps its distance when the TSC jumps, a deadline its TSC value. */
static void tsc_moves_under_timers(void **state)
{
    (void)state;
    struct vcpu *second = fake_add_vcpu(&sibling[0]);
    struct vcpu *both[] = {&vcpu, second};
    for (unsigned i = 0; i < 2; i++) {
        set(both[i], MSR_IA32_APIC_BASE,
            get(both[i], MSR_IA32_APIC_BASE) | APIC_BASE_X2APIC);
        set(both[i], X2(VLAPIC_SVR), 0x1ff);
    }
    set(&vcpu, X2(VLAPIC_LVT_TIMER), 0xec);
    set(&vcpu, X2(VLAPIC_DIVIDE), 0xb);
    set(&vcpu, X2(VLAPIC_INITIAL_COUNT), 5000);
    set(second, X2(VLAPIC_LVT_TIMER), 2 << 17 | 0xec);
    set(second, MSR_IA32_TSC_DEADLINE, FAKE_NOW + 9000);
    assert_int_equal(vcpu.event_at, FAKE_NOW + 5000);
    assert_int_equal(second->event_at, FAKE_NOW + 9000);
    set(&vcpu, MSR_IA32_TSC, FAKE_NOW + 3000);
    assert_int_equal(vcpu.event_at, FAKE_NOW + 5000);
    assert_int_equal(second->event_at, FAKE_NOW + 6000);
}

/* --- memory types ----------------------------------------------------------------------------- */

static void mtrr_reset(void **state)
{
    (void)state;
    assert_int_equal(get(&vcpu, MSR_IA32_MTRRCAP), 0x508);
    REFUSED(MSR_IA32_MTRRCAP, 0x508);
    assert_int_equal(get(&vcpu, MSR_IA32_MTRR_DEF_TYPE), 0xc06);
    for (uint32_t i = 0; i < 16; i++)
        assert_int_equal(get(&vcpu, MSR_IA32_MTRR_PHYSBASE0 + i), 0);
    assert_int_equal(get(&vcpu, MSR_IA32_MTRR_FIX64K_00000), UINT64_C(0x0606060606060606));
    assert_int_equal(get(&vcpu, MSR_IA32_MTRR_FIX4K_C0000 + 7), UINT64_C(0x0606060606060606));
}

static void mtrr_values_are_kept_apart(void **state)
{
    static const uint32_t fixed[] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
                                     0x26b, 0x26c, 0x26d, 0x26e, 0x26f};
    (void)state;
    struct vcpu *second = fake_add_vcpu(&sibling[0]);
    for (uint32_t i = 0; i < 16; i++)
        set(&vcpu, MSR_IA32_MTRR_PHYSBASE0 + i, (uint64_t)(i + 1) << 20);
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        set(&vcpu, fixed[i], i & 1 ? BIT(8 * (i % 8)) : UINT64_C(4) << 8 * (i % 8));
    set(&vcpu, MSR_IA32_MTRR_DEF_TYPE, 0x800);
    /* They are the VM's. */
    for (uint32_t i = 0; i < 16; i++)
        assert_int_equal(get(second, MSR_IA32_MTRR_PHYSBASE0 + i), (uint64_t)(i + 1) << 20);
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
        assert_int_equal(get(second, fixed[i]),
                         i & 1 ? BIT(8 * (i % 8)) : UINT64_C(4) << 8 * (i % 8));
    assert_int_equal(get(second, MSR_IA32_MTRR_DEF_TYPE), 0x800);
}

static void mtrr_checks(void **state)
{
    const uint64_t top = UINT64_C(0xfffffff000); /* of 40 bits */
    (void)state;
    for (uint64_t type = 0; type < 256; type++) {
        bool good = type == 0 || type == 1 || (type >= 4 && type <= 6);
        uint64_t each[] = {type, 0xc00 | type, type << 56};
        const uint32_t msr[] = {MSR_IA32_MTRR_PHYSBASE0, MSR_IA32_MTRR_DEF_TYPE,
                                MSR_IA32_MTRR_FIX16K_80000};
        for (size_t i = 0; i < ARRAY_LEN(msr); i++) {
            uint64_t before = get(&vcpu, msr[i]);
            if (good)
                set(&vcpu, msr[i], each[i]);
            else
                REFUSED(msr[i], each[i]);
            assert_int_equal(get(&vcpu, msr[i]), good ? each[i] : before);
        }
    }
    set(&vcpu, MSR_IA32_MTRR_PHYSBASE0, top | 6);
    set(&vcpu, MSR_IA32_MTRR_PHYSMASK7, top | BIT(11));
    for (unsigned bit = 0; bit < 64; bit++) {
        bool address = bit >= 12 && bit < 40;
        if (bit > 7 && !address)
            REFUSED(MSR_IA32_MTRR_PHYSBASE0, BIT(bit) | 6);
        if (bit != 11 && !address)
            REFUSED(MSR_IA32_MTRR_PHYSMASK7, BIT(bit));
        if (bit > 7 && bit != 10 && bit != 11)
            REFUSED(MSR_IA32_MTRR_DEF_TYPE, BIT(bit) | 6);
    }
    assert_int_equal(get(&vcpu, MSR_IA32_MTRR_PHYSBASE0), top | 6);
    assert_int_equal(get(&vcpu, MSR_IA32_MTRR_PHYSMASK7), top | BIT(11));
    /* Numbers between the rows are nobody's. */
    assert_int_equal(vm.unlisted_msrs, 0);
    fake_assert_fault(rdmsr(&vcpu, 0x251), VECTOR_GP, 0);
    fake_assert_fault(rdmsr(&vcpu, 0x210), VECTOR_GP, 0);
    assert_int_equal(vm.unlisted_msrs, 2);
}

/* --- paravirtual clock ------------------------------------------------------------------------ */

static struct pvclock_system clock_of(uint64_t at)
{
    struct pvclock_system s;
    memcpy(&s, ram + at, sizeof(s));
    return s;
}

static void pvclock_system(void **state)
{
    (void)state;
    vm.start_tsc = 200000;
    vm.tsc_offset = vcpu.tsc_offset = 0 - vm.start_tsc;
    set(&vcpu, PVCLOCK_MSR_SYSTEM, CLOCK_AT | PVCLOCK_ENABLE);
    assert_int_equal(get(&vcpu, PVCLOCK_MSR_SYSTEM), CLOCK_AT | PVCLOCK_ENABLE);
    struct pvclock_system s = clock_of(CLOCK_AT);
    assert_int_equal(s.version & 1, 0);
    assert_true(s.version > 0);
    assert_int_equal(s.flags, 1);
    assert_int_equal(s.tsc, 800000);
    assert_int_equal(s.ns, 400000);
    assert_int_equal(pvclock_read(&s, 1800000), 900000);
    /* Nothing beside it is touched. */
    for (uint64_t i = 0; i < 64; i++) {
        assert_int_equal(ram[CLOCK_AT - 1 - i], 0);
        assert_int_equal(ram[CLOCK_AT + sizeof(s) + i], 0);
    }
    /* Another vCPU's runs with it, from a moment of its own. */
    struct vcpu *second = fake_add_vcpu(&sibling[0]);
    fake.now += 1000;
    set(second, PVCLOCK_MSR_SYSTEM, (CLOCK_AT + 64) | PVCLOCK_ENABLE);
    struct pvclock_system other = clock_of(CLOCK_AT + 64);
    assert_int_equal(other.tsc, 801000);
    assert_int_equal(pvclock_read(&other, 1800000), 900000);
    assert_int_equal(get(&vcpu, PVCLOCK_MSR_SYSTEM), CLOCK_AT | PVCLOCK_ENABLE);
    /* Each writing has a version of its own. */
    set(&vcpu, PVCLOCK_MSR_SYSTEM, CLOCK_AT | PVCLOCK_ENABLE);
    assert_int_equal(clock_of(CLOCK_AT).version, s.version + 2);
}

static unsigned odd_clocks;

static void note_versions(void)
{
    odd_clocks += clock_of(CLOCK_AT).version & 1;
    odd_clocks += clock_of(CLOCK_AT + 64).version & 1;
    if (vm.tsc_moves > 1)
        return;
    /* Another one moves it in the meantime, and a clock is set: still nobody is to read. */
    guest_time_hold(&vm);
    guest_time_release(&vm);
    set(&sibling[0], PVCLOCK_MSR_SYSTEM, (CLOCK_AT + 64) | PVCLOCK_ENABLE);
    odd_clocks += clock_of(CLOCK_AT).version & 1;
    odd_clocks += clock_of(CLOCK_AT + 64).version & 1;
}

/* Until every vCPU has the new offset both clocks' versions are odd; then the time has not jumped,
 * and the next version is even and another one. */
static void pvclock_moves_with_tsc(void **state)
{
    (void)state;
    struct vcpu *second = fake_add_vcpu(&sibling[0]);
    set(&vcpu, PVCLOCK_MSR_SYSTEM, CLOCK_AT | PVCLOCK_ENABLE);
    set(second, PVCLOCK_MSR_SYSTEM, (CLOCK_AT + 64) | PVCLOCK_ENABLE);
    struct pvclock_system before = clock_of(CLOCK_AT);
    odd_clocks = 0;
    fake.during_await = note_versions;
    set(&vcpu, MSR_IA32_TSC, FAKE_NOW + 3000);
    assert_int_equal(odd_clocks, 4);
    struct pvclock_system after = clock_of(CLOCK_AT), other = clock_of(CLOCK_AT + 64);
    assert_int_equal(after.version & 1, 0);
    assert_int_equal(other.version & 1, 0);
    assert_true(after.version > before.version);
    assert_int_equal(after.tsc, FAKE_NOW + 3000);
    assert_int_equal(pvclock_read(&after, FAKE_NOW + 3000), pvclock_read(&before, FAKE_NOW));
    assert_int_equal(pvclock_read(&other, FAKE_NOW + 3000), pvclock_read(&before, FAKE_NOW));
    assert_int_equal(second->tsc_offset, vm.tsc_offset);
}

static void pvclock_off(void **state)
{
    (void)state;
    memset(ram + CLOCK_AT, 0x5a, 64);
    set(&vcpu, PVCLOCK_MSR_SYSTEM, CLOCK_AT);
    set(&vcpu, PVCLOCK_MSR_SYSTEM, 0);
    set(&vcpu, PVCLOCK_MSR_SYSTEM, BIT(50)); /* off: no address, so not a bad one */
    for (unsigned i = 0; i < 64; i++)
        assert_int_equal(ram[CLOCK_AT + i], 0x5a);
}

static void pvclock_wall(void **state)
{
    struct pvclock_wall wall;
    (void)state;
    set(&vcpu, PVCLOCK_MSR_WALL, CLOCK_AT);
    memcpy(&wall, ram + CLOCK_AT, sizeof(wall));
    assert_int_equal(wall.version & 1, 0);
    assert_int_equal(wall.seconds, FAKE_WALL);
    assert_true(wall.nanoseconds < 1000000000);
    assert_int_equal(ram[CLOCK_AT + sizeof(wall)], 0);
    assert_int_equal(get(&vcpu, PVCLOCK_MSR_WALL), CLOCK_AT);
}

/* Addresses that are not RAM, or only half: #GP, and not a byte is written. */
static void pvclock_bad_addresses(void **state)
{
    static const uint64_t bad[] = {FAKE_RAM, FAKE_RAM - 8, UINT64_C(0xfee00000), BIT(40),
                                   UINT64_MAX - 15, UINT64_MAX - 1};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        REFUSED(PVCLOCK_MSR_SYSTEM, bad[i] | PVCLOCK_ENABLE);
        REFUSED(PVCLOCK_MSR_WALL, bad[i]);
        assert_int_equal(get(&vcpu, PVCLOCK_MSR_SYSTEM), 0); /* what faults changes nothing */
        assert_int_equal(get(&vcpu, PVCLOCK_MSR_WALL), 0);
    }
    for (unsigned i = 0; i < FAKE_RAM; i++)
        assert_int_equal(ram[i], 0);
}

static void pvclock_alignment(void **state)
{
    (void)state;
    REFUSED(PVCLOCK_MSR_SYSTEM, CLOCK_AT | 2 | PVCLOCK_ENABLE);
    REFUSED(PVCLOCK_MSR_SYSTEM, CLOCK_AT | 2);
    REFUSED(PVCLOCK_MSR_WALL, CLOCK_AT | 1);
    REFUSED(PVCLOCK_MSR_WALL, CLOCK_AT | 2);
    assert_int_equal(get(&vcpu, PVCLOCK_MSR_SYSTEM), 0);
    assert_int_equal(get(&vcpu, PVCLOCK_MSR_WALL), 0);
    assert_int_equal(clock_of(CLOCK_AT).mul, 0); /* nothing was written */
    set(&vcpu, PVCLOCK_MSR_SYSTEM, (CLOCK_AT + 4) | PVCLOCK_ENABLE);
    set(&vcpu, PVCLOCK_MSR_WALL, CLOCK_AT + 64 + 4);
    assert_true(clock_of(CLOCK_AT + 4).mul);
}

/* The last place that fits. */
static void pvclock_at_the_end(void **state)
{
    (void)state;
    uint64_t at = FAKE_RAM - sizeof(struct pvclock_system);
    set(&vcpu, PVCLOCK_MSR_SYSTEM, at | PVCLOCK_ENABLE);
    assert_int_equal(clock_of(at).flags, 1);
}

/* Clocks in use are written anew when the TSC under them jumps. */
static void pvclock_follows_the_tsc(void **state)
{
    (void)state;
    set(&vcpu, PVCLOCK_MSR_SYSTEM, CLOCK_AT | PVCLOCK_ENABLE);
    uint32_t version = clock_of(CLOCK_AT).version;
    set(&vcpu, MSR_IA32_TSC, UINT64_C(1) << 50);
    struct pvclock_system s = clock_of(CLOCK_AT);
    assert_int_equal(s.version, version + 2);
    assert_int_equal(pvclock_read(&s, (UINT64_C(1) << 50) + 2000), FAKE_NOW / 2 + 1000);
}

/* --- speculation ------------------------------------------------------------------------------ */

static void speculation(void **state)
{
    (void)state;
    const uint32_t msrs[] = {MSR_IA32_SPEC_CTRL, MSR_IA32_PRED_CMD, MSR_IA32_FLUSH_CMD,
                             MSR_IA32_ARCH_CAPABILITIES};
    /* A CPU without them. */
    fake_backend.msrs = (struct msr_features){.rdtscp = true};
    for (size_t i = 0; i < ARRAY_LEN(msrs); i++) {
        fake_assert_fault(rdmsr(&vcpu, msrs[i]), VECTOR_GP, 0);
        REFUSED(msrs[i], 1);
    }
    fake_backend.msrs.spec_ctrl = fake_backend.msrs.arch_capabilities = true;
    fake_backend.arch_capabilities = ARCH_CAP_RDCL_NO | BIT(7) | BIT(25);
    set(&vcpu, MSR_IA32_SPEC_CTRL, 3);
    assert_int_equal(get(&vcpu, MSR_IA32_SPEC_CTRL), 3);
    REFUSED(MSR_IA32_SPEC_CTRL, BIT(40));
    assert_int_equal(get(&vcpu, MSR_IA32_SPEC_CTRL), 3);
    assert_int_equal(get(&vcpu, MSR_IA32_ARCH_CAPABILITIES), ARCH_CAP_RDCL_NO);
    REFUSED(MSR_IA32_ARCH_CAPABILITIES, ARCH_CAP_RDCL_NO);
    fake_assert_fault(rdmsr(&vcpu, MSR_IA32_PRED_CMD), VECTOR_GP, 0);
}

/* --- steal time ------------------------------------------------------------------------------- */

static struct pvclock_steal steal_of(uint64_t at)
{
    struct pvclock_steal s;
    memcpy(&s, ram + at, sizeof(s));
    return s;
}

static void steal_counts_from_enabling(void **state)
{
    (void)state;
    _Static_assert(offsetof(struct pvclock_steal, preempted) == 16, "as Linux has it");
    vcpu.waited = 5000;
    set(&vcpu, PVCLOCK_MSR_STEAL, CLOCK_AT | PVCLOCK_ENABLE);
    assert_int_equal(get(&vcpu, PVCLOCK_MSR_STEAL), CLOCK_AT | PVCLOCK_ENABLE);
    assert_int_equal(steal_of(CLOCK_AT).steal, 0);
    /* Two ticks are a nanosecond here. */
    vcpu.runnable_since = FAKE_NOW;
    guest_time_enter(&vcpu, FAKE_NOW + 7000);
    struct pvclock_steal s = steal_of(CLOCK_AT);
    assert_int_equal(s.steal, 3500);
    assert_int_equal(s.version & 1, 0);
    assert_int_equal(s.flags, 0);
    assert_int_equal(s.preempted, 0);
    guest_time_preempted(&vcpu);
    assert_int_equal(steal_of(CLOCK_AT).preempted, 1);
    assert_int_equal(steal_of(CLOCK_AT).steal, 3500);
    vcpu.runnable_since = FAKE_NOW + 10000;
    guest_time_enter(&vcpu, FAKE_NOW + 10500);
    assert_int_equal(steal_of(CLOCK_AT).preempted, 0);
    assert_int_equal(steal_of(CLOCK_AT).steal, 3750);
    assert_int_equal(steal_of(CLOCK_AT).version, s.version + 2);
    /* A TSC that is behind another CPU's never takes back. */
    vcpu.runnable_since = FAKE_NOW + 20000;
    guest_time_enter(&vcpu, FAKE_NOW + 19000);
    assert_int_equal(steal_of(CLOCK_AT).steal, 3750);
}

static void steal_off(void **state)
{
    (void)state;
    set(&vcpu, PVCLOCK_MSR_STEAL, CLOCK_AT | PVCLOCK_ENABLE);
    set(&vcpu, PVCLOCK_MSR_STEAL, CLOCK_AT);
    memset(ram + CLOCK_AT, 0x5a, 64);
    guest_time_enter(&vcpu, FAKE_NOW + 7000);
    guest_time_preempted(&vcpu);
    for (unsigned i = 0; i < 64; i++)
        assert_int_equal(ram[CLOCK_AT + i], 0x5a);
}

static void steal_bad_values(void **state)
{
    static const uint64_t bad[] = {FAKE_RAM, UINT64_C(0xfee00000), BIT(40), ~UINT64_C(63)};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        REFUSED(PVCLOCK_MSR_STEAL, bad[i] | PVCLOCK_ENABLE);
    for (unsigned i = 1; i <= 5; i++)
        REFUSED(PVCLOCK_MSR_STEAL, CLOCK_AT | BIT(i) | PVCLOCK_ENABLE);
    assert_int_equal(get(&vcpu, PVCLOCK_MSR_STEAL), 0);
    for (unsigned i = 0; i < FAKE_RAM; i++)
        assert_int_equal(ram[i], 0);
    set(&vcpu, PVCLOCK_MSR_STEAL, (FAKE_RAM - 64) | PVCLOCK_ENABLE); /* the last that fits */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(apic_base, fake_setup),
        cmocka_unit_test_setup(apic_modes, fake_setup),
        cmocka_unit_test_setup(x2apic_ids_differ, fake_setup),
        cmocka_unit_test_setup(tsc_deadline, fake_setup),
        cmocka_unit_test_setup(tsc_write, fake_setup),
        cmocka_unit_test_setup(tsc_adjust, fake_setup),
        cmocka_unit_test_setup(tsc_adjust_is_one, fake_setup),
        cmocka_unit_test_setup(tsc_moves_under_timers, fake_setup),
        cmocka_unit_test_setup(mtrr_reset, fake_setup),
        cmocka_unit_test_setup(mtrr_values_are_kept_apart, fake_setup),
        cmocka_unit_test_setup(mtrr_checks, fake_setup),
        cmocka_unit_test_setup(pvclock_system, fake_setup),
        cmocka_unit_test_setup(pvclock_moves_with_tsc, fake_setup),
        cmocka_unit_test_setup(pvclock_off, fake_setup),
        cmocka_unit_test_setup(pvclock_wall, fake_setup),
        cmocka_unit_test_setup(pvclock_bad_addresses, fake_setup),
        cmocka_unit_test_setup(pvclock_alignment, fake_setup),
        cmocka_unit_test_setup(pvclock_at_the_end, fake_setup),
        cmocka_unit_test_setup(pvclock_follows_the_tsc, fake_setup),
        cmocka_unit_test_setup(speculation, fake_setup),
        cmocka_unit_test_setup(steal_counts_from_enabling, fake_setup),
        cmocka_unit_test_setup(steal_off, fake_setup),
        cmocka_unit_test_setup(steal_bad_values, fake_setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
