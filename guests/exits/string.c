/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * INS and OUTS: counts, directions, sizes, the address-size prefix, and a page that is not there in
 * the middle of a repeated one. Have open: SDM "INS/INSB/INSW/INSD", "REP", and "Page-Fault
 * Exceptions". The port is 80h: a latch on Plinth, nothing on a bare machine.
 */
#include "guests/exits/exits.h"

#define LATCH 0x80
#define EMPTY 0x240
#define VA    UINT64_C(0x40000000) /* two pages here: the first present, the second not */
#define SPLIT (VA + 0x1000)

#define PTE_P BIT(0)
#define PTE_W BIT(1)
#define PTE_U BIT(2)

static uint8_t page[4096] __attribute__((aligned(4096)));
static uint64_t table[512] __attribute__((aligned(4096)));
static uint8_t buffer[64] __attribute__((aligned(16)));

static void fill(uint8_t first)
{
    for (unsigned i = 0; i < sizeof(buffer); i++)
        buffer[i] = (uint8_t)(first + i);
}

static bool buffer_is(unsigned from, unsigned count, uint8_t value)
{
    for (unsigned i = from; i < from + count; i++)
        if (buffer[i] != value)
            return false;
    return true;
}

static void check_count(void)
{
    uint64_t b = (uint64_t)buffer;
    struct guest_regs r = {.rdx = EMPTY, .rdi = b, .rcx = 5};
    fill(0);
    GUEST_RUN(&r, "rep insb");
    check_equal("rep-insb-rdi", r.rdi, b + 5);
    check_equal("rep-insb-rcx", r.rcx, 0);
    check_true("rep-insb-bytes", buffer_is(0, 5, 0xff) && buffer[5] == 5);

    r = (struct guest_regs){.rdx = EMPTY, .rdi = b, .rcx = 0};
    fill(0);
    GUEST_RUN(&r, "rep insb");
    check_true("rep-insb-count-0", r.rdi == b && r.rcx == 0 && buffer[0] == 0);

    r = (struct guest_regs){.rdx = EMPTY, .rdi = b, .rcx = 9};
    GUEST_RUN(&r, "insb");
    check_true("insb-plain", r.rdi == b + 1 && r.rcx == 9 && buffer[0] == 0xff && buffer[1] == 1);

    r = (struct guest_regs){.rdx = LATCH, .rsi = b, .rcx = 7};
    GUEST_RUN(&r, "rep outsb");
    check_true("rep-outsb", r.rsi == b + 7 && r.rcx == 0);

    r = (struct guest_regs){.rdx = LATCH, .rsi = 8, .rcx = 0};
    GUEST_RUN(&r, "rep outsb");
    check_true("rep-outsb-count-0", r.vector == NONE && r.rsi == 8 && r.rcx == 0);
}

static void check_sizes(void)
{
    uint64_t b = (uint64_t)buffer;
    struct guest_regs r = {.rdx = EMPTY, .rdi = b, .rcx = 3};
    fill(0);
    GUEST_RUN(&r, "rep insw");
    check_true("rep-insw", r.rdi == b + 6 && buffer_is(0, 6, 0xff) && buffer[6] == 6);

    r = (struct guest_regs){.rdx = EMPTY, .rdi = b, .rcx = 3};
    fill(0);
    GUEST_RUN(&r, "rep insl");
    check_true("rep-insd", r.rdi == b + 12 && buffer_is(0, 12, 0xff) && buffer[12] == 12);

    r = (struct guest_regs){.rdx = EMPTY, .rsi = b, .rcx = 3};
    GUEST_RUN(&r, "rep outsl");
    check_true("rep-outsd", r.rsi == b + 12 && r.rcx == 0);
}

static void check_direction(void)
{
    uint64_t b = (uint64_t)buffer;
    struct guest_regs r = {.rdx = EMPTY, .rdi = b + 10, .rcx = 4};
    fill(0);
    GUEST_RUN(&r, "std\n\trep insb\n\tcld");
    check_true("rep-insb-down", r.rdi == b + 6 && buffer_is(7, 4, 0xff) && buffer[6] == 6);
    r = (struct guest_regs){.rdx = LATCH, .rsi = b + 10, .rcx = 4};
    GUEST_RUN(&r, "std\n\trep outsb\n\tcld");
    check_true("rep-outsb-down", r.rsi == b + 6 && r.rcx == 0);
}

/* With the prefix only ECX, ESI and EDI count, and writing them clears the upper halves. */
static void check_address_size(void)
{
    const uint64_t high = UINT64_C(0x5555555500000000);
    uint64_t b = (uint64_t)buffer;
    struct guest_regs r = {.rdx = EMPTY, .rdi = high | b, .rcx = high | 3};
    fill(0);
    GUEST_RUN(&r, ".byte 0x67\n\trep insb");
    check_equal("addr32-rep-insb-edi", r.rdi, b + 3);
    check_equal("addr32-rep-insb-ecx", r.rcx, 0);
    check_true("addr32-rep-insb-bytes", buffer_is(0, 3, 0xff) && buffer[3] == 3);
    r = (struct guest_regs){.rdx = LATCH, .rsi = high | b, .rcx = high | 3};
    GUEST_RUN(&r, ".byte 0x67\n\trep outsb");
    check_true("addr32-rep-outsb", r.rsi == b + 3 && r.rcx == 0);
}

/* Through the latch the bytes themselves can be followed. */
static void check_values(void)
{
    uint64_t b = (uint64_t)buffer;
    struct guest_regs r = {.rdx = LATCH, .rsi = b, .rcx = 8};
    fill(0x30);
    GUEST_RUN(&r, "rep outsb");
    check_equal("rep-outsb-last-byte", in8(LATCH), 0x37);
    r = (struct guest_regs){.rdx = LATCH, .rsi = b + 8, .rcx = 8};
    GUEST_RUN(&r, "std\n\trep outsb\n\tcld");
    check_equal("rep-outsb-down-last-byte", in8(LATCH), 0x31);
    r = (struct guest_regs){.rdx = LATCH, .rdi = b, .rcx = 4};
    GUEST_RUN(&r, "rep insb");
    check_true("rep-insb-from-latch", buffer_is(0, 4, 0x31) && buffer[4] == 0x34);
    wrmsr(0xc0000100, b); /* IA32_FS_BASE */
    r = (struct guest_regs){.rdx = LATCH, .rsi = 9};
    GUEST_RUN(&r, ".byte 0x64\n\toutsb");
    check_equal("outsb-fs-segment", in8(LATCH), 0x39);
    wrmsr(0xc0000100, 0);
}

static void check_page_fault(void)
{
    table[0] = (uint64_t)page | PTE_P | PTE_W | PTE_U;
    guest_map_table(VA, table);

    struct guest_regs r = {.rdx = EMPTY, .rdi = SPLIT - 4, .rcx = 9};
    GUEST_RUN(&r, "rep insb");
    check_fault("rep-insb-page-fault", &r, PF, PTE_W);
    check_true("rep-insb-page-fault-state", r.cr2 == SPLIT && r.rip == 0 && r.rcx == 5
               && r.rdi == SPLIT && page[4095] == 0xff);

    r = (struct guest_regs){.rdx = LATCH, .rsi = SPLIT - 4, .rcx = 9};
    GUEST_RUN(&r, "rep outsb");
    check_fault("rep-outsb-page-fault", &r, PF, 0);
    check_true("rep-outsb-page-fault-state", r.cr2 == SPLIT && r.rip == 0 && r.rcx == 5
               && r.rsi == SPLIT);

    r = (struct guest_regs){.rdx = EMPTY, .rdi = SPLIT - 2};
    GUEST_RUN(&r, "insl");
    check_fault("insd-straddles-into-fault", &r, PF, PTE_W);
    check_true("insd-straddles-state", r.cr2 == SPLIT && r.rdi == SPLIT - 2);

    table[0] &= ~PTE_W;
    write_cr3(read_cr3());
    write_cr0(read_cr0() | BIT(16));
    r = (struct guest_regs){.rdx = EMPTY, .rdi = VA, .rcx = 2};
    GUEST_RUN(&r, "rep insb");
    check_fault("rep-insb-read-only-page", &r, PF, PTE_P | PTE_W);
    write_cr0(read_cr0() & ~BIT(16));
}

static void check_bad_addresses(void)
{
    struct guest_regs r = {.rdx = EMPTY, .rdi = UINT64_C(0x0000800000000000), .rcx = 1};
    GUEST_RUN(&r, "rep insb");
    check_gp_at("insb-non-canonical", &r, 0);
    r = (struct guest_regs){.rdx = LATCH, .rsi = UINT64_C(0xffff7fffffffffff), .rcx = 1};
    GUEST_RUN(&r, "rep outsb");
    check_gp_at("outsb-non-canonical", &r, 0);
}

void exits_string(void)
{
    check_count();
    check_sizes();
    check_direction();
    check_address_size();
    check_page_fault();
    check_bad_addresses();
    if (exits_plinth)
        check_values();
}
