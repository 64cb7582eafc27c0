/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The session with a program. There is one at a time: whoever says hello last has it. Nothing here
 * waits for the program: it asks again for what did not arrive, so everything it can ask for twice
 * does no harm the second time. What comes in is hostile bytes until frame.c says otherwise, and a
 * hostile program's even then.
 */
#include "core/control.h"

#include "core/commands.h"
#include "core/console.h"
#include "core/frame.h"
#include "core/host.h"
#include "core/lib/bytes.h"
#include "core/lib/crc32.h"
#include "core/lib/string.h"
#include "core/machine.h"
#include "core/store.h"
#include "core/version.h"

#define PROTOCOL    1
#define WINDOW      8192  /* wire bytes that may be on their way to us: half the input ring */
#define PIECE       512   /* of answers and of what is printed: a frame each */
/* Of the output ring's 64 KiB: guests that print may queue less than for the console alone, since
 * answers wait behind it, 90 us a byte. */
#define ROOM_NEEDED 61440

/* What `S` asks for. */
#define SUBSCRIBE_LOG     BIT(0)
#define SUBSCRIBE_CONSOLE BIT(1)

static struct frame_rx rx;
static bool active;         /* a program is there */
static bool wants_log;      /* read on any CPU */
static char watched[CONFIG_NAME_MAX]; /* the VM whose console it has; "": none */
static uint16_t watched_channel;

static struct {
    uint32_t id;            /* of the last command; 0: none yet */
    uint8_t status;
    bool running;
} command;

static struct {
    int seq;                /* of the last input; -1: none yet */
    uint16_t taken;         /* bytes of it that the VM's serial port took */
} input;

/* Everything that goes out; what is printed is collected to frames worth their overhead. */
static struct lock lock = LOCK_INIT(LOCK_ORDER_CONTROL, "control");
static char wire[FRAME_WIRE_MAX];
static struct {
    uint8_t type;
    uint8_t seq;            /* counts these frames: the program sees when it lost one */
    uint16_t channel;
    size_t len;
    uint8_t data[PIECE];
} pending;
static size_t most_room;    /* of the line, seen so far: when it is idle */

/* --- out --- */

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

static void send(uint8_t type, uint8_t seq, uint16_t channel, const void *payload, size_t len)
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

static void say_error(const struct frame *f, const char *why)
{
    send('x', f->seq, f->channel, why, strlen(why));
}

/* status byte, then text. */
static void send_result(uint8_t type, const struct frame *f, uint16_t channel, bool good,
                        const char *text)
{
    char answer[1 + 200];
    answer[0] = (char)!good;
    size_t n = fmt_print(answer + 1, sizeof(answer) - 1, "%s", text);
    send(type, f->seq, channel, answer, 1 + min_u64(n, sizeof(answer) - 2));
}

/* --- sessions --- */

static void unwatch(void)
{
    struct vm *vm = vm_find(watched);
    if (*watched && vm)
        vm->watched = false;
    watched[0] = '\0';
}

static void close_session(void)
{
    unwatch();
    store_abort();
    __atomic_store_n(&wants_log, false, __ATOMIC_RELAXED);
    __atomic_store_n(&active, false, __ATOMIC_RELAXED);
    lock_take(&lock);
    put_pending();
    lock_release(&lock);
    if (!host_control_is_apart())
        host_console_frames_only(false);
}

/* u32 nonce. Answer: nonce, u16 version of this protocol, u32 window, u32 longest payload, text. */
static void on_hello(const struct frame *f)
{
    uint8_t answer[64];
    if (f->len < 4) {
        say_error(f, "hello: no nonce");
        return;
    }
    close_session();
    input.seq = -1;
    active = true;
    if (!host_control_is_apart()) {
        host_console_frames_only(true);
        wants_log = true; /* nothing that this line would have carried is lost */
    }
    memcpy(answer, f->payload, 4);
    put16(answer + 4, PROTOCOL);
    put32(answer + 6, WINDOW);
    put32(answer + 10, FRAME_PAYLOAD_MAX);
    size_t n = fmt_print((char *)answer + 14, sizeof(answer) - 14, "Plinth %s", PLINTH_VERSION);
    send('h', f->seq, 0, answer, 14 + n);
}

static void on_bye(const struct frame *f)
{
    send('b', f->seq, 0, NULL, 0);
    close_session();
}

/* --- commands --- */

struct answer {
    uint32_t id, crc, total;
    uint8_t seq;
    size_t len;
    uint8_t data[4 + PIECE]; /* begins with the id */
};

static struct answer answer; /* the last one */

/* Its text, unless it is too long: what is long can be asked for anew. */
static char kept[4096];

static void answer_flush(struct answer *a)
{
    if (a->len)
        send('a', a->seq++, 0, a->data, 4 + a->len);
    a->len = 0;
}

static void answer_sink(void *ctx, const char *text, size_t len)
{
    struct answer *a = ctx;
    if (a->total <= sizeof(kept) && len <= sizeof(kept) - a->total)
        memcpy(kept + a->total, text, len);
    a->crc = crc32(a->crc, text, len);
    a->total += (uint32_t)len;
    while (len) {
        size_t n = min_u64(len, PIECE - a->len);
        memcpy(a->data + 4 + a->len, text, n);
        a->len += n;
        text += n;
        len -= n;
        if (a->len == PIECE)
            answer_flush(a);
    }
}

/* id, status, whether the answer's text could not be sent again, its length and CRC-32. */
static void send_end(const struct answer *a, bool before)
{
    uint8_t end[14];
    put32(end, command.id);
    end[4] = command.status;
    end[5] = before;
    put32(end + 6, a->total);
    put32(end + 10, a->crc);
    send('e', a->seq, 0, end, sizeof(end));
}

static void send_again(void)
{
    struct answer again = {.id = command.id};
    if (answer.total > sizeof(kept)) {
        send_end(&answer, true);
        return;
    }
    put32(again.data, again.id);
    uint32_t total = answer.total;
    for (uint32_t at = 0; at < total; at += PIECE) {
        again.len = min_u64(PIECE, total - at);
        memcpy(again.data + 4, kept + at, again.len);
        answer_flush(&again);
    }
    again.total = total;
    again.crc = answer.crc;
    send_end(&again, false);
}

static bool is_line(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] < ' ' || p[i] == 0x7f)
            return false;
    return n < COMMAND_LINE_MAX;
}

/* u32 id, not 0, and the line. The same id again is not run again. */
static void on_command(const struct frame *f)
{
    char line[COMMAND_LINE_MAX];
    uint32_t id = f->len > 4 ? get32(f->payload) : 0;
    if (!id || !is_line(f->payload + 4, f->len - 4)) {
        say_error(f, "command: no id, or no line");
        return;
    }
    if (id == command.id) {
        send_again();
        return;
    }
    memcpy(line, f->payload + 4, f->len - 4);
    line[f->len - 4] = '\0';
    answer = (struct answer){.id = id};
    put32(answer.data, id);
    command.id = id;
    command.status = COMMAND_DONE;
    command.running = true;
    command.status = (uint8_t)command_run(line, answer_sink, &answer);
    command.running = false;
    answer_flush(&answer);
    send_end(&answer, false);
}

void control_end(void)
{
    if (!active)
        return;
    if (command.running) {
        answer_flush(&answer);
        send_end(&answer, false);
    }
    close_session();
}

/* --- consoles --- */

/* u8 what, then the VM's name. Answer: its channel, u8 0 for done, text. */
static void on_subscribe(const struct frame *f)
{
    char name[CONFIG_NAME_MAX];
    uint8_t what = f->len ? f->payload[0] : 0;
    size_t n = f->len ? f->len - 1 : 0;
    if (!f->len || n >= sizeof(name)) {
        send_result('s', f, 0, false, "no such VM");
        return;
    }
    memcpy(name, f->payload + 1, n);
    name[n] = '\0';
    unwatch();
    input.seq = -1;
    __atomic_store_n(&wants_log, (what & SUBSCRIBE_LOG) || !host_control_is_apart(),
                     __ATOMIC_RELAXED);
    if (!(what & SUBSCRIBE_CONSOLE)) {
        send_result('s', f, 0, true, "");
        return;
    }
    struct vm *vm = vm_find(name);
    if (!vm || (vm->state != VM_RUNNING && vm->state != VM_STARTING)) {
        char text[160];
        fmt_print(text, sizeof(text), vm ? "vm %s is %s: only a running VM has a console"
                                         : "no VM is called '%s'", name,
                  vm ? vm_state_name(vm) : "");
        send_result('s', f, 0, false, text);
        return;
    }
    str_copy(watched, sizeof(watched), name);
    watched_channel = (uint16_t)(vm->slot + 1);
    vm->watched = true;
    send_result('s', f, watched_channel, true, "");
}

/* Bytes for the watched VM. Answer: u16, how many its serial port has taken; the program sends the
 * rest under a new sequence number. */
static void on_input(const struct frame *f)
{
    struct vm *vm = *watched ? vm_find(watched) : NULL;
    uint8_t taken[2];
    if (!vm || f->channel != watched_channel) {
        say_error(f, "input: no such console is open");
        return;
    }
    if (f->seq != input.seq) {
        input.seq = f->seq;
        input.taken = vm->state == VM_RUNNING
                          ? (uint16_t)machine_input(vm, (const char *)f->payload, f->len) : 0;
    }
    put16(taken, input.taken);
    send('i', f->seq, f->channel, taken, sizeof(taken));
}

/* The watched VM has ended, or is not what it was. */
static void check_watched(void)
{
    struct vm *vm = vm_find(watched);
    if (vm && vm->watched && (vm->state == VM_RUNNING || vm->state == VM_STARTING))
        return;
    const char *why = vm ? vm->end_text : "it is gone";
    send('z', 0, watched_channel, why, strlen(why));
    unwatch();
}

/* --- files --- */

/* u32 size, u32 CRC-32 of all of it, name. Answer: u8 0 for go on, text. */
static void on_push(const struct frame *f)
{
    char name[STORE_NAME_MAX];
    size_t n = f->len - 8;
    if (f->len < 9 || n >= sizeof(name)) {
        send_result('p', f, 0, false, "the name is missing or too long");
        return;
    }
    memcpy(name, f->payload + 8, n);
    name[n] = '\0';
    const char *why = store_begin(name, get32(f->payload), get32(f->payload + 4));
    send_result('p', f, 0, !why, why ? why : "");
}

/* u32 offset, bytes. Answer: u8 enum store_state, u32 the offset that is wanted next, text. */
static void on_data(const struct frame *f)
{
    uint8_t answer_bytes[5 + 120];
    uint64_t next;
    if (f->len < 4) {
        say_error(f, "data: no offset");
        return;
    }
    const char *why = "";
    enum store_state state = store_write(get32(f->payload), f->payload + 4, f->len - 4, &next,
                                         &why);
    answer_bytes[0] = (uint8_t)state;
    put32(answer_bytes + 1, (uint32_t)next);
    size_t n = fmt_print((char *)answer_bytes + 5, sizeof(answer_bytes) - 5, "%s", why);
    send('d', f->seq, 0, answer_bytes, 5 + min_u64(n, sizeof(answer_bytes) - 6));
}

/* --- in --- */

static void on_frame(const struct frame *f)
{
    /* The password is asked for on the console; a program must not be a way around it. */
    if (console_locked() && f->type != 'B') {
        say_error(f, "the console is locked: its password comes first");
        return;
    }
    if (f->type == 'H') {
        on_hello(f);
        return;
    }
    if (!active) {
        say_error(f, "no session: say hello");
        return;
    }
    switch (f->type) {
    case 'B': on_bye(f); break;
    case 'C': on_command(f); break;
    case 'S': on_subscribe(f); break;
    case 'I': on_input(f); break;
    case 'P': on_push(f); break;
    case 'D': on_data(f); break;
    case 'K': send('k', f->seq, 0, f->payload, f->len); break;
    default: say_error(f, "no such request");
    }
}

/* True: the byte was no frame's, and rx.text has it. */
static bool take(uint8_t byte)
{
    enum frame_event e = frame_rx_byte(&rx, byte);
    if (e == FRAME_WHOLE) {
        struct frame f = rx.frame;
        on_frame(&f);
    } else if (e == FRAME_BROKEN && active) {
        send('n', 0, 0, NULL, 0);
    }
    return e == FRAME_TEXT;
}

/* Somebody types on a line that a program has. */
static void on_stray_key(char c)
{
    static const char who[] = "\r\nplinth: a program has this line; " CONSOLE_ESCAPE_NAME
                              " takes it back\r\n";
    if (c == CONSOLE_ESCAPE)
        close_session();
    else if (c == '\r')
        host_control_write(who, sizeof(who) - 1);
}

int control_next_key(void)
{
    static char second; /* the second byte of what was no frame's beginning */
    static bool has_second;
    int c = host_keyboard_read();
    if (c >= 0)
        return c;
    if (has_second) {
        has_second = false;
        return (unsigned char)second;
    }
    while ((c = host_console_read()) >= 0) {
        if (host_control_is_apart())
            return c;
        if (!take((uint8_t)c))
            continue;
        if (active) {
            on_stray_key(rx.text[rx.text_len - 1]);
            continue;
        }
        has_second = rx.text_len == 2;
        second = rx.text[1];
        return (unsigned char)rx.text[0];
    }
    return -1;
}

void control_poll(void)
{
    int c;
    while ((c = host_control_read()) >= 0)
        take((uint8_t)c);
    if (!active)
        return;
    if (*watched)
        check_watched();
    /* What is collected goes when the line has little else to do, so that a guest that prints byte
     * by byte does not make a frame of each. */
    size_t room = host_control_room();
    most_room = max_u64(most_room, room);
    if (room + 64 >= most_room || room == SIZE_MAX) {
        lock_take(&lock);
        put_pending();
        lock_release(&lock);
    }
}
