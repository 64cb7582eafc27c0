/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The programs' channel over a line that is played here: sessions, commands that are asked for
 * twice, input and its answer that got lost, consoles, an operator who takes his line back, and
 * frames of any type and length.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#include "core/control.c"
#include "core/control_command.c"
#include "core/control_console.c"
#include "core/control_file.c"
#include "core/control_line.c"

/* --- what is around it --- */

static bool apart, frames_only;
static char keys[65536], sent[1 << 20];
static size_t keys_len, keys_at, sent_len, sent_seen;
static unsigned runs, kicks, drops;
static char last_line[COMMAND_LINE_MAX];
static size_t say_bytes;
static struct vm guest;
static bool guest_exists;
static unsigned typed;

void lock_wait(struct lock *l, uint16_t ticket) { fail_msg("waits for %s, %u", l->name, ticket); }
bool host_control_is_apart(void) { return apart; }
void host_console_frames_only(bool on) { frames_only = on; }
size_t host_control_room(void) { return 1 << 16; }
int host_keyboard_read(void) { return -1; }
static bool locked;
bool console_locked(void) { return locked; }
void host_kick(unsigned cpu) { kicks += cpu == 0; }

void host_control_write(const char *bytes, size_t len)
{
    assert_true(sent_len + len <= sizeof(sent));
    memcpy(sent + sent_len, bytes, len);
    sent_len += len;
}

static int next(void)
{
    return keys_at < keys_len ? (unsigned char)keys[keys_at++] : -1;
}

int host_control_read(void) { return apart ? next() : -1; }
int host_console_read(void) { return apart ? -1 : next(); }

/* A command that goes on: so many more pieces of a byte. */
static unsigned job_left, job_starts;
static fmt_sink_fn *job_sink;
static void *job_ctx;

bool job_running(enum job_owner who) { return who == JOB_PROGRAM && job_left; }
void job_stop(enum job_owner who) { job_left = who == JOB_PROGRAM ? 0 : job_left; }

bool job_poll(enum job_owner who)
{
    assert_int_equal(who, JOB_PROGRAM);
    job_sink(job_ctx, "+", 1);
    return --job_left;
}

enum command_status command_run(char *line, fmt_sink_fn *sink, void *ctx)
{
    runs++;
    str_copy(last_line, sizeof(last_line), line);
    for (size_t i = 0; i < say_bytes; i++)
        sink(ctx, &(char){(char)('a' + i % 26)}, 1);
    job_left = job_starts;
    job_sink = sink;
    job_ctx = ctx;
    return COMMAND_REFUSED;
}

struct vm *vm_find(const char *name)
{
    return guest_exists && str_eq(name, guest.name) ? &guest : NULL;
}

const char *vm_state_name(const struct vm *vm)
{
    return vm->state == VM_RUNNING ? "running" : "ended";
}

size_t machine_input(struct vm *vm, const char *text, size_t len)
{
    (void)vm;
    (void)text;
    typed += (unsigned)min_u64(len, 3);
    return min_u64(len, 3);
}

const char *store_begin(const char *name, uint64_t size, uint32_t crc)
{
    (void)size;
    (void)crc;
    return str_eq(name, "bad") ? "no" : NULL;
}

enum store_state store_write(uint64_t offset, const uint8_t *bytes, size_t n, uint64_t *next_offset,
                             const char **why)
{
    (void)bytes;
    (void)why;
    *next_offset = offset + n;
    return STORE_GOING;
}

void store_abort(void) { drops++; }

/* --- the program's end --- */

static struct frame_rx back;

static void type_bytes(const void *bytes, size_t n)
{
    memcpy(keys + keys_len, bytes, n);
    keys_len += n;
}

static void request(uint8_t type, uint8_t seq, uint16_t channel, const void *payload, size_t n)
{
    struct frame f = {.type = type, .seq = seq, .channel = channel, .payload = payload, .len = n};
    char out[FRAME_WIRE_MAX];
    type_bytes(out, frame_encode(out, &f));
}

/* Lets it work; returns how many keys are the operator's. */
static unsigned run(void)
{
    unsigned n = 0;
    while (control_next_key() >= 0)
        n++;
    control_poll();
    keys_at = keys_len = 0;
    return n;
}

/* The next frame that was sent, false: there is none. */
static bool got(struct frame *f)
{
    while (sent_seen < sent_len)
        if (frame_rx_byte(&back, (uint8_t)sent[sent_seen++]) == FRAME_WHOLE) {
            *f = back.frame;
            return true;
        }
    return false;
}

static struct frame expect(uint8_t type)
{
    struct frame f = {0};
    assert_true(got(&f));
    assert_int_equal(f.type, type);
    return f;
}

static void hello(void)
{
    request('H', 7, 0, "abcd", 4);
    run();
    struct frame f = expect('h');
    assert_int_equal(f.seq, 7);
    assert_memory_equal(f.payload, "abcd", 4);
    assert_int_equal(get16(f.payload + 4), PROTOCOL);
}

static int setup(void **state)
{
    (void)state;
    close_session();
    memset(&rx, 0, sizeof(rx));
    memset(&back, 0, sizeof(back));
    memset(&command, 0, sizeof(command));
    memset(&guest, 0, sizeof(guest));
    str_copy(guest.name, sizeof(guest.name), "debian");
    guest.slot = 4;
    guest.state = VM_RUNNING;
    guest_exists = true;
    apart = frames_only = locked = false;
    keys_len = keys_at = sent_len = sent_seen = 0;
    runs = kicks = drops = typed = job_starts = job_left = 0;
    say_bytes = 5;
    pending.len = 0;
    return 0;
}

static void keys_without_frames_are_the_operators(void **state)
{
    (void)state;
    type_bytes("vm list\r\x1b[A\xfe\xc3\xbe", 14);
    assert_int_equal(run(), 14);
    assert_int_equal(sent_len, 0);
}

static void without_hello_nothing_is_done(void **state)
{
    (void)state;
    request('C', 1, 0, "\1\0\0\0version", 11);
    assert_int_equal(run(), 0);
    expect('x');
    assert_int_equal(runs, 0);
}

static void a_command_is_answered_and_run_once(void **state)
{
    (void)state;
    struct frame f;
    hello();
    assert_true(frames_only);
    for (unsigned i = 0; i < 3; i++) {
        request('C', 1, 0, "\1\0\0\0vm list", 11);
        run();
        f = expect('a');
        assert_int_equal(f.len, 9);
        assert_memory_equal(f.payload, "\1\0\0\0abcde", 9);
        f = expect('e');
        assert_int_equal(f.len, 14);
        assert_int_equal(f.payload[4], COMMAND_REFUSED);
        assert_int_equal(f.payload[5], 0);
        assert_int_equal(get32(f.payload + 6), 5);
        assert_int_equal(get32(f.payload + 10), crc32(0, "abcde", 5));
    }
    assert_int_equal(runs, 1);
    assert_string_equal(last_line, "vm list");
    request('C', 1, 0, "\2\0\0\0x", 5);
    run();
    assert_int_equal(runs, 2);
}

static void a_long_answer_is_whole_and_not_kept(void **state)
{
    (void)state;
    struct frame f;
    say_bytes = 10000;
    hello();
    request('C', 1, 0, "\1\0\0\0log", 7);
    run();
    uint32_t crc = 0, total = 0;
    for (f = expect('a'); f.type == 'a'; assert_true(got(&f))) {
        assert_int_equal(f.seq, total / CONTROL_PIECE);
        crc = crc32(crc, f.payload + 4, f.len - 4);
        total += (uint32_t)f.len - 4;
    }
    assert_int_equal(total, 10000);
    assert_int_equal(get32(f.payload + 10), crc);
    request('C', 1, 0, "\1\0\0\0log", 7);
    run();
    f = expect('e');
    assert_int_equal(f.payload[5], 1);
    assert_int_equal(runs, 1);
}

static void an_answer_that_goes_on_ends_with_it(void **state)
{
    (void)state;
    struct frame f;
    hello();
    job_starts = 3;
    request('C', 1, 0, "\1\0\0\0dump", 8);
    run();
    request('C', 2, 0, "\1\0\0\0dump", 8); /* impatience */
    request('C', 3, 0, "\2\0\0\0dump", 8);
    run();
    f = expect('x');
    assert_int_equal(f.seq, 3);
    assert_false(got(&f));
    run();
    f = expect('a');
    assert_memory_equal(f.payload, "\1\0\0\0abcde+++", 12);
    f = expect('e');
    assert_int_equal(get32(f.payload + 6), 8);
    assert_int_equal(runs, 1);
    run();
    assert_false(got(&f));
}

/* Whoever says hello next gets none of it, and may ask for the same. */
static void an_answer_is_dropped_with_its_session(void **state)
{
    (void)state;
    struct frame f;
    hello();
    job_starts = 100;
    request('C', 1, 0, "\1\0\0\0dump", 8);
    run();
    hello();
    assert_int_equal(job_left, 0);
    run();
    assert_false(got(&f));
    job_starts = 0;
    request('C', 1, 0, "\1\0\0\0dump", 8);
    run();
    expect('a');
    expect('e');
    assert_int_equal(runs, 2);
}

static void lines_that_are_none_are_refused(void **state)
{
    (void)state;
    hello();
    request('C', 1, 0, "\1\0\0\0a\nb", 7);
    request('C', 2, 0, "\0\0\0\0ab", 6);
    request('C', 3, 0, "\1\0\0", 3);
    request('C', 4, 0, NULL, 0);
    run();
    for (unsigned i = 0; i < 4; i++)
        expect('x');
    assert_int_equal(runs, 0);
}

/* A program is no way around the console's password. */
static void a_locked_console_refuses(void **state)
{
    (void)state;
    locked = true;
    request('H', 0, 0, NULL, 0);
    run();
    expect('x');
    locked = false;
    hello();
    locked = true;
    request('C', 1, 0, "\1\0\0\0log", 7);
    run();
    expect('x');
    assert_int_equal(runs, 0);
}

static void a_console_and_its_input(void **state)
{
    (void)state;
    struct frame f;
    hello();
    request('S', 1, 0, "\2debian", 7);
    run();
    f = expect('s');
    assert_int_equal(f.channel, 5);
    assert_int_equal(f.payload[0], 0);
    assert_true(guest.watched);
    control_vm_raw(&guest, "boot", 4);
    control_vm_raw(&guest, "ing", 3);
    assert_int_equal(kicks, 1);
    run();
    f = expect('o');
    assert_int_equal(f.channel, 5);
    assert_memory_equal(f.payload, "booting", 7);
    for (unsigned i = 0; i < 2; i++) { /* the second time the answer was lost */
        request('I', 9, 5, "hello", 5);
        run();
        f = expect('i');
        assert_int_equal(get16(f.payload), 3);
    }
    assert_int_equal(typed, 3);
    request('I', 10, 6, "hello", 5);
    run();
    expect('x');
    guest.state = VM_ENDED;
    str_copy(guest.end_text, sizeof(guest.end_text), "why");
    run();
    f = expect('z');
    assert_memory_equal(f.payload, "why", 3);
    assert_false(guest.watched);
}

static void a_vm_that_goes_away_is_noticed(void **state)
{
    (void)state;
    hello();
    request('S', 1, 0, "\2debian", 7);
    run();
    expect('s');
    guest_exists = false;
    run();
    expect('z');
    request('I', 1, 5, "x", 1);
    run();
    expect('x');
}

static void the_operator_takes_his_line_back(void **state)
{
    (void)state;
    hello();
    type_bytes("abc", 3);
    assert_int_equal(run(), 0);
    control_log("line\n", 5);
    type_bytes("\x1d", 1);
    assert_int_equal(run(), 0);
    assert_false(frames_only);
    assert_memory_equal(expect('l').payload, "line\n", 5);
    type_bytes("abc", 3);
    assert_int_equal(run(), 3);
}

static void damage_is_said(void **state)
{
    (void)state;
    hello();
    type_bytes("\xfePAAAAAAAAAAAAAAAA\n", 19);
    run();
    expect('n');
}

static void a_line_apart_leaves_the_console_alone(void **state)
{
    (void)state;
    apart = true;
    hello();
    assert_false(frames_only);
    control_log("line\n", 5); /* not asked for */
    run();
    assert_int_equal(sent_seen, sent_len);
    request('S', 1, 0, "\1", 1);
    run();
    expect('s');
    control_log("line\n", 5);
    run();
    expect('l');
}

static void any_type_and_length_is_survived(void **state)
{
    (void)state;
    static uint8_t junk[FRAME_PAYLOAD_MAX];
    memset(junk, 'd', sizeof(junk));
    for (unsigned type = 0; type < 256; type++)
        for (size_t n = 0; n <= FRAME_PAYLOAD_MAX; n += n < 80 ? 1 : 122) {
            request('H', 0, 0, "abcd", 4);
            request((uint8_t)type, 1, (uint16_t)type, junk, n);
            run();
            sent_len = sent_seen = 0;
            assert_int_equal(lock.owner, lock.next);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(keys_without_frames_are_the_operators, setup),
        cmocka_unit_test_setup(without_hello_nothing_is_done, setup),
        cmocka_unit_test_setup(a_command_is_answered_and_run_once, setup),
        cmocka_unit_test_setup(a_long_answer_is_whole_and_not_kept, setup),
        cmocka_unit_test_setup(an_answer_that_goes_on_ends_with_it, setup),
        cmocka_unit_test_setup(an_answer_is_dropped_with_its_session, setup),
        cmocka_unit_test_setup(lines_that_are_none_are_refused, setup),
        cmocka_unit_test_setup(a_locked_console_refuses, setup),
        cmocka_unit_test_setup(a_console_and_its_input, setup),
        cmocka_unit_test_setup(a_vm_that_goes_away_is_noticed, setup),
        cmocka_unit_test_setup(the_operator_takes_his_line_back, setup),
        cmocka_unit_test_setup(damage_is_said, setup),
        cmocka_unit_test_setup(a_line_apart_leaves_the_console_alone, setup),
        cmocka_unit_test_setup(any_type_and_length_is_survived, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
