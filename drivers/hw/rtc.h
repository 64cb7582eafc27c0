/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine's battery clock, read at boot and for the console's `time`.
 */
#ifndef DRIVERS_HW_RTC_H
#define DRIVERS_HW_RTC_H

#include "core/lib/bits.h"

/* Seconds since 1970, taking the clock to show UTC; 0 when it makes no sense. */
int64_t rtc_read(void);
/* The same of a date: year in full, month 1 to 12, day 1 to 31. */
int64_t rtc_seconds(int year, unsigned month, unsigned day, unsigned hour, unsigned minute,
                    unsigned second);

#endif
