/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * testdev: the devices that `devices = +testdev` brings, seen from inside: fw_cfg at 510h,
 * interrupt lines at 2000h, the latch at E0h, memory at FF000000h; then it exits by port F4h with
 * status=N. Words: cpus=N, how many fw_cfg ought to say; absent: nothing of it may be there.
 * Interrupts stay off: a request is seen in the 8259's and the local APIC's IRR. Have open: QEMU's
 * "fw_cfg" document; the data sheets "8259A" and "82093AA"; SDM "APIC".
 */
#include "guests/lib/guest.h"

#define FWCFG_SELECT   0x510
#define FWCFG_DATA     0x511
#define KEY_SIGNATURE  0x00
#define KEY_ID         0x01
#define KEY_CPUS       0x05
#define KEY_MAX_CPUS   0x0f
#define KEY_NOTHING    0x19 /* QEMU's file directory: there are no files */

#define LINES_PORT     0x2000
#define LINES          24
#define PIC_LINES      16
#define CASCADE        2
#define LATCH_PORT     0xe0
#define MEMORY         0xff000000u
#define MEMORY_BYTES   0x10000u

#define UART_IER       0x3f9
#define UART_MCR       0x3fc

#define LAPIC          0xfee00000u
#define LAPIC_IRR      0x200
#define IOAPIC_SELECT  0xfec00000u
#define IOAPIC_DATA    0xfec00010u
#define RTE_MASKED     0x10000u
#define FIRST_VECTOR   0x40u
#define OCW3_READ_IRR  0x0a

static int wrong;

static void expect(const char *what, unsigned n, uint64_t got, uint64_t wanted)
{
    if (got == wanted)
        return;
    wrong++;
    guest_print("testdev: WRONG: %s %u: %#llx, not %#llx\n", what, n, (unsigned long long)got,
                (unsigned long long)wanted);
}

static volatile void *at(uint32_t address)
{
    return (volatile void *)(uintptr_t)address;
}

static uint32_t read32(uint32_t address)
{
    return *(volatile uint32_t *)at(address);
}

static void write32(uint32_t address, uint32_t value)
{
    *(volatile uint32_t *)at(address) = value;
}

/* --- fw_cfg --- */

static uint64_t fwcfg(uint16_t key, unsigned bytes)
{
    uint64_t value = 0;
    out16(FWCFG_SELECT, key);
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)in8(FWCFG_DATA) << (8 * i);
    return value;
}

static void check_fwcfg(unsigned cpus)
{
    expect("fw_cfg signature", 0, fwcfg(KEY_SIGNATURE, 4), 0x554d4551); /* "QEMU" */
    expect("fw_cfg signature, read on", 0, in8(FWCFG_DATA), 0);
    expect("fw_cfg signature again", 0, fwcfg(KEY_SIGNATURE, 4), 0x554d4551);
    expect("fw_cfg interface", 0, fwcfg(KEY_ID, 4), 1);
    expect("fw_cfg CPUs", 0, fwcfg(KEY_CPUS, 2), cpus);
    expect("fw_cfg CPUs at most", 0, fwcfg(KEY_MAX_CPUS, 2), cpus);
    expect("fw_cfg item that is not there", 0, fwcfg(KEY_NOTHING, 8), 0);
    expect("fw_cfg item FFFFh", 0, fwcfg(0xffff, 8), 0);
    fwcfg(KEY_SIGNATURE, 1);
    expect("fw_cfg second byte", 0, in8(FWCFG_DATA), 'E');
}

/* --- the latch --- */

static void check_latch(void)
{
    for (unsigned i = 0; i < 4; i++)
        expect("latch at the start", i, in8((uint16_t)(LATCH_PORT + i)), 0);
    out32(LATCH_PORT, 0x12345678);
    expect("latch, dword", 0, in32(LATCH_PORT), 0x12345678);
    expect("latch, byte", 1, in8(LATCH_PORT + 1), 0x56);
    expect("latch, word", 2, in16(LATCH_PORT + 2), 0x1234);
    out16(LATCH_PORT + 1, 0xabcd);
    expect("latch, word into a dword", 0, in32(LATCH_PORT), 0x12abcd78);
    out8(LATCH_PORT + 3, 0xff);
    expect("latch, byte into a dword", 0, in32(LATCH_PORT), 0xffabcd78);
}

/* --- memory --- */

static void check_memory(void)
{
    volatile uint64_t *wide = at(MEMORY);
    volatile uint32_t *half = at(MEMORY);
    volatile uint16_t *word = at(MEMORY);
    volatile uint8_t *byte = at(MEMORY);
    for (unsigned i = 0; i < MEMORY_BYTES / 8; i += 64) {
        expect("memory at the start", i, wide[i], 0);
        wide[i] = i * UINT64_C(0x0101010101010101);
    }
    expect("its last bytes at the start", 0, wide[MEMORY_BYTES / 8 - 1], 0);
    for (unsigned i = 0; i < MEMORY_BYTES / 8; i += 64)
        expect("memory", i, wide[i], i * UINT64_C(0x0101010101010101));
    wide[1] = UINT64_C(0x1122334455667788);
    half[2] = 0xaabbccdd;
    word[6] = 0x9876;
    byte[15] = 0x5a;
    expect("memory, all widths", 0, wide[1], UINT64_C(0x5a229876aabbccdd));
    expect("memory, byte", 0, byte[9], 0xcc);
    byte[MEMORY_BYTES - 1] = 0x7e;
    expect("memory, last byte", 0, half[MEMORY_BYTES / 4 - 1], 0x7e000000);
    expect("one byte behind it", 0, byte[MEMORY_BYTES], 0xff);
}

/* --- interrupt lines --- */

static void route(unsigned pin, uint32_t entry)
{
    write32(IOAPIC_SELECT, 0x11 + 2 * pin);
    write32(IOAPIC_DATA, 0); /* to local APIC 0 */
    write32(IOAPIC_SELECT, 0x10 + 2 * pin);
    write32(IOAPIC_DATA, entry);
}

static bool requested(unsigned vector)
{
    return read32(LAPIC + LAPIC_IRR + vector / 32 * 0x10) >> vector % 32 & 1;
}

static unsigned pic_requests(void)
{
    out8(0x20, OCW3_READ_IRR);
    out8(0xa0, OCW3_READ_IRR);
    return in8(0x20) | in8(0xa0) << 8;
}

static void set_line(unsigned n, uint8_t level)
{
    out8((uint16_t)(LINES_PORT + n), level);
}

static void check_line(unsigned n, bool there)
{
    unsigned pin = n == 0 ? 2 : n, vector = FIRST_VECTOR + n;
    unsigned pic = n < PIC_LINES && n != CASCADE ? 1u << n : 0;
    route(pin, vector);
    expect("request before line", n, requested(vector), 0);
    set_line(n, 1);
    expect("local APIC's request of line", n, requested(vector), there);
    expect("8259's request of line", n, pic_requests() & pic, there ? pic : 0);
    set_line(n, 0);
    expect("8259's request after line", n, pic_requests() & pic, 0);
    route(pin, RTE_MASKED);
}

/* A line that stays high is not touched by what happens to others, ours or another device's. */
static void check_neighbours(void)
{
    out8(UART_MCR, 8); /* OUT2 lets the interrupt out, which says that the transmitter is empty */
    out8(UART_IER, 2);
    set_line(5, 1);
    set_line(7, 1);
    set_line(7, 0);
    expect("8259's requests of lines 4, 5, 7", 0, pic_requests() & 0xb0, 0x30);
    set_line(5, 0);
    out8(UART_IER, 0);
}

static void check_lines(bool there)
{
    for (unsigned n = 0; n < LINES; n++)
        check_line(n, there);
    if (there)
        check_neighbours();
}

static void check_absent(void)
{
    expect("port", FWCFG_DATA, fwcfg(KEY_SIGNATURE, 4), 0xffffffff);
    out32(LATCH_PORT, 0x12345678);
    expect("port", LATCH_PORT, in32(LATCH_PORT), 0xffffffff);
    for (unsigned n = 0; n < LINES; n++)
        expect("port", LINES_PORT + n, in8((uint16_t)(LINES_PORT + n)), 0xff);
    for (uint32_t i = 0; i < MEMORY_BYTES; i += 4096) {
        write32(MEMORY + i, 0);
        expect("memory", i, read32(MEMORY + i), 0xffffffff);
    }
    check_lines(false);
}

int guest_main(const char *cmdline)
{
    if (guest_option(cmdline, "absent")) {
        check_absent();
        guest_print("testdev: absent, %d wrong\n", wrong);
    } else {
        check_fwcfg((unsigned)guest_option_number(cmdline, "cpus", 1));
        check_latch();
        check_memory();
        check_lines(true);
        guest_print("testdev: present, %d wrong\n", wrong);
    }
    if (!wrong)
        out32(PLINTH_PORT_EXIT, (uint32_t)guest_option_number(cmdline, "status", 0));
    return wrong;
}
