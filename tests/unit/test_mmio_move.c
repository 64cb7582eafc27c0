/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/mmio_move.c: the short way is taken the second time, and never when anything differs: the
 * instruction's bytes, a paging entry on either way, an accessed or dirty flag, a register.
 */
#include "tests/unit/fake_core.h"

#define DEVICE_AT UINT64_C(0xfed00000)
#define OTHER_AT  UINT64_C(0xfed80000)
#define CODE      0x1000u
/* Linear: RAM where it is, the device from 2M on. */
#define DATA      UINT64_C(0x200000)
enum { PML4 = 0x8000, PDPT = 0x9000, PD = 0xa000, PT_LOW = 0xb000, PT_DATA = 0xc000 };
#define P   UINT64_C(0x03) /* present, writable */
#define A   UINT64_C(0x20)
#define D   UINT64_C(0x40)

static struct device {
    uint8_t name;
    unsigned count;
    struct io_access last;
} device, other;

static void device_access(void *dev, struct io_access *a)
{
    struct device *d = dev;
    d->count++;
    d->last = *a;
    if (!a->write)
        a->value = UINT64_C(0xdeadbeef00000000) | (uint64_t)d->name << 8 | a->offset;
}

static const struct device_ops device_ops = {.access = device_access};

static uint64_t *entry(unsigned at, unsigned i)
{
    return (uint64_t *)(void *)(ram + at + 8 * i);
}

static void put_code(const char *code, size_t n)
{
    memset(ram + CODE, 0x90, 16);
    memcpy(ram + CODE, code, n);
}
#define PUT(code) put_code(code, sizeof(code) - 1)

static int setup(void **state)
{
    fake_setup(state);
    device = (struct device){.name = 1};
    other = (struct device){.name = 2};
    assert_int_equal(bus_add(&vm.memory_bus, DEVICE_AT, 0x1000, 8, &device_ops, &device), PL_OK);
    assert_int_equal(bus_add(&vm.memory_bus, OTHER_AT, 0x1000, 8, &device_ops, &other), PL_OK);
    *entry(PML4, 0) = PDPT | P;
    *entry(PDPT, 0) = PD | P;
    *entry(PD, 0) = PT_LOW | P;
    *entry(PD, 1) = PT_DATA | P;
    for (unsigned i = 0; i < FAKE_RAM / PAGE_SIZE; i++)
        *entry(PT_LOW, i) = i * PAGE_SIZE | P;
    *entry(PT_DATA, 0) = DEVICE_AT | P;
    *entry(PT_DATA, 1) = DEVICE_AT | P;
    fake.reg[VREG_CR0] = CR0_PE | CR0_PG | CR0_ET;
    fake.reg[VREG_CR3] = PML4;
    fake.reg[VREG_CR4] = CR4_PAE;
    fake.reg[VREG_EFER] = EFER_LME | EFER_LMA;
    for (unsigned i = 0; i < MMIO_MOVES; i++)
        vcpu.moves[i].access = 0;
    vcpu.gpr[GPR_RDI] = DATA;
    return 0;
}

static struct vm_exit exit_for(uint64_t gpa, bool write)
{
    struct vm_exit x = {0};
    vcpu.rip = fake.reg[VREG_RIP] = CODE;
    x.memory.gpa = GPA(gpa);
    x.memory.access = write ? MEMORY_WRITE : MEMORY_READ;
    x.memory.plain = true;
    x.memory.cr3 = fake.reg[VREG_CR3];
    return x;
}

/* Through the whole handler. */
static void go(uint64_t gpa, bool write)
{
    assert_int_equal(fake_exit(exit_for(gpa, write), EXIT_MEMORY, 0), OUTCOME_ADVANCE);
}

/* Would the short way do it? */
static bool again(uint64_t gpa, bool write)
{
    struct vm_exit x = exit_for(gpa, write);
    return mmio_move_again(&vcpu, &x);
}

static void loads(void **state)
{
    (void)state;
    PUT("\x8b\x5f\x10"); /* mov ebx, [rdi + 0x10] */
    assert_false(again(DEVICE_AT + 0x10, false));
    go(DEVICE_AT + 0x10, false);
    assert_true(again(DEVICE_AT + 0x10, false));
    vcpu.gpr[GPR_RBX] = UINT64_MAX;
    fake.reg[VREG_RFLAGS] = vcpu.rflags = RFLAGS_FIXED1 | RFLAGS_RF;
    go(DEVICE_AT + 0x10, false);
    assert_int_equal(vcpu.gpr[GPR_RBX], 0x110);
    assert_int_equal(vcpu.rip, CODE + 3);
    assert_int_equal(fake.reg[VREG_RFLAGS], RFLAGS_FIXED1); /* RF has done its duty */
    assert_int_equal(device.last.size, 4);
    /* Another register of the device, the same page. */
    vcpu.gpr[GPR_RDI] = DATA + 0x20;
    assert_true(again(DEVICE_AT + 0x30, false));
    assert_int_equal(device.last.offset, 0x30);
    /* Narrow ones leave the rest of the register. */
    PUT("\x66\x8b\x1f"); /* mov bx, [rdi] */
    vcpu.gpr[GPR_RDI] = DATA;
    go(DEVICE_AT, false);
    vcpu.gpr[GPR_RBX] = UINT64_MAX;
    assert_true(again(DEVICE_AT, false));
    assert_int_equal(vcpu.gpr[GPR_RBX], UINT64_C(0xffffffffffff0100));
    PUT("\x0f\xb6\x1f"); /* movzx ebx, byte [rdi] */
    go(DEVICE_AT + 0, false);
    vcpu.gpr[GPR_RBX] = UINT64_MAX;
    assert_true(again(DEVICE_AT, false));
    assert_int_equal(vcpu.gpr[GPR_RBX], 0);
    /* The base register is overwritten: learnt from what it was before. */
    PUT("\x8b\x3f"); /* mov edi, [rdi] */
    vcpu.gpr[GPR_RDI] = DATA + 8;
    go(DEVICE_AT + 8, false);
    vcpu.gpr[GPR_RDI] = DATA + 8;
    assert_true(again(DEVICE_AT + 8, false));
    assert_int_equal(vcpu.gpr[GPR_RDI], 0x108);
}

static void stores(void **state)
{
    (void)state;
    PUT("\x89\x5c\x4f\x04"); /* mov [rdi + 2 * rcx + 4], ebx */
    vcpu.gpr[GPR_RCX] = 4;
    vcpu.gpr[GPR_RBX] = UINT64_C(0x1122334455667788);
    go(DEVICE_AT + 0xc, true);
    assert_true(again(DEVICE_AT + 0xc, true));
    assert_int_equal(device.last.value, 0x55667788);
    assert_int_equal(device.last.offset, 0xc);
    assert_false(again(DEVICE_AT + 0xc, false)); /* says the CPU: a read */
    PUT("\xc7\x07\x78\x56\x34\x92"); /* mov dword [rdi], imm */
    go(DEVICE_AT, true);
    assert_true(again(DEVICE_AT, true));
    assert_int_equal(device.last.value, 0x92345678);
    assert_int_equal(device.count, 4);
}

static void what_is_not_learnt(void **state)
{
    (void)state;
    PUT("\x01\x1f"); /* add [rdi], ebx */
    go(DEVICE_AT, true);
    assert_false(again(DEVICE_AT, true));
    PUT("\x8a\x3f"); /* mov bh, [rdi] */
    go(DEVICE_AT, false);
    assert_false(again(DEVICE_AT, false));
    PUT("\x64\x8b\x1f"); /* mov ebx, fs:[rdi] */
    go(DEVICE_AT, false);
    assert_false(again(DEVICE_AT, false));
    PUT("\x8b\x1f");
    go(DEVICE_AT, false);
    vcpu.gpr[GPR_RDI] = DATA + 2; /* misaligned: it might cross a page, or want #AC */
    assert_false(again(DEVICE_AT + 2, false));
    vcpu.gpr[GPR_RDI] = DATA + 0x1000; /* another page, though the same device */
    assert_false(again(DEVICE_AT, false));
    vcpu.gpr[GPR_RDI] = DATA;
    assert_true(again(DEVICE_AT, false));
    assert_false(again(DEVICE_AT + 4, false)); /* the CPU speaks of another place */
}

/* Whatever led to the instruction or the operand changes in memory: the next exit sees it. */
static void changes_are_seen(void **state)
{
    (void)state;
    PUT("\x8b\x1f");
    go(DEVICE_AT, false);
    PUT("\x8b\x0f"); /* mov ecx, [rdi]: modified code */
    assert_false(again(DEVICE_AT, false));
    go(DEVICE_AT, false);
    assert_int_equal(vcpu.gpr[GPR_RCX], 0x100);
    *entry(PT_DATA, 0) = OTHER_AT | P; /* another device */
    assert_false(again(DEVICE_AT, false));
    assert_false(again(OTHER_AT, false));
    go(OTHER_AT, false);
    assert_int_equal(vcpu.gpr[GPR_RCX], 0x200);
    assert_true(again(OTHER_AT, false));
    /* Code elsewhere: the page holds the bytes of another instruction. */
    memset(ram + 0x3000, 0x90, 16);
    memcpy(ram + 0x3000, "\x8b\x17", 2); /* mov edx, [rdi] */
    *entry(PT_LOW, 1) = 0x3000 | P;
    assert_false(again(OTHER_AT, false));
    go(OTHER_AT, false);
    assert_int_equal(vcpu.gpr[GPR_RDX], 0x200);
    /* Another address space at the same place. */
    memcpy(ram + 0xd000, ram + PML4, PAGE_SIZE);
    fake.reg[VREG_CR3] = 0xd000;
    assert_false(again(OTHER_AT, false));
    fake.reg[VREG_CR3] = PML4;
    assert_true(again(OTHER_AT, false));
    /* Any level will do. */
    static const unsigned tables[] = {PML4, PDPT, PD};
    for (unsigned i = 0; i < ARRAY_LEN(tables); i++) {
        *entry(tables[i], 0) ^= BIT(9); /* even a bit that software may use */
        assert_false(again(OTHER_AT, false));
        go(OTHER_AT, false);
        assert_true(again(OTHER_AT, false));
    }
}

static void accessed_and_dirty_are_set_again(void **state)
{
    (void)state;
    PUT("\x89\x1f"); /* mov [rdi], ebx */
    go(DEVICE_AT, true);
    assert_int_equal(*entry(PT_DATA, 0), DEVICE_AT | P | A | D);
    *entry(PT_DATA, 0) &= ~D;
    assert_false(again(DEVICE_AT, true));
    go(DEVICE_AT, true);
    assert_int_equal(*entry(PT_DATA, 0), DEVICE_AT | P | A | D);
    *entry(PT_LOW, 1) &= ~A; /* the instruction's */
    assert_false(again(DEVICE_AT, true));
    go(DEVICE_AT, true);
    assert_int_equal(*entry(PT_LOW, 1), 0x1000 | P | A);
    assert_true(again(DEVICE_AT, true));
}

static void a_step_is_minded(void **state)
{
    (void)state;
    PUT("\x8b\x1f");
    go(DEVICE_AT, false);
    struct vm_exit x = exit_for(DEVICE_AT, false);
    unsigned before = fake.finished_steps;
    assert_int_equal(fake_exit(x, EXIT_MEMORY, 0), OUTCOME_ADVANCE);
    assert_int_equal(fake.finished_steps, before);
    x = exit_for(DEVICE_AT, false);
    x.slow_step = true;
    assert_int_equal(fake_exit(x, EXIT_MEMORY, 0), OUTCOME_ADVANCE);
    assert_int_equal(fake.finished_steps, before + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(loads, setup),
        cmocka_unit_test_setup(stores, setup),
        cmocka_unit_test_setup(what_is_not_learnt, setup),
        cmocka_unit_test_setup(changes_are_seen, setup),
        cmocka_unit_test_setup(accessed_and_dirty_are_set_again, setup),
        cmocka_unit_test_setup(a_step_is_minded, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
