/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What there is to see of VMs: `vm list` and `vm show`. Reads; changes nothing, waits for no guest.
 */
#include "core/backend.h"
#include "core/commands.h"
#include "core/host.h"
#include "core/interrupt.h"
#include "core/lib/json.h"
#include "core/report.h"
#include "core/sched.h"
#include "core/stat.h"
#include "core/vm.h"

static uint64_t ticks_ms(uint64_t ticks)
{
    return host_tsc_to_ns(ticks) / 1000000;
}

/* A VM's end adds up its vCPUs, which one that is kept still has. */
static unsigned vcpus_to_add(const struct vm *vm)
{
    return vm->state > VM_RUNNING ? 0 : vm->vcpu_count;
}

static uint64_t vm_ran(const struct vm *vm)
{
    uint64_t ran = vm->ran;
    for (unsigned i = 0; i < vcpus_to_add(vm); i++)
        ran += vm->vcpu[i]->ran;
    return ran;
}

static uint64_t vm_exits(const struct vm *vm)
{
    uint64_t n = vm->exits;
    for (unsigned i = 0; i < vcpus_to_add(vm); i++)
        for (unsigned k = 0; k < EXIT_KINDS; k++)
            n += vm->vcpu[i]->exits[k];
    return n;
}

static void list_json(const struct call *c)
{
    struct json j;
    json_begin(&j, c->sink, c->ctx);
    json_array(&j, "vms");
    for (unsigned i = 0; i < vm_count(); i++) {
        const struct vm *vm = vm_at(i);
        json_object(&j, NULL);
        json_text(&j, "name", vm->name);
        json_text(&j, "state", vm_state_name(vm));
        json_u64(&j, "vcpus", vm->cpus);
        json_u64(&j, "memory", vm->memory);
        json_u64(&j, "ran_ns", host_tsc_to_ns(vm_ran(vm)));
        json_u64(&j, "exits", vm_exits(vm));
        json_u64(&j, "restarts", vm->restarts);
        json_text(&j, "end", vm->end_text);
        json_object_end(&j);
    }
    json_array_end(&j);
    json_finish(&j);
}

void command_vm_list(const struct call *c)
{
    if (c->json) {
        list_json(c);
        return;
    }
    if (vm_count() == 0) {
        SAY(c, "no VMs: the configuration defines none, or this machine cannot run them (caps)\n");
        return;
    }
    SAY(c, "  %-16s %-9s %10s %10s %10s  %s\n", "NAME", "STATE", "MEMORY", "RAN", "EXITS", "END");
    for (unsigned i = 0; i < vm_count(); i++) {
        const struct vm *vm = vm_at(i);
        SAY(c, "  %-16s %-9s %6lu KiB %7lu ms %10lu  %s\n", vm->name, vm_state_name(vm),
            vm->memory / 1024, ticks_ms(vm_ran(vm)), vm_exits(vm), vm->end_text);
    }
}

static void show_registers(struct vcpu *v, void *arg)
{
    const struct call *c = arg;
    report_registers(v, c->sink, c->ctx);
}

/* The last exit's kind; "" before the first. */
static const char *last_exit(const struct vcpu *v)
{
    uint64_t any = 0;
    for (unsigned k = 0; k < EXIT_KINDS; k++)
        any |= v->exits[k];
    return any ? exit_kind_name(v->trail[(uint8_t)(v->trail_at - 1)]) : "";
}

static void say_rates(const struct call *c, const struct vcpu *v)
{
    struct stat_rate r;
    stat_vcpu(v, &r);
    unsigned share = stat_share(r.ran, r.window);
    SAY(c, "  within the last %lu ms: %lu exits per second, %u.%u %% of a CPU, %lu wake-ups per "
        "second\n", ticks_ms(r.window), stat_per_second(r.all_exits, r.window), share / 10,
        share % 10, stat_per_second(r.wakes, r.window));
}

/* What waits to go in, at this moment; -1: no interrupt. */
static int pending_vector(const struct vcpu *v)
{
    int irr = vlapic_highest_irr(&v->apic);
    for (int i = 7; i >= 0; i--) {
        uint32_t word = __atomic_load_n(&v->posted[i], __ATOMIC_RELAXED);
        int vector = word ? 32 * i + 31 - __builtin_clz(word) : -1;
        irr = vector > irr ? vector : irr;
    }
    return irr;
}

static void say_pending(const struct call *c, const struct vcpu *v)
{
    int vector = pending_vector(v), isr = vlapic_highest_isr(&v->apic);
    SAY(c, "  pending:");
    if (v->nmi_pending)
        SAY(c, " NMI");
    if (v->exception_valid)
        SAY(c, " exception %u", v->exception.vector);
    if (vector >= 0)
        SAY(c, " interrupt %d", vector);
    if (v->index == 0 && v->vm->pic_intr)
        SAY(c, " 8259");
    SAY(c, "%s", v->nmi_pending || v->exception_valid || vector >= 0 ||
                     (v->index == 0 && v->vm->pic_intr) ? "" : " nothing");
    if (isr >= 0)
        SAY(c, "; in service: interrupt %d", isr);
    SAY(c, "\n");
}

static void json_registers(struct vcpu *v, void *arg)
{
    struct json *j = arg;
    json_hex(j, "rip", backend->get_reg(v, VREG_RIP));
    json_hex(j, "rflags", backend->get_reg(v, VREG_RFLAGS));
    json_text(j, "mode", report_mode_name(v));
}

static void json_vcpu(struct json *j, struct vcpu *v)
{
    struct stat_rate r;
    int vector = pending_vector(v);
    stat_vcpu(v, &r);
    json_object(j, NULL);
    json_u64(j, "vcpu", v->index);
    json_text(j, "state", report_state_name(v));
    json_bool(j, "waits_for_startup", v->waits_for_startup);
    json_u64(j, "cpu", v->cpu);
    sched_inspect(v, json_registers, j);
    json_text(j, "last_exit", last_exit(v));
    json_u64(j, "window_ns", host_tsc_to_ns(r.window));
    json_u64(j, "exits_per_second", stat_per_second(r.all_exits, r.window));
    json_u64(j, "share_permille", stat_share(r.ran, r.window));
    json_u64(j, "wakes_per_second", stat_per_second(r.wakes, r.window));
    json_u64(j, "ran_ns", host_tsc_to_ns(v->ran));
    json_u64(j, "turns", v->switches);
    json_bool(j, "pending_nmi", v->nmi_pending);
    json_bool(j, "pending_exception", v->exception_valid);
    json_i64(j, "pending_interrupt", vector);
    json_bool(j, "pending_8259", v->index == 0 && v->vm->pic_intr);
    json_object(j, "exits");
    for (unsigned k = 0; k < EXIT_KINDS; k++)
        if (v->exits[k])
            json_u64(j, exit_kind_name(k), v->exits[k]);
    json_object_end(j);
    json_object_end(j);
}

static void show_json(const struct call *c, struct vm *vm)
{
    struct json j;
    json_begin(&j, c->sink, c->ctx);
    json_text(&j, "name", vm->name);
    json_text(&j, "state", vm_state_name(vm));
    json_text(&j, "end", vm->end_text);
    json_text(&j, "reason", stop_reason_name((enum stop_reason)vm->stop_reason));
    json_bool(&j, "well", vm_ended_well(vm));
    json_text(&j, "kernel", vm->kernel);
    json_text(&j, "initrd", vm->initrd);
    json_text(&j, "cmdline", vm->cmdline);
    json_u64(&j, "memory", vm->memory);
    json_u64(&j, "restarts", vm->restarts);
    json_i64(&j, "last_console_byte",
             vm->console_used ? (unsigned char)vm->last_console_byte : -1);
    json_u64(&j, "unlisted_msr_accesses", vm->unlisted_msrs);
    json_array(&j, "vcpus");
    for (unsigned i = 0; vm->state == VM_RUNNING && i < vm->vcpu_count; i++)
        json_vcpu(&j, vm->vcpu[i]);
    json_array_end(&j);
    json_finish(&j);
}

static void show_vcpu(const struct call *c, struct vcpu *v)
{
    SAY(c, "  vCPU %u: %s on CPU %u, ran %lu ms in %lu turns", v->index,
        report_state_name(v), v->cpu,
        ticks_ms(v->ran), v->switches);
    if (v->state == VCPU_BLOCKED && v->waits_for_startup)
        SAY(c, ", waits for its start-up IPI");
    else if (v->state == VCPU_BLOCKED && v->stalled)
        SAY(c, ", waits for room on the console");
    else if (v->state == VCPU_BLOCKED && v->wake_at == UINT64_MAX)
        SAY(c, ", waits for an event");
    else if (v->state == VCPU_BLOCKED)
        SAY(c, ", sleeps until %lu ms after the start of Plinth",
            (host_uptime_ns() + host_tsc_to_ns(v->wake_at - host_now())) / 1000000);
    SAY(c, "\n");
    say_rates(c, v);
    say_pending(c, v);
    sched_inspect(v, show_registers, (void *)c);
    report_trail(v, c->sink, c->ctx);
    SAY(c, "  exits:\n");
    report_exits(v, c->sink, c->ctx);
}

void command_vm_show(const struct call *c)
{
    struct vm *vm = call_vm(c, 0);
    if (!vm)
        return;
    if (c->json) {
        show_json(c, vm);
        return;
    }
    SAY(c, "  %s: %s%s%s\n", vm->name, vm_state_name(vm), vm->end_text[0] ? ": " : "",
        vm->end_text);
    SAY(c, "  kernel %s  initrd %s  memory %lu KiB\n", vm->kernel,
        vm->initrd[0] ? vm->initrd : "none", vm->memory / 1024);
    SAY(c, "  cmdline %s\n", vm->cmdline[0] ? vm->cmdline : "(empty)");
    SAY(c, "  weight %u  cap %u  pin %s  autostart %s\n", vm->weight, vm->cap.percent,
        vm->pin[0] ? vm->pin : "none", vm->autostart ? "yes" : "no");
    if (vm->state == VM_ENDED)
        SAY(c, "  ended by %s%s\n", stop_reason_name((enum stop_reason)vm->stop_reason),
            vm_ended_well(vm) ? ", well" : ", badly");
    if (vm->console_used)
        SAY(c, "  last console byte %#04x\n", (unsigned char)vm->last_console_byte);
    else
        SAY(c, "  nothing on its console yet\n");
    SAY(c, "  unlisted MSR accesses %lu\n", vm->unlisted_msrs);
    if (vm->state == VM_RUNNING)
        for (unsigned i = 0; i < vm->vcpu_count; i++)
            show_vcpu(c, vm->vcpu[i]);
}
