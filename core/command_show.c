/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What there is to see of VMs: `vm list` and `vm show`. Reads; changes nothing, waits for no guest.
 */
#include "core/commands.h"
#include "core/host.h"
#include "core/report.h"
#include "core/sched.h"
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

void command_vm_list(const struct call *c)
{
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

static void show_vcpu(const struct call *c, struct vcpu *v)
{
    static const char *const states[] = {[VCPU_OFF] = "off", [VCPU_QUEUED] = "runnable",
                                         [VCPU_RUNNING] = "running", [VCPU_BLOCKED] = "halted"};
    SAY(c, "  vCPU %u: %s on CPU %u, ran %lu ms in %lu turns", v->index, states[v->state], v->cpu,
        ticks_ms(v->ran), v->switches);
    if (v->state == VCPU_BLOCKED && v->waits_for_startup)
        SAY(c, ", waits for its start-up IPI");
    else if (v->state == VCPU_BLOCKED && v->wake_at == UINT64_MAX)
        SAY(c, ", waits for an event");
    else if (v->state == VCPU_BLOCKED)
        SAY(c, ", sleeps until %lu ms after the start of Plinth",
            (host_uptime_ns() + host_tsc_to_ns(v->wake_at - host_now())) / 1000000);
    SAY(c, "\n");
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
