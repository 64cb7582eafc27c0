/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy, XSAVE: every combination of XCR0's low bits, what CPUID says of it, which bytes XSAVE and
 * XSAVEC then write, and which instructions exist; the state is kept across exits of every kind and
 * while XCR0 hides it. Have open: SDM "Managing State Using the XSAVE Feature Set".
 */
#include "guests/policy/policy.h"

#include "arch/x86/cr.h"
#include "arch/x86/regs.h"
#include "core/lib/string.h"

#define AREA     8192
#define LEGACY   576   /* x87, SSE and the header */
#define HEADER   512
#define FIRST_OUTSIDE 10 /* XCR0 bits below are tried in all combinations */
#define CANARY   0xa5
#define VECTOR_NM 7

static uint8_t area[AREA] __attribute__((aligned(64)));
static uint8_t image[AREA] __attribute__((aligned(64)));
static uint8_t wanted[AREA] __attribute__((aligned(64)));
static uint64_t offered;

static void save(void)
{
    __asm__ volatile("xsave64 %0" : "+m"(area) : "a"(-1), "d"(-1) : "memory");
}

static uint32_t xsetbv(uint64_t value)
{
    struct guest_regs r = {.rax = (uint32_t)value, .rdx = value >> 32};
    GUEST_RUN(&r, "xsetbv");
    return r.vector;
}

static uint64_t xgetbv(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/* --- XCR0 ----------------------------------------------------------------------------------- */

static bool legal(uint64_t x)
{
    bool avx512 = (x & XCR0_AVX512) != 0;
    return (x & XCR0_X87) && !(x & ~offered) && (!(x & XCR0_AVX) || (x & XCR0_SSE)) &&
           (!avx512 || ((x & XCR0_AVX512) == XCR0_AVX512 && (x & XCR0_AVX)));
}

/* Bytes of the standard format, from the components' own subleaves. */
static uint32_t standard_size(uint64_t x)
{
    uint32_t size = LEGACY;
    for (unsigned i = 2; i < 63; i++) {
        struct cpuid_regs r = cpuid(0xd, i);
        if ((x & BIT(i)) && r.ebx + r.eax > size)
            size = r.ebx + r.eax;
    }
    return size;
}

static uint32_t compacted_size(uint64_t x)
{
    uint32_t size = LEGACY;
    for (unsigned i = 2; i < 63; i++) {
        struct cpuid_regs r = cpuid(0xd, i);
        if (x & BIT(i))
            size = (r.ecx & 2 ? (uint32_t)ALIGN_UP(size, 64) : size) + r.eax;
    }
    return size;
}

/* How many of the area's bytes are written; what comes last in it is a register's. */
static uint32_t written(void)
{
    uint32_t n = AREA;
    while (n && area[n - 1] == CANARY)
        n--;
    return n;
}

static bool has_xsavec(void)
{
    return cpuid(0xd, 1).eax & BIT(1);
}

static void check_legal(uint64_t x)
{
    test_equal("XGETBV", xgetbv(), x);
    test_equal("CPUID 0DH, 0: EBX", cpuid(0xd, 0).ebx, standard_size(x));
    test_true("EBX within ECX", cpuid(0xd, 0).ebx <= cpuid(0xd, 0).ecx);
    memset(area, CANARY, sizeof(area));
    memset(area + HEADER, 0, LEGACY - HEADER);
    save();
    test_equal("XSAVE writes no more", written(), cpuid(0xd, 0).ebx);
    uint64_t bv;
    memcpy(&bv, area + HEADER, 8);
    test_equal("XSTATE_BV", bv & ~x, 0);
    if (!has_xsavec())
        return;
    test_equal("CPUID 0DH, 1: EBX", cpuid(0xd, 1).ebx, compacted_size(x));
    memset(area, CANARY, sizeof(area));
    memset(area + HEADER, 0, LEGACY - HEADER);
    __asm__ volatile("xsavec64 %0" : "+m"(area) : "a"(-1), "d"(-1) : "memory");
    test_true("XSAVEC writes no more", written() <= cpuid(0xd, 1).ebx);
    memcpy(&bv, area + HEADER + 8, 8);
    test_equal("XCOMP_BV", bv, x | BIT(63));
}

/* Instructions follow XCR0. */
static void check_instructions(uint64_t x)
{
    struct guest_regs r = {0};
    if (offered & XCR0_AVX) {
        GUEST_RUN(&r, "vmovaps %%ymm1, %%ymm0");
        test_raised("AVX", &r, x & XCR0_AVX ? NONE : UD, 0);
    }
    if (offered & XCR0_AVX512) {
        GUEST_RUN(&r, "vmovaps %%zmm1, %%zmm0");
        test_raised("AVX-512", &r, x & XCR0_AVX512 ? NONE : UD, 0);
    }
    GUEST_RUN(&r, "movaps %%xmm1, %%xmm0");
    test_raised("SSE", &r, NONE, 0);
}

static void check_xcr0(void)
{
    static const uint8_t outside[] = {10, 11, 12, 17, 18, 19, 31, 32, 62, 63};
    for (uint64_t x = 0; x < BIT(FIRST_OUTSIDE); x++) {
        uint64_t before = xgetbv();
        test_equal("XSETBV", xsetbv(x), legal(x) ? NONE : GP);
        if (legal(x)) {
            check_legal(x);
            check_instructions(x);
        } else {
            test_equal("XCR0 after #GP", xgetbv(), before);
        }
    }
    for (unsigned i = 0; i < ARRAY_LEN(outside); i++)
        test_equal("XSETBV of a bit outside", xsetbv(XCR0_X87 | BIT(outside[i])), GP);
    for (uint32_t index = 1; index; index <<= 1) {
        struct guest_regs r = {.rcx = index, .rax = XCR0_X87};
        GUEST_RUN(&r, "xsetbv");
        test_raised("XSETBV of another register", &r, GP, 0);
    }
    struct guest_regs r = {.rax = XCR0_X87};
    GUEST_RUN(&r, "mov %%rsp, %%rbx\n\tpushq $0x1b\n\tpush %%rbx\n\tpushq $2\n\tpushq $0x23\n\t"
              "lea 6f(%%rip), %%rbp\n\tpush %%rbp\n\tiretq\n6:\txsetbv\n\tud2");
    test_raised("XSETBV by a user", &r, GP, 0);
    test_equal("XSETBV of all", xsetbv(offered), NONE);
    test_equal("then EBX is ECX", cpuid(0xd, 0).ebx, cpuid(0xd, 0).ecx);
}

/* --- CPUID ---------------------------------------------------------------------------------- */

static void check_cpuid(void)
{
    struct cpuid_regs one = cpuid(1, 0), seven = cpuid(7, 0);
    test_true("x87 and SSE are offered", (offered & (XCR0_X87 | XCR0_SSE)) == 3);
    test_equal("only what is switched", offered & ~(XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512),
               0);
    test_equal("AVX and its state", !!(one.ecx & BIT(28)), !!(offered & XCR0_AVX));
    test_equal("AVX-512 and its state", !!(seven.ebx & BIT(16)), !!(offered & XCR0_AVX512));
    test_true("AVX-512's state as a whole", legal(offered));
    uint32_t end = LEGACY;
    for (unsigned i = 2; i < 64; i++) {
        struct cpuid_regs r = cpuid(0xd, i);
        if (i < 63 && (offered & BIT(i))) {
            test_true("a component lies behind those before", r.ebx >= end && r.eax > 0);
            end = r.ebx + r.eax;
        } else {
            test_true("no such component", !(r.eax | r.ebx | r.ecx | r.edx));
        }
    }
    test_equal("CPUID 0DH, 0: ECX", cpuid(0xd, 0).ecx, end);
}

/* --- the state itself ----------------------------------------------------------------------- */

static uint64_t next_random(void)
{
    static uint64_t state = 99;
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return state ^ state >> 29;
}

/* Fills every component that is offered and notes what XSAVE makes of it. */
static void fill(void)
{
    const uint32_t mxcsr = 0x3f80;
    const uint16_t fcw = 0x077f;
    for (unsigned i = 0; i < AREA; i += 8) {
        uint64_t r = next_random();
        memcpy(image + i, &r, 8);
    }
    memset(image, 0, 32);
    memset(image + HEADER, 0, LEGACY - HEADER);
    memcpy(image, &fcw, 2);
    image[4] = 0xff;
    memcpy(image + 24, &mxcsr, 4);
    memcpy(image + HEADER, &offered, 8);
    __asm__ volatile("xrstor64 %0" : : "m"(image), "a"(-1), "d"(-1) : "memory");
    memset(area, 0, sizeof(area));
    save();
    memcpy(wanted, area, sizeof(wanted));
    test_true("XRSTOR has loaded it", memcmp(area + 160, image + 160, 256) == 0);
}

static void check_kept(const char *name)
{
    memset(area, 0, sizeof(area));
    save();
    test_true(name, memcmp(area, wanted, sizeof(area)) == 0);
}

static void check_exits(void)
{
    static uint8_t word[16] __attribute__((aligned(16)));
    fill();
    (void)cpuid(0, 0);
    check_kept("kept over CPUID");
    out8(0x80, in8(0x61));
    check_kept("kept over IN and OUT");
    (void)rdmsr(0xfe);
    check_kept("kept over RDMSR");
    (void)*(volatile uint32_t *)(uintptr_t)0xfee00030;
    check_kept("kept over device memory");
    write_cr4(read_cr4() ^ CR4_PGE);
    write_cr4(read_cr4() ^ CR4_PGE);
    check_kept("kept over MOV to CR4");
    test_equal("XSETBV", xsetbv(XCR0_X87 | XCR0_SSE), NONE);
    (void)cpuid(0, 0);
    for (unsigned i = 0; guest_on_plinth() && i < 5; i++)
        plinth_YIELD((uint64_t)plinth_TIME() + 700000);
    test_equal("XSETBV", xsetbv(offered), NONE);
    check_kept("kept while it was hidden");
    for (unsigned i = 0; guest_on_plinth() && i < 20; i++) {
        plinth_YIELD((uint64_t)plinth_TIME() + 300000);
        check_kept("kept while others ran");
    }
    /* CR0.TS stops the guest, not the hypervisor. */
    write_cr0(read_cr0() | CR0_TS);
    if (guest_on_plinth())
        plinth_YIELD((uint64_t)plinth_TIME() + 700000);
    struct guest_regs r = {.rdi = (uint64_t)word};
    GUEST_RUN(&r, "movaps %%xmm0, (%%rdi)");
    test_raised("TS", &r, VECTOR_NM, 0);
    write_cr0(read_cr0() & ~CR0_TS);
    check_kept("kept over TS");
}

static void check_without(void)
{
    struct guest_regs r = {.rax = XCR0_X87};
    struct cpuid_regs d = cpuid(0, 0).eax >= 0xd ? cpuid(0xd, 0) : (struct cpuid_regs){0};
    test_true("leaf 0DH is empty", !(d.eax | d.ebx | d.ecx | d.edx));
    test_equal("no AVX", cpuid(1, 0).ecx & (BIT(28) | BIT(27)), 0);
    GUEST_RUN(&r, "xsetbv");
    test_raised("XSETBV without XSAVE", &r, UD, 0);
    r.rax = read_cr4() | CR4_OSXSAVE;
    GUEST_RUN(&r, "mov %%rax, %%cr4");
    test_raised("CR4.OSXSAVE without XSAVE", &r, GP, 0);
}

void policy_xsave(void)
{
    write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT);
    write_cr0((read_cr0() & ~CR0_EM) | CR0_MP);
    test_mode("XSAVE");
    if (!(cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE)) {
        check_without();
        return;
    }
    test_equal("OSXSAVE, off", cpuid(1, 0).ecx & BIT(27), 0);
    write_cr4(read_cr4() | CR4_OSXSAVE);
    test_equal("OSXSAVE, on", cpuid(1, 0).ecx & BIT(27), BIT(27));
    struct cpuid_regs d = cpuid(0xd, 0);
    offered = (uint64_t)d.edx << 32 | d.eax;
    test_equal("XCR0 after reset", xgetbv(), XCR0_X87);
    test_range("the area", d.ecx, LEGACY, AREA);
    if (d.ecx > AREA)
        return;
    check_cpuid();
    check_xcr0();
    check_exits();
}
