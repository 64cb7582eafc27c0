/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The list of CPUs: asks no CPU for anything and takes no lock, it must answer when one of them
 * hangs. What others write is read once and only compared: a vCPU that a CPU holds may be gone by
 * the time it is looked at, so its name is found among those of the VMs that there are.
 */
#include "core/commands.h"
#include "core/host.h"
#include "core/lib/json.h"
#include "core/stat.h"
#include "core/vm.h"

/* "VM/VCPU", or "-". */
static void name_vcpu(const void *vcpu, char *text, size_t size)
{
    fmt_print(text, size, "-");
    for (unsigned i = 0; vcpu && i < vm_count(); i++) {
        const struct vm *vm = vm_at(i);
        for (unsigned k = 0; k < vm->vcpu_count; k++)
            if (vm->vcpu[k] == vcpu)
                fmt_print(text, size, "%s/%u", vm->name, k);
    }
}

/* How far the CPU's TSC was from the boot CPU's. */
static void name_skew(unsigned cpu, char *text, size_t size)
{
    uint64_t uncertainty;
    int64_t skew = host_cpu_tsc_skew(cpu, &uncertainty);
    uint64_t distance = skew < 0 ? -(uint64_t)skew : (uint64_t)skew;
    if (cpu == 0)
        fmt_print(text, size, "-");
    else
        fmt_print(text, size, "%s%lu +-%lu ns", skew < 0 ? "-" : "", host_tsc_to_ns(distance),
                  host_tsc_to_ns(uncertainty));
}

static void show(unsigned cpu, fmt_sink_fn *sink, void *ctx)
{
    char vcpu[40], skew[40];
    uint64_t idle = host_tsc_to_ns(host_cpu_idle(cpu)) / 1000000;
    uint64_t up = host_uptime_ns() / 1000000;
    name_vcpu(host_cpu_vcpu(cpu), vcpu, sizeof(vcpu));
    name_skew(cpu, skew, sizeof(skew));
    fmt_write(sink, ctx, "  %3u %8u  %-7s %-20s %8lu ms %8lu ms  %s\n", cpu, host_cpu_apic_id(cpu),
              cpu == host_cpu_index() ? "here" : "online", vcpu, idle, up > idle ? up - idle : 0,
              skew);
}

static void json_cpu(struct json *j, unsigned cpu)
{
    char vcpu[40];
    uint64_t uncertainty, idle = host_tsc_to_ns(host_cpu_idle(cpu));
    int64_t skew = host_cpu_tsc_skew(cpu, &uncertainty);
    name_vcpu(host_cpu_vcpu(cpu), vcpu, sizeof(vcpu));
    json_object(j, NULL);
    json_u64(j, "cpu", cpu);
    json_u64(j, "apic_id", host_cpu_apic_id(cpu));
    json_text(j, "holds", vcpu[0] == '-' ? "" : vcpu);
    json_u64(j, "idle_ns", idle);
    json_u64(j, "idle_permille", stat_cpu_idle(cpu));
    json_i64(j, "tsc_ahead_ticks", cpu ? skew : 0);
    json_object_end(j);
}

static void cpu_json(const struct call *c)
{
    struct json j;
    uint32_t apic_id;
    const char *why;
    json_begin(&j, c->sink, c->ctx);
    json_u64(&j, "uptime_ns", host_uptime_ns());
    json_array(&j, "cpus");
    for (unsigned i = 0; i < host_cpu_count(); i++)
        json_cpu(&j, i);
    json_array_end(&j);
    json_array(&j, "left_out");
    for (unsigned i = 0; (why = host_cpu_left_out(i, &apic_id)); i++) {
        json_object(&j, NULL);
        json_u64(&j, "apic_id", apic_id);
        json_text(&j, "why", why);
        json_object_end(&j);
    }
    json_array_end(&j);
    json_finish(&j);
}

void command_cpu(const struct call *c)
{
    if (c->json) {
        cpu_json(c);
        return;
    }
    fmt_sink_fn *sink = c->sink;
    void *ctx = c->ctx;
    uint32_t apic_id;
    const char *why;
    fmt_write(sink, ctx, "  %3s %8s  %-7s %-20s %11s %11s  %s\n", "CPU", "APIC ID", "STATE",
              "HOLDS VM/VCPU", "IDLE", "BUSY", "TSC AHEAD");
    for (unsigned i = 0; i < host_cpu_count(); i++)
        show(i, sink, ctx);
    for (unsigned i = 0; (why = host_cpu_left_out(i, &apic_id)); i++)
        fmt_write(sink, ctx, "    - %8u  left out: %s\n", apic_id, why);
}
