/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The executor against the processor that runs the test: random instructions of everything the
 * decoder knows, on both, and registers, flags and memory must agree. Then what that cannot show:
 * 16- and 32-bit modes, refusals, chunks of strings, the order of accesses. Flags that the manual
 * leaves undefined are not compared.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <cpuid.h>
#include <sys/mman.h>

#include "core/emulate.h"
#include "core/lib/string.h"

#define CF BIT(0)
#define PF BIT(2)
#define AF BIT(4)
#define ZF BIT(6)
#define SF BIT(7)
#define DF BIT(10)
#define OF BIT(11)
#define STATUS (CF | PF | AF | ZF | SF | OF)

enum { AX, CX, DX, BX, SP, BP, SI, DI, R8, R9 };

static uint64_t seed = 88172645463325252u;

static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* Interesting numbers more often than chance would give them. */
static uint64_t rnd_value(void)
{
    static const uint64_t edges[] = {0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff,
                                     0x80000000, 0xffffffff, INT64_MAX, 1ull << 63, UINT64_MAX};
    return rnd() % 3 ? rnd() : edges[rnd() % ARRAY_LEN(edges)];
}

/* --- the machine the executor sees ---------------------------------------------------------- */

#define ARENA 16384

struct machine {
    uint64_t origin;      /* linear address of memory[0] */
    uint8_t *memory;
    uint8_t xmm[16][16];
    uint64_t base[6];
    unsigned calls;
    unsigned refuse_at;   /* the n-th callback refuses, from 1; 0: none does */
    unsigned raised;
    char trail[64];       /* l, q (probe to read), p, r, w, x: in order */
};

static bool refused(struct machine *m, char what)
{
    if (m->calls < sizeof(m->trail) - 1)
        m->trail[m->calls] = what;
    return ++m->calls == m->refuse_at;
}

static uint8_t *at(const struct machine *m, uint64_t linear, unsigned size)
{
    assert_true(linear >= m->origin && linear - m->origin <= ARENA - size);
    return m->memory + (linear - m->origin);
}

static bool op_linear(void *p, unsigned seg, uint64_t offset, unsigned size, bool write,
                      uint64_t *linear)
{
    struct machine *m = p;
    (void)write;
    assert_true(seg < 6 && size > 0 && size <= 16);
    *linear = offset + m->base[seg];
    return !refused(m, 'l');
}

static bool op_probe(void *p, uint64_t linear, unsigned size, bool write)
{
    (void)at(p, linear, size);
    return !refused(p, write ? 'p' : 'q');
}

static bool op_read(void *p, uint64_t linear, void *buf, unsigned size)
{
    if (refused(p, 'r'))
        return false;
    memcpy(buf, at(p, linear, size), size);
    return true;
}

static bool op_write(void *p, uint64_t linear, const void *buf, unsigned size)
{
    if (refused(p, 'w'))
        return false;
    memcpy(at(p, linear, size), buf, size);
    return true;
}

static bool op_read_xmm(void *p, unsigned n, uint8_t value[16])
{
    struct machine *m = p;
    memcpy(value, m->xmm[n], 16);
    return !refused(m, 'x');
}

static void op_write_xmm(void *p, unsigned n, const uint8_t value[16])
{
    struct machine *m = p;
    memcpy(m->xmm[n], value, 16);
}

static void op_raise(void *p, uint8_t vector, uint32_t error_code)
{
    struct machine *m = p;
    assert_int_equal(vector, 13);
    assert_int_equal(error_code, 0);
    m->raised++;
}

static const struct emulate_ops ops = {
    .linear = op_linear, .probe = op_probe, .read = op_read, .write = op_write,
    .read_xmm = op_read_xmm, .write_xmm = op_write_xmm, .raise = op_raise,
};

/* --- the processor -------------------------------------------------------------------------- */

/* One mapping below 2 GiB: code, then this, then the arena. Code reaches it relative to RIP. */
struct state {
    uint64_t gpr[16], rflags, host_rsp;
    uint8_t xmm[16][16];
};

#define STATE_AT 4096
#define ARENA_AT 8192

static uint8_t *map;
static struct state *state;
static unsigned code_at, slot; /* slot: where the instruction goes, 15 bytes */

static void emit(const void *bytes, unsigned n)
{
    memcpy(map + code_at, bytes, n);
    code_at += n;
}

/* Prefix and opcode bytes, then ModRM for reg, [rip + field]. */
static void emit_field(const char *opcode, unsigned n, unsigned reg, size_t field)
{
    uint8_t modrm = (uint8_t)(5 | (reg & 7) << 3);
    emit(opcode, n);
    emit(&modrm, 1);
    int32_t disp = (int32_t)(STATE_AT + field) - (int32_t)(code_at + 4);
    emit(&disp, 4);
}

static void emit_move_gpr(unsigned reg, bool to_state)
{
    char opcode[2] = {(char)(reg >= 8 ? 0x4c : 0x48), (char)(to_state ? 0x89 : 0x8b)};
    emit_field(opcode, 2, reg, 8 * reg);
}

static void emit_move_xmm(unsigned reg, bool to_state)
{
    char opcode[3] = {0x44, 0x0f, to_state ? 0x11 : 0x10};
    emit_field(opcode + (reg < 8), 2 + (reg >= 8), reg, offsetof(struct state, xmm) + 16 * reg);
}

static void build_stub(void)
{
    map = mmap(NULL, ARENA_AT + ARENA, PROT_READ | PROT_WRITE | PROT_EXEC,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    assert_true(map != MAP_FAILED);
    state = (struct state *)(void *)(map + STATE_AT);
    emit("\x53\x55\x41\x54\x41\x55\x41\x56\x41\x57", 10); /* the callee's registers */
    emit_field("\x48\x89", 2, SP, offsetof(struct state, host_rsp));
    for (unsigned i = 0; i < 16; i++)
        emit_move_xmm(i, false);
    emit_field("\xff", 1, 6, offsetof(struct state, rflags));
    emit("\x9d", 1);
    for (unsigned i = 0; i < 16; i++)
        emit_move_gpr(i, false);
    slot = code_at;
    code_at += INSN_MAX_LENGTH;
    for (unsigned i = 0; i < 16; i++)
        emit_move_gpr(i, true);
    emit_field("\x48\x8b", 2, SP, offsetof(struct state, host_rsp));
    emit("\x9c", 1);
    emit_field("\x8f", 1, 0, offsetof(struct state, rflags));
    emit("\xfc", 1);
    for (unsigned i = 0; i < 16; i++)
        emit_move_xmm(i, true);
    emit("\x41\x5f\x41\x5e\x41\x5d\x41\x5c\x5d\x5b\xc3", 11);
}

static void run_on_processor(const uint8_t *bytes, unsigned n)
{
    uint8_t *code = map;
    void (*stub)(void);
    memset(map + slot, 0x90, INSN_MAX_LENGTH);
    memcpy(map + slot, bytes, n);
    memcpy(&stub, &code, sizeof(stub));
    stub();
}

/* --- random instructions -------------------------------------------------------------------- */

struct attempt {
    uint8_t bytes[24];
    unsigned n, disp_at, disp_size;
    struct insn in;
};

static void put(struct attempt *a, uint64_t value)
{
    a->bytes[a->n++] = (uint8_t)value;
}

static void put_modrm(struct attempt *a)
{
    uint8_t modrm = (uint8_t)rnd() & (rnd() % 2 ? 0xbf : 0x7f), sib = (uint8_t)rnd();
    put(a, modrm);
    if ((modrm & 7) == 4)
        put(a, sib);
    bool bare = (modrm & 7) == 5 || ((modrm & 7) == 4 && (sib & 7) == 5);
    a->disp_at = a->n;
    a->disp_size = modrm >> 6 == 1 ? 1 : modrm >> 6 == 2 || bare ? 4 : 0;
}

/* In the place of an opcode these would shift all that follows. */
static bool is_prefix(uint8_t byte)
{
    return (byte & 0xe7) == 0x26 || (byte & 0xf0) == 0x40 || (byte & 0xfc) == 0x64 ||
           byte == 0xf0 || byte == 0xf2 || byte == 0xf3 || byte == 0x0f;
}

static void make_bytes(struct attempt *a)
{
    static const uint8_t prefixes[] = {0x66, 0x66, 0x66, 0xf0, 0xf2, 0xf3, 0xf3, 0x67, 0x65, 0x2e,
                                       0x36};
    unsigned choice = rnd() % 16;
    uint8_t opcode = (uint8_t)rnd();
    if (choice < 8 && is_prefix(opcode))
        opcode = 0x8b;
    memset(a, 0, sizeof(*a));
    while (rnd() % 2 && a->n < 3)
        put(a, prefixes[rnd() % ARRAY_LEN(prefixes)]);
    if (rnd() % 2)
        put(a, 0x40 | (rnd() & 15));
    if (choice >= 8)
        put(a, 0x0f);
    if (choice < 15 && choice >= 8 && opcode == 0x38)
        opcode = 0x10;
    if (choice == 15) {
        put(a, 0x38);
        opcode = rnd() % 2 ? opcode : rnd() % 3 ? 0xf0 | (opcode & 1) : 0x2a;
    }
    put(a, opcode);
    a->disp_at = a->n;
    if (choice < 8 && (opcode & 0xfc) == 0xa0)
        a->disp_size = 8;
    else if (choice >= 8 || opcode < 0xa4 || opcode > 0xaf)
        put_modrm(a);
    while (a->n < sizeof(a->bytes))
        put(a, rnd_value());
}

/* Arranges registers and displacement so that the operand is at target. False: try another. */
static bool aim(struct attempt *a, uint64_t target, uint64_t gpr[16])
{
    const struct insn *in = &a->in;
    uint64_t want = target - (uint64_t)in->disp;
    if (in->base == INSN_NO_REG) {
        if (a->disp_size < 4)
            return false;
        uint64_t disp = in->rip_relative ? target - (uint64_t)(map + slot) - in->length : target;
        if (in->index != INSN_NO_REG) {
            gpr[in->index] = rnd() & 0xff;
            disp -= gpr[in->index] * in->scale;
        }
        for (unsigned i = 0; i < a->disp_size; i++)
            a->bytes[a->disp_at + i] = (uint8_t)(disp >> (8 * i));
        return true;
    }
    if (in->index == in->base)
        return false;
    if (in->index != INSN_NO_REG)
        want -= gpr[in->index] * in->scale;
    gpr[in->base] = in->address_size == 4 ? (uint32_t)want | rnd() << 32 : want;
    return true;
}

/* The flags that are the same on every processor. */
static uint64_t defined_flags(const struct insn *in, const uint64_t gpr[16])
{
    unsigned bits = 8u * in->width;
    unsigned count = (unsigned)(in->form == INSN_FORM_CL ? gpr[CX] : (uint64_t)in->imm) &
                     (in->width == 8 ? 63 : 31);
    uint64_t overflow = count == 1 ? OF : 0;
    switch (in->op) {
    case INSN_TEST:
        return STATUS & ~AF;
    case INSN_ALU:
        return in->sub == INSN_AND || in->sub == INSN_OR || in->sub == INSN_XOR ? STATUS & ~AF
                                                                                : STATUS;
    case INSN_BIT:
        return CF | ZF;
    case INSN_SHIFT:
        if (count == 0)
            return STATUS;
        if (in->sub <= INSN_RCR)
            return (STATUS & ~OF) | overflow;
        return (STATUS & ~(AF | OF | (count >= bits && in->sub != INSN_SAR ? CF : 0))) | overflow;
    default:
        return STATUS;
    }
}

static bool has_movbe(void)
{
    unsigned eax, ebx, ecx = 0, edx;
    return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & 1u << 22);
}

static void prepare_string(const struct insn *in, uint64_t arena, uint64_t gpr[16])
{
    uint64_t count = rnd() % 12;
    /* Processors differ on whether 0 iterations clear the upper halves. */
    uint64_t high = in->address_size == 4 && count ? rnd() << 32 : 0;
    gpr[SI] = (arena + 6000 + rnd() % 32) | high;
    gpr[DI] = (arena + 6000 + rnd() % 32) | high;
    gpr[CX] = count | high;
}

/* Registers for what a says. False: try another. */
static bool prepare(struct attempt *a, uint64_t gpr[16])
{
    const struct insn *in = &a->in;
    uint64_t arena = (uint64_t)(map + ARENA_AT), target = arena + 6000 + rnd() % 200;
    bool stack = in->op == INSN_PUSH || in->op == INSN_POP;
    if (in->form == INSN_FORM_STRING) {
        prepare_string(in, arena, gpr);
        return true;
    }
    /* LOCK over a cache line's end is slow and may be trapped. */
    if (in->aligned || in->lock || in->op == INSN_XCHG)
        target &= ~UINT64_C(15);
    if (in->op == INSN_BIT && in->form == INSN_FORM_MEM_REG) {
        if (in->reg == in->base || in->reg == in->index)
            return false;
        uint64_t number = (uint64_t)((int64_t)(rnd() << 48) >> 48);
        gpr[in->reg] = in->width == 8   ? number
                       : in->width == 4 ? (uint32_t)number | rnd() << 32
                                        : (uint16_t)number | rnd() << 16;
        target = (target & ~UINT64_C(15)) + 2000;
    }
    if (stack)
        gpr[SP] = arena + 4000;
    if (!aim(a, target, gpr))
        return false;
    return !stack || (gpr[SP] >= arena + 3000 && gpr[SP] < arena + 8000);
}

static void compare(const struct attempt *a, const struct emulate_ctx *c, const struct machine *m,
                    const uint64_t before[16])
{
    uint64_t flags = defined_flags(&a->in, before);
    bool same = memcmp(c->gpr, state->gpr, sizeof(c->gpr)) == 0 &&
                memcmp(m->xmm, state->xmm, sizeof(m->xmm)) == 0 &&
                memcmp(m->memory, map + ARENA_AT, ARENA) == 0 &&
                ((c->rflags ^ state->rflags) & flags) == 0;
    if (same)
        return;
    for (unsigned i = 0; i < a->in.length; i++)
        print_error(" %02x", a->bytes[i]);
    print_error("\nop %u sub %u width %u form %u memory %d\n", a->in.op, a->in.sub, a->in.width,
                a->in.form, memcmp(m->memory, map + ARENA_AT, ARENA));
    for (unsigned i = 0; i < 16; i++)
        print_error("%2u: %016llx -> %016llx, processor %016llx\n", i, (long long)before[i],
                    (long long)c->gpr[i], (long long)state->gpr[i]);
    fail_msg("flags %llx, processor %llx, compared %llx", (long long)c->rflags,
             (long long)state->rflags, (long long)flags);
}

static uint8_t mirror[ARENA];

/* Random memory around the operand; comparisons get a fair chance of equality. */
static void fill_memory(const struct insn *in, const struct emulate_ctx *c, uint64_t origin)
{
    for (unsigned i = 0; i < 64; i++)
        memcpy(mirror + 5984 + 8 * i, &(uint64_t){rnd_value()}, 8);
    if ((in->op == INSN_CMPS || in->op == INSN_SCAS) && rnd() % 2)
        memset(mirror + 5984, (int)(c->gpr[AX] & 0xff), 60);
    uint64_t offset = insn_offset(in, c->gpr, c->rip) - origin;
    if (in->op == INSN_CMPXCHG && rnd() % 2)
        memcpy(mirror + offset, &c->gpr[AX], in->width);
    if (in->op == INSN_CMPXCHG_PAIR && rnd() % 2) {
        memcpy(mirror + offset, &c->gpr[AX], in->width / 2u);
        memcpy(mirror + offset + in->width / 2u, &c->gpr[DX], in->width / 2u);
    }
}

/* Returns whether it ran. */
static bool run_both(struct attempt *a)
{
    struct machine m = {.origin = (uint64_t)(map + ARENA_AT), .memory = mirror};
    struct emulate_ctx c = {.insn = &a->in, .ops = &ops, .machine = &m, .stack_size = 8,
                            .limit = 100, .rip = (uint64_t)(map + slot)};
    uint64_t before[16];
    uint8_t op = a->in.op;
    for (unsigned i = 0; i < 16; i++)
        c.gpr[i] = rnd_value();
    if (!prepare(a, c.gpr))
        return false;
    assert_int_equal(insn_decode_any(a->bytes, 15, 64, &a->in), op); /* displacement is in */
    fill_memory(&a->in, &c, m.origin);
    for (unsigned i = 0; i < 16; i++)
        memcpy(m.xmm[i], (uint64_t[2]){rnd(), rnd()}, 16);
    c.rflags = 0x202 | (rnd() & (STATUS | DF));
    memcpy(map + ARENA_AT, mirror, ARENA);
    memcpy(state->gpr, c.gpr, sizeof(c.gpr));
    memcpy(state->xmm, m.xmm, sizeof(m.xmm));
    state->rflags = c.rflags;
    memcpy(before, c.gpr, sizeof(before));
    run_on_processor(a->bytes, a->in.length);
    assert_int_equal(emulate(&c), EMULATE_DONE);
    compare(a, &c, &m, before);
    return true;
}

static void as_the_processor(void **unused)
{
    (void)unused;
    unsigned seen[INSN_OPS] = {0}, runs = 0;
    bool movbe = has_movbe();
    build_stub();
    for (unsigned i = 0; i < 400000; i++) {
        struct attempt a;
        make_bytes(&a);
        enum insn_op op = insn_decode_any(a.bytes, 15, 64, &a.in);
        bool swaps = op == INSN_MOVBE_LOAD || op == INSN_MOVBE_STORE;
        if (op <= INSN_TRUNCATED || (swaps && !movbe) || !run_both(&a))
            continue;
        seen[op]++;
        runs++;
    }
    assert_true(runs > 50000);
    for (unsigned op = INSN_MOV_LOAD; op < INSN_OPS; op++)
        if (seen[op] < 50 && (movbe || (op != INSN_MOVBE_LOAD && op != INSN_MOVBE_STORE)))
            fail_msg("only %u runs of op %u", seen[op], op);
    munmap(map, ARENA_AT + ARENA);
}

/* --- by hand -------------------------------------------------------------------------------- */

static struct machine m;
static struct insn insn;
static struct emulate_ctx c;

/* Decodes text's bytes for mode; registers are 0, the arena starts at 0. */
static void given(unsigned mode, const char *bytes, size_t n)
{
    memset(&m, 0, sizeof(m));
    memset(mirror, 0, sizeof(mirror));
    m.memory = mirror;
    c = (struct emulate_ctx){.insn = &insn, .ops = &ops, .machine = &m, .limit = 100, .rflags = 2,
                             .stack_size = mode / 8};
    assert_true(insn_decode_any((const uint8_t *)bytes, n, mode, &insn) > INSN_TRUNCATED);
    assert_int_equal(insn.length, n);
}

static uint64_t peek(unsigned offset, unsigned size)
{
    uint64_t v = 0;
    memcpy(&v, mirror + offset, size);
    return v;
}

static void other_modes(void **unused)
{
    (void)unused;
    given(16, "\x01\x46\xfe", 3); /* add [bp-2], ax: SS, 16 bits */
    m.base[INSN_SS] = 0x1000;
    c.gpr[BP] = 0x12340102;
    c.gpr[AX] = 0xffff1234;
    mirror[0x1100] = 1;
    assert_int_equal(emulate(&c), EMULATE_DONE);
    assert_int_equal(peek(0x1100, 4), 0x1235);

    given(16, "\xff\x36\x00\x02", 4); /* push word [200h]; SP wraps within 16 bits */
    c.gpr[SP] = 0xabcd0002;
    mirror[0x200] = 0x77;
    assert_int_equal(emulate(&c), EMULATE_DONE);
    assert_int_equal(c.gpr[SP], 0xabcd0000);
    assert_int_equal(peek(0, 2), 0x77);

    given(16, "\x66\x67\xff\x74\x24\x04", 6); /* push dword [esp+4] with a 32-bit stack */
    c.stack_size = 4;
    c.gpr[SP] = 0x100;
    memcpy(mirror + 0x104, "\x01\x02\x03\x04", 4);
    assert_int_equal(emulate(&c), EMULATE_DONE);
    assert_int_equal(c.gpr[SP], 0xfc);
    assert_int_equal(peek(0xfc, 4), 0x04030201);

    given(32, "\x8f\x04\x24", 3); /* pop dword [esp]: ESP is behind the value already */
    c.gpr[SP] = 0x100;
    memcpy(mirror + 0x100, "\x01\x02\x03\x04", 4);
    assert_int_equal(emulate(&c), EMULATE_DONE);
    assert_int_equal(c.gpr[SP], 0x104);
    assert_int_equal(peek(0x104, 4), 0x04030201);

    given(16, "\xf3\xa4", 2); /* rep movsb: only the low halves count */
    m.base[INSN_ES] = 0x100;
    m.base[INSN_DS] = 0x10;
    c.gpr[DI] = 0x2000e;
    c.gpr[CX] = 0x30003;
    c.gpr[SI] = 0x10100;
    memcpy(mirror + 0x110, "abc", 3);
    assert_int_equal(emulate(&c), EMULATE_DONE);
    assert_memory_equal(mirror + 0x10e, "abc", 3);
    assert_int_equal(c.gpr[SI], 0x10103);
    assert_int_equal(c.gpr[DI], 0x20011);
    assert_int_equal(c.gpr[CX], 0x30000);

    given(16, "\x0f\xab\x06\x00\x01", 5); /* bts [100h], ax: 8 words below */
    c.gpr[AX] = 0xff81;
    assert_int_equal(emulate(&c), EMULATE_DONE);
    assert_int_equal(peek(0xf0, 2), 2);

    given(32, "\x0f\xc7\x0b", 3); /* cmpxchg8b [ebx] */
    c.gpr[BX] = 0x200;
    c.gpr[AX] = 5;
    c.gpr[CX] = 9;
    mirror[0x200] = 5;
    assert_int_equal(emulate(&c), EMULATE_DONE);
    assert_int_equal(peek(0x200, 8), 0x900000200);
    assert_true(c.rflags & ZF);
}

static void strings_in_chunks(void **unused)
{
    (void)unused;
    given(64, "\xf3\xab", 2); /* rep stosd */
    c.limit = 4;
    c.gpr[CX] = 10;
    c.gpr[DI] = 0x100;
    c.gpr[AX] = 0x11223344;
    assert_int_equal(emulate(&c), EMULATE_MORE);
    assert_int_equal(c.gpr[CX], 6);
    assert_int_equal(c.gpr[DI], 0x110);
    assert_int_equal(emulate(&c), EMULATE_MORE);
    assert_int_equal(emulate(&c), EMULATE_DONE);
    assert_int_equal(c.gpr[CX], 0);
    assert_int_equal(peek(0x124, 8), 0x11223344);
    /* The n-th element fails: those before it count. */
    given(64, "\xf3\xab", 2);
    c.gpr[CX] = 10;
    c.gpr[DI] = 0x100;
    m.refuse_at = 3 * 3 + 3;
    assert_int_equal(emulate(&c), EMULATE_FAULT);
    assert_int_equal(c.gpr[CX], 7);
    assert_int_equal(c.gpr[DI], 0x10c);
    /* A count of 2^64 ends when the caller wants it to. */
    given(64, "\xf3\xac", 2);
    c.gpr[CX] = UINT64_MAX;
    assert_int_equal(emulate(&c), EMULATE_MORE);
    assert_int_equal(c.gpr[SI], 100);
    given(64, "\xf3\xac", 2);
    c.gpr[CX] = 3;
    c.limit = 0; /* taken for 1 */
    assert_int_equal(emulate(&c), EMULATE_MORE);
    assert_int_equal(c.gpr[CX], 2);
    /* repne scasb stops at a match; on a fault the flags are those of before. */
    given(64, "\xf2\xae", 2);
    c.gpr[CX] = 10;
    mirror[4] = 0;
    memset(mirror, 'x', 4);
    assert_int_equal(emulate(&c), EMULATE_DONE);
    assert_int_equal(c.gpr[DI], 5);
    assert_int_equal(c.gpr[CX], 5);
    assert_true(c.rflags & ZF);
    given(64, "\xf2\xae", 2);
    c.gpr[CX] = 10;
    c.rflags |= OF | PF;
    memset(mirror, 0xee, 16);
    m.refuse_at = 4;
    assert_int_equal(emulate(&c), EMULATE_FAULT);
    assert_int_equal(c.gpr[CX], 9);
    assert_int_equal(c.rflags, 2 | OF | PF);
}

/* No read before it is sure that the result can be put somewhere; the source faults first. */
static void order(void **unused)
{
    (void)unused;
    static const struct { const char *bytes; unsigned n; const char *trail; } rows[] = {
        {"\x01\x03", 2, "lprw"}, {"\x03\x03", 2, "lr"}, {"\x39\x03", 2, "lr"},
        {"\x87\x03", 2, "lprw"}, {"\x89\x03", 2, "lpw"}, {"\xa5", 1, "lqlprw"},
        {"\xa7", 1, "lqlqrr"}, {"\xaf", 1, "lr"}, {"\xab", 1, "lpw"}, {"\xad", 1, "lr"},
        {"\x0f\xa3\x03", 3, "lr"}, {"\x0f\xb1\x03", 3, "lprw"}, {"\x0f\xc7\x0b", 3, "lprw"},
        {"\xff\x33", 2, "lqlprw"}, {"\x8f\x03", 2, "lqlprw"}, {"\xf7\x13", 2, "lprw"},
        {"\x0f\x10\x03", 3, "xlr"}, {"\x0f\x11\x03", 3, "xlpw"}, {"\x0f\x94\x03", 3, "lpw"},
        {"\x0f\x45\x03", 3, "lr"}, {"\xd3\x23", 2, "lprw"}, {"\x85\x03", 2, "lr"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        given(64, rows[i].bytes, rows[i].n);
        c.gpr[BX] = c.gpr[SI] = c.gpr[SP] = 0x100;
        assert_int_equal(emulate(&c), EMULATE_DONE);
        if (!str_eq(m.trail, rows[i].trail))
            fail_msg("row %zu: %s, not %s", i, m.trail, rows[i].trail);
        /* Whichever is refused, nothing changes. */
        for (unsigned n = 1; n <= strlen(rows[i].trail); n++) {
            given(64, rows[i].bytes, rows[i].n);
            for (unsigned r = 0; r < 16; r++)
                c.gpr[r] = 0x100 + 8 * r;
            memset(mirror, 0x5a, sizeof(mirror));
            memset(m.xmm, 0x77, sizeof(m.xmm));
            m.refuse_at = n;
            struct emulate_ctx before = c;
            struct machine was = m;
            assert_int_equal(emulate(&c), EMULATE_FAULT);
            assert_memory_equal(&before, &c, sizeof(c));
            assert_memory_equal(was.xmm, m.xmm, sizeof(m.xmm));
            for (unsigned b = 0; b < ARENA; b++)
                assert_int_equal(mirror[b], 0x5a);
        }
    }
}

static void alignment(void **unused)
{
    (void)unused;
    static const struct { const char *bytes; unsigned n; bool faults; } rows[] = {
        {"\x0f\x28\x03", 3, true}, {"\x0f\x29\x03", 3, true}, {"\x66\x0f\x6f\x03", 4, true},
        {"\x66\x0f\xe7\x03", 4, true}, {"\x48\x0f\xc7\x0b", 4, true}, {"\x0f\x10\x03", 3, false},
        {"\xf3\x0f\x7f\x03", 4, false}, {"\x66\x0f\xd6\x03", 4, false}, {"\x0f\xc7\x0b", 3, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (unsigned low = 0; low < 16; low++) {
            given(64, rows[i].bytes, rows[i].n);
            c.gpr[BX] = 0x100 + low;
            bool faults = rows[i].faults && low;
            assert_int_equal(emulate(&c), faults ? EMULATE_FAULT : EMULATE_DONE);
            assert_int_equal(m.raised, faults);
        }
}

static void no_instruction(void **unused)
{
    (void)unused;
    given(64, "\x89\x03", 2);
    static const uint8_t ops_unknown[] = {INSN_UNKNOWN, INSN_TRUNCATED, INSN_OPS, 255};
    for (size_t i = 0; i < sizeof(ops_unknown); i++) {
        insn.op = ops_unknown[i];
        assert_int_equal(emulate(&c), EMULATE_UNKNOWN);
        assert_int_equal(m.calls, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_the_processor), cmocka_unit_test(other_modes),
        cmocka_unit_test(strings_in_chunks), cmocka_unit_test(order),
        cmocka_unit_test(alignment), cmocka_unit_test(no_instruction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
