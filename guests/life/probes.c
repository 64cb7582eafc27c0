/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a new machine looks like, as a table. Values are those after power-on and, where the loader
 * or a PC's firmware would have set something, as docs/abi.md says.
 */
#include "guests/life/life.h"

#define LAPIC  0xfee00000u
#define IOAPIC 0xfec00000u

static volatile uint32_t *at32(uint32_t address)
{
    return (volatile uint32_t *)(uintptr_t)address;
}

static uint64_t port8_read(uint32_t port)
{
    return in8((uint16_t)port);
}

static void port8_write(uint32_t port, uint64_t value)
{
    out8((uint16_t)port, (uint8_t)value);
}

static uint64_t port16_read(uint32_t port)
{
    return in16((uint16_t)port);
}

static void port16_write(uint32_t port, uint64_t value)
{
    out16((uint16_t)port, (uint16_t)value);
}

static uint64_t port32_read(uint32_t port)
{
    return in32((uint16_t)port);
}

static void port32_write(uint32_t port, uint64_t value)
{
    out32((uint16_t)port, (uint32_t)value);
}

static uint64_t cmos_read(uint32_t index)
{
    out8(0x70, (uint8_t)index);
    return in8(0x71);
}

static void cmos_write(uint32_t index, uint64_t value)
{
    out8(0x70, (uint8_t)index);
    out8(0x71, (uint8_t)value);
}

static uint64_t kbc_read(uint32_t index)
{
    out8(0x64, (uint8_t)(0x20 + index));
    return in8(0x60);
}

static void kbc_write(uint32_t index, uint64_t value)
{
    out8(0x64, (uint8_t)(0x60 + index));
    out8(0x60, (uint8_t)value);
}

static uint64_t lapic_read(uint32_t offset)
{
    return *at32(LAPIC + offset);
}

static void lapic_write(uint32_t offset, uint64_t value)
{
    *at32(LAPIC + offset) = (uint32_t)value;
}

/* A vector that waits in IRR because interrupts are off. */
static void lapic_send_self(uint32_t offset, uint64_t vector)
{
    (void)offset;
    lapic_write(0x300, 0x44000 | vector);
}

static uint64_t ioapic_read(uint32_t index)
{
    *at32(IOAPIC) = index;
    return *at32(IOAPIC + 0x10);
}

static void ioapic_write(uint32_t index, uint64_t value)
{
    *at32(IOAPIC) = index;
    *at32(IOAPIC + 0x10) = (uint32_t)value;
}

/* The counter's latched status: output, null count, access, mode. */
static uint64_t pit_read(uint32_t channel)
{
    out8(0x43, (uint8_t)(0xe0 | 2u << channel));
    return in8((uint16_t)(0x40 + channel));
}

static void pit_write(uint32_t channel, uint64_t control)
{
    out8(0x43, (uint8_t)(channel << 6 | control));
    out8((uint16_t)(0x40 + channel), 0x34);
    out8((uint16_t)(0x40 + channel), 0x12);
}

static uint64_t msr_read(uint32_t msr)
{
    return rdmsr(msr);
}

static void msr_write(uint32_t msr, uint64_t value)
{
    wrmsr(msr, value);
}

static uint64_t cr2_read(uint32_t unused)
{
    (void)unused;
    return read_cr2();
}

static void cr2_write(uint32_t unused, uint64_t value)
{
    (void)unused;
    write_cr2(value);
}

static uint64_t cr8_read(uint32_t unused)
{
    (void)unused;
    return read_cr8();
}

static void cr8_write(uint32_t unused, uint64_t value)
{
    (void)unused;
    write_cr8(value);
}

static uint64_t dr6_read(uint32_t unused)
{
    (void)unused;
    return read_dr6();
}

static void dr6_write(uint32_t unused, uint64_t value)
{
    (void)unused;
    write_dr6(value);
}

static uint64_t dr0_read(uint32_t unused)
{
    uint64_t value;
    (void)unused;
    __asm__ volatile("mov %%dr0, %0" : "=r"(value));
    return value;
}

static void dr0_write(uint32_t unused, uint64_t value)
{
    (void)unused;
    __asm__ volatile("mov %0, %%dr0" : : "r"(value));
}

#define PORT8   port8_read, port8_write
#define PORT16  port16_read, port16_write
#define PORT32  port32_read, port32_write
#define CMOS    cmos_read, cmos_write
#define KBC     kbc_read, kbc_write
#define APIC    lapic_read, lapic_write
#define REDIR   ioapic_read, ioapic_write
#define PIT     pit_read, pit_write
#define MSR     msr_read, msr_write

const struct probe probes[] = {
    {"8259 master IMR", PORT8, 0x21, 0xff, 0x5a, 0},
    {"8259 slave IMR", PORT8, 0xa1, 0xff, 0xa5, 0},
    {"ELCR 1", PORT8, 0x4d0, 0, 0x20, 0},
    {"ELCR 2", PORT8, 0x4d1, 0, 0x0e, 0},
    {"PIT 0", PIT, 0, 0x30, 0x34, 0x3f},
    {"PIT 2", PIT, 2, 0x30, 0x36, 0x3f},
    {"port 61h", PORT8, 0x61, 0, 3, 3},
    {"COM1 IER", PORT8, 0x3f9, 0, 0x0f, 0},
    {"COM1 LCR", PORT8, 0x3fb, 0, 0x1b, 0},
    {"COM1 MCR", PORT8, 0x3fc, 0, 0x0b, 0},
    {"COM1 scratch", PORT8, 0x3ff, 0, 0x77, 0},
    {"COM1 FIFOs", PORT8, 0x3fa, 0, 0x01, 0xc0},
    {"COM2 IER", PORT8, 0x2f9, 0, 0x0f, 0},
    {"COM2 scratch", PORT8, 0x2ff, 0, 0x88, 0},
    {"CMOS A", CMOS, 0x0a, 0x26, 0x2f, 0x7f},
    {"CMOS B", CMOS, 0x0b, 0x02, 0x46, 0},
    {"CMOS hour of alarm", CMOS, 0x05, 0, 0x23, 0},
    {"CMOS byte 50h", CMOS, 0x50, 0, 0xc3, 0},
    {"CMOS byte 7Fh", CMOS, 0x7f, 0, 0x3c, 0},
    {"keyboard command byte", KBC, 0, 0x65, 0x34, 0},
    {"keyboard RAM 1Fh", KBC, 0x1f, 0, 0x99, 0},
    {"PM1 enable", PORT16, 0x602, 0, 0x20, 0},
    {"PM1 control", PORT16, 0x604, 1, 0x0400, 0},
    {"port 92h", PORT8, 0x92, 2, 0, 0},
    {"port CF9h", PORT8, 0xcf9, 0, 2, 0},
    {"PCI address", PORT32, 0xcf8, 0, 0x80001234, 0},
    {"IOAPIC ID", REDIR, 0, 0, 0x05000000, 0},
    {"IOAPIC pin 2", REDIR, 0x14, 0x10000, 0x0a0a1, 0},
    {"IOAPIC pin 16", REDIR, 0x30, 0x10000, 0x18a55, 0},
    {"IOAPIC pin 16's target", REDIR, 0x31, 0, 0x07000000, 0},
    {"IOAPIC pin 23", REDIR, 0x3e, 0x10000, 0x000e1, 0},
    {"APIC TPR", APIC, 0x80, 0, 0x30, 0},
    {"APIC LDR", APIC, 0xd0, 0, 0x55000000, 0},
    {"APIC DFR", APIC, 0xe0, 0xffffffff, 0x0fffffff, 0},
    {"APIC SVR", APIC, 0xf0, 0x1ff, 0x1ee, 0},
    {"APIC LVT timer", APIC, 0x320, 0x10000, 0x200f0, 0},
    {"APIC timer's divisor", APIC, 0x3e0, 0, 0x0b, 0},
    {"APIC timer", APIC, 0x380, 0, 0x7fffffff, 0},
    {"APIC LINT0", APIC, 0x350, 0x700, 0x10000, 0},
    {"APIC LINT1", APIC, 0x360, 0x400, 0x101aa, 0},
    {"APIC LVT error", APIC, 0x370, 0x10000, 0x000ef, 0},
    {"APIC IRR", lapic_read, lapic_send_self, 0x220, 0, 0x55, 0},
    {"APIC ICR high", APIC, 0x310, 0, 0x0f000000, 0},
    {"CR2", cr2_read, cr2_write, 0, 0, 0x1234567000, 0},
    {"CR8", cr8_read, cr8_write, 0, 0, 5, 0},
    {"DR0", dr0_read, dr0_write, 0, 0, 0x87654321, 0},
    {"DR6", dr6_read, dr6_write, 0, 0xffff0ff0, 0xffff0ff3, 0},
    {"IA32_SYSENTER_CS", MSR, 0x174, 0, 8, 0},
    {"IA32_SYSENTER_ESP", MSR, 0x175, 0, 0x5000, 0},
    {"IA32_SYSENTER_EIP", MSR, 0x176, 0, 0x6000, 0},
    {"IA32_MTRR_PHYSBASE0", MSR, 0x200, 0, 0x80000006, 0},
    {"IA32_MTRR_PHYSMASK0", MSR, 0x201, 0, 0x80000800, 0},
    {"IA32_MTRR_FIX64K", MSR, 0x250, 0x0606060606060606, 0, 0},
    {"IA32_MTRR_DEF_TYPE", MSR, 0x2ff, 0xc06, 0xc00, 0},
    {"IA32_PAT", MSR, 0x277, 0x0007040600070406, 0x0606060606060606, 0},
    {"IA32_EFER", MSR, 0xc0000080, 0x500, 0x501, 0},
    {"IA32_STAR", MSR, 0xc0000081, 0, 0x0008000800000000, 0},
    {"IA32_LSTAR", MSR, 0xc0000082, 0, 0x7000, 0},
    {"IA32_FMASK", MSR, 0xc0000084, 0, 0x700, 0},
    {"IA32_FS_BASE", MSR, 0xc0000100, 0, 0x8000, 0},
    {"IA32_GS_BASE", MSR, 0xc0000101, 0, 0x9000, 0},
    {"IA32_KERNEL_GS_BASE", MSR, 0xc0000102, 0, 0xa000, 0},
    {"IA32_TSC_AUX", MSR, 0xc0000103, 0, 3, 0},
    {"IA32_TSC_ADJUST", MSR, 0x3b, 0, 0x100000000, 0},
    /* The last one: in x2APIC mode the APIC is out of reach of the probes above. */
    {"IA32_APIC_BASE", MSR, 0x1b, 0xfee00900, 0xfee00d00, 0},
};
const size_t probe_count = ARRAY_LEN(probes);
