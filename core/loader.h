/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Puts a VM's kernel, initrd and start-up data into its memory and says how its first vCPU starts.
 */
#ifndef CORE_LOADER_H
#define CORE_LOADER_H

#include "core/backend.h"
#include "core/vm.h"

/* Checks, before memory is taken, what can be checked: that the modules are there, that the kernel
 * is of a known kind and that the memory suffices. On false, why[size] names the rule. */
MUST_CHECK bool loader_check(const struct vm *vm, char *why, size_t size);
enum loader_result {
    LOADER_DONE,   /* start is filled in */
    LOADER_MORE,   /* to be called again */
    LOADER_FAILED, /* why[size] says it */
};
/* Loads the next piece into the VM's (scrubbed) RAM, behind the first vm->load_at bytes; the VM's
 * address space must be loaded. */
MUST_CHECK enum loader_result loader_load(struct vm *vm, struct vcpu_start *start, char *why,
                                          size_t size);

#endif
