/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch/x86/tsc_sync.c with two threads as CPUs, whose TSCs differ by as much as a test wants.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "arch/x86/insn.h"
#include "arch/x86/msr.h"

#define LATE_TICKS 6000000u /* half of it is more than is tolerated */

static __thread int64_t offset; /* of this thread's TSC */
static __thread bool follower;
static bool has_adjust, adjust_sticks;
static uint64_t adjust;
static __thread unsigned late; /* so many stamps come late: something else has the CPU */

static uint64_t shifted_tsc(void)
{
    for (uint64_t begin = rdtsc(); late && rdtsc() - begin < LATE_TICKS;)
        ;
    late -= late > 0;
    return rdtsc() + (uint64_t)offset + (follower && adjust_sticks ? adjust : 0);
}

static struct cpuid_regs fake_cpuid(uint32_t leaf)
{
    assert_int_equal(leaf, 7);
    return (struct cpuid_regs){0, has_adjust ? CPUID_7_EBX_TSC_ADJUST : 0, 0, 0};
}

#define rdtsc()              shifted_tsc()
#define cpuid(leaf, subleaf) fake_cpuid(leaf)
#include "arch/x86/tsc_sync.c"

#define FAR INT64_C(1000000000000) /* ticks: minutes, whatever this machine's TSC does */

uint64_t tsc_from_ns(uint64_t ns)
{
    /* Patience with a busy machine; and with a scheduler instead of a second CPU. */
    return ns == GIVE_UP_NS ? UINT64_C(200000000000) : ns * 4000;
}

bool rdmsr_safe(uint32_t msr, uint64_t *v)
{
    assert_int_equal(msr, MSR_IA32_TSC_ADJUST);
    *v = adjust;
    return true;
}

bool wrmsr_safe(uint32_t msr, uint64_t v)
{
    assert_int_equal(msr, MSR_IA32_TSC_ADJUST);
    adjust = v;
    return true;
}

struct other {
    struct tsc_sync sync;
    int64_t offset;
    unsigned late;
};

static void *follow(void *arg)
{
    struct other *o = arg;
    follower = true;
    offset = o->offset;
    late = o->late;
    tsc_sync_follow(&o->sync);
    return NULL;
}

static const char *compare(struct other *o, int64_t ahead)
{
    pthread_t t;
    unsigned late_stamps = o->late;
    memset(o, 0, sizeof(*o));
    o->offset = ahead;
    o->late = late_stamps;
    adjust = 5;
    assert_int_equal(pthread_create(&t, NULL, follow, o), 0);
    const char *why = tsc_sync_lead(&o->sync);
    tsc_sync_end(&o->sync);
    pthread_join(t, NULL);
    return why;
}

static void test_same(void **state)
{
    (void)state;
    struct other o = {.late = 0};
    has_adjust = adjust_sticks = true;
    adjust = 0;
    assert_null(compare(&o, -5)); /* IA32_TSC_ADJUST has 5 */
    assert_false(o.sync.corrected);
    assert_int_equal(adjust, 5);
}

static void test_ahead_and_behind_are_corrected(void **state)
{
    (void)state;
    struct other o = {.late = 0};
    has_adjust = adjust_sticks = true;
    assert_null(compare(&o, FAR));
    assert_true(o.sync.corrected);
    assert_true((int64_t)adjust < -FAR + FAR / 100 && (int64_t)adjust > -FAR - FAR / 100);
    assert_true(o.sync.skew < FAR / 100 && o.sync.skew > -FAR / 100);
    assert_null(compare(&o, -FAR));
    assert_true(o.sync.corrected);
    assert_true((int64_t)adjust > FAR - FAR / 100 && (int64_t)adjust < FAR + FAR / 100);
}

/* The first measurement is far off, and so is the correction made of it. */
static void test_corrected_again(void **state)
{
    (void)state;
    struct other o = {.late = ROUNDS};
    has_adjust = adjust_sticks = true;
    assert_null(compare(&o, FAR));
    assert_true(o.sync.corrected);
}

static void test_left_out_where_it_cannot_be_corrected(void **state)
{
    (void)state;
    struct other o = {.late = 0};
    has_adjust = false;
    assert_non_null(strstr(compare(&o, FAR), "no IA32_TSC_ADJUST"));
    assert_true(o.sync.skew > FAR - FAR / 100 && o.sync.skew < FAR + FAR / 100);
    has_adjust = true;
    adjust_sticks = false;
    assert_non_null(strstr(compare(&o, FAR), "cannot be brought"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_ahead_and_behind_are_corrected),
        cmocka_unit_test(test_corrected_again),
        cmocka_unit_test(test_left_out_where_it_cannot_be_corrected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
