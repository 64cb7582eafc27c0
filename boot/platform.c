/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine around the CPUs. Powering off tries, in order, ACPI S5, Bochs' shutdown port, and
 * says so when nothing helps. ACPI specification: "Sleep States", "Resetting the Platform".
 */
#include "boot/platform.h"

#include "arch/x86/call.h"
#include "arch/x86/exception.h"
#include "arch/x86/insn.h"
#include "arch/x86/lapic.h"
#include "arch/x86/percpu.h"
#include "boot/consoles.h"
#include "core/host.h"
#include "core/lib/string.h"
#include "core/log.h"
#include "core/sched.h"
#include "drivers/hw/acpi_tables.h"
#include "drivers/hw/ioapic.h"
#include "drivers/hw/pic.h"
#include "drivers/hw/rtc.h"
#include "mm/space.h"

#define BOOT_ARCH_8042  BIT(1)
#define PM1_SCI_EN      BIT(0)
#define PM1_SLP_EN      BIT(13)
#define PM1_TYP_SHIFT   10
#define BOCHS_SHUTDOWN  0x8900
#define RESET_PORT      0xcf9
#define KBC_COMMAND     0x64

static struct acpi_info acpi;
static bool acpi_found;

/* --- ACPI --- */

static const void *map_table(void *ctx, uint64_t hpa, size_t len)
{
    (void)ctx;
    return space_map_device(HPA(hpa), len, RADIX_READ, RADIX_WB);
}

/* Without a boot loader's word: the BIOS leaves the RSDP on a 16-byte boundary of the EBDA's first
 * KiB or of E0000h-FFFFFh. */
static bool scan_rsdp(uint64_t from, uint64_t size, uint8_t rsdp[BOOT_RSDP_MAX])
{
    const uint8_t *p = space_map_device(HPA(from), size, RADIX_READ, RADIX_WB);
    if (!p)
        return false;
    for (uint64_t at = 0; at + BOOT_RSDP_MAX <= size; at += 16) {
        if (memcmp(p + at, "RSD PTR ", 8) != 0)
            continue;
        memcpy(rsdp, p + at, BOOT_RSDP_MAX);
        return true;
    }
    return false;
}

void platform_acpi(const struct boot_info *info)
{
    uint8_t rsdp[BOOT_RSDP_MAX];
    size_t len = info->rsdp_length;
    const char *from = info->rsdp_from_acpi2 ? "boot loader, ACPI 2" : "boot loader, ACPI 1";
    memcpy(rsdp, info->rsdp, sizeof(rsdp));
    if (!len && !info->efi_system_table && scan_rsdp(0xe0000, 0x20000, rsdp)) {
        len = sizeof(rsdp);
        from = "BIOS memory";
    }
    acpi_found = len && acpi_parse(rsdp, len, map_table, NULL, &acpi) == PL_OK;
    for (unsigned i = 0; i < acpi.warning_count; i++)
        log_warn("acpi: %s", acpi.warnings[i]);
    if (!acpi_found) {
        log_warn("acpi: no tables; power-off and interrupt routing use PC defaults");
        return;
    }
    log_info("acpi: %u tables (RSDP from %s), %u CPUs, %u IOAPICs, %s, %s", acpi.table_count, from,
             acpi.cpu_count, acpi.ioapic_count, acpi.has_s5 ? "S5" : "no S5",
             acpi.has_reset ? "reset register" : "no reset register");
}

uint16_t platform_pm_timer_port(void)
{
    bool port = acpi_found && acpi.has_fadt && !acpi.hw_reduced && acpi.pm_timer.space == 1;
    return port ? (uint16_t)acpi.pm_timer.address : 0;
}

const struct acpi_cpu *platform_cpus(unsigned *count)
{
    *count = acpi_found ? acpi.cpu_count : 0;
    return acpi.cpus;
}

/* x2APIC mode if the operator wants it, or if there are CPUs that xAPIC mode cannot address. */
static bool wants_x2apic(const char *cmdline)
{
    char option[16];
    if (boot_option(cmdline, "apic", option, sizeof(option)) && str_eq(option, "x2apic"))
        return true;
    for (unsigned i = 0; acpi_found && i < acpi.cpu_count; i++)
        if (acpi.cpus[i].enabled && acpi.cpus[i].apic_id >= 0xff)
            return true;
    return false;
}

/* --- interrupts --- */

static void handle_interrupt(uint8_t vector)
{
    if (vector == LAPIC_VECTOR_SPURIOUS || (vector >= 0xe0 && vector < 0xf0))
        return; /* spurious: no EOI */
    if (vector == LAPIC_VECTOR_TIMER) {
        sched_preempt();
    } else {
        sched_interrupted();
        if (vector == LAPIC_VECTOR_KICK)
            cpu_serve_calls();
        else
            (void)consoles_interrupt(vector);
    }
    lapic_eoi();
}

/* To this CPU, as the MADT says it is wired. */
static bool route_isa(uint8_t irq, uint8_t vector)
{
    uint32_t gsi = irq;
    uint16_t flags = 0;
    for (unsigned i = 0; i < acpi.override_count; i++) {
        if (acpi.overrides[i].source != irq)
            continue;
        gsi = acpi.overrides[i].gsi;
        flags = acpi.overrides[i].flags;
    }
    bool active_low = (flags & 3) == 3, level = (flags >> 2 & 3) == 3;
    return ioapic_route(gsi, vector, lapic_id(), level, active_low);
}

void platform_interrupts(const char *cmdline)
{
    pic_disable();
    hpa_t at = lapic_address();
    if (!at.v) {
        log_warn("no local APIC: time slices depend on the preemption timer, idling does not halt");
        return;
    }
    void *registers = space_map_device(at, PAGE_SIZE, RADIX_RW, RADIX_UC);
    if (!registers)
        return;
    exception_set_interrupt_handler(handle_interrupt);
    if (wants_x2apic(cmdline) && lapic_can_x2apic())
        lapic_use_x2apic();
    else if (wants_x2apic(cmdline))
        log_warn("this CPU's APIC has no x2APIC mode");
    lapic_init(registers);
    this_cpu()->apic_id = lapic_id();
    for (unsigned i = 0; i < acpi.ioapic_count; i++) {
        void *io = space_map_device(HPA(acpi.ioapics[i].address), PAGE_SIZE, RADIX_RW, RADIX_UC);
        if (io)
            ioapic_add(io, acpi.ioapics[i].gsi_base);
    }
    consoles_open_control(cmdline);
    if (!acpi_found || !acpi.has_fadt || (acpi.iapc_boot_arch & BOOT_ARCH_8042))
        consoles_open_keyboard(cmdline);
    consoles_route(route_isa);
}

/* --- wall clock --- */

#define NS_PER_S 1000000000

static int64_t clock_base; /* nanoseconds since 1970 when the hypervisor started */

/* The clock shows whole seconds: half a second is the best guess at the rest. Waiting for its next
 * second would take too long. */
void platform_clock(void)
{
    clock_base = rtc_read() * NS_PER_S + NS_PER_S / 2 - (int64_t)host_uptime_ns();
}

int64_t host_wall_clock(void)
{
    return (clock_base + (int64_t)host_uptime_ns()) / NS_PER_S;
}

int64_t host_battery_clock(void)
{
    return rtc_read();
}

/* --- power --- */

static void gas_write(const struct acpi_gas *g, uint32_t value, unsigned bytes)
{
    if (!g->address)
        return;
    if (g->space == 1) {
        if (bytes == 1)
            out8((uint16_t)g->address, (uint8_t)value);
        else
            out16((uint16_t)g->address, (uint16_t)value);
    } else if (g->space == 0) {
        volatile uint8_t *p = space_map_device(HPA(g->address), bytes, RADIX_RW, RADIX_UC);
        if (p && bytes == 1)
            *p = (uint8_t)value;
        else if (p)
            *(volatile uint16_t *)p = (uint16_t)value;
    }
}

static void settle(void)
{
    uint64_t begin = rdtsc(), wait = host_ns_to_tsc(100000000);
    while (rdtsc() - begin < wait)
        pause();
}

static void acpi_poweroff(void)
{
    if (!acpi_found || !acpi.has_s5 || acpi.hw_reduced)
        return;
    if (acpi.pm1a_control.space == 1 && acpi.smi_cmd &&
        !(in16((uint16_t)acpi.pm1a_control.address) & PM1_SCI_EN)) {
        out8((uint16_t)acpi.smi_cmd, acpi.acpi_enable);
        settle();
    }
    uint32_t a = (uint32_t)acpi.s5_typ_a << PM1_TYP_SHIFT | (uint32_t)PM1_SLP_EN;
    uint32_t b = (uint32_t)acpi.s5_typ_b << PM1_TYP_SHIFT | (uint32_t)PM1_SLP_EN;
    gas_write(&acpi.pm1a_control, a, 2);
    gas_write(&acpi.pm1b_control, b, 2);
    settle();
}

void host_poweroff(void)
{
    consoles_flush();
    acpi_poweroff();
    for (const char *s = "Shutdown"; *s; s++)
        out8(BOCHS_SHUTDOWN, (uint8_t)*s);
    settle();
    log_info("this machine does not switch itself off: do it by hand");
    consoles_flush();
    for (;;) {
        cli();
        hlt();
    }
}

void host_reboot(void)
{
    consoles_flush();
    if (acpi_found && acpi.has_reset) {
        gas_write(&acpi.reset_reg, acpi.reset_value, 1);
        settle();
    }
    out8(RESET_PORT, 0x02);
    out8(RESET_PORT, 0x06);
    settle();
    out8(KBC_COMMAND, 0xfe);
    settle();
    /* The last resort: a triple fault. */
    struct table_register none = {0, 0};
    lidt(&none);
    __asm__ volatile("ud2");
    __builtin_unreachable();
}
