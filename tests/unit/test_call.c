/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch/x86/call.c with threads as CPUs, under the thread sanitizer (see the Makefile). A thread
 * "takes interrupts" where it looks; an interrupt is a flag. What is shown: every call runs once on
 * every target, is over when the caller goes on, and CPUs that all call each other do not deadlock.
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

/* GS is the C library's here: a CPU is a thread's variable. */
#define this_cpu       gs_this_cpu
#define this_cpu_index gs_this_cpu_index
#include "arch/x86/percpu.h"
#undef this_cpu
#undef this_cpu_index

static __thread struct cpu *me;
#define this_cpu() me
/* There are fewer processors here than CPUs. */
#include "arch/x86/insn.h"
#define pause() sched_yield()

#include "arch/x86/call.c"

#define CPUS  4u
#define TURNS 2000u

static struct cpu cpus[CPUS];
struct cpu *cpu_table[CPU_MAX];
static uint32_t interrupts[CPUS], nmis[CPUS];
static bool deaf;   /* interrupts don't get through, NMIs do */
static unsigned locks;

unsigned host_cpu_count(void)
{
    return CPUS;
}

bool lapic_present(void)
{
    return true;
}

void lapic_send(uint32_t apic_id, uint8_t vector)
{
    assert_int_equal(vector, LAPIC_VECTOR_KICK);
    if (!__atomic_load_n(&deaf, __ATOMIC_RELAXED))
        __atomic_store_n(&interrupts[apic_id - 100], 1, __ATOMIC_RELEASE);
}

void lapic_send_nmi(uint32_t apic_id)
{
    __atomic_store_n(&nmis[apic_id - 100], 1, __ATOMIC_RELEASE);
}

uint64_t tsc_from_ns(uint64_t ns)
{
    return ns * 2;
}

unsigned lock_count(void)
{
    return locks;
}

static jmp_buf panicked;

void panic(const char *format, ...)
{
    (void)format;
    longjmp(panicked, 1);
}

static void look(void)
{
    unsigned i = me->index;
    if (__atomic_exchange_n(&interrupts[i], 0, __ATOMIC_ACQUIRE) |
        __atomic_exchange_n(&nmis[i], 0, __ATOMIC_ACQUIRE))
        cpu_serve_calls();
    else
        sched_yield();
}

static int setup(void **state)
{
    (void)state;
    memset(cpus, 0, sizeof(cpus));
    memset(interrupts, 0, sizeof(interrupts));
    memset(nmis, 0, sizeof(nmis));
    deaf = false;
    locks = 0;
    for (unsigned i = 0; i < CPUS; i++) {
        cpus[i].index = i;
        cpus[i].apic_id = 100 + i;
        cpu_table[i] = &cpus[i];
    }
    me = &cpus[0];
    return 0;
}

/* One counter a caller, plain: the call's end must order it. */
struct tally {
    uint64_t on[CPUS]; /* each target writes its own */
};
static struct tally tallies[CPUS];

static void note(void *arg)
{
    struct tally *t = arg;
    t->on[me->index]++;
}

static uint32_t finished;

static void *call_everybody(void *arg)
{
    unsigned self = (unsigned)(uintptr_t)arg;
    struct tally *t = &tallies[self];
    me = &cpus[self];
    for (uint64_t turn = 1; turn <= TURNS; turn++) {
        if (turn % 3 == 0) {
            for (unsigned i = 0; i < CPUS; i++)
                if (i != self)
                    host_call_on(i, note, t);
        } else {
            host_call_others(note, t);
        }
        for (unsigned i = 0; i < CPUS; i++)
            if (t->on[i] != (i == self ? 0 : turn))
                abort(); /* not run once on each, or not over yet */
    }
    __atomic_fetch_add(&finished, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&finished, __ATOMIC_ACQUIRE) < CPUS)
        look();
    return NULL;
}

static void test_all_call_all(void **state)
{
    (void)state;
    pthread_t t[CPUS];
    memset(tallies, 0, sizeof(tallies));
    finished = 0;
    for (unsigned i = 0; i < CPUS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, call_everybody, (void *)(uintptr_t)i), 0);
    for (unsigned i = 0; i < CPUS; i++)
        pthread_join(t[i], NULL);
    for (unsigned i = 0; i < CPUS; i++)
        for (unsigned j = 0; j < CPUS; j++)
            assert_int_equal(tallies[i].on[j], i == j ? 0 : TURNS);
}

static void *listen(void *arg)
{
    me = &cpus[(unsigned)(uintptr_t)arg];
    while (!__atomic_load_n(&finished, __ATOMIC_ACQUIRE))
        look();
    return NULL;
}

/* A guest that does not exit for interrupts (Bochs, IF clear) exits for the NMI that comes then. */
static void test_nmi_where_no_interrupt_gets_through(void **state)
{
    (void)state;
    pthread_t t[CPUS];
    memset(tallies, 0, sizeof(tallies));
    finished = 0;
    deaf = true;
    for (unsigned i = 1; i < CPUS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, listen, (void *)(uintptr_t)i), 0);
    host_call_others(note, &tallies[0]);
    __atomic_store_n(&finished, 1, __ATOMIC_RELEASE);
    for (unsigned i = 1; i < CPUS; i++)
        pthread_join(t[i], NULL);
    for (unsigned i = 1; i < CPUS; i++)
        assert_int_equal(tallies[0].on[i], 1);
}

static void test_a_cpu_calls_itself(void **state)
{
    (void)state;
    struct tally t = {{0}};
    host_call_on(0, note, &t);
    assert_int_equal(t.on[0], 1);
    assert_int_equal(interrupts[0], 0);
    host_kick(2);
    assert_int_equal(interrupts[2], 1);
}

static void call_again(void *arg)
{
    host_call_on(1, note, arg);
}

static void test_what_a_caller_may_not(void **state)
{
    (void)state;
    struct tally t = {{0}};
    locks = 1;
    if (setjmp(panicked) == 0) {
        host_call_others(note, &t);
        fail_msg("a caller that holds a lock was not caught");
    }
    locks = 0;
    if (setjmp(panicked) == 0) {
        host_call_on(0, call_again, &t);
        fail_msg("a call within a call was not caught");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_all_call_all, setup),
        cmocka_unit_test_setup(test_nmi_where_no_interrupt_gets_through, setup),
        cmocka_unit_test_setup(test_a_cpu_calls_itself, setup),
        cmocka_unit_test_setup(test_what_a_caller_may_not, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
