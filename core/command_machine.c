/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands about the machine below the VMs: its features, memory, clocks, and its end.
 */
#include "core/commands.h"
#include "core/host.h"
#include "core/lib/json.h"
#include "core/panic.h"
#include "core/power.h"
#include "core/version.h"
#include "core/vm.h"
#include "mm/pool.h"

static caps_print_fn *caps_print;

void command_set_caps(caps_print_fn *fn)
{
    caps_print = fn;
}

void command_caps(const struct call *c)
{
    if (caps_print)
        caps_print(c->sink, c->ctx);
}

static void show_pool(const struct call *c, const struct page_alloc *pool)
{
    uint64_t total = page_alloc_total(pool) * 4, unused = page_alloc_free(pool) * 4;
    SAY(c, "  %-16s %9lu KiB total %9lu KiB used %9lu KiB free (%lu blocks of 2 MiB)\n",
        pool->name, total, total - unused, unused, page_alloc_free_2m(pool));
}

static bool holds_memory(const struct vm *vm)
{
    return vm->state != VM_DEFINED && vm->state != VM_ENDED;
}

static void pool_json(struct json *j, const char *key, const struct page_alloc *pool)
{
    json_object(j, key);
    json_u64(j, "total", page_alloc_total(pool) * PAGE_SIZE);
    json_u64(j, "free", page_alloc_free(pool) * PAGE_SIZE);
    json_u64(j, "free_blocks_2m", page_alloc_free_2m(pool));
    json_object_end(j);
}

static void mem_json(const struct call *c)
{
    struct json j;
    json_begin(&j, c->sink, c->ctx);
    pool_json(&j, "hypervisor", &hypervisor_pool);
    pool_json(&j, "guest", &guest_pool);
    json_array(&j, "vms");
    for (unsigned i = 0; i < vm_count(); i++) {
        json_object(&j, NULL);
        json_text(&j, "name", vm_at(i)->name);
        json_u64(&j, "memory", vm_at(i)->memory);
        json_bool(&j, "held", holds_memory(vm_at(i)));
        json_object_end(&j);
    }
    json_array_end(&j);
    json_finish(&j);
}

void command_mem(const struct call *c)
{
    if (c->json) {
        mem_json(c);
        return;
    }
    show_pool(c, &hypervisor_pool);
    show_pool(c, &guest_pool);
    for (unsigned i = 0; i < vm_count(); i++) {
        const struct vm *vm = vm_at(i);
        SAY(c, "  vm %-13s %9lu KiB %s\n", vm->name, vm->memory / 1024,
            holds_memory(vm) ? "in use" : "not held");
    }
}

/* In seconds since 1970, as `date +%s` in a guest says it. */
void command_time(const struct call *c)
{
    uint64_t up = host_uptime_ns() / 1000000;
    SAY(c, "  UTC %ld s since 1970, battery clock %ld; up %lu.%03lu s\n", (long)host_wall_clock(),
        (long)host_battery_clock(), (unsigned long)(up / 1000), (unsigned long)(up % 1000));
}

void command_version(const struct call *c)
{
    SAY(c, "Plinth %s\n", PLINTH_VERSION);
}

void command_panic(const struct call *c)
{
    (void)c;
    panic("asked for by the operator");
}

void command_reboot(const struct call *c)
{
    (void)c;
    power_reboot();
}

void command_poweroff(const struct call *c)
{
    (void)c;
    power_off();
}
