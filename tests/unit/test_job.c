/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands that go on: at the console, for a program, both at once, and for somebody who does not
 * wait; none writes more than its line takes.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "core/job.c"

static uint64_t now;
static size_t console_room, control_room;
static unsigned steps, ends;
static uint64_t answer_due; /* what the step returns until `left` is used up */
static unsigned left;
static size_t said; /* to the program */

uint64_t host_now(void) { return now; }
uint64_t host_ns_to_tsc(uint64_t ns) { return ns; }
size_t host_console_room(void) { return console_room; }
size_t host_control_room(void) { return control_room; }
void console_sink(void *ctx, const char *text, size_t len) { (void)ctx, (void)text, (void)len; }
void control_sink(void *ctx, const char *text, size_t len) { (void)ctx, (void)text, said += len; }

static void monitor_sink(void *ctx, const char *text, size_t len)
{
    (void)ctx, (void)text, (void)len;
}

static uint64_t step(fmt_sink_fn *sink, void *ctx)
{
    (void)sink, (void)ctx;
    steps++;
    return left-- ? answer_due : JOB_DONE;
}

static uint64_t other_step(fmt_sink_fn *sink, void *ctx)
{
    (void)sink, (void)ctx;
    return 0;
}

static void end(void) { ends++; }

static int setup(void **state)
{
    (void)state;
    memset(jobs, 0, sizeof(jobs));
    steps = ends = 0;
    now = 1000;
    left = 3;
    answer_due = 0;
    console_room = control_room = 1 << 16;
    said = 0;
    return 0;
}

static void start(fmt_sink_fn *sink, job_fn *fn, bool any_key)
{
    uint8_t status = COMMAND_DONE;
    struct call c = {.sink = sink, .status = &status};
    assert_true(job_may_start(&c, fn));
    job_start(&c, fn, end, any_key);
}

static void goes_on_until_done(void **state)
{
    (void)state;
    start(console_sink, step, false);
    assert_int_equal(job_deadline(JOB_CONSOLE), 0);
    for (unsigned i = 0; i < 3; i++)
        assert_true(job_poll(JOB_CONSOLE));
    assert_int_equal(ends, 0);
    assert_false(job_poll(JOB_CONSOLE));
    assert_int_equal(ends, 1);
    assert_false(job_running(JOB_CONSOLE));
    assert_int_equal(job_deadline(JOB_CONSOLE), UINT64_MAX);
}

static void waits_for_room_and_for_its_time(void **state)
{
    (void)state;
    start(console_sink, step, false);
    start(control_sink, other_step, false);
    console_room = JOB_ROOM - 1;
    control_room = 2 * JOB_ROOM - 1; /* frames are longer than their text */
    assert_true(job_poll(JOB_CONSOLE) && job_poll(JOB_PROGRAM));
    assert_int_equal(steps, 0);
    assert_int_equal(job_deadline(JOB_CONSOLE), now + LOOK_NS);
    assert_int_equal(job_deadline(JOB_PROGRAM), now + LOOK_NS);
    console_room = JOB_ROOM;
    answer_due = now + 3 * LOOK_NS;
    assert_true(job_poll(JOB_CONSOLE));
    assert_int_equal(steps, 0);
    now += LOOK_NS;
    job_poll(JOB_CONSOLE);
    assert_int_equal(steps, 1);
    assert_int_equal(job_deadline(JOB_CONSOLE), answer_due);
}

static void keys_end_the_consoles(void **state)
{
    (void)state;
    start(console_sink, step, false);
    start(control_sink, other_step, false);
    assert_false(job_key('x'));
    assert_true(job_key(0x03));
    assert_int_equal(ends, 1);
    assert_true(job_running(JOB_PROGRAM));
    start(console_sink, step, true);
    assert_true(job_key('x'));
    assert_false(job_running(JOB_CONSOLE));
}

/* A program gets one picture of what repeats, and asks again. */
static void a_programs_ends_when_it_wants_to_wait(void **state)
{
    (void)state;
    answer_due = now + 1;
    start(control_sink, step, false);
    assert_false(job_poll(JOB_PROGRAM));
    assert_int_equal(steps, 1);
    assert_int_equal(ends, 1);
}

static void a_step_works_for_one_at_a_time(void **state)
{
    (void)state;
    uint8_t status = COMMAND_DONE;
    struct call c = {.sink = control_sink, .status = &status};
    start(console_sink, step, false);
    assert_false(job_may_start(&c, step));
    assert_int_equal(status, COMMAND_REFUSED);
    assert_true(said > 0);
    assert_true(job_may_start(&c, other_step));
    job_stop(JOB_CONSOLE);
    assert_int_equal(ends, 1);
    assert_true(job_may_start(&c, step));
    job_stop(JOB_CONSOLE);
    assert_int_equal(ends, 1);
}

static void who_does_not_wait_gets_it_at_once(void **state)
{
    (void)state;
    start(monitor_sink, step, false);
    assert_int_equal(steps, 4);
    assert_int_equal(ends, 1);
    assert_false(job_running(JOB_CONSOLE) || job_running(JOB_PROGRAM));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(goes_on_until_done, setup),
        cmocka_unit_test_setup(waits_for_room_and_for_its_time, setup),
        cmocka_unit_test_setup(keys_end_the_consoles, setup),
        cmocka_unit_test_setup(a_programs_ends_when_it_wants_to_wait, setup),
        cmocka_unit_test_setup(a_step_works_for_one_at_a_time, setup),
        cmocka_unit_test_setup(who_does_not_wait_gets_it_at_once, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
