/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The terminal. Keys come from the serial line one byte at a time; the editor knows the usual
 * control keys and needs nothing of the terminal but backspace and "erase to the end of the line".
 */
#include "core/console.h"

#include "core/commands.h"
#include "core/host.h"
#include "core/job.h"
#include "core/lib/ring.h"
#include "core/lib/string.h"
#include "core/log.h"
#include "core/machine.h"

#define PROMPT      "plinth> "
#define LINE_SIZE   COMMAND_LINE_MAX
/* What one exit may add at most: a hypercall's text as lines of one byte, with their prefixes. */
#define ROOM_NEEDED 45056
#define ERASE_LINE  "\r\x1b[K"

static char line[LINE_SIZE];
static size_t used;
static bool prompting; /* the prompt is on the screen: from the first key on */
static char last_key;
static unsigned skip;  /* bytes of a cursor key's sequence still to be ignored */
static struct vm *attached;
/* line, used, prompting and what of an answer is not a line yet: the log's lock. The rest is the
 * boot CPU's alone, attached is read by others. */
static struct log_buffer answer;

static void put(const char *text)
{
    host_console_write(text, strlen(text));
}

static void show_prompt(void)
{
    put(PROMPT);
    host_console_write(line, used);
    prompting = true;
}

/* Whole lines go above the prompt. */
static void output(void *ctx, const char *text, size_t len)
{
    (void)ctx;
    if (attached)
        return; /* it is in the log */
    bool again = prompting;
    if (prompting)
        put(ERASE_LINE);
    host_console_write(text, len);
    if (again && len && text[len - 1] == '\n')
        show_prompt();
    else if (again)
        prompting = true;
}

void console_init(void)
{
    log_set_output(output);
}

bool console_has_room(void)
{
    return host_console_room() > ROOM_NEEDED;
}

void console_vm_line(struct vm *vm, const char *text, size_t len)
{
    log_vm_line(vm->name, text, len);
}

void console_vm_raw(struct vm *vm, const char *text, size_t len)
{
    if (vm == attached)
        host_console_write(text, len);
}

struct vm *console_attached(void)
{
    return attached;
}

void console_attach(struct vm *vm)
{
    if (attached)
        attached->attached = false;
    attached = vm;
    if (vm)
        vm->attached = true;
}

static void flush_answer(void)
{
    log_lock();
    host_console_write(answer.text, answer.used);
    answer.used = 0;
    log_unlock();
}

/* Line by line: other CPUs' lines may come between. */
void console_sink(void *ctx, const char *text, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < len; i++) {
        answer.text[answer.used++] = text[i];
        if (text[i] == '\n' || answer.used == sizeof(answer.text))
            flush_answer();
    }
}

/* The log's lock is held, but not while the command runs. */
static void run_line(void)
{
    char copy[LINE_SIZE];
    line[used] = '\0';
    memcpy(copy, line, used + 1);
    used = 0;
    prompting = false;
    put("\n");
    log_unlock();
    command_run(copy, console_sink, NULL);
    flush_answer();
    log_lock();
    if (!attached && !job_running())
        show_prompt();
}

static void erase(size_t n)
{
    for (; n && used; n--, used--)
        put("\b \b");
}

static void erase_word(void)
{
    while (used && line[used - 1] == ' ')
        erase(1);
    while (used && line[used - 1] != ' ')
        erase(1);
}

static void edit(char c)
{
    if (!prompting)
        show_prompt();
    switch (c) {
    case '\n':
        if (last_key == '\r')
            return; /* CR LF is one key */
        run_line();
        return;
    case '\r':
        run_line();
        return;
    case 0x7f:
    case '\b':
        erase(1);
        return;
    case 0x15: /* Ctrl-U */
        erase(used);
        return;
    case 0x17: /* Ctrl-W */
        erase_word();
        return;
    case 0x03: /* Ctrl-C: forget the line */
        used = 0;
        put("^C\n");
        show_prompt();
        return;
    case 0x0c: /* Ctrl-L */
        put(ERASE_LINE);
        show_prompt();
        return;
    case 0x1b:
        skip = 2; /* ESC [ X: no cursor keys yet */
        return;
    default:
        if ((unsigned char)c < ' ' || used == LINE_SIZE - 1)
            return;
        line[used++] = c;
        host_console_write(&c, 1);
    }
}

static void to_guest(char c)
{
    if (c == CONSOLE_ESCAPE) {
        struct vm *vm = attached;
        console_attach(NULL);
        put("\n");
        log_info("detached from %s", vm->name);
        log_lock();
        show_prompt();
        log_unlock();
        return;
    }
    machine_input(attached, &c, 1);
}

/* Keys that have been read ahead, so that the escape key works however deaf a guest is. */
static char ahead_buffer[1 << 10];
static struct ring ahead = {ahead_buffer, sizeof(ahead_buffer), 0, 0};

static void read_ahead(void)
{
    int c;
    while (ring_room(&ahead) && (c = host_console_read()) >= 0) {
        if (c == CONSOLE_ESCAPE && attached)
            ring_init(&ahead, ahead_buffer, sizeof(ahead_buffer)); /* before it: void */
        ring_put(&ahead, (char)c);
    }
}

static void prompt_again(void)
{
    flush_answer();
    log_lock();
    show_prompt();
    log_unlock();
}

/* A command's answer goes on. False: the keys are the editor's. */
static bool job_goes_on(void)
{
    char c;
    if (!job_running())
        return false;
    read_ahead();
    bool ended = false;
    if (ring_used(&ahead) && job_key(ahead.buf[ahead.tail & (ahead.size - 1)]))
        ended = ring_get(&ahead, &c);
    if (!ended && job_poll())
        return true;
    prompt_again();
    return false;
}

/* The next key that can be used now, or -1. */
static int next_key(void)
{
    char c;
    read_ahead();
    bool deaf = attached && attached->state == VM_RUNNING && !vuart_room(&attached->uart);
    if (deaf && !(ring_used(&ahead) && ahead.buf[ahead.tail & (ahead.size - 1)] == CONSOLE_ESCAPE))
        return -1;
    return ring_get(&ahead, &c) ? (unsigned char)c : -1;
}

void console_poll(void)
{
    host_console_poll();
    if (attached && attached->state != VM_RUNNING && attached->state != VM_STARTING) {
        struct vm *vm = attached;
        console_attach(NULL);
        put("\n");
        log_info("detached: vm %s has ended: %s", vm->name, vm->end_text);
        log_lock();
        show_prompt();
        log_unlock();
    }
    int c;
    while (!job_goes_on() && (c = next_key()) >= 0) {
        if (attached) {
            to_guest((char)c);
        } else if (skip) {
            skip--;
        } else {
            log_lock();
            edit((char)c);
            log_unlock();
        }
        last_key = (char)c;
    }
}
