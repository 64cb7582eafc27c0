/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A byte ring over a caller's buffer whose size is a power of two. One producer and one consumer
 * on one CPU; positions only grow (64 bits never wrap in practice), so that a reader can keep a
 * position of its own and learn how much it missed.
 */
#ifndef CORE_LIB_RING_H
#define CORE_LIB_RING_H

#include "core/lib/bits.h"
#include "core/lib/string.h"

struct ring {
    char *buf;
    uint64_t size; /* bytes, a power of two */
    uint64_t head; /* bytes ever written */
    uint64_t tail; /* bytes ever consumed; head - tail <= size */
};

static inline void ring_init(struct ring *r, char *buf, size_t size)
{
    *r = (struct ring){.buf = buf, .size = size};
}

static inline uint64_t ring_used(const struct ring *r)
{
    return r->head - r->tail;
}

static inline uint64_t ring_room(const struct ring *r)
{
    return r->size - ring_used(r);
}

static inline bool ring_put(struct ring *r, char c)
{
    if (ring_room(r) == 0)
        return false;
    r->buf[r->head++ & (r->size - 1)] = c;
    return true;
}

/* Overwrites the oldest bytes when full: for logs. */
static inline void ring_push(struct ring *r, const char *bytes, size_t len)
{
    while (len) {
        uint64_t at = r->head & (r->size - 1), n = min_u64(len, r->size - at);
        memcpy(r->buf + at, bytes, n);
        r->head += n;
        bytes += n;
        len -= n;
    }
    if (ring_used(r) > r->size)
        r->tail = r->head - r->size;
}

/* As many bytes as there is room for; returns how many. */
static inline size_t ring_put_some(struct ring *r, const char *bytes, size_t len)
{
    len = min_u64(len, ring_room(r));
    ring_push(r, bytes, len);
    return len;
}

static inline bool ring_get(struct ring *r, char *c)
{
    if (ring_used(r) == 0)
        return false;
    *c = r->buf[r->tail++ & (r->size - 1)];
    return true;
}

#endif
