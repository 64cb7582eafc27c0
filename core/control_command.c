/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program's commands and their answers. An answer may go on for long (core/job.h): its pieces go
 * out as the line takes them. A command that is asked for twice runs once.
 */
#include "core/commands.h"
#include "core/control.h"
#include "core/control_parts.h"
#include "core/job.h"
#include "core/lib/bytes.h"
#include "core/lib/crc32.h"
#include "core/lib/string.h"

static struct {
    uint32_t id;            /* of the last command; 0: none yet */
    uint8_t status;
    bool running;
} command;

struct answer {
    uint32_t id, crc, total;
    uint8_t seq;
    size_t len;
    uint8_t data[4 + CONTROL_PIECE]; /* begins with the id */
};

static struct answer last;

/* Its text, unless it is too long: what is long can be asked for anew. */
static char kept[4096];

static void answer_flush(struct answer *a)
{
    if (a->len)
        control_send('a', a->seq++, 0, a->data, 4 + a->len);
    a->len = 0;
}

void control_sink(void *ctx, const char *text, size_t len)
{
    struct answer *a = ctx;
    if (a->total <= sizeof(kept) && len <= sizeof(kept) - a->total)
        memcpy(kept + a->total, text, len);
    a->crc = crc32(a->crc, text, len);
    a->total += (uint32_t)len;
    while (len) {
        size_t n = min_u64(len, CONTROL_PIECE - a->len);
        memcpy(a->data + 4 + a->len, text, n);
        a->len += n;
        text += n;
        len -= n;
        if (a->len == CONTROL_PIECE)
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
    control_send('e', a->seq, 0, end, sizeof(end));
}

static void end_command(void)
{
    command.running = false;
    answer_flush(&last);
    send_end(&last, false);
}

static void send_again(void)
{
    struct answer again = {.id = command.id};
    if (last.total > sizeof(kept)) {
        send_end(&last, true);
        return;
    }
    put32(again.data, again.id);
    uint32_t total = last.total;
    for (uint32_t at = 0; at < total; at += CONTROL_PIECE) {
        again.len = min_u64(CONTROL_PIECE, total - at);
        memcpy(again.data + 4, kept + at, again.len);
        answer_flush(&again);
    }
    again.total = total;
    again.crc = last.crc;
    send_end(&again, false);
}

static bool is_line(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] < ' ' || p[i] == 0x7f)
            return false;
    return n < COMMAND_LINE_MAX;
}

void control_on_command(const struct frame *f)
{
    char line[COMMAND_LINE_MAX];
    uint32_t id = f->len > 4 ? get32(f->payload) : 0;
    if (!id || !is_line(f->payload + 4, f->len - 4)) {
        control_send_error(f, "command: no id, or no line");
        return;
    }
    if (command.running) {
        if (id != command.id)
            control_send_error(f, "another command is being answered");
        return;
    }
    if (id == command.id) {
        send_again();
        return;
    }
    memcpy(line, f->payload + 4, f->len - 4);
    line[f->len - 4] = '\0';
    last = (struct answer){.id = id};
    put32(last.data, id);
    command.id = id;
    command.status = COMMAND_DONE;
    command.running = true;
    command.status = (uint8_t)command_run(line, control_sink, &last);
    if (!job_running(JOB_PROGRAM))
        end_command();
}

void control_command_poll(void)
{
    if (job_running(JOB_PROGRAM) && !job_poll(JOB_PROGRAM))
        end_command();
}

void control_command_end(void)
{
    if (command.running)
        end_command();
}

void control_command_drop(void)
{
    job_stop(JOB_PROGRAM);
    if (command.running)
        command.id = 0; /* its answer will never be whole */
    command.running = false;
}
