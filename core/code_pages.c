/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Executable guest RAM on CPUs with the iTLB multihit flaw. What is split stays split until the VM
 * ends: at most one table page for each 2 MiB of its RAM. No TLB has to be flushed: the translation
 * stays, the permissions grow, and who meets the old ones in its TLB comes here and tries again.
 */
#include "core/code_pages.h"

#include "core/backend.h"
#include "core/vm.h"

uint64_t code_pages_perms(uint64_t size)
{
    return size > PAGE_SIZE && backend->small_code_pages ? RADIX_RW : RADIX_RWX;
}

enum outcome code_pages_split(struct vcpu *v, gpa_t gpa)
{
    struct vm *vm = v->vm;
    struct radix_leaf leaf;
    uint64_t large = ALIGN_DOWN(gpa.v, PAGE_SIZE_2M);
    enum outcome outcome = OUTCOME_RETRY;
    /* What is no RAM may have a translation, too: the APIC's page. */
    if (!backend->small_code_pages || !guest_mem_contains(&vm->mem, gpa, 1) ||
        !radix_lookup(&vm->gpa_tables, gpa.v, &leaf))
        return OUTCOME_ADVANCE;
    lock_take(&vm->code_lock);
    /* Somebody else may have done it meanwhile. The first call splits, with the old permissions. */
    if (radix_lookup(&vm->gpa_tables, gpa.v, &leaf) && !(leaf.perms & RADIX_EXEC) &&
        (radix_protect(&vm->gpa_tables, gpa.v & PAGE_MASK, PAGE_SIZE, RADIX_RWX) != PL_OK ||
         radix_protect(&vm->gpa_tables, large, PAGE_SIZE_2M, RADIX_RWX) != PL_OK))
        outcome = OUTCOME_STOP;
    lock_release(&vm->code_lock);
    if (outcome == OUTCOME_STOP)
        return vm_stop(vm, STOP_UNSUPPORTED, "no hypervisor memory to split a page of its code");
    return outcome;
}
