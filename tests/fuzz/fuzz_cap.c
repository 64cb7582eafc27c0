/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A cap under any order of turns, waits and changes, with clocks that differ between CPUs and times
 * near the end of 64 bits: what it grants stays within what its percentage earns, no debt lasts
 * forever, and cap_next() is when cap_left() says so.
 */
#include <stdlib.h>

#include "core/cap.h"
#include "core/lib/string.h"

struct step {
    uint8_t what;
    uint8_t scale;   /* of number, bits to the left */
    uint16_t number;
};

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void check_state(const struct cap *c, uint64_t now)
{
    uint64_t left = cap_left(c, now), next = cap_next(c, now);
    check(c->period >= CAP_PERIOD_MIN && c->period <= CAP_PERIOD_MAX);
    check(c->percent <= CAP_PERCENT_MAX);
    if (c->percent == CAP_NONE) {
        check(left == UINT64_MAX && next == now);
        return;
    }
    /* Never more than the bucket holds. */
    check(left <= c->period / 2 * c->percent / 100);
    check(left ? next == now : next > now || now == UINT64_MAX);
    if (!left && next != UINT64_MAX) {
        check(cap_left(c, next) > 0 || next <= c->period / 16);
        /* It may be had no earlier. */
        check(next == now + 1 || cap_left(c, next - 1) == 0);
        check(next - now <= c->period * (CAP_DEBT_PERIODS + 1));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct {
        uint32_t percent;
        uint64_t period, now;
    } in;
    struct cap c;
    struct step s;
    if (size < sizeof(in))
        return 0;
    memcpy(&in, data, sizeof(in));
    cap_init(&c, in.percent, in.period, in.now);
    uint64_t now = in.now;
    check_state(&c, now);
    for (size_t at = sizeof(in); at + sizeof(s) <= size; at += sizeof(s)) {
        memcpy(&s, data + at, sizeof(s));
        uint64_t n = (uint64_t)s.number << s.scale % 48, left = cap_left(&c, now);
        switch (s.what % 4) {
        case 0: /* time passes */
            now = n < UINT64_MAX - now ? now + n : UINT64_MAX;
            break;
        case 1: /* a turn of any length */
            cap_charge(&c, now, n);
            check(cap_left(&c, now) <= left);
            break;
        case 2: /* of all that it was allowed: nothing is left */
            if (left == UINT64_MAX)
                break;
            cap_charge(&c, now, left);
            check(cap_left(&c, now) == 0 || left == 0 || c.period / 16 == 0);
            break;
        default:
            cap_set(&c, (uint32_t)n);
        }
        check_state(&c, now);
    }
    return 0;
}
