/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Samples of counters, and rates out of them. Boot CPU only. A vCPU's samples are in its own page
 * (struct vcpu.stat), so that they end with it; those of CPUs are here.
 */
#include "core/stat.h"

#include "core/host.h"

#define PERIOD_NS 1000000000

static uint64_t next; /* TSC of the next sample */
static bool wanted;   /* there was a VM that runs */
static struct {
    uint64_t tsc, idle;
} cpu_sample[CPU_MAX][2];

static void sample_vcpu(struct vcpu *v, uint64_t now)
{
    v->stat[0] = v->stat[1];
    v->stat[1] = (struct stat_sample){.tsc = now, .ran = v->ran, .waited = v->waited,
                                      .latency = v->latency, .wakes = v->wakes,
                                      .switches = v->switches};
    for (unsigned k = 0; k < EXIT_KINDS; k++)
        v->stat[1].exits[k] = v->exits[k];
}

static void sample(uint64_t now)
{
    wanted = false;
    for (unsigned i = 0; i < vm_count(); i++) {
        struct vm *vm = vm_at(i);
        if (vm->state != VM_RUNNING)
            continue;
        wanted = true;
        for (unsigned k = 0; k < vm->vcpu_count; k++)
            sample_vcpu(vm->vcpu[k], now);
    }
    for (unsigned i = 0; i < host_cpu_count(); i++) {
        cpu_sample[i][0] = cpu_sample[i][1];
        cpu_sample[i][1].tsc = now;
        cpu_sample[i][1].idle = host_cpu_idle(i);
    }
}

void stat_poll(void)
{
    uint64_t now = host_now();
    if (likely(now < next))
        return;
    sample(now);
    next = now + host_ns_to_tsc(PERIOD_NS);
}

uint64_t stat_deadline(void)
{
    return wanted ? next : UINT64_MAX;
}

static uint64_t since(uint64_t now, uint64_t then)
{
    return now > then ? now - then : 0;
}

void stat_vcpu(const struct vcpu *v, struct stat_rate *out)
{
    static const struct stat_sample never;
    /* A sample of all zeroes is the vCPU's start, unless it has no age yet. */
    const struct stat_sample *then = v->stat[0].tsc ? &v->stat[0] : &never;
    uint64_t begin = then->tsc ? then->tsc : v->vm->start_tsc;
    *out = (struct stat_rate){
        .window = max_u64(since(host_now(), begin), 1),
        .ran = since(v->ran, then->ran),
        .waited = since(v->waited, then->waited),
        .latency = since(v->latency, then->latency),
        .wakes = since(v->wakes, then->wakes),
        .switches = since(v->switches, then->switches),
    };
    for (unsigned k = 0; k < EXIT_KINDS; k++) {
        out->exits[k] = since(v->exits[k], then->exits[k]);
        out->all_exits += out->exits[k];
    }
}

unsigned stat_cpu_idle(unsigned cpu)
{
    unsigned at = cpu_sample[cpu][0].tsc ? 0 : 1; /* there is a first one from the start */
    uint64_t window = since(host_now(), cpu_sample[cpu][at].tsc);
    return stat_share(since(host_cpu_idle(cpu), cpu_sample[cpu][at].idle), max_u64(window, 1));
}

uint64_t stat_per_second(uint64_t value, uint64_t window)
{
    uint64_t hz = host_tsc_khz() * 1000;
    return value > UINT64_MAX / hz ? value / window * hz : value * hz / window;
}

unsigned stat_share(uint64_t part, uint64_t window)
{
    part = min_u64(part, window);
    return (unsigned)(window > UINT64_MAX / 1000 ? part / (window / 1000) : part * 1000 / window);
}
