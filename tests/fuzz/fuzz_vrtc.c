/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The real-time clock under any sequence of accesses and times: it makes no difference in how many
 * steps time passes, nothing interrupts before the deadline and something does at it, and a clock
 * that nobody has set agrees with the C library's.
 */
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "core/lib/string.h"
#include "drivers/emu/vrtc.h"

static struct vrtc r;

static void check(bool ok)
{
    if (!ok)
        abort();
}

static uint8_t read_at(struct vrtc *clock, unsigned index)
{
    struct io_access a = {.size = 1, .write = true, .value = index};
    vrtc_ops.access(clock, &a);
    a = (struct io_access){.offset = 1, .size = 1, .value = 0xff};
    vrtc_ops.access(clock, &a);
    check(a.value <= 0xff);
    return (uint8_t)a.value;
}

static void advance(uint64_t ns)
{
    uint64_t now = r.now_ns, to = now + ns;
    if (to < now || to > INT64_MAX)
        return;
    struct vrtc steps = r;
    bool before = vrtc_ops.irq(&r);
    uint64_t due = vrtc_ops.deadline(&r);
    check(due > now);
    vrtc_ops.advance(&steps, now + ns / 3);
    vrtc_ops.advance(&steps, now + ns / 2);
    if (due <= to && due > now + ns / 2) {
        check(!before && !vrtc_ops.irq(&steps));
        vrtc_ops.advance(&steps, due - 1);
        check(!vrtc_ops.irq(&steps));
        vrtc_ops.advance(&steps, due);
        check(vrtc_ops.irq(&steps));
    }
    vrtc_ops.advance(&steps, to);
    bool told = vrtc_ops.advance(&r, to);
    check(told || vrtc_ops.irq(&r) == before);
    check(memcmp(&steps, &r, sizeof(r)) == 0);
    check(vrtc_ops.irq(&r) == (before || due <= to));
}

static void access(const uint8_t *op)
{
    struct io_access a = {.offset = op[0] >> 1 & 1, .size = 1, .write = op[0] & 1,
                          .value = op[0] & 1 ? op[1] : 0xff};
    bool irq = vrtc_ops.irq(&r);
    vrtc_ops.access(&r, &a);
    if (a.write || a.offset == 0)
        return;
    check(a.value <= 0xff);
    if (r.index == 12)
        check((a.value >> 7) == irq && !vrtc_ops.irq(&r) && r.ram[12] == 0);
    if (r.index == 13)
        check(a.value == 0x80);
}

static void write_at(const uint8_t *op)
{
    struct io_access a = {.size = 1, .write = true, .value = op[1] % 14};
    vrtc_ops.access(&r, &a);
    a = (struct io_access){.offset = 1, .size = 1, .write = true, .value = op[2]};
    vrtc_ops.access(&r, &a);
}

static void wild_access(const uint8_t *op)
{
    struct vrtc before = r;
    struct io_access a = {.offset = op[1], .size = (uint8_t)(2 << (op[2] & 3)),
                          .write = op[0] & 1, .value = op[2]};
    vrtc_ops.access(&r, &a);
    check(memcmp(&before, &r, sizeof(r)) == 0 && a.value == op[2]);
}

static unsigned number(unsigned index)
{
    uint8_t v = read_at(&r, index);
    return (v >> 4) * 10u + (v & 15u);
}

static void against_library(int64_t start, uint64_t now)
{
    time_t t = (time_t)(start + (int64_t)(now / 1000000000));
    struct tm tm;
    vrtc_init(&r, start, now / 2);
    vrtc_ops.advance(&r, now);
    if (!gmtime_r(&t, &tm) || tm.tm_year + 1900 > 9999)
        return;
    check(number(0) == (unsigned)tm.tm_sec && number(2) == (unsigned)tm.tm_min);
    check(number(4) == (unsigned)tm.tm_hour && number(6) == (unsigned)tm.tm_wday + 1);
    check(number(7) == (unsigned)tm.tm_mday && number(8) == (unsigned)tm.tm_mon + 1);
    check(number(0x32) * 100 + number(9) == (unsigned)tm.tm_year + 1900);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 12)
        return 0;
    uint64_t start = 0, now = 0;
    memcpy(&start, data, 5);
    memcpy(&now, data + 5, 7);
    against_library((int64_t)(start % UINT64_C(253402300800)), now);
    vrtc_init(&r, (int64_t)start - INT64_C(100000000000), now / 1000);
    for (size_t at = 12; at + 3 <= size; at += 3) {
        const uint8_t *op = data + at;
        switch (op[0] >> 2 & 7) {
        case 0:
        case 1:
            access(op);
            break;
        case 2:
        case 3:
            write_at(op);
            break;
        case 4: /* up to 2 s in steps of 30 us */
            advance(UINT64_C(30518) * (op[1] | op[2] << 8));
            break;
        case 5: /* anything up to some years */
            advance((op[1] + UINT64_C(1)) << (op[2] % 50));
            break;
        case 6:
            if (vrtc_ops.deadline(&r) < INT64_MAX)
                advance(vrtc_ops.deadline(&r) - r.now_ns);
            break;
        default:
            wild_access(op);
            break;
        }
        check(r.index < VRTC_BYTES && (r.ram[10] & 0x80) == 0 && (r.ram[12] & 0x8f) == 0);
        check(!(r.ram[11] & 0x80) || !(r.ram[11] & 0x10));
    }
    return 0;
}
