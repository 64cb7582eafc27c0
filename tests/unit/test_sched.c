/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/sched.c on a desk. First one interleaving or one account at a time, with the other CPU's
 * part played by a hook in the middle of this one's; then threads as CPUs that wake, block, steal,
 * look at each other's vCPUs and end, while every vCPU must be held by one CPU at most and no
 * wake-up may get lost. Must not know about VMX: a vCPU's state is one word that says who has
 * loaded it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* There are fewer processors here than CPUs. */
#define __builtin_ia32_pause sched_yield
#define PLINTH_DEBUG 1
#include "core/lib/lock.c"

/* What "another CPU" does the moment that a lock is free again. */
static void (*on_release)(void);
static void lock_release_here(struct lock *l)
{
    void (*hook)(void) = on_release;
    lock_release(l);
    on_release = NULL;
    if (hook)
        hook();
}
#define lock_release lock_release_here
#include "core/sched.c"
#include "core/sched_boot.c"
#include "core/sched_control.c"
#include "core/sched_halt.c"
#include "core/sched_turn.c"
#include "core/sched_wake.c"
#undef lock_release

#define CPUS  4u
#define SLICE 10000
#define VMS   2u
#define EACH  3u /* vCPUs of a VM */

static __thread unsigned me;
static __thread struct vcpu *current[CPUS]; /* of this CPU; the tests on one thread play all */
static bool threads;                        /* time is real, and CPUs are threads */
static uint64_t now;
static struct vm vm[VMS];
static struct vcpu vcpu[VMS][EACH];
static uint32_t loaded[VMS][EACH]; /* by which CPU, + 1; atomic */
static uint32_t kicked[CPUS];
static unsigned stops;
static uint32_t domain; /* the CPU's, as it was told last */
static void (*in_device_time)(struct vm *vm), (*in_collect)(void);
struct space base_space;

/* --- the machine ------------------------------------------------------------------------------ */

unsigned host_cpu_index(void)
{
    return me;
}

unsigned host_cpu_count(void)
{
    return CPUS;
}

uint64_t host_now(void)
{
    struct timespec t;
    if (!threads)
        return now;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t host_ns_to_tsc(uint64_t ns)
{
    return ns;
}

void host_kick(unsigned cpu)
{
    __atomic_fetch_add(&kicked[cpu], 1, __ATOMIC_SEQ_CST);
}

/* A call is served where a CPU would have its interrupts open. */
struct asked {
    host_call_fn *fn;
    void *arg;
    uint32_t done;
};
static struct asked *called[CPUS];

void host_let_in(void)
{
}

void host_serve(void)
{
    struct asked *c = __atomic_exchange_n(&called[me], NULL, __ATOMIC_ACQUIRE);
    if (c) {
        c->fn(c->arg);
        __atomic_store_n(&c->done, 1, __ATOMIC_RELEASE);
    }
}

void host_relax(void)
{
    host_serve();
    sched_yield();
}

void host_call_on(unsigned cpu, host_call_fn *fn, void *arg)
{
    struct asked c = {fn, arg, 0}, *none = NULL;
    assert_int_equal(lock_count(), 0);
    if (cpu == me) {
        fn(arg);
        return;
    }
    while (!__atomic_compare_exchange_n(&called[cpu], &none, &c, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED)) {
        none = NULL;
        host_relax();
    }
    while (!__atomic_load_n(&c.done, __ATOMIC_ACQUIRE))
        host_relax();
}

void host_call_others(host_call_fn *fn, void *arg)
{
    for (unsigned i = 0; i < CPUS; i++)
        if (i != me)
            host_call_on(i, fn, arg);
}

static void (*while_it_idles)(void);

/* Until a kick, as HLT with a kick that stays pending while interrupts are off. */
void host_idle(uint64_t deadline)
{
    if (deadline <= host_now())
        return;
    if (!threads) {
        assert_true(sched_is_idle(me));
        now = min_u64(deadline, now + SLICE);
        if (while_it_idles)
            while_it_idles();
        host_serve();
        return;
    }
    while (host_now() < deadline && !__atomic_exchange_n(&kicked[me], 0, __ATOMIC_SEQ_CST) &&
           !__atomic_load_n(&called[me], __ATOMIC_ACQUIRE))
        sched_yield();
    host_relax();
}

static uint64_t interrupts; /* the boot CPU's */

uint64_t host_interrupts(void)
{
    return interrupts;
}

void *host_current_vcpu(void)
{
    return current[me];
}

void host_set_current_vcpu(void *v)
{
    current[me] = v;
}

void host_enter_domain(uint32_t d)
{
    if (!threads)
        domain = d;
}

uint64_t host_console_deadline(void)
{
    return UINT64_MAX;
}

hpa_t host_current_space(void)
{
    return HPA(0);
}

void host_load_space(hpa_t root)
{
    (void)root;
}

void host_fpu_save(void *area)
{
    (void)area;
}

void footprint_first_turn(struct vm *which)
{
    which->footprint.first = 1;
}

void host_fpu_load(const void *area, uint64_t xcr0)
{
    (void)area;
    (void)xcr0;
}

void panic(const char *format, ...)
{
    print_error("panic: %s\n", format);
    abort();
}

uint32_t trace_kinds; /* off */

void trace_record_now(enum trace_kind kind, const struct vcpu *v, uint32_t value)
{
    (void)kind;
    (void)v;
    (void)value;
}

/* --- the rest of core ------------------------------------------------------------------------- */

void console_poll(void)
{
}

bool vm_work(void)
{
    return false;
}

uint64_t console_deadline(void)
{
    return UINT64_MAX;
}

bool host_lines_late(void) { return false; }
bool gdb_has_session(void) { return false; }
bool control_has_session(void) { return true; }

void gdb_poll(void)
{
}

void stat_poll(void)
{
}

uint64_t stat_deadline(void)
{
    return UINT64_MAX;
}

bool debug_held(struct vcpu *v)
{
    (void)v;
    return false;
}

bool vm_any_alive(void)
{
    return true;
}

void power_off(void)
{
    abort();
}

void report_vcpu(struct vcpu *v)
{
    (void)v;
}

void guest_time_enter(struct vcpu *v, uint64_t at)
{
    (void)v;
    (void)at;
}

void guest_time_preempted(struct vcpu *v)
{
    (void)v;
}

static uint32_t off; /* vCPUs; atomic */

void vm_vcpu_off(struct vm *of)
{
    (void)of;
    __atomic_fetch_add(&off, 1, __ATOMIC_SEQ_CST);
}

enum outcome vm_stop(struct vm *of, enum stop_reason reason, const char *format, ...)
{
    (void)of;
    (void)format;
    assert_int_equal(reason, STOP_HALTED);
    stops++;
    return OUTCOME_STOP;
}

void interrupt_device_time(struct vm *of)
{
    if (in_device_time)
        in_device_time(of);
}

void interrupt_collect(struct vcpu *v, uint32_t requests)
{
    if (in_collect)
        in_collect();
    v->nmi_pending |= (requests & REQUEST_NMI) != 0;
}

void interrupt_time(struct vcpu *v, uint64_t at)
{
    (void)at;
    v->event_at = UINT64_MAX;
}

bool interrupt_wakes(const struct vcpu *v)
{
    return v->nmi_pending;
}

static uint32_t *loaded_by(const struct vcpu *v)
{
    return &loaded[v->vm->slot][v->index];
}

static void fake_load(struct vcpu *v)
{
    assert_int_equal(__atomic_exchange_n(loaded_by(v), me + 1, __ATOMIC_SEQ_CST), 0);
}

static void fake_save(struct vcpu *v)
{
    assert_int_equal(__atomic_exchange_n(loaded_by(v), 0, __ATOMIC_SEQ_CST), me + 1);
}

static enum outcome (*run)(struct vcpu *v);

static enum outcome fake_run(struct vcpu *v)
{
    assert_int_equal(lock_count(), 0);
    assert_ptr_equal(current[me], v);
    return run(v);
}

static const struct backend fake_backend = {
    .load = fake_load, .save = fake_save, .run = fake_run};
const struct backend *backend = &fake_backend;

static int setup(void **state)
{
    (void)state;
    memset(vm, 0, sizeof(vm));
    memset(vcpu, 0, sizeof(vcpu));
    memset(loaded, 0, sizeof(loaded));
    memset(kicked, 0, sizeof(kicked));
    memset(current, 0, sizeof(current));
    memset(sched_cpus, 0, sizeof(sched_cpus));
    memset(sched_idle, 0, sizeof(sched_idle));
    memset(sched_alone, 0, sizeof(sched_alone));
    memset(held_by, 0, sizeof(held_by));
    me = stops = off = domain = 0;
    now = 1000000;
    threads = false;
    on_release = in_collect = NULL;
    in_device_time = NULL;
    while_it_idles = NULL;
    sched_init(SLICE);
    for (unsigned i = 0; i < CPUS; i++)
        sched_cpus[i].paid_until = now;
    for (unsigned i = 0; i < VMS; i++) {
        vm[i].slot = i;
        vm[i].vcpu_count = EACH;
        cap_init(&vm[i].cap, CAP_NONE, 10 * SLICE, now);
        timerq_entry_init(&vm[i].timer.entry);
        vm[i].timer.vm = &vm[i];
        for (unsigned k = 0; k < EACH; k++) {
            struct vcpu *v = vm[i].vcpu[k] = &vcpu[i][k];
            v->vm = &vm[i];
            v->index = k;
            v->wake_at = v->event_at = UINT64_MAX;
            memset(v->cpus_allowed, 0xff, sizeof(v->cpus_allowed));
            runq_entity_init(&v->run, RUNQ_WEIGHT_DEFAULT);
            timerq_entry_init(&v->timer.entry);
            v->timer.vm = &vm[i];
            v->timer.v = v;
        }
    }
    return 0;
}

/* --- interleavings ---------------------------------------------------------------------------- */

static bool looked;

static void look_at(struct vcpu *v, void *arg)
{
    (void)arg;
    assert_ptr_equal(current[me], v);
    /* Or CPU 2 could pick it while it is here. */
    assert_true(lock_held(&sched_cpus[2].lock));
    looked = true;
}

static void inspect_from_boot_cpu(void)
{
    struct inspection i = {&vcpu[0][0], look_at, NULL, false};
    me = 0;
    inspect_parked(&i);
    me = 1;
}

static void test_a_vcpu_that_wakes_elsewhere_can_only_be_inspected_under_its_new_lock(void **state)
{
    (void)state;
    struct vcpu *v = &vcpu[0][0];
    sched_start(v, false);
    v->cpu = 1;
    sched_cpus[1].running = &vcpu[1][0]; /* its home is busy ... */
    sched_set_idle(2, true);             /* ... and another CPU is not */
    looked = false;
    me = 1;
    on_release = inspect_from_boot_cpu; /* when v is QUEUED on no list */
    wake(v);
    assert_true(looked);
    assert_int_equal(v->cpu, 2);
    assert_int_equal(sched_cpus[2].queue.count, 1);
    assert_int_equal(loaded[0][0], 0);
}

static void sibling_halts(void)
{
    in_collect = NULL;
    vcpu[0][1].wake_on_interrupt = false;
    assert_true(sched_may_halt(&vcpu[0][1]));
}

static void test_a_vm_is_not_over_while_an_nmi_is_on_its_way(void **state)
{
    (void)state;
    struct vcpu *v = &vcpu[0][0];
    vm[0].vcpu_count = 2;
    v->halted = true;
    assert_true(sched_may_halt(v));
    vcpu_request(v, REQUEST_NMI);
    in_collect = sibling_halts; /* the request has been taken, v does not know of it yet */
    assert_false(sched_still_halted(v, now));
    assert_int_equal(stops, 0);
    assert_int_equal(vm[0].hopeless, 1);
    /* And it is over when v halts again. */
    v->halted = true;
    v->nmi_pending = false;
    v->requests = 0;
    assert_false(sched_may_halt(v));
    assert_int_equal(stops, 1);
}

static void test_one_idle_cpu_is_kicked_for_each_that_waits(void **state)
{
    (void)state;
    for (unsigned i = 1; i < CPUS; i++)
        sched_set_idle(i, true);
    sched_note_wanted(&sched_cpus[0], &vcpu[0][0]);
    sched_cpus[0].queue.count = 2;
    share(&sched_cpus[0]);
    assert_int_equal(kicked[1] + kicked[2] + kicked[3], 2);
    sched_cpus[0].queue.count = 5;
    share(&sched_cpus[0]);
    assert_int_equal(kicked[1] + kicked[2] + kicked[3], 5);
}

/* v waits on CPU 0's queue, where there is enough to do. */
static void queue_on_0(struct vcpu *v, uint64_t allowed)
{
    v->cpus_allowed[0] = allowed;
    v->state = VCPU_QUEUED;
    lock_take(&sched_cpus[0].lock);
    sched_join(&sched_cpus[0], 0, v);
    lock_release(&sched_cpus[0].lock);
}

static unsigned kicks_by_share(void)
{
    memset(kicked, 0, sizeof(kicked));
    share(&sched_cpus[0]);
    return kicked[1] + kicked[2] + kicked[3];
}

/* What it costs to ask for help must not depend on how many wait who may not move. */
static void test_an_idle_cpu_that_may_run_nobody_is_left_alone(void **state)
{
    bool later = false;
    (void)state;
    queue_on_0(&vcpu[0][0], BIT(0));
    sched_set_idle(1, true);
    assert_int_equal(kicks_by_share(), 0);
    /* One that may run there; it finds it, but its state is still in CPU 0's registers. */
    struct vcpu *v = &vcpu[0][1];
    queue_on_0(v, BIT(0) | BIT(1));
    assert_int_equal(kicks_by_share(), 1);
    v->held_by = 1;
    assert_null(steal_from(&sched_cpus[0], &sched_cpus[1], 1, &later));
    assert_true(later);
    assert_int_equal(kicks_by_share(), 1);
    v->held_by = 0;
    later = false;
    assert_ptr_equal(steal_from(&sched_cpus[0], &sched_cpus[1], 1, &later), v);
    assert_int_equal(v->cpu, 1);
    /* Nobody else may go there: that is found out once. */
    runq_remove(&sched_cpus[1].queue, &v->run);
    assert_int_equal(kicks_by_share(), 1);
    assert_null(steal_from(&sched_cpus[0], &sched_cpus[1], 1, &later));
    assert_false(later);
    assert_int_equal(kicks_by_share(), 0);
    /* Until one may: by its pin, or one that has just been queued. */
    sched_set_pin(&vcpu[0][0], (const uint64_t[CPU_WORDS]){BIT(1)});
    assert_int_equal(kicks_by_share(), 1);
    sched_note_unwanted(&sched_cpus[0], 1);
    queue_on_0(&vcpu[0][2], BIT(1));
    assert_int_equal(kicks_by_share(), 1);
}

static void test_one_that_was_told_to_stop_before_it_started_does_not_sleep(void **state)
{
    (void)state;
    struct vcpu *v = &vcpu[0][1];
    v->halted = v->waits_for_startup = true;
    sched_notify(v, REQUEST_STOP);
    sched_start(v, false);
    for (me = 0; me < CPUS && !off; me++)
        (void)pass(here(), me);
    assert_int_equal(off, 1);
    assert_int_equal(v->state, VCPU_OFF);
}

static void answer(void *arg)
{
    *(bool *)arg = true;
}

/* Whether CPU 2 answers a call within a few rounds of its life. */
static bool cpu_2_answers(void)
{
    bool answered = false;
    struct asked c = {answer, &answered, 0};
    called[2] = &c;
    me = 2;
    for (unsigned i = 0; i < 5 && !answered; i++) {
        now += 10;
        if (!pass(here(), me))
            rest(here(), me, UINT64_MAX);
    }
    called[2] = NULL;
    return answered;
}

static void test_a_cpu_that_cannot_have_what_it_wants_to_steal_answers_calls(void **state)
{
    (void)state;
    vcpu[0][0].cpus_allowed[0] = BIT(1);
    sched_start(&vcpu[0][0], true);
    vcpu[0][0].held_by = 2; /* CPU 1, which waits for the answer before it goes on */
    vcpu[0][0].cpus_allowed[0] |= BIT(2);
    assert_false(steal(&sched_cpus[2], 2)); /* but in a moment */
    assert_true(cpu_2_answers());
}

static void due_again(struct vm *of)
{
    now += 1000;
    sched_set_timer(&of->timer, now - 10);
}

static void test_a_cpu_whose_timers_are_always_due_answers_calls(void **state)
{
    (void)state;
    me = 2;
    in_device_time = due_again;
    sched_set_timer(&vm[0].timer, now);
    assert_true(cpu_2_answers());
}

/* --- accounts --------------------------------------------------------------------------------- */

static enum outcome run_100(struct vcpu *v)
{
    (void)v;
    now += 100;
    return OUTCOME_RETRY;
}

static uint64_t room; /* that the one which runs was given */

static enum outcome run_all(struct vcpu *v)
{
    room = v->slice_end - v->slice_begin;
    now = v->slice_end;
    return OUTCOME_RETRY;
}

/* Of two that have woken the second waits for no more than if it had come a moment later. */
static void test_who_wakes_with_others_lets_them_run_soon(void **state)
{
    (void)state;
    run = run_all;
    vcpu[0][0].cpus_allowed[0] = vcpu[1][0].cpus_allowed[0] = BIT(0);
    sched_start(&vcpu[0][0], true);
    sched_start(&vcpu[1][0], true);
    assert_true(pass(&sched_cpus[0], 0));
    assert_int_equal(room, SLICE / 10);
    assert_int_equal(vcpu[0][0].switches, 1);
    assert_true(pass(&sched_cpus[0], 0)); /* nobody else has woken */
    assert_int_equal(room, SLICE);
    assert_int_equal(vcpu[1][0].switches, 1);
    assert_true(pass(&sched_cpus[0], 0)); /* what was left of its turn */
    assert_int_equal(room, SLICE - SLICE / 10);
    assert_int_equal(vcpu[0][0].switches, 2);
}

static enum outcome run_cleaned(struct vcpu *v)
{
    assert_int_equal(domain, v->vm->slot + 1);
    return run_100(v);
}

static void test_what_a_vm_leaves_in_the_cpu_is_cleaned_before_another_runs(void **state)
{
    (void)state;
    run = run_cleaned;
    vcpu[0][0].cpus_allowed[0] = vcpu[1][0].cpus_allowed[0] = BIT(0);
    sched_start(&vcpu[0][0], true);
    sched_start(&vcpu[1][0], true);
    for (unsigned i = 0; i < 2 * SLICE / 100; i++)
        (void)pass(&sched_cpus[0], 0);
    assert_true(vcpu[0][0].ran > 0 && vcpu[1][0].ran > 0);
}

static void device_time_500(struct vm *of)
{
    (void)of;
    now += 500;
}

static void test_a_vm_pays_for_the_time_of_its_devices(void **state)
{
    (void)state;
    struct vcpu *v = &vcpu[0][0];
    run = run_100;
    v->cpus_allowed[0] = BIT(0);
    cap_set(&vm[0].cap, 50);
    now += 2 * SLICE; /* the bucket fills, not to its brim */
    sched_cpus[0].paid_until = now;
    sched_start(v, true);
    (void)pass(&sched_cpus[0], 0);
    int64_t credit = v->run.credit;
    uint64_t tokens = cap_left(&vm[0].cap, now), begin = now;
    sched_set_timer(&vm[0].timer, now);
    in_device_time = device_time_500;
    (void)pass(&sched_cpus[0], 0);
    assert_int_equal(now - begin, 600);
    assert_int_equal(credit - v->run.credit, 600);
    assert_int_equal(tokens + 600 / 2 - cap_left(&vm[0].cap, now), 600);
    (void)pass(&sched_cpus[0], 0);
    assert_int_equal(credit - v->run.credit, 700); /* once */
}

static void take_40(void)
{
    now += 40;
}

static void test_a_vcpu_that_is_woken_in_vain_pays_for_it(void **state)
{
    (void)state;
    struct vcpu *v = &vcpu[0][0];
    v->cpus_allowed[0] = BIT(0);
    v->halted = true;
    sched_start(v, true);
    in_collect = take_40;
    (void)pass(&sched_cpus[0], 0);
    assert_int_equal(v->state, VCPU_BLOCKED);
    int64_t credit = v->run.credit;
    sched_notify(v, REQUEST_EVENT);
    (void)pass(&sched_cpus[0], 0);
    assert_int_equal(v->state, VCPU_BLOCKED);
    assert_int_equal(credit - v->run.credit, 40);
}

/* --- waiting for the console ------------------------------------------------------------------ */

static unsigned tries, room_after;

/* The backend leaves the guest with the request that asks for it. */
static enum outcome print(struct vcpu *v)
{
    now += 10;
    if (++tries > room_after)
        return OUTCOME_BLOCK;
    sched_stall(v);
    __atomic_fetch_and(&v->requests, ~(uint32_t)REQUEST_RESCHEDULE, __ATOMIC_SEQ_CST);
    return OUTCOME_RETRY;
}

static struct vcpu *start_one_that_prints(unsigned in_vain)
{
    struct vcpu *v = &vcpu[0][0];
    run = print;
    tries = 0;
    room_after = in_vain;
    sched_start(v, true);
    (void)pass(&sched_cpus[0], 0);
    return v;
}

static void test_who_waits_for_the_console_sleeps_between_two_tries(void **state)
{
    (void)state;
    struct vcpu *v = start_one_that_prints(2);
    for (unsigned i = 1; i <= 2; i++) {
        assert_int_equal(v->state, VCPU_BLOCKED);
        assert_true(v->stalled);
        assert_int_equal(timerq_next(&sched_cpus[0].timers), now + SLICE / 10);
        assert_false(pass(&sched_cpus[0], 0));
        assert_int_equal(tries, i);
        now += SLICE / 10;
        assert_true(pass(&sched_cpus[0], 0));
    }
    assert_int_equal(tries, 3);
    assert_int_equal(v->state, VCPU_BLOCKED);
    assert_false(v->stalled); /* it halts */
    assert_int_equal(timerq_next(&sched_cpus[0].timers), TIMERQ_NEVER);
}

static void test_who_waits_for_the_console_takes_interrupts(void **state)
{
    (void)state;
    struct vcpu *v = start_one_that_prints(1);
    sched_notify(v, REQUEST_EVENT);
    assert_int_equal(v->state, VCPU_QUEUED);
    assert_true(pass(&sched_cpus[0], 0));
    assert_int_equal(tries, 2);
}

static void test_who_waits_for_the_console_keeps_its_own_timer(void **state)
{
    (void)state;
    vcpu[0][0].event_at = now + SLICE / 20;
    (void)start_one_that_prints(1);
    assert_int_equal(timerq_next(&sched_cpus[0].timers), vcpu[0][0].event_at);
}

/* --- waiting in place ------------------------------------------------------------------------- */

static bool waited, woken;
static void (*before_wait)(void);

/* Runs for 100, halts, is away for a slice if it may wait here, and runs for another 100. */
static enum outcome run_and_wait(struct vcpu *v)
{
    now += 100;
    v->wake_on_interrupt = true;
    if (before_wait)
        before_wait();
    waited = sched_wait_here(v);
    if (!waited)
        return OUTCOME_BLOCK;
    assert_false(sched_is_idle(me));
    woken = !sched_still_waits(v);
    if (!woken)
        return OUTCOME_BLOCK;
    now += 100;
    return OUTCOME_RETRY;
}

static struct vcpu *start_one_that_waits(void)
{
    struct vcpu *v = &vcpu[0][0];
    run = run_and_wait;
    before_wait = NULL;
    while_it_idles = NULL;
    waited = woken = false;
    me = 1;
    v->cpus_allowed[0] = BIT(1);
    sched_start(v, true);
    return v;
}

static void wake_it(void)
{
    me = 0;
    sched_notify(&vcpu[0][0], REQUEST_NMI);
    me = 1;
}

static void test_who_waits_in_place_pays_for_what_it_runs(void **state)
{
    (void)state;
    struct vcpu *v = start_one_that_waits();
    while_it_idles = wake_it;
    sched_cpus[1].paid_until = now;
    (void)pass(&sched_cpus[1], 1);
    assert_true(waited && woken);
    assert_int_equal(v->ran, 200);
    assert_int_equal(v->run.credit, SLICE - 200);
    assert_int_equal(kicked[1], 1);
}

static void nothing_of_interest(void)
{
    me = 0;
    sched_notify(&vcpu[0][0], REQUEST_EVENT);
    me = 1;
}

static void test_who_waits_in_place_is_woken_by_what_it_waits_for(void **state)
{
    (void)state;
    struct vcpu *v = start_one_that_waits();
    while_it_idles = nothing_of_interest;
    (void)pass(&sched_cpus[1], 1);
    assert_true(waited && !woken);
    assert_int_equal(v->state, VCPU_BLOCKED);
    sched_notify(v, REQUEST_NMI);
    assert_int_equal(v->state, VCPU_QUEUED);
}

/* Both at once: what it waits for, and that the boot CPU wants it away. */
static void wake_it_to_leave(void)
{
    wake_it();
    vcpu_request(&vcpu[0][0], REQUEST_PAUSE | REQUEST_RESCHEDULE);
}

static void test_who_is_woken_in_place_still_knows_that_it_has_to_leave(void **state)
{
    (void)state;
    struct vcpu *v = start_one_that_waits();
    while_it_idles = wake_it_to_leave;
    (void)pass(&sched_cpus[1], 1);
    assert_true(waited && woken);
    assert_int_equal(v->requests & (REQUEST_PAUSE | REQUEST_RESCHEDULE),
                     REQUEST_PAUSE | REQUEST_RESCHEDULE); /* the backend looks at them */
}

/* To its other wakers its CPU was idle, and its turn was not shortened. */
static void wake_both(void)
{
    struct cpu_sched *c = &sched_cpus[1];
    wake_it();
    vcpu[1][0].state = VCPU_QUEUED;
    lock_take(&c->lock);
    sched_join(c, 1, &vcpu[1][0]);
    lock_release(&c->lock);
}

static void test_who_waits_in_place_makes_room_for_who_comes_meanwhile(void **state)
{
    (void)state;
    struct vcpu *v = start_one_that_waits();
    while_it_idles = wake_both;
    (void)pass(&sched_cpus[1], 1);
    assert_false(waited);
    assert_int_equal(v->state, VCPU_QUEUED); /* it is awake */
    assert_ptr_equal(pick(&sched_cpus[1], 1), &vcpu[1][0]);
}

/* --- going on alone --------------------------------------------------------------------------- */

static bool goes_on;

/* Runs for a slice, and for another if it may. */
static enum outcome run_for_two_slices(struct vcpu *v)
{
    now += SLICE;
    if (before_wait)
        before_wait();
    uint64_t epoch = sched_cpus[1].queue.epoch;
    goes_on = sched_goes_on(v);
    if (goes_on) {
        assert_int_equal(sched_cpus[1].queue.epoch, epoch + 1); /* as if it had ended its turn */
        assert_int_equal(v->ran, SLICE);
        assert_int_equal(v->slice_begin, now);
        assert_int_equal(v->slice_end, now + SLICES_ALONE * SLICE);
        now += SLICE;
    }
    return OUTCOME_RETRY;
}

static struct vcpu *start_one_that_goes_on(void)
{
    struct vcpu *v = start_one_that_waits();
    run = run_for_two_slices;
    goes_on = false;
    sched_cpus[1].paid_until = now;
    return v;
}

static void test_who_is_alone_goes_on_and_pays_for_its_last_slice(void **state)
{
    (void)state;
    struct vcpu *v = start_one_that_goes_on();
    (void)pass(&sched_cpus[1], 1);
    assert_true(goes_on);
    assert_int_equal(v->ran, 2 * SLICE);
    assert_int_equal(v->run.credit, 0);
}

static void somebody_is_queued(void)
{
    sched_cpus[2].queue.count = 1;
}

static void something_is_due(void)
{
    sched_set_timer(&vm[1].timer, now - 1);
}

static void an_interrupt_has_come(void)
{
    interrupts++;
}

static void an_nmi_has_come(void)
{
    vcpu_request(&vcpu[0][0], REQUEST_NMI);
}

static void it_has_to_leave(void)
{
    vcpu_request(&vcpu[0][0], REQUEST_PAUSE | REQUEST_RESCHEDULE);
}

static void test_nobody_waits_in_place_on_a_cpu_with_other_duties(void **state)
{
    (void)state;
    void (*const duties[])(void) = {somebody_is_queued, something_is_due, an_nmi_has_come,
                                    it_has_to_leave};
    for (size_t i = 0; i < ARRAY_LEN(duties); i++) {
        setup(NULL);
        (void)start_one_that_waits();
        before_wait = duties[i];
        (void)pass(&sched_cpus[1], 1);
        assert_false(waited || sched_is_idle(1));
    }
    setup(NULL);
    struct vcpu *v = &vcpu[0][0];
    (void)start_one_that_waits();
    before_wait = an_interrupt_has_come;
    me = 0; /* whose console it may be for */
    v->cpus_allowed[0] = BIT(0);
    sched_cpus[0].heard = interrupts;
    (void)pass(&sched_cpus[1], 1); /* sends it there */
    (void)pass(&sched_cpus[0], 0);
    assert_int_equal(v->state, VCPU_BLOCKED);
    assert_false(waited);
}

/* Or who waits for a CPU with two others would see one go on past it. */
static void test_who_goes_on_makes_room_for_who_waits_elsewhere(void **state)
{
    (void)state;
    struct cpu_sched *c = &sched_cpus[2];
    queue_on_0(&vcpu[0][0], BIT(0) | BIT(2));
    assert_int_equal(kicks_by_share(), 0);
    c->running = &vcpu[1][0];
    set_goes_on(c, 2, true);
    assert_int_equal(kicks_by_share(), 1);
    assert_int_equal(kicked[2], 1);
    me = 2;
    sched_interrupted();
    assert_true(vcpu[1][0].requests & REQUEST_RESCHEDULE);
    set_goes_on(c, 2, false);
    assert_int_equal(kicks_by_share(), 0);
}

/* Runs for a slice and goes on, until a key is pressed and somebody comes three slices later. */
static enum outcome run_until_a_key(struct vcpu *v)
{
    now += SLICE;
    goes_on = sched_goes_on(v);
    now += 3 * SLICE;
    sched_interrupted();
    assert_true(v->requests & REQUEST_RESCHEDULE);
    queue_on_0(&vcpu[1][0], BIT(0));
    return OUTCOME_RETRY;
}

static void test_who_went_on_owes_nothing_after_an_interrupt(void **state)
{
    (void)state;
    struct vcpu *v = &vcpu[0][0];
    run = run_until_a_key;
    sched_cpus[0].heard = interrupts;
    v->cpus_allowed[0] = BIT(0);
    sched_start(v, true);
    (void)pass(&sched_cpus[0], 0);
    assert_true(goes_on);
    assert_int_equal(v->ran, 4 * SLICE);
    assert_int_equal(v->run.credit, 0);
    assert_false(sched_cpus[0].goes_on);
}

static void it_has_a_cap(void)
{
    cap_set(&vm[0].cap, 50);
}

static void test_nobody_goes_on_where_somebody_else_wants_the_cpu(void **state)
{
    (void)state;
    void (*const reasons[])(void) = {somebody_is_queued, something_is_due, it_has_a_cap};
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        setup(NULL);
        struct vcpu *v = start_one_that_goes_on();
        before_wait = reasons[i];
        (void)pass(&sched_cpus[1], 1);
        assert_false(goes_on);
        assert_int_equal(v->ran, SLICE);
    }
}

/* --- threads as CPUs -------------------------------------------------------------------------- */

#define HOPS 20000u

static uint32_t hops;
static unsigned vcpus; /* that take part */

/* Every vCPU sleeps until its neighbour hands it a token, and hands it on: a wake-up that is lost
 * is a token that is lost. */
static enum outcome pass_token(struct vcpu *v)
{
    uint32_t r = __atomic_exchange_n(&v->requests, 0, __ATOMIC_ACQUIRE);
    host_relax();
    if (r & REQUEST_STOP) {
        vcpu_request(v, REQUEST_STOP);
        return OUTCOME_STOP;
    }
    assert_int_equal(*loaded_by(v), me + 1);
    if ((r & REQUEST_NMI) || v->nmi_pending) {
        v->nmi_pending = false;
        __atomic_fetch_add(&hops, 1, __ATOMIC_RELAXED);
        sched_notify(v->vm->vcpu[(v->index + 1) % EACH], REQUEST_NMI | REQUEST_EVENT);
    }
    if (r & REQUEST_RESCHEDULE)
        return OUTCOME_RETRY;
    v->wake_on_interrupt = true;
    v->wake_at = v->index == 0 ? host_now() + 50000 : UINT64_MAX; /* one sleeps with a timer */
    return OUTCOME_BLOCK;
}

static uint32_t waits; /* in place; atomic */

/* The same, waiting in place where that can be had. */
static enum outcome pass_token_in_place(struct vcpu *v)
{
    for (;;) {
        enum outcome outcome = pass_token(v);
        if (outcome != OUTCOME_BLOCK || !sched_wait_here(v))
            return outcome;
        host_serve();
        __atomic_fetch_add(&waits, 1, __ATOMIC_RELAXED);
        if (sched_still_waits(v))
            return OUTCOME_BLOCK;
    }
}

static void *other_cpu(void *arg)
{
    me = (unsigned)(uintptr_t)arg;
    while (__atomic_load_n(&off, __ATOMIC_ACQUIRE) < vcpus)
        if (!pass(here(), me))
            rest(here(), me, host_now() + 1000000);
    while (__atomic_load_n(&closed, __ATOMIC_ACQUIRE) < CPUS - 1) {
        static __thread bool said;
        if (!said)
            __atomic_fetch_add(&closed, 1, __ATOMIC_ACQ_REL);
        said = true;
        host_relax();
    }
    return NULL;
}

static void see(struct vcpu *v, void *arg)
{
    assert_ptr_equal(current[me], v);
    assert_int_equal(__atomic_load_n(loaded_by(v), __ATOMIC_SEQ_CST), me + 1);
    ++*(unsigned *)arg;
}

static void pass_tokens(unsigned vms)
{
    pthread_t thread[CPUS];
    unsigned seen = 0, asked = 0;
    threads = true;
    vcpus = vms * EACH;
    hops = closing = closed = 0;
    alarm(120); /* a lost token would be waited for for ever */
    for (unsigned i = 0; i < vcpus; i++)
        sched_start(&vcpu[i / EACH][i % EACH], true);
    for (unsigned i = 1; i < CPUS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, other_cpu, (void *)(uintptr_t)i), 0);
    for (unsigned i = 0; i < vms; i++)
        sched_notify(&vcpu[i][0], REQUEST_NMI);
    while (__atomic_load_n(&hops, __ATOMIC_RELAXED) < HOPS) {
        if (!pass(here(), me))
            rest(here(), me, host_now() + 1000000);
        sched_inspect(&vcpu[asked % vms][asked / vms % EACH], see, &seen);
        asked++;
    }
    for (unsigned i = 0; i < vcpus; i++)
        sched_notify(&vcpu[i / EACH][i % EACH], REQUEST_STOP);
    while (__atomic_load_n(&off, __ATOMIC_ACQUIRE) < vcpus)
        if (!pass(here(), me))
            rest(here(), me, host_now() + 1000000);
    while (__atomic_load_n(&closed, __ATOMIC_ACQUIRE) < CPUS - 1)
        host_relax();
    for (unsigned i = 1; i < CPUS; i++)
        pthread_join(thread[i], NULL);
    alarm(0);
    assert_int_equal(seen, asked);
    assert_int_equal(stops, 0);
}

static void test_no_wakeup_is_lost_and_no_vcpu_is_on_two_cpus(void **state)
{
    (void)state;
    run = pass_token;
    pass_tokens(VMS);
}

static void test_no_wakeup_is_lost_by_one_that_waits_in_place(void **state)
{
    (void)state;
    run = pass_token_in_place;
    sched_init(1000 * SLICE); /* in which these threads come to something */
    waits = 0;
    pass_tokens(1); /* fewer than CPUs: who sees somebody wait does not wait here */
    assert_true(waits > 100); /* or this has shown nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(
            test_a_vcpu_that_wakes_elsewhere_can_only_be_inspected_under_its_new_lock, setup),
        cmocka_unit_test_setup(test_a_vm_is_not_over_while_an_nmi_is_on_its_way, setup),
        cmocka_unit_test_setup(test_one_idle_cpu_is_kicked_for_each_that_waits, setup),
        cmocka_unit_test_setup(test_an_idle_cpu_that_may_run_nobody_is_left_alone, setup),
        cmocka_unit_test_setup(test_one_that_was_told_to_stop_before_it_started_does_not_sleep,
                               setup),
        cmocka_unit_test_setup(test_a_cpu_that_cannot_have_what_it_wants_to_steal_answers_calls,
                               setup),
        cmocka_unit_test_setup(test_a_cpu_whose_timers_are_always_due_answers_calls, setup),
        cmocka_unit_test_setup(test_who_wakes_with_others_lets_them_run_soon, setup),
        cmocka_unit_test_setup(test_what_a_vm_leaves_in_the_cpu_is_cleaned_before_another_runs,
                               setup),
        cmocka_unit_test_setup(test_a_vm_pays_for_the_time_of_its_devices, setup),
        cmocka_unit_test_setup(test_a_vcpu_that_is_woken_in_vain_pays_for_it, setup),
        cmocka_unit_test_setup(test_who_waits_for_the_console_sleeps_between_two_tries, setup),
        cmocka_unit_test_setup(test_who_waits_for_the_console_takes_interrupts, setup),
        cmocka_unit_test_setup(test_who_waits_for_the_console_keeps_its_own_timer, setup),
        cmocka_unit_test_setup(test_who_waits_in_place_pays_for_what_it_runs, setup),
        cmocka_unit_test_setup(test_who_waits_in_place_is_woken_by_what_it_waits_for, setup),
        cmocka_unit_test_setup(test_who_is_woken_in_place_still_knows_that_it_has_to_leave, setup),
        cmocka_unit_test_setup(test_who_waits_in_place_makes_room_for_who_comes_meanwhile, setup),
        cmocka_unit_test_setup(test_nobody_waits_in_place_on_a_cpu_with_other_duties, setup),
        cmocka_unit_test_setup(test_who_is_alone_goes_on_and_pays_for_its_last_slice, setup),
        cmocka_unit_test_setup(test_who_went_on_owes_nothing_after_an_interrupt, setup),
        cmocka_unit_test_setup(test_who_goes_on_makes_room_for_who_waits_elsewhere, setup),
        cmocka_unit_test_setup(test_nobody_goes_on_where_somebody_else_wants_the_cpu, setup),
        cmocka_unit_test_setup(test_no_wakeup_is_lost_and_no_vcpu_is_on_two_cpus, setup),
        cmocka_unit_test_setup(test_no_wakeup_is_lost_by_one_that_waits_in_place, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
