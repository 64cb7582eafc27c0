/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `sched` and `timers`: who waits where, and when somebody's time comes. Looks at one queue at a
 * time under its lock; vCPUs' own fields are read as they are at some moment. JSON: docs/json.md.
 */
#include "core/commands.h"
#include "core/host.h"
#include "core/lib/json.h"
#include "core/machine.h"
#include "core/report.h"
#include "core/sched.h"
#include "core/stat.h"
#include "core/vm.h"

typedef void vcpu_fn(const struct call *c, struct json *j, struct vcpu *v);

static void for_each_vcpu(const struct call *c, struct json *j, vcpu_fn *fn)
{
    for (unsigned i = 0; i < vm_count(); i++) {
        struct vm *vm = vm_at(i);
        for (unsigned k = 0; vm->state == VM_RUNNING && k < vm->vcpu_count; k++)
            fn(c, j, vm->vcpu[k]);
    }
}

static int64_t ticks_us(int64_t ticks)
{
    return ticks < 0 ? -(int64_t)(host_tsc_to_ns((uint64_t)-ticks) / 1000)
                     : (int64_t)(host_tsc_to_ns((uint64_t)ticks) / 1000);
}

static void name_vcpu(const struct vcpu *v, char *text, size_t size)
{
    fmt_print(text, size, "%s/%u", v->vm->name, v->index);
}

/* --- sched --- */

static void name_running(const struct sched_view *s, char *text, size_t size)
{
    const struct vm *vm = vm_at(s->running_vm);
    fmt_print(text, size, "-");
    if (s->running && vm)
        fmt_print(text, size, "%s/%u", vm->name, s->running_vcpu);
}

static void say_queue(const struct call *c, unsigned cpu)
{
    struct sched_view s;
    char who[CONFIG_NAME_MAX + 8];
    sched_look(cpu, &s);
    name_running(&s, who, sizeof(who));
    SAY(c, "  %3u %-7s %-20s %7u %9lu %5u.%u %%\n", cpu, s.idle ? "idle" : "busy", who, s.queued,
        s.epoch, stat_cpu_idle(cpu) / 10, stat_cpu_idle(cpu) % 10);
}

static void say_entity(const struct call *c, struct json *j, struct vcpu *v)
{
    char who[CONFIG_NAME_MAX + 8];
    (void)j;
    name_vcpu(v, who, sizeof(who));
    SAY(c, "  %-20s %3u %-8s %6u %8ld us %8lu us %8lu us\n", who, v->cpu, report_state_name(v),
        v->run.weight, (long)ticks_us(v->run.credit),
        (unsigned long)(v->wakes ? host_tsc_to_ns(v->latency / v->wakes) / 1000 : 0),
        (unsigned long)(host_tsc_to_ns(v->latency_max) / 1000));
}

static void json_queue(struct json *j, unsigned cpu)
{
    struct sched_view s;
    char who[CONFIG_NAME_MAX + 8];
    sched_look(cpu, &s);
    name_running(&s, who, sizeof(who));
    json_object(j, NULL);
    json_u64(j, "cpu", cpu);
    json_bool(j, "idle", s.idle);
    json_text(j, "running", s.running ? who : "");
    json_u64(j, "queued", s.queued);
    json_u64(j, "epoch", s.epoch);
    json_u64(j, "idle_permille", stat_cpu_idle(cpu));
    json_object_end(j);
}

static void json_entity(const struct call *c, struct json *j, struct vcpu *v)
{
    (void)c;
    json_object(j, NULL);
    json_text(j, "vm", v->vm->name);
    json_u64(j, "vcpu", v->index);
    json_u64(j, "cpu", v->cpu);
    json_text(j, "state", report_state_name(v));
    json_u64(j, "weight", v->run.weight);
    json_i64(j, "credit_us", ticks_us(v->run.credit));
    json_u64(j, "ran_ns", host_tsc_to_ns(v->ran));
    json_u64(j, "waited_ns", host_tsc_to_ns(v->waited));
    json_u64(j, "wakes", v->wakes);
    json_u64(j, "switches", v->switches);
    json_u64(j, "latency_mean_ns", v->wakes ? host_tsc_to_ns(v->latency / v->wakes) : 0);
    json_u64(j, "latency_max_ns", host_tsc_to_ns(v->latency_max));
    json_object_end(j);
}

static void sched_json(const struct call *c)
{
    struct json j;
    json_begin(&j, c->sink, c->ctx);
    json_u64(&j, "slice_us", host_tsc_to_ns(sched_slice()) / 1000);
    json_array(&j, "cpus");
    for (unsigned i = 0; i < host_cpu_count(); i++)
        json_queue(&j, i);
    json_array_end(&j);
    json_array(&j, "vcpus");
    for_each_vcpu(c, &j, json_entity);
    json_array_end(&j);
    json_finish(&j);
}

void command_sched(const struct call *c)
{
    if (c->json) {
        sched_json(c);
        return;
    }
    SAY(c, "  a slice is %lu us\n", host_tsc_to_ns(sched_slice()) / 1000);
    SAY(c, "  %3s %-7s %-20s %7s %9s %9s\n", "CPU", "STATE", "RUNS", "WAITING", "EPOCH", "IDLE");
    for (unsigned i = 0; i < host_cpu_count(); i++)
        say_queue(c, i);
    SAY(c, "  %-20s %3s %-8s %6s %11s %11s %11s\n", "VM/VCPU", "CPU", "STATE", "WEIGHT", "CREDIT",
        "LATENCY", "AT MOST");
    for_each_vcpu(c, NULL, say_entity);
}

/* --- timers --- */

/* How long until a TSC value, as text; "-" for never. */
static void in_time(uint64_t at, char *text, size_t size)
{
    uint64_t now = host_now();
    if (at == UINT64_MAX)
        fmt_print(text, size, "-");
    else if (at <= now)
        fmt_print(text, size, "due");
    else
        fmt_print(text, size, "%lu us", host_tsc_to_ns(at - now) / 1000);
}

/* Nanoseconds until then, 0 when due, null for never. */
static void json_in(struct json *j, const char *key, uint64_t at)
{
    uint64_t now = host_now();
    if (at == UINT64_MAX)
        json_null(j, key);
    else
        json_u64(j, key, at > now ? host_tsc_to_ns(at - now) : 0);
}

static void say_vcpu_timers(const struct call *c, struct json *j, struct vcpu *v)
{
    char who[CONFIG_NAME_MAX + 8], apic[24], wake[24], devices[24];
    (void)j;
    name_vcpu(v, who, sizeof(who));
    in_time(v->event_at, apic, sizeof(apic));
    in_time(v->timer.entry.at, wake, sizeof(wake));
    in_time(v->index ? UINT64_MAX : v->vm->timer.entry.at, devices, sizeof(devices));
    SAY(c, "  %-20s %16s %16s %16s\n", who, apic, wake, devices);
}

static void json_vcpu_timers(const struct call *c, struct json *j, struct vcpu *v)
{
    (void)c;
    json_object(j, NULL);
    json_text(j, "vm", v->vm->name);
    json_u64(j, "vcpu", v->index);
    json_in(j, "apic_timer_in_ns", v->event_at);
    json_in(j, "sleeps_for_ns", v->timer.entry.at);
    json_in(j, "devices_in_ns", v->index ? UINT64_MAX : v->vm->timer.entry.at);
    json_object_end(j);
}

static void timers_json(const struct call *c)
{
    struct json j;
    json_begin(&j, c->sink, c->ctx);
    json_array(&j, "cpus");
    for (unsigned i = 0; i < host_cpu_count(); i++) {
        struct sched_view s;
        sched_look(i, &s);
        json_object(&j, NULL);
        json_u64(&j, "cpu", i);
        json_in(&j, "next_in_ns", s.next_timer);
        json_in(&j, "slice_ends_in_ns", s.running ? s.slice_end : UINT64_MAX);
        json_object_end(&j);
    }
    json_array_end(&j);
    json_array(&j, "vcpus");
    for_each_vcpu(c, &j, json_vcpu_timers);
    json_array_end(&j);
    json_finish(&j);
}

void command_timers(const struct call *c)
{
    if (c->json) {
        timers_json(c);
        return;
    }
    SAY(c, "  %-20s %16s %16s\n", "CPU", "NEXT TIMER", "SLICE ENDS");
    for (unsigned i = 0; i < host_cpu_count(); i++) {
        struct sched_view s;
        char next[24], end[24];
        sched_look(i, &s);
        in_time(s.next_timer, next, sizeof(next));
        in_time(s.running ? s.slice_end : UINT64_MAX, end, sizeof(end));
        SAY(c, "  %-20u %16s %16s\n", i, next, end);
    }
    SAY(c, "  %-20s %16s %16s %16s\n", "VM/VCPU", "APIC TIMER", "SLEEPS FOR", "DEVICES");
    for_each_vcpu(c, NULL, say_vcpu_timers);
}
