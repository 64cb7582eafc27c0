/* SPDX-License-Identifier: BSD-2-Clause */
/* Lengths of instructions; the whole of three programs has been compared with objdump by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/insn_length.h"

struct sample {
    unsigned mode;
    const char *hex;
};

/* Each as an assembler writes it, whole. */
static const struct sample samples[] = {
    {64, "90"}, {64, "0f05"}, {64, "0fa2"}, {64, "0f09"}, {64, "cc"}, {64, "f4"},
    {64, "48b8efcdab9078563412"},   /* mov rax, imm64 */
    {64, "b878563412"}, {64, "66b83412"}, {16, "b83412"}, {16, "66b878563412"},
    {64, "488b0425efbeadde"},       /* mov rax, [disp32] by SIB */
    {64, "488b8424efbe0000"}, {64, "488b4424f8"}, {64, "8b05efbeadde"},
    {32, "8b05efbeadde"}, {16, "8b06efbe"}, {16, "8b4608"}, {16, "8b86efbe"},
    {64, "e878563412"}, {32, "e878563412"}, {16, "e83412"}, {64, "0f8478563412"},
    {64, "f6c001"}, {64, "f6d0"}, {64, "f7c078563412"}, {64, "f7d8"}, {64, "66f7c03412"},
    {64, "c8100001"}, {32, "ea785634120800"}, {64, "48a1efcdab9078563412"}, {32, "a1efbeadde"},
    {64, "c5f877"}, {64, "c5f96fc1"}, {64, "c4e37d39c101"}, {64, "62f17c481001"},
    {32, "c401"}, {32, "6201"}, {64, "660f3a0fc108"}, {64, "f30f1efa"}, {64, "f0480fc70f"},
    {64, "cd80"}, {64, "ff2425efbeadde"}, {32, "9a785634120800"},
};

static size_t bytes_of(const char *hex, uint8_t *out)
{
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++) {
        char two[3] = {hex[2 * i], hex[2 * i + 1], 0};
        out[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    return n;
}

static void test_samples(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
        uint8_t code[32];
        size_t n = bytes_of(samples[i].hex, code);
        memset(code + n, 0x90, sizeof(code) - n);
        if (insn_length(code, sizeof(code), samples[i].mode) != n)
            fail_msg("%s: %u", samples[i].hex, insn_length(code, sizeof(code), samples[i].mode));
    }
}

static void test_what_is_cut_off_has_no_length(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
        uint8_t code[32];
        size_t n = bytes_of(samples[i].hex, code);
        for (size_t cut = 0; cut < n; cut++) {
            uint8_t *exact = malloc(cut + 1); /* ASan sees a read beyond */
            memcpy(exact + 1, code, cut);
            unsigned got = insn_length(exact + 1, cut, samples[i].mode);
            free(exact);
            assert_true(got <= cut);
        }
        assert_int_equal(insn_length(code, n - 1, samples[i].mode), 0);
    }
}

static void test_fifteen_bytes_are_the_limit(void **state)
{
    uint8_t code[20];
    (void)state;
    memset(code, 0x66, sizeof(code));
    code[14] = 0x90;
    assert_int_equal(insn_length(code, sizeof(code), 64), 15);
    code[14] = 0x66;
    code[15] = 0x90;
    assert_int_equal(insn_length(code, sizeof(code), 64), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_what_is_cut_off_has_no_length),
        cmocka_unit_test(test_fifteen_bytes_are_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
