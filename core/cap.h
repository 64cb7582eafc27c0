/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cap of a VM: at most so many percent of one physical CPU, all its vCPUs together. A token
 * bucket in one word, for any number of CPUs at once without a lock. PURE: time comes in as
 * argument, from clocks that may differ a little between CPUs.
 *
 * In any stretch W a VM runs at most percent x (W + period / 2) plus what its CPUs overran, and an
 * overrun is paid for before it runs again.
 */
#ifndef CORE_CAP_H
#define CORE_CAP_H

#include "core/lib/bits.h"

#define CAP_NONE         0
#define CAP_PERCENT_MAX  25600                 /* 256 CPUs */
#define CAP_PERIOD_MIN   UINT64_C(16000)       /* ticks */
#define CAP_PERIOD_MAX   (UINT64_C(1) << 44)
#define CAP_DEBT_PERIODS 256                   /* a longer debt is forgiven */

struct cap {
    uint64_t paid;    /* tick at which all that was run is paid for; atomic */
    uint64_t period;  /* ticks */
    uint32_t percent; /* of one CPU; CAP_NONE: no cap; atomic */
};

/* period: ticks, moved into range. The bucket starts empty. */
void cap_init(struct cap *c, uint32_t percent, uint64_t period, uint64_t now);
/* At any time; what was run stays owed. Above CAP_PERCENT_MAX is CAP_PERCENT_MAX. */
void cap_set(struct cap *c, uint32_t percent);
/* Ticks that may be run from now, summed over all CPUs; 0: none before cap_next(); UINT64_MAX: no
 * cap. Never so few that a turn would be wasted on them. */
uint64_t cap_left(const struct cap *c, uint64_t now);
/* So many ticks have been run up to now. */
void cap_charge(struct cap *c, uint64_t now, uint64_t ticks);
/* When cap_left() is not 0 if nobody runs until then: `now` if it is so already. */
uint64_t cap_next(const struct cap *c, uint64_t now);

#endif
