/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/code_pages.c: on a CPU with the iTLB multihit flaw no translation of a guest is both large
 * and executable, at no time; on others nothing is split.
 */
#include "tests/unit/fake_core.h"

#define TABLES 16

static uint8_t tables[TABLES][PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static unsigned used, room;

static bool table_alloc(void *ctx, hpa_t *page)
{
    (void)ctx;
    if (used == room)
        return false;
    *page = HPA((uint64_t)++used << PAGE_SHIFT);
    return true;
}

static void table_free(void *ctx, hpa_t page)
{
    (void)ctx;
    (void)page;
    used--;
}

static void *table_ptr(void *ctx, hpa_t page)
{
    (void)ctx;
    return tables[(page.v >> PAGE_SHIFT) - 1];
}

static const struct radix_ops ops = {table_alloc, table_free, table_ptr};

/* 4 MiB in two large pages and one small one behind them. */
static int setup(void **state)
{
    fake_setup(state);
    vm.mem.range[0].size = MIB(4) + PAGE_SIZE;
    used = 0;
    room = TABLES;
    fake_backend.small_code_pages = true;
    assert_int_equal(radix_create(&vm.gpa_tables, &radix_ept, &ops, NULL), PL_OK);
    for (uint64_t at = 0; at < MIB(4); at += PAGE_SIZE_2M)
        assert_int_equal(radix_map(&vm.gpa_tables, at, HPA(at + MIB(16)), PAGE_SIZE_2M,
                                   code_pages_perms(PAGE_SIZE_2M), RADIX_WB, PAGE_SIZE_2M), PL_OK);
    assert_int_equal(radix_map(&vm.gpa_tables, MIB(4), HPA(MIB(64)), PAGE_SIZE,
                               code_pages_perms(PAGE_SIZE), RADIX_WB, PAGE_SIZE_2M), PL_OK);
    return 0;
}

static struct radix_leaf leaf_at(uint64_t gpa)
{
    struct radix_leaf leaf;
    assert_true(radix_lookup(&vm.gpa_tables, gpa, &leaf));
    assert_true(leaf.page_size == PAGE_SIZE || !(leaf.perms & RADIX_EXEC));
    return leaf;
}

static enum outcome fetch_exit(uint64_t gpa)
{
    struct vm_exit x = {.memory = {.gpa = GPA(gpa), .access = MEMORY_FETCH}};
    return fake_exit(x, EXIT_MEMORY, 0);
}

static void first_fetch_splits(void **state)
{
    (void)state;
    assert_int_equal(leaf_at(0x201234).page_size, PAGE_SIZE_2M);
    assert_int_equal(leaf_at(MIB(4)).perms, RADIX_RWX);
    assert_int_equal(fetch_exit(0x2ff123), OUTCOME_RETRY);
    /* The whole 2 MiB at once, each page where it was; the other large page stays. */
    for (uint64_t at = MIB(2); at < MIB(4); at += PAGE_SIZE) {
        struct radix_leaf leaf = leaf_at(at);
        assert_int_equal(leaf.page_size, PAGE_SIZE);
        assert_int_equal(leaf.perms, RADIX_RWX);
        assert_int_equal(leaf.phys.v, at + MIB(16));
    }
    assert_int_equal(leaf_at(0x1000).page_size, PAGE_SIZE_2M);
    assert_int_equal(leaf_at(0x1000).perms, RADIX_RW);
    /* Another CPU that had the old translation tries again, and nothing more is taken. */
    unsigned before = used;
    assert_int_equal(fetch_exit(0x2ff123), OUTCOME_RETRY);
    assert_int_equal(used, before);
}

static void no_ram_is_no_code(void **state)
{
    (void)state;
    assert_int_equal(fetch_exit(UINT64_C(0xfee00000)), OUTCOME_STOP);
    assert_non_null(strstr(fake.why, "fetches instructions"));
    /* Not even with a translation, as the APIC's page has one. */
    assert_int_equal(radix_map(&vm.gpa_tables, 0xfee00000, HPA(MIB(65)), PAGE_SIZE, RADIX_RW,
                               RADIX_WB, PAGE_SIZE), PL_OK);
    fake.why[0] = '\0';
    vm.stop_reason = STOP_NONE;
    assert_int_equal(fetch_exit(UINT64_C(0xfee00000)), OUTCOME_STOP);
    assert_non_null(strstr(fake.why, "fetches instructions"));
    assert_int_equal(leaf_at(0xfee00000).perms, RADIX_RW);
}

static void no_memory_stops_the_vm(void **state)
{
    (void)state;
    room = used;
    assert_int_equal(fetch_exit(0x1000), OUTCOME_STOP);
    assert_non_null(strstr(fake.why, "no hypervisor memory"));
    assert_int_equal(leaf_at(0x1000).page_size, PAGE_SIZE_2M);
    assert_int_equal(vm.code_lock.next, vm.code_lock.owner);
}

static void other_cpus_keep_large_pages(void **state)
{
    (void)state;
    fake_backend.small_code_pages = false;
    assert_int_equal(code_pages_perms(PAGE_SIZE_2M), RADIX_RWX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(first_fetch_splits, setup),
        cmocka_unit_test_setup(no_ram_is_no_code, setup),
        cmocka_unit_test_setup(no_memory_stops_the_vm, setup),
        cmocka_unit_test_setup(other_cpus_keep_large_pages, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
