/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys as they are pressed and released, and what a terminal would have sent.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "drivers/hw/scancodes.h"

static struct scancodes s;

static int setup(void **state)
{
    (void)state;
    memset(&s, 0, sizeof(s));
    return 0;
}

/* The codes, two hexadecimal digits each, make these bytes. */
static void check(const char *codes, const char *bytes)
{
    static const char digits[] = "0123456789abcdef";
    char made[64];
    size_t n = 0;
    for (const char *at = codes; *at; at++) {
        if (*at == ' ')
            continue;
        unsigned code = (unsigned)(strchr(digits, at[0]) - digits) << 4;
        code |= (unsigned)(strchr(digits, at[1]) - digits);
        at++;
        n += scancodes_take(&s, (uint8_t)code, made + n);
        assert_true(n <= sizeof(made) - SCANCODES_MAX);
    }
    assert_int_equal(n, strlen(bytes));
    assert_memory_equal(made, bytes, n);
}

static void characters(void **state)
{
    (void)state;
    check("2f af 12 92 13 93 1f 9f 17 97 18 98 31 b1 1c 9c", "version\r");
    check("02 0b 0c 0d 0e 0f 1a 1b 27 28 29 2b 33 34 35 39", "10-=\x7f\t[];'`\\,./ ");
    check("01 81 37", "\x1b*");
}

static void shift_and_caps(void **state)
{
    (void)state;
    check("2a 1e 9e aa 1e", "Aa");
    check("36 03 27 b6 03", "@:2");
    check("3a ba 1e 03", "A2");        /* Caps Lock is for letters */
    check("2a 1e aa 3a ba 1e", "aa");  /* Shift turns it round */
    check("2a 36 aa 1e b6 1e", "Aa");  /* either of them */
}

static void control_and_alt(void **state)
{
    (void)state;
    check("1d 2e ae 1b 9d 2e", "\x03\x1d" "c"); /* Ctrl-C, Ctrl-] */
    check("e0 1d 1e e0 9d 1e", "\x01" "a");
    check("1d 02 9d", "1"); /* there is no Ctrl-1 */
    check("38 30 b8 30", "\x1b" "bb");
}

static void cursor_keys(void **state)
{
    (void)state;
    check("e0 48 e0 c8 e0 50 e0 4b e0 4d", "\x1b[A\x1b[B\x1b[D\x1b[C");
    check("e0 47 e0 4f e0 49 e0 51 e0 53", "\x1b[H\x1b[F\x1b[5~\x1b[6~\x1b[3~");
    check("48 c8 4a 4e", "\x1b[A-+");  /* the keypad's */
    check("e0 35 e0 1c", "/\r");
    check("e0 2a e0 48 e0 c8 e0 aa 1e", "\x1b[Aa"); /* made-up shifts are none */
}

static void no_characters(void **state)
{
    (void)state;
    check("e1 1d 45 e1 9d c5 1e", "a"); /* Pause; Ctrl is not held by it */
    check("3b bb 45 c5 57 00 7f ff 80 1e", "a");
    check("e0 5b e0 db e0 1e 1e", "a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(characters, setup),
        cmocka_unit_test_setup(shift_and_caps, setup),
        cmocka_unit_test_setup(control_and_alt, setup),
        cmocka_unit_test_setup(cursor_keys, setup),
        cmocka_unit_test_setup(no_characters, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
