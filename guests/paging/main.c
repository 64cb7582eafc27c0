/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * paging: access rights and flags of page tables in every paging mode, as the hypervisor applies
 * them to instructions that it executes, held against the CPU's own: see paging.h. Needs `devices =
 * +testdev` and 16 MiB. Exit status: the number of answers that differ (at most 200). Have open:
 * SDM, "Paging".
 */
#include "guests/paging/paging.h"

#include "arch/x86/cr.h"
#include "guests/lib/test.h"

static unsigned faults, others;
static uint64_t other_table[512] __attribute__((aligned(4096)));

void paging_compare(const struct answer *got, const struct answer *want, const struct described *d)
{
    bool same = got->vector == want->vector && got->error == want->error && got->rip == want->rip &&
                got->offset == want->offset && got->leaf == want->leaf &&
                (want->vector == 14 || got->upper == want->upper);
    if (want->vector == 14)
        faults++;
    else
        others++;
    test_mode(d->tables);
    test_true("device as RAM", same);
    if (same || test_failures() > 20)
        return;
    guest_print("paging: leaf %#llx upper %#llx cr0 %#llx cr4 %#llx op %u user %u ac %u ",
                (unsigned long long)d->leaf, (unsigned long long)d->upper,
                (unsigned long long)d->cr0, (unsigned long long)d->cr4, d->op, d->user, d->ac);
    guest_print("device %u: got %d/%x +%#llx %llx %llx, want %d/%x +%#llx %llx %llx\n", d->device,
                (int)got->vector, got->error, (unsigned long long)got->offset,
                (unsigned long long)got->leaf, (unsigned long long)got->upper, (int)want->vector,
                want->error, (unsigned long long)want->offset, (unsigned long long)want->leaf,
                (unsigned long long)want->upper);
}

uint64_t paging_protections(void)
{
    uint32_t ebx = cpuid(0, 0).eax >= 7 ? cpuid(7, 0).ebx : 0;
    return (ebx & BIT(7) ? CR4_SMEP : 0) | (ebx & BIT(20) ? CR4_SMAP : 0);
}

/* Comparing would mean little if one place answered like the other because they are one. */
static void check_device(void)
{
    volatile uint32_t *device = (volatile uint32_t *)(uintptr_t)(DEVICE_AT + INSIDE);
    volatile uint32_t *ram = (volatile uint32_t *)(uintptr_t)(RAM_AT + INSIDE);
    *device = 0x12345678;
    *ram = 0x9abcdef0;
    test_equal("the device is there (devices = +testdev)", *device, 0x12345678);
    test_equal("and RAM", *ram, 0x9abcdef0);
}

static void check_rights(const char *name)
{
    test_mode(name);
    test_true("some are refused", faults > 200);
    test_true("and some are not", others > 200);
    guest_print("paging: %s: %u refused, %u not\n", name, faults, others);
    faults = others = 0;
}

int guest_main(const char *cmdline)
{
    (void)cmdline;
    test_begin("paging");
    check_device();
    if (test_failures())
        return test_end();
    guest_map_apart();
    for (uint64_t i = 0; i < ARRAY_LEN(other_table); i++)
        other_table[i] = (DEVICE_AT + i * 4096) | PRESENT | WRITE;
    guest_map_table(OTHER_SUPERVISOR, other_table);
    paging_long();
    check_rights("four levels");
    paging_legacy();
    check_rights("32 bits and PAE");
    return test_end();
}
