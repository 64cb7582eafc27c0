/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The emulated UART under any sequence of accesses: no byte is lost, doubled or reordered but where
 * the guest asked for it, and status, interrupt line and FIFOs agree at all times.
 */
#include <stdint.h>
#include <stdlib.h>

#include "core/lib/string.h"
#include "drivers/emu/vuart.h"

#define QUEUE 16

struct queue {
    uint8_t byte[QUEUE];
    unsigned count;
};

static struct vuart u;
static struct queue tx, rx;
static uint64_t lost;

static void check(bool ok)
{
    if (!ok)
        abort();
}

static unsigned depth(void)
{
    return u.fcr & 1 ? 16 : 1;
}

static bool put(struct queue *q, uint8_t byte)
{
    if (q->count >= depth())
        return false;
    q->byte[q->count++] = byte;
    return true;
}

static uint8_t get(struct queue *q)
{
    uint8_t byte = q->byte[0];
    memmove(q->byte, q->byte + 1, --q->count);
    return byte;
}

static void expect_write(unsigned reg, uint8_t value)
{
    bool dlab = u.lcr & 0x80;
    if (reg == 0 && !dlab) {
        if (u.mcr & 0x10)
            put(&rx, value);
        else if (!put(&tx, value))
            lost++;
    }
    if (reg == 2) {
        bool toggled = (u.fcr ^ value) & 1;
        if (toggled || (value & 2))
            rx.count = 0;
        if (toggled || (value & 4))
            tx.count = 0;
    }
}

static void expect_read(unsigned reg, bool dlab, unsigned value)
{
    if (reg == 0 && !dlab)
        check(value == (rx.count ? get(&rx) : 0));
    if (reg == 5)
        check(!!(value & 1) == (rx.count > 0) && !!(value & 0x20) == (tx.count == 0) &&
              !!(value & 0x40) == (tx.count == 0));
    if (reg == 2)
        check((value & 0x30) == 0 && (value & 0xc0) == (u.fcr & 1 ? 0xc0 : 0));
}

static void access(const uint8_t *op)
{
    struct io_access a = {.offset = op[1] & 7, .size = 1, .write = op[0] & 1,
                          .value = op[0] & 1 ? op[2] : 0xff};
    bool dlab = u.lcr & 0x80;
    if (a.write)
        expect_write(op[1] & 7, op[2]);
    vuart_ops.access(&u, &a);
    if (!a.write) {
        check(a.value <= 0xff);
        expect_read(op[1] & 7, dlab, (unsigned)a.value);
    }
}

static void wild_access(const uint8_t *op)
{
    struct vuart copy = u;
    struct io_access a = {.offset = (uint64_t)op[1] << (op[2] % 57), .size = (uint8_t)(op[2] & 0xe),
                          .write = op[0] & 1, .value = op[2]};
    vuart_ops.access(&u, &a);
    check(memcmp(&copy, &u, sizeof(u)) == 0 && a.value == op[2]);
}

static void take(unsigned n)
{
    char buf[QUEUE + 4];
    size_t got = vuart_take(&u, buf, n % sizeof(buf));
    check(got <= tx.count && (got == tx.count || got == n % sizeof(buf)));
    for (size_t i = 0; i < got; i++)
        check((uint8_t)buf[i] == get(&tx));
}

static void give(const uint8_t *op)
{
    char bytes[2] = {(char)op[1], (char)op[2]};
    size_t room = vuart_room(&u), given = vuart_give(&u, bytes, 2);
    check(given == (room < 2 ? room : 2));
    for (size_t i = 0; i < given; i++)
        check(put(&rx, (uint8_t)bytes[i]));
}

static void check_state(void)
{
    check(u.tx.count == tx.count && u.rx.count == rx.count && u.tx_lost == lost);
    check(u.tx.count <= depth() && u.rx.count <= depth());
    check(vuart_tx_full(&u) == (!(u.mcr & 0x10) && tx.count == depth()));
    check(vuart_room(&u) == (u.mcr & 0x10 ? 0 : depth() - rx.count));
    /* The line says what IIR would, which is looked at on a copy since reading may take it. */
    struct vuart copy = u;
    struct io_access a = {.offset = 2, .size = 1, .value = 0xff};
    vuart_ops.access(&copy, &a);
    check(vuart_ops.irq(&u) == (!(a.value & 1) && (u.mcr & 0x18) == 0x08));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vuart_ops.reset(&u);
    memset(&tx, 0, sizeof(tx));
    memset(&rx, 0, sizeof(rx));
    lost = 0;
    for (size_t at = 0; at + 3 <= size; at += 3) {
        const uint8_t *op = data + at;
        switch (op[0] >> 1 & 7) {
        case 5:
            give(op);
            break;
        case 6:
            take(op[1]);
            break;
        case 7:
            wild_access(op);
            break;
        default:
            access(op);
            break;
        }
        check_state();
    }
    return 0;
}
