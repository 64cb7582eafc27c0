/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `boot` and `config`: with what this machine was started, how long each step took, and what the
 * VMs' definitions are now. JSON: docs/json.md.
 */
#include "core/boot_facts.h"
#include "core/commands.h"
#include "core/footprint.h"
#include "core/host.h"
#include "core/lib/json.h"
#include "core/modules.h"
#include "core/version.h"
#include "core/vm.h"

#define STEPS 24

static struct boot_facts facts = {"", "", false, 0};
static struct {
    const char *name;
    uint64_t tsc; /* its end */
} steps[STEPS];
static unsigned step_count;

void boot_facts_set(const struct boot_facts *f)
{
    facts = *f;
}

void boot_step_done(const char *name)
{
    if (step_count == STEPS)
        return;
    steps[step_count].name = name;
    steps[step_count++].tsc = host_now();
}

/* The first step has no beginning but the machine's. */
static uint64_t step_us(unsigned i)
{
    return i ? host_tsc_to_ns(steps[i].tsc - steps[i - 1].tsc) / 1000 : 0;
}

static void boot_json(const struct call *c)
{
    struct json j;
    json_begin(&j, c->sink, c->ctx);
    json_text(&j, "version", PLINTH_VERSION);
    json_text(&j, "loader", facts.loader);
    json_bool(&j, "efi", facts.efi);
    json_text(&j, "cmdline", facts.cmdline);
    json_u64(&j, "memory", facts.memory);
    json_u64(&j, "cpus", host_cpu_count());
    json_u64(&j, "tsc_khz", host_tsc_khz());
    json_u64(&j, "uptime_ns", host_uptime_ns());
    uint64_t scrubbing, ticks = footprint_first_ticks(&scrubbing);
    json_u64(&j, "first_guest_ticks", ticks);
    json_u64(&j, "scrub_ticks", scrubbing);
    json_array(&j, "modules");
    for (unsigned i = 0; i < modules_count(); i++) {
        json_object(&j, NULL);
        json_text(&j, "name", modules_at(i)->name);
        json_u64(&j, "bytes", modules_at(i)->len);
        json_object_end(&j);
    }
    json_array_end(&j);
    json_array(&j, "steps");
    for (unsigned i = 0; i < step_count; i++) {
        json_object(&j, NULL);
        json_text(&j, "name", steps[i].name);
        json_u64(&j, "us", step_us(i));
        json_object_end(&j);
    }
    json_array_end(&j);
    json_finish(&j);
}

void command_boot(const struct call *c)
{
    if (c->json) {
        boot_json(c);
        return;
    }
    SAY(c, "  Plinth %s, loaded by %s%s\n  command line '%s'\n", PLINTH_VERSION, facts.loader,
        facts.efi ? " (UEFI)" : "", facts.cmdline);
    SAY(c, "  %u CPUs, %lu MiB usable, TSC %lu kHz\n", host_cpu_count(), facts.memory >> 20,
        host_tsc_khz());
    SAY(c, "  boot modules:\n");
    for (unsigned i = 0; i < modules_count(); i++)
        SAY(c, "    %-32s %10lu bytes\n", modules_at(i)->name, modules_at(i)->len);
    SAY(c, "  what took how long:\n");
    for (unsigned i = 1; i < step_count; i++)
        SAY(c, "    %-32s %10lu us\n", steps[i].name, step_us(i));
    uint64_t scrubbing, ticks = footprint_first_ticks(&scrubbing);
    if (ticks)
        SAY(c, "  first guest instruction %lu ticks after entry, without %lu of scrubbing\n", ticks,
            scrubbing);
}

/* --- config --- */

static void config_vm_json(struct json *j, const struct vm *vm)
{
    json_object(j, NULL);
    json_text(j, "name", vm->name);
    json_text(j, "kernel", vm->kernel);
    json_text(j, "initrd", vm->initrd);
    json_text(j, "cmdline", vm->cmdline);
    json_text(j, "modules", vm->modules);
    json_u64(j, "memory", vm->memory);
    json_u64(j, "cpus", vm->cpus);
    json_bool(j, "autostart", vm->autostart);
    json_u64(j, "weight", vm->weight);
    json_u64(j, "cap", vm->cap.percent);
    json_text(j, "pin", vm->pin);
    json_u64(j, "scrollback", vm->scrollback_bytes);
    json_bool(j, "testdev", vm->want_testdev);
    json_text(j, "on_reboot", config_action_name(vm->on_reboot));
    json_text(j, "on_poweroff", config_action_name(vm->on_poweroff));
    json_text(j, "on_crash", config_action_name(vm->on_crash));
    json_object_end(j);
}

static void say_text(const struct call *c, const char *key, const char *value)
{
    if (*value)
        SAY(c, "%s = %s\n", key, value);
}

static void say_vm(const struct call *c, const struct vm *vm)
{
    SAY(c, "[vm %s]\n", vm->name);
    say_text(c, "kernel", vm->kernel);
    say_text(c, "initrd", vm->initrd);
    say_text(c, "cmdline", vm->cmdline);
    say_text(c, "modules", vm->modules);
    SAY(c, "memory = %luK\ncpus = %u\nautostart = %s\n", vm->memory / 1024, vm->cpus,
        vm->autostart ? "yes" : "no");
    SAY(c, "weight = %u\ncap = %u\n", vm->weight, vm->cap.percent);
    say_text(c, "pin", vm->pin);
    SAY(c, "scrollback = %luK\n", vm->scrollback_bytes / 1024);
    if (vm->want_testdev)
        SAY(c, "devices = +testdev\n");
    say_text(c, "on_reboot", config_action_name(vm->on_reboot));
    say_text(c, "on_poweroff", config_action_name(vm->on_poweroff));
    say_text(c, "on_crash", config_action_name(vm->on_crash));
}

void command_config(const struct call *c)
{
    struct json j;
    if (!c->json) {
        for (unsigned i = 0; i < vm_count(); i++)
            say_vm(c, vm_at(i));
        if (!vm_count())
            SAY(c, "no VMs are defined\n");
        return;
    }
    json_begin(&j, c->sink, c->ctx);
    json_array(&j, "vms");
    for (unsigned i = 0; i < vm_count(); i++)
        config_vm_json(&j, vm_at(i));
    json_array_end(&j);
    json_finish(&j);
}
