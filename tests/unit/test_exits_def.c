/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch/x86/vmx/exits.def: every basic exit reason of the manual has one row, and one that "cannot
 * occur" since a control is off names a control that is never required.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "core/exit.h"
#include "core/lib/string.h"

#define LAST_REASON 77 /* SDM, appendix "VMX Basic Exit Reasons", as of 2024 */

struct row {
    unsigned reason;
    int kind;        /* enum exit_kind; -1: cannot occur */
    const char *name, *why;
};

static const struct row rows[] = {
#define INSN(n, name, fn, kind) {n, kind, #name, NULL},
#define EXIT(n, name, fn, kind) {n, kind, #name, NULL},
#define NEVER(n, name, why)     {n, -1, #name, why},
#include "arch/x86/vmx/exits.def"
#undef INSN
#undef EXIT
#undef NEVER
};

/* Set always or where the CPU can, so that its exits do occur. */
enum { REQUIRED = 1, WANTED = 1, LATER = 0, OFF = 0 };

static const struct {
    const char *name;
    int set;
} controls[] = {
#define CONTROL(word, bit, name, need, why) {#name, need},
#include "arch/x86/vmx/controls.def"
#undef CONTROL
};

static void every_reason_has_one_row(void **state)
{
    (void)state;
    assert_int_equal(ARRAY_LEN(rows), LAST_REASON + 1);
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(rows[i].reason, i);
        assert_true(rows[i].kind < EXIT_KINDS);
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(rows[i].name, rows[j].name);
    }
}

/* "RDTSC_EXITING is off" and the like. */
static bool named_control_is_off(const char *why)
{
    for (size_t i = 0; i < ARRAY_LEN(controls); i++) {
        size_t n = strlen(controls[i].name);
        if (strncmp(why, controls[i].name, n) == 0 && strcmp(why + n, " is off") == 0)
            return !controls[i].set;
    }
    return false;
}

static void what_cannot_occur_is_off(void **state)
{
    unsigned checked = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *why = rows[i].why;
        size_t n = why ? strlen(why) : 0;
        if (n < 7 || strcmp(why + n - 7, " is off") != 0)
            continue;
        if (!named_control_is_off(why))
            fail_msg("exit reason %u: %s", rows[i].reason, why);
        checked++;
    }
    assert_true(checked > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reason_has_one_row),
        cmocka_unit_test(what_cannot_occur_is_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
