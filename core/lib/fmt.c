/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The formatter behind every line the hypervisor prints. PURE. Output goes to a sink function, so
 * that nothing here needs a buffer of the caller's whole text. Unknown conversions are printed as
 * they stand, never guessed.
 */
#include "core/lib/fmt.h"

#include <stdint.h>

#include "core/lib/string.h"

#define COUNT_MAX 4096 /* width and precision */

struct spec {
    bool left, zero, alt;
    char sign;     /* '+', ' ' or 0 */
    int width;
    int precision; /* -1: none given */
    int length;    /* bytes of the argument: 1, 2, 4 or 8 */
};

struct out {
    fmt_sink_fn *sink;
    void *ctx;
    size_t total;
};

static void emit(struct out *o, const char *s, size_t n)
{
    if (n)
        o->sink(o->ctx, s, n);
    o->total += n;
}

static void pad(struct out *o, char c, long n)
{
    static const char spaces[] = "                ", zeros[] = "0000000000000000";
    const char *s = c == '0' ? zeros : spaces;
    for (; n > 0; n -= 16)
        emit(o, s, n < 16 ? (size_t)n : 16);
}

static void field(struct out *o, const struct spec *s, const char *prefix, const char *body,
                  size_t len)
{
    size_t plen = strlen(prefix);
    long zeros = s->precision > (long)len ? s->precision - (long)len : 0;
    long fill = s->width - (long)plen - zeros - (long)len;
    if (s->zero && !s->left && s->precision < 0 && fill > 0)
        zeros = fill, fill = 0;
    if (!s->left)
        pad(o, ' ', fill);
    emit(o, prefix, plen);
    pad(o, '0', zeros);
    emit(o, body, len);
    if (s->left)
        pad(o, ' ', fill);
}

static void number(struct out *o, const struct spec *s, const char *prefix, uint64_t v,
                   unsigned base, bool upper)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char buf[24];
    size_t at = sizeof(buf);
    for (; v; v /= base)
        buf[--at] = digits[v % base];
    if (at == sizeof(buf) && s->precision != 0) /* zero with precision 0 is nothing */
        buf[--at] = '0';
    field(o, s, prefix, buf + at, sizeof(buf) - at);
}

/* Digits at *p, or '*' for an argument, clamped to what fits on a screen: a wild width must neither
 * overflow nor flood the log. */
static int parse_count(const char **p, va_list *args)
{
    int n = 0;
    if (**p == '*') {
        ++*p;
        n = va_arg(*args, int);
        return n > COUNT_MAX ? COUNT_MAX : n < -COUNT_MAX ? -COUNT_MAX : n;
    }
    for (; **p >= '0' && **p <= '9'; ++*p)
        n = n >= COUNT_MAX ? COUNT_MAX : n * 10 + (**p - '0');
    return n > COUNT_MAX ? COUNT_MAX : n;
}

static const char *parse_spec(const char *p, struct spec *s, va_list *args)
{
    *s = (struct spec){.precision = -1, .length = 4};
    for (;; p++) {
        if (*p == '-')
            s->left = true;
        else if (*p == '0')
            s->zero = true;
        else if (*p == '#')
            s->alt = true;
        else if (*p == '+' || *p == ' ')
            s->sign = s->sign == '+' ? '+' : *p;
        else
            break;
    }
    s->width = parse_count(&p, args);
    if (s->width < 0)
        s->left = true, s->width = -s->width;
    if (*p == '.') {
        p++;
        s->precision = parse_count(&p, args);
        if (s->precision < 0) /* from an argument: as if there were none */
            s->precision = -1;
    }
    if (p[0] == 'h') {
        s->length = p[1] == 'h' ? 1 : 2;
        p += p[1] == 'h' ? 2 : 1;
    } else if (p[0] == 'l' || p[0] == 'z' || p[0] == 'j') {
        s->length = 8;
        p += p[0] == 'l' && p[1] == 'l' ? 2 : 1;
    }
    return p;
}

static uint64_t fetch(const struct spec *s, bool is_signed, va_list *args)
{
    if (s->length == 8)
        return va_arg(*args, uint64_t);
    unsigned v = va_arg(*args, unsigned);
    if (s->length == 1)
        return is_signed ? (uint64_t)(int64_t)(int8_t)v : (uint8_t)v;
    if (s->length == 2)
        return is_signed ? (uint64_t)(int64_t)(int16_t)v : (uint16_t)v;
    return is_signed ? (uint64_t)(int64_t)(int32_t)v : v;
}

static void signed_number(struct out *o, const struct spec *s, int64_t v)
{
    char sign[2] = {v < 0 ? '-' : s->sign, 0};
    number(o, s, sign, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 10, false);
}

static void string(struct out *o, const struct spec *s, const char *str)
{
    size_t n = 0;
    if (!str)
        str = "(null)";
    while ((s->precision < 0 || n < (size_t)s->precision) && str[n])
        n++;
    struct spec plain = *s;
    plain.precision = -1;
    plain.zero = false;
    field(o, &plain, "", str, n);
}

size_t fmt_vwrite(fmt_sink_fn *sink, void *ctx, const char *format, va_list args_in)
{
    struct out o = {sink, ctx, 0};
    va_list args;
    va_copy(args, args_in);
    for (const char *p = format; *p;) {
        const char *start = p;
        while (*p && *p != '%')
            p++;
        emit(&o, start, (size_t)(p - start));
        if (!*p)
            break;
        start = p;
        struct spec s;
        p = parse_spec(p + 1, &s, &args);
        char c = *p;
        if (c)
            p++;
        if (c == 'd' || c == 'i') {
            signed_number(&o, &s, (int64_t)fetch(&s, true, &args));
        } else if (c == 'u') {
            number(&o, &s, "", fetch(&s, false, &args), 10, false);
        } else if (c == 'x' || c == 'X') {
            uint64_t v = fetch(&s, false, &args);
            number(&o, &s, s.alt && v ? (c == 'x' ? "0x" : "0X") : "", v, 16, c == 'X');
        } else if (c == 'p') {
            number(&o, &s, "0x", (uintptr_t)va_arg(args, void *), 16, false);
        } else if (c == 's') {
            string(&o, &s, va_arg(args, const char *));
        } else if (c == 'c') {
            char ch = (char)va_arg(args, int);
            struct spec plain = {.left = s.left, .width = s.width, .precision = -1};
            field(&o, &plain, "", &ch, 1);
        } else if (c == '%') {
            emit(&o, "%", 1);
        } else {
            emit(&o, start, (size_t)(p - start));
        }
    }
    va_end(args);
    return o.total;
}

size_t fmt_write(fmt_sink_fn *sink, void *ctx, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t n = fmt_vwrite(sink, ctx, format, args);
    va_end(args);
    return n;
}

struct buffer {
    char *at;
    size_t left; /* room without the terminator */
};

static void buffer_sink(void *ctx, const char *text, size_t len)
{
    struct buffer *b = ctx;
    size_t n = len < b->left ? len : b->left;
    if (n == 0) /* at may be NULL then */
        return;
    memcpy(b->at, text, n);
    b->at += n;
    b->left -= n;
}

size_t fmt_vprint(char *buf, size_t size, const char *format, va_list args)
{
    struct buffer b = {buf, size ? size - 1 : 0};
    size_t n = fmt_vwrite(buffer_sink, &b, format, args);
    if (size)
        *b.at = '\0';
    return n;
}

size_t fmt_print(char *buf, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t n = fmt_vprint(buf, size, format, args);
    va_end(args);
    return n;
}
