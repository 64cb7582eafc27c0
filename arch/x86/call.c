/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUs and what they want of each other: kicks and calls. A caller describes its one call in its
 * own struct cpu, sets its bit in each target's called_by and sends an interrupt; a target takes
 * the bits, runs the functions and counts the callers' pending down. Neither side takes a lock, and
 * a caller that waits serves its own bits meanwhile. SDM: "Issuing Interprocessor Interrupts".
 */
#include "arch/x86/call.h"

#include "arch/x86/insn.h"
#include "arch/x86/lapic.h"
#include "arch/x86/percpu.h"
#include "arch/x86/tsc.h"
#include "core/lib/lock.h"
#include "core/panic.h"

/* After that long a target gets an NMI: it may run a guest that does not exit for interrupts. */
#define INSIST_NS 200000

void host_kick(unsigned cpu)
{
    if (lapic_present())
        lapic_send(cpu_table[cpu]->apic_id, LAPIC_VECTOR_KICK);
}

static void serve(struct cpu *caller)
{
    struct cpu_call *call = &caller->call;
    call->fn(call->arg);
    /* Last: the caller may reuse the record at once. */
    __atomic_fetch_sub(&call->pending, 1, __ATOMIC_RELEASE);
}

void cpu_serve_calls(void)
{
    struct cpu *c = this_cpu();
    bool nested = c->serving;
    c->serving = true;
    for (unsigned word = 0; word < ARRAY_LEN(c->called_by); word++) {
        if (!__atomic_load_n(&c->called_by[word], __ATOMIC_RELAXED))
            continue;
        uint64_t bits = __atomic_exchange_n(&c->called_by[word], 0, __ATOMIC_ACQUIRE);
        for (; bits; bits &= bits - 1)
            serve(cpu_table[word * 64 + (unsigned)__builtin_ctzll(bits)]);
    }
    c->serving = nested;
}

static bool has_taken(const struct cpu *target, unsigned caller)
{
    return !(__atomic_load_n(&target->called_by[caller / 64], __ATOMIC_RELAXED) &
             BIT(caller % 64));
}

static void insist(const struct cpu *c)
{
    for (unsigned i = 0; i < host_cpu_count(); i++)
        if (i != c->index && !has_taken(cpu_table[i], c->index))
            lapic_send_nmi(cpu_table[i]->apic_id);
}

static void wait(struct cpu *c)
{
    uint64_t since = rdtsc(), patience = tsc_from_ns(INSIST_NS);
    while (__atomic_load_n(&c->call.pending, __ATOMIC_ACQUIRE)) {
        cpu_serve_calls();
        pause();
        if (rdtsc() - since < patience)
            continue;
        insist(c);
        since = rdtsc();
    }
}

static void begin(struct cpu *c, host_call_fn *fn, void *arg, uint32_t targets)
{
    ASSERT(!c->serving && lock_count() == 0);
    c->call.fn = fn;
    c->call.arg = arg;
    __atomic_store_n(&c->call.pending, targets, __ATOMIC_RELAXED);
}

static void post(const struct cpu *c, unsigned target)
{
    __atomic_fetch_or(&cpu_table[target]->called_by[c->index / 64], BIT(c->index % 64),
                      __ATOMIC_RELEASE);
    host_kick(target);
}

void host_call_others(host_call_fn *fn, void *arg)
{
    struct cpu *c = this_cpu();
    unsigned n = host_cpu_count();
    begin(c, fn, arg, n - 1);
    for (unsigned i = 0; i < n; i++)
        if (i != c->index)
            post(c, i);
    wait(c);
}

void host_call_on(unsigned cpu, host_call_fn *fn, void *arg)
{
    struct cpu *c = this_cpu();
    begin(c, fn, arg, 1);
    if (cpu == c->index) {
        c->serving = true;
        fn(arg);
        c->serving = false;
        return;
    }
    post(c, cpu);
    wait(c);
}

void host_let_in(void)
{
    sti_nop_cli();
}

void host_serve(void)
{
    cpu_serve_calls();
}

void host_relax(void)
{
    cpu_serve_calls();
    pause();
}
