/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Trace records: ring and wire format. A reader on another CPU copies first and looks afterwards
 * how far the writer has come meanwhile: what may have been overwritten is thrown away.
 */
#include "core/trace_ring.h"

#include "core/lib/crc32.h"
#include "core/lib/fmt.h"
#include "core/lib/string.h"

#define SAME_VCPU BIT(7) /* of the first byte: VM and vCPU are those of the record before */

void trace_ring_init(struct trace_ring *ring, struct trace_record *buf, uint64_t size)
{
    *ring = (struct trace_ring){.buf = buf, .size = size};
}

void trace_ring_put(struct trace_ring *ring, const struct trace_record *r)
{
    uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
    ring->buf[head & (ring->size - 1)] = *r;
    __atomic_store_n(&ring->head, head + 1, __ATOMIC_RELEASE);
}

/* The record at head may be in the making, over the oldest one: that one does not count. */
static uint64_t oldest(const struct trace_ring *ring, uint64_t head)
{
    return head < ring->size ? 0 : head - ring->size + 1;
}

uint64_t trace_ring_oldest(const struct trace_ring *ring)
{
    return oldest(ring, __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE));
}

unsigned trace_ring_read(const struct trace_ring *ring, uint64_t *at, struct trace_record *out,
                         unsigned max)
{
    uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
    uint64_t from = max_u64(*at, oldest(ring, head));
    if (from >= head)
        return 0;
    unsigned n = (unsigned)min_u64(head - from, max);
    for (unsigned i = 0; i < n; i++)
        out[i] = ring->buf[(from + i) & (ring->size - 1)];
    /* The copies are made before head is read again. */
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    uint64_t whole = oldest(ring, __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE));
    unsigned lost = (unsigned)min_u64(whole > from ? whole - from : 0, n);
    memmove(out, out + lost, (n - lost) * sizeof(*out));
    *at = from + n;
    return n - lost;
}

/* --- numbers of seven bits a byte, the lowest first --- */

static size_t put_number(uint8_t *out, uint64_t value)
{
    size_t n = 0;
    for (; value >= 0x80; value >>= 7)
        out[n++] = (uint8_t)(value | 0x80);
    out[n++] = (uint8_t)value;
    return n;
}

/* 0: cut off, or more than 64 bits. */
static size_t get_number(const uint8_t *in, size_t len, uint64_t *value)
{
    *value = 0;
    for (size_t n = 0; n < len && n < 10; n++) {
        uint64_t digit = in[n] & 0x7f;
        if (n == 9 && digit > 1)
            return 0;
        *value |= digit << (7 * n);
        if (!(in[n] & 0x80))
            return n + 1;
    }
    return 0;
}

/* Small numbers of either sign become small numbers. */
static uint64_t fold(uint64_t delta)
{
    return delta << 1 ^ (0 - (delta >> 63));
}

static uint64_t unfold(uint64_t value)
{
    return value >> 1 ^ (0 - (value & 1));
}

size_t trace_encode(struct trace_codec *c, const struct trace_record *r, uint8_t *out)
{
    bool same = r->vm == c->vm && r->vcpu == c->vcpu;
    size_t n = 0;
    out[n++] = (uint8_t)(r->kind | (same ? SAME_VCPU : 0));
    n += put_number(out + n, fold(r->tsc - c->tsc));
    if (!same) {
        out[n++] = r->vcpu;
        n += put_number(out + n, r->vm);
    }
    n += put_number(out + n, r->value);
    *c = (struct trace_codec){r->tsc, r->vm, r->vcpu};
    return n;
}

size_t trace_decode(struct trace_codec *c, const uint8_t *in, size_t len, struct trace_record *r)
{
    uint64_t delta, vm, value;
    size_t n = 0, step;
    if (len < 2)
        return 0;
    *r = (struct trace_record){.kind = in[n++] & 0x7f, .vm = c->vm, .vcpu = c->vcpu};
    if (!(step = get_number(in + n, len - n, &delta)))
        return 0;
    n += step;
    if (!(in[0] & SAME_VCPU)) {
        if (n == len)
            return 0;
        r->vcpu = in[n++];
        if (!(step = get_number(in + n, len - n, &vm)) || vm > UINT16_MAX)
            return 0;
        r->vm = (uint16_t)vm;
        n += step;
    }
    if (!(step = get_number(in + n, len - n, &value)) || value > UINT32_MAX)
        return 0;
    r->value = (uint32_t)value;
    r->tsc = c->tsc + unfold(delta);
    *c = (struct trace_codec){r->tsc, r->vm, r->vcpu};
    return n + step;
}

/* --- lines --- */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static size_t put_base64(char *out, const uint8_t *in, size_t n)
{
    size_t used = 0;
    for (size_t i = 0; i < n; i += 3) {
        size_t have = min_u64(n - i, 3);
        uint32_t word = (uint32_t)in[i] << 16;
        word |= have > 1 ? (uint32_t)in[i + 1] << 8 : 0;
        word |= have > 2 ? in[i + 2] : 0;
        for (unsigned k = 0; k < 4; k++)
            out[used++] = k <= have ? digits[word >> (18 - 6 * k) & 63] : '=';
    }
    return used;
}

static int base64_digit(char c)
{
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* Bytes, or -1. */
static int get_base64(const char *in, size_t len, uint8_t *out, size_t size)
{
    size_t n = 0;
    if (len % 4)
        return -1;
    while (len && in[len - 1] == '=')
        len--;
    uint32_t word = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < len; i++) {
        int d = base64_digit(in[i]);
        if (d < 0)
            return -1;
        word = word << 6 | (uint32_t)d;
        bits += 6;
        if (bits < 8)
            continue;
        bits -= 8;
        if (n == size)
            return -1;
        out[n++] = (uint8_t)(word >> bits);
    }
    return (int)n;
}

/* The checksum covers all in front of it, without the blank. */
size_t trace_line_write(char out[TRACE_LINE_MAX], unsigned cpu, uint64_t first,
                        const uint8_t *bytes, size_t n)
{
    size_t used = fmt_print(out, TRACE_LINE_MAX, "trace: %u %lu ", cpu, (unsigned long)first);
    used += put_base64(out + used, bytes, min_u64(n, TRACE_LINE_BYTES));
    uint32_t crc = crc32(0, out, used);
    return used + fmt_print(out + used, TRACE_LINE_MAX - used, " %08x", crc);
}

struct scan {
    const char *at, *end;
};

static bool expect(struct scan *s, const char *text)
{
    for (; *text; text++)
        if (s->at == s->end || *s->at++ != *text)
            return false;
    return true;
}

static bool decimal(struct scan *s, uint64_t max, uint64_t *value)
{
    const char *start = s->at;
    for (*value = 0; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++) {
        uint64_t digit = (uint64_t)(*s->at - '0');
        if (*value > (max - digit) / 10)
            return false;
        *value = *value * 10 + digit;
    }
    return s->at > start;
}

int trace_line_read(const char *line, size_t len, unsigned *cpu, uint64_t *first,
                    uint8_t bytes[TRACE_LINE_BYTES])
{
    struct scan s = {line, line + len};
    uint64_t number;
    char sum[9];
    if (!expect(&s, "trace: ") || !decimal(&s, UINT16_MAX, &number) || !expect(&s, " ") ||
        !decimal(&s, UINT64_MAX, first) || !expect(&s, " "))
        return -1;
    *cpu = (unsigned)number;
    const char *data = s.at;
    while (s.at < s.end && *s.at != ' ')
        s.at++;
    fmt_print(sum, sizeof(sum), "%08x", crc32(0, line, (size_t)(s.at - line)));
    if (s.end - s.at != 9 || memcmp(s.at + 1, sum, 8))
        return -1;
    return get_base64(data, (size_t)(s.at - data), bytes, TRACE_LINE_BYTES);
}
