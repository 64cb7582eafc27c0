/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The dispatcher: how RIP is stepped, what is counted, and the kinds whose few lines are in exit.c.
 */
#include "tests/unit/fake_core.h"

static void advance_steps_by_length(void **state)
{
    (void)state;
    for (uint8_t n = 1; n <= 15; n++) {
        vcpu.rip = UINT64_C(0xffffffff81000000);
        assert_int_equal(fake_exit((struct vm_exit){0}, EXIT_CACHE, n), OUTCOME_ADVANCE);
        assert_int_equal(vcpu.rip, UINT64_C(0xffffffff81000000) + n);
    }
    assert_int_equal(fake.finished_steps, 0);
}

static void step_crosses_4g(void **state)
{
    (void)state;
    vcpu.rip = 0xfffffffe;
    fake_exit((struct vm_exit){0}, EXIT_CPUID, 2);
    assert_int_equal(vcpu.rip, UINT64_C(0x100000000)); /* 64-bit code goes on */

    fake.code_bits = 32;
    vcpu.rip = 0xfffffffe;
    fake_exit((struct vm_exit){0}, EXIT_CPUID, 2);
    assert_int_equal(vcpu.rip, 0); /* EIP wraps */
    vcpu.rip = 0xffffffff;
    fake_exit((struct vm_exit){0}, EXIT_CPUID, 3);
    assert_int_equal(vcpu.rip, 2);
    vcpu.rip = 0xfffffff0;
    fake_exit((struct vm_exit){0}, EXIT_CPUID, 15);
    assert_int_equal(vcpu.rip, 0xffffffff); /* not yet */

    fake.code_bits = 64;
    vcpu.rip = UINT64_MAX - 1;
    fake_exit((struct vm_exit){0}, EXIT_CPUID, 2);
    assert_int_equal(vcpu.rip, 0);
}

static void slow_step_is_finished_once(void **state)
{
    (void)state;
    fake_exit((struct vm_exit){.slow_step = true}, EXIT_CPUID, 2);
    assert_int_equal(fake.finished_steps, 1);
    /* HLT is stepped over, too. */
    vcpu.rflags |= RFLAGS_IF;
    assert_int_equal(fake_exit((struct vm_exit){.slow_step = true}, EXIT_HLT, 1), OUTCOME_BLOCK);
    assert_int_equal(fake.finished_steps, 2);
    /* What is not stepped over owes nothing. */
    fake_exit((struct vm_exit){.slow_step = true}, EXIT_UNDEFINED, 2);
    fake_exit((struct vm_exit){.slow_step = true}, EXIT_INTERRUPT, 0);
    fake_exit((struct vm_exit){.slow_step = true}, EXIT_TRIPLE_FAULT, 0);
    assert_int_equal(fake.finished_steps, 2);
    assert_int_equal(vcpu.rip, 0x1003);
}

static void counts_and_trail(void **state)
{
    (void)state;
    for (unsigned i = 0; i < VCPU_TRAIL + 3; i++)
        fake_exit((struct vm_exit){0}, i % 2 ? EXIT_CPUID : EXIT_CACHE, 1);
    assert_int_equal(vcpu.exits[EXIT_CPUID], (VCPU_TRAIL + 3) / 2);
    assert_int_equal(vcpu.exits[EXIT_CACHE], (VCPU_TRAIL + 4) / 2);
    assert_int_equal(vcpu.exits[EXIT_HLT], 0);
    assert_int_equal(vcpu.trail_at, 3);
    assert_int_equal(vcpu.trail[2], EXIT_CACHE);  /* exit VCPU_TRAIL + 2 has come round */
    assert_int_equal(vcpu.trail[3], EXIT_CPUID);  /* exit 3 */
    assert_int_equal(fake.cpuids, (VCPU_TRAIL + 3) / 2);
}

/* The ring's last place, then its first. */
static void trail_wraps(void **state)
{
    (void)state;
    vcpu.trail_at = VCPU_TRAIL - 1;
    fake_exit((struct vm_exit){0}, EXIT_CACHE, 2);
    assert_int_equal(vcpu.trail_at, 0);
    assert_int_equal(vcpu.trail[VCPU_TRAIL - 1], EXIT_CACHE);
}

static void every_kind_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (unsigned i = 0; i < EXIT_KINDS; i++) {
        assert_non_null(exit_kind_name(i));
        assert_non_null(exit_table[i].handler);
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(exit_kind_name(i), exit_kind_name(j));
    }
    assert_string_equal(exit_kind_name(EXIT_KINDS), "?");
    assert_string_equal(exit_kind_name(UINT32_MAX), "?");
}

static void hlt(void **state)
{
    (void)state;
    vcpu.rflags = RFLAGS_FIXED1 | RFLAGS_IF;
    vcpu.wake_at = 7;
    assert_int_equal(fake_exit((struct vm_exit){0}, EXIT_HLT, 1), OUTCOME_BLOCK);
    assert_true(vcpu.wake_at == UINT64_MAX);
    assert_int_equal(vcpu.rip, 0x1001);
    assert_int_equal(fake.stopped, STOP_NONE);

    vcpu.rflags = RFLAGS_FIXED1;
    /* Whether anybody is left who could end this is the scheduler's to say. */
    assert_int_equal(fake_exit((struct vm_exit){0}, EXIT_HLT, 1), OUTCOME_BLOCK);
    assert_false(vcpu.wake_on_interrupt);
    assert_int_equal(vcpu.rip, 0x1002);
}

static void pause_gives_the_cpu_up(void **state)
{
    (void)state;
    assert_int_equal(fake_exit((struct vm_exit){0}, EXIT_PAUSE, 2), OUTCOME_ADVANCE);
    assert_int_equal(vcpu.requests, REQUEST_RESCHEDULE);
    assert_int_equal(vcpu.rip, 0x1002);
}

static void refused_instructions(void **state)
{
    (void)state;
    fake_assert_fault(fake_exit((struct vm_exit){0}, EXIT_UNDEFINED, 3), VECTOR_UD, 0);
    assert_false(vcpu.exception.has_error);
    fake_assert_fault(fake_exit((struct vm_exit){0}, EXIT_RDPMC, 2), VECTOR_GP, 0);
    assert_true(vcpu.exception.has_error);
    struct vm_exit x = {.exception = EXCEPTION_ERR(VECTOR_AC, 0)};
    fake_assert_fault(fake_exit(x, EXIT_EXCEPTION, 0), VECTOR_AC, 0);
}

/* A second contributory fault before the first is delivered is #DF, and a third ends the VM. */
static void faults_add_up(void **state)
{
    (void)state;
    fake_exit((struct vm_exit){0}, EXIT_RDPMC, 2);
    assert_int_equal(fake_exit((struct vm_exit){0}, EXIT_RDPMC, 2), OUTCOME_FAULT);
    assert_int_equal(vcpu.exception.vector, VECTOR_DF);
    assert_int_equal(fake_exit((struct vm_exit){0}, EXIT_RDPMC, 2), OUTCOME_STOP);
    assert_int_equal(fake.stopped, STOP_TRIPLE_FAULT);
}

static void exits_that_run_on(void **state)
{
    static const uint8_t kinds[] = {EXIT_INTERRUPT, EXIT_NMI, EXIT_TIMER, EXIT_INIT, EXIT_SIPI};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        vcpu.look_at = 99;
        assert_int_equal(fake_exit((struct vm_exit){0}, kinds[i], 5), OUTCOME_RETRY);
        assert_int_equal(vcpu.rip, 0x1000);
        assert_int_equal(vcpu.look_at, 99);
        assert_int_equal(vcpu.requests, 0);
    }
    assert_int_equal(fake_exit((struct vm_exit){0}, EXIT_WINDOW, 0), OUTCOME_RETRY);
    assert_int_equal(vcpu.requests, REQUEST_EVENT);
}

static void ends(void **state)
{
    static const struct {
        enum exit_kind kind;
        enum stop_reason reason;
        const char *word;
    } rows[] = {
        {EXIT_TRIPLE_FAULT, STOP_TRIPLE_FAULT, "triple fault"},
        {EXIT_ENTRY_FAILED, STOP_ENTRY_FAILED, "THIRTY_THREE"},
        {EXIT_MACHINE_CHECK, STOP_MACHINE_CHECK, "machine check"},
        {EXIT_UNKNOWN, STOP_UNSUPPORTED, "reason 33 (THIRTY_THREE)"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct vm_exit x = {.reason = 33, .qualification = UINT64_C(0xffffffff40000028)};
        assert_int_equal(fake_exit(x, rows[i].kind, 3), OUTCOME_STOP);
        assert_int_equal(fake.stopped, rows[i].reason);
        assert_non_null(strstr(fake.why, rows[i].word));
        assert_int_equal(vcpu.rip, 0x1000);
    }
}

static void page_fault_sets_cr2(void **state)
{
    (void)state;
    fake_assert_fault(vcpu_raise_page_fault(&vcpu, UINT64_C(0xdeadbeef000), 6), VECTOR_PF, 6);
    assert_int_equal(vcpu.fault_address, UINT64_C(0xdeadbeef000));
}

static void registers_by_number(void **state)
{
    (void)state;
    for (unsigned i = 0; i < GPR_COUNT; i++)
        vcpu_set_gpr(&vcpu, i, 0x100 + i);
    for (unsigned i = 0; i < GPR_COUNT; i++)
        assert_int_equal(vcpu_gpr(&vcpu, i), 0x100 + i);
    assert_int_equal(fake.reg[VREG_RSP], 0x104); /* the backend has it */
    assert_int_equal(vcpu.gpr[GPR_RSP], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(advance_steps_by_length, fake_setup),
        cmocka_unit_test_setup(step_crosses_4g, fake_setup),
        cmocka_unit_test_setup(slow_step_is_finished_once, fake_setup),
        cmocka_unit_test_setup(counts_and_trail, fake_setup),
        cmocka_unit_test_setup(trail_wraps, fake_setup),
        cmocka_unit_test_setup(every_kind_has_a_name_of_its_own, fake_setup),
        cmocka_unit_test_setup(hlt, fake_setup),
        cmocka_unit_test_setup(pause_gives_the_cpu_up, fake_setup),
        cmocka_unit_test_setup(refused_instructions, fake_setup),
        cmocka_unit_test_setup(faults_add_up, fake_setup),
        cmocka_unit_test_setup(exits_that_run_on, fake_setup),
        cmocka_unit_test_setup(ends, fake_setup),
        cmocka_unit_test_setup(page_fault_sets_cr2, fake_setup),
        cmocka_unit_test_setup(registers_by_number, fake_setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
