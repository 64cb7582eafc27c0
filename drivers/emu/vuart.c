/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The emulated 16550A. PURE, sans-I/O. Simplifications, all visible only to a guest that measures:
 * sending takes no time, so THRE and TEMT come together; the character time-out is taken to have
 * passed as soon as the receiver holds anything; there are no line errors but an overrun in
 * loopback; DMA mode, parity, sending a break and the baud rate are stored and have no effect.
 * Have open: data sheet "PC16550D Universal Asynchronous Receiver/Transmitter with FIFOs".
 */
#include "drivers/emu/vuart.h"

#include "core/lib/string.h"

enum {
    REG_DATA, /* RBR, THR; DLL with DLAB */
    REG_IER,  /* DLM with DLAB */
    REG_IIR,  /* read; FCR when written */
    REG_LCR,
    REG_MCR,
    REG_LSR,
    REG_MSR,
    REG_SCR,
};

#define IER_RDA        0x01
#define IER_THRE       0x02
#define IER_RLS        0x04
#define IER_MS         0x08
#define IER_MASK       0x0f

#define IIR_NONE       0x01
#define IIR_MS         0x00
#define IIR_THRE       0x02
#define IIR_RDA        0x04
#define IIR_RLS        0x06
#define IIR_TIMEOUT    0x0c
#define IIR_FIFOS      0xc0

#define FCR_ENABLE     0x01
#define FCR_RX_RESET   0x02
#define FCR_TX_RESET   0x04
#define FCR_STORED     0xc9 /* trigger level, DMA mode, enable */

#define LCR_DLAB       0x80

#define MCR_DTR        0x01
#define MCR_RTS        0x02
#define MCR_OUT1       0x04
#define MCR_OUT2       0x08
#define MCR_LOOP       0x10
#define MCR_MASK       0x1f

#define LSR_DR         0x01
#define LSR_OE         0x02
#define LSR_BI         0x10
#define LSR_THRE       0x20
#define LSR_TEMT       0x40

#define MSR_DCTS       0x01
#define MSR_DDSR       0x02
#define MSR_TERI       0x04
#define MSR_DDCD       0x08
#define MSR_DELTAS     0x0f
#define MSR_CTS        0x10
#define MSR_DSR        0x20
#define MSR_RI         0x40
#define MSR_DCD        0x80
/* The other end of the cable is always there and ready. */
#define MSR_CONNECTED  (MSR_CTS | MSR_DSR | MSR_DCD)

/* --- FIFOs ---------------------------------------------------------------------------------- */

static unsigned fifo_depth(const struct vuart *u)
{
    return u->fcr & FCR_ENABLE ? VUART_FIFO : 1;
}

static bool fifo_put(const struct vuart *u, struct vuart_fifo *f, uint8_t byte)
{
    if (f->count >= fifo_depth(u))
        return false;
    f->byte[(f->head + f->count) % VUART_FIFO] = byte;
    f->count++;
    return true;
}

static uint8_t fifo_get(struct vuart_fifo *f)
{
    uint8_t byte = f->byte[f->head % VUART_FIFO];
    f->head = (uint8_t)((f->head + 1) % VUART_FIFO);
    f->count--;
    return byte;
}

static void fifo_clear(struct vuart_fifo *f)
{
    f->head = f->count = 0;
}

/* --- interrupts ----------------------------------------------------------------------------- */

static unsigned trigger_level(const struct vuart *u)
{
    static const uint8_t levels[4] = {1, 4, 8, 14};
    return u->fcr & FCR_ENABLE ? levels[u->fcr >> 6] : 1;
}

/* The pending interrupt of highest priority, as IIR names it. */
static uint8_t interrupt_id(const struct vuart *u)
{
    if ((u->ier & IER_RLS) && u->lsr_errors)
        return IIR_RLS;
    if ((u->ier & IER_RDA) && u->rx.count >= trigger_level(u))
        return IIR_RDA;
    if ((u->ier & IER_RDA) && u->rx.count > 0)
        return IIR_TIMEOUT;
    if ((u->ier & IER_THRE) && u->thre_interrupt)
        return IIR_THRE;
    if ((u->ier & IER_MS) && (u->msr & MSR_DELTAS))
        return IIR_MS;
    return IIR_NONE;
}

static bool vuart_irq(const void *dev)
{
    const struct vuart *u = dev;
    /* On a PC the OUT2 pin gates the interrupt line, and loopback holds that pin inactive. */
    return (u->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2 && interrupt_id(u) != IIR_NONE;
}

/* --- modem lines ---------------------------------------------------------------------------- */

static uint8_t modem_lines(const struct vuart *u)
{
    if (!(u->mcr & MCR_LOOP))
        return MSR_CONNECTED;
    return (uint8_t)((u->mcr & MCR_RTS ? MSR_CTS : 0) | (u->mcr & MCR_DTR ? MSR_DSR : 0) |
                     (u->mcr & MCR_OUT1 ? MSR_RI : 0) | (u->mcr & MCR_OUT2 ? MSR_DCD : 0));
}

static void update_modem(struct vuart *u)
{
    uint8_t now = modem_lines(u), changed = (u->msr ^ now) & (uint8_t)~MSR_DELTAS;
    uint8_t deltas = u->msr & MSR_DELTAS;
    deltas |= changed & MSR_CTS ? MSR_DCTS : 0;
    deltas |= changed & MSR_DSR ? MSR_DDSR : 0;
    deltas |= changed & MSR_DCD ? MSR_DDCD : 0;
    /* The ring indicator counts when it ends, not when it begins. */
    deltas |= (changed & MSR_RI) && !(now & MSR_RI) ? MSR_TERI : 0;
    u->msr = now | deltas;
}

/* --- registers ------------------------------------------------------------------------------ */

static void write_thr(struct vuart *u, uint8_t byte)
{
    u->thre_interrupt = false;
    if (u->mcr & MCR_LOOP) {
        if (!fifo_put(u, &u->rx, byte))
            u->lsr_errors |= LSR_OE;
        u->thre_interrupt = u->tx.count == 0;
    } else if (!fifo_put(u, &u->tx, byte)) {
        u->tx_lost++;
    }
}

static void write_ier(struct vuart *u, uint8_t value)
{
    /* Allowing the interrupt while the transmitter is empty raises it: drivers rely on that. */
    if ((value & ~u->ier & IER_THRE) && u->tx.count == 0)
        u->thre_interrupt = true;
    u->ier = value & IER_MASK;
}

static void write_fcr(struct vuart *u, uint8_t value)
{
    bool toggled = ((u->fcr ^ value) & FCR_ENABLE) != 0;
    if (toggled || (value & FCR_RX_RESET))
        fifo_clear(&u->rx);
    if ((toggled || (value & FCR_TX_RESET)) && u->tx.count > 0) {
        fifo_clear(&u->tx);
        u->thre_interrupt = true;
    }
    /* The other bits are only programmed together with the enable bit. */
    u->fcr = value & FCR_ENABLE ? value & FCR_STORED : 0;
}

static void write_register(struct vuart *u, unsigned reg, uint8_t value)
{
    bool dlab = (u->lcr & LCR_DLAB) != 0;
    switch (reg) {
    case REG_DATA:
        if (dlab)
            u->dll = value;
        else
            write_thr(u, value);
        break;
    case REG_IER:
        if (dlab)
            u->dlm = value;
        else
            write_ier(u, value);
        break;
    case REG_IIR:
        write_fcr(u, value);
        break;
    case REG_LCR:
        u->lcr = value;
        break;
    case REG_MCR:
        u->mcr = value & MCR_MASK;
        update_modem(u);
        break;
    case REG_SCR:
        u->scr = value;
        break;
    default: /* LSR and MSR: writing is for factory tests */
        break;
    }
}

static uint8_t read_iir(struct vuart *u)
{
    uint8_t id = interrupt_id(u);
    if (id == IIR_THRE)
        u->thre_interrupt = false;
    return id | (u->fcr & FCR_ENABLE ? IIR_FIFOS : 0);
}

static uint8_t read_lsr(struct vuart *u)
{
    uint8_t lsr = u->lsr_errors | (u->rx.count ? LSR_DR : 0) |
                  (u->tx.count ? 0 : LSR_THRE | LSR_TEMT);
    u->lsr_errors = 0;
    return lsr;
}

static uint8_t read_msr(struct vuart *u)
{
    uint8_t msr = u->msr;
    u->msr &= (uint8_t)~MSR_DELTAS;
    return msr;
}

static uint8_t read_register(struct vuart *u, unsigned reg)
{
    bool dlab = (u->lcr & LCR_DLAB) != 0;
    switch (reg) {
    case REG_DATA:
        if (dlab)
            return u->dll;
        return u->rx.count ? fifo_get(&u->rx) : 0;
    case REG_IER:
        return dlab ? u->dlm : u->ier;
    case REG_IIR:
        return read_iir(u);
    case REG_LCR:
        return u->lcr;
    case REG_MCR:
        return u->mcr;
    case REG_LSR:
        return read_lsr(u);
    case REG_MSR:
        return read_msr(u);
    default:
        return u->scr;
    }
}

static void vuart_access(void *dev, struct io_access *a)
{
    struct vuart *u = dev;
    if (a->size != 1 || a->offset >= VUART_PORTS)
        return;
    if (a->write)
        write_register(u, (unsigned)a->offset, (uint8_t)a->value);
    else
        a->value = read_register(u, (unsigned)a->offset);
}

/* --- the owner's side ----------------------------------------------------------------------- */

void vuart_init(struct vuart *u)
{
    memset(u, 0, sizeof(*u));
    u->dll = 1; /* 115200 baud, as firmware leaves it */
    u->msr = MSR_CONNECTED;
}

static void vuart_reset(void *dev)
{
    vuart_init(dev);
}

size_t vuart_take(struct vuart *u, char *buf, size_t n)
{
    size_t taken = 0;
    while (taken < n && u->tx.count > 0)
        buf[taken++] = (char)fifo_get(&u->tx);
    if (taken > 0 && u->tx.count == 0)
        u->thre_interrupt = true;
    return taken;
}

bool vuart_tx_full(const struct vuart *u)
{
    return !(u->mcr & MCR_LOOP) && u->tx.count >= fifo_depth(u);
}

size_t vuart_room(const struct vuart *u)
{
    return u->mcr & MCR_LOOP ? 0 : fifo_depth(u) - u->rx.count;
}

size_t vuart_give(struct vuart *u, const char *buf, size_t n)
{
    size_t given = 0;
    while (given < n && vuart_room(u) > 0)
        fifo_put(u, &u->rx, (uint8_t)buf[given++]);
    return given;
}

bool vuart_break(struct vuart *u)
{
    if (u->rx.count || !vuart_room(u))
        return false;
    fifo_put(u, &u->rx, 0);
    u->lsr_errors |= LSR_BI;
    return true;
}

const struct device_ops vuart_ops = {
    .reset = vuart_reset,
    .access = vuart_access,
    .irq = vuart_irq,
};
