/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames: how programs and Plinth talk over a serial line that may carry a terminal's text as well.
 * PURE codec, which knows no message. A frame is the bytes FEh 'P', then base64 (RFC 4648, no
 * padding) of type, sequence number, channel, payload and a CRC-32 of these, then a line feed.
 * FEh is in no UTF-8 text; no other byte is above 7Fh or is a control character but the line feed,
 * so nothing in it looks like an escape key or XON. What frames mean: docs/console.md, "For
 * programs"; the same in Python: tools/plinthlib/frame.py.
 */
#ifndef CORE_FRAME_H
#define CORE_FRAME_H

#include "core/lib/bits.h"

#define FRAME_START       0xfe
#define FRAME_MARK        'P'
#define FRAME_PAYLOAD_MAX 1056
#define FRAME_OVERHEAD    8 /* bytes of header and checksum */
#define FRAME_BYTES_MAX   (FRAME_PAYLOAD_MAX + FRAME_OVERHEAD)
#define FRAME_WIRE(bytes) (2 + ((bytes) * 4 + 2) / 3 + 1)
#define FRAME_WIRE_MAX    FRAME_WIRE(FRAME_BYTES_MAX)

struct frame {
    uint8_t type;     /* a letter: capital from the program, small from Plinth */
    uint8_t seq;      /* the meaning is the type's */
    uint16_t channel; /* 0: Plinth itself; n: the console of the VM in slot n - 1 */
    const uint8_t *payload;
    size_t len;       /* at most FRAME_PAYLOAD_MAX */
};

/* Writes f as it goes over the line; returns the number of bytes. */
size_t frame_encode(char out[FRAME_WIRE_MAX], const struct frame *f);

enum frame_event {
    FRAME_MORE,   /* inside a frame, or what may become one */
    FRAME_TEXT,   /* rx->text[0..rx->text_len) belongs to no frame */
    FRAME_WHOLE,  /* rx->frame is there until the next byte */
    FRAME_BROKEN, /* a frame that was damaged or cut: it is gone */
};

/* All 0 at first. */
struct frame_rx {
    uint8_t state;
    uint8_t text_len;
    char text[2];
    uint32_t bits;      /* base64 digits that are no byte yet */
    uint32_t digits;    /* of this frame */
    uint32_t used;      /* bytes of this frame */
    uint32_t crc;       /* of these: as they come, for at the end there is no time */
    struct frame frame; /* payload points into bytes */
    uint8_t bytes[FRAME_BYTES_MAX];
};

/* Takes the next byte of the line. A byte that is lost or wrong costs the frame it is in, and never
 * the next one. */
enum frame_event frame_rx_byte(struct frame_rx *rx, uint8_t byte);

#endif
