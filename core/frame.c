/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The frame codec. PURE. Whatever comes over the line is taken for hostile: a frame is handed out
 * only whole and with the right checksum.
 */
#include "core/frame.h"

#include "core/lib/bytes.h"
#include "core/lib/crc32.h"
#include "core/lib/string.h"

enum state {
    OUTSIDE,
    STARTED, /* FEh was here: it may be text yet */
    INSIDE,
    SKIPPING, /* the rest of a broken frame is no text */
};

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int digit_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* --- out --- */

struct out {
    char *at;
    uint32_t bits;
    unsigned n; /* bits that wait for more */
};

static void put_byte(struct out *o, uint8_t byte)
{
    o->bits = o->bits << 8 | byte;
    for (o->n += 8; o->n >= 6; o->n -= 6)
        *o->at++ = digits[o->bits >> (o->n - 6) & 63];
}

static void put_bytes(struct out *o, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put_byte(o, p[i]);
}

size_t frame_encode(char out[FRAME_WIRE_MAX], const struct frame *f)
{
    struct out o = {.at = out};
    uint8_t head[4] = {f->type, f->seq, (uint8_t)f->channel, (uint8_t)(f->channel >> 8)};
    uint32_t crc = crc32(crc32(0, head, sizeof(head)), f->payload, f->len);
    *o.at++ = (char)FRAME_START;
    *o.at++ = FRAME_MARK;
    put_bytes(&o, head, sizeof(head));
    put_bytes(&o, f->payload, f->len);
    for (unsigned i = 0; i < 4; i++)
        put_byte(&o, (uint8_t)(crc >> 8 * i));
    if (o.n)
        *o.at++ = digits[o.bits << (6 - o.n) & 63];
    *o.at++ = '\n';
    return (size_t)(o.at - out);
}

/* --- in --- */

static void begin(struct frame_rx *rx)
{
    rx->state = INSIDE;
    rx->bits = rx->digits = rx->used = rx->crc = 0;
}

static enum frame_event finish(struct frame_rx *rx)
{
    rx->state = OUTSIDE;
    if (rx->used < FRAME_OVERHEAD || rx->digits % 4 == 1)
        return FRAME_BROKEN;
    if (rx->crc != CRC32_RESIDUE)
        return FRAME_BROKEN;
    rx->frame = (struct frame){.type = rx->bytes[0], .seq = rx->bytes[1],
                               .channel = get16(rx->bytes + 2), .payload = rx->bytes + 4,
                               .len = rx->used - FRAME_OVERHEAD};
    return FRAME_WHOLE;
}

static enum frame_event inside(struct frame_rx *rx, uint8_t byte)
{
    if (byte == '\n')
        return finish(rx);
    if (byte == '\r')
        return FRAME_MORE; /* somebody has made our line feed the end of a line */
    int value = digit_value(byte);
    if (value < 0) {
        rx->state = SKIPPING;
        return FRAME_BROKEN;
    }
    rx->bits = rx->bits << 6 | (uint32_t)value;
    if (rx->digits++ % 4 == 0)
        return FRAME_MORE;
    if (rx->used == sizeof(rx->bytes)) {
        rx->state = SKIPPING;
        return FRAME_BROKEN;
    }
    /* After 2, 3 and 4 digits there are 4, 2 and 0 bits too many. */
    uint8_t *next = rx->bytes + rx->used++;
    *next = (uint8_t)(rx->bits >> (2 * (3 - (rx->digits - 1) % 4)));
    rx->crc = crc32(rx->crc, next, 1);
    return FRAME_MORE;
}

static enum frame_event text(struct frame_rx *rx, uint8_t byte)
{
    rx->text[rx->text_len++] = (char)byte;
    return FRAME_TEXT;
}

enum frame_event frame_rx_byte(struct frame_rx *rx, uint8_t byte)
{
    uint8_t was = rx->state;
    rx->text_len = 0;
    if (byte == FRAME_START) {
        rx->state = STARTED;
        return was == STARTED ? text(rx, byte) : was == INSIDE ? FRAME_BROKEN : FRAME_MORE;
    }
    switch (was) {
    case STARTED:
        if (byte == FRAME_MARK) {
            begin(rx);
            return FRAME_MORE;
        }
        rx->state = OUTSIDE;
        rx->text[rx->text_len++] = (char)FRAME_START;
        return text(rx, byte);
    case INSIDE:
        return inside(rx, byte);
    case SKIPPING:
        if (byte == '\n')
            rx->state = OUTSIDE;
        return FRAME_MORE;
    default:
        return text(rx, byte);
    }
}
