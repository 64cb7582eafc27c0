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

static void vm_mem_json(struct json *j, const struct vm *vm)
{
    const struct footprint *f = &vm->footprint;
    json_object(j, NULL);
    json_text(j, "name", vm->name);
    json_u64(j, "memory", vm->memory);
    json_bool(j, "held", holds_memory(vm));
    json_u64(j, "page_tables", f->tables * PAGE_SIZE);
    json_u64(j, "own", f->own * PAGE_SIZE);
    json_u64(j, "start_ticks", footprint_start_ticks(f));
    json_u64(j, "scrub_ticks", f->scrubbed);
    json_u64(j, "stop_ticks", footprint_stop_ticks(f));
    json_u64(j, "end_ticks", footprint_end_ticks(f));
    json_object_end(j);
}

static void mem_json(const struct call *c)
{
    struct json j;
    json_begin(&j, c->sink, c->ctx);
    pool_json(&j, "hypervisor", &hypervisor_pool);
    pool_json(&j, "guest", &guest_pool);
    json_u64(&j, "image", footprint_image());
    json_u64(&j, "text", footprint_text());
    json_u64(&j, "taken", footprint_taken());
    json_array(&j, "vms");
    for (unsigned i = 0; i < vm_count(); i++)
        vm_mem_json(&j, vm_at(i));
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
    SAY(c, "  %-16s %9lu KiB taken: image %lu KiB (code %lu), the rest of the first pool\n",
        "Plinth", footprint_taken() / 1024, footprint_image() / 1024, footprint_text() / 1024);
    for (unsigned i = 0; i < vm_count(); i++) {
        const struct vm *vm = vm_at(i);
        if (holds_memory(vm))
            SAY(c, "  vm %-13s %9lu KiB in use, and of Plinth's %lu KiB, page tables %lu KiB\n",
                vm->name, vm->memory / 1024, vm->footprint.own * 4, vm->footprint.tables * 4);
        else
            SAY(c, "  vm %-13s %9lu KiB not held\n", vm->name, vm->memory / 1024);
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
