/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scaling factors of the paravirtual clock. PURE.
 */
#include "core/pvclock.h"

#include "core/lib/string.h"

#define FLAG_STABLE 1
#define NS_PER_MS   UINT64_C(1000000)

void pvclock_fill(struct pvclock_system *s, uint32_t version, uint64_t tsc, uint64_t ns,
                  uint64_t tsc_khz)
{
    /* Nanoseconds a tick, times 2^44, brought to a factor in [2^31, 2^32) and a shift. */
    uint64_t factor = (NS_PER_MS << 44) / (tsc_khz ? tsc_khz : 1);
    int shift = -12;
    while (factor > UINT32_MAX)
        factor >>= 1, shift++;
    while (factor < BIT(31) && shift > -31)
        factor <<= 1, shift--;
    memset(s, 0, sizeof(*s));
    s->version = version;
    s->tsc = tsc;
    s->ns = ns;
    s->mul = (uint32_t)factor;
    s->shift = (int8_t)shift;
    s->flags = FLAG_STABLE;
}

uint64_t pvclock_read(const struct pvclock_system *s, uint64_t tsc)
{
    uint64_t delta = tsc - s->tsc;
    delta = s->shift >= 0 ? delta << s->shift : delta >> -s->shift;
    return s->ns + (uint64_t)((unsigned __int128)delta * s->mul >> 32);
}
