/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * state, vectors: the whole extended state is loaded from an image with one XRSTOR (or FXRSTOR) and
 * looked at with XSAVE; guests are compiled without vector code, so nothing else touches it. XCR0
 * differs by seed. Have open: SDM "Managing State Using the XSAVE Feature Set".
 */
#include "guests/state/state.h"

#include "arch/x86/cr.h"
#include "arch/x86/regs.h"
#include "core/lib/string.h"

#define AREA        8192
#define AREA_MXCSR  24
#define AREA_ST     32
#define AREA_XMM    160
#define AREA_HEADER 512
#define AREA_FIRST  576
#define COMPONENTS  8   /* beyond x87 and SSE: those up to AVX-512's */

#define FCW_INIT    0x037fu
#define FCW_RESET   0x0040u
#define MXCSR_FRESH 0x1f80u

static uint8_t wanted[AREA] __attribute__((aligned(64)));
static uint8_t got[AREA] __attribute__((aligned(64)));
static uint64_t offered, chosen; /* XCR0 bits; 0 without XSAVE */
static struct {
    uint32_t offset, size;
} part[COMPONENTS];

static void xsetbv(uint64_t value)
{
    __asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static uint64_t xgetbv(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static void save(uint64_t components)
{
    memset(got, 0, sizeof(got));
    if (offered)
        __asm__ volatile("xsave64 %0" : "+m"(got) : "a"((uint32_t)components), "d"(0) : "memory");
    else
        __asm__ volatile("fxsave64 %0" : "+m"(got) : : "memory");
}

static void load(void)
{
    if (offered)
        __asm__ volatile("xrstor64 %0" : : "m"(wanted), "a"((uint32_t)offered), "d"(0) : "memory");
    else
        __asm__ volatile("fxrstor64 %0" : : "m"(wanted) : "memory");
}

static void find_components(void)
{
    write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT);
    if (!(cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE))
        return;
    write_cr4(read_cr4() | CR4_OSXSAVE);
    state_same("XCR0 of a fresh vCPU", xgetbv(), XCR0_X87);
    struct cpuid_regs r = cpuid(0xd, 0);
    offered = r.eax & (XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512);
    if (r.ecx > AREA) {
        state_wrong("the XSAVE area is larger than this guest knows", r.ecx);
        offered &= XCR0_X87 | XCR0_SSE;
    }
    for (unsigned i = 2; i < COMPONENTS; i++)
        if (offered & BIT(i)) {
            r = cpuid(0xd, i);
            part[i].offset = r.ebx;
            part[i].size = r.eax;
        }
    xsetbv(offered);
}

/* Bytes [at, at + n) of what was saved against what is wanted. */
static void compare(const char *name, size_t at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (got[at + i] != wanted[at + i]) {
            uint64_t a = 0, b = 0;
            size_t word = min_u64(8, n - i);
            memcpy(&a, &got[at + i], word);
            memcpy(&b, &wanted[at + i], word);
            state_same(name, a, b);
            return;
        }
}

static void compare_components(uint64_t components)
{
    static const char *const names[COMPONENTS] = {
        [2] = "YMM", [5] = "opmask", [6] = "ZMM 0-15", [7] = "ZMM 16-31",
    };
    if (components & XCR0_X87) {
        compare("x87 control", 0, AREA_MXCSR);
        for (unsigned i = 0; i < 8; i++)
            compare("x87 register", AREA_ST + 16 * i, 10);
    }
    if (components & XCR0_SSE) {
        compare("MXCSR", AREA_MXCSR, 4);
        compare("XMM", AREA_XMM, 16 * 16);
    }
    for (unsigned i = 2; i < COMPONENTS; i++)
        if (components & BIT(i))
            compare(names[i] ? names[i] : "another component", part[i].offset, part[i].size);
}

static uint64_t visible(void)
{
    return offered ? chosen : XCR0_X87 | XCR0_SSE;
}

void fpu_check_fresh(void)
{
    uint32_t mxcsr = MXCSR_FRESH;
    uint16_t fcw;
    find_components();
    memset(wanted, 0, sizeof(wanted));
    memcpy(wanted + AREA_MXCSR, &mxcsr, sizeof(mxcsr));
    save(offered);
    /* Both are fresh: as after reset (FCW 0040H, every register valid and zero), and the initial
     * configuration of XRSTOR (FCW 037FH, every register empty). */
    memcpy(&fcw, got, sizeof(fcw));
    fcw = fcw == FCW_RESET ? FCW_RESET : FCW_INIT;
    memcpy(wanted, &fcw, sizeof(fcw));
    wanted[4] = got[4] == 0xff ? 0xff : 0;
    compare_components(offered ? offered : XCR0_X87 | XCR0_SSE);
}

static void put(size_t at, uint64_t value, size_t n)
{
    memcpy(wanted + at, &value, n);
}

void fpu_fill(void)
{
    static const uint64_t choices[] = {XCR0_X87, XCR0_X87 | XCR0_SSE,
                                       XCR0_X87 | XCR0_SSE | XCR0_AVX,
                                       XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512};
    unsigned item = ITEM_FPU;
    memset(wanted, 0, sizeof(wanted));
    /* All exceptions masked, none pending; rounding, precision, TOP and condition codes vary. */
    put(0, 0x7f | (state_pattern(item++) & 0x0c00) | 0x0300, 2);
    put(2, state_pattern(item++) & 0x7f00, 2);
    put(4, 0xff, 1);
    put(6, state_pattern(item++) & 0x7ff, 2);
    put(8, state_pattern(item++) & BITS(46, 0), 8);
    put(16, state_pattern(item++) & BITS(46, 0), 8);
    put(AREA_MXCSR, MXCSR_FRESH | (state_pattern(item++) & 0xe03f), 4);
    for (unsigned i = 0; i < 8; i++) {
        put(AREA_ST + 16 * i, state_pattern(item++), 8);
        put(AREA_ST + 16 * i + 8, state_pattern(item++), 2);
    }
    for (unsigned i = 0; i < 32; i++)
        put(AREA_XMM + 8 * i, state_pattern(item++), 8);
    for (unsigned i = 2; i < COMPONENTS; i++)
        for (uint32_t at = 0; at < part[i].size; at += 8)
            put(part[i].offset + at, state_pattern(item++), 8);
    put(AREA_HEADER, offered, 8);
    load();
    chosen = choices[state_seed % ARRAY_LEN(choices)] & offered;
    if (offered)
        xsetbv(chosen);
}

void fpu_check(void)
{
    if (offered)
        state_same("XCR0", xgetbv(), chosen);
    save(visible());
    compare_components(visible());
}

void fpu_check_hidden(void)
{
    if (!offered)
        return;
    xsetbv(offered);
    save(offered);
    compare_components(offered);
}
