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
    enum insn_op op = insn_decode_any(padded, 15, r->mode, &in);
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
        assert_int_equal(insn_decode_any(r->bytes, n, r->mode, &in), INSN_TRUNCATED);
    assert_int_equal(insn_decode_any(r->bytes, r->n, r->mode, &in), r->op);
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
        assert_int_equal(insn_decode_any(bad[i].bytes, 15, bad[i].mode, &in),
                         fits ? INSN_MOV_LOAD : INSN_UNKNOWN);
    }
    uint8_t longest[20];
    memset(longest, 0x66, sizeof(longest));
    memcpy(longest + 13, "\x8b\x40\x01", 3); /* 16 bytes */
    assert_int_equal(insn_decode_any(longest, 16, 64, &in), INSN_UNKNOWN);
    assert_int_equal(insn_decode_any(longest, 20, 64, &in), INSN_UNKNOWN);
    assert_int_equal(insn_decode_any(longest + 1, 15, 64, &in), INSN_MOV_LOAD);
    assert_int_equal(in.length, 15);
    assert_int_equal(insn_decode_any(longest, 0, 64, &in), INSN_TRUNCATED);
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
    assert_true(insn_decode_any((const uint8_t *)bytes, n, mode, &in) > INSN_TRUNCATED);
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

/* --- what insn_decode_any() adds ------------------------------------------------------------ */

struct any_row {
    const char *text;
    unsigned mode;
    uint8_t n, bytes[16];
    enum insn_op op;
    enum insn_form form;
    uint8_t sub, width, reg;
    int64_t imm;
};

#define RM INSN_FORM_REG_MEM
#define MR INSN_FORM_MEM_REG
#define MI INSN_FORM_MEM_IMM
#define M  INSN_FORM_MEM
#define ST INSN_FORM_STRING

static const struct any_row any_rows[] = {
    {"add [rax], cl", 64, 2, {0x00, 0x08}, INSN_ALU, MR, INSN_ADD, 1, CX, 0},
    {"lock or [rax], ecx", 64, 3, {0xf0, 0x09, 0x08}, INSN_ALU, MR, INSN_OR, 4, CX, 0},
    {"xacquire lock or", 64, 4, {0xf2, 0xf0, 0x09, 0x08}, INSN_ALU, MR, INSN_OR, 4, CX, 0},
    {"adc r9, [rax]", 64, 3, {0x4c, 0x13, 0x08}, INSN_ALU, RM, INSN_ADC, 8, R9, 0},
    {"cmp al, [bx+si]", 16, 2, {0x3a, 0x00}, INSN_ALU, RM, INSN_CMP, 1, AX, 0},
    {"sbb byte [eax], -1", 32, 3, {0x80, 0x18, 0xff}, INSN_ALU, MI, INSN_SBB, 1, NR, -1},
    {"and dword [rip], 0x80000000", 64, 10, {0x81, 0x25, 0, 0, 0, 0, 0, 0, 0, 0x80}, INSN_ALU, MI,
     INSN_AND, 4, NR, INT32_MIN},
    {"xor word [rax], 0x1234", 64, 5, {0x66, 0x81, 0x30, 0x34, 0x12}, INSN_ALU, MI, INSN_XOR, 2,
     NR, 0x1234},
    {"sub qword [rax], -2", 64, 4, {0x48, 0x83, 0x28, 0xfe}, INSN_ALU, MI, INSN_SUB, 8, NR, -2},
    {"test [edi], dl", 32, 2, {0x84, 0x17}, INSN_TEST, MR, 0, 1, DX, 0},
    {"test byte [rax], 1", 64, 3, {0xf6, 0x00, 0x01}, INSN_TEST, MI, 0, 1, NR, 1},
    {"test dword [rax], 1", 64, 6, {0xf7, 0x00, 1, 0, 0, 0}, INSN_TEST, MI, 0, 4, NR, 1},
    {"xchg [rax], bx", 64, 3, {0x66, 0x87, 0x18}, INSN_XCHG, MR, 0, 2, BX, 0},
    {"lock cmpxchg [rax], r8b", 64, 5, {0xf0, 0x44, 0x0f, 0xb0, 0x00}, INSN_CMPXCHG, MR, 0, 1, R8,
     0},
    {"xadd [eax], ecx", 32, 3, {0x0f, 0xc1, 0x08}, INSN_XADD, MR, 0, 4, CX, 0},
    {"cmpxchg8b [eax]", 32, 3, {0x0f, 0xc7, 0x08}, INSN_CMPXCHG_PAIR, M, 0, 8, NR, 0},
    {"cmpxchg16b [rax]", 64, 4, {0x48, 0x0f, 0xc7, 0x08}, INSN_CMPXCHG_PAIR, M, 0, 16, NR, 0},
    {"bt [rax], ecx", 64, 3, {0x0f, 0xa3, 0x08}, INSN_BIT, MR, INSN_BT, 4, CX, 0},
    {"lock btc [rax], rcx", 64, 5, {0xf0, 0x48, 0x0f, 0xbb, 0x08}, INSN_BIT, MR, INSN_BTC, 8, CX,
     0},
    {"bts dword [rax], 31", 64, 4, {0x0f, 0xba, 0x28, 31}, INSN_BIT, MI, INSN_BTS, 4, NR, 31},
    {"btr word [bx+si], 3", 16, 4, {0x0f, 0xba, 0x30, 3}, INSN_BIT, MI, INSN_BTR, 2, NR, 3},
    {"inc byte [rax]", 64, 2, {0xfe, 0x00}, INSN_INC, M, 0, 1, NR, 0},
    {"lock dec qword [rax]", 64, 4, {0xf0, 0x48, 0xff, 0x08}, INSN_DEC, M, 0, 8, NR, 0},
    {"not dword [eax]", 32, 2, {0xf7, 0x10}, INSN_NOT, M, 0, 4, NR, 0},
    {"neg word [eax]", 32, 3, {0x66, 0xf7, 0x18}, INSN_NEG, M, 0, 2, NR, 0},
    {"rol byte [rax], 3", 64, 3, {0xc0, 0x00, 3}, INSN_SHIFT, MI, INSN_ROL, 1, NR, 3},
    {"shr dword [rax]", 64, 2, {0xd1, 0x28}, INSN_SHIFT, MI, INSN_SHR, 4, NR, 1},
    {"sar qword [rax], cl", 64, 3, {0x48, 0xd3, 0x38}, INSN_SHIFT, INSN_FORM_CL, INSN_SAR, 8, NR,
     0},
    {"setg [rax]", 64, 3, {0x0f, 0x9f, 0x00}, INSN_SETCC, M, 15, 1, NR, 0},
    {"cmovb rcx, [rax]", 64, 4, {0x48, 0x0f, 0x42, 0x08}, INSN_CMOVCC, RM, 2, 8, CX, 0},
    {"push qword [rax]", 64, 2, {0xff, 0x30}, INSN_PUSH, M, 0, 8, NR, 0},
    {"push word [rax]", 64, 3, {0x66, 0xff, 0x30}, INSN_PUSH, M, 0, 2, NR, 0},
    {"push dword [eax]", 32, 2, {0xff, 0x30}, INSN_PUSH, M, 0, 4, NR, 0},
    {"pop word [bx+si]", 16, 2, {0x8f, 0x00}, INSN_POP, M, 0, 2, NR, 0},
    {"movbe ecx, [rax]", 64, 4, {0x0f, 0x38, 0xf0, 0x08}, INSN_MOVBE_LOAD, RM, 0, 4, CX, 0},
    {"movbe [rax], cx", 64, 5, {0x66, 0x0f, 0x38, 0xf1, 0x08}, INSN_MOVBE_STORE, MR, 0, 2, CX, 0},
    {"movnti [rax], rcx", 64, 4, {0x48, 0x0f, 0xc3, 0x08}, INSN_MOV_STORE, MR, 0, 8, CX, 0},
    {"movsb", 64, 1, {0xa4}, INSN_MOVS, ST, 0, 1, NR, 0},
    {"rep movsq", 64, 3, {0xf3, 0x48, 0xa5}, INSN_MOVS, ST, 0, 8, NR, 0},
    {"cmpsw", 16, 1, {0xa7}, INSN_CMPS, ST, 0, 2, NR, 0},
    {"stosd", 16, 2, {0x66, 0xab}, INSN_STOS, ST, 0, 4, AX, 0},
    {"lodsb", 32, 1, {0xac}, INSN_LODS, ST, 0, 1, AX, 0},
    {"repne scasb", 32, 2, {0xf2, 0xae}, INSN_SCAS, ST, 0, 1, AX, 0},
    {"movups xmm9, [rax]", 64, 4, {0x44, 0x0f, 0x10, 0x08}, INSN_XMM_LOAD, RM, 0, 16, R9, 0},
    {"movaps [rax], xmm1", 64, 3, {0x0f, 0x29, 0x08}, INSN_XMM_STORE, MR, 0, 16, CX, 0},
    {"movdqa xmm1, [rax]", 64, 4, {0x66, 0x0f, 0x6f, 0x08}, INSN_XMM_LOAD, RM, 0, 16, CX, 0},
    {"movdqu, F3 before 66", 64, 5, {0xf3, 0x66, 0x0f, 0x6f, 0x08}, INSN_XMM_LOAD, RM, 0, 16, CX,
     0},
    {"movd xmm1, [eax]", 32, 4, {0x66, 0x0f, 0x6e, 0x08}, INSN_XMM_LOAD, RM, 0, 4, CX, 0},
    {"movq xmm1, [rax]", 64, 5, {0x66, 0x48, 0x0f, 0x6e, 0x08}, INSN_XMM_LOAD, RM, 0, 8, CX, 0},
    {"movq [rax], xmm1", 64, 4, {0x66, 0x0f, 0xd6, 0x08}, INSN_XMM_STORE, MR, 0, 8, CX, 0},
    {"movntdqa xmm1, [rax]", 64, 5, {0x66, 0x0f, 0x38, 0x2a, 0x08}, INSN_XMM_LOAD, RM, 0, 16, CX,
     0},
};

static void check_any_row(const struct any_row *r)
{
    uint8_t padded[15];
    struct insn in;
    memset(padded, 0x90, sizeof(padded));
    memcpy(padded, r->bytes, r->n);
    insn_decode_any(padded, 15, r->mode, &in);
    SAME(op, r->op);
    SAME(form, r->form);
    SAME(sub, r->sub);
    SAME(length, r->n);
    SAME(width, r->width);
    SAME(reg, r->reg);
    SAME(imm, r->imm);
    SAME(lock, r->bytes[0] == 0xf0 || r->bytes[1] == 0xf0);
    for (size_t n = 0; n < r->n; n++)
        assert_int_equal(insn_decode_any(r->bytes, n, r->mode, &in), INSN_TRUNCATED);
    assert_int_equal(insn_decode_any(r->bytes, r->n, r->mode, &in), r->op);
}

static void all_meanings(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(any_rows); i++)
        check_any_row(&any_rows[i]);
}

static void all_unknown(void **state)
{
    (void)state;
    static const struct {
        unsigned mode;
        uint8_t bytes[15];
    } bad[] = {
        {64, {0xf0, 0x39, 0x08}},             /* LOCK CMP */
        {64, {0xf0, 0x03, 0x08}},             /* LOCK with a register as destination */
        {64, {0xf0, 0x80, 0x38, 0x01}},
        {64, {0xf0, 0x85, 0x08}},             /* TEST, BT, SETcc, shifts, PUSH, strings, MOV */
        {64, {0xf0, 0x0f, 0xa3, 0x08}},
        {64, {0xf0, 0x0f, 0xba, 0x20, 0x01}},
        {64, {0xf0, 0x0f, 0x94, 0x00}},
        {64, {0xf0, 0xd1, 0x20}},
        {64, {0xf0, 0xff, 0x30}},
        {64, {0xf0, 0xa4}},
        {64, {0xf0, 0x0f, 0x10, 0x00}},
        {64, {0xf0, 0x0f, 0x38, 0xf0, 0x00}},
        {64, {0xf3, 0x01, 0x08}},             /* F3 without LOCK is reserved here */
        {64, {0xf2, 0x0f, 0x38, 0xf0, 0x00}}, /* CRC32 */
        {64, {0xf7, 0x20}},                   /* MUL */
        {64, {0xf6, 0x08, 0x00}},             /* TEST's twin, not in the manual */
        {64, {0xfe, 0x10}},
        {64, {0xff, 0x10}},                   /* CALL */
        {64, {0xff, 0x38}},
        {64, {0x8f, 0x08}},                   /* XOP */
        {64, {0x0f, 0xba, 0x00, 0x01}},
        {64, {0x0f, 0xc7, 0x00}},
        {64, {0x66, 0x0f, 0xc7, 0x08}},
        {64, {0x66, 0x0f, 0xc7, 0x30}},       /* VMCLEAR */
        {64, {0x66, 0x0f, 0xc3, 0x08}},
        {64, {0x0f, 0x6f, 0x00}},             /* MMX */
        {64, {0xf2, 0x0f, 0x6f, 0x00}},
        {64, {0x0f, 0x3a, 0x0f, 0x00, 0x00}},
        {64, {0x0f, 0x38, 0x00, 0x00}},
        {64, {0x01, 0xc8}}, {64, {0x0f, 0xb1, 0xc8}}, {64, {0xff, 0xf0}}, {64, {0x0f, 0x10, 0xc1}},
    };
    struct insn in;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (insn_decode_any(bad[i].bytes, 15, bad[i].mode, &in) != INSN_UNKNOWN)
            fail_msg("row %zu: op %u", i, in.op);
}

static void string_operands(void **state)
{
    (void)state;
    struct insn in;
    insn_decode_any((const uint8_t *)"\x65\xf3\xa4", 3, 32, &in);
    assert_int_equal(in.seg, INSN_GS); /* the source's */
    assert_int_equal(in.base, SI);
    assert_int_equal(in.repeat, INSN_REPE);
    insn_decode_any((const uint8_t *)"\x65\xf2\x67\xaa", 4, 64, &in);
    assert_int_equal(in.seg, INSN_ES); /* nothing overrides it */
    assert_int_equal(in.base, DI);
    assert_int_equal(in.repeat, INSN_REPNE);
    assert_int_equal(in.address_size, 4);
    insn_decode_any((const uint8_t *)"\xac", 1, 16, &in);
    assert_int_equal(in.seg, INSN_DS);
    assert_int_equal(in.repeat, INSN_ONCE);
}

static void bit_offsets(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        unsigned n, mode;
        uint64_t cx, offset;
        unsigned bit;
    } cases[] = {
        {"\x0f\xa3\x08", 3, 64, 0, 0x1000, 0},
        {"\x0f\xa3\x08", 3, 64, 31, 0x1000, 31},
        {"\x0f\xa3\x08", 3, 64, 32, 0x1004, 0},
        {"\x0f\xa3\x08", 3, 64, 0xffffffff, 0xffc, 31},
        {"\x48\x0f\xa3\x08", 4, 64, UINT64_MAX, 0xff8, 63},
        {"\x48\x0f\xa3\x08", 4, 64, 0x100000000, 0x20001000, 0},
        {"\x48\x0f\xa3\x08", 4, 64, 1ull << 63, 0xf000000000001000, 0},
        {"\x66\x0f\xa3\x08", 4, 64, 0xabcd8000, 0, 0},
        {"\x66\x0f\xa3\x08", 4, 32, 0x7fff, 0x1ffe, 15},
        {"\x0f\xa3\x08", 3, 32, 0x80000000, 0xf0001000, 0},
        {"\x67\x0f\xa3\x08", 4, 64, 0x80000000, 0xf0001000, 0},
        {"\x0f\xba\x20\x21", 4, 64, 0, 0x1000, 1},
        {"\x48\x0f\xba\x20\xff", 5, 64, 0, 0x1000, 63},
        {"\x66\x0f\xba\x20\x1f", 5, 64, 0, 0x1000, 15},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t gpr[16] = {0x1000, cases[i].cx}, offset;
        struct insn in;
        insn_decode_any((const uint8_t *)cases[i].bytes, cases[i].n, cases[i].mode, &in);
        assert_int_equal(in.op, INSN_BIT);
        assert_int_equal(insn_bit_offset(&in, gpr, 0, &offset), cases[i].bit);
        if (offset != cases[i].offset)
            fail_msg("row %zu: %llx", i, (unsigned long long)offset);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(meanings), cmocka_unit_test(unknown), cmocka_unit_test(addresses),
        cmocka_unit_test(all_meanings), cmocka_unit_test(all_unknown),
        cmocka_unit_test(string_operands), cmocka_unit_test(bit_offsets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
