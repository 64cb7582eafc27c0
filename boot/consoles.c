/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lines, the screen, the keyboard. They come up one by one, each with what it needs: port E9h
 * and the UARTs at once, the screen when its memory is mapped, keyboard and interrupts last. Which
 * bytes go where is core's; this only knows what shares a line.
 */
#include "boot/consoles.h"

#include "arch/x86/insn.h"
#include "core/host.h"
#include "core/lib/lock.h"
#include "core/lib/string.h"
#include "core/log.h"
#include "drivers/hw/framebuffer.h"
#include "drivers/hw/keyboard.h"
#include "drivers/hw/uart.h"
#include "mm/space.h"

#define DEBUG_PORT     0xe9
#define COM1           0x3f8
#define COM2           0x2f8
#define DEFAULT_BAUD   115200
#define ISA_IRQ_COM1   4
#define ISA_IRQ_COM2   3
#define ISA_IRQ_KEYS   1
#define POLL_NS        5000000
#define DRAW_NS        50000000 /* between two drawings of the screen */
/* For so long the screen is drawn at a time: 16 bytes, all that a UART holds, come in 1.4 ms. */
#define DRAW_PIECE_NS  300000
#define DRAW_CELLS     8 /* between two looks at the clock */

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
static bool must_poll; /* a line whose interrupt is not known */
/* The screen is drawn by the boot CPU, outside the lock, since a large one takes milliseconds: at
 * once until the first host_console_deadline(), later by host_console_poll(). */
static bool draws_later;
static bool stale;          /* there is text to be drawn; atomic */
static bool drawing;        /* some of it has been */
static uint64_t drawn_at;   /* TSC */

/* --- opening them --- */

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

void consoles_open(const char *cmdline)
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
void consoles_open_control(const char *cmdline)
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

/* keyboard=none: a firmware's imitation of an 8042 may be worse than none. */
void consoles_open_keyboard(const char *cmdline)
{
    char option[8];
    if (boot_option(cmdline, "keyboard", option, sizeof(option)) && str_eq(option, "none"))
        return;
    if (keyboard_init())
        log_info("console: a PS/2 keyboard is listened to");
}

void consoles_open_screen(const struct boot_framebuffer *fb, void *mapped)
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

void consoles_close_screen(void)
{
    screen_on = false;
}

/* --- bytes --- */

/* Whether a drawing is under way, or is due and begins. */
static bool may_draw(void)
{
    return screen_on && (drawing || __atomic_exchange_n(&stale, false, __ATOMIC_ACQUIRE));
}

static void draw_piece(void)
{
    uint64_t begin = host_now(), piece = host_ns_to_tsc(DRAW_PIECE_NS);
    if (!may_draw())
        return;
    do {
        drawing = !framebuffer_draw(&screen, DRAW_CELLS);
        drawn_at = host_now();
    } while (drawing && drawn_at - begin < piece);
}

static void draw_all(void)
{
    while (may_draw())
        drawing = !framebuffer_draw(&screen, UINT32_MAX);
}

void host_console_write(const char *text, size_t len)
{
    lock_take(&console_lock);
    if (debug_port)
        for (size_t i = 0; i < len; i++)
            out8(DEBUG_PORT, (uint8_t)text[i]);
    if (!frames_only)
        uart_write_text(&console_uart, text, len);
    if (screen_on)
        framebuffer_put(&screen, text, len);
    lock_release(&console_lock);
    __atomic_store_n(&stale, screen_on, __ATOMIC_RELEASE);
    if (!draws_later)
        draw_all();
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

static void poll_lines(void)
{
    lock_take(&console_lock);
    uart_poll(&console_uart);
    uart_poll(&control_uart);
    keyboard_poll();
    lock_release(&console_lock);
}

void host_console_look(void)
{
    poll_lines();
}

void host_console_poll(void)
{
    poll_lines();
    if (drawing || host_now() - drawn_at >= host_ns_to_tsc(DRAW_NS))
        draw_piece();
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

int host_keyboard_read(void)
{
    lock_take(&console_lock);
    int c = keyboard_read();
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

size_t host_debug_room(void)
{
    return uart_room(&debug_uart);
}

void host_debug_write(const char *bytes, size_t len)
{
    uart_write(&debug_uart, bytes, len);
}

/* --- interrupts --- */

bool consoles_interrupt(uint8_t vector)
{
    if (vector == CONSOLES_VECTOR_DEBUG)
        host_debug_poll();
    else if (vector == CONSOLES_VECTOR_UART || vector == CONSOLES_VECTOR_CONTROL ||
             vector == CONSOLES_VECTOR_KEYS)
        poll_lines();
    else
        return false;
    return true;
}

uint64_t host_console_deadline(void)
{
    draws_later = true;
    uint64_t lines = must_poll ? host_now() + host_ns_to_tsc(POLL_NS) : UINT64_MAX;
    bool waits = __atomic_load_n(&stale, __ATOMIC_RELAXED);
    if (drawing)
        return 0;
    return waits ? min_u64(lines, drawn_at + host_ns_to_tsc(DRAW_NS)) : lines;
}

static void route_uart(const struct uart *u, const char *what, uint8_t vector,
                       consoles_route_fn *route)
{
    if (!uart_present(u))
        return;
    if ((u->base == COM1 || u->base == COM2) &&
        route(u->base == COM2 ? ISA_IRQ_COM2 : ISA_IRQ_COM1, vector))
        return;
    must_poll = true;
    log_warn("%s: no interrupt for the UART at %#x is known: it is polled", what, u->base);
}

void consoles_route(consoles_route_fn *route)
{
    route_uart(&console_uart, "console", CONSOLES_VECTOR_UART, route);
    route_uart(&debug_uart, "gdb", CONSOLES_VECTOR_DEBUG, route);
    route_uart(&control_uart, "control", CONSOLES_VECTOR_CONTROL, route);
    if (keyboard_present() && !route(ISA_IRQ_KEYS, CONSOLES_VECTOR_KEYS))
        must_poll = true;
}

/* --- the end --- */

void consoles_make_synchronous(void)
{
    draws_later = false;
    draw_all();
    frames_only = false;
    uart_set_synchronous(&console_uart);
}

void consoles_flush(void)
{
    draw_all();
    lock_take(&console_lock);
    uart_flush(&console_uart);
    uart_flush(&control_uart);
    lock_release(&console_lock);
}
