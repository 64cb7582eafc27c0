/* SPDX-License-Identifier: BSD-2-Clause */
/* The registers that gdb is told of: the XML names exactly those that packets carry, in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/gdb_target.h"

static char xml[GDB_XML_MAX];

/* The bits of the n-th <reg> and its name, or 0. */
static unsigned described(unsigned n, char name[32])
{
    const char *at = xml;
    for (unsigned i = 0; (at = strstr(at, "<reg name=\"")); i++) {
        at += strlen("<reg name=\"");
        if (i == n) {
            const char *bits = strstr(at, "bitsize=\"") + strlen("bitsize=\"");
            snprintf(name, 32, "%.*s", (int)strcspn(at, "\""), at);
            return (unsigned)strtoul(bits, NULL, 10);
        }
    }
    return 0;
}

static void check(bool wide, const char *const *first, size_t count, unsigned total)
{
    struct gdb_reg r;
    char name[32];
    size_t n = gdb_target_xml(wide, xml, sizeof(xml));
    assert_int_equal(n, strlen(xml));
    assert_true(n + 1 < sizeof(xml));
    assert_non_null(strstr(xml, "</feature></target>"));
    for (unsigned i = 0; i < total; i++) {
        assert_true(gdb_target_reg(wide, i, &r));
        assert_int_equal(described(i, name), r.bytes * 8);
        if (i < count)
            assert_string_equal(name, first[i]);
    }
    assert_false(gdb_target_reg(wide, total, &r));
    assert_int_equal(described(total, name), 0);
}

static void test_64_bit_registers(void **state)
{
    static const char *const names[] = {
        "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12",
        "r13", "r14", "r15", "rip", "eflags", "cs", "ss", "ds", "es", "fs", "gs", "st0"};
    struct gdb_reg r;
    (void)state;
    check(true, names, sizeof(names) / sizeof(*names), 24 + 16 + 17 + 2 + 6);
    assert_true(gdb_target_reg(true, 1, &r)); /* RBX is number 3 of the encodings */
    assert_int_equal(r.source, GDB_GPR);
    assert_int_equal(r.n, 3);
    assert_true(gdb_target_reg(true, 15, &r));
    assert_int_equal(r.n, 15);
    assert_true(gdb_target_reg(true, 24 + 7, &r)); /* st7 */
    assert_int_equal(r.n, 32 + 7 * 16);
}

static void test_32_bit_registers(void **state)
{
    static const char *const names[] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi",
                                        "eip", "eflags", "cs", "ss", "ds", "es", "fs", "gs"};
    (void)state;
    check(false, names, sizeof(names) / sizeof(*names), 16 + 16 + 9 + 6);
}

static void test_a_short_buffer_is_not_overrun(void **state)
{
    char small[64];
    (void)state;
    memset(small, 'x', sizeof(small));
    assert_int_equal(gdb_target_xml(true, small, 32), 31);
    assert_int_equal(small[31], 0);
    assert_int_equal(small[32], 'x');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_64_bit_registers),
        cmocka_unit_test(test_32_bit_registers),
        cmocka_unit_test(test_a_short_buffer_is_not_overrun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
