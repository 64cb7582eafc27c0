/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine around the CPUs. Consoles come up one by one, each with what it needs: port E9h and
 * the UART at once, the screen when its memory is mapped. Powering off tries, in order, ACPI S5,
 * Bochs' shutdown port, and says so when nothing helps. ACPI specification: "Sleep States",
 * "Resetting the Platform".
 */
#include "boot/platform.h"

#include "arch/x86/call.h"
#include "arch/x86/exception.h"
#include "arch/x86/insn.h"
#include "arch/x86/lapic.h"
#include "arch/x86/percpu.h"
#include "core/host.h"
#include "core/lib/lock.h"
#include "core/lib/string.h"
#include "core/log.h"
#include "core/sched.h"
#include "drivers/hw/acpi_tables.h"
#include "drivers/hw/framebuffer.h"
#include "drivers/hw/ioapic.h"
#include "drivers/hw/pic.h"
#include "drivers/hw/rtc.h"
#include "drivers/hw/uart.h"
#include "mm/space.h"

#define DEBUG_PORT      0xe9
#define COM1            0x3f8
#define COM2            0x2f8
#define DEFAULT_BAUD    115200
#define VECTOR_UART     0x40
#define VECTOR_DEBUG    0x41
#define VECTOR_CONTROL  0x42
#define ISA_IRQ_COM1    4
#define ISA_IRQ_COM2    3
#define PM1_SCI_EN      BIT(0)
#define PM1_SLP_EN      BIT(13)
#define PM1_TYP_SHIFT   10
#define BOCHS_SHUTDOWN  0x8900
#define RESET_PORT      0xcf9
#define POLL_NS         5000000
#define KBC_COMMAND     0x64

/* The consoles below: their drivers' state. */
static struct lock console_lock = LOCK_INIT(LOCK_ORDER_CONSOLE, "console");
static bool debug_port;
static char console_tx[1 << 16], console_rx[1 << 14];
static struct uart console_uart = UART_INIT(console_tx, console_rx);
/* The debugger's line: boot CPU only. */
static char debug_tx[1 << 14], debug_rx[1 << 13];
static struct uart debug_uart = UART_INIT(debug_tx, debug_rx);
static bool frames_only; /* what is printed does not go to the UART: a program has that line */
/* The programs' line, when they have one of their own; the same lock. */
static char control_tx[1 << 16], control_rx[1 << 14];
static struct uart control_uart = UART_INIT(control_tx, control_rx);
static struct framebuffer screen;
static bool screen_on;
static struct acpi_info acpi;
static bool acpi_found;

/* --- consoles --- */

static uint64_t parse_number(const char *s, const char **end)
{
    unsigned base = 10;
    uint64_t v = 0;
    if (s[0] == '0' && s[1] == 'x')
        base = 16, s += 2;
    for (;; s++) {
        unsigned digit = *s >= '0' && *s <= '9'   ? (unsigned)(*s - '0')
                         : *s >= 'a' && *s <= 'f' ? (unsigned)(*s - 'a') + 10
                                                  : 99;
        if (digit >= base)
            break;
        v = v * base + digit;
    }
    *end = s;
    return v;
}

/* console=com1|com2|0xPORT|none[,BAUD] */
static bool choose_uart(const char *option, uint16_t *port, uint32_t *baud)
{
    const char *rest = option;
    *baud = DEFAULT_BAUD;
    if (str_starts(option, "none"))
        return false;
    if (str_starts(option, "com1") || str_starts(option, "com2")) {
        *port = option[3] == '1' ? COM1 : COM2;
        rest = option + 4;
    } else {
        *port = (uint16_t)parse_number(option, &rest);
    }
    if (*rest == ',')
        *baud = (uint32_t)parse_number(rest + 1, &rest);
    return *port != 0;
}

/* gdb=com1|com2|0xPORT[,BAUD] */
static void open_debug_line(const char *cmdline)
{
    char option[32];
    uint16_t port;
    uint32_t baud;
    if (!boot_option(cmdline, "gdb", option, sizeof(option)) || !choose_uart(option, &port, &baud))
        return;
    if (port == console_uart.base && uart_present(&console_uart))
        log_error("gdb=%s: that is the console's line", option);
    else if (!uart_init(&debug_uart, port, baud))
        log_error("gdb=%s: no UART answers at port %#x", option, port);
    else
        log_info("gdb: listens at port %#x", port);
}

void platform_console_early(const char *cmdline)
{
    char option[32] = "com1";
    uint16_t port;
    uint32_t baud;
    boot_option(cmdline, "console", option, sizeof(option));
    /* Bochs and QEMU answer a read of their debug port with its number. */
    debug_port = in8(DEBUG_PORT) == DEBUG_PORT;
    if (choose_uart(option, &port, &baud) && !uart_init(&console_uart, port, baud))
        log_warn("console: no UART answers at port %#x", port);
    open_debug_line(cmdline);
}

/* control=com1|com2|0xPORT|none[,BAUD]; without it, programs share the console's line. */
static void open_control(const char *cmdline)
{
    char option[32];
    uint16_t port;
    uint32_t baud;
    if (!boot_option(cmdline, "control", option, sizeof(option)))
        return;
    if (!choose_uart(option, &port, &baud))
        return;
    if (uart_present(&console_uart) && port == console_uart.base)
        log_info("control: programs share the console's line");
    else if (uart_present(&debug_uart) && port == debug_uart.base)
        log_error("control=%s: that is the debugger's line", option);
    else if (!uart_init(&control_uart, port, baud))
        log_warn("control: no UART answers at port %#x", port);
    else
        log_info("control: programs have the UART at port %#x", port);
}

void platform_console_screen(const struct boot_framebuffer *fb, void *mapped)
{
    struct framebuffer_info info = {
        .address = fb->addr,
        .pitch = fb->pitch,
        .width = fb->width,
        .height = fb->height,
        .bpp = fb->bpp,
        .type = fb->type,
        .red = {fb->red_pos, fb->red_size},
        .green = {fb->green_pos, fb->green_size},
        .blue = {fb->blue_pos, fb->blue_size},
    };
    uint64_t size = framebuffer_size(&info);
    screen_on = false;
    if (!fb->present || !size)
        return;
    if (!mapped)
        mapped = space_map_device(HPA(fb->addr), size, RADIX_RW, RADIX_WC);
    if (!mapped || !framebuffer_init(&screen, &info, mapped))
        return;
    screen_on = true;
}

void platform_console_screen_off(void)
{
    screen_on = false;
}

/* Terminals want CR LF. */
static void uart_text(const char *text, size_t len)
{
    for (size_t start = 0, i = 0; i <= len; i++) {
        if (i < len && text[i] != '\n')
            continue;
        uart_write(&console_uart, text + start, i - start);
        if (i < len)
            uart_write(&console_uart, "\r\n", 2);
        start = i + 1;
    }
}

void host_console_write(const char *text, size_t len)
{
    lock_take(&console_lock);
    if (debug_port)
        for (size_t i = 0; i < len; i++)
            out8(DEBUG_PORT, (uint8_t)text[i]);
    if (!frames_only)
        uart_text(text, len);
    if (screen_on)
        framebuffer_write(&screen, text, len);
    lock_release(&console_lock);
}

size_t host_console_room(void)
{
    return uart_room(&console_uart);
}

void host_console_frames_only(bool on)
{
    lock_take(&console_lock);
    frames_only = on;
    lock_release(&console_lock);
}

void host_console_poll(void)
{
    lock_take(&console_lock);
    uart_poll(&console_uart);
    uart_poll(&control_uart);
    lock_release(&console_lock);
}

bool host_control_is_apart(void)
{
    return uart_present(&control_uart);
}

void host_control_write(const char *bytes, size_t len)
{
    lock_take(&console_lock);
    uart_write(uart_present(&control_uart) ? &control_uart : &console_uart, bytes, len);
    lock_release(&console_lock);
}

size_t host_control_room(void)
{
    return uart_room(uart_present(&control_uart) ? &control_uart : &console_uart);
}

int host_control_read(void)
{
    lock_take(&console_lock);
    int c = uart_present(&control_uart) ? uart_read(&control_uart) : -1;
    lock_release(&console_lock);
    return c;
}

int host_console_read(void)
{
    lock_take(&console_lock);
    int c = uart_read(&console_uart);
    lock_release(&console_lock);
    return c;
}

void host_console_flow(enum host_flow flow)
{
    static const enum uart_flow flows[] = {[HOST_FLOW_NONE] = UART_FLOW_NONE,
                                           [HOST_FLOW_RTS] = UART_FLOW_RTS,
                                           [HOST_FLOW_XON] = UART_FLOW_XON};
    lock_take(&console_lock);
    uart_set_flow(&console_uart, flows[flow]);
    lock_release(&console_lock);
}

uint64_t host_console_lost(void)
{
    return console_uart.lost;
}

bool host_lines_late(void)
{
    return console_uart.late || control_uart.late || debug_uart.late;
}

/* --- the debugger's line --- */

bool host_debug_present(void)
{
    return uart_present(&debug_uart);
}

void host_debug_poll(void)
{
    uart_poll(&debug_uart);
}

int host_debug_read(void)
{
    return uart_read(&debug_uart);
}

void host_debug_write(const char *bytes, size_t len)
{
    uart_write(&debug_uart, bytes, len);
}

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
    if (vector == VECTOR_UART || vector == VECTOR_CONTROL)
        host_console_poll();
    else if (vector == VECTOR_DEBUG)
        host_debug_poll();
    else if (vector == LAPIC_VECTOR_TIMER)
        sched_preempt();
    else if (vector == LAPIC_VECTOR_KICK)
        cpu_serve_calls();
    lapic_eoi();
}

static bool must_poll; /* a line whose interrupt is not known */

uint64_t host_console_deadline(void)
{
    return must_poll ? host_now() + host_ns_to_tsc(POLL_NS) : UINT64_MAX;
}

static void route_uart(const struct uart *u, const char *what, uint8_t vector)
{
    uint8_t irq = u->base == COM2 ? ISA_IRQ_COM2 : ISA_IRQ_COM1;
    uint32_t gsi = irq;
    uint16_t flags = 0;
    for (unsigned i = 0; i < acpi.override_count; i++) {
        if (acpi.overrides[i].source != irq)
            continue;
        gsi = acpi.overrides[i].gsi;
        flags = acpi.overrides[i].flags;
    }
    bool active_low = (flags & 3) == 3, level = (flags >> 2 & 3) == 3;
    if (!uart_present(u))
        return;
    if ((u->base == COM1 || u->base == COM2) &&
        ioapic_route(gsi, vector, lapic_id(), level, active_low))
        return;
    must_poll = true;
    log_warn("%s: no interrupt for the UART at %#x is known: it is polled", what, u->base);
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
    open_control(cmdline);
    route_uart(&console_uart, "console", VECTOR_UART);
    route_uart(&debug_uart, "gdb", VECTOR_DEBUG);
    route_uart(&control_uart, "control", VECTOR_CONTROL);
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

void platform_console_synchronous(void)
{
    frames_only = false;
    uart_set_synchronous(&console_uart);
}

static void flush_lines(void)
{
    uart_flush(&console_uart);
    uart_flush(&control_uart);
}

void host_poweroff(void)
{
    flush_lines();
    acpi_poweroff();
    for (const char *s = "Shutdown"; *s; s++)
        out8(BOCHS_SHUTDOWN, (uint8_t)*s);
    settle();
    log_info("this machine does not switch itself off: do it by hand");
    flush_lines();
    for (;;) {
        cli();
        hlt();
    }
}

void host_reboot(void)
{
    flush_lines();
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
