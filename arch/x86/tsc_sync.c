/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A ping-pong: the boot CPU reads its TSC, asks, the other stamps its own, the boot CPU reads again
 * when it sees the answer. Were both TSCs the same, the stamp would lie between the two readings;
 * half of what is between them bounds how well we know. The round with the least between counts:
 * the rest is caches, SMIs and hypervisors under us. SDM: "Time-Stamp Counter",
 * "Time-Stamp Counter Adjustment".
 */
#include "arch/x86/tsc_sync.h"

#include "arch/x86/exception.h"
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/tsc.h"

#define ROUNDS     64u
/* Where a hypervisor under us seldom lets both CPUs run at once, a few good rounds must do. */
#define FEW        8u
#define GOOD_NS    1000
#define ENOUGH_NS  100000000
#define CORRECTIONS 4u
#define CORRECT    0xfffffffeu /* ping: add `correction` to your TSC */
#define DONE       0xffffffffu
#define GIVE_UP_NS 2000000000
/* Below that no vCPU can tell: moving it takes longer. Emulators' clocks are that coarse. */
#define TOLERATED_NS 500

/* Not before what stands above it in the program, nor after what stands below. */
static uint64_t rdtsc_ordered(void)
{
    __asm__ volatile("lfence" : : : "memory");
    uint64_t t = rdtsc();
    __asm__ volatile("lfence" : : : "memory");
    return t;
}

static bool ask(struct tsc_sync *s, uint32_t question)
{
    uint64_t begin = rdtsc(), limit = tsc_from_ns(GIVE_UP_NS);
    __atomic_store_n(&s->ping, question, __ATOMIC_RELEASE);
    while (__atomic_load_n(&s->pong, __ATOMIC_ACQUIRE) != question)
        if (rdtsc() - begin > limit)
            return false;
    return true;
}

static bool measure(struct tsc_sync *s, uint32_t first)
{
    s->uncertainty = UINT64_MAX;
    uint64_t begin = rdtsc(), enough = tsc_from_ns(ENOUGH_NS), good = tsc_from_ns(GOOD_NS);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        if (i >= FEW && (s->uncertainty <= good || rdtsc() - begin >= enough))
            break;
        uint64_t before = rdtsc_ordered();
        if (!ask(s, first + i))
            return false;
        uint64_t between = rdtsc_ordered() - before;
        if (between / 2 >= s->uncertainty)
            continue;
        s->uncertainty = between / 2;
        s->skew = (int64_t)(s->stamp - (before + between / 2));
    }
    return true;
}

static bool agrees(const struct tsc_sync *s)
{
    uint64_t distance = s->skew < 0 ? -(uint64_t)s->skew : (uint64_t)s->skew;
    return distance <= s->uncertainty + tsc_from_ns(TOLERATED_NS);
}

const char *tsc_sync_lead(struct tsc_sync *s)
{
    static const char silent[] = "it does not answer while the TSCs are compared";
    uint32_t question = 1;
    /* A correction is as wrong as the measurement before it may have been, and the next one may be
     * better. Corrections alternate with rounds, so no question comes twice in a row. */
    for (unsigned i = 0;; i++, question += ROUNDS) {
        if (!measure(s, question))
            return silent;
        if (agrees(s))
            return NULL;
        if (!(cpuid(7, 0).ebx & CPUID_7_EBX_TSC_ADJUST))
            return "its TSC differs from the boot CPU's, and there is no IA32_TSC_ADJUST";
        if (i == CORRECTIONS)
            break;
        s->correction = -s->skew;
        s->corrected = true;
        if (!ask(s, CORRECT))
            return silent;
    }
    return "its TSC cannot be brought to the boot CPU's";
}

void tsc_sync_end(struct tsc_sync *s)
{
    __atomic_store_n(&s->ping, DONE, __ATOMIC_RELEASE);
}

static void correct(int64_t by)
{
    uint64_t v;
    /* Where it fails, the second measurement says so. */
    if (rdmsr_safe(MSR_IA32_TSC_ADJUST, &v))
        (void)!wrmsr_safe(MSR_IA32_TSC_ADJUST, v + (uint64_t)by);
}

void tsc_sync_follow(struct tsc_sync *s)
{
    for (uint32_t last = 0, ping; last != DONE; last = ping) {
        while ((ping = __atomic_load_n(&s->ping, __ATOMIC_ACQUIRE)) == last)
            ;
        if (ping == CORRECT)
            correct(s->correction);
        else
            s->stamp = rdtsc_ordered();
        __atomic_store_n(&s->pong, ping, __ATOMIC_RELEASE);
    }
}
