/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The terminal: what it is at the moment (a prompt, an answer that is still being written, the log
 * as it grows, a guest's console), and which of them a key is for. How a line is edited is
 * lineedit.c's, how a long answer is shown is answer.c's.
 */
#include "core/console.h"

#include "core/access.h"
#include "core/answer.h"
#include "core/command_key.h"
#include "core/commands.h"
#include "core/control.h"
#include "core/host.h"
#include "core/job.h"
#include "core/lib/ring.h"
#include "core/lib/string.h"
#include "core/lineedit.h"
#include "core/log.h"
#include "core/machine.h"

/* What one exit adds at most, but for what is senseless: a hypercall's text as lines of one byte,
 * with their prefixes. It is room for what guests on many CPUs print at once, too. What finds none
 * all the same is in the log only. */
#define ROOM_NEEDED 45056
/* While the operator types, guests may fill no more than the first 2 KiB of the 64 KiB in front of
 * the line: that is how long an echo waits behind them. */
#define ROOM_TYPING 63488
#define TYPING_NS   UINT64_C(2000000000)
#define PROMPT          "plinth> "
#define PASSWORD_PROMPT "password: "
#define LOG_BATCH   64 /* lines that one poll moves */
#define LOOK_NS     1000000 /* at a guest that is slow to read what was typed */

_Static_assert(COMMAND_LINE_MAX == LINEEDIT_MAX, "a line is a line");

enum mode {
    MODE_PROMPT,
    MODE_ANSWER, /* not all of it is written; keys wait */
    MODE_LOG,    /* as it grows, until a key */
    MODE_GUEST,
};

/* The log's lock: edit, mode's changes and whatever draws. The rest is the boot CPU's alone. */
static struct lineedit edit;
static uint8_t mode; /* enum mode; others read it with the lock */
static struct vm *attached;
static struct vm *attach_next;  /* once the answer is out */
static uint64_t typed_at;       /* TSC; other CPUs read it */
static uint64_t skipped;        /* lines of guests since the last one that was shown; log's lock */
static uint64_t lost;           /* bytes of the attached VM; its lock */
static struct {
    struct log_filter filter;
    char vm[CONFIG_NAME_MAX];
    bool next, time;            /* next: once the answer is out */
    uint64_t at;
} follow;
static struct console_terminal terminal = {.width = LINEEDIT_WIDTH, .height = 24, .lines = true};
static bool asked;              /* for the terminal's size */

static void write_to(void *ctx, const char *text, size_t len)
{
    (void)ctx;
    host_console_write(text, len);
}

static void set_mode(enum mode m)
{
    mode = m;
}

/* --- what others write --- */

/* A guest's line while the operator does not want to see them, or nobody may see them. */
static bool unwanted(const char *text, size_t len)
{
    if (access_locked())
        return len < 8 || memcmp(text, "plinth: ", 8) != 0;
    return !terminal.lines && len && text[0] == '[';
}

/* Each LF becomes two bytes. */
static bool fits(size_t len)
{
    return host_console_room() >= 2 * len + HOST_ROOM_KEPT;
}

/* A guest's line for which the line has no room now. Its CPU has interrupts off and locks: it must
 * not wait. */
static bool must_skip(const char *text, size_t len)
{
    bool skip = len && text[0] == '[' && !fits(len);
    skipped += skip;
    return skip;
}

static void say_skipped(void)
{
    if (!skipped || !fits(0))
        return;
    fmt_write(write_to, NULL, "(%lu lines of guests are in the log only)\n", skipped);
    skipped = 0;
}

/* Whole lines go above the prompt. */
static void output(void *ctx, const char *text, size_t len)
{
    (void)ctx;
    control_log(text, len);
    if (mode == MODE_LOG && host_cpu_index() != 0)
        host_kick(0);
    if (mode == MODE_LOG || mode == MODE_GUEST || unwanted(text, len) || must_skip(text, len))
        return; /* it is in the log */
    bool again = edit.shown, paused = answer_paused();
    lineedit_hide(&edit);
    answer_hide();
    say_skipped();
    host_console_write(text, len);
    if (!len || text[len - 1] != '\n')
        return;
    if (again)
        lineedit_show(&edit);
    if (paused)
        answer_show();
}

void console_init(void)
{
    edit.sink = write_to;
    edit.prompt = PROMPT;
    edit.complete = command_complete;
    edit.width = terminal.width;
    lineedit_init(&edit);
    log_set_output(output);
}

bool console_has_room(void)
{
    uint64_t since = host_now() - __atomic_load_n(&typed_at, __ATOMIC_RELAXED);
    bool typing = typed_at && since < host_ns_to_tsc(TYPING_NS) && mode != MODE_GUEST;
    return host_console_room() > (typing ? ROOM_TYPING : ROOM_NEEDED) && control_has_room();
}

uint64_t console_lost(void)
{
    return __atomic_load_n(&lost, __ATOMIC_RELAXED);
}

void console_vm_line(struct vm *vm, const char *text, size_t len)
{
    log_vm_line(vm->name, text, len);
}

void console_vm_raw(struct vm *vm, const char *text, size_t len)
{
    for (size_t i = 0; vm->scrollback.buf && i < len; i++)
        ring_push(&vm->scrollback, text[i]);
    if (vm == attached && fits(len))
        host_console_write(text, len);
    else if (vm == attached)
        lost += len;
    control_vm_raw(vm, text, len);
}

/* --- a guest's console --- */

static void replay(const struct vm *vm)
{
    const struct ring *r = &vm->scrollback;
    for (uint64_t at = r->tail; at < r->head;) {
        uint64_t offset = at & (r->size - 1), n = min_u64(r->head - at, r->size - offset);
        host_console_write(r->buf + offset, n);
        at += n;
    }
}

static void attach(struct vm *vm)
{
    log_lock();
    lineedit_hide(&edit);
    set_mode(MODE_GUEST);
    log_unlock();
    lock_take(&vm->lock);
    replay(vm);
    vm->attached = true;
    attached = vm;
    lock_release(&vm->lock);
}

static void detach(void)
{
    struct vm *vm = attached;
    lock_take(&vm->lock);
    vm->attached = false;
    attached = NULL;
    lock_release(&vm->lock);
    log_lock();
    set_mode(MODE_PROMPT);
    host_console_write("\n", 1);
    log_unlock();
}

static bool has_console(const struct vm *vm)
{
    return vm->state == VM_RUNNING || vm->state == VM_STARTING;
}

void console_attach(struct vm *vm)
{
    attach_next = vm;
}

static void show_prompt(void)
{
    log_lock();
    lineedit_show(&edit);
    log_unlock();
}

/* From whatever the terminal is at the moment. */
static void lock_terminal(void)
{
    if (mode == MODE_GUEST)
        detach();
    if (job_running(JOB_CONSOLE))
        job_key(0x03); /* ends any */
    answer_drop();
    log_lock();
    lineedit_hide(&edit);
    follow.next = false;
    set_mode(MODE_PROMPT);
    edit.text[edit.used] = '\0'; /* what was not finished can be found in the history */
    lineedit_next(&edit);
    access_lock();
    edit.secret = true;
    edit.prompt = PASSWORD_PROMPT;
    log_unlock();
    log_info("console: locked");
}

/* --- the log as it grows --- */

void console_follow(const struct log_filter *filter, uint64_t at, bool time)
{
    follow.filter = *filter;
    if (filter->vm) {
        str_copy(follow.vm, sizeof(follow.vm), filter->vm);
        follow.filter.vm = follow.vm;
    }
    follow.at = at;
    follow.time = time;
    follow.next = true;
}

void console_log_line(const struct log_line *line, bool time, fmt_sink_fn *sink, void *ctx)
{
    if (line->missed)
        fmt_write(sink, ctx, "(%lu bytes are missing here)\n", line->missed);
    if (time)
        fmt_write(sink, ctx, "%6lu.%03lu ", line->ms / 1000, line->ms % 1000);
    sink(ctx, line->text, line->len);
}

static void move_log(void)
{
    struct log_line line;
    for (unsigned i = 0; i < LOG_BATCH && host_console_room() > ANSWER_ROOM; i++) {
        if (!log_read(&follow.at, &line))
            return;
        if (!log_filter_passes(&follow.filter, line.text, line.len))
            continue;
        log_lock();
        console_log_line(&line, follow.time, write_to, NULL);
        log_unlock();
    }
}

static void leave_log(void)
{
    log_lock();
    set_mode(MODE_PROMPT);
    log_unlock();
    show_prompt();
}

/* --- the terminal itself --- */

struct console_terminal *console_terminal(void)
{
    return &terminal;
}

void console_terminal_changed(void)
{
    log_lock();
    edit.dumb = terminal.dumb;
    edit.width = terminal.width;
    log_unlock();
}

/* Far to the right and down, where is that, and back: any terminal that knows cursor keys answers
 * with ESC [ row ; column R. */
void console_ask_size(void)
{
    static const char question[] = "\x1b" "7\x1b[999;999H\x1b[6n\x1b" "8";
    asked = true;
    host_console_write(question, sizeof(question) - 1);
}

static void size_known(void)
{
    if (edit.column < LINEEDIT_NARROW || edit.column > LINEEDIT_WIDE || edit.row < 2)
        return;
    terminal.width = edit.width = edit.column;
    terminal.height = edit.row;
    terminal.answers = true;
}

/* --- commands --- */

void console_sink(void *ctx, const char *text, size_t len)
{
    answer_put(ctx, text, len);
}

/* A program's answer is never paged. */
static bool for_program(const char *text)
{
    for (; *text; text++)
        if (str_starts(text, "--json"))
            return true;
    return false;
}

static void run_line(void)
{
    char text[LINEEDIT_MAX];
    log_lock();
    memcpy(text, edit.text, edit.used + 1);
    lineedit_next(&edit);
    set_mode(MODE_ANSWER);
    log_unlock();
    bool paged = terminal.pager == PAGER_ON || (terminal.pager == PAGER_AUTO && terminal.answers);
    answer_begin(paged && !for_program(text) ? terminal.height - 1 : 0, terminal.width);
    command_run(text, console_sink, NULL);
    if (job_running(JOB_CONSOLE))
        answer_begin(0, 0);
}

/* --- the password --- */

void console_set_password(const char *stored, uint64_t idle_ns)
{
    if (access_set(stored, host_ns_to_tsc(idle_ns)))
        lock_terminal();
}

bool console_locked(void)
{
    return access_locked();
}

bool console_lock(void)
{
    return access_ask_lock();
}

/* A program has asked for it, or nobody has typed for long. */
static bool must_lock(void)
{
    return (access_lock_asked() && mode != MODE_ANSWER) || host_now() > access_lock_at(typed_at);
}

/* Enter was pressed behind a password. */
static void begin_check(void)
{
    access_try(edit.text);
    log_lock();
    lineedit_next(&edit);
    memset(edit.text, 0, sizeof(edit.text));
    log_unlock();
}

static void end_check(void)
{
    if (!access_locked()) {
        log_lock();
        edit.secret = false;
        edit.prompt = PROMPT;
        log_unlock();
    }
    show_prompt();
}

/* Everything that was said is on the screen: what is the terminal now? */
static void answered(void)
{
    struct vm *vm = attach_next;
    log_lock();
    set_mode(follow.next ? MODE_LOG : MODE_PROMPT);
    log_unlock();
    attach_next = NULL;
    if (access_lock_asked())
        lock_terminal();
    else if (follow.next)
        follow.next = false;
    else if (vm && has_console(vm))
        attach(vm);
    else
        show_prompt();
}

/* --- keys --- */

static void to_prompt(char c)
{
    log_lock();
    enum lineedit_result result = lineedit_key(&edit, c);
    if (result == LINEEDIT_CANCEL)
        lineedit_show(&edit);
    else if (result == LINEEDIT_SIZE)
        size_known();
    else if (result == LINEEDIT_REDRAW && !terminal.dumb)
        console_ask_size();
    else if (edit.sequences && !asked && !terminal.dumb)
        console_ask_size(); /* somebody with cursor keys: a terminal that answers */
    log_unlock();
    if (result == LINEEDIT_LINE && access_locked())
        begin_check();
    else if (result == LINEEDIT_LINE)
        run_line();
}

static void to_guest(char c)
{
    if (c != CONSOLE_ESCAPE) {
        machine_input(attached, &c, 1);
        return;
    }
    struct vm *vm = attached;
    detach();
    log_info("detached from %s", vm->name);
    show_prompt();
}

static void key(char c)
{
    __atomic_store_n(&typed_at, host_now(), __ATOMIC_RELAXED);
    if (answer_paused())
        answer_key(c);
    else if (mode == MODE_GUEST)
        to_guest(c);
    else if (mode == MODE_LOG)
        leave_log();
    else
        to_prompt(c);
}

/* Keys that have been read ahead, so that the keys that end something work however deaf it is. */
static char ahead_buffer[1 << 10];
static struct ring ahead = {ahead_buffer, sizeof(ahead_buffer), 0, 0};

static void read_ahead(void)
{
    int c;
    while (ring_room(&ahead) && (c = control_next_key()) >= 0) {
        if (c == CONSOLE_ESCAPE && mode == MODE_GUEST)
            ring_init(&ahead, ahead_buffer, sizeof(ahead_buffer)); /* before it: void */
        if (c == 0x03 && mode == MODE_ANSWER && !answer_paused() && !job_running(JOB_CONSOLE))
            answer_drop();
        else
            ring_put(&ahead, (char)c);
    }
}

/* Whether the next key can be used now. */
static bool ready(void)
{
    if (!ring_used(&ahead) || (mode == MODE_ANSWER && !answer_paused()) || access_trying() ||
        host_now() < access_next_try())
        return false;
    if (mode != MODE_GUEST || ahead.buf[ahead.tail & (ahead.size - 1)] == CONSOLE_ESCAPE)
        return true;
    return attached->state != VM_RUNNING || vuart_room(&attached->uart);
}

static bool has_work(void)
{
    return (mode == MODE_ANSWER && answer_busy()) || (mode == MODE_LOG && follow.at != log_end());
}

uint64_t console_deadline(void)
{
    if (has_work() || access_trying())
        return 0;
    uint64_t at = min_u64(host_console_deadline(), job_deadline(JOB_PROGRAM));
    if (mode == MODE_ANSWER && answer_empty())
        at = min_u64(at, job_deadline(JOB_CONSOLE));
    at = min_u64(at, key_deadline());
    if (mode == MODE_GUEST && ring_used(&ahead)) /* on another CPU it reads without our knowing */
        at = min_u64(at, host_now() + host_ns_to_tsc(LOOK_NS));
    if (access_locked() && ring_used(&ahead))
        at = min_u64(at, access_next_try());
    return min_u64(at, access_lock_at(typed_at));
}

/* Until all has been said, and nothing more is to come. */
static void move_answer(void)
{
    char c;
    if (job_running(JOB_CONSOLE) && ring_used(&ahead) &&
        job_key(ahead.buf[ahead.tail & (ahead.size - 1)]) && ring_get(&ahead, &c))
        answer_drop();
    if (!answer_move() || (job_running(JOB_CONSOLE) && job_poll(JOB_CONSOLE)) || !answer_move())
        return;
    answered();
}

/* The VM whose console this is has ended. */
static void lost_guest(void)
{
    struct vm *vm = attached;
    detach();
    log_info("detached: vm %s has ended: %s", vm->name, vm->end_text);
    show_prompt();
}

void console_forget(const struct vm *vm)
{
    if (attach_next == vm)
        attach_next = NULL;
    if (attached == vm)
        lost_guest();
}

void console_poll(void)
{
    char c;
    host_console_poll();
    control_poll();
    key_poll();
    if (attached && !has_console(attached))
        lost_guest();
    if (attach_next && mode == MODE_PROMPT && !access_locked())
        answered(); /* the configuration wants it, no command */
    if (access_poll())
        end_check();
    if (must_lock())
        lock_terminal();
    read_ahead();
    do {
        if (mode == MODE_ANSWER)
            move_answer();
        if (mode == MODE_LOG)
            move_log();
    } while (ready() && ring_get(&ahead, &c) && (key(c), read_ahead(), true));
}
