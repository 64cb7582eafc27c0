/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The queue of answers and the pager. Lines of other CPUs come between the lines of an answer; the
 * log's lock keeps lines whole, and long ones, which are written in pieces, answer_in_line().
 */
#include "core/answer.h"

#include "core/host.h"
#include "core/lib/ring.h"
#include "core/lib/string.h"
#include "core/log.h"

/* One answer_move() writes for so long, and a line: guests get their turn in between. Time and not
 * bytes, which cost what the screen is like. */
#define PIECE_NS    1000000
/* A command that answers with so much more looks at what is typed. */
#define LOOK_BYTES  256
#define MORE        "--more--"
#define ERASE_MORE  "\r        \r"

static char buffer[1 << 17];
static struct ring queue = {buffer, sizeof(buffer), 0, 0};
static unsigned page, columns, left; /* lines of a page, columns, lines until the next pause */
static bool paused, more_shown;
static bool in_line; /* log's lock */

/* The next line, or what there is of it. */
static size_t take_line(char *text, size_t size)
{
    size_t n = 0;
    while (n < size && ring_get(&queue, &text[n]))
        if (text[n++] == '\n')
            break;
    return n;
}

static void write_line(void)
{
    char text[256];
    size_t n = take_line(text, sizeof(text));
    log_lock();
    host_console_write(text, n);
    in_line = n && text[n - 1] != '\n' && ring_used(&queue);
    log_unlock();
    unsigned rows = columns && n > columns ? (unsigned)((n - 1 + columns - 1) / columns) : 1;
    if (page && n && text[n - 1] == '\n')
        left = left > rows ? left - rows : 0;
}

void answer_put(void *ctx, const char *text, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < len; i++) {
        while (!ring_put(&queue, text[i]))
            write_line();
        if (queue.head % LOOK_BYTES == 0)
            host_console_look();
    }
}

void answer_begin(unsigned rows, unsigned width)
{
    page = left = rows;
    columns = width;
}

static void pause_page(void)
{
    log_lock();
    paused = true;
    answer_show();
    log_unlock();
}

bool answer_move(void)
{
    uint64_t until = host_now() + host_ns_to_tsc(PIECE_NS);
    while (ring_used(&queue) && !paused) {
        if (host_now() >= until || host_console_room() <= ANSWER_ROOM)
            return false;
        if (page && !left)
            pause_page();
        else
            write_line();
    }
    return !ring_used(&queue);
}

bool answer_paused(void)
{
    return paused;
}

bool answer_empty(void)
{
    return !ring_used(&queue);
}

bool answer_busy(void)
{
    return ring_used(&queue) && !paused && host_console_room() > ANSWER_ROOM;
}

bool answer_in_line(void)
{
    return in_line;
}

static void resume(unsigned lines)
{
    log_lock();
    answer_hide();
    paused = false;
    left = lines;
    log_unlock();
}

void answer_drop(void)
{
    queue.tail = queue.head;
    log_lock();
    in_line = false;
    log_unlock();
    if (paused)
        resume(0);
}

/* As more and less have it. */
void answer_key(char c)
{
    if (c == 'q' || c == 'Q' || c == 0x03)
        answer_drop();
    else
        resume(c == '\r' || c == '\n' ? 1 : page);
}

void answer_hide(void)
{
    if (more_shown)
        host_console_write(ERASE_MORE, strlen(ERASE_MORE));
    more_shown = false;
}

void answer_show(void)
{
    if (paused && !more_shown)
        host_console_write(MORE, strlen(MORE));
    more_shown = paused;
}
