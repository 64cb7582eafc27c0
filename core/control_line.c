/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What goes out to the program: frames, and text that is printed, collected to frames worth their
 * overhead. On any CPU, behind one lock.
 */
#include "core/control.h"
#include "core/control_parts.h"
#include "core/host.h"
#include "core/lib/fmt.h"
#include "core/lib/string.h"

/* Of the output ring's 64 KiB: guests that print may queue less than for the console alone, since
 * answers wait behind it, 90 us a byte. */
#define ROOM_NEEDED 61440

static bool active;         /* a program is there */
static bool wants_log;      /* both are read on any CPU */

static struct lock lock = LOCK_INIT(LOCK_ORDER_CONTROL, "control");
static char wire[FRAME_WIRE_MAX];
static struct {
    uint8_t type;
    uint8_t seq;            /* counts these frames: the program sees when it lost one */
    uint16_t channel;
    size_t len;
    uint8_t data[CONTROL_PIECE];
} pending;
static size_t most_room;    /* of the line, seen so far: when it is idle */

void control_open_line(bool on)
{
    __atomic_store_n(&active, on, __ATOMIC_RELAXED);
}

void control_want_log(bool on)
{
    __atomic_store_n(&wants_log, on, __ATOMIC_RELAXED);
}

static void put_frame(const struct frame *f)
{
    host_control_write(wire, frame_encode(wire, f));
}

/* Guests' CPUs come here and must not wait: what finds no room is lost, and its number missed. */
static void put_pending(void)
{
    if (!pending.len)
        return;
    if (host_control_room() >= sizeof(wire) + HOST_ROOM_KEPT)
        put_frame(&(struct frame){.type = pending.type, .seq = pending.seq,
                                  .channel = pending.channel, .payload = pending.data,
                                  .len = pending.len});
    pending.seq++;
    pending.len = 0;
}

void control_send(uint8_t type, uint8_t seq, uint16_t channel, const void *payload, size_t len)
{
    lock_take(&lock);
    put_pending();
    put_frame(&(struct frame){.type = type, .seq = seq, .channel = channel, .payload = payload,
                              .len = len});
    lock_release(&lock);
}

static void collect(uint8_t type, uint16_t channel, const char *text, size_t len)
{
    bool first = false;
    lock_take(&lock);
    if (pending.len && (pending.type != type || pending.channel != channel))
        put_pending();
    while (len) {
        size_t n = min_u64(len, sizeof(pending.data) - pending.len);
        first |= !pending.len;
        memcpy(pending.data + pending.len, text, n);
        pending.type = type;
        pending.channel = channel;
        pending.len += n;
        text += n;
        len -= n;
        if (pending.len == sizeof(pending.data))
            put_pending();
    }
    first &= pending.len != 0;
    lock_release(&lock);
    if (first)
        host_kick(0); /* or it would sleep with this in its pocket */
}

void control_log(const char *text, size_t len)
{
    if (__atomic_load_n(&wants_log, __ATOMIC_RELAXED))
        collect('l', 0, text, len);
}

void control_vm_raw(const struct vm *vm, const char *text, size_t len)
{
    if (vm->watched)
        collect('o', (uint16_t)(vm->slot + 1), text, len);
}

bool control_has_room(void)
{
    return !__atomic_load_n(&active, __ATOMIC_RELAXED) || host_control_room() > ROOM_NEEDED;
}

void control_send_error(const struct frame *f, const char *why)
{
    control_send('x', f->seq, f->channel, why, strlen(why));
}

void control_send_result(uint8_t type, const struct frame *f, uint16_t channel, bool good,
                         const char *text)
{
    char answer[1 + 200];
    answer[0] = (char)!good;
    size_t n = fmt_print(answer + 1, sizeof(answer) - 1, "%s", text);
    control_send(type, f->seq, channel, answer, 1 + min_u64(n, sizeof(answer) - 2));
}

void control_flush(void)
{
    lock_take(&lock);
    put_pending();
    lock_release(&lock);
}

/* So that a guest that prints byte by byte does not make a frame of each. */
void control_flush_idle(void)
{
    size_t room = host_control_room();
    most_room = max_u64(most_room, room);
    if (room + 64 >= most_room || room == SIZE_MAX)
        control_flush();
}
