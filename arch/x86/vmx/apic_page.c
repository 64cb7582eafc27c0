/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The APIC-access page: mapped where a guest's xAPICs are at power-on, it tells the CPU which
 * accesses are theirs. Nothing is ever read from it or written to it while all APICs of the VM are
 * there; as soon as one has another mode or address, its vCPU would find RAM, so the translation
 * goes for good and accesses to xAPICs are EPT violations again. One page for each VM, not for all:
 * should a CPU ever let somebody in, then only to what is his own. SDM: "Virtualizing Memory-Mapped
 * APIC Accesses".
 */
#include "arch/x86/vmx/vmx.h"
#include "core/host.h"
#include "core/panic.h"
#include "core/vm.h"
#include "mm/pool.h"
#include "mm/space.h"

/* Table pages that have been unlinked; CPUs may know them until they have flushed. */
struct unlinked {
    hpa_t page[RADIX_LEVELS_MAX];
    unsigned n;
};

static bool no_table(void *ctx, hpa_t *page)
{
    (void)ctx;
    (void)page;
    return false; /* a 4K page's end splits nothing */
}

static void keep_table(void *ctx, hpa_t page)
{
    struct unlinked *u = ctx;
    u->page[u->n++] = page;
}

static void *table_ptr(void *ctx, hpa_t page)
{
    (void)ctx;
    return pool_ptr(page);
}

static const struct radix_ops keeping_ops = {no_table, keep_table, table_ptr};

static void flush_here(void *vm)
{
    vmx_flush_vm(vm);
}

enum pl_status vmx_apic_page_create(struct vm *vm)
{
    struct vmx_vm *xv = vm->arch;
    hpa_t at;
    xv->apic_page = pool_alloc(&at);
    if (!xv->apic_page)
        return PL_NO_MEMORY;
    enum pl_status s = radix_map(&vm->gpa_tables, VLAPIC_DEFAULT_BASE, at, PAGE_SIZE, RADIX_RW,
                                 RADIX_WB, PAGE_SIZE);
    xv->apic_mapped = s == PL_OK;
    return s;
}

void vmx_apic_page_free(struct vmx_vm *xv)
{
    if (xv->apic_page)
        pool_free(xv->apic_page);
}

bool vmx_apic_page_there(const struct vm *vm)
{
    const struct vmx_vm *xv = vm->arch;
    return __atomic_load_n(&xv->apic_mapped, __ATOMIC_ACQUIRE);
}

/* Once: no CPU knows the translation any more when this returns. */
static void unmap(struct vm *vm)
{
    struct unlinked u = {.n = 0};
    struct radix tables = vm->gpa_tables;
    tables.ops = &keeping_ops;
    tables.ctx = &u;
    lock_take(&vm->code_lock);
    enum pl_status s = radix_unmap(&tables, VLAPIC_DEFAULT_BASE, PAGE_SIZE);
    lock_release(&vm->code_lock);
    ASSERT(s == PL_OK);
    host_call_others(flush_here, vm);
    vmx_flush_vm(vm);
    for (unsigned i = 0; i < u.n; i++)
        pool_free(pool_ptr(u.page[i]));
}

void vmx_apic_page_leave(struct vm *vm)
{
    struct vmx_vm *xv = vm->arch;
    if (!vmx_apic_page_there(vm))
        return;
    if (!__atomic_exchange_n(&xv->apic_leaves, true, __ATOMIC_ACQ_REL)) {
        unmap(vm);
        __atomic_store_n(&xv->apic_mapped, false, __ATOMIC_RELEASE);
        return;
    }
    while (vmx_apic_page_there(vm)) /* another vCPU is at it */
        host_relax();
}
