/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/lib/lock.c with threads as CPUs, under the thread sanitizer (see the Makefile): exclusion,
 * order of service, tickets that wrap, and what debug builds assert.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#define PLINTH_DEBUG 1
#include "core/lib/lock.c"

#define THREADS 4u
#define TURNS   2000u

static __thread unsigned me;
static jmp_buf panicked;
static char panic_text[200];

unsigned host_cpu_index(void)
{
    return me;
}

void panic(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(panic_text, sizeof(panic_text), format, args);
    va_end(args);
    longjmp(panicked, 1);
}

#define ASSERT_PANICS(what, text)                       \
    do {                                                \
        panic_text[0] = '\0';                           \
        if (setjmp(panicked) == 0) {                    \
            what;                                       \
            fail_msg("no panic: " #what);               \
        }                                               \
        assert_non_null(strstr(panic_text, text));      \
    } while (0)

/* The locks of one CPU are forgotten by letting go of them. */
static int teardown(void **state)
{
    (void)state;
    memset(held_by, 0, sizeof(held_by));
    me = 0;
    return 0;
}

static struct lock shared = LOCK_INIT(LOCK_ORDER_POOL, "shared");
static uint64_t counter, inside; /* shared's: not atomic on purpose */

static void *count(void *arg)
{
    me = (unsigned)(uintptr_t)arg;
    for (unsigned i = 0; i < TURNS; i++) {
        lock_take(&shared);
        if (++inside != 1)
            counter += 1000000; /* somebody else was in, too: the sum tells */
        counter++;
        inside--;
        lock_release(&shared);
        if (i % 64 == 0)
            sched_yield();
    }
    return NULL;
}

static void test_one_at_a_time(void **state)
{
    (void)state;
    pthread_t t[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, count, (void *)(uintptr_t)(i + 1)), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    assert_int_equal(counter, THREADS * TURNS);
    assert_int_equal(shared.next, shared.owner);
}

static struct lock queue = LOCK_INIT(LOCK_ORDER_POOL, "queue");
static unsigned order_of_service[THREADS], served;

static void *stand_in_line(void *arg)
{
    me = (unsigned)(uintptr_t)arg;
    lock_take(&queue);
    order_of_service[served++] = me;
    lock_release(&queue);
    return NULL;
}

/* Each comes when the one before has drawn its ticket: they are served in that order. */
static void test_first_come_first_served(void **state)
{
    (void)state;
    pthread_t t[THREADS];
    lock_take(&queue);
    for (unsigned i = 0; i < THREADS; i++) {
        uint16_t before = __atomic_load_n(&queue.next, __ATOMIC_RELAXED);
        assert_int_equal(pthread_create(&t[i], NULL, stand_in_line, (void *)(uintptr_t)(i + 1)), 0);
        while (__atomic_load_n(&queue.next, __ATOMIC_RELAXED) == before)
            sched_yield();
    }
    lock_release(&queue);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(order_of_service[i], i + 1);
}

static void test_try_never_waits(void **state)
{
    (void)state;
    struct lock l;
    lock_init(&l, LOCK_ORDER_VM, "l");
    assert_true(lock_try(&l));
    assert_true(lock_held(&l));
    assert_false(lock_try(&l));
    lock_release(&l);
    assert_false(lock_held(&l));
    assert_true(lock_try(&l));
    lock_release(&l);
}

static void test_tickets_wrap(void **state)
{
    (void)state;
    struct lock l = LOCK_INIT(LOCK_ORDER_VM, "l");
    l.next = l.owner = 0xfffe;
    for (unsigned i = 0; i < 4; i++) {
        lock_take(&l);
        assert_false(lock_try(&l));
        lock_release(&l);
    }
    assert_int_equal(l.next, 2);
    assert_true(lock_try(&l));
    lock_release(&l);
    l.next = l.owner = 0xffff;
    assert_true(lock_try(&l));
    assert_int_equal(l.next, 0);
    lock_release(&l);
    assert_int_equal(l.owner, 0);
}

static void test_order_is_asserted(void **state)
{
    (void)state;
    struct lock vm, pool, other;
    lock_init(&vm, LOCK_ORDER_VM, "vm");
    lock_init(&pool, LOCK_ORDER_POOL, "pool");
    lock_init(&other, LOCK_ORDER_POOL, "other");
    lock_take(&vm);
    lock_take(&pool);
    assert_int_equal(lock_count(), 2);
    ASSERT_PANICS(lock_take(&other), "lock other (order 60): taken while pool (order 60) is held");
    /* In any order of release; what is still held counts. */
    lock_release(&vm);
    ASSERT_PANICS(lock_take(&vm), "lock vm (order 20): taken while pool (order 60) is held");
    ASSERT_PANICS(lock_take(&pool), "lock pool: taken twice");
    lock_release(&pool);
    assert_int_equal(lock_count(), 0);
    lock_take(&vm);
    lock_release(&vm);
}

static void test_only_the_holder_releases(void **state)
{
    (void)state;
    struct lock l;
    lock_init(&l, LOCK_ORDER_VM, "l");
    lock_take(&l);
    assert_true(lock_held(&l));
    me = 1;
    assert_false(lock_held(&l));
    ASSERT_PANICS(lock_release(&l), "lock l: released by a CPU that does not hold it");
    me = 0;
    lock_release(&l);
    ASSERT_PANICS(lock_release(&l), "does not hold it");
}

static void test_not_more_than_fits(void **state)
{
    (void)state;
    struct lock many[HELD_MAX + 1];
    for (unsigned i = 0; i <= HELD_MAX; i++) {
        lock_init(&many[i], (enum lock_order)(i + 1), "many");
        if (i < HELD_MAX)
            lock_take(&many[i]);
    }
    ASSERT_PANICS(lock_take(&many[HELD_MAX]), "holds 8 locks already");
}

/* Last, for there is no way back. */
static void test_a_panic_waits_for_nobody(void **state)
{
    (void)state;
    struct lock l;
    lock_init(&l, LOCK_ORDER_CONSOLE, "l");
    me = 1;
    lock_take(&l);
    me = 0;
    lock_break_all();
    lock_take(&l);
    lock_take(&l);
    assert_true(lock_try(&l));
    lock_release(&l);
    lock_release(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_one_at_a_time, teardown),
        cmocka_unit_test_teardown(test_first_come_first_served, teardown),
        cmocka_unit_test_teardown(test_try_never_waits, teardown),
        cmocka_unit_test_teardown(test_tickets_wrap, teardown),
        cmocka_unit_test_teardown(test_order_is_asserted, teardown),
        cmocka_unit_test_teardown(test_only_the_holder_releases, teardown),
        cmocka_unit_test_teardown(test_not_more_than_fits, teardown),
        cmocka_unit_test_teardown(test_a_panic_waits_for_nobody, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
