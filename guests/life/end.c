/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ways to end a VM, each as an operating system does it. ACPI's are found through the tables, so
 * that what these say is tested too. Have open: ACPI Specification, "ACPI Software Programming
 * Model"; the data sheet of an 8042.
 */
#include "core/lib/string.h"
#include "guests/life/life.h"
#include "guests/lib/start_info.h"

#define FADT_DSDT        40
#define FADT_PM1A        64
#define FADT_RESET_PORT  120 /* the address in RESET_REG */
#define FADT_RESET_VALUE 128
#define SLP_EN           0x2000u

static const uint8_t *at(uint64_t address)
{
    return (const uint8_t *)(uintptr_t)address;
}

static uint64_t get(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    memcpy(&v, p, n);
    return v;
}

static const uint8_t *find_fadt(void)
{
    const uint8_t *rsdp = at(guest_start_info_get()->rsdp_paddr);
    const uint8_t *xsdt = at(get(rsdp + 24, 8));
    for (uint64_t i = 36; i < get(xsdt + 4, 4); i += 8)
        if (memcmp(at(get(xsdt + i, 8)), "FACP", 4) == 0)
            return at(get(xsdt + i, 8));
    guest_print("life: WRONG: no FADT\n");
    return NULL;
}

static void acpi_reset(void)
{
    const uint8_t *fadt = find_fadt();
    if (fadt)
        out8((uint16_t)get(fadt + FADT_RESET_PORT, 8), fadt[FADT_RESET_VALUE]);
}

static void acpi_off(void)
{
    const uint8_t *fadt = find_fadt();
    if (!fadt)
        return;
    const uint8_t *dsdt = at(get(fadt + FADT_DSDT, 4));
    for (uint64_t i = 36; i + 8 < get(dsdt + 4, 4); i++) {
        /* Name, package, its length, its count, BytePrefix, sleep type */
        if (memcmp(dsdt + i, "_S5_\x12", 5) != 0 || dsdt[i + 7] != 0x0a)
            continue;
        out16((uint16_t)get(fadt + FADT_PM1A, 4), (uint16_t)(dsdt[i + 8] << 10 | SLP_EN));
        return;
    }
    guest_print("life: WRONG: no _S5 in the DSDT\n");
}

static void keyboard_pulse(void)
{
    out8(0x64, 0xfe);
}

static void keyboard_port(void)
{
    out8(0x64, 0xd1);
    out8(0x60, 0xce); /* the output port with its reset line low */
}

static void fast_a20(void)
{
    out8(0x92, 0);
    out8(0x92, 1);
}

static void cf9_soft(void)
{
    out8(0xcf9, 0);
    out8(0xcf9, 4);
}

static void cf9_full(void)
{
    out8(0xcf9, 0x0a);
    out8(0xcf9, 0x0e);
}

static void triple_fault(void)
{
    static const struct PACKED {
        uint16_t limit;
        uint64_t base;
    } nothing = {0, 0};
    __asm__ volatile("lidt %0\n\tint3" : : "m"(nothing));
}

static volatile uint32_t *at32(uint32_t address)
{
    return (volatile uint32_t *)(uintptr_t)address;
}

/* INIT to the boot processor. The last probe has left the APIC in x2APIC mode. */
static void init(void)
{
    wrmsr(0x830, 0x4500);
}

/* The same by the timer's pin of the IOAPIC, while it sleeps. */
static void init_asleep(void)
{
    *at32(0xfec00000) = 0x15;
    *at32(0xfec00010) = 0;
    *at32(0xfec00000) = 0x14;
    *at32(0xfec00010) = 0x500;
    out8(0x43, 0x34);
    out8(0x40, 0);
    out8(0x40, 4);
    __asm__ volatile("mov %0, %%cr8\n\tsti\n\thlt\n\tcli" : : "r"(UINT64_C(15)));
}

static void exit_well(void)
{
    plinth_EXIT(0);
}

static void exit_badly(void)
{
    plinth_EXIT(5);
}

static void port_exit(void)
{
    out32(PLINTH_PORT_EXIT, 6);
}

static void halt(void)
{
    __asm__ volatile("cli\n\thlt");
}

static const struct {
    const char *name;
    void (*end)(void);
} ends[] = {
    {"kbc", keyboard_pulse}, {"kbc-port", keyboard_port}, {"port92", fast_a20},
    {"cf9", cf9_soft},       {"cf9-full", cf9_full},      {"acpi-reset", acpi_reset},
    {"acpi-off", acpi_off},  {"exit", exit_well},         {"status", exit_badly},
    {"f4", port_exit},       {"halt", halt},              {"triple", triple_fault},
    {"init", init},          {"init-asleep", init_asleep},
};

void end_life(const char *cmdline)
{
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (guest_option_is(cmdline, "end", ends[i].name))
            ends[i].end();
}
