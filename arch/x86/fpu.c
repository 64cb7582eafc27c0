/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest FPU, SSE and AVX state: saved and loaded when the vCPU changes, never on an exit (the
 * hypervisor itself is compiled with -mgeneral-regs-only). SDM: "Managing State Using the XSAVE
 * Feature Set".
 */
#include "arch/x86/fpu.h"

#include "arch/x86/cpuid.h"
#include "arch/x86/cr.h"
#include "arch/x86/exception.h"
#include "arch/x86/insn.h"
#include "arch/x86/percpu.h"
#include "arch/x86/regs.h"
#include "core/host.h"
#include "core/lib/string.h"
#include "core/panic.h"
#include "mm/pool.h"

#define LEGACY_SIZE  512
#define LEGACY_FCW   0
#define LEGACY_MXCSR 24
#define LEGACY_XMM   160
#define LEGACY_XMM_END 416
#define HEADER_XSTATE_BV 512
#define EXTENDED     576 /* the first component behind the header */
/* What Plinth knows how to offer. Other components (AMX, PKRU, ...) stay switched off. */
#define KNOWN        (XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512)

static uint64_t mask; /* 0: FXSAVE only */
static size_t area_size = LEGACY_SIZE;

void fpu_init_cpu(void)
{
    write_cr0((read_cr0() & ~(CR0_EM | CR0_TS)) | CR0_MP);
    write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT | (mask ? CR4_OSXSAVE : 0));
    if (mask)
        xsetbv(0, mask);
    this_cpu()->xcr0 = mask;
}

void fpu_init(void)
{
    if (cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE)
        mask = cpuid(0xd, 0).eax & KNOWN;
    if ((mask & XCR0_AVX512) != XCR0_AVX512 || !(mask & XCR0_AVX))
        mask &= ~XCR0_AVX512;
    fpu_init_cpu();
    if (mask)
        area_size = cpuid(0xd, 0).ebx; /* for what XCR0 holds now */
}

/* A standard-format area whose components in_use hold a pattern. */
static void fill(unsigned char *area, uint64_t in_use)
{
    host_fpu_reset(area);
    for (size_t i = LEGACY_XMM; i < LEGACY_XMM_END; i++)
        area[i] = (unsigned char)(i * 7 + 1);
    for (size_t i = EXTENDED; i < area_size; i++)
        area[i] = (unsigned char)(i * 5 + 3);
    area[HEADER_XSTATE_BV] = (unsigned char)in_use;
}

static bool same(const unsigned char *a, const unsigned char *b, uint64_t in_use)
{
    if ((in_use & XCR0_SSE) &&
        memcmp(a + LEGACY_XMM, b + LEGACY_XMM, LEGACY_XMM_END - LEGACY_XMM) != 0)
        return false;
    for (unsigned i = 2; i < 8; i++) {
        if (!(in_use & BIT(i)))
            continue;
        struct cpuid_regs r = cpuid(0xd, i);
        if (memcmp(a + r.ebx, b + r.ebx, r.eax) != 0)
            return false;
    }
    return true;
}

/* There and back through the compacted format. Bochs 2.7 loses state there, and a guest's processes
 * would die of it now and then. */
bool host_fpu_compacts(void)
{
    static const uint64_t in_use[] = {XCR0_SSE, XCR0_SSE | XCR0_AVX, XCR0_X87 | XCR0_SSE | XCR0_AVX,
                                      XCR0_X87 | XCR0_SSE, XCR0_X87 | XCR0_AVX,
                                      XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512};
    unsigned pages = (unsigned)(ALIGN_UP(area_size, PAGE_SIZE) / PAGE_SIZE);
    if (!mask || !(cpuid(0xd, 1).eax & CPUID_D1_EAX_XSAVEC))
        return false;
    unsigned char *before = pool_alloc_pages(pages, NULL), *packed = pool_alloc_pages(pages, NULL);
    unsigned char *after = pool_alloc_pages(pages, NULL);
    bool ok = before && packed && after;
    for (unsigned i = 0; ok && i < ARRAY_LEN(in_use); i++) {
        uint64_t used = in_use[i] & mask;
        fill(before, used);
        xrstor(before, mask);
        memset(packed, 0, area_size);
        xsavec(packed, mask);
        host_fpu_reset(after);
        xrstor(after, mask);
        ok = xrstor_safe(packed, mask);
        xsave(after, mask);
        ok = ok && same(before, after, used);
    }
    if (before)
        pool_free_pages(before, pages);
    if (packed)
        pool_free_pages(packed, pages);
    if (after)
        pool_free_pages(after, pages);
    return ok;
}

size_t host_fpu_size(void)
{
    return area_size;
}

uint64_t host_fpu_mask(void)
{
    return mask;
}

void host_fpu_reset(void *area)
{
    unsigned char *a = area;
    memset(a, 0, area_size);
    a[LEGACY_FCW] = 0x40; /* FCW after reset is 0040h */
    a[LEGACY_MXCSR] = 0x80;
    a[LEGACY_MXCSR + 1] = 0x1f;
    /* XRSTOR takes these from the area only if the header says that they are there. */
    if (mask)
        a[HEADER_XSTATE_BV] = (unsigned char)(XCR0_X87 | XCR0_SSE);
}

/* Saving and loading need every component switched on, whatever XCR0 the guest chose. */
static void set_xcr0(uint64_t v)
{
    if (this_cpu()->xcr0 == v)
        return;
    xsetbv(0, v);
    this_cpu()->xcr0 = v;
}

void host_fpu_set_xcr0(uint64_t xcr0)
{
    set_xcr0(xcr0);
}

void host_fpu_save(void *area)
{
    if (!mask) {
        fxsave(area);
        return;
    }
    set_xcr0(mask);
    xsave(area, mask);
}

void host_fpu_load(const void *area, uint64_t xcr0)
{
    if (!mask) {
        fxrstor(area);
        return;
    }
    set_xcr0(mask);
    /* The area was written by XSAVE or host_fpu_reset(): a fault here is our own bug. */
    if (!xrstor_safe(area, mask))
        panic("XRSTOR refused a saved FPU area");
    set_xcr0(xcr0);
}

/* The hypervisor is compiled without XMM registers, so they hold the guest's. Register numbers are
 * part of the instruction: a row for each. */
#define XMM_ROWS \
    ROW(0) ROW(1) ROW(2) ROW(3) \
    ROW(4) ROW(5) ROW(6) ROW(7) \
    ROW(8) ROW(9) ROW(10) ROW(11) \
    ROW(12) ROW(13) ROW(14) ROW(15)

void host_fpu_get_xmm(unsigned n, uint8_t value[16])
{
    switch (n) {
#define ROW(i)                                                                      \
    case i:                                                                          \
        __asm__ volatile("movups %%xmm" #i ", (%0)" : : "r"(value) : "memory");      \
        return;
        XMM_ROWS
#undef ROW
    default:
        panic("fpu: no register XMM%u", n);
    }
}

void host_fpu_set_xmm(unsigned n, const uint8_t value[16])
{
    switch (n) {
#define ROW(i)                                                                      \
    case i:                                                                          \
        __asm__ volatile("movups (%0), %%xmm" #i : : "r"(value) : "memory");         \
        return;
        XMM_ROWS
#undef ROW
    default:
        panic("fpu: no register XMM%u", n);
    }
}
