/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The session with a program. There is one at a time: whoever says hello last has it. Nothing here
 * waits for the program: it asks again for what did not arrive, so everything it can ask for twice
 * does no harm the second time. What comes in is hostile bytes until frame.c says otherwise, and a
 * hostile program's even then. What a request does: control_command.c, control_console.c,
 * control_file.c; what goes out: control_line.c.
 */
#include "core/control.h"

#include "core/console.h"
#include "core/control_parts.h"
#include "core/host.h"
#include "core/lib/bytes.h"
#include "core/lib/string.h"
#include "core/store.h"
#include "core/version.h"

#define PROTOCOL    1
#define WINDOW      8192  /* wire bytes that may be on their way to us: half the input ring */

static struct frame_rx rx;
static bool active;         /* a program is there */

/* --- sessions --- */

bool control_has_session(void)
{
    return active;
}

static void close_session(void)
{
    control_command_drop();
    control_console_close();
    store_abort();
    control_want_log(false);
    active = false;
    control_open_line(false);
    control_flush();
    if (!host_control_is_apart())
        host_console_frames_only(false);
}

/* u32 nonce. Answer: nonce, u16 version of this protocol, u32 window, u32 longest payload, text. */
static void on_hello(const struct frame *f)
{
    uint8_t reply[64];
    if (f->len < 4) {
        control_send_error(f, "hello: no nonce");
        return;
    }
    close_session();
    active = true;
    control_open_line(true);
    if (!host_control_is_apart()) {
        host_console_frames_only(true);
        control_want_log(true); /* nothing that this line would have carried is lost */
    }
    memcpy(reply, f->payload, 4);
    put16(reply + 4, PROTOCOL);
    put32(reply + 6, WINDOW);
    put32(reply + 10, FRAME_PAYLOAD_MAX);
    size_t n = fmt_print((char *)reply + 14, sizeof(reply) - 14, "Plinth %s", PLINTH_VERSION);
    control_send('h', f->seq, 0, reply, 14 + n);
}

static void on_bye(const struct frame *f)
{
    control_send('b', f->seq, 0, NULL, 0);
    close_session();
}

void control_end(void)
{
    if (!active)
        return;
    control_command_end();
    close_session();
}

/* --- in --- */

static void on_frame(const struct frame *f)
{
    /* The password is asked for on the console; a program must not be a way around it. */
    if (console_locked() && f->type != 'B') {
        control_send_error(f, "the console is locked: its password comes first");
        return;
    }
    if (f->type == 'H') {
        on_hello(f);
        return;
    }
    if (!active) {
        control_send_error(f, "no session: say hello");
        return;
    }
    switch (f->type) {
    case 'B': on_bye(f); break;
    case 'C': control_on_command(f); break;
    case 'S': control_on_subscribe(f); break;
    case 'I': control_on_input(f); break;
    case 'P': control_on_push(f); break;
    case 'D': control_on_data(f); break;
    case 'K': control_send('k', f->seq, 0, f->payload, f->len); break;
    default: control_send_error(f, "no such request");
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
        control_send('n', 0, 0, NULL, 0);
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
    control_console_check();
    control_command_poll();
    control_flush_idle();
}
