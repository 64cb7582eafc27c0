/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which local APIC an interrupt message is for. PURE. Simplification: real systems do not mix xAPIC
 * and x2APIC mode, so nothing says what they would do; here each target reads the destination in
 * its own mode, and never only a part of it.
 * Have open: SDM, "Determining IPI Destination" and "Logical Destination Mode in x2APIC Mode".
 */
#include "core/apic_route.h"

#define XAPIC_BROADCAST  0xffu
#define X2APIC_BROADCAST 0xffffffffu

#define DFR_FLAT         0xfu /* bits 31:28 */
#define DFR_CLUSTER      0x0u

uint32_t apic_x2apic_ldr(uint32_t id)
{
    return (id >> 4) << 16 | 1u << (id & 0xf);
}

static bool matches_x2apic(const struct apic_message *m, const struct apic_target *t)
{
    if (m->destination == X2APIC_BROADCAST)
        return true;
    if (!m->logical)
        return m->destination == t->id;
    return m->destination >> 16 == t->ldr >> 16 && (m->destination & t->ldr & 0xffff) != 0;
}

static bool matches_xapic(const struct apic_message *m, const struct apic_target *t)
{
    uint32_t d = m->destination;
    if (d == XAPIC_BROADCAST || d == X2APIC_BROADCAST)
        return true;
    if (d > XAPIC_BROADCAST)
        return false;
    if (!m->logical)
        return d == (t->id & 0xff);
    uint32_t logical_id = t->ldr >> 24;
    switch (t->dfr >> 28) {
    case DFR_FLAT:
        return (d & logical_id) != 0;
    case DFR_CLUSTER:
        return d >> 4 == logical_id >> 4 && (d & logical_id & 0xf) != 0;
    default: /* reserved models address nobody */
        return false;
    }
}

bool apic_matches(const struct apic_message *m, uint32_t source_id,
                  const struct apic_target *target)
{
    switch (m->shorthand) {
    case APIC_TO_SELF:
        return target->id == source_id;
    case APIC_TO_ALL:
        return true;
    case APIC_TO_OTHERS:
        return target->id != source_id;
    default:
        return target->x2apic ? matches_x2apic(m, target) : matches_xapic(m, target);
    }
}

int apic_arbitrate(const bool *candidate, const uint8_t *priority, unsigned n, unsigned *turn)
{
    int best = -1;
    /* Starting behind the last winner makes the first of several equals another each time. */
    for (unsigned i = 0; i < n; i++) {
        unsigned k = (unsigned)(((uint64_t)*turn + i) % n);
        if (candidate[k] && (best < 0 || priority[k] < priority[best]))
            best = (int)k;
    }
    if (best >= 0)
        *turn = (unsigned)best + 1;
    return best;
}
