/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MC146818. PURE, sans-I/O. The time registers are the truth, as in the chip: each update cycle
 * adds a second to whatever they hold, and cycles nobody looked at are made up for in one addition.
 * Not modelled: daylight saving, the square wave, time bases other than 32.768 kHz (the clock
 * stands still), the half-written time that the chip shows while UIP is set.
 * Have open: Motorola's data sheet "MC146818 Real-Time Clock Plus RAM".
 */
#include "drivers/emu/vrtc.h"

#include "core/lib/string.h"

enum {
    REG_SECONDS,
    REG_SECONDS_ALARM,
    REG_MINUTES,
    REG_MINUTES_ALARM,
    REG_HOURS,
    REG_HOURS_ALARM,
    REG_DAY_OF_WEEK, /* 1 to 7, Sunday is 1 */
    REG_DAY,
    REG_MONTH,
    REG_YEAR,
    REG_A,
    REG_B,
    REG_C,
    REG_D,
    FIRST_BYTE,
};

#define A_UIP          0x80
#define A_DIVIDER      0x70
#define A_DIVIDER_RUN  0x20
#define A_RATE         0x0f
#define B_SET          0x80
#define B_UIE          0x10
#define B_AIE          0x20
#define B_PIE          0x40
#define B_DM           0x04 /* binary, else BCD */
#define B_24H          0x02
#define C_UF           0x10
#define C_AF           0x20
#define C_PF           0x40
#define C_IRQF         0x80
#define C_FLAGS        (C_UF | C_AF | C_PF)
#define D_VRT          0x80
#define HOUR_PM        0x80
#define ALARM_ANY      0xc0
#define INDEX_NMI      0x80

#define SECOND_NS      INT64_C(1000000000)
/* UIP comes 244 us before an update cycle, which takes 1984 us. */
#define UIP_NS         (INT64_C(244000) + INT64_C(1984000))
/* A divider that is let go ends its first cycle after half a second. */
#define FIRST_CYCLE_NS (SECOND_NS / 2)
#define TICK_HZ        32768

#define DAY_SECONDS    86400
#define DAYS_TO_1970   719528 /* from 1 January of year 0 */
#define YEARS          10000
#define DAYS_TO_10000  3652425

/* --- calendar ------------------------------------------------------------------------------- */

struct moment {
    int64_t day;    /* since 1 January of year 0 */
    int64_t second; /* of that day */
};

static int64_t days_before_year(int64_t y)
{
    return 365 * y + (y + 3) / 4 - (y + 99) / 100 + (y + 399) / 400;
}

static int64_t days_before_month(int64_t year, unsigned month)
{
    static const uint16_t days[12] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (leap && month > 2 ? 1 : 0);
}

static int64_t year_of_day(int64_t day)
{
    int64_t year = day * 400 / 146097;
    while (days_before_year(year + 1) <= day)
        year++;
    while (days_before_year(year) > day)
        year--;
    return year;
}

/* --- registers as numbers ------------------------------------------------------------------- */

static bool is_binary(const struct vrtc *r)
{
    return (r->ram[REG_B] & B_DM) != 0;
}

static unsigned decode(const struct vrtc *r, uint8_t value)
{
    return is_binary(r) ? value : (value >> 4) * 10u + (value & 15u);
}

static uint8_t encode(const struct vrtc *r, unsigned n)
{
    return (uint8_t)(is_binary(r) ? n : n / 10 << 4 | n % 10);
}

static unsigned decode_hour(const struct vrtc *r, uint8_t value)
{
    if (r->ram[REG_B] & B_24H)
        return decode(r, value);
    return decode(r, value & (uint8_t)~HOUR_PM) % 12 + (value & HOUR_PM ? 12 : 0);
}

static uint8_t encode_hour(const struct vrtc *r, unsigned hour)
{
    if (r->ram[REG_B] & B_24H)
        return encode(r, hour);
    unsigned twelve = hour % 12 == 0 ? 12 : hour % 12;
    return encode(r, twelve) | (hour >= 12 ? HOUR_PM : 0);
}

/* What the registers say. A guest may have written anything: sums come out of range values. */
static struct moment read_time(const struct vrtc *r)
{
    int64_t year = (int64_t)decode(r, r->ram[VRTC_CENTURY]) * 100 + decode(r, r->ram[REG_YEAR]);
    unsigned month = decode(r, r->ram[REG_MONTH]);
    month = month < 1 ? 1 : month > 12 ? 12 : month;
    int64_t day = days_before_year(year) + days_before_month(year, month) +
                  decode(r, r->ram[REG_DAY]) - 1;
    int64_t second = (int64_t)decode_hour(r, r->ram[REG_HOURS]) * 3600 +
                     decode(r, r->ram[REG_MINUTES]) * 60 + decode(r, r->ram[REG_SECONDS]);
    return (struct moment){day < 0 ? 0 : day, second};
}

static void write_time(struct vrtc *r, struct moment m)
{
    int64_t year = year_of_day(m.day), day = m.day - days_before_year(year);
    unsigned month = 12, second = (unsigned)m.second;
    while (month > 1 && days_before_month(year, month) > day)
        month--;
    r->ram[REG_SECONDS] = encode(r, second % 60);
    r->ram[REG_MINUTES] = encode(r, second / 60 % 60);
    r->ram[REG_HOURS] = encode_hour(r, second / 3600);
    r->ram[REG_DAY] = encode(r, (unsigned)(day - days_before_month(year, month)) + 1);
    r->ram[REG_MONTH] = encode(r, month);
    r->ram[REG_YEAR] = encode(r, (unsigned)(year % 100));
    r->ram[VRTC_CENTURY] = encode(r, (unsigned)(year / 100 % 100));
}

static struct moment add_seconds(struct moment m, uint64_t n)
{
    uint64_t second = (uint64_t)m.second + n % DAY_SECONDS;
    m.day += (int64_t)(n / DAY_SECONDS + second / DAY_SECONDS);
    m.day %= DAYS_TO_10000;
    m.second = (int64_t)(second % DAY_SECONDS);
    return m;
}

/* --- alarm ---------------------------------------------------------------------------------- */

/* An alarm register as a number, -1 for any. */
static int alarm_part(const struct vrtc *r, unsigned reg)
{
    uint8_t value = r->ram[reg];
    if ((value & ALARM_ANY) == ALARM_ANY)
        return -1;
    return (int)(reg == REG_HOURS_ALARM ? decode_hour(r, value) : decode(r, value));
}

/* Update cycles until the alarm, 1 to a day; 0: it never comes. Skips what cannot match, so that it
 * takes few steps. */
static unsigned cycles_to_alarm(const struct vrtc *r)
{
    int hour = alarm_part(r, REG_HOURS_ALARM), minute = alarm_part(r, REG_MINUTES_ALARM),
        second = alarm_part(r, REG_SECONDS_ALARM);
    unsigned start = (unsigned)(read_time(r).second % DAY_SECONDS), t = start + 1;
    while (t <= start + DAY_SECONDS) {
        int s = (int)(t % DAY_SECONDS);
        if (hour >= 0 && s / 3600 != hour)
            t += 3600 - t % 3600;
        else if (minute >= 0 && s / 60 % 60 != minute)
            t += 60 - t % 60;
        else if (second >= 0 && s % 60 != second)
            t++;
        else
            return t - start;
    }
    return 0;
}

/* --- the divider chain ---------------------------------------------------------------------- */

static bool divider_runs(const struct vrtc *r)
{
    return (r->ram[REG_A] & A_DIVIDER) == A_DIVIDER_RUN;
}

static bool time_runs(const struct vrtc *r)
{
    return divider_runs(r) && !(r->ram[REG_B] & B_SET);
}

/* Nanoseconds since the epoch, never negative. */
static uint64_t since_epoch(const struct vrtc *r)
{
    return (uint64_t)((int64_t)r->now_ns - r->epoch_ns);
}

/* Ticks of 32768 Hz in a period of the periodic interrupt, as a power of two; 0: there is none. The
 * two fastest rates of the other time bases mean 256 and 128 Hz here. */
static unsigned rate_shift(const struct vrtc *r)
{
    unsigned rate = r->ram[REG_A] & A_RATE;
    if (rate == 0)
        return 0;
    return rate <= 2 ? rate + 6 : rate - 1;
}

static uint64_t periods(const struct vrtc *r)
{
    uint64_t ns = since_epoch(r), second = (uint64_t)SECOND_NS;
    return (ns / second * TICK_HZ + ns % second * TICK_HZ / second) >> rate_shift(r);
}

/* Time of the VM's clock at which a period ends, counted like periods(). */
static uint64_t period_end(const struct vrtc *r, uint64_t n)
{
    uint64_t ticks = n << rate_shift(r), second = (uint64_t)SECOND_NS;
    uint64_t ns = ticks / TICK_HZ * second + (ticks % TICK_HZ * second + TICK_HZ - 1) / TICK_HZ;
    return ns + (uint64_t)r->epoch_ns;
}

static uint64_t cycle_end(const struct vrtc *r, uint64_t n)
{
    return n * (uint64_t)SECOND_NS + (uint64_t)r->epoch_ns;
}

static void update_cycles(struct vrtc *r, uint64_t n)
{
    unsigned alarm = cycles_to_alarm(r);
    struct moment before = read_time(r), after = add_seconds(before, n);
    uint64_t days = n / DAY_SECONDS +
                    (n % DAY_SECONDS + (uint64_t)before.second) / DAY_SECONDS;
    unsigned week = (decode(r, r->ram[REG_DAY_OF_WEEK]) + 6) % 7;
    write_time(r, after);
    r->ram[REG_DAY_OF_WEEK] = encode(r, (unsigned)((week + days) % 7) + 1);
    r->ram[REG_C] |= C_UF;
    if (alarm && n >= alarm)
        r->ram[REG_C] |= C_AF;
}

static bool vrtc_advance(void *dev, uint64_t now_ns)
{
    struct vrtc *r = dev;
    if (now_ns <= r->now_ns || now_ns > INT64_MAX)
        return false;
    r->now_ns = now_ns;
    if (!divider_runs(r))
        return false;
    uint8_t before = r->ram[REG_C];
    uint64_t seconds = since_epoch(r) / (uint64_t)SECOND_NS;
    if (seconds > r->seconds_done && time_runs(r))
        update_cycles(r, seconds - r->seconds_done);
    r->seconds_done = seconds;
    if (rate_shift(r) && periods(r) > r->ticks_done) {
        r->ticks_done = periods(r);
        r->ram[REG_C] |= C_PF;
    }
    return r->ram[REG_C] != before;
}

/* --- registers ------------------------------------------------------------------------------ */

static void write_a(struct vrtc *r, uint8_t value)
{
    bool ran = divider_runs(r);
    r->ram[REG_A] = value & (uint8_t)~A_UIP;
    if (!divider_runs(r))
        return;
    if (!ran) {
        r->epoch_ns = (int64_t)r->now_ns + FIRST_CYCLE_NS - SECOND_NS;
        r->seconds_done = 0;
    }
    r->ticks_done = periods(r);
}

static void write_register(struct vrtc *r, uint8_t value)
{
    switch (r->index) {
    case REG_A:
        write_a(r, value);
        break;
    case REG_B:
        /* Setting the clock ends the interrupts about its going on. */
        r->ram[REG_B] = value & B_SET ? value & (uint8_t)~B_UIE : value;
        break;
    case REG_C:
    case REG_D:
        break;
    default:
        r->ram[r->index] = value;
        break;
    }
}

static bool update_in_progress(const struct vrtc *r)
{
    return time_runs(r) &&
           (int64_t)(since_epoch(r) % (uint64_t)SECOND_NS) >= SECOND_NS - UIP_NS;
}

static bool vrtc_irq(const void *dev)
{
    const struct vrtc *r = dev;
    return (r->ram[REG_B] & r->ram[REG_C] & C_FLAGS) != 0;
}

static uint8_t read_register(struct vrtc *r)
{
    uint8_t value = r->ram[r->index];
    switch (r->index) {
    case REG_A:
        return value | (update_in_progress(r) ? A_UIP : 0);
    case REG_C:
        value |= vrtc_irq(r) ? C_IRQF : 0;
        r->ram[REG_C] = 0;
        return value;
    default:
        return value;
    }
}

static void vrtc_access(void *dev, struct io_access *a)
{
    struct vrtc *r = dev;
    if (a->size != 1 || a->offset >= VRTC_PORTS)
        return;
    if (a->offset == 1) {
        if (a->write)
            write_register(r, (uint8_t)a->value);
        else
            a->value = read_register(r);
    } else if (a->write) { /* the index cannot be read */
        r->index = (uint8_t)a->value & (VRTC_BYTES - 1);
        r->nmi_masked = (a->value & INDEX_NMI) != 0;
    }
}

/* --- the owner's side ----------------------------------------------------------------------- */

static uint64_t vrtc_deadline(const void *dev)
{
    const struct vrtc *r = dev;
    uint64_t first = UINT64_MAX;
    uint8_t wanted = r->ram[REG_B] & (uint8_t)~r->ram[REG_C] & C_FLAGS;
    if (vrtc_irq(r) || !divider_runs(r))
        return first;
    if ((wanted & C_PF) && rate_shift(r))
        first = period_end(r, r->ticks_done + 1);
    if ((wanted & C_UF) && time_runs(r))
        first = min_u64(first, cycle_end(r, r->seconds_done + 1));
    if ((wanted & C_AF) && time_runs(r) && cycles_to_alarm(r))
        first = min_u64(first, cycle_end(r, r->seconds_done + cycles_to_alarm(r)));
    return first;
}

void vrtc_init(struct vrtc *r, int64_t unix_seconds, uint64_t now_ns)
{
    int64_t lowest = -(int64_t)DAYS_TO_1970 * DAY_SECONDS;
    int64_t highest = (int64_t)(DAYS_TO_10000 - DAYS_TO_1970) * DAY_SECONDS - 1;
    memset(r, 0, sizeof(*r));
    if (unix_seconds < lowest || unix_seconds > highest)
        unix_seconds = 0;
    r->base_seconds = unix_seconds;
    r->now_ns = min_u64(now_ns, INT64_MAX);
    r->seconds_done = r->now_ns / (uint64_t)SECOND_NS;
    r->ram[REG_A] = A_DIVIDER_RUN | 6; /* 1024 Hz, as every firmware has it */
    r->ram[REG_B] = B_24H;
    r->ram[REG_D] = D_VRT;
    r->ticks_done = periods(r);
    uint64_t year0 = (uint64_t)(unix_seconds - lowest);
    struct moment m = {(int64_t)(year0 / DAY_SECONDS), (int64_t)(year0 % DAY_SECONDS)};
    m = add_seconds(m, r->seconds_done);
    write_time(r, m);
    /* 1 January of year 0 is a Saturday. */
    r->ram[REG_DAY_OF_WEEK] = encode(r, (unsigned)((m.day + 6) % 7) + 1);
}

static void vrtc_reset(void *dev)
{
    struct vrtc *r = dev;
    vrtc_init(r, r->base_seconds, r->now_ns);
}

void vrtc_set_byte(struct vrtc *r, unsigned index, uint8_t value)
{
    if (index >= FIRST_BYTE && index < VRTC_BYTES && index != VRTC_CENTURY)
        r->ram[index] = value;
}

const struct device_ops vrtc_ops = {
    .reset = vrtc_reset,
    .access = vrtc_access,
    .advance = vrtc_advance,
    .deadline = vrtc_deadline,
    .irq = vrtc_irq,
};
