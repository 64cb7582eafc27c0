/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exits that move bytes: ports, strings, device memory, hypercalls; and that a console which is
 * behind makes a guest wait instead of losing its text. The devices are a VM's real ones, and one
 * on the memory bus that notes what it is asked.
 */
#include "tests/unit/fake_core.h"

#define DEVICE_AT   UINT64_C(0xfed00000)
#define DEVICE_SIZE 0x100u
#define PORT_AT     0x500u

/* Answers offset + 0x80 in each byte. */
static struct device {
    unsigned count;
    struct io_access last;
} device;

static void device_access(void *dev, struct io_access *a)
{
    struct device *d = dev;
    d->count++;
    d->last = *a;
    if (a->write)
        return;
    a->value = 0;
    for (unsigned i = 0; i < a->size; i++)
        a->value |= (0x80 + a->offset + i) << 8 * i;
}

static const struct device_ops device_ops = {.access = device_access};

static int setup(void **state)
{
    fake_setup(state);
    memset(&device, 0, sizeof(device));
    assert_int_equal(bus_add(&vm.memory_bus, DEVICE_AT, DEVICE_SIZE, 8, &device_ops, &device),
                     PL_OK);
    assert_int_equal(bus_add(&vm.ports, PORT_AT, 16, 4, &device_ops, &device), PL_OK);
    return 0;
}

/* --- ports ------------------------------------------------------------------------------------ */

static enum outcome io(uint16_t port, unsigned size, bool in)
{
    struct vm_exit x = {0};
    x.io.port = port;
    x.io.size = (uint8_t)size;
    x.io.out = !in;
    return fake_exit(x, EXIT_IO, 2);
}

static void in_merges_the_accumulator(void **state)
{
    (void)state;
    vcpu.gpr[GPR_RAX] = UINT64_C(0x1122334455667788);
    assert_int_equal(io(PORT_AT, 1, true), OUTCOME_ADVANCE);
    assert_int_equal(vcpu.gpr[GPR_RAX], UINT64_C(0x1122334455667780));
    assert_int_equal(io(PORT_AT + 2, 2, true), OUTCOME_ADVANCE);
    assert_int_equal(vcpu.gpr[GPR_RAX], UINT64_C(0x1122334455668382));
    assert_int_equal(io(PORT_AT + 4, 4, true), OUTCOME_ADVANCE);
    assert_int_equal(vcpu.gpr[GPR_RAX], 0x87868584); /* as every 32-bit result does */
    assert_int_equal(vcpu.rip, 0x1006);
}

static uint64_t in(uint16_t port, unsigned size)
{
    vcpu.gpr[GPR_RAX] = UINT64_C(0x1122334455667788);
    assert_int_equal(io(port, size, true), OUTCOME_ADVANCE);
    return vcpu.gpr[GPR_RAX];
}

static void out_value(uint16_t port, unsigned size, uint32_t value)
{
    vcpu.gpr[GPR_RAX] = value;
    assert_int_equal(io(port, size, false), OUTCOME_ADVANCE);
}

/* The ports that exit_io() reads and writes itself say what their devices would. */
static void ports_that_are_one_word(void **state)
{
    (void)state;
    out_value(0x21, 1, 0xb8);
    out_value(0xa1, 1, 0x47);
    assert_int_equal(in(0x21, 1), UINT64_C(0x11223344556677b8));
    assert_int_equal(in(0xa1, 1), UINT64_C(0x1122334455667747));
    out_value(0xcf8, 4, 0x80001234);
    assert_int_equal(in(0xcf8, 4), 0x80001234);
    assert_int_equal(in(0xcf8, 1), UINT64_C(0x11223344556677ff)); /* no such access */
    out_value(0x80, 1, 0x1a5);
    assert_int_equal(vm.debug.post, 0xa5);
    out_value(0x80, 2, 0xff5a); /* a wider one: the device's own way */
    assert_int_equal(vm.debug.post, 0x5a);
}

/* The next read after a poll command is an acknowledge, at either port; then comes the mask. */
static void a_polled_pic_is_no_word(void **state)
{
    (void)state;
    out_value(0x21, 1, 0xb8);
    out_value(0x20, 1, 0x0c);
    assert_int_equal(in(0x21, 1) & 0xff, 0); /* nothing waits */
    assert_int_equal(in(0x21, 1) & 0xff, 0xb8);
}

static void in_from_nobody(void **state)
{
    (void)state;
    vcpu.gpr[GPR_RAX] = UINT64_C(0x1122334455667788);
    io(0x700, 1, true);
    assert_int_equal(vcpu.gpr[GPR_RAX], UINT64_C(0x11223344556677ff));
    io(0x700, 2, true);
    assert_int_equal(vcpu.gpr[GPR_RAX], UINT64_C(0x112233445566ffff));
    io(0x700, 4, true);
    assert_int_equal(vcpu.gpr[GPR_RAX], 0xffffffff);
}

static void out_cuts_the_accumulator(void **state)
{
    static const struct {
        unsigned size;
        uint64_t value;
    } rows[] = {{1, 0x88}, {2, 0x7788}, {4, 0x55667788}};
    (void)state;
    vcpu.gpr[GPR_RAX] = UINT64_C(0x1122334455667788);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(io(PORT_AT + 8, rows[i].size, false), OUTCOME_ADVANCE);
        assert_true(device.last.write);
        assert_int_equal(device.last.offset, 8);
        assert_int_equal(device.last.size, rows[i].size);
        assert_int_equal(device.last.value, rows[i].value);
    }
    assert_int_equal(vcpu.gpr[GPR_RAX], UINT64_C(0x1122334455667788));
}

static void out_to_the_exit_port(void **state)
{
    (void)state;
    vcpu.gpr[GPR_RAX] = UINT64_C(0xffffffff00000003);
    assert_int_equal(io(VDEBUG_EXIT_PORT, 1, false), OUTCOME_STOP);
    assert_int_equal(fake.stopped, STOP_EXIT);
    assert_int_equal(vm.status, 3);
}

static void out_to_the_reset_port(void **state)
{
    (void)state;
    vcpu.gpr[GPR_RAX] = 0xfe;
    assert_int_equal(io(VKBC_COMMAND_PORT, 1, false), OUTCOME_STOP);
    assert_int_equal(fake.stopped, STOP_RESET);
}

static void say(uint16_t port, const char *text)
{
    for (; *text; text++) {
        vcpu.gpr[GPR_RAX] = (uint8_t)*text;
        assert_int_equal(io(port, 1, false), OUTCOME_ADVANCE);
    }
}

static void console_bytes_become_lines(void **state)
{
    (void)state;
    say(VDEBUG_CONSOLE_PORT, "by e9");
    assert_int_equal(fake.lines, 0);
    assert_int_equal(vm.last_console_byte, '9');
    say(VDEBUG_CONSOLE_PORT, "\n");
    assert_string_equal(fake.line, "by e9");
    say(COM1, "by the UART\n");
    assert_string_equal(fake.line, "by the UART");
    assert_int_equal(fake.lines, 2);
    assert_int_equal(vm.debug.console_lost, 0);
    assert_int_equal(vm.uart.tx_lost, 0);
}

static void full_console_makes_it_wait(void **state)
{
    static const uint16_t ports[] = {COM1, VDEBUG_CONSOLE_PORT};
    (void)state;
    fake.console_full = true;
    vcpu.gpr[GPR_RAX] = 'x';
    for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
        vcpu.requests = 0;
        vcpu.stalled = false;
        assert_int_equal(io(ports[i], 1, false), OUTCOME_RETRY);
        assert_int_equal(vcpu.requests, REQUEST_RESCHEDULE);
        assert_true(vcpu.stalled);
        assert_int_equal(vcpu.rip, 0x1000);
        assert_false(vm.console_used);
        assert_int_equal(io(ports[i], 1, true), OUTCOME_ADVANCE); /* reading never waits */
        assert_int_equal(io(0x80, 1, false), OUTCOME_ADVANCE);    /* nor do other ports */
        vcpu.rip = 0x1000;
    }
    fake.console_full = false;
    vcpu.gpr[GPR_RAX] = 'x';
    assert_int_equal(io(COM1, 1, false), OUTCOME_ADVANCE);
    assert_int_equal(vm.last_console_byte, 'x');
}

/* --- strings ---------------------------------------------------------------------------------- */

static enum outcome string(uint16_t port, unsigned size, bool in, bool slow)
{
    struct vm_exit x = {.slow_step = slow};
    x.io.port = port;
    x.io.size = (uint8_t)size;
    x.io.out = !in;
    x.io.odd = IO_STRING | IO_REP;
    x.io.address_size = 8;
    x.io.segment = in ? SEG_ES : SEG_DS;
    return fake_exit(x, EXIT_IO, 2);
}

static void rep_outs(void **state)
{
    (void)state;
    memcpy(ram + 0x2000, "a line by REP OUTSB\n", 20);
    vcpu.gpr[GPR_RSI] = 0x2000;
    vcpu.gpr[GPR_RCX] = 20;
    assert_int_equal(string(COM1, 1, false, false), OUTCOME_ADVANCE);
    assert_string_equal(fake.line, "a line by REP OUTSB");
    assert_int_equal(vcpu.gpr[GPR_RCX], 0);
    assert_int_equal(vcpu.gpr[GPR_RSI], 0x2014);
    assert_int_equal(vcpu.rip, 0x1002);
}

static void rep_goes_in_chunks(void **state)
{
    (void)state;
    vcpu.gpr[GPR_RSI] = 0x2000;
    vcpu.gpr[GPR_RCX] = STRING_CHUNK + 1;
    assert_int_equal(string(PORT_AT, 1, false, true), OUTCOME_RETRY);
    assert_int_equal(device.count, STRING_CHUNK);
    assert_true(fake.reg[VREG_RFLAGS] & RFLAGS_RF); /* a breakpoint on it is not met again */
    assert_int_equal(vcpu.gpr[GPR_RCX], 1);
    assert_int_equal(vcpu.rip, 0x1000);
    assert_int_equal(fake.finished_steps, 1); /* the shadow ends with the first iteration */
    assert_int_equal(string(PORT_AT, 1, false, false), OUTCOME_ADVANCE);
    assert_int_equal(device.count, STRING_CHUNK + 1);
    assert_int_equal(vcpu.rip, 0x1002);
}

static void rep_ins_backward(void **state)
{
    (void)state;
    vcpu.rflags |= RFLAGS_DF;
    vcpu.gpr[GPR_RDI] = 0x2006;
    vcpu.gpr[GPR_RCX] = 2;
    assert_int_equal(string(PORT_AT, 2, true, false), OUTCOME_ADVANCE);
    assert_memory_equal(ram + 0x2004, "\x80\x81\x80\x81", 4);
    assert_int_equal(vcpu.gpr[GPR_RDI], 0x2002);
}

static void rep_faults(void **state)
{
    (void)state;
    /* A non-canonical pointer: #GP, and #SS for SS; nothing has reached the port. */
    vcpu.gpr[GPR_RSI] = BIT(60);
    vcpu.gpr[GPR_RCX] = 2;
    fake_assert_fault(string(PORT_AT, 1, false, false), VECTOR_GP, 0);
    assert_int_equal(device.count, 0);
    /* Beyond the segment's limit, outside 64-bit code. */
    fake.code_bits = 32;
    fake.segment[SEG_DS].limit = 0x2000;
    vcpu.gpr[GPR_RSI] = 0x2000;
    fake_assert_fault(string(PORT_AT, 1, false, false), VECTOR_GP, 0);
    assert_int_equal(device.count, 1);
    assert_int_equal(vcpu.gpr[GPR_RCX], 1); /* the first iteration counts */
    /* A single step sees one iteration, whatever the count is. */
    fake.segment[SEG_DS].limit = UINT32_MAX;
    vcpu.rflags |= RFLAGS_TF;
    vcpu.gpr[GPR_RCX] = 9;
    assert_int_equal(string(PORT_AT, 1, false, true), OUTCOME_RETRY);
    assert_int_equal(vcpu.gpr[GPR_RCX], 8);
}

/* Where RAM ends, a string goes on to whatever device is there, or to nobody. */
static void string_to_no_ram(void **state)
{
    (void)state;
    vcpu.gpr[GPR_RDI] = FAKE_RAM - 1;
    vcpu.gpr[GPR_RCX] = 2;
    assert_int_equal(string(PORT_AT, 1, true, false), OUTCOME_ADVANCE);
    assert_int_equal(ram[FAKE_RAM - 1], 0x80);
    assert_int_equal(device.count, 2);
    assert_int_equal(fake.stopped, STOP_NONE);
    /* To the device on the memory bus, which is the one at the port as well. */
    vcpu.gpr[GPR_RDI] = DEVICE_AT + 6;
    vcpu.gpr[GPR_RCX] = 1;
    assert_int_equal(string(PORT_AT + 4, 4, true, false), OUTCOME_ADVANCE);
    assert_int_equal(device.count, 4);
    assert_true(device.last.write);
    assert_int_equal(device.last.offset, 6);
    assert_int_equal(device.last.size, 4);
    assert_int_equal(device.last.value, 0x87868584);
}

/* --- device memory ---------------------------------------------------------------------------- */

/* The instruction's operand is [RDI]. */
static enum outcome memory(uint64_t gpa, bool write, const char *code, size_t n)
{
    struct vm_exit x = {0};
    memcpy(ram + 0x1000, code, n);
    vcpu.gpr[GPR_RDI] = gpa;
    vcpu.rip = 0; /* not an instruction exit: the handler asks the backend */
    fake.reg[VREG_RIP] = 0x1000;
    x.memory.gpa = GPA(gpa);
    x.memory.access = write ? MEMORY_WRITE : MEMORY_READ;
    return fake_exit(x, EXIT_MEMORY, 0);
}
#define MEMORY(gpa, write, code) memory(gpa, write, code, sizeof(code) - 1)

static void mmio_loads(void **state)
{
    (void)state;
    vcpu.gpr[GPR_RBX] = UINT64_MAX;
    assert_int_equal(MEMORY(DEVICE_AT + 4, false, "\x8b\x1f"), OUTCOME_ADVANCE); /* mov ebx */
    assert_int_equal(vcpu.gpr[GPR_RBX], 0x87868584);
    assert_int_equal(vcpu.rip, 0x1002);
    assert_int_equal(fake.finished_steps, 1);
    vcpu.gpr[GPR_RBX] = UINT64_MAX;
    MEMORY(DEVICE_AT, false, "\x66\x8b\x1f"); /* mov bx */
    assert_int_equal(vcpu.gpr[GPR_RBX], UINT64_C(0xffffffffffff8180));
    MEMORY(DEVICE_AT, false, "\x8a\x3f"); /* mov bh */
    assert_int_equal(vcpu.gpr[GPR_RBX], UINT64_C(0xffffffffffff8080));
    MEMORY(DEVICE_AT, false, "\x48\x8b\x1f"); /* mov rbx */
    assert_int_equal(vcpu.gpr[GPR_RBX], UINT64_C(0x8786858483828180));
    MEMORY(DEVICE_AT, false, "\x0f\xb6\x1f"); /* movzx ebx, byte */
    assert_int_equal(vcpu.gpr[GPR_RBX], 0x80);
    MEMORY(DEVICE_AT, false, "\x0f\xbe\x1f"); /* movsx ebx, byte */
    assert_int_equal(vcpu.gpr[GPR_RBX], 0xffffff80);
    MEMORY(DEVICE_AT, false, "\x48\x0f\xbf\x1f"); /* movsx rbx, word */
    assert_int_equal(vcpu.gpr[GPR_RBX], UINT64_C(0xffffffffffff8180));
    assert_int_equal(vcpu.rip, 0x1004);
    MEMORY(DEVICE_AT, false, "\x48\x8b\x27"); /* mov rsp: the backend's */
    assert_int_equal(fake.reg[VREG_RSP], UINT64_C(0x8786858483828180));
    assert_int_equal(device.count, 8);
}

static void mmio_stores(void **state)
{
    (void)state;
    vcpu.gpr[GPR_RBX] = UINT64_C(0x1122334455667788);
    assert_int_equal(MEMORY(DEVICE_AT + 8, true, "\x89\x1f"), OUTCOME_ADVANCE);
    assert_true(device.last.write);
    assert_int_equal(device.last.offset, 8);
    assert_int_equal(device.last.size, 4);
    assert_int_equal(device.last.value, 0x55667788);
    MEMORY(DEVICE_AT, true, "\x88\x3f"); /* mov [], bh */
    assert_int_equal(device.last.size, 1);
    assert_int_equal(device.last.value, 0x77);
    MEMORY(DEVICE_AT, true, "\x48\x89\x1f");
    assert_int_equal(device.last.value, UINT64_C(0x1122334455667788));
    MEMORY(DEVICE_AT, true, "\x48\xc7\x07\xfe\xff\xff\xff"); /* mov qword [], -2 */
    assert_int_equal(device.last.value, UINT64_C(0xfffffffffffffffe));
    MEMORY(DEVICE_AT, true, "\x66\xc7\x07\x34\x12");
    assert_int_equal(device.last.size, 2);
    assert_int_equal(device.last.value, 0x1234);
    assert_int_equal(vcpu.gpr[GPR_RBX], UINT64_C(0x1122334455667788));
}

static void mmio_nobody(void **state)
{
    (void)state;
    vcpu.gpr[GPR_RBX] = 0;
    assert_int_equal(MEMORY(0xfeb00000, false, "\x8b\x1f"), OUTCOME_ADVANCE);
    assert_int_equal(vcpu.gpr[GPR_RBX], 0xffffffff);
    assert_int_equal(MEMORY(0xfeb00000, true, "\x89\x1f"), OUTCOME_ADVANCE);
    assert_int_equal(fake.stopped, STOP_NONE);
}

/* The region of the vCPU's own local APIC, wherever it has put it, comes before the bus. */
static void mmio_of_the_local_apic(void **state)
{
    (void)state;
    vcpu.gpr[GPR_RBX] = 0x50;
    assert_int_equal(MEMORY(0xfee00080, true, "\x89\x1f"), OUTCOME_ADVANCE);
    assert_int_equal(vlapic_tpr(&vcpu.apic), 0x50);
    vcpu.gpr[GPR_RBX] = 0;
    MEMORY(0xfee00080, false, "\x8b\x1f");
    assert_int_equal(vcpu.gpr[GPR_RBX], 0x50);
    uint64_t moved = DEVICE_AT | APIC_BASE_ENABLE | APIC_BASE_BSP;
    assert_true(vlapic_msr_write(&vcpu.apic, MSR_IA32_APIC_BASE, moved, fake.now));
    MEMORY(DEVICE_AT + 0x80, false, "\x8b\x1f");
    assert_int_equal(vcpu.gpr[GPR_RBX], 0x50);
    assert_int_equal(device.count, 0); /* it is covered */
    MEMORY(0xfee00080, false, "\x8b\x1f");
    assert_int_equal(vcpu.gpr[GPR_RBX], 0xffffffff);
    /* Another vCPU's is its own. */
    assert_int_equal(vlapic_tpr(&fake_add_vcpu(&sibling[0])->apic), 0);
}

static void mmio_xmm(void **state)
{
    (void)state;
    /* MOVUPS xmm1, [rdi]: #UD without OSFXSR, #NM with TS; nothing is read then. */
    assert_int_equal(MEMORY(DEVICE_AT, false, "\x0f\x10\x0f"), OUTCOME_FAULT);
    assert_int_equal(vcpu.exception.vector, VECTOR_UD);
    vcpu.exception_valid = false;
    fake.reg[VREG_CR4] |= CR4_OSFXSR;
    fake.reg[VREG_CR0] |= CR0_TS;
    assert_int_equal(MEMORY(DEVICE_AT, false, "\x0f\x10\x0f"), OUTCOME_FAULT);
    assert_int_equal(vcpu.exception.vector, VECTOR_NM);
    assert_int_equal(device.count, 0);
    vcpu.exception_valid = false;
    fake.reg[VREG_CR0] &= ~CR0_TS;
    assert_int_equal(MEMORY(DEVICE_AT, false, "\x0f\x10\x0f"), OUTCOME_ADVANCE);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(fake.xmm[1][i], 0x80 + i);
    assert_int_equal(MEMORY(DEVICE_AT + 0x20, true, "\x0f\x11\x0f"), OUTCOME_ADVANCE);
    assert_int_equal(device.last.offset, 0x28);
    assert_int_equal(device.last.value, UINT64_C(0x8f8e8d8c8b8a8988));
}

static void mmio_refused(void **state)
{
    struct vm_exit x = {0};
    (void)state;
    assert_int_equal(MEMORY(DEVICE_AT, true, "\x48\x0f\xae\x07"), OUTCOME_STOP); /* fxsave64 */
    assert_int_equal(fake.stopped, STOP_UNSUPPORTED);
    assert_non_null(strstr(fake.why, " 48 0f ae 07"));
    assert_int_equal(device.count, 0);
    /* The instruction itself is not in RAM. */
    fake.reg[VREG_RIP] = 0x20000;
    x.memory.gpa = GPA(DEVICE_AT);
    assert_int_equal(fake_exit(x, EXIT_MEMORY, 0), OUTCOME_STOP);
    assert_non_null(strstr(fake.why, "unreadable"));
    x.memory.access = MEMORY_FETCH;
    assert_int_equal(fake_exit(x, EXIT_MEMORY, 0), OUTCOME_STOP);
    assert_non_null(strstr(fake.why, "fetches instructions"));
    x.memory.access = MEMORY_READ;
    x.memory.table = true;
    assert_int_equal(fake_exit(x, EXIT_MEMORY, 0), OUTCOME_STOP);
    assert_non_null(strstr(fake.why, "page tables"));
    x.memory.table = false;
    vcpu.reinject_valid = true;
    assert_int_equal(fake_exit(x, EXIT_MEMORY, 0), OUTCOME_STOP);
    assert_non_null(strstr(fake.why, "delivery of an event"));
}

/* Only the exceptions that have an error code get one. */
static void mmio_error_codes(void **state)
{
    (void)state;
    static const struct { uint8_t vector; bool has_error; } rows[] = {
        {VECTOR_UD, false}, {VECTOR_NM, false}, {VECTOR_GP, true}, {VECTOR_SS, true},
        {VECTOR_AC, true}, {VECTOR_DB, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct linear l;
        linear_init(&l, &vcpu);
        mmio_ops.raise(&l, rows[i].vector, 0);
        assert_int_equal(l.outcome, OUTCOME_FAULT);
        assert_int_equal(vcpu.exception.vector, rows[i].vector);
        assert_int_equal(vcpu.exception.has_error, rows[i].has_error);
        vcpu.exception_valid = false;
    }
}

/* An instruction in RAM's last bytes is read as far as RAM goes. */
static void mmio_at_the_end_of_ram(void **state)
{
    struct vm_exit x = {0};
    (void)state;
    memcpy(ram + FAKE_RAM - 2, "\x8b\x1f", 2);
    fake.reg[VREG_RIP] = FAKE_RAM - 2;
    x.memory.gpa = GPA(DEVICE_AT);
    vcpu.gpr[GPR_RDI] = DEVICE_AT;
    assert_int_equal(fake_exit(x, EXIT_MEMORY, 0), OUTCOME_ADVANCE);
    assert_int_equal(vcpu.rip, FAKE_RAM);
    assert_int_equal(vcpu.gpr[GPR_RBX], 0x83828180);
    fake.reg[VREG_RIP] = FAKE_RAM - 1; /* 1F alone, with nothing behind: not an instruction */
    ram[FAKE_RAM - 1] = 0x8b;
    assert_int_equal(fake_exit(x, EXIT_MEMORY, 0), OUTCOME_STOP);
}

/* 16-bit code: RIP is an offset in CS, and BX one in DS. */
static void mmio_in_real_mode(void **state)
{
    struct vm_exit x = {0};
    (void)state;
    fake.code_bits = 16;
    fake.reg[VREG_CR0] = CR0_ET;
    fake.segment[SEG_CS].base = 0x3000;
    fake.segment[SEG_DS].base = DEVICE_AT;
    memcpy(ram + 0x3010, "\x8b\x1f", 2); /* mov bx, [bx] */
    fake.reg[VREG_RIP] = 0x10;
    x.memory.gpa = GPA(DEVICE_AT);
    vcpu.gpr[GPR_RBX] = 0x11110000;
    assert_int_equal(fake_exit(x, EXIT_MEMORY, 0), OUTCOME_ADVANCE);
    assert_int_equal(vcpu.gpr[GPR_RBX], 0x11118180);
    assert_int_equal(vcpu.rip, 0x12);
}

/* --- hypercalls ------------------------------------------------------------------------------- */

static uint64_t call(uint64_t number, uint64_t a, uint64_t b, enum outcome want)
{
    vcpu.rip = 0x1000;
    vcpu.gpr[GPR_RAX] = number;
    vcpu.gpr[GPR_RDI] = a;
    vcpu.gpr[GPR_RSI] = b;
    struct vm_exit x = {0};
    if (!fake.cpl)
        x.call_mask = fake.code_bits == 64 ? UINT64_MAX : UINT32_MAX;
    assert_int_equal(fake_exit(x, EXIT_VMCALL, 3), want);
    assert_int_equal(vcpu.gpr[GPR_RDI], a);
    assert_int_equal(vcpu.gpr[GPR_RSI], b);
    return vcpu.gpr[GPR_RAX];
}

static void hypercall_errors(void **state)
{
    (void)state;
    assert_true(call(5, 0, 0, OUTCOME_ADVANCE) == (uint64_t)PLINTH_ENOSYS);
    assert_true(call(UINT64_MAX, 0, 0, OUTCOME_ADVANCE) == (uint64_t)PLINTH_ENOSYS);
    assert_true(call(BIT(32), 0, 0, OUTCOME_ADVANCE) == (uint64_t)PLINTH_ENOSYS);
    assert_int_equal(vcpu.rip, 0x1003);
    fake.cpl = 3;
    assert_true(call(PLINTH_TIME, 0, 0, OUTCOME_ADVANCE) == (uint64_t)PLINTH_EPERM);
    assert_true(call(PLINTH_EXIT, 0, 0, OUTCOME_ADVANCE) == (uint64_t)PLINTH_EPERM);
    assert_true(call(5, 0, 0, OUTCOME_ADVANCE) == (uint64_t)PLINTH_EPERM);
    assert_int_equal(fake.stopped, STOP_NONE);
}

static void hypercall_from_32_bit_code(void **state)
{
    (void)state;
    fake.code_bits = 32;
    memcpy(ram + 0x2000, "hi\n", 3);
    /* Upper halves of every register are nothing to a 32-bit caller. */
    assert_int_equal(call(UINT64_C(0xaaaaaaaa00000001), UINT64_C(0xbbbbbbbb00002000),
                          UINT64_C(0xcccccccc00000003), OUTCOME_ADVANCE), 3);
    assert_string_equal(fake.line, "hi");
    assert_int_equal(call(5, 0, 0, OUTCOME_ADVANCE), (uint32_t)PLINTH_ENOSYS);
    assert_int_equal(call(PLINTH_VERSION, 0, 0, OUTCOME_ADVANCE), PLINTH_ABI_VERSION);
}

static void hypercall_version_and_time(void **state)
{
    (void)state;
    assert_int_equal(call(PLINTH_VERSION, 0, 0, OUTCOME_ADVANCE),
                     PLINTH_ABI_VERSION | (uint64_t)PLINTH_FEATURE_SLEEP << 32);
    assert_int_equal(call(PLINTH_TIME, 0, 0, OUTCOME_ADVANCE), FAKE_UPTIME);
}

static void hypercall_console(void **state)
{
    uint64_t efault = (uint64_t)PLINTH_EFAULT, einval = (uint64_t)PLINTH_EINVAL;
    (void)state;
    memset(ram + 0x2000, 'x', PLINTH_CONSOLE_MAX);
    assert_int_equal(call(PLINTH_CONSOLE_WRITE, 0x2000, 0, OUTCOME_ADVANCE), 0);
    assert_false(vm.console_used);
    assert_int_equal(call(PLINTH_CONSOLE_WRITE, 0x2000, PLINTH_CONSOLE_MAX, OUTCOME_ADVANCE),
                     PLINTH_CONSOLE_MAX);
    assert_true(vm.console_used);
    vm.console_used = false;
    assert_true(call(PLINTH_CONSOLE_WRITE, 0x2000, PLINTH_CONSOLE_MAX + 1, OUTCOME_ADVANCE) ==
                einval);
    assert_true(call(PLINTH_CONSOLE_WRITE, 0x2000, UINT64_MAX, OUTCOME_ADVANCE) == einval);
    assert_true(call(PLINTH_CONSOLE_WRITE, FAKE_RAM - 1, 2, OUTCOME_ADVANCE) == efault);
    assert_true(call(PLINTH_CONSOLE_WRITE, UINT64_MAX, 2, OUTCOME_ADVANCE) == efault);
    assert_true(call(PLINTH_CONSOLE_WRITE, BIT(63), 1, OUTCOME_ADVANCE) == efault);
    assert_false(vm.console_used);
    assert_int_equal(call(PLINTH_CONSOLE_WRITE, FAKE_RAM - 1, 1, OUTCOME_ADVANCE), 1);
}

static void hypercall_waits_for_the_console(void **state)
{
    (void)state;
    fake.console_full = true;
    /* The number stays in RAX: the guest runs into the same VMCALL again. */
    assert_int_equal(call(PLINTH_CONSOLE_WRITE, 0x2000, 4, OUTCOME_RETRY), PLINTH_CONSOLE_WRITE);
    assert_int_equal(vcpu.rip, 0x1000);
    assert_int_equal(vcpu.requests, REQUEST_RESCHEDULE);
    assert_true(vcpu.stalled);
    assert_false(vm.console_used);
}

static void hypercall_yield(void **state)
{
    (void)state;
    assert_int_equal(call(PLINTH_YIELD, 0, 0, OUTCOME_ADVANCE), 0);
    assert_int_equal(vcpu.requests, REQUEST_RESCHEDULE);
    vcpu.requests = 0;
    /* A time that has passed, and this very moment, are no sleep. */
    assert_int_equal(call(PLINTH_YIELD, 1, 0, OUTCOME_ADVANCE), 0);
    assert_int_equal(call(PLINTH_YIELD, FAKE_UPTIME, 0, OUTCOME_ADVANCE), 0);
    assert_int_equal(vcpu.requests, 0);
    assert_int_equal(call(PLINTH_YIELD, FAKE_UPTIME + 10, 0, OUTCOME_BLOCK), 0);
    assert_int_equal(vcpu.wake_at, FAKE_NOW + 20);
    assert_int_equal(vcpu.rip, 0x1003);
}

static void hypercall_exit(void **state)
{
    (void)state;
    call(PLINTH_EXIT, UINT64_C(0x700000009), 0, OUTCOME_STOP);
    assert_int_equal(fake.stopped, STOP_EXIT);
    assert_int_equal(vm.status, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(in_merges_the_accumulator, setup),
        cmocka_unit_test_setup(in_from_nobody, setup),
        cmocka_unit_test_setup(out_cuts_the_accumulator, setup),
        cmocka_unit_test_setup(out_to_the_exit_port, setup),
        cmocka_unit_test_setup(out_to_the_reset_port, setup),
        cmocka_unit_test_setup(console_bytes_become_lines, setup),
        cmocka_unit_test_setup(full_console_makes_it_wait, setup),
        cmocka_unit_test_setup(rep_outs, setup),
        cmocka_unit_test_setup(rep_goes_in_chunks, setup),
        cmocka_unit_test_setup(rep_ins_backward, setup),
        cmocka_unit_test_setup(rep_faults, setup),
        cmocka_unit_test_setup(string_to_no_ram, setup),
        cmocka_unit_test_setup(mmio_error_codes, setup),
        cmocka_unit_test_setup(mmio_loads, setup),
        cmocka_unit_test_setup(mmio_stores, setup),
        cmocka_unit_test_setup(mmio_nobody, setup),
        cmocka_unit_test_setup(mmio_of_the_local_apic, setup),
        cmocka_unit_test_setup(mmio_xmm, setup),
        cmocka_unit_test_setup(mmio_refused, setup),
        cmocka_unit_test_setup(mmio_at_the_end_of_ram, setup),
        cmocka_unit_test_setup(mmio_in_real_mode, setup),
        cmocka_unit_test_setup(hypercall_errors, setup),
        cmocka_unit_test_setup(hypercall_from_32_bit_code, setup),
        cmocka_unit_test_setup(hypercall_version_and_time, setup),
        cmocka_unit_test_setup(hypercall_console, setup),
        cmocka_unit_test_setup(hypercall_waits_for_the_console, setup),
        cmocka_unit_test_setup(hypercall_yield, setup),
        cmocka_unit_test_setup(hypercall_exit, setup),
        cmocka_unit_test_setup(ports_that_are_one_word, setup),
        cmocka_unit_test_setup(a_polled_pic_is_no_word, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
