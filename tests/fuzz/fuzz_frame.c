/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames out of any bytes: text and frames together never hold more than came in; a frame that is
 * handed out comes back the same; after any bytes and a line feed a good frame is read, and its
 * bytes do not become text.
 */
#include <stdlib.h>

#include "core/frame.h"
#include "core/lib/string.h"

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void check_round(const struct frame *f)
{
    static struct frame_rx rx;
    char wire[FRAME_WIRE_MAX];
    enum frame_event e = FRAME_MORE;
    check(f->len <= FRAME_PAYLOAD_MAX);
    size_t n = frame_encode(wire, f);
    check(n <= sizeof(wire) && n == FRAME_WIRE(f->len + FRAME_OVERHEAD));
    memset(&rx, 0, sizeof(rx));
    for (size_t i = 0; i < n; i++) {
        check(e == FRAME_MORE);
        e = frame_rx_byte(&rx, (uint8_t)wire[i]);
    }
    check(e == FRAME_WHOLE && rx.frame.len == f->len && rx.frame.type == f->type);
    check(rx.frame.seq == f->seq && rx.frame.channel == f->channel);
    check(f->len == 0 || memcmp(rx.frame.payload, f->payload, f->len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct frame_rx rx;
    static char wire[FRAME_WIRE_MAX];
    size_t out = 0;
    memset(&rx, 0, sizeof(rx));
    for (size_t i = 0; i < size; i++) {
        enum frame_event e = frame_rx_byte(&rx, data[i]);
        check(e == FRAME_TEXT ? rx.text_len - 1U < 2 : rx.text_len == 0);
        out += rx.text_len;
        if (e == FRAME_WHOLE) {
            out += FRAME_WIRE(rx.frame.len + FRAME_OVERHEAD);
            check_round(&rx.frame);
        }
        check(out <= i + 1);
    }
    struct frame f = {.type = 'C', .payload = data, .len = min_u64(size, FRAME_PAYLOAD_MAX)};
    size_t n = frame_encode(wire, &f);
    enum frame_event e = FRAME_MORE;
    for (size_t i = 0; i < n; i++) {
        e = frame_rx_byte(&rx, (uint8_t)wire[i]);
        /* The very first byte may show that another one was text, or a frame cut. */
        check(i == 0 || i == n - 1 || e == FRAME_MORE);
    }
    check(e == FRAME_WHOLE && rx.frame.len == f.len);
    return 0;
}
