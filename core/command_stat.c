/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What goes on right now: `top` and `exits`. Rates are stat.c's, measured exits observe.c's. The
 * JSON forms are documented in docs/json.md: names and meanings there stay.
 */
#include "core/commands.h"
#include "core/exit.h"
#include "core/host.h"
#include "core/job.h"
#include "core/lib/json.h"
#include "core/lib/string.h"
#include "core/observe.h"
#include "core/report.h"
#include "core/stat.h"
#include "core/vm.h"

#define TOP_PERIOD_NS 2000000000
#define TOP_KINDS     3 /* of exits, in a line */

/* --- top --- */

static uint64_t top_left; /* pictures to show; UINT64_MAX: until a key */
static bool top_clears;   /* each picture overwrites the one before */

/* The index of the largest of rate->exits that is not yet shown, which is then 0. */
static unsigned take_largest(uint64_t exits[EXIT_KINDS], uint64_t *count)
{
    unsigned best = 0;
    for (unsigned k = 1; k < EXIT_KINDS; k++)
        if (exits[k] > exits[best])
            best = k;
    *count = exits[best];
    exits[best] = 0;
    return best;
}

static uint64_t mean_ns(uint64_t ticks, uint64_t count)
{
    return count ? host_tsc_to_ns(ticks / count) : 0;
}

static void top_vcpu(fmt_sink_fn *sink, void *ctx, struct vcpu *v)
{
    struct stat_rate r;
    char name[CONFIG_NAME_MAX + 8];
    stat_vcpu(v, &r);
    unsigned share = stat_share(r.ran, r.window);
    fmt_print(name, sizeof(name), "%s/%u", v->vm->name, v->index);
    fmt_write(sink, ctx, "  %-20s %3u %-8s %3u.%u %% %9lu %9lu %9lu us ", name, v->cpu,
              report_state_name(v), share / 10, share % 10, stat_per_second(r.all_exits, r.window),
              stat_per_second(r.wakes, r.window), mean_ns(r.latency, r.wakes) / 1000);
    for (unsigned i = 0; i < TOP_KINDS; i++) {
        uint64_t n;
        unsigned kind = take_largest(r.exits, &n);
        if (n)
            fmt_write(sink, ctx, "%s %s %lu", i ? "," : "", exit_kind_name(kind),
                      stat_per_second(n, r.window));
    }
    fmt_write(sink, ctx, "\n");
}

/* Of all its vCPUs together. The longest of their windows is the one that all are within. */
static void rate_vm(const struct vm *vm, struct stat_rate *sum)
{
    struct stat_rate r;
    *sum = (struct stat_rate){.window = 1};
    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        stat_vcpu(vm->vcpu[i], &r);
        sum->window = max_u64(sum->window, r.window);
        sum->ran += r.ran;
        sum->all_exits += r.all_exits;
        sum->wakes += r.wakes;
    }
}

static void top_vm(fmt_sink_fn *sink, void *ctx, const struct vm *vm)
{
    struct stat_rate r;
    rate_vm(vm, &r);
    unsigned share = stat_share(r.ran, r.window);
    fmt_write(sink, ctx, "  %-20s %12s %3u.%u %% %9lu %9lu\n", vm->name, "", share / 10, share % 10,
              stat_per_second(r.all_exits, r.window), stat_per_second(r.wakes, r.window));
}

static void top_picture(fmt_sink_fn *sink, void *ctx, bool clears)
{
    uint64_t up = host_uptime_ns() / 1000000;
    fmt_write(sink, ctx, "%s  up %lu.%03lu s; idle:", clears ? "\x1b[H\x1b[J" : "", up / 1000,
              up % 1000);
    for (unsigned i = 0; i < host_cpu_count(); i++)
        fmt_write(sink, ctx, " CPU %u %u.%u %%", i, stat_cpu_idle(i) / 10, stat_cpu_idle(i) % 10);
    fmt_write(sink, ctx, "\n  %-20s %3s %-8s %7s %9s %9s %12s  %s\n", "VM/VCPU", "CPU", "STATE",
              "SHARE", "EXITS/S", "WAKES/S", "LATENCY", "MOST EXITS A SECOND");
    for (unsigned i = 0; i < vm_count(); i++) {
        struct vm *vm = vm_at(i);
        if (vm->state == VM_RUNNING && vm->vcpu_count > 1)
            top_vm(sink, ctx, vm);
        for (unsigned k = 0; vm->state == VM_RUNNING && k < vm->vcpu_count; k++)
            top_vcpu(sink, ctx, vm->vcpu[k]);
    }
    if (clears)
        fmt_write(sink, ctx, "  any key ends it\n");
}

static void json_rate(struct json *j, const struct vcpu *v)
{
    struct stat_rate r;
    stat_vcpu(v, &r);
    json_u64(j, "window_ns", host_tsc_to_ns(r.window));
    json_u64(j, "share_permille", stat_share(r.ran, r.window));
    json_u64(j, "exits_per_second", stat_per_second(r.all_exits, r.window));
    json_u64(j, "wakes_per_second", stat_per_second(r.wakes, r.window));
    json_u64(j, "switches_per_second", stat_per_second(r.switches, r.window));
    json_u64(j, "latency_mean_ns", mean_ns(r.latency, r.wakes));
    json_u64(j, "latency_max_ns", host_tsc_to_ns(v->latency_max));
    json_object(j, "exits");
    for (unsigned k = 0; k < EXIT_KINDS; k++)
        if (r.exits[k])
            json_u64(j, exit_kind_name(k), stat_per_second(r.exits[k], r.window));
    json_object_end(j);
}

static void top_vms_json(struct json *j)
{
    json_array(j, "vms");
    for (unsigned i = 0; i < vm_count(); i++) {
        const struct vm *vm = vm_at(i);
        struct stat_rate r;
        if (vm->state != VM_RUNNING)
            continue;
        rate_vm(vm, &r);
        json_object(j, NULL);
        json_text(j, "vm", vm->name);
        json_u64(j, "vcpus", vm->vcpu_count);
        json_u64(j, "share_permille", stat_share(r.ran, r.window));
        json_u64(j, "exits_per_second", stat_per_second(r.all_exits, r.window));
        json_u64(j, "wakes_per_second", stat_per_second(r.wakes, r.window));
        json_object_end(j);
    }
    json_array_end(j);
}

static void top_json(fmt_sink_fn *sink, void *ctx)
{
    struct json j;
    json_begin(&j, sink, ctx);
    json_u64(&j, "uptime_ns", host_uptime_ns());
    json_array(&j, "cpus");
    for (unsigned i = 0; i < host_cpu_count(); i++) {
        json_object(&j, NULL);
        json_u64(&j, "cpu", i);
        json_u64(&j, "idle_permille", stat_cpu_idle(i));
        json_object_end(&j);
    }
    json_array_end(&j);
    top_vms_json(&j);
    json_array(&j, "vcpus");
    for (unsigned i = 0; i < vm_count(); i++) {
        struct vm *vm = vm_at(i);
        for (unsigned k = 0; vm->state == VM_RUNNING && k < vm->vcpu_count; k++) {
            json_object(&j, NULL);
            json_text(&j, "vm", vm->name);
            json_u64(&j, "vcpu", k);
            json_u64(&j, "cpu", vm->vcpu[k]->cpu);
            json_text(&j, "state", report_state_name(vm->vcpu[k]));
            json_rate(&j, vm->vcpu[k]);
            json_object_end(&j);
        }
    }
    json_array_end(&j);
    json_finish(&j);
}

static uint64_t top_next(void)
{
    if (top_left != UINT64_MAX && --top_left == 0)
        return JOB_DONE;
    return host_now() + host_ns_to_tsc(TOP_PERIOD_NS);
}

static uint64_t top_step(fmt_sink_fn *sink, void *ctx)
{
    top_picture(sink, ctx, top_clears);
    return top_next();
}

static uint64_t top_step_json(fmt_sink_fn *sink, void *ctx)
{
    top_json(sink, ctx);
    return top_next();
}

void command_top(const struct call *c)
{
    const char *times = call_option(c, "-n");
    uint64_t wanted = c->json ? 1 : UINT64_MAX;
    if (times && (!call_number(times, &wanted) || !wanted)) {
        REFUSE(c, "-n %s: how often, from 1 on\n", times);
    } else if (wanted == 1 && c->json) {
        top_json(c->sink, c->ctx);
    } else if (wanted == 1) {
        top_picture(c->sink, c->ctx, false);
    } else if (job_may_start(c, top_step) && job_may_start(c, top_step_json)) {
        top_left = wanted;
        top_clears = !times && !c->json;
        job_start(c, c->json ? top_step_json : top_step, NULL, wanted == UINT64_MAX);
    }
}

/* --- exits --- */

static const char *about_name(const struct observe_detail *d)
{
    static const char *const names[] = {[OBSERVE_PORT] = "port", [OBSERVE_MSR] = "msr",
                                        [OBSERVE_PAGE] = "page",
                                        [OBSERVE_HYPERCALL] = "hypercall"};
    return names[d->about];
}

static void name_detail(const struct observe_detail *d, char *text, size_t size)
{
    uint32_t x = d->detail;
    if (d->about == OBSERVE_PORT)
        fmt_print(text, size, "%s %#x, %u bytes", x >> 24 ? "IN" : "OUT", x & 0xffff,
                  x >> 16 & 0xff);
    else if (d->about == OBSERVE_PAGE)
        fmt_print(text, size, "memory %#lx", (uint64_t)x << 12);
    else
        fmt_print(text, size, "%s %#x", exit_kind_name(d->kind), x);
}

static void say_measured(const struct call *c, const char *name, const struct observe_count *n)
{
    if (n->count)
        SAY(c, "    %-24s %10lu %8u %8lu %8u\n", name, n->count, n->min, n->ticks / n->count,
            n->max);
}

static void say_stats(const struct call *c, const struct observe_stats *s)
{
    char name[40];
    SAY(c, "    %-24s %10s %8s %8s %8s  ticks, measured for %lu ms\n", "", "COUNT", "MIN", "MEAN",
        "MAX", host_tsc_to_ns(host_now() - s->since) / 1000000);
    for (unsigned k = 0; k < EXIT_KINDS; k++)
        say_measured(c, exit_kind_name(k), &s->kind[k]);
    for (unsigned i = 0; i < OBSERVE_DETAILS; i++) {
        if (s->detail[i].about == OBSERVE_PLAIN)
            continue;
        name_detail(&s->detail[i], name, sizeof(name));
        say_measured(c, name, &s->detail[i].n);
    }
    say_measured(c, "others", &s->others);
}

static void say_exits(const struct call *c, const struct vm *vm)
{
    bool measured = false;
    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        const struct vcpu *v = vm->vcpu[i];
        SAY(c, "  %s/%u: exits since it started\n", vm->name, i);
        report_exits(v, c->sink, c->ctx);
        if (!v->observe_stats)
            continue;
        measured = true;
        say_stats(c, v->observe_stats);
    }
    if (!measured)
        SAY(c, "  exits %s --on measures how long each takes, by port and MSR\n", vm->name);
}

static void json_count(struct json *j, const struct observe_count *n)
{
    json_u64(j, "count", n->count);
    json_u64(j, "ticks", n->ticks);
    json_u64(j, "min", n->min);
    json_u64(j, "max", n->max);
}

static void json_stats(struct json *j, const struct observe_stats *s)
{
    json_object(j, "measured");
    json_u64(j, "window_ns", host_tsc_to_ns(host_now() - s->since));
    json_array(j, "kinds");
    for (unsigned k = 0; k < EXIT_KINDS; k++) {
        if (!s->kind[k].count)
            continue;
        json_object(j, NULL);
        json_text(j, "kind", exit_kind_name(k));
        json_count(j, &s->kind[k]);
        json_object_end(j);
    }
    json_array_end(j);
    json_array(j, "details");
    for (unsigned i = 0; i < OBSERVE_DETAILS; i++) {
        const struct observe_detail *d = &s->detail[i];
        if (d->about == OBSERVE_PLAIN)
            continue;
        bool port = d->about == OBSERVE_PORT;
        json_object(j, NULL);
        json_text(j, "kind", exit_kind_name(d->kind));
        json_text(j, "about", about_name(d));
        json_hex(j, "which", port ? d->detail & 0xffff : d->about == OBSERVE_PAGE
                                                             ? (uint64_t)d->detail << 12
                                                             : d->detail);
        if (port) {
            json_bool(j, "in", d->detail >> 24);
            json_u64(j, "bytes", d->detail >> 16 & 0xff);
        }
        json_count(j, &d->n);
        json_object_end(j);
    }
    json_array_end(j);
    json_u64(j, "others", s->others.count);
    json_object_end(j);
}

static void json_exits(const struct call *c, const struct vm *vm)
{
    struct json j;
    json_begin(&j, c->sink, c->ctx);
    json_text(&j, "vm", vm->name);
    json_u64(&j, "tsc_khz", host_tsc_khz());
    json_array(&j, "vcpus");
    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        const struct vcpu *v = vm->vcpu[i];
        json_object(&j, NULL);
        json_u64(&j, "vcpu", i);
        json_object(&j, "exits");
        for (unsigned k = 0; k < EXIT_KINDS; k++)
            if (v->exits[k])
                json_u64(&j, exit_kind_name(k), v->exits[k]);
        json_object_end(&j);
        if (v->observe_stats)
            json_stats(&j, v->observe_stats);
        else
            json_null(&j, "measured");
        json_object_end(&j);
    }
    json_array_end(&j);
    json_finish(&j);
}

void command_exits(const struct call *c)
{
    struct vm *vm = call_vm(c, 0);
    if (!vm)
        return;
    if (vm->state != VM_RUNNING && vm->state != VM_KEPT) {
        REFUSE(c, "vm %s is %s: there is nothing to count\n", vm->name, vm_state_name(vm));
        return;
    }
    if (call_option(c, "--off"))
        observe_stop(vm);
    if (call_option(c, "--on") && observe_start(vm) != PL_OK)
        REFUSE(c, "no memory to measure in\n");
    else if (call_option(c, "--on") || call_option(c, "--off"))
        SAY(c, "exits of %s are %s\n", vm->name,
            call_option(c, "--on") ? "measured from now on" : "not measured");
    else if (c->json)
        json_exits(c, vm);
    else
        say_exits(c, vm);
}
