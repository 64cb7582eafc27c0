/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of VMs: records made of the configuration, found by name or place, and forgotten. What
 * becomes of a VM in between is vm.c's. Boot CPU only.
 */
#include "core/vm.h"

#include "core/console.h"
#include "core/host.h"
#include "core/lib/string.h"
#include "core/log.h"
#include "mm/pool.h"

#define CAP_PERIOD_NS UINT64_C(100000000)

static struct vm *vms[VM_MAX];
static unsigned count;

unsigned vm_count(void)
{
    return count;
}

struct vm *vm_at(unsigned i)
{
    return i < count ? vms[i] : NULL;
}

struct vm *vm_find(const char *name)
{
    for (unsigned i = 0; i < count; i++)
        if (str_eq(vms[i]->name, name))
            return vms[i];
    return NULL;
}

bool vm_any_alive(void)
{
    for (unsigned i = 0; i < count; i++)
        if (vms[i]->state != VM_DEFINED && vms[i]->state < VM_KEPT)
            return true;
    return false;
}

bool vm_ended_well(const struct vm *vm)
{
    switch (vm->stop_reason) {
    case STOP_EXIT:
        return vm->status == 0;
    case STOP_NONE:
    case STOP_RESET:
    case STOP_POWEROFF:
    case STOP_HALTED:
    case STOP_OPERATOR:
        return true;
    default:
        return false;
    }
}

const char *vm_state_name(const struct vm *vm)
{
    static const char *const names[] = {
        [VM_DEFINED] = "defined", [VM_STARTING] = "starting", [VM_RUNNING] = "running",
        [VM_ENDING] = "ending",   [VM_KEPT] = "kept",     [VM_ENDED] = "ended",
    };
    if (vm->state == VM_RUNNING && vm->stop_reason != STOP_NONE)
        return "ending"; /* its vCPUs are on their way out */
    if (vm->state == VM_RUNNING && vm->paused)
        return "paused";
    return names[vm->state];
}

const char *stop_reason_name(enum stop_reason reason)
{
    static const char *const names[] = {
        [STOP_NONE] = "none",
        [STOP_EXIT] = "exit",
        [STOP_RESET] = "reset",
        [STOP_POWEROFF] = "poweroff",
        [STOP_HALTED] = "halted",
        [STOP_OPERATOR] = "operator",
        [STOP_LOAD] = "load",
        [STOP_TRIPLE_FAULT] = "triple-fault",
        [STOP_ENTRY_FAILED] = "entry-failed",
        [STOP_UNSUPPORTED] = "unsupported",
        [STOP_MACHINE_CHECK] = "machine-check",
    };
    return names[reason];
}

/* The lowest that no VM has: translations are tagged with it, and the tag has 16 bits. */
static uint32_t free_slot(void)
{
    uint32_t slot = 0;
    for (unsigned i = 0; i < count;)
        if (vms[i++]->slot == slot) {
            slot++;
            i = 0;
        }
    return slot;
}

static char *put_text(char *at, const char *text)
{
    size_t n = strlen(text) + 1;
    memcpy(at, text, n);
    return at + n;
}

/* The texts go behind the record, which outlives what it is made from. */
struct vm *vm_define(const struct config *config, const struct config_vm *definition)
{
    struct config_text texts[] = {definition->kernel, definition->initrd, definition->cmdline,
                                  definition->modules};
    size_t bytes = sizeof(struct vm);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        bytes += strlen(config_text(config, texts[i])) + 1;
    unsigned pages = (unsigned)(ALIGN_UP(bytes, PAGE_SIZE) / PAGE_SIZE);
    struct vm *vm = count == VM_MAX ? NULL : pool_alloc_pages(pages, NULL);
    if (!vm)
        return NULL;
    vm->record_pages = pages;
    char *behind = (char *)(vm + 1);
    const char **fields[] = {&vm->kernel, &vm->initrd, &vm->cmdline, &vm->modules};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        *fields[i] = behind;
        behind = put_text(behind, config_text(config, texts[i]));
    }
    str_copy(vm->name, sizeof(vm->name), definition->name);
    str_copy(vm->pin, sizeof(vm->pin), config_text(config, definition->pin));
    vm->slot = free_slot();
    vm->autostart = definition->autostart;
    vm->weight = definition->weight;
    vm->memory = definition->memory;
    for (vm->scrollback_bytes = definition->scrollback ? PAGE_SIZE : 0;
         vm->scrollback_bytes < definition->scrollback;)
        vm->scrollback_bytes *= 2;
    vm->cpus = definition->cpus;
    vm->want_testdev = definition->devices & CONFIG_DEVICE_TESTDEV;
    vm->on_reboot = (uint8_t)definition->on_reboot;
    vm->on_poweroff = (uint8_t)definition->on_poweroff;
    vm->on_crash = (uint8_t)definition->on_crash;
    lock_init(&vm->lock, LOCK_ORDER_VM, "vm");
    timerq_entry_init(&vm->timer.entry);
    cap_init(&vm->cap, definition->cap, host_ns_to_tsc(CAP_PERIOD_NS), host_now());
    vm->timer.vm = vm;
    vms[count++] = vm;
    return vm;
}

uint64_t vm_record_pages(void)
{
    uint64_t pages = 0;
    for (unsigned i = 0; i < count; i++)
        pages += vms[i]->record_pages;
    return pages;
}

/* It holds nothing but its record. Who has a VM's address for longer than one command (the console)
 * is told here; all others have its name. */
void vm_forget(struct vm *vm)
{
    unsigned i = 0;
    console_forget(vm);
    while (vms[i] != vm)
        i++;
    count--;
    for (; i < count; i++)
        vms[i] = vms[i + 1];
    log_info("vm %s: destroyed", vm->name);
    pool_free_pages(vm, vm->record_pages);
}
