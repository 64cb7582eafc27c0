/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM's RAM: blocks of the guest pool, mapped for the guest (EPT) and in the VM's own window, and
 * nowhere else. Knows nothing of why a VM starts or ends.
 */
#include "core/vm_memory.h"

#include "core/backend.h"
#include "core/code_pages.h"
#include "core/host.h"
#include "core/panic.h"
#include "core/vm.h"
#include "mm/pool.h"

/* Interrupts are off meanwhile. Where each repetition of STOS takes a tick (Bochs) this is 0.7 ms;
 * from 1.4 ms on the console, at 115200 baud, would lose keys. */
#define SCRUB_PIECE KIB(256)

static uint64_t low_ram(const struct vm *vm)
{
    return min_u64(vm->memory, VM_LOW_RAM);
}

/* Guest-physical address of byte n of the VM's RAM. */
static uint64_t ram_address(const struct vm *vm, uint64_t n)
{
    return n < low_ram(vm) ? n : VM_HIGH_RAM + (n - low_ram(vm));
}

static void give_block(hpa_t at, uint64_t size)
{
    if (!page_free_block(&guest_pool, at, size))
        panic("vm: page %#lx of a guest was not allocated", at.v);
}

/* Maps a block for the guest (EPT) and for the hypervisor (window). */
static enum pl_status map_block(struct vm *vm, uint64_t gpa, hpa_t at, uint64_t size)
{
    enum pl_status s = space_map_window(&vm->space, GPA(gpa), at, size);
    if (s != PL_OK)
        return s;
    return radix_map(&vm->gpa_tables, gpa, at, size, code_pages_perms(size), RADIX_WB,
                     min_u64(backend->gpa_page, PAGE_SIZE_2M));
}

enum pl_status vm_memory_take(struct vm *vm)
{
    for (uint64_t n = 0; n < vm->memory;) {
        uint64_t gpa = ram_address(vm, n), size;
        uint64_t left = n < low_ram(vm) ? low_ram(vm) - n : vm->memory - n;
        hpa_t at;
        /* Large blocks only where guest-physical addresses are aligned alike. */
        if (!page_alloc_block(&guest_pool, IS_ALIGNED(gpa, PAGE_SIZE_2M) ? left : 0, &at, &size))
            return PL_NO_MEMORY;
        enum pl_status s = map_block(vm, gpa, at, size);
        if (s != PL_OK) {
            struct radix_leaf leaf;
            /* If the window has it, vm_memory_give() finds it there. */
            if (!radix_lookup(&vm->space.tables, WINDOW_BASE + gpa, &leaf))
                give_block(at, size);
            return s;
        }
        n += size;
    }
    vm->mem = (struct guest_mem){.window = (uint8_t *)WINDOW_BASE, .n = 1};
    vm->mem.range[0].size = low_ram(vm);
    if (vm->memory > VM_LOW_RAM) {
        vm->mem.n = 2;
        vm->mem.range[1].base = VM_HIGH_RAM;
        vm->mem.range[1].size = vm->memory - VM_LOW_RAM;
    }
    return PL_OK;
}

/* Gives back what the window maps; stops at the first hole, where vm_memory_take() stopped. */
void vm_memory_give(struct vm *vm)
{
    struct radix_leaf leaf;
    for (uint64_t n = 0; n < vm->memory; n += leaf.page_size) {
        if (!radix_lookup(&vm->space.tables, WINDOW_BASE + ram_address(vm, n), &leaf))
            return;
        give_block(leaf.phys, leaf.page_size);
    }
}

/* Zeroes the next piece through the window. True: all is done. */
bool vm_memory_scrub(struct vm *vm)
{
    uint64_t end = vm->scrub_at < low_ram(vm) ? low_ram(vm) : vm->memory;
    uint64_t n = min_u64(SCRUB_PIECE, end - vm->scrub_at);
    hpa_t before = host_current_space();
    host_load_space(vm->space.root);
    uint64_t begin = host_now();
    host_zero((void *)(WINDOW_BASE + ram_address(vm, vm->scrub_at)), n);
    *(vm->footprint.off ? &vm->footprint.scrubbed_after : &vm->footprint.scrubbed) +=
        host_now() - begin;
    host_load_space(before);
    vm->scrub_at += n;
    return vm->scrub_at == vm->memory;
}
