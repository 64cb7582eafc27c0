/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking, cleaning and giving back a VM's RAM, for the life of a VM in vm.c. Boot CPU only.
 */
#ifndef CORE_VM_MEMORY_H
#define CORE_VM_MEMORY_H

#include "core/lib/bits.h"
#include "core/lib/status.h"

struct vm;

/* All of vm->memory, into address spaces that have been made. On failure vm_memory_give() gives
 * back what there is. */
MUST_CHECK enum pl_status vm_memory_take(struct vm *vm);
/* The next piece of RAM becomes zero, from vm->scrub_at on. True: it was the last one. */
MUST_CHECK bool vm_memory_scrub(struct vm *vm);
/* No CPU has translations of it any more. */
void vm_memory_give(struct vm *vm);

#endif
