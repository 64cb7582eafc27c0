/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The decoder: a table of encodings with what the manual says they mean, and that every shorter
 * prefix of each is INSN_TRUNCATED.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "core/insn.h"
#include "core/lib/string.h"

#define NR INSN_NO_REG

struct row {
    const char *text;
    unsigned mode;
    uint8_t n, bytes[16];
    enum insn_op op;
    uint8_t width, reg_width, reg;
    bool high;
    uint8_t seg, base, index, scale, asize;
    int64_t disp, imm;
};

enum { AX, CX, DX, BX, SP, BP, SI, DI, R8, R9, R10, R11, R12, R13, R14, R15 };

static const struct row rows[] = {
    {"mov [rax], cl", 64, 2, {0x88, 0x08}, INSN_MOV_STORE, 1, 1, CX, 0, 3, AX, NR, 1, 8, 0, 0},
    {"mov [rax], ch", 64, 2, {0x88, 0x28}, INSN_MOV_STORE, 1, 1, CX, 1, 3, AX, NR, 1, 8, 0, 0},
    {"mov [rax], bpl", 64, 3, {0x40, 0x88, 0x28}, INSN_MOV_STORE, 1, 1, BP, 0, 3, AX, NR, 1, 8,
     0, 0},
    {"mov [rax], r13b", 64, 3, {0x44, 0x88, 0x28}, INSN_MOV_STORE, 1, 1, R13, 0, 3, AX, NR, 1, 8,
     0, 0},
    {"mov [rdi], eax", 64, 2, {0x89, 0x07}, INSN_MOV_STORE, 4, 4, AX, 0, 3, DI, NR, 1, 8, 0, 0},
    {"mov [rdi], ax", 64, 3, {0x66, 0x89, 0x07}, INSN_MOV_STORE, 2, 2, AX, 0, 3, DI, NR, 1, 8,
     0, 0},
    {"mov [r15], r8", 64, 3, {0x4d, 0x89, 0x07}, INSN_MOV_STORE, 8, 8, R8, 0, 3, R15, NR, 1, 8,
     0, 0},
    {"mov 66 rex.w", 64, 4, {0x66, 0x48, 0x89, 0x07}, INSN_MOV_STORE, 8, 8, AX, 0, 3, DI, NR, 1,
     8, 0, 0},
    {"rex before 66 is void", 64, 4, {0x48, 0x66, 0x89, 0x07}, INSN_MOV_STORE, 2, 2, AX, 0, 3, DI,
     NR, 1, 8, 0, 0},
    {"mov al, [rbp-1]", 64, 3, {0x8a, 0x45, 0xff}, INSN_MOV_LOAD, 1, 1, AX, 0, 2, BP, NR, 1, 8,
     -1, 0},
    {"mov eax, [r13+0]", 64, 4, {0x41, 0x8b, 0x45, 0x00}, INSN_MOV_LOAD, 4, 4, AX, 0, 3, R13, NR,
     1, 8, 0, 0},
    {"mov eax, [rsp]", 64, 3, {0x8b, 0x04, 0x24}, INSN_MOV_LOAD, 4, 4, AX, 0, 2, SP, NR, 1, 8, 0,
     0},
    {"mov eax, [r12]", 64, 4, {0x41, 0x8b, 0x04, 0x24}, INSN_MOV_LOAD, 4, 4, AX, 0, 3, R12, NR, 1,
     8, 0, 0},
    {"mov rdx, [rax+r12*8+0x12345678]", 64, 8,
     {0x4a, 0x8b, 0x94, 0xe0, 0x78, 0x56, 0x34, 0x12}, INSN_MOV_LOAD, 8, 8, DX, 0, 3, AX, R12, 8,
     8, 0x12345678, 0},
    {"mov eax, [rcx*4-2]", 64, 7, {0x8b, 0x04, 0x8d, 0xfe, 0xff, 0xff, 0xff}, INSN_MOV_LOAD, 4, 4,
     AX, 0, 3, NR, CX, 4, 8, -2, 0},
    {"mov eax, [0x1000] by sib", 64, 7, {0x8b, 0x04, 0x25, 0x00, 0x10, 0x00, 0x00}, INSN_MOV_LOAD,
     4, 4, AX, 0, 3, NR, NR, 1, 8, 0x1000, 0},
    {"mov eax, [eax]", 64, 3, {0x67, 0x8b, 0x00}, INSN_MOV_LOAD, 4, 4, AX, 0, 3, AX, NR, 1, 4, 0,
     0},
    {"mov eax, gs:[rax]", 64, 3, {0x65, 0x8b, 0x00}, INSN_MOV_LOAD, 4, 4, AX, 0, 5, AX, NR, 1, 8,
     0, 0},
    {"es: is void in 64-bit mode", 64, 4, {0x64, 0x26, 0x8b, 0x00}, INSN_MOV_LOAD, 4, 4, AX, 0, 4,
     AX, NR, 1, 8, 0, 0},
    {"mov byte [rbx], 0x80", 64, 3, {0xc6, 0x03, 0x80}, INSN_MOV_STORE_IMM, 1, 0, NR, 0, 3, BX,
     NR, 1, 8, 0, -128},
    {"mov word [rbx], 0x8000", 64, 5, {0x66, 0xc7, 0x03, 0x00, 0x80}, INSN_MOV_STORE_IMM, 2, 0,
     NR, 0, 3, BX, NR, 1, 8, 0, -32768},
    {"mov dword [rbx+1], 5", 64, 7, {0xc7, 0x43, 0x01, 5, 0, 0, 0}, INSN_MOV_STORE_IMM, 4, 0, NR,
     0, 3, BX, NR, 1, 8, 1, 5},
    {"mov qword [rbx], -1", 64, 7, {0x48, 0xc7, 0x03, 0xff, 0xff, 0xff, 0xff},
     INSN_MOV_STORE_IMM, 8, 0, NR, 0, 3, BX, NR, 1, 8, 0, -1},
    {"xrelease mov [rdi], eax", 64, 3, {0xf3, 0x89, 0x07}, INSN_MOV_STORE, 4, 4, AX, 0, 3, DI, NR,
     1, 8, 0, 0},
    {"movzx eax, byte [rsi]", 64, 3, {0x0f, 0xb6, 0x06}, INSN_MOVZX, 1, 4, AX, 0, 3, SI, NR, 1, 8,
     0, 0},
    {"movzx ebp, byte [rsi]", 64, 3, {0x0f, 0xb6, 0x2e}, INSN_MOVZX, 1, 4, BP, 0, 3, SI, NR, 1, 8,
     0, 0},
    {"movzx r9, word [rsi]", 64, 4, {0x4c, 0x0f, 0xb7, 0x0e}, INSN_MOVZX, 2, 8, R9, 0, 3, SI, NR,
     1, 8, 0, 0},
    {"movsx cx, byte [rsi]", 64, 4, {0x66, 0x0f, 0xbe, 0x0e}, INSN_MOVSX, 1, 2, CX, 0, 3, SI, NR,
     1, 8, 0, 0},
    {"movsx ecx, word [rsi]", 32, 3, {0x0f, 0xbf, 0x0e}, INSN_MOVSX, 2, 4, CX, 0, 3, SI, NR, 1, 4,
     0, 0},
    {"movsxd rcx, [rsi]", 64, 3, {0x48, 0x63, 0x0e}, INSN_MOVSX, 4, 8, CX, 0, 3, SI, NR, 1, 8, 0,
     0},
    {"movabs al, [...]", 64, 9, {0xa0, 1, 2, 3, 4, 5, 6, 7, 0x88}, INSN_MOV_LOAD, 1, 1, AX, 0, 3,
     NR, NR, 1, 8, (int64_t)0x8807060504030201, 0},
    {"mov rax, [moffs32]", 64, 7, {0x67, 0x48, 0xa1, 1, 2, 3, 0x84}, INSN_MOV_LOAD, 8, 8, AX, 0,
     3, NR, NR, 1, 4, 0x84030201, 0},
    {"mov fs:[moffs16], ax", 16, 4, {0x64, 0xa3, 0x34, 0x92}, INSN_MOV_STORE, 2, 2, AX, 0, 4, NR,
     NR, 1, 2, 0x9234, 0},
    {"mov [moffs], al", 32, 5, {0xa2, 0x00, 0x00, 0xe0, 0xfe}, INSN_MOV_STORE, 1, 1, AX, 0, 3, NR,
     NR, 1, 4, 0xfee00000, 0},
    {"mov [abs32], eax", 32, 6, {0x89, 0x05, 0x80, 0x00, 0xe0, 0xfe}, INSN_MOV_STORE, 4, 4, AX, 0,
     3, NR, NR, 1, 4, (int32_t)0xfee00080, 0},
    {"mov ah, [ebx+esi*2]", 32, 3, {0x8a, 0x24, 0x73}, INSN_MOV_LOAD, 1, 1, AX, 1, 3, BX, SI, 2, 4,
     0, 0},
    {"mov cs:[ebp+8], ax", 32, 5, {0x2e, 0x66, 0x89, 0x45, 0x08}, INSN_MOV_STORE, 2, 2, AX, 0, 1,
     BP, NR, 1, 4, 8, 0},
    {"mov ax, [bx+si]", 16, 2, {0x8b, 0x00}, INSN_MOV_LOAD, 2, 2, AX, 0, 3, BX, SI, 1, 2, 0, 0},
    {"mov ax, [bp+di-2]", 16, 3, {0x8b, 0x43, 0xfe}, INSN_MOV_LOAD, 2, 2, AX, 0, 2, BP, DI, 1, 2,
     -2, 0},
    {"mov ax, [0x8000]", 16, 4, {0x8b, 0x06, 0x00, 0x80}, INSN_MOV_LOAD, 2, 2, AX, 0, 3, NR, NR, 1,
     2, -0x8000, 0},
    {"mov ax, [bp+0x100]", 16, 4, {0x8b, 0x86, 0x00, 0x01}, INSN_MOV_LOAD, 2, 2, AX, 0, 2, BP, NR,
     1, 2, 0x100, 0},
    {"mov ax, [bx]", 16, 2, {0x8b, 0x07}, INSN_MOV_LOAD, 2, 2, AX, 0, 3, BX, NR, 1, 2, 0, 0},
    {"mov es:[di], eax", 16, 4, {0x66, 0x26, 0x89, 0x05}, INSN_MOV_STORE, 4, 4, AX, 0, 0, DI, NR,
     1, 2, 0, 0},
    {"mov eax, [eax], unreal", 16, 4, {0x67, 0x66, 0x8b, 0x00}, INSN_MOV_LOAD, 4, 4, AX, 0, 3, AX,
     NR, 1, 4, 0, 0},
};

#define SAME(field, want) do { \
        if ((int64_t)in.field != (int64_t)(want)) \
            fail_msg("%s: " #field " is %lld", r->text, (long long)in.field); \
    } while (0)

static void check_row(const struct row *r)
{
    uint8_t padded[15];
    struct insn in;
    memset(padded, 0x90, sizeof(padded));
    memcpy(padded, r->bytes, r->n);
    enum insn_op op = insn_decode(padded, 15, r->mode, &in);
    assert_int_equal(in.op, op);
    SAME(op, r->op);
    SAME(length, r->n);
    SAME(width, r->width);
    SAME(reg_width, r->reg_width);
    SAME(reg, r->reg);
    SAME(high_byte, r->high);
    SAME(seg, r->seg);
    SAME(base, r->base);
    SAME(index, r->index);
    SAME(scale, r->scale);
    SAME(address_size, r->asize);
    SAME(disp, r->disp);
    SAME(imm, r->imm);
    SAME(rip_relative, false);
    for (size_t n = 0; n < r->n; n++)
        assert_int_equal(insn_decode(r->bytes, n, r->mode, &in), INSN_TRUNCATED);
    assert_int_equal(insn_decode(r->bytes, r->n, r->mode, &in), r->op);
}

static void meanings(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_row(&rows[i]);
}

static void unknown(void **state)
{
    (void)state;
    static const struct { unsigned mode; uint8_t bytes[15]; } bad[] = {
        {64, {0x90}},                               /* not in the table */
        {64, {0x8b, 0xc1}},                         /* mov eax, ecx: no memory */
        {64, {0x0f, 0xb6, 0xc1}},
        {64, {0xc7, 0x08, 0, 0, 0, 0}},             /* /1 */
        {64, {0xc6, 0xf8, 0}},                      /* XABORT */
        {64, {0xf0, 0x89, 0x07}},                   /* LOCK MOV: #UD */
        {64, {0xf3, 0x8b, 0x07}},
        {64, {0xf3, 0x0f, 0xb6, 0x07}},
        {64, {0x66, 0x63, 0x07}},
        {32, {0x63, 0x07}},                         /* ARPL */
        {16, {0x63, 0x07}},
        {32, {0x48, 0x89, 0x07}},                   /* dec eax */
        {64, {0xc5, 0xf8, 0x10, 0x00}},             /* VEX */
        {64, {0x62, 0xf1, 0x7c, 0x48, 0x10, 0x00}}, /* EVEX */
        {64, {0x0f, 0x0f, 0x00}},
        {64, {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
              0x66}},
        {64, {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x8b, 0x40}},
        {0, {0x8b, 0x07}},
        {48, {0x8b, 0x07}},
    };
    struct insn in;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        bool fits = i == 16; /* 15 bytes with its displacement: the longest there is */
        assert_int_equal(insn_decode(bad[i].bytes, 15, bad[i].mode, &in),
                         fits ? INSN_MOV_LOAD : INSN_UNKNOWN);
    }
    uint8_t longest[20];
    memset(longest, 0x66, sizeof(longest));
    memcpy(longest + 13, "\x8b\x40\x01", 3); /* 16 bytes */
    assert_int_equal(insn_decode(longest, 16, 64, &in), INSN_UNKNOWN);
    assert_int_equal(insn_decode(longest, 20, 64, &in), INSN_UNKNOWN);
    assert_int_equal(insn_decode(longest + 1, 15, 64, &in), INSN_MOV_LOAD);
    assert_int_equal(in.length, 15);
    assert_int_equal(insn_decode(longest, 0, 64, &in), INSN_TRUNCATED);
}

static uint64_t address(unsigned mode, const char *bytes, size_t n)
{
    static const uint64_t gpr[16] = {
        0x1000, 0x20, 0xffffffffffffff00, 0x8000, 0x7fff0000, 0x9000, 0x1ffff, 0xfffffffffffffff0,
        0x8888888800000000, 9, 10, 11, 0x100000012, 13, 14, 15,
    };
    static const uint64_t base[6] = {0x10000, 0x20000, 0x30000, 0x40000, 0xffff800000000000,
                                     0x60000};
    struct insn in;
    assert_true(insn_decode((const uint8_t *)bytes, n, mode, &in) > INSN_TRUNCATED);
    return insn_effective_address(&in, gpr, 0x400000, base);
}

static void addresses(void **state)
{
    (void)state;
    assert_int_equal(address(64, "\x8b\x00", 2), 0x1000);
    assert_int_equal(address(64, "\x8b\x04\x88", 3), 0x1080);
    assert_int_equal(address(64, "\x8b\x42\x80", 3), 0xfffffffffffffe80);
    assert_int_equal(address(64, "\x64\x8b\x00", 3), 0xffff800000001000);
    assert_int_equal(address(64, "\x67\x41\x8b\x04\x24", 5), 0x12);       /* [r12d] */
    assert_int_equal(address(64, "\x67\x8b\x47\x20", 4), 0x10);           /* [edi+20h] wraps */
    assert_int_equal(address(64, "\x64\x67\x8b\x47\x20", 5), 0xffff800000000010);
    assert_int_equal(address(64, "\x8b\x05\x00\x10\x00\x00", 6), 0x401006);
    assert_int_equal(address(64, "\xc7\x05\xf6\xff\xff\xff\x01\x02\x03\x04", 10), 0x400000);
    assert_int_equal(address(64, "\x67\x8b\x05\xff\xff\xff\xff", 7), 0x400006);
    assert_int_equal(address(32, "\x8b\x00", 2), 0x41000);                /* DS */
    assert_int_equal(address(32, "\x8b\x45\x00", 3), 0x39000);            /* EBP: SS */
    assert_int_equal(address(32, "\x65\x8b\x00", 3), 0x61000);
    assert_int_equal(address(32, "\x64\x8b\x00", 3), 0x1000);             /* cut to 32 bits */
    assert_int_equal(address(32, "\x8b\x05\x00\x00\xe0\xfe", 6), 0xfee40000);
    assert_int_equal(address(16, "\x8b\x00", 2), 0x40000 + 0x7fff);       /* BX + SI, 16 bits */
    assert_int_equal(address(16, "\x8b\x02", 2), 0x30000 + 0x8fff);
    assert_int_equal(address(16, "\x8b\x0e\xff\xff", 4), 0x4ffff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(meanings), cmocka_unit_test(unknown), cmocka_unit_test(addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
