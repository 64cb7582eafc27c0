/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `trace ...`: switching the trace on and off, its last records in words, and the dump that
 * `tools/plinth trace` reads. What the dump looks like: docs/tracing.md.
 */
#include "core/commands.h"
#include "core/exit.h"
#include "core/host.h"
#include "core/job.h"
#include "core/lib/json.h"
#include "core/lib/string.h"
#include "core/observe.h"
#include "core/trace.h"
#include "core/version.h"
#include "core/vm.h"

#define SHOWN_DEFAULT 32
#define SHOWN_MAX     1000

static uint64_t records_wanted = TRACE_RECORDS_DEFAULT;

/* All vCPUs leave their guests once, to come out by the other way from then on. */
static void look_again(void)
{
    for (unsigned i = 0; i < vm_count(); i++)
        observe_changed(vm_at(i));
}

static bool add_group(const char *name, uint32_t *kinds)
{
    for (unsigned i = 0; i < TRACE_GROUPS; i++)
        if (str_eq(name, trace_groups[i].name)) {
            *kinds |= trace_groups[i].kinds;
            return true;
        }
    return false;
}

static bool take_records(const struct call *c)
{
    const char *text = call_option(c, "--records");
    uint64_t n;
    if (!text)
        return true;
    if (!call_number(text, &n) || n < TRACE_RECORDS_MIN || n > TRACE_RECORDS_MAX || (n & (n - 1))) {
        REFUSE(c, "--records %s: a power of two from %u to %u\n", text, TRACE_RECORDS_MIN,
               TRACE_RECORDS_MAX);
        return false;
    }
    records_wanted = n;
    return true;
}

void command_trace_start(const struct call *c)
{
    uint32_t kinds = 0;
    for (unsigned i = 0; i < c->argc; i++)
        if (!add_group(c->argv[i], &kinds)) {
            REFUSE(c, "nothing is traced by the name of '%s'; there are:", c->argv[i]);
            for (unsigned k = 0; k < TRACE_GROUPS; k++)
                SAY(c, " %s", trace_groups[k].name);
            SAY(c, "\n");
            return;
        }
    for (unsigned k = 0; !c->argc && k < TRACE_GROUPS; k++)
        kinds |= trace_groups[k].kinds;
    if (!take_records(c))
        return;
    if (trace_start(kinds, records_wanted) != PL_OK) {
        REFUSE(c, "no memory for %lu records on each of %u CPUs\n", records_wanted,
               host_cpu_count());
        return;
    }
    look_again();
    SAY(c, "tracing; the last %lu records of each CPU are kept\n", records_wanted);
}

void command_trace_stop(const struct call *c)
{
    bool was = trace_wanted();
    trace_stop();
    look_again();
    SAY(c, was ? "stopped; trace show and trace dump have the records\n" : "the trace was off\n");
}

void command_trace_clear(const struct call *c)
{
    trace_clear();
    look_again();
    SAY(c, "the trace is off, its memory is free again\n");
}

/* --- state --- */

static uint64_t written(unsigned cpu)
{
    const struct trace_ring *ring = trace_ring_of(cpu);
    return ring ? __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE) : 0;
}

static uint64_t kept(unsigned cpu)
{
    const struct trace_ring *ring = trace_ring_of(cpu);
    return ring ? written(cpu) - trace_ring_oldest(ring) : 0;
}

static void state_json(const struct call *c)
{
    struct json j;
    json_begin(&j, c->sink, c->ctx);
    json_bool(&j, "on", trace_wanted());
    json_array(&j, "kinds");
    for (unsigned i = 0; i < TRACE_GROUPS; i++)
        if (trace_wanted() & trace_groups[i].kinds)
            json_text(&j, NULL, trace_groups[i].name);
    json_array_end(&j);
    json_array(&j, "cpus");
    for (unsigned i = 0; i < host_cpu_count(); i++) {
        json_object(&j, NULL);
        json_u64(&j, "cpu", i);
        json_u64(&j, "written", written(i));
        json_u64(&j, "kept", kept(i));
        json_object_end(&j);
    }
    json_array_end(&j);
    json_finish(&j);
}

void command_trace(const struct call *c)
{
    if (c->json) {
        state_json(c);
        return;
    }
    SAY(c, "  the trace is %s", trace_wanted() ? "on:" : "off");
    for (unsigned i = 0; i < TRACE_GROUPS; i++)
        if (trace_wanted() & trace_groups[i].kinds)
            SAY(c, " %s", trace_groups[i].name);
    SAY(c, "\n");
    for (unsigned i = 0; trace_ring_of(i); i++)
        SAY(c, "  CPU %u: %lu records written, %lu kept\n", i, written(i), kept(i));
}

/* --- show --- */

/* The rings of all CPUs in order of time. */
struct merge {
    uint64_t at[CPU_MAX], end[CPU_MAX];
    struct trace_record head[CPU_MAX];
    bool have[CPU_MAX];
};

static struct merge merge; /* too big for a stack */

static void advance(unsigned cpu)
{
    const struct trace_ring *ring = trace_ring_of(cpu);
    merge.have[cpu] = merge.at[cpu] < merge.end[cpu] &&
                      trace_ring_read(ring, &merge.at[cpu], &merge.head[cpu], 1) == 1;
}

/* Returns how many there are: the last `most` of each CPU. */
static uint64_t merge_begin(uint64_t most)
{
    uint64_t sum = 0;
    for (unsigned i = 0; trace_ring_of(i); i++) {
        uint64_t n = min_u64(kept(i), most);
        merge.end[i] = written(i);
        merge.at[i] = merge.end[i] - n;
        sum += n;
        advance(i);
    }
    return sum;
}

/* The CPU whose record in merge.head comes next, or -1. */
static int merge_next(void)
{
    int best = -1;
    for (unsigned i = 0; trace_ring_of(i); i++)
        if (merge.have[i] && (best < 0 || merge.head[i].tsc < merge.head[best].tsc))
            best = (int)i;
    return best;
}

static void say_value(const struct call *c, const struct trace_record *r)
{
    uint32_t x = r->value;
    switch (r->kind) {
    case TRACE_IN:
        SAY(c, "after %lu ns", host_tsc_to_ns(x));
        break;
    case TRACE_OUT:
        SAY(c, "%s", trace_why_name(x));
        break;
    case TRACE_WAKE:
    case TRACE_STEAL:
        SAY(c, "%s CPU %u", r->kind == TRACE_WAKE ? "on" : "from", x);
        break;
    case TRACE_EXIT:
        SAY(c, "%s, %u ticks", exit_kind_name(x & 0xff), x >> 8);
        break;
    case TRACE_PORT:
        SAY(c, "%#x, %s %u bytes", x & 0xffff, x >> 24 ? "in" : "out", x >> 16 & 0xff);
        break;
    case TRACE_INJECT:
        SAY(c, "vector %u, type %u", x & 0xff, x >> 8);
        break;
    case TRACE_TIMER:
        SAY(c, "%s", x == TRACE_TIMER_VCPU ? "it has slept enough" : "devices");
        break;
    case TRACE_PAGE:
        SAY(c, "%#lx", (uint64_t)x << 12);
        break;
    case TRACE_MSR:
    case TRACE_HYPERCALL:
        SAY(c, "%#x", x);
        break;
    default:
        break;
    }
}

static void say_record(const struct call *c, unsigned cpu, const struct trace_record *r)
{
    uint64_t ago = host_tsc_to_ns(host_now() - r->tsc), at = host_uptime_ns() - ago;
    const struct vm *vm = vm_at(r->vm);
    char who[CONFIG_NAME_MAX + 8] = "-";
    if (vm && r->vm != TRACE_NOBODY)
        fmt_print(who, sizeof(who), "%s/%u", vm->name, r->vcpu);
    SAY(c, "  %5lu.%09lu  CPU %-3u %-16s %-9s ", at / 1000000000, at % 1000000000, cpu, who,
        trace_kind_name(r->kind));
    say_value(c, r);
    SAY(c, "\n");
}

void command_trace_show(const struct call *c)
{
    uint64_t most = SHOWN_DEFAULT;
    if (c->argc && (!call_number(c->argv[0], &most) || !most || most > SHOWN_MAX)) {
        REFUSE(c, "%s: a number of records from 1 to %u\n", c->argv[0], SHOWN_MAX);
        return;
    }
    uint64_t n = merge_begin(most);
    if (!n)
        SAY(c, "  there are no records; trace start begins\n");
    for (int cpu; (cpu = merge_next()) >= 0; n--) {
        if (n <= most)
            say_record(c, (unsigned)cpu, &merge.head[cpu]);
        advance((unsigned)cpu);
    }
}

/* --- dump --- */

static struct {
    bool begun;
    unsigned cpu;
    uint64_t at, end; /* positions in cpu's ring */
    uint64_t lines;
} dump;

static void put_text(fmt_sink_fn *sink, void *ctx, const char *what, unsigned number,
                     const char *name)
{
    fmt_write(sink, ctx, "trace: name %s %u %s\n", what, number, name);
}

static void dump_head(fmt_sink_fn *sink, void *ctx)
{
    fmt_write(sink, ctx, "trace: begin 1 plinth %s cpus %u khz %lu now %lu uptime %lu\n",
              PLINTH_VERSION, host_cpu_count(), host_tsc_khz(), host_now(), host_uptime_ns());
    for (unsigned i = 0; i < vm_count(); i++)
        put_text(sink, ctx, "vm", i, vm_at(i)->name);
    for (unsigned i = 0; i < EXIT_KINDS; i++)
        put_text(sink, ctx, "exit", i, exit_kind_name(i));
    for (unsigned i = 0; i < TRACE_WHYS; i++)
        put_text(sink, ctx, "why", i, trace_why_name(i));
}

static void dump_enter(unsigned cpu)
{
    dump.cpu = cpu;
    dump.end = written(cpu);
    dump.at = dump.end - kept(cpu);
}

/* One line of the present CPU; false: it has no more. */
static bool dump_line(fmt_sink_fn *sink, void *ctx)
{
    const struct trace_ring *ring = trace_ring_of(dump.cpu);
    struct trace_codec codec = {0};
    uint8_t bytes[TRACE_LINE_BYTES + TRACE_ENCODED_MAX];
    char line[TRACE_LINE_MAX];
    size_t used = 0;
    uint64_t first = dump.at;
    while (dump.at < dump.end && used + TRACE_ENCODED_MAX <= TRACE_LINE_BYTES) {
        struct trace_record r;
        uint64_t before = dump.at;
        bool whole = trace_ring_read(ring, &dump.at, &r, 1);
        if (dump.at == before)
            break; /* the ring has begun anew */
        if (!whole)
            continue; /* overwritten meanwhile */
        if (!used)
            first = dump.at - 1;
        used += trace_encode(&codec, &r, bytes + used);
    }
    if (!used)
        return false;
    size_t n = trace_line_write(line, dump.cpu, first, bytes, used);
    line[n++] = '\n';
    sink(ctx, line, n);
    dump.lines++;
    return true;
}

static uint64_t dump_step(fmt_sink_fn *sink, void *ctx)
{
    if (!dump.begun) {
        dump_head(sink, ctx);
        dump.begun = true;
        dump_enter(0);
        return 0;
    }
    for (unsigned n = 0; n < JOB_ROOM / TRACE_LINE_MAX; n++) {
        if (!trace_ring_of(dump.cpu)) {
            fmt_write(sink, ctx, "trace: end %lu\n", dump.lines);
            return JOB_DONE;
        }
        if (!dump_line(sink, ctx))
            dump_enter(dump.cpu + 1);
    }
    return 0;
}

void command_trace_dump(const struct call *c)
{
    if (!trace_ring_of(0)) {
        REFUSE(c, "there are no records; trace start begins\n");
        return;
    }
    if (!job_may_start(c, dump_step))
        return;
    memset(&dump, 0, sizeof(dump));
    job_start(c, dump_step, NULL, false);
}
