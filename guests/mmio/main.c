/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mmio: every kind of instruction that a guest may use on a device's memory, compared with the same
 * on RAM: see mmio.h. Needs `devices = +testdev`, whose memory behaves like RAM. Exit status: the
 * number of comparisons that failed (at most 200). Have open: SDM, "Instruction Set Reference".
 */
#include "guests/mmio/mmio.h"

#include "arch/x86/cr.h"
#include "arch/x86/msr.h"
#include "core/lib/string.h"

#define DEVICE      MMIO_DEVICE
#define WINDOW      MMIO_WINDOW
#define HALF        64          /* bytes of an area on each side of its middle */
#define SEEDS       3
#define STATUS      0x8d5u
#define PTE_FLAGS   7u
#define DR6_RESET   0xffff0ff0u
#define VECTOR_PF   14

static uint8_t ram[6][4096] __attribute__((aligned(4096)));
static uint64_t window_table[512] __attribute__((aligned(4096)));
static uint64_t low_table[512] __attribute__((aligned(4096)));
static unsigned checks, failed;

/* The middles of A and B as linear addresses, and where A's second half is in physical memory. */
static const struct arrangement {
    const char *name;
    uint64_t a, b, a_page;
} arrangements[] = {
    {"RAM", (uint64_t)ram[1], (uint64_t)ram[3], (uint64_t)ram[1]},
    {"A in the device", DEVICE + 0x1000, (uint64_t)ram[3], DEVICE + 0x1000},
    {"B in the device", (uint64_t)ram[1], DEVICE + 0x3000, (uint64_t)ram[1]},
    {"both in the device", DEVICE + 0x1000, DEVICE + 0x3000, DEVICE + 0x1000},
    {"half and half", WINDOW + 0x1000, WINDOW + 0x3000, DEVICE + 0x8000},
};

struct run {
    struct guest_regs regs;
    uint8_t a[2 * HALF], b[2 * HALF];
};

static uint64_t random_state;

static uint64_t next_random(void)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return random_state ^ random_state >> 29;
}

/* Two seeds of values at the edge, then random ones. */
static uint64_t value_for(unsigned seed)
{
    uint64_t r = next_random();
    switch (seed) {
    case 0:
        return 0;
    case 1:
        return (r & 1) ? UINT64_MAX : UINT64_C(0x8080808080808080);
    default:
        return r;
    }
}

/* One exit instead of sixteen; that this can be relied upon is checked first of all. */
static void copy_area(void *to, const void *from)
{
    uint64_t n = 2 * HALF / 8;
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

static void fill(uint64_t middle, unsigned seed)
{
    uint64_t words[2 * HALF / 8];
    for (unsigned i = 0; i < ARRAY_LEN(words); i++)
        words[i] = value_for(seed);
    copy_area((void *)(middle - HALF), words);
}

static void fetch(uint64_t middle, uint8_t *out)
{
    copy_area(out, (const void *)(middle - HALF));
}

static void run(const void *code, unsigned seed, const struct arrangement *where, struct run *out)
{
    random_state = seed * 77 + 5;
    struct guest_regs *r = &out->regs;
    *r = (struct guest_regs){
        .rax = value_for(seed), .rbx = value_for(seed), .rcx = value_for(seed),
        .rdx = value_for(seed), .rbp = value_for(seed), .r8 = value_for(seed),
        .r9 = value_for(seed), .r10 = 3, .r11 = value_for(seed),
        .r15 = 2 | (next_random() & STATUS), .rdi = where->a, .rsi = where->b,
    };
    low_table[LOW_WINDOW / 4096] = where->a_page | PTE_FLAGS;
    write_cr3(read_cr3());
    wrmsr(MSR_IA32_FS_BASE, where->a - 0x10);
    write_dr6(DR6_RESET);
    fill(where->a, seed);
    fill(where->b, seed);
    guest_run_code(code, r);
    fetch(where->a, out->a);
    fetch(where->b, out->b);
    r->rdi -= where->a;
    r->rsi -= where->b;
}

/* The first thing that differs, or NULL. */
static const char *difference(const struct run *got, const struct run *want, uint32_t undefined)
{
    const struct guest_regs *g = &got->regs, *w = &want->regs;
    if (g->vector != w->vector || g->error != w->error)
        return "exception";
    if (g->vector != GUEST_NO_EXCEPTION && g->rip != w->rip)
        return "RIP";
    if (g->dr6 != w->dr6)
        return "DR6";
    if (memcmp(g, w, offsetof(struct guest_regs, rflags)) != 0)
        return "registers";
    if ((g->rflags ^ w->rflags) & STATUS & ~undefined)
        return "flags";
    if (memcmp(got->a, want->a, sizeof(got->a)) != 0)
        return "area A";
    return memcmp(got->b, want->b, sizeof(got->b)) != 0 ? "area B" : NULL;
}

void mmio_compare(const char *name, const void *code, uint32_t undefined)
{
    static struct run want, got;
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        run(code, seed, &arrangements[0], &want);
        for (unsigned i = 1; i < ARRAY_LEN(arrangements); i++) {
            run(code, seed, &arrangements[i], &got);
            const char *what = difference(&got, &want, undefined);
            checks++;
            if (!what)
                continue;
            failed++;
            guest_print("mmio: FAILED: %s (%s, seed %u): %s: vector %d want %d, rflags %#llx want "
                        "%#llx, rax %#llx want %#llx\n", name, arrangements[i].name, seed, what,
                        (int)got.regs.vector, (int)want.regs.vector,
                        (unsigned long long)got.regs.rflags, (unsigned long long)want.regs.rflags,
                        (unsigned long long)got.regs.rax, (unsigned long long)want.regs.rax);
        }
    }
}

void mmio_check(const char *name, bool ok)
{
    checks++;
    if (ok)
        return;
    failed++;
    guest_print("mmio: FAILED: %s\n", name);
}

/* --- faults that come while a device is involved -------------------------------------------- */

#define HOLE (WINDOW + 0x5000) /* not present; the page below is the device's */

static void check_fault(const char *name, const struct guest_regs *r, uint64_t error, uint64_t at)
{
    mmio_check(name, r->vector == VECTOR_PF && r->error == error && r->cr2 == at);
}

static void mmio_faults(void)
{
    struct guest_regs r = {.rdi = HOLE, .rsi = DEVICE};
    GUEST_RUN(&r, "movsb");
    check_fault("movsb to a page that is not there", &r, 2, HOLE);
    mmio_check("its registers", r.rdi == HOLE && r.rsi == DEVICE && r.rip == 0);
    r = (struct guest_regs){.rdi = HOLE - 5, .rsi = DEVICE, .rcx = 9};
    GUEST_RUN(&r, "rep movsb");
    check_fault("rep movsb into a page that is not there", &r, 2, HOLE);
    mmio_check("its whole iterations", r.rdi == HOLE && r.rsi == DEVICE + 5 && r.rcx == 4);
    r = (struct guest_regs){.rdi = (uint64_t)ram[0], .rsi = HOLE - 2};
    GUEST_RUN(&r, "movsl");
    check_fault("movsl from both pages", &r, 0, HOLE);
    *(volatile uint16_t *)(uintptr_t)(HOLE - 2) = 0x5555;
    r = (struct guest_regs){.rdi = HOLE - 2, .rax = 0x1234};
    GUEST_RUN(&r, "stosl");
    check_fault("stosl to both pages", &r, 2, HOLE);
    mmio_check("nothing is written", *(volatile uint16_t *)(uintptr_t)(HOLE - 2) == 0x5555);
    r = (struct guest_regs){.rdi = BIT(47) - 2, .rsi = DEVICE, .rcx = 4};
    GUEST_RUN(&r, "movsl");
    mmio_check("movsl to a non-canonical address", r.vector == 13 && r.error == 0);
    r = (struct guest_regs){.rdi = DEVICE + 8, .rax = 1};
    GUEST_RUN(&r, "lock cmpxchg16b (%%rdi)");
    mmio_check("cmpxchg16b that is not aligned", r.vector == 13 && r.error == 0);
}

/* Where RAM ends: half of the operand is RAM, the other half is nobody's and reads as ones. */
static void mmio_ram_end(void)
{
    uint64_t end = guest_ram_end();
    volatile uint32_t *last = (volatile uint32_t *)(uintptr_t)(end - 4);
    struct guest_regs r = {.rdi = end, .rbx = UINT64_C(0x1122334455667788)};
    *last = 0xcafef00d;
    GUEST_RUN(&r, "mov -4(%%rdi), %%rax");
    mmio_check("a read across RAM's end", r.rax == UINT64_C(0xffffffffcafef00d));
    GUEST_RUN(&r, "mov %%rbx, -4(%%rdi)");
    mmio_check("a write across RAM's end", *last == 0x55667788);
    GUEST_RUN(&r, "lock addq $1, -4(%%rdi)\n\tmov -4(%%rdi), %%eax");
    mmio_check("an addition across RAM's end", r.rax == 0x55667789);
}

static void map_windows(void)
{
    const uint64_t pages[] = {(uint64_t)ram[4], DEVICE + 0x8000, DEVICE + 0xa000,
                              (uint64_t)ram[5], DEVICE + 0xc000};
    for (unsigned i = 0; i < ARRAY_LEN(pages); i++)
        window_table[i] = pages[i] | PTE_FLAGS;
    for (unsigned i = 0; i < ARRAY_LEN(low_table); i++)
        low_table[i] = i * UINT64_C(4096) | PTE_FLAGS;
    guest_map_table(WINDOW, window_table);
    guest_map_table(0, low_table);
}

/* The device answers, and what comparisons are made with moves what it should. */
static void check_basics(void)
{
    volatile uint64_t *device = (volatile uint64_t *)(uintptr_t)DEVICE;
    uint64_t words[2 * HALF / 8];
    bool there = true, copied = true;
    for (unsigned i = 0; i < ARRAY_LEN(words); i++)
        device[i] = ~(uint64_t)i * 3;
    for (unsigned i = 0; i < ARRAY_LEN(words); i++)
        there &= device[i] == ~(uint64_t)i * 3;
    mmio_check("the device is there (devices = +testdev)", there);
    copy_area(words, (const void *)(uintptr_t)DEVICE);
    for (unsigned i = 0; i < ARRAY_LEN(words); i++)
        copied &= words[i] == ~(uint64_t)i * 3;
    copy_area((void *)(uintptr_t)(DEVICE + 2 * HALF), words);
    for (unsigned i = 0; i < 2 * ARRAY_LEN(words); i++)
        copied &= device[i] == ~(uint64_t)(i % ARRAY_LEN(words)) * 3;
    mmio_check("areas are copied", copied);
}

int guest_main(const char *cmdline)
{
    write_cr4(read_cr4() | CR4_OSFXSR);
    map_windows();
    check_basics();
    if (!failed)
        mmio_access(window_table);
    /* Coming back from user mode has left null selectors, which 32-bit code cannot use. */
    __asm__ volatile("mov %0, %%ds\n\tmov %0, %%es" : : "r"((uint32_t)GUEST_DATA));
    if (!failed && !guest_option(cmdline, "access")) {
        mmio_alu();
        mmio_bits();
        mmio_moves();
        mmio_xmm();
        mmio_string();
        mmio_faults();
        mmio_ram_end();
    }
    guest_print("mmio: %u comparisons, %u failed\n", checks, failed);
    return failed < 200 ? (int)failed : 200;
}
