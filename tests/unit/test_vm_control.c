/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operator's verbs: what each does in each state of a VM, the whole table of docs/console.md.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "core/vm_control.c"

/* --- what is called for, a letter each --- */

static char calls[16];
static char answer[1024];
static bool listens, start_fails;
static struct vm vm;
static struct vcpu vcpu;

static void note(char what)
{
    size_t n = strlen(calls);
    assert_true(n + 1 < sizeof(calls));
    calls[n] = what;
    calls[n + 1] = '\0';
}

void vm_start(struct vm *v)
{
    assert_ptr_equal(v, &vm);
    note('s');
    v->state = start_fails ? VM_ENDED : VM_STARTING;
}

enum outcome vm_stop(struct vm *v, enum stop_reason reason, const char *format, ...)
{
    assert_ptr_equal(v, &vm);
    assert_int_equal(reason, STOP_OPERATOR);
    assert_non_null(strstr(format, "operator"));
    note('e');
    return OUTCOME_STOP;
}

void vm_let_go(struct vm *v)
{
    assert_true(v->state == VM_KEPT || v->state == VM_STARTING);
    note('l');
}

void vm_destroy(struct vm *v)
{
    memset(v, 0xee, sizeof(*v)); /* nobody may look at it afterwards */
    note('d');
}

void sched_pause(struct vm *v)
{
    v->paused = 1;
    note('p');
}

void sched_resume(struct vm *v)
{
    v->paused = 0;
    note('r');
}

bool machine_press_power_button(struct vm *v)
{
    (void)v;
    if (listens)
        note('b');
    return listens;
}

void sched_notify(struct vcpu *v, uint32_t requests)
{
    assert_ptr_equal(v, &vcpu);
    assert_int_equal(requests, REQUEST_NMI | REQUEST_EVENT);
    note('n');
}

static void sink(void *ctx, const char *text, size_t len)
{
    (void)ctx;
    size_t n = strlen(answer);
    assert_true(n + len < sizeof(answer));
    memcpy(answer + n, text, len);
    answer[n + len] = '\0';
}

/* --- */

static void enter(enum condition in)
{
    static const uint8_t states[CONDITIONS] = {VM_DEFINED, VM_STARTING, VM_RUNNING, VM_RUNNING,
                                               VM_ENDING,  VM_KEPT,     VM_ENDED};
    memset(&vm, 0, sizeof(vm));
    strcpy(vm.name, "web");
    vm.state = states[in];
    vm.paused = in == PAUSED;
    vm.stop_reason = in == ENDING || in == KEPT || in == ENDED ? STOP_POWEROFF : STOP_NONE;
    vm.vcpu_count = in == DEFINED || in == ENDED ? 0 : 1;
    vm.vcpu[0] = &vcpu;
    calls[0] = answer[0] = '\0';
    start_fails = false;
}

static bool ask(enum vm_verb verb)
{
    return vm_control(&vm, verb, 0, sink, NULL);
}

/* Rows are verbs, columns conditions; "-" is a refusal, "" an answer without a call. */
static const char *const table[VERB_COUNT][CONDITIONS] = {
    /*                defined starting running paused ending kept  ended */
    [VERB_START]   = {"s",    "-",     "-",    "-",   "",    "l",  "s"},
    [VERB_STOP]    = {"-",    "-",     "b",    "-",   "-",   "-",  "-"},
    [VERB_KILL]    = {"-",    "el",    "e",    "e",   "",    "l",  "-"},
    [VERB_PAUSE]   = {"-",    "-",     "p",    "-",   "-",   "-",  "-"},
    [VERB_RESUME]  = {"-",    "-",     "-",    "r",   "-",   "-",  "-"},
    [VERB_RESET]   = {"-",    "-",     "e",    "e",   "-",   "-",  "-"},
    [VERB_RESTART] = {"s",    "-",     "b",    "-",   "-",   "l",  "s"},
    [VERB_DESTROY] = {"d",    "d",     "d",    "d",   "d",   "d",  "d"},
    [VERB_NMI]     = {"-",    "-",     "n",    "n",   "-",   "-",  "-"},
};

static void every_verb_in_every_condition(void **state)
{
    (void)state;
    listens = true;
    for (unsigned verb = 0; verb < VERB_COUNT; verb++)
        for (unsigned in = 0; in < CONDITIONS; in++) {
            const char *want = table[verb][in];
            bool refused = strcmp(want, "-") == 0;
            enter((enum condition)in);
            if (ask((enum vm_verb)verb) == refused)
                fail_msg("verb %u in condition %u: %s", verb, in, answer);
            if (strcmp(calls, refused ? "" : want) != 0)
                fail_msg("verb %u in condition %u: called '%s'", verb, in, calls);
            size_t n = strlen(answer);
            assert_true(n > 1 && answer[n - 1] == '\n' && strchr(answer, '\n') == answer + n - 1);
            assert_non_null(strstr(answer, "web"));
            if (refused)
                assert_non_null(strstr(answer, conditions[in].hint));
        }
}

static void what_comes_after_the_end_is_the_last_wish(void **state)
{
    (void)state;
    listens = true;
    enter(RUNNING);
    assert_true(ask(VERB_RESTART));
    assert_int_equal(vm.then, THEN_START);
    assert_true(ask(VERB_STOP));
    assert_int_equal(vm.then, THEN_STOP);
    assert_true(ask(VERB_RESET));
    assert_int_equal(vm.then, THEN_START);
    vm.stop_reason = STOP_OPERATOR; /* its vCPUs are on their way out: that is ending */
    assert_false(ask(VERB_PAUSE));
    assert_true(ask(VERB_KILL));
    assert_int_equal(vm.then, THEN_STOP);
    assert_true(ask(VERB_START));
    assert_int_equal(vm.then, THEN_START);
    vm.then = THEN_DESTROY; /* nothing brings it back */
    assert_false(ask(VERB_START));
    assert_int_equal(vm.then, THEN_DESTROY);
    assert_true(ask(VERB_KILL));
    assert_int_equal(vm.then, THEN_DESTROY);
    enter(KEPT);
    assert_true(ask(VERB_KILL));
    assert_int_equal(vm.then, THEN_STOP);
}

static void a_deaf_guest_is_said_to_be_deaf(void **state)
{
    (void)state;
    listens = false;
    enter(RUNNING);
    assert_false(ask(VERB_STOP));
    assert_non_null(strstr(answer, "does not listen"));
    assert_false(ask(VERB_RESTART));
    assert_int_equal(vm.then, THEN_CONFIG);
    assert_string_equal(calls, "");
}

static void a_start_that_fails_is_said(void **state)
{
    (void)state;
    enter(DEFINED);
    start_fails = true;
    assert_false(ask(VERB_START));
    assert_non_null(strstr(answer, "not started"));
}

static void an_nmi_needs_a_vcpu(void **state)
{
    (void)state;
    enter(RUNNING);
    assert_false(vm_control(&vm, VERB_NMI, 1, sink, NULL));
    assert_non_null(strstr(answer, "no vCPU 1"));
    assert_false(vm_control(&vm, VERB_NMI, UINT32_MAX, sink, NULL));
    assert_string_equal(calls, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_verb_in_every_condition),
        cmocka_unit_test(what_comes_after_the_end_is_the_last_wish),
        cmocka_unit_test(a_deaf_guest_is_said_to_be_deaf),
        cmocka_unit_test(a_start_that_fails_is_said),
        cmocka_unit_test(an_nmi_needs_a_vcpu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
