/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * apic: every register, what it is after a reset, which bits can be written, what a reserved one
 * does; and the modes. Have open: SDM, "Local APIC Register Address Map", "x2APIC Register Address
 * Space", "x2APIC State Transitions".
 */
#include "guests/apic/apic.h"

#include "arch/x86/msr.h"

#define GP   13
#define NONE GUEST_NO_EXCEPTION
#define ESR_ILLEGAL_REGISTER 0x80u

#define READ     1 /* in xAPIC mode */
#define WRITE    2
#define X2_READ  4
#define X2_WRITE 8
#define BOTH     (READ | WRITE | X2_READ | X2_WRITE)

/* All registers there are. reset: while the APIC is disabled by software, as after a reset. */
static const struct reg {
    uint16_t at;
    uint8_t access;
    uint32_t reset, writable;
    const char *name;
} regs[] = {
    {APIC_ID, READ | WRITE | X2_READ, 0, 0, "ID"},
    {APIC_VERSION, READ | X2_READ, 0x01050014, 0, "VERSION"},
    {APIC_TPR, BOTH, 0, 0xff, "TPR"},
    {APIC_APR, READ, 0, 0, "APR"},
    {APIC_PPR, READ | X2_READ, 0, 0, "PPR"},
    {APIC_EOI, WRITE | X2_WRITE, 0, 0, "EOI"},
    {APIC_RRD, READ, 0, 0, "RRD"},
    {APIC_LDR, READ | WRITE | X2_READ, 0, 0xff000000, "LDR"},
    {APIC_DFR, READ | WRITE, 0xffffffff, 0xf0000000, "DFR"},
    {APIC_SVR, BOTH, 0xff, 0x11ff, "SVR"},
    {APIC_ESR, BOTH, 0, 0, "ESR"},
    {APIC_ICR, BOTH, 0, 0, "ICR"}, /* not written here: that would send */
    {APIC_ICR_HIGH, READ | WRITE, 0, 0xff000000, "ICR_HIGH"},
    {APIC_LVT_TIMER, BOTH, LVT_MASKED, 0x700ff, "LVT_TIMER"},
    {APIC_LVT_THERMAL, BOTH, LVT_MASKED, 0x107ff, "LVT_THERMAL"},
    {APIC_LVT_PERF, BOTH, LVT_MASKED, 0x107ff, "LVT_PERF"},
    {APIC_LVT_LINT0, BOTH, LVT_MASKED, 0x1a7ff, "LVT_LINT0"},
    {APIC_LVT_LINT1, BOTH, LVT_MASKED, 0x1a7ff, "LVT_LINT1"},
    {APIC_LVT_ERROR, BOTH, LVT_MASKED, 0x100ff, "LVT_ERROR"},
    {APIC_INITIAL, BOTH, 0, 0, "INITIAL"},
    {APIC_CURRENT, READ | X2_READ, 0, 0, "CURRENT"},
    {APIC_DIVIDE, BOTH, 0, 0xb, "DIVIDE"},
    {APIC_SELF_IPI, X2_WRITE, 0, 0, "SELF_IPI"},
};

static const struct reg *find(unsigned at)
{
    for (unsigned i = 0; i < ARRAY_LEN(regs); i++)
        if (regs[i].at == at)
            return &regs[i];
    return NULL;
}

static uint8_t access_of(unsigned at)
{
    const struct reg *r = find(at);
    if (at >= APIC_ISR && at < APIC_ESR)
        return READ | X2_READ;
    return r ? r->access : 0;
}

static bool is_lvt(unsigned at)
{
    return at >= APIC_LVT_TIMER && at <= APIC_LVT_ERROR;
}

/* --- xAPIC ---------------------------------------------------------------------------------- */

static void check_virtual_wire(void)
{
    test_equal("SVR as firmware leaves it", apic_read(APIC_SVR), 0x1ff);
    test_equal("LINT0 as firmware leaves it", apic_read(APIC_LVT_LINT0), 0x700);
    test_equal("LINT1 as firmware leaves it", apic_read(APIC_LVT_LINT1), 0x400);
    test_equal("IA32_APIC_BASE", rdmsr(MSR_IA32_APIC_BASE),
               APIC_BASE_ADDRESS | APIC_BASE_ENABLE | APIC_BASE_BSP);
}

static void check_resets(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(regs); i++)
        if (regs[i].access & READ)
            test_equal(regs[i].name, apic_read(regs[i].at), regs[i].reset);
    for (unsigned at = APIC_ISR; at < APIC_ESR; at += 16)
        test_equal("ISR, TMR, IRR after a reset", apic_read(at), 0);
}

/* Ones and zeros to each, and what comes back of them; enabled, so that masks are free. */
static void check_writable(uint8_t access)
{
    for (unsigned i = 0; i < ARRAY_LEN(regs); i++) {
        const struct reg *r = &regs[i];
        uint32_t fixed = r->at == APIC_DFR ? 0x0fffffff : 0;
        uint32_t before = apic_read(APIC_SVR);
        if ((r->access & access) != access || !r->writable)
            continue;
        apic_write(r->at, access & X2_WRITE ? r->writable : ~LVT_MASKED | r->writable);
        test_equal(r->name, apic_read(r->at) & ~(r->at == APIC_SVR ? 0x200u : 0),
                   r->writable | fixed);
        apic_write(r->at, 0);
        if (r->at == APIC_SVR)
            apic_write(APIC_SVR, before);
        else
            test_equal(r->name, apic_read(r->at), fixed);
        if (is_lvt(r->at))
            apic_write(r->at, LVT_MASKED);
    }
    if (!(access & X2_WRITE))
        apic_write(APIC_DFR, 0xffffffff);
}

/* Each of the 256 places: a register, or an error. */
static void check_xapic_places(void)
{
    for (unsigned at = 0; at < 0x400; at += 16) {
        bool there = access_of(at) & (READ | WRITE);
        apic_write(APIC_ESR, 0);
        apic_write(APIC_ESR, 0);
        if (at != APIC_EOI)
            (void)apic_read(at);
        apic_write(APIC_ESR, 0);
        test_equal("ESR after a read of any place", apic_read(APIC_ESR),
                   there ? 0 : ESR_ILLEGAL_REGISTER);
        if (!there)
            test_equal("a reserved register", apic_read(at), 0);
        /* Read-only ones ignore a write. */
        if (there && !(access_of(at) & WRITE)) {
            uint32_t before = apic_read(at);
            apic_write(at, ~before);
            test_equal("a read-only register", apic_read(at), before);
        }
    }
    apic_write(APIC_ESR, 0);
    apic_write(APIC_ESR, 0);
    test_equal("ESR shows an error once", apic_read(APIC_ESR), 0);
}

static void check_software_disable(void)
{
    uint32_t not_taken = this_cpu()->seen[0x50], kept = this_cpu()->seen[0x51];
    apic_write(APIC_LVT_TIMER, 0x40);
    apic_write(APIC_LVT_ERROR, 0x41);
    apic_write(APIC_SVR, 0xff);
    for (unsigned at = APIC_LVT_TIMER; at <= APIC_LVT_ERROR; at += 16)
        test_equal("LVT entries are masked", apic_read(at) & LVT_MASKED, LVT_MASKED);
    apic_write(APIC_LVT_TIMER, 0x42);
    test_equal("and stay so", apic_read(APIC_LVT_TIMER), LVT_MASKED | 0x42);
    apic_send(0, 0x50);
    irq_window();
    test_equal("no interrupt is taken in", this_cpu()->seen[0x50], not_taken);
    apic_enable();
    irq_window();
    test_equal("nor afterwards", this_cpu()->seen[0x50], not_taken);
    test_equal("enabled: still masked", apic_read(APIC_LVT_TIMER), LVT_MASKED | 0x42);
    /* What is in IRR already stays there. */
    apic_send(0, 0x51);
    apic_write(APIC_SVR, 0xff);
    test_true("IRR is kept", apic_bit(APIC_IRR, 0x51));
    apic_enable();
    irq_window();
    test_equal("and delivered", this_cpu()->seen[0x51], kept + 1);
}

/* An access of another size than 32 bits is undefined; a hypervisor must survive it. */
static void check_odd_accesses(void)
{
    volatile uint8_t *byte = (volatile uint8_t *)(uintptr_t)APIC_BASE_ADDRESS;
    volatile uint64_t *quad = (volatile uint64_t *)(uintptr_t)APIC_BASE_ADDRESS;
    test_equal("a byte of VERSION", byte[APIC_VERSION], 0x14);
    test_equal("64 bits of VERSION", (uint32_t)quad[APIC_VERSION / 8], 0x01050014);
    /* Hardware may take a byte of a register as a write of the register, but no more of it. */
    byte[APIC_ID + 3] = 7;
    test_equal("ID after a byte's write", apic_read(APIC_ID), 0);
    apic_write(APIC_LVT_TIMER, LVT_MASKED | 0x60);
    byte[APIC_LVT_TIMER + 1] = 0xff;
    test_equal("LVT_TIMER after a byte's write", apic_read(APIC_LVT_TIMER), LVT_MASKED | 0x60);
    byte[APIC_TPR + 1] = 0x77;
    quad[APIC_TPR / 8 + 1] = 0x77;
    test_equal("TPR after odd writes", apic_read(APIC_TPR) & 0xff, 0);
    apic_write(APIC_TPR, 0);
}

void apic_xapic_registers(void)
{
    static bool again;
    if (guest_on_plinth() && !again)
        check_virtual_wire();
    again = true;
    apic_fresh();
    apic_write(APIC_SVR, 0xff);
    check_resets();
    apic_enable();
    check_writable(READ | WRITE);
    apic_fresh();
    check_xapic_places();
    apic_fresh();
    check_software_disable();
    apic_fresh();
    check_odd_accesses();
}

/* --- x2APIC --------------------------------------------------------------------------------- */

static void check_x2apic_place(unsigned msr)
{
    unsigned at = (msr - 0x800) * 16;
    uint8_t access = at <= 0x3f0 ? access_of(at) : 0;
    struct guest_regs r = apic_try_rdmsr(msr);
    test_raised("RDMSR of any of 800H to 8FFH", &r, access & X2_READ ? NONE : GP, 0);
    if (access & X2_READ)
        test_equal("its upper half", r.rdx, 0);
    if (access & X2_WRITE && at != APIC_SVR && at != APIC_ICR && at != APIC_SELF_IPI)
        r = apic_try_wrmsr(msr, is_lvt(at) ? LVT_MASKED : 0);
    else if (!(access & X2_WRITE))
        r = apic_try_wrmsr(msr, 0);
    else
        return;
    test_raised("WRMSR to any of 800H to 8FFH", &r, access & X2_WRITE ? NONE : GP, 0);
}

/* Each bit alone: the reserved ones are #GP and change nothing. */
static void check_x2apic_bits(const struct reg *r)
{
    for (unsigned bit = 0; bit < 64; bit++) {
        /* Delivery status and remote IRR are read-only; SVR bit 9 is Linux' (see the model). */
        bool soft = (is_lvt(r->at) && (bit == 12 || bit == 14)) || (r->at == APIC_SVR && bit == 9);
        uint64_t value = BIT(bit) | (is_lvt(r->at) ? LVT_MASKED : 0);
        if (soft || (r->at == APIC_SVR && bit < 9))
            continue;
        uint32_t before = apic_read(r->at);
        struct guest_regs regs_ = apic_try_wrmsr(0x800 + r->at / 16, value);
        bool allowed = bit < 32 && (r->writable >> bit & 1);
        test_raised(r->name, &regs_, allowed ? NONE : GP, 0);
        if (!allowed)
            test_equal(r->name, apic_read(r->at), before);
    }
}

void apic_x2apic_registers(void)
{
    uint32_t id = this_cpu()->id;
    apic_fresh();
    for (unsigned msr = 0x800; msr <= 0x8ff; msr++)
        check_x2apic_place(msr);
    apic_fresh();
    for (unsigned i = 0; i < ARRAY_LEN(regs); i++)
        if ((regs[i].access & BOTH) == BOTH && regs[i].writable)
            check_x2apic_bits(&regs[i]);
    apic_fresh();
    check_writable(BOTH);
    apic_fresh();
    test_equal("ID", apic_read(APIC_ID), id);
    test_equal("LDR", apic_read(APIC_LDR), (id >> 4) << 16 | 1u << (id & 15));
    static const struct {
        const char *name;
        uint32_t at;
        uint64_t value;
    } refused[] = {
        {"EOI of 1", APIC_EOI, 1},
        {"ESR of 1", APIC_ESR, 1},
        {"SELF_IPI of 100H", APIC_SELF_IPI, 0x100},
        {"ICR with bit 13", APIC_ICR, BIT(13)},
        {"ICR with bit 16", APIC_ICR, BIT(16)},
        {"ICR with bit 20", APIC_ICR, BIT(20)},
        {"INITIAL with bit 32", APIC_INITIAL, BIT(32)},
    };
    for (unsigned i = 0; i < ARRAY_LEN(refused); i++) {
        struct guest_regs r = apic_try_wrmsr(0x800 + refused[i].at / 16, refused[i].value);
        test_raised(refused[i].name, &r, GP, 0);
    }
    wrmsr(0x830, UINT64_C(0xabcdef0100000041) | ICR_SELF); /* the destination does not count */
    test_equal("ICR keeps its 64 bits", rdmsr(0x830), UINT64_C(0xabcdef0100040041));
    irq_window();
    check_software_disable();
    /* The memory region is gone. */
    test_equal("nobody answers in memory", *(volatile uint32_t *)(uintptr_t)
               (APIC_BASE_ADDRESS + APIC_VERSION), 0xffffffff);
}

/* Elsewhere, with an interrupt that waits for the task priority: it comes when that is lowered. */
void apic_move(void)
{
    uint64_t base = rdmsr(MSR_IA32_APIC_BASE);
    uint32_t before = this_cpu()->seen[0x41];
    write_cr8(5);
    apic_send(0, ICR_SELF | 0x41);
    irq_window();
    test_equal("the task priority holds it back", this_cpu()->seen[0x41], before);
    irq_handler[0x41] = NULL; /* its EOI would go to where no APIC is */
    wrmsr(MSR_IA32_APIC_BASE, base + 0x1000);
    irq_on();
    write_cr8(0);
    for (unsigned i = 0; i < 1000; i++)
        __asm__ volatile("nop");
    irq_off();
    test_equal("and lets it in after a move", this_cpu()->seen[0x41], before + 1);
    wrmsr(MSR_IA32_APIC_BASE, base);
    apic_write(APIC_EOI, 0);
    irq_handler[0x41] = irq_eoi;
}

/* --- modes ---------------------------------------------------------------------------------- */

static void check_base(const char *name, uint64_t value, uint32_t vector)
{
    uint64_t before = rdmsr(MSR_IA32_APIC_BASE);
    struct guest_regs r = apic_try_wrmsr(MSR_IA32_APIC_BASE, value);
    test_raised(name, &r, vector, 0);
    test_equal(name, rdmsr(MSR_IA32_APIC_BASE), vector == NONE ? value : before);
}

/* From xAPIC mode and back to it. */
void apic_modes(void)
{
    uint64_t xapic = APIC_BASE_ADDRESS | APIC_BASE_BSP | APIC_BASE_ENABLE;
    uint64_t x2apic = xapic | APIC_BASE_X2APIC, off = xapic & ~APIC_BASE_ENABLE;
    unsigned width = cpuid(0x80000008, 0).eax & 0xff;
    struct guest_regs r = apic_try_rdmsr(0x802);
    test_raised("RDMSR 802H in xAPIC mode", &r, GP, 0);
    check_base("reserved bit 0", xapic | 1, GP);
    check_base("reserved bit 9", xapic | BIT(9), GP);
    check_base("an address bit too many", xapic | BIT(width), GP);
    check_base("xAPIC to x2APIC without enable", off | APIC_BASE_X2APIC, GP);
    apic_write(APIC_ICR_HIGH, 0x5a000000);
    apic_write(APIC_TPR, 0x30);
    apic_write(APIC_LVT_ERROR, 0x77);
    check_base("xAPIC to x2APIC", x2apic, NONE);
    test_equal("TPR comes along", rdmsr(0x808), 0x30);
    test_equal("LVT_ERROR comes along", rdmsr(0x837), 0x77);
    test_equal("SVR comes along", rdmsr(0x80f), 0x1ff);
    test_equal("ICR's high half does not", rdmsr(0x830) >> 32, 0);
    wrmsr(0x808, 0);
    check_base("x2APIC to xAPIC", xapic, GP);
    check_base("x2APIC to x2APIC without enable", off | APIC_BASE_X2APIC, GP);
    check_base("x2APIC to x2APIC", x2apic, NONE);
    check_base("x2APIC to disabled", off, NONE);
    r = apic_try_rdmsr(0x802);
    test_raised("RDMSR 802H when disabled", &r, GP, 0);
    test_equal("disabled: CPUID says so", cpuid(1, 0).edx >> 9 & 1, 0);
    check_base("disabled to x2APIC", x2apic, GP);
    check_base("disabled to xAPIC", xapic, NONE);
    test_equal("enabled: CPUID says so", cpuid(1, 0).edx >> 9 & 1, 1);
    test_equal("registers are reset: SVR", apic_read(APIC_SVR), 0xff);
    test_equal("registers are reset: LVT_ERROR", apic_read(APIC_LVT_ERROR), LVT_MASKED);
    /* Elsewhere in memory. */
    uint64_t moved = (xapic & ~APIC_BASE_ADDRESS) | UINT64_C(0xfe000000);
    check_base("another address", moved, NONE);
    test_equal("it answers there", *(volatile uint32_t *)(uintptr_t)(0xfe000000 + APIC_VERSION),
               0x01050014);
    test_equal("and not where it was", apic_read(APIC_VERSION), 0xffffffff);
    check_base("back again", xapic, NONE);
    test_equal("it answers again", apic_read(APIC_VERSION), 0x01050014);
    apic_enable();
}
