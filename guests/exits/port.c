/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IN and OUT by single values: empty ports, partial registers, and the UART as a driver probes it.
 * Have open: SDM "Input/Output"; a 16550 data sheet.
 */
#include "guests/exits/exits.h"

#define EMPTY 0x240 /* nothing has ever lived here by default */
#define UART  PLINTH_PORT_UART
#define MCR   (UART + 4)
#define LSR   (UART + 5)
#define MSR_  (UART + 6)
#define SCR   (UART + 7)

static void check_empty(void)
{
    struct guest_regs r = {.rax = UINT64_C(0x1122334455667788), .rdx = EMPTY};
    GUEST_RUN(&r, "in %%dx, %%al");
    check_equal("in-empty-8", r.rax, UINT64_C(0x11223344556677ff));
    r.rax = UINT64_C(0x1122334455667788);
    GUEST_RUN(&r, "in %%dx, %%ax");
    check_equal("in-empty-16", r.rax, UINT64_C(0x112233445566ffff));
    r.rax = UINT64_C(0x1122334455667788);
    GUEST_RUN(&r, "in %%dx, %%eax");
    check_equal("in-empty-32", r.rax, 0xffffffff);
    r.rax = ~UINT64_C(0);
    GUEST_RUN(&r, "in $0xe0, %%eax");
    check_equal("in-empty-immediate", r.rax, 0xffffffff);
    r.rax = UINT64_C(0x1122334455667788);
    GUEST_RUN(&r, "out %%eax, %%dx");
    check_equal("out-empty-keeps-rax", r.rax, UINT64_C(0x1122334455667788));
    r.rdx = UINT64_C(0xffff0000ffff0000) | EMPTY;
    GUEST_RUN(&r, "in %%dx, %%al");
    check_equal("in-uses-dx-only", r.rax & 0xff, 0xff);
    if (!exits_plinth)
        return;
    r = (struct guest_regs){.rdx = 0xfffd};
    GUEST_RUN(&r, "in %%dx, %%eax");
    check_equal("in-wraps-past-port-ffff", r.rax, 0xffffffff);
}

static void check_latch(void)
{
    out8(0x80, 0x5a);
    check_equal("port-80-latch", in8(0x80), 0x5a);
    out8(0x80, 0xa5);
    check_equal("port-80-latch-again", in8(0x80), 0xa5);
    check_equal("port-e9-reads-e9", in8(PLINTH_PORT_DEBUG), 0xe9);
}

/* Polls until the transmitter is wholly idle. */
static bool drain(void)
{
    for (unsigned i = 0; i < 1000000; i++)
        if (in8(LSR) & 0x40)
            return true;
    return false;
}

static void check_uart(void)
{
    uint8_t mcr = in8(MCR), idle, on, off, ready, byte, taken;
    bool drained;

    out8(SCR, 0x42);
    check_equal("uart-scratch", in8(SCR), 0x42);
    out8(SCR, 0xbd);
    check_equal("uart-scratch-again", in8(SCR), 0xbd);
    drained = drain();
    idle = in8(LSR);
    check_true("uart-drains", drained);
    check_equal("uart-lsr-idle", idle, 0x60);

    drain(); /* nothing is printed until the loop is open again */
    out8(MCR, 0x1f);
    on = in8(MSR_);
    out8(MCR, 0x10);
    off = in8(MSR_);
    out8(UART, 0x96);
    for (unsigned i = 0; i < 100000 && !(in8(LSR) & 1); i++)
        pause();
    ready = in8(LSR);
    byte = in8(UART);
    taken = in8(LSR);
    drain();
    out8(MCR, mcr);
    check_equal("uart-loopback-lines-on", on & 0xf0, 0xf0);
    check_equal("uart-loopback-lines-off", off & 0xf0, 0);
    check_equal("uart-loopback-data-ready", ready & 1, 1);
    check_equal("uart-loopback-byte", byte, 0x96);
    check_equal("uart-loopback-taken", taken & 1, 0);
}

static void check_uart_divisor(void)
{
    uint8_t lcr = in8(UART + 3), low, high, fifo, no_fifo;
    uint16_t divisor;

    drain();
    out8(UART + 3, lcr | 0x80);
    low = in8(UART);
    high = in8(UART + 1);
    out8(UART, 0x0c);
    out8(UART + 1, 0x01);
    divisor = in16(UART); /* two 8-bit registers in one access */
    out8(UART, low);
    out8(UART + 1, high);
    out8(UART + 3, lcr);
    out8(UART + 2, 1);
    fifo = in8(UART + 2);
    out8(UART + 2, 0);
    no_fifo = in8(UART + 2);
    check_equal("uart-divisor", divisor, 0x010c);
    check_equal("uart-fifo-id", fifo & 0xc0, 0xc0);
    check_equal("uart-no-fifo-id", no_fifo & 0xc0, 0);
}

void exits_port(void)
{
    check_empty();
    check_uart();
    check_uart_divisor();
    if (exits_plinth)
        check_latch();
}
