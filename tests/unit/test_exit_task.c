/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exits for task switches: what is handed to task_switch.c (which has tests of its own), and that
 * its result ends up in the backend. Two 32-bit tasks in the fake's RAM, paging off.
 */
#include "tests/unit/fake_core.h"

#define GDT_AT  0x4000u
#define OLD_AT  0x5000u
#define NEW_AT  0x5100u
#define STACK   0x8000u
#define LENGTH  7u
#define NT      0x4000u

enum { CODE = 0x08, DATA = 0x10, OLD = 0x18, NEW = 0x20, GDT_BYTES = 0x28 };
enum { SOURCE_CALL, SOURCE_IRET, SOURCE_JMP, SOURCE_GATE };

static void put32(uint32_t at, uint32_t value)
{
    memcpy(ram + at, &value, sizeof(value));
}

static uint32_t get32_at(uint32_t at)
{
    uint32_t value;
    memcpy(&value, ram + at, sizeof(value));
    return value;
}

static void describe(uint32_t selector, uint32_t base, uint32_t limit, uint32_t rights)
{
    put32(GDT_AT + selector, (limit & 0xffff) | base << 16);
    put32(GDT_AT + selector + 4, rights << 8 | (limit & 0xf0000));
}

static int setup(void **state)
{
    static const uint32_t seg[6] = {DATA, CODE, DATA, DATA, 0, 0};
    fake_setup(state);
    fake.code_bits = 32;
    fake.reg[VREG_GDTR_BASE] = GDT_AT;
    fake.reg[VREG_GDTR_LIMIT] = GDT_BYTES - 1;
    fake.reg[VREG_DR7] = 0x403;
    fake.segment[SEG_TR] = (struct segment){.base = OLD_AT, .limit = 103, .selector = OLD,
                                            .access = AR_P | AR_TYPE_TSS_BUSY};
    fake.segment[SEG_CS].access = AR_P | AR_S | AR_TYPE_CODE_RX | AR_DB | AR_G;
    fake.segment[SEG_LDTR].access = AR_UNUSABLE;
    describe(CODE, 0, 0xfffff, 0xc09b);
    describe(DATA, 0, 0xfffff, 0xc093);
    describe(OLD, OLD_AT, 103, 0x8b);
    describe(NEW, NEW_AT, 103, 0x89);
    put32(NEW_AT + 0x20, 0x7000);
    put32(NEW_AT + 0x24, 0x302); /* IF, TF */
    for (uint32_t i = 0; i < 8; i++)
        put32(NEW_AT + 0x28 + 4 * i, i == GPR_RSP ? STACK : 0x1000 + i);
    for (uint32_t i = 0; i < 6; i++)
        put32(NEW_AT + 0x48 + 4 * i, seg[i]);
    return 0;
}

static enum outcome switch_to(unsigned source, uint16_t selector)
{
    struct vm_exit x = {.qualification = (uint64_t)source << 30 | selector};
    return fake_exit(x, EXIT_TASK_SWITCH, source == SOURCE_GATE ? 0 : LENGTH);
}

static void jmp(void **state)
{
    (void)state;
    vcpu.gpr[GPR_RBX] = UINT64_C(0xaaaaaaaa12345678);
    fake.reg[VREG_RSP] = 0x9000;
    assert_int_equal(switch_to(SOURCE_JMP, NEW), OUTCOME_RETRY);
    assert_int_equal(get32_at(OLD_AT + 0x20), 0x1000 + LENGTH);
    assert_int_equal(get32_at(OLD_AT + 0x28 + 4 * GPR_RBX), 0x12345678);
    assert_int_equal(get32_at(OLD_AT + 0x28 + 4 * GPR_RSP), 0x9000);
    assert_int_equal(fake.reg[VREG_RIP], 0x7000);
    assert_int_equal(vcpu.rip, 0x7000);
    assert_int_equal(fake.reg[VREG_RFLAGS], 0x302);
    assert_int_equal(vcpu.rflags, 0x302);
    assert_int_equal(fake.reg[VREG_RSP], STACK);
    assert_int_equal(vcpu.gpr[GPR_RBX], 0x1003);
    assert_int_equal(vcpu.gpr[GPR_RDI], 0x1007);
    assert_int_equal(fake.reg[VREG_CR0], CR0_PE | CR0_ET | CR0_TS);
    assert_int_equal(fake.reg[VREG_DR7], 0x402); /* L0 is the task's, G0 is not */
    assert_int_equal(fake.segment[SEG_TR].selector, NEW);
    assert_int_equal(fake.segment[SEG_TR].base, NEW_AT);
    assert_int_equal(fake.segment[SEG_CS].selector, CODE);
    assert_int_equal(fake.segment[SEG_FS].access & AR_UNUSABLE, AR_UNUSABLE);
    assert_int_equal(fake.finished_steps, 1); /* shadows end */
    assert_int_equal(fake.tlb_flushes, 0);    /* without paging there is no CR3 to load */
    assert_int_equal(ram[GDT_AT + OLD + 5], 0x89);
    assert_int_equal(ram[GDT_AT + NEW + 5], 0x8b);
    assert_false(vcpu.exception_valid);
}

static void gate(void **state)
{
    (void)state;
    vcpu.reinject_valid = true;
    vcpu.reinject = (struct event)GP(0x1230);
    assert_int_equal(switch_to(SOURCE_GATE, NEW), OUTCOME_RETRY);
    assert_false(vcpu.reinject_valid); /* the switch has delivered it */
    assert_int_equal(get32_at(STACK - 4), 0x1230);
    assert_int_equal(fake.reg[VREG_RSP], STACK - 4);
    assert_int_equal(fake.reg[VREG_RFLAGS], 0x302 | NT);
    assert_int_equal(get32_at(OLD_AT + 0x20), 0x1000);
    assert_int_equal(get32_at(NEW_AT) & 0xffff, OLD);
}

/* An NMI that a task gate delivers blocks others as any NMI does; the task's IRET ends that. */
static void gate_nmi(void **state)
{
    (void)state;
    const struct event nmi = {.type = EVENT_NMI, .vector = 2};
    vcpu.reinject_valid = true;
    vcpu.reinject = nmi;
    assert_int_equal(switch_to(SOURCE_GATE, NEW), OUTCOME_RETRY);
    assert_int_equal(fake.nmi_blocks, 1);
    assert_int_equal(fake.nmi_unblocks, 0);
    /* A fault of the new task comes behind the delivery, one of the old task before it. */
    setup(state);
    vcpu.reinject_valid = true;
    vcpu.reinject = nmi;
    put32(NEW_AT + 0x48 + 4 * SEG_DS, GDT_BYTES);
    assert_int_equal(switch_to(SOURCE_GATE, NEW), OUTCOME_FAULT);
    assert_int_equal(fake.nmi_blocks, 1);
    setup(state);
    vcpu.reinject_valid = true;
    vcpu.reinject = nmi;
    describe(NEW, NEW_AT, 50, 0x89);
    assert_int_equal(switch_to(SOURCE_GATE, NEW), OUTCOME_FAULT);
    assert_int_equal(fake.nmi_blocks, 0);
    /* Other events and other switches change nothing; IRET unblocks even if it faults. */
    setup(state);
    vcpu.reinject_valid = true;
    vcpu.reinject = (struct event)GP(0);
    assert_int_equal(switch_to(SOURCE_GATE, NEW), OUTCOME_RETRY);
    assert_int_equal(switch_to(SOURCE_JMP, OLD), OUTCOME_FAULT); /* busy: its links are intact */
    assert_int_equal(fake.nmi_blocks + fake.nmi_unblocks, 0);
    setup(state);
    assert_int_equal(switch_to(SOURCE_IRET, NEW), OUTCOME_FAULT); /* not busy */
    assert_int_equal(fake.nmi_unblocks, 1);
    assert_int_equal(fake.nmi_blocks, 0);
}

static void gate_software(void **state)
{
    (void)state;
    vcpu.reinject_valid = true;
    vcpu.reinject = (struct event){.type = EVENT_SW_INT, .vector = 0x40, .insn_length = 2};
    assert_int_equal(switch_to(SOURCE_GATE, NEW), OUTCOME_RETRY);
    assert_int_equal(get32_at(OLD_AT + 0x20), 0x1002);
    assert_int_equal(fake.reg[VREG_RSP], STACK);
    setup(state);
    assert_int_equal(switch_to(SOURCE_GATE, NEW), OUTCOME_STOP); /* no event */
}

/* In the old task: nothing has changed, and the event waits still, for the two to be combined. */
static void fault_before(void **state)
{
    (void)state;
    describe(NEW, NEW_AT, 50, 0x89);
    vcpu.reinject_valid = true;
    vcpu.reinject = (struct event)GP(0);
    fake_assert_fault(switch_to(SOURCE_GATE, NEW), VECTOR_TS, NEW | 1);
    assert_true(vcpu.reinject_valid);
    assert_int_equal(fake.segment[SEG_TR].selector, OLD);
    assert_int_equal(fake.finished_steps, 0);
    describe(NEW, NEW_AT, 103, 0x09);
    vcpu.reinject_valid = false;
    fake_assert_fault(switch_to(SOURCE_CALL, NEW), VECTOR_NP, NEW);
}

static void fault_behind(void **state)
{
    (void)state;
    put32(NEW_AT + 0x48 + 4 * SEG_DS, GDT_BYTES);
    assert_int_equal(switch_to(SOURCE_CALL, NEW), OUTCOME_FAULT);
    assert_int_equal(vcpu.exception.vector, VECTOR_TS);
    assert_int_equal(vcpu.exception.error_code, GDT_BYTES);
    assert_int_equal(fake.segment[SEG_TR].selector, NEW);
    assert_int_equal(fake.reg[VREG_RIP], 0x7000);
}

static void trap_flag(void **state)
{
    (void)state;
    put32(NEW_AT + 0x64, 1);
    vcpu.dr6 = DR6_RESET;
    vcpu.dr_live = true;
    assert_int_equal(switch_to(SOURCE_CALL, NEW), OUTCOME_FAULT);
    assert_int_equal(vcpu.exception.vector, VECTOR_DB);
    assert_int_equal(vcpu.dr6, DR6_RESET | BIT(15));
    assert_int_equal(fake.dr_intercepts, 1); /* fetched from the CPU and put back */
    assert_int_equal(fake.dr_passes, 1);
}

/* CR3 of the new task, from where on it translates; PAE's entries come with it. */
static void paging(void **state)
{
    (void)state;
    /* 4M pages: directory at A000H as it is, at B000H with the first page moved nowhere else. */
    for (unsigned t = 0; t < 2; t++)
        put32(0xa000 + 0x1000 * t, 0x83);
    fake.reg[VREG_CR0] |= CR0_PG;
    fake.reg[VREG_CR4] = CR4_PSE;
    fake.reg[VREG_CR3] = 0xa000;
    put32(NEW_AT + 0x1c, 0xb000);
    assert_int_equal(switch_to(SOURCE_CALL, NEW), OUTCOME_RETRY);
    assert_int_equal(fake.reg[VREG_CR3], 0xb000);
    assert_int_equal(fake.tlb_flushes, 1);
    assert_int_equal(fake.pdpte_loads, 0);
    assert_true(ram[0xb000] & BIT(5)); /* the new task's tables were walked */
    assert_int_equal(get32_at(NEW_AT) & 0xffff, OLD);
}

/* The GDT cannot be reached: #PF from the access itself, in the old task. */
static void page_fault(void **state)
{
    (void)state;
    fake.reg[VREG_CR0] |= CR0_PG;
    fake.reg[VREG_CR3] = 0xa000;
    fake_assert_fault(switch_to(SOURCE_CALL, NEW), VECTOR_PF, 0);
    assert_int_equal(vcpu.fault_address, GDT_AT + NEW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(jmp, setup),
        cmocka_unit_test_setup(gate, setup),
        cmocka_unit_test_setup(gate_nmi, setup),
        cmocka_unit_test_setup(gate_software, setup),
        cmocka_unit_test_setup(fault_before, setup),
        cmocka_unit_test_setup(fault_behind, setup),
        cmocka_unit_test_setup(trap_flag, setup),
        cmocka_unit_test_setup(paging, setup),
        cmocka_unit_test_setup(page_fault, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
