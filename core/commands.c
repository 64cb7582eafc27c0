/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands: a table, and a function a row. Answers go to the sink they were given; a command
 * never waits for a guest.
 */
#include "core/commands.h"

#include "core/backend.h"
#include "core/console.h"
#include "core/cpu_command.h"
#include "core/host.h"
#include "core/lib/string.h"
#include "core/log.h"
#include "core/panic.h"
#include "core/power.h"
#include "core/report.h"
#include "core/sched.h"
#include "core/version.h"
#include "core/vm.h"
#include "mm/pool.h"

struct call {
    fmt_sink_fn *sink;
    void *ctx;
    const char *argument; /* "" when there is none */
};

typedef void command_fn(const struct call *c);

static command_fn command_help, command_vm_list, command_vm_show, command_attach, command_log,
    command_caps, command_cpu, command_mem, command_time, command_version, command_panic,
    command_reboot, command_poweroff;

static const struct command {
    const char *name;     /* one or two words */
    const char *argument; /* how help shows it; NULL: it takes none */
    command_fn *fn;
    const char *help;
} commands[] = {
    {"help", NULL, command_help, "this list"},
    {"vm list", NULL, command_vm_list, "every VM: state, memory, CPU share, exits"},
    {"vm show", "NAME", command_vm_show, "one VM: is it alive, and what does it do"},
    {"attach", "NAME", command_attach, "a VM's console; " CONSOLE_ESCAPE_NAME " leaves it"},
    {"log", NULL, command_log, "what has been printed so far"},
    {"caps", NULL, command_caps, "what this CPU has, and what Plinth wants and needs"},
    {"cpu", NULL, command_cpu, "every CPU: what it holds, idle and busy time"},
    {"mem", NULL, command_mem, "memory: pools and VMs"},
    {"time", NULL, command_time, "this machine's clocks"},
    {"version", NULL, command_version, "of this hypervisor"},
    {"panic", NULL, command_panic, "crash the hypervisor on purpose: see its report"},
    {"reboot", NULL, command_reboot, "restart the machine; VMs end"},
    {"poweroff", NULL, command_poweroff, "switch the machine off; VMs end"},
};

static caps_print_fn *caps_print;

void command_set_caps(caps_print_fn *fn)
{
    caps_print = fn;
}

#define SAY(c, ...) fmt_write((c)->sink, (c)->ctx, __VA_ARGS__)

static void command_help(const struct call *c)
{
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        const struct command *k = &commands[i];
        char usage[32];
        fmt_print(usage, sizeof(usage), "%s%s%s", k->name, k->argument ? " " : "",
                  k->argument ? k->argument : "");
        SAY(c, "  %-16s %s\n", usage, k->help);
    }
}

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

static void command_vm_list(const struct call *c)
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

/* The VM that was named, or NULL after an error that says which there are. */
static struct vm *named_vm(const struct call *c)
{
    struct vm *vm = vm_find(c->argument);
    if (vm)
        return vm;
    SAY(c, "no VM is called '%s'; there are:", c->argument);
    for (unsigned i = 0; i < vm_count(); i++)
        SAY(c, " %s", vm_at(i)->name);
    SAY(c, "%s\n", vm_count() ? "" : " none");
    return NULL;
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

static void command_vm_show(const struct call *c)
{
    struct vm *vm = named_vm(c);
    if (!vm)
        return;
    SAY(c, "  %s: %s%s%s\n", vm->name, vm_state_name(vm), vm->end_text[0] ? ": " : "",
        vm->end_text);
    SAY(c, "  kernel %s  initrd %s  memory %lu KiB\n", vm->kernel,
        vm->initrd[0] ? vm->initrd : "none", vm->memory / 1024);
    SAY(c, "  cmdline %s\n", vm->cmdline[0] ? vm->cmdline : "(empty)");
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

static void command_attach(const struct call *c)
{
    struct vm *vm = named_vm(c);
    if (!vm)
        return;
    if (vm->state != VM_RUNNING && vm->state != VM_STARTING) {
        SAY(c, "vm %s is %s: only a running VM has a console to attach to\n", vm->name,
            vm_state_name(vm));
        return;
    }
    SAY(c, "attached to %s; %s leaves it\n", vm->name, CONSOLE_ESCAPE_NAME);
    console_attach(vm);
}

static void command_log(const struct call *c)
{
    log_replay(c->sink, c->ctx);
}

static void command_caps(const struct call *c)
{
    if (caps_print)
        caps_print(c->sink, c->ctx);
}

static void command_cpu(const struct call *c)
{
    cpu_command_list(c->sink, c->ctx);
}

static void show_pool(const struct call *c, const struct page_alloc *pool)
{
    uint64_t total = page_alloc_total(pool) * 4, unused = page_alloc_free(pool) * 4;
    SAY(c, "  %-16s %9lu KiB total %9lu KiB used %9lu KiB free (%lu blocks of 2 MiB)\n",
        pool->name, total, total - unused, unused, page_alloc_free_2m(pool));
}

static void command_mem(const struct call *c)
{
    show_pool(c, &hypervisor_pool);
    show_pool(c, &guest_pool);
    for (unsigned i = 0; i < vm_count(); i++) {
        const struct vm *vm = vm_at(i);
        bool holds = vm->state != VM_DEFINED && vm->state != VM_ENDED;
        SAY(c, "  vm %-13s %9lu KiB %s\n", vm->name, vm->memory / 1024,
            holds ? "in use" : "not held");
    }
}

/* In seconds since 1970, as `date +%s` in a guest says it. */
static void command_time(const struct call *c)
{
    uint64_t up = host_uptime_ns() / 1000000;
    SAY(c, "  UTC %ld s since 1970, battery clock %ld; up %lu.%03lu s\n", (long)host_wall_clock(),
        (long)host_battery_clock(), (unsigned long)(up / 1000), (unsigned long)(up % 1000));
}

static void command_version(const struct call *c)
{
    SAY(c, "Plinth %s\n", PLINTH_VERSION);
}

static void command_panic(const struct call *c)
{
    (void)c;
    panic("asked for by the operator");
}

static void command_reboot(const struct call *c)
{
    (void)c;
    power_reboot();
}

static void command_poweroff(const struct call *c)
{
    (void)c;
    power_off();
}

/* If line begins with the words of name, the rest of it; else NULL. */
static const char *match(const char *text, const char *name)
{
    for (; *name; name++) {
        if (*name == ' ') {
            if (*text != ' ')
                return NULL;
            while (*text == ' ')
                text++;
        } else if (*text++ != *name) {
            return NULL;
        }
    }
    if (*text && *text != ' ')
        return NULL;
    while (*text == ' ')
        text++;
    return text;
}

static void run(const struct command *k, struct call *c)
{
    if (k->argument && !*c->argument)
        SAY(c, "usage: %s %s\n", k->name, k->argument);
    else if (!k->argument && *c->argument)
        SAY(c, "usage: %s (it takes no argument)\n", k->name);
    else if (strchr(c->argument, ' '))
        SAY(c, "usage: %s %s (one argument)\n", k->name, k->argument);
    else
        k->fn(c);
}

void command_run(char *line, fmt_sink_fn *sink, void *ctx)
{
    while (*line == ' ')
        line++;
    size_t n = strlen(line);
    while (n && line[n - 1] == ' ')
        line[--n] = '\0';
    if (!*line)
        return;
    struct call c = {sink, ctx, ""};
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        c.argument = match(line, commands[i].name);
        if (c.argument) {
            run(&commands[i], &c);
            return;
        }
    }
    SAY(&c, "unknown command '%s'; try help\n", line);
}
