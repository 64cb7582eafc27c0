/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Driver of the battery clock. Data sheet: Motorola MC146818A.
 */
#include "drivers/hw/rtc.h"

#include "arch/x86/insn.h"

#define PORT_INDEX 0x70
#define PORT_DATA  0x71
#define REG_A      0x0a
#define REG_B      0x0b
#define A_UIP      0x80
#define B_24H      0x02
#define B_BINARY   0x04
#define PM         0x80
#define PATIENCE   1000000

static uint8_t cmos(uint8_t index)
{
    out8(PORT_INDEX, index);
    return in8(PORT_DATA);
}

static unsigned decode(uint8_t v, bool binary)
{
    return binary ? v : (v >> 4) * 10u + (v & 15);
}

int64_t rtc_seconds(int year, unsigned month, unsigned day, unsigned hour, unsigned minute,
                    unsigned second)
{
    /* Years begin in March, so that the leap day is a year's last. */
    int64_t y = year - (month <= 2), era = y / 400;
    int64_t in_era = y - era * 400, m = month > 2 ? (int64_t)month - 3 : (int64_t)month + 9;
    int64_t day_of_year = (153 * m + 2) / 5 + (int64_t)day - 1;
    int64_t days = era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + day_of_year - 719468;
    return ((days * 24 + hour) * 60 + minute) * 60 + second;
}

int64_t rtc_read(void)
{
    for (unsigned i = 0; i < PATIENCE && (cmos(REG_A) & A_UIP); i++)
        pause();
    uint8_t raw_hour = cmos(4), b = cmos(REG_B);
    bool binary = b & B_BINARY;
    unsigned second = decode(cmos(0), binary), minute = decode(cmos(2), binary);
    unsigned hour = decode(raw_hour & (b & B_24H ? 0xff : 0x7f), binary);
    unsigned day = decode(cmos(7), binary), month = decode(cmos(8), binary);
    unsigned year = decode(cmos(9), binary);
    if (!(b & B_24H))
        hour = hour % 12 + (raw_hour & PM ? 12 : 0);
    if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 59)
        return 0;
    return rtc_seconds(2000 + (int)year, month, day, hour, minute, second);
}
