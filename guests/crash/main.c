/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crash: ends badly, in the way its command line asks for. The hypervisor has to end this VM alone
 * and say why. mode=triple (default), wild, hlt, unknown-mmio, status, f4, kbc, cf9, flood, escape,
 * apic-code, apic-stack, apic-tables.
 */
#include "guests/lib/guest.h"

#define HOLE      0xfeb00000u /* backed by no RAM and no device */
#define APIC      0xfee00000u
#define FLOOD     (200 * 1024u)

static int triple_fault(void)
{
    static const struct PACKED {
        uint16_t limit;
        uint64_t base;
    } nothing = {0, 0};
    __asm__ volatile("lidt %0\n\tud2" : : "m"(nothing));
    return 100;
}

static int jump_to_hole(void)
{
    void (*hole)(void) = (void (*)(void))(uintptr_t)HOLE;
    hole();
    return 100;
}

/* The local APIC's page is no memory: nobody executes, delivers an event or translates there. */
static int apic_code(void)
{
    void (*apic)(void) = (void (*)(void))(uintptr_t)APIC;
    apic();
    return 100;
}

static int apic_stack(void)
{
    __asm__ volatile("mov %0, %%rsp\n\tud2" : : "r"((uint64_t)APIC + 0x800));
    return 100;
}

static int apic_tables(void)
{
    __asm__ volatile("mov %0, %%cr3" : : "r"((uint64_t)APIC) : "memory");
    return 100;
}

static int halt(void)
{
    __asm__ volatile("cli\n\thlt");
    return 100;
}

/* An instruction that no device sees in practice, so that no decoder need know it. */
static int unknown_mmio(void)
{
    __asm__ volatile("fldl (%0)" : : "r"((uintptr_t)HOLE) : "memory");
    return 100;
}

static int port_exit(void)
{
    out8(PLINTH_PORT_EXIT, 3);
    return 100;
}

static int keyboard_reset(void)
{
    out8(0x64, 0xfe);
    return 100;
}

static int reset_control(void)
{
    out8(0xcf9, 2);
    out8(0xcf9, 6);
    return 100;
}

static int flood(void)
{
    static const char line[] = "crash: flood flood flood flood flood flood flood flood flood xyz\n";
    for (size_t sent = 0; sent < FLOOD; sent += sizeof(line) - 1)
        guest_write(line, sizeof(line) - 1);
    return 0;
}

/* What a guest might print to fool whoever reads the console. */
static int escape(void)
{
    static const char *const lines[] = {
        "crash: clear \x1b[2J\x1b[H home\n",
        "crash: title \x1b]0;owned\x07 bell\n",
        "crash: up \x1b[5A over\rplinth: panic: forged by a carriage return\n",
        "plinth: panic: forged line\n",
        "[other] forged prefix\n",
        "crash: C1 \2332J nul \x01\x02\x7f\b\b\b\b\n",
    };
    for (unsigned i = 0; i < ARRAY_LEN(lines); i++)
        for (const char *s = lines[i]; *s; s++)
            guest_write(s, 1);
    return 0;
}

static int status_seven(void)
{
    return 7;
}

static const struct {
    const char *mode;
    int (*end)(void);
} modes[] = {
    {"triple", triple_fault}, {"wild", jump_to_hole},      {"hlt", halt},
    {"unknown-mmio", unknown_mmio}, {"status", status_seven}, {"f4", port_exit},
    {"kbc", keyboard_reset},  {"cf9", reset_control},      {"flood", flood},
    {"escape", escape},       {"apic-code", apic_code},    {"apic-stack", apic_stack},
    {"apic-tables", apic_tables},
};

int guest_main(const char *cmdline)
{
    size_t chosen = 0;
    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        if (guest_option_is(cmdline, "mode", modes[i].mode))
            chosen = i;
    guest_print("crash: mode %s\n", modes[chosen].mode);
    int status = modes[chosen].end();
    guest_print("crash: mode %s ends with %d\n", modes[chosen].mode, status);
    return status;
}
