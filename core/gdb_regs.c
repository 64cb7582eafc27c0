/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between a vCPU's registers and gdb's. The FPU's come out of the save area, whose first 512 bytes
 * are an FXSAVE image in every format; a component that XSTATE_BV calls initial is not stored
 * there. SDM: "XSAVE Area", "FXSAVE".
 */
#include "core/gdb_regs.h"

#include "arch/x86/regs.h"
#include "core/backend.h"
#include "core/gdb_target.h"
#include "core/host.h"
#include "core/lib/string.h"
#include "core/vcpu.h"

#define FXSAVE_SIZE   512
#define FXSAVE_ST     32
#define FXSAVE_XMM    160
#define FCW_INIT      0x37f
#define MXCSR_INIT    0x1f80
#define FLAGS_CHANGE  (~(RFLAGS_RESERVED | RFLAGS_VM) & ~RFLAGS_FIXED1)

/* As after FNINIT where the CPU has not stored it. */
static void fpu_image(struct vcpu *v, uint8_t image[FXSAVE_SIZE])
{
    uint64_t stored = XCR0_X87 | XCR0_SSE;
    uint16_t fcw = FCW_INIT;
    uint32_t mxcsr = MXCSR_INIT;
    host_fpu_save(v->fpu); /* it is in the CPU */
    memcpy(image, v->fpu, FXSAVE_SIZE);
    if (host_fpu_mask())
        memcpy(&stored, (const uint8_t *)v->fpu + FXSAVE_SIZE, sizeof(stored));
    if (!(stored & XCR0_X87)) {
        memset(image, 0, 24);
        memset(image + FXSAVE_ST, 0, FXSAVE_XMM - FXSAVE_ST);
        memcpy(image, &fcw, sizeof(fcw));
    }
    if (!(stored & (XCR0_SSE | XCR0_AVX)))
        memcpy(image + 24, &mxcsr, sizeof(mxcsr));
    if (!(stored & XCR0_SSE))
        memset(image + FXSAVE_XMM, 0, 256);
}

/* FXSAVE has a bit for each register, physical number; gdb wants two, of which 3 says empty. What
 * kind of value it is (0 to 2) is left to gdb, which sees it. */
static uint32_t full_tag(uint8_t abridged)
{
    uint32_t tag = 0;
    for (unsigned i = 0; i < 8; i++)
        if (!(abridged >> i & 1))
            tag |= 3u << (2 * i);
    return tag;
}

static uint64_t fpu_control(const uint8_t *image, unsigned n)
{
    static const uint8_t at[] = {[GDB_FCTRL] = 0, [GDB_FSTAT] = 2, [GDB_FTAG] = 4, [GDB_FOP] = 6,
                                 [GDB_FIOFF] = 8, [GDB_FISEG] = 12, [GDB_FOOFF] = 16,
                                 [GDB_FOSEG] = 20};
    uint32_t value = 0;
    memcpy(&value, image + at[n], n == GDB_FIOFF || n == GDB_FOOFF ? 4 : 2);
    return n == GDB_FTAG ? full_tag((uint8_t)value) : value;
}

static uint64_t segment_value(struct vcpu *v, const struct gdb_reg *r)
{
    struct segment s;
    backend->get_segment(v, (enum seg_name)r->n, &s);
    return r->source == GDB_BASE ? s.base : s.selector;
}

/* What is added to the instruction pointer. */
static uint64_t code_base(struct vcpu *v)
{
    struct segment cs;
    backend->get_segment(v, SEG_CS, &cs);
    return backend->code_bits(v) == 64 ? 0 : cs.base;
}

static uint64_t control(struct vcpu *v, unsigned n)
{
    switch (n) {
    case 0:
        return backend->get_reg(v, VREG_CR0);
    case 2:
        return v->cr2;
    case 3:
        return backend->get_reg(v, VREG_CR3);
    default:
        return backend->get_reg(v, VREG_CR4);
    }
}

static void value_of(struct vcpu *v, const struct gdb_reg *r, const uint8_t *image,
                     uint8_t out[GDB_REG_MAX_BYTES])
{
    uint64_t value = 0;
    switch (r->source) {
    case GDB_GPR:
        value = vcpu_gpr(v, r->n);
        break;
    case GDB_PC:
        value = backend->get_reg(v, VREG_RIP) + code_base(v);
        break;
    case GDB_FLAGS:
        value = backend->get_reg(v, VREG_RFLAGS);
        if (v->debug.armed && v->debug.tf_used && !v->debug.guest_tf)
            value &= ~RFLAGS_TF; /* of a step that another vCPU interrupted */
        break;
    case GDB_SELECTOR:
    case GDB_BASE:
        value = segment_value(v, r);
        break;
    case GDB_FPU:
        memcpy(out, image + r->n, r->bytes);
        return;
    case GDB_FPU_CTRL:
        value = fpu_control(image, r->n);
        break;
    case GDB_CR:
        value = control(v, r->n);
        break;
    default:
        value = backend->get_reg(v, VREG_EFER);
    }
    memcpy(out, &value, sizeof(value));
}

void gdb_regs_read(struct vcpu *v, void *arg)
{
    struct gdb_regs_call *c = arg;
    uint8_t image[FXSAVE_SIZE], bytes[GDB_REG_MAX_BYTES];
    struct gdb_reg r;
    fpu_image(v, image);
    for (unsigned i = c->one ? c->n : 0; gdb_target_reg(c->wide, i, &r); i++) {
        memset(bytes, 0, sizeof(bytes));
        value_of(v, &r, image, bytes);
        gdb_tx_bytes(c->tx, bytes, r.bytes);
        if (c->one)
            return;
    }
}

static bool set_value(struct vcpu *v, const struct gdb_reg *r, uint64_t value)
{
    uint64_t flags = backend->get_reg(v, VREG_RFLAGS);
    switch (r->source) {
    case GDB_GPR:
        vcpu_set_gpr(v, r->n, value);
        return true;
    case GDB_PC:
        value -= code_base(v);
        backend->set_reg(v, VREG_RIP, backend->code_bits(v) == 64 ? value : (uint32_t)value);
        return true;
    case GDB_FLAGS:
        backend->set_reg(v, VREG_RFLAGS, (flags & ~FLAGS_CHANGE) | (value & FLAGS_CHANGE));
        return true;
    default:
        return false;
    }
}

/* A 64-bit RIP must be canonical, or the next entry would fail. */
static bool acceptable(struct vcpu *v, const struct gdb_reg *r, uint64_t value)
{
    bool canonical = (uint64_t)((int64_t)(value << 16) >> 16) == value;
    return r->source != GDB_PC || canonical || backend->code_bits(v) != 64;
}

void gdb_regs_write(struct vcpu *v, void *arg)
{
    struct gdb_regs_call *c = arg;
    uint8_t bytes[GDB_REG_MAX_BYTES];
    struct gdb_reg r;
    bool any = false;
    for (unsigned i = c->one ? c->n : 0; gdb_target_reg(c->wide, i, &r); i++) {
        uint64_t value;
        memset(bytes, 0, sizeof(bytes));
        if (!gdb_bytes(&c->at, bytes, r.bytes))
            break;
        any = true;
        memcpy(&value, bytes, sizeof(value));
        if (!acceptable(v, &r, value) || (!set_value(v, &r, value) && c->one))
            c->failed = true;
        if (c->one)
            return;
    }
    if (!any)
        c->failed = true;
}
