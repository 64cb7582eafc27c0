/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exits for MSRs, control registers, XCR0 and debug registers, with the policy of the real tables.
 */
#include "tests/unit/fake_core.h"

static enum outcome rdmsr(uint64_t rcx)
{
    vcpu.rip = 0x1000;
    vcpu.gpr[GPR_RCX] = rcx;
    vcpu.gpr[GPR_RAX] = vcpu.gpr[GPR_RDX] = UINT64_MAX;
    return fake_exit((struct vm_exit){0}, EXIT_RDMSR, 2);
}

static enum outcome wrmsr(uint64_t rcx, uint64_t value)
{
    vcpu.rip = 0x1000;
    vcpu.gpr[GPR_RCX] = rcx;
    /* The upper halves of RAX and RDX do not count. */
    vcpu.gpr[GPR_RAX] = (uint32_t)value | UINT64_C(0xaaaaaaaa00000000);
    vcpu.gpr[GPR_RDX] = value >> 32 | UINT64_C(0xbbbbbbbb00000000);
    return fake_exit((struct vm_exit){0}, EXIT_WRMSR, 2);
}

static void msr_const_reads(void **state)
{
    (void)state;
    assert_int_equal(rdmsr(MSR_IA32_MISC_ENABLE), OUTCOME_ADVANCE);
    assert_int_equal(vcpu.gpr[GPR_RAX], 0x1801); /* upper halves are cleared */
    assert_int_equal(vcpu.gpr[GPR_RDX], 0);
    assert_int_equal(vcpu.rip, 0x1002);
    /* Only ECX names the register. */
    assert_int_equal(rdmsr(UINT64_C(0xdead0000000000fe)), OUTCOME_ADVANCE);
    assert_int_equal(vcpu.gpr[GPR_RAX], 0x508);
    assert_int_equal(vm.unlisted_msrs, 0);
}

static void msr_writes_by_rule(void **state)
{
    (void)state;
    /* SAME: its own value, and no other. */
    assert_int_equal(wrmsr(MSR_IA32_MCG_STATUS, 0), OUTCOME_ADVANCE);
    fake_assert_fault(wrmsr(MSR_IA32_MCG_STATUS, 4), VECTOR_GP, 0);
    fake_assert_fault(wrmsr(MSR_IA32_MCG_STATUS, BIT(32)), VECTOR_GP, 0);
    /* CONST: taken and forgotten. */
    assert_int_equal(wrmsr(MSR_IA32_BIOS_SIGN_ID, 77), OUTCOME_ADVANCE);
    assert_int_equal(rdmsr(MSR_IA32_BIOS_SIGN_ID), OUTCOME_ADVANCE);
    assert_int_equal(vcpu.gpr[GPR_RAX], 0);
    /* FAULT, though it can be read. */
    fake_assert_fault(wrmsr(MSR_IA32_FEATURE_CONTROL, 1), VECTOR_GP, 0);
    assert_int_equal(vm.unlisted_msrs, 0);
    assert_int_equal(fake.logs, 0);
}

static void msr_fault_changes_nothing(void **state)
{
    (void)state;
    fake_assert_fault(rdmsr(0x12345678), VECTOR_GP, 0);
    assert_true(vcpu.gpr[GPR_RAX] == UINT64_MAX && vcpu.gpr[GPR_RDX] == UINT64_MAX);
}

static void msr_unlisted_is_logged_once(void **state)
{
    (void)state;
    memcpy(vm.name, "rogue", 6);
    fake_assert_fault(rdmsr(0x12345678), VECTOR_GP, 0);
    assert_int_equal(fake.logs, 1);
    assert_non_null(strstr(fake.log, "rogue"));
    assert_non_null(strstr(fake.log, "RDMSR 0x12345678"));
    fake_assert_fault(rdmsr(0x12345678), VECTOR_GP, 0);
    fake_assert_fault(wrmsr(0x12345678, 0), VECTOR_GP, 0);
    assert_int_equal(fake.logs, 1);
    assert_int_equal(vm.unlisted_msrs, 3);
    /* A guest that walks through all numbers is counted, but cannot flood the log. */
    for (uint32_t i = 0; i < 100; i++)
        fake_assert_fault(wrmsr(0x20000000 + i, 0), VECTOR_GP, 0);
    assert_int_equal(vm.unlisted_msrs, 103);
    assert_int_equal(fake.logs, ARRAY_LEN(vm.logged_msr));
    assert_int_equal(vm.logged_msrs, ARRAY_LEN(vm.logged_msr));
}

static void msr_not_offered_is_unlisted(void **state)
{
    (void)state;
    assert_int_equal(rdmsr(MSR_IA32_XSS), OUTCOME_ADVANCE);
    fake_backend.msrs.xsaves = false;
    fake_assert_fault(rdmsr(MSR_IA32_XSS), VECTOR_GP, 0);
    assert_int_equal(vm.unlisted_msrs, 1);
}

static void msr_efer(void **state)
{
    (void)state;
    fake.reg[VREG_EFER] = 0;
    assert_int_equal(wrmsr(MSR_IA32_EFER, EFER_LME | EFER_NXE), OUTCOME_ADVANCE);
    assert_int_equal(fake.reg[VREG_EFER], EFER_LME | EFER_NXE);
    /* LMA cannot be written; a reserved bit is #GP; LME not while paging. */
    assert_int_equal(wrmsr(MSR_IA32_EFER, EFER_LME | EFER_LMA), OUTCOME_ADVANCE);
    assert_int_equal(fake.reg[VREG_EFER], EFER_LME);
    fake_assert_fault(wrmsr(MSR_IA32_EFER, BIT(1)), VECTOR_GP, 0);
    fake.reg[VREG_CR0] |= CR0_PG;
    fake_assert_fault(wrmsr(MSR_IA32_EFER, 0), VECTOR_GP, 0);
    assert_int_equal(fake.reg[VREG_EFER], EFER_LME);
}

static void msr_debugctl(void **state)
{
    (void)state;
    assert_int_equal(wrmsr(MSR_IA32_DEBUGCTL, DEBUGCTL_BTF), OUTCOME_ADVANCE);
    assert_int_equal(fake.debugctl, DEBUGCTL_BTF);
    assert_int_equal(rdmsr(MSR_IA32_DEBUGCTL), OUTCOME_ADVANCE);
    assert_int_equal(vcpu.gpr[GPR_RAX], DEBUGCTL_BTF);
    fake_assert_fault(wrmsr(MSR_IA32_DEBUGCTL, DEBUGCTL_LBR), VECTOR_GP, 0);
    assert_int_equal(fake.debugctl, DEBUGCTL_BTF);
}

static enum outcome cr(enum cr_access access, unsigned number, unsigned gpr)
{
    struct vm_exit x = {0};
    x.cr.cr = (uint8_t)number;
    x.cr.gpr = (uint8_t)gpr;
    x.cr.access = (uint8_t)access;
    vcpu.rip = 0x1000;
    return fake_exit(x, EXIT_CR_ACCESS, 3);
}

static void cr8(void **state)
{
    (void)state;
    vcpu.gpr[GPR_R9] = 11;
    assert_int_equal(cr(CR_WRITE, 8, GPR_R9), OUTCOME_ADVANCE);
    assert_int_equal(vlapic_tpr(&vcpu.apic), 0xb0);
    assert_int_equal(cr(CR_READ, 8, GPR_RBX), OUTCOME_ADVANCE);
    assert_int_equal(vcpu.gpr[GPR_RBX], 11);
    assert_int_equal(cr(CR_READ, 8, GPR_RSP), OUTCOME_ADVANCE);
    assert_int_equal(fake.reg[VREG_RSP], 11);
    assert_int_equal(vcpu.rip, 0x1003);
    vcpu.gpr[GPR_R9] = 16;
    fake_assert_fault(cr(CR_WRITE, 8, GPR_R9), VECTOR_GP, 0);
    vcpu.gpr[GPR_R9] = BIT(63) | 1;
    fake_assert_fault(cr(CR_WRITE, 8, GPR_R9), VECTOR_GP, 0);
    assert_int_equal(vlapic_cr8(&vcpu.apic), 11);
}

/* An interrupt that the task priority has held back gets its chance when CR8 lets it through. */
static void cr8_lets_interrupts_through(void **state)
{
    (void)state;
    vlapic_set_virtual_wire(&vcpu.apic);
    vcpu.gpr[GPR_R9] = 4;
    cr(CR_WRITE, 8, GPR_R9);
    vlapic_accept(&vcpu.apic, 0x41, false);
    assert_int_equal(interrupt_next(&vcpu), -1);
    vcpu.requests = 0;
    vcpu.gpr[GPR_R9] = 3;
    assert_int_equal(cr(CR_WRITE, 8, GPR_R9), OUTCOME_ADVANCE);
    assert_true(vcpu.requests & REQUEST_EVENT);
    assert_int_equal(interrupt_next(&vcpu), 0x41);
}

static void cr_of_no_such_number(void **state)
{
    (void)state;
    assert_int_equal(cr(CR_WRITE, 3, 0), OUTCOME_STOP);
    assert_int_equal(fake.stopped, STOP_UNSUPPORTED);
    assert_int_equal(cr(CR_READ, 3, 0), OUTCOME_STOP);
    assert_int_equal(vcpu.rip, 0x1000);
}

static void cr0_write(void **state)
{
    uint64_t on = CR0_PE | CR0_ET | CR0_WP | CR0_NE;
    (void)state;
    vcpu.gpr[GPR_RSI] = on;
    assert_int_equal(cr(CR_WRITE, 0, GPR_RSI), OUTCOME_ADVANCE);
    assert_int_equal(fake.reg[VREG_CR0], on);
    assert_int_equal(fake.tlb_flushes, 1); /* WP has changed */
    vcpu.gpr[GPR_RSI] = on | CR0_MP;
    assert_int_equal(cr(CR_WRITE, 0, GPR_RSI), OUTCOME_ADVANCE);
    assert_int_equal(fake.tlb_flushes, 1);
    /* Bits above 31 are #GP in 64-bit code and do not exist in 32-bit code. */
    vcpu.gpr[GPR_RSI] = on | BIT(40);
    fake_assert_fault(cr(CR_WRITE, 0, GPR_RSI), VECTOR_GP, 0);
    fake.code_bits = 32;
    assert_int_equal(cr(CR_WRITE, 0, GPR_RSI), OUTCOME_ADVANCE);
    assert_int_equal(fake.reg[VREG_CR0], on);
}

static void cr0_paging_on(void **state)
{
    uint64_t on = CR0_PE | CR0_ET | CR0_PG;
    (void)state;
    fake.code_bits = 32;
    fake.segment[SEG_CS].access &= ~(uint32_t)AR_L;
    vcpu.gpr[GPR_RAX] = on;
    /* Plain 32-bit paging has no PDPTEs. */
    assert_int_equal(cr(CR_WRITE, 0, GPR_RAX), OUTCOME_ADVANCE);
    assert_int_equal(fake.pdpte_loads, 0);
    assert_int_equal(fake.tlb_flushes, 1);
    /* PAE has; bad ones are #GP and CR0 keeps its value. */
    fake.reg[VREG_CR0] = CR0_PE | CR0_ET;
    fake.reg[VREG_CR4] = CR4_PAE;
    fake.pdptes_good = false;
    fake_assert_fault(cr(CR_WRITE, 0, GPR_RAX), VECTOR_GP, 0);
    assert_int_equal(fake.reg[VREG_CR0], CR0_PE | CR0_ET);
    fake.pdptes_good = true;
    assert_int_equal(cr(CR_WRITE, 0, GPR_RAX), OUTCOME_ADVANCE);
    assert_int_equal(fake.pdpte_loads, 2);
    /* IA-32e mode: no PDPTEs; but not from a code segment with L. */
    fake.reg[VREG_CR0] = CR0_PE | CR0_ET;
    fake.reg[VREG_EFER] = EFER_LME;
    assert_int_equal(cr(CR_WRITE, 0, GPR_RAX), OUTCOME_ADVANCE);
    assert_int_equal(fake.pdpte_loads, 2);
    fake.reg[VREG_CR0] = CR0_PE | CR0_ET;
    fake.segment[SEG_CS].access |= AR_L;
    fake_assert_fault(cr(CR_WRITE, 0, GPR_RAX), VECTOR_GP, 0);
}

/* IA-32e mode does not start with a 16-bit TSS in TR; other kinds of paging do not care. */
static void cr0_paging_on_with_an_old_tss(void **state)
{
    (void)state;
    fake.code_bits = 32;
    fake.segment[SEG_CS].access &= ~(uint32_t)AR_L;
    fake.segment[SEG_TR].access = AR_P | 3;
    vcpu.gpr[GPR_RAX] = CR0_PE | CR0_ET | CR0_PG;
    assert_int_equal(cr(CR_WRITE, 0, GPR_RAX), OUTCOME_ADVANCE);
    fake.reg[VREG_CR0] = CR0_PE | CR0_ET;
    fake.reg[VREG_CR4] = CR4_PAE;
    fake.reg[VREG_EFER] = EFER_LME;
    fake_assert_fault(cr(CR_WRITE, 0, GPR_RAX), VECTOR_GP, 0);
    assert_int_equal(fake.reg[VREG_CR0], CR0_PE | CR0_ET);
    fake.segment[SEG_TR].access = AR_P | AR_TYPE_TSS_BUSY;
    assert_int_equal(cr(CR_WRITE, 0, GPR_RAX), OUTCOME_ADVANCE);
}

/* With PAE paging on, CD and NW load the PDPTEs again; in IA-32e mode there are none. */
static void cr0_cacheability(void **state)
{
    (void)state;
    fake.code_bits = 32;
    fake.reg[VREG_CR0] = CR0_PE | CR0_ET | CR0_PG;
    fake.reg[VREG_CR4] = CR4_PAE;
    vcpu.gpr[GPR_RAX] = CR0_PE | CR0_ET | CR0_PG | CR0_CD;
    fake.pdptes_good = false;
    fake_assert_fault(cr(CR_WRITE, 0, GPR_RAX), VECTOR_GP, 0);
    assert_int_equal(fake.reg[VREG_CR0], CR0_PE | CR0_ET | CR0_PG);
    fake.pdptes_good = true;
    assert_int_equal(cr(CR_WRITE, 0, GPR_RAX), OUTCOME_ADVANCE);
    assert_int_equal(fake.pdpte_loads, 2);
    assert_int_equal(cr(CR_WRITE, 0, GPR_RAX), OUTCOME_ADVANCE);
    assert_int_equal(fake.pdpte_loads, 2); /* no change, nothing to do */
    fake.reg[VREG_EFER] = EFER_LME | EFER_LMA;
    vcpu.gpr[GPR_RAX] = CR0_PE | CR0_ET | CR0_PG;
    assert_int_equal(cr(CR_WRITE, 0, GPR_RAX), OUTCOME_ADVANCE);
    assert_int_equal(fake.pdpte_loads, 2);
}

static void clts_and_lmsw(void **state)
{
    struct vm_exit x = {0};
    (void)state;
    fake.reg[VREG_CR0] = CR0_PE | CR0_ET | CR0_TS | CR0_NE;
    assert_int_equal(cr(CR_CLTS, 0, 0), OUTCOME_ADVANCE);
    assert_int_equal(fake.reg[VREG_CR0], CR0_PE | CR0_ET | CR0_NE);

    /* LMSW sets and clears MP, EM and TS, sets PE, and never clears it; nothing else counts. */
    x.cr.access = CR_LMSW;
    x.cr.lmsw = 0xfff0 | CR0_EM;
    assert_int_equal(fake_exit(x, EXIT_CR_ACCESS, 3), OUTCOME_ADVANCE);
    assert_int_equal(fake.reg[VREG_CR0], CR0_PE | CR0_ET | CR0_NE | CR0_EM);
    fake.reg[VREG_CR0] = CR0_ET;
    x.cr.lmsw = CR0_PE | CR0_MP | CR0_TS;
    assert_int_equal(fake_exit(x, EXIT_CR_ACCESS, 3), OUTCOME_ADVANCE);
    assert_int_equal(fake.reg[VREG_CR0], CR0_PE | CR0_ET | CR0_MP | CR0_TS);
    assert_int_equal(fake.tlb_flushes, 0);
}

static void cr4_write(void **state)
{
    (void)state;
    vcpu.gpr[GPR_RAX] = CR4_PAE | CR4_PGE;
    assert_int_equal(cr(CR_WRITE, 4, GPR_RAX), OUTCOME_ADVANCE);
    assert_int_equal(fake.reg[VREG_CR4], CR4_PAE | CR4_PGE);
    assert_int_equal(fake.tlb_flushes, 1);
    assert_int_equal(fake.pdpte_loads, 0); /* no paging */
    vcpu.gpr[GPR_RAX] = CR4_PAE | CR4_VMXE;
    fake_assert_fault(cr(CR_WRITE, 4, GPR_RAX), VECTOR_GP, 0);
    vcpu.gpr[GPR_RAX] = CR4_PAE | CR4_SMXE;
    fake_assert_fault(cr(CR_WRITE, 4, GPR_RAX), VECTOR_GP, 0);
    assert_int_equal(fake.reg[VREG_CR4], CR4_PAE | CR4_PGE);

    /* With PAE paging on, changes of PGE, PSE, PAE, SMEP load the PDPTEs; others do not. */
    fake.reg[VREG_CR0] |= CR0_PG;
    vcpu.gpr[GPR_RAX] = CR4_PAE;
    fake.pdptes_good = false;
    fake_assert_fault(cr(CR_WRITE, 4, GPR_RAX), VECTOR_GP, 0);
    assert_int_equal(fake.reg[VREG_CR4], CR4_PAE | CR4_PGE);
    fake.pdptes_good = true;
    assert_int_equal(cr(CR_WRITE, 4, GPR_RAX), OUTCOME_ADVANCE);
    assert_int_equal(fake.pdpte_loads, 2);
    vcpu.gpr[GPR_RAX] = CR4_PAE | CR4_DE;
    assert_int_equal(cr(CR_WRITE, 4, GPR_RAX), OUTCOME_ADVANCE);
    assert_int_equal(fake.pdpte_loads, 2);
    /* Not in IA-32e mode, where PAE cannot be cleared either. */
    fake.reg[VREG_EFER] = EFER_LME | EFER_LMA;
    vcpu.gpr[GPR_RAX] = CR4_PAE | CR4_PGE;
    assert_int_equal(cr(CR_WRITE, 4, GPR_RAX), OUTCOME_ADVANCE);
    assert_int_equal(fake.pdpte_loads, 2);
    vcpu.gpr[GPR_RAX] = 0;
    fake_assert_fault(cr(CR_WRITE, 4, GPR_RAX), VECTOR_GP, 0);
}

static enum outcome xsetbv(uint64_t rcx, uint64_t value)
{
    vcpu.rip = 0x1000;
    vcpu.gpr[GPR_RCX] = rcx;
    vcpu.gpr[GPR_RAX] = (uint32_t)value | UINT64_C(0xcccccccc00000000);
    vcpu.gpr[GPR_RDX] = value >> 32 | UINT64_C(0xdddddddd00000000);
    return fake_exit((struct vm_exit){0}, EXIT_XSETBV, 3);
}

static void xsetbv_rules(void **state)
{
    (void)state;
    vcpu.xcr0 = XCR0_X87;
    assert_int_equal(xsetbv(UINT64_C(0xffffffff00000000), 7), OUTCOME_ADVANCE);
    assert_int_equal(vcpu.xcr0, 7);
    assert_int_equal(fake.xcr0_sets, 1);
    assert_int_equal(xsetbv(0, 7), OUTCOME_ADVANCE);
    assert_int_equal(fake.xcr0_sets, 1); /* no change, nothing to do */
    fake_assert_fault(xsetbv(0, 6), VECTOR_GP, 0);         /* without x87 */
    fake_assert_fault(xsetbv(0, 5), VECTOR_GP, 0);         /* AVX without SSE */
    fake_assert_fault(xsetbv(0, 0xe7), VECTOR_GP, 0);      /* not offered */
    fake_assert_fault(xsetbv(0, 7 | BIT(40)), VECTOR_GP, 0);
    fake_assert_fault(xsetbv(1, 7), VECTOR_GP, 0);         /* there is only XCR0 */
    fake.cpl = 3;
    fake_assert_fault(xsetbv(0, 3), VECTOR_GP, 0);
    assert_int_equal(vcpu.xcr0, 7);
    assert_int_equal(fake.xcr0_sets, 1);
}

static void mov_dr_runs_again(void **state)
{
    (void)state;
    assert_int_equal(fake_exit((struct vm_exit){.slow_step = true}, EXIT_MOV_DR, 3),
                     OUTCOME_RETRY);
    assert_int_equal(fake.dr_passes, 1);
    assert_int_equal(fake.dr_intercepts, 0);
    assert_int_equal(fake.finished_steps, 0);
    assert_int_equal(vcpu.rip, 0x1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(msr_const_reads, fake_setup),
        cmocka_unit_test_setup(msr_writes_by_rule, fake_setup),
        cmocka_unit_test_setup(msr_fault_changes_nothing, fake_setup),
        cmocka_unit_test_setup(msr_unlisted_is_logged_once, fake_setup),
        cmocka_unit_test_setup(msr_not_offered_is_unlisted, fake_setup),
        cmocka_unit_test_setup(msr_efer, fake_setup),
        cmocka_unit_test_setup(msr_debugctl, fake_setup),
        cmocka_unit_test_setup(cr8, fake_setup),
        cmocka_unit_test_setup(cr8_lets_interrupts_through, fake_setup),
        cmocka_unit_test_setup(cr_of_no_such_number, fake_setup),
        cmocka_unit_test_setup(cr0_write, fake_setup),
        cmocka_unit_test_setup(cr0_paging_on, fake_setup),
        cmocka_unit_test_setup(cr0_paging_on_with_an_old_tss, fake_setup),
        cmocka_unit_test_setup(cr0_cacheability, fake_setup),
        cmocka_unit_test_setup(clts_and_lmsw, fake_setup),
        cmocka_unit_test_setup(cr4_write, fake_setup),
        cmocka_unit_test_setup(xsetbv_rules, fake_setup),
        cmocka_unit_test_setup(mov_dr_runs_again, fake_setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
