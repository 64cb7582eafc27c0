/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The CPUs: which there are, and starting all but the first. All get INIT at once, and then each
 * its start-up IPI when the one before is through, so that there is one trampoline and one set of
 * parameters. A CPU and the boot CPU move its phase by compare-and-exchange: whoever has been given
 * up finds that out at its next step, and halts on a stack and a struct cpu that nobody else ever
 * gets. SDM: "Multiple-Processor Management", "MP Initialization".
 */
#include "arch/x86/smp.h"

#include "arch/x86/cpuid.h"
#include "arch/x86/cr.h"
#include "arch/x86/exception.h"
#include "arch/x86/fpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/lapic.h"
#include "arch/x86/msr.h"
#include "arch/x86/mtrr.h"
#include "arch/x86/percpu.h"
#include "arch/x86/tsc.h"
#include "core/lib/string.h"
#include "mm/pool.h"
#include "mm/space.h"

#define INIT_NS          10000000  /* from INIT to the start-up IPI */
#define STARTUP_NS       300000    /* then, if nothing has come, the second one */
#define START_LIMIT_NS   1000000000
#define SETUP_LIMIT_NS   2000000000

/* The trampoline's parameters: boot/trampoline.S has the same. */
struct trampoline {
    uint32_t gate; /* enum gate */
    uint32_t wanted; /* APIC ID */
    uint64_t boot_tables, root, stack, cpu;
};

enum gate { GATE_CLOSED, GATE_OPEN, GATE_TAKEN };

enum phase {
    PHASE_NEW,       /* on its way */
    PHASE_TSC,       /* waits for the TSC's comparison */
    PHASE_READY,     /* set up; waits for GO */
    PHASE_REFUSED,   /* halts; `refused` says why */
    PHASE_ABANDONED, /* the boot CPU has given it up; it halts when it sees that */
    PHASE_GO,
};

extern const char trampoline_start[], trampoline_parameters[], trampoline_end[], boot_pml4[];

NORETURN void smp_main(struct cpu *c);

static unsigned online = 1;
static struct smp_start what; /* a copy: a CPU that comes late looks at it, too */
static const struct smp_start *const start = &what;
static struct left_out {
    uint32_t apic_id;
    const char *why;
} left_out[CPU_MAX];
static unsigned left_out_count;
static struct trampoline *gate_page;
/* What the others copy. */
static uint64_t boot_cr0, boot_cr4, boot_efer, boot_pat;
static bool has_pat;

unsigned host_cpu_index(void)
{
    return this_cpu_index();
}

unsigned host_cpu_count(void)
{
    return __atomic_load_n(&online, __ATOMIC_ACQUIRE);
}

uint32_t host_cpu_apic_id(unsigned cpu)
{
    return cpu_table[cpu]->apic_id;
}

int64_t host_cpu_tsc_skew(unsigned cpu, uint64_t *uncertainty)
{
    *uncertainty = cpu_table[cpu]->tsc.uncertainty;
    return cpu_table[cpu]->tsc.skew;
}

void *host_cpu_vcpu(unsigned cpu)
{
    return __atomic_load_n(&cpu_table[cpu]->current_vcpu, __ATOMIC_RELAXED);
}

const char *host_cpu_left_out(unsigned i, uint32_t *apic_id)
{
    if (i >= left_out_count)
        return NULL;
    *apic_id = left_out[i].apic_id;
    return left_out[i].why;
}

uint64_t host_cpu_idle(unsigned cpu)
{
    const struct cpu *c = cpu_table[cpu];
    uint64_t past = __atomic_load_n(&c->idle_ticks, __ATOMIC_ACQUIRE);
    uint64_t since = __atomic_load_n(&c->idle_since, __ATOMIC_ACQUIRE), now = rdtsc();
    return past + (since && now > since ? now - since : 0);
}

/* --- on the new CPU --- */

static bool move_phase(struct cpu *c, uint32_t from, enum phase to)
{
    return __atomic_compare_exchange_n(&c->phase, &from, to, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

static NORETURN void park(void)
{
    for (;;) {
        cli();
        hlt();
    }
}

/* Bits that the boot CPU has and that one of its peers may lack are found here, before anything is
 * switched on that it has not. Leaf 1 ECX 27 and leaf 7 ECX 4 mirror CR4; leaf 7 EDX 15 says
 * "hybrid". */
static const struct leaf {
    uint32_t leaf, subleaf, eax, ebx, ecx, edx;
    const char *why;
} leaves[] = {
    {1, 0, 0, 0, ~(1u << 27), ~0u, "CPUID leaf 1: it lacks features of the boot CPU"},
    {7, 0, 0, ~0u, ~(1u << 4), ~(1u << 15), "CPUID leaf 7: it lacks features of the boot CPU"},
    {0xd, 0, ~0u, 0, 0, ~0u, "CPUID leaf 0Dh: it lacks XSAVE components of the boot CPU"},
    {0xd, 1, 0xf, 0, 0, 0, "CPUID leaf 0Dh: it lacks XSAVE features of the boot CPU"},
    {0x80000001, 0, 0, 0, ~0u, ~0u, "CPUID leaf 80000001h: it lacks features of the boot CPU"},
};
static struct cpuid_regs boot_leaves[ARRAY_LEN(leaves)];

static struct cpuid_regs read_leaf(const struct leaf *l)
{
    if (cpuid(l->leaf & 0x80000000, 0).eax < l->leaf)
        return (struct cpuid_regs){0, 0, 0, 0};
    struct cpuid_regs r = cpuid(l->leaf, l->subleaf);
    return (struct cpuid_regs){r.eax & l->eax, r.ebx & l->ebx, r.ecx & l->ecx, r.edx & l->edx};
}

static const char *lacks_features(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(leaves); i++) {
        struct cpuid_regs r = read_leaf(&leaves[i]), b = boot_leaves[i];
        if ((b.eax & ~r.eax) | (b.ebx & ~r.ebx) | (b.ecx & ~r.ecx) | (b.edx & ~r.edx))
            return leaves[i].why;
    }
    return NULL;
}

/* The same control registers as the boot CPU's, up to VMX. */
static const char *set_up(struct cpu *c)
{
    const char *why = lacks_features();
    if (why)
        return why;
    wrmsr(MSR_IA32_EFER, boot_efer);
    write_cr4((boot_cr4 & ~CR4_VMXE) | CR4_PGE);
    if (has_pat)
        wrmsr(MSR_IA32_PAT, boot_pat);
    write_cr0(boot_cr0);
    host_flush_tlb(); /* translations made under the old PAT */
    why = lapic_init_cpu();
    if (why)
        return why;
    if (lapic_id() != c->apic_id)
        return "its APIC has another ID than CPUID says";
    c->mtrr_corrected = mtrr_follow();
    fpu_init_cpu();
    return NULL;
}

static NORETURN void refuse(struct cpu *c, enum phase from, const char *why)
{
    c->refused = why;
    (void)move_phase(c, from, PHASE_REFUSED);
    park();
}

/* From the trampoline, on this CPU's own stack. */
void smp_main(struct cpu *c)
{
    cpu_init(c, c->index);
    const char *why = set_up(c);
    if (why)
        refuse(c, PHASE_NEW, why);
    if (!move_phase(c, PHASE_NEW, PHASE_TSC))
        park();
    tsc_sync_follow(&c->tsc);
    /* Given up while the TSCs were compared: what follows would use the pools. */
    if (__atomic_load_n(&c->phase, __ATOMIC_ACQUIRE) != PHASE_TSC)
        park();
    why = start->prepare();
    if (why)
        refuse(c, PHASE_TSC, why);
    if (!move_phase(c, PHASE_TSC, PHASE_READY))
        park();
    while (__atomic_load_n(&c->phase, __ATOMIC_ACQUIRE) != PHASE_GO)
        pause();
    start->run();
}

/* --- on the boot CPU --- */

static void delay(uint64_t ns)
{
    uint64_t begin = rdtsc(), ticks = tsc_from_ns(ns);
    while (rdtsc() - begin < ticks)
        pause();
}

static bool wait_while(const uint32_t *word, uint32_t value, uint64_t ns)
{
    uint64_t begin = rdtsc(), ticks = tsc_from_ns(ns);
    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == value) {
        if (rdtsc() - begin >= ticks)
            return false;
        pause();
    }
    return true;
}

static bool make_stacks(struct cpu *c)
{
    uint64_t ist[IST_COUNT], top = space_map_stack(CPU_STACK_PAGES);
    bool ok = top;
    for (unsigned i = 0; i < IST_COUNT; i++)
        ok = (ist[i] = space_map_stack(IST_STACK_PAGES)) && ok;
    cpu_set_stacks(c, top, ist);
    return ok;
}

/* A CPU that never came leaves its struct and stacks to the next. */
static struct cpu *spare;

static struct cpu *new_cpu(uint32_t apic_id)
{
    struct cpu *c = spare;
    spare = NULL;
    if (!c) {
        c = pool_alloc(NULL);
        if (!c || !make_stacks(c))
            return NULL;
    }
    c->index = online;
    c->apic_id = apic_id;
    c->root = base_space.root;
    return c;
}

static bool enter_trampoline(const struct cpu *c)
{
    struct trampoline *t = gate_page;
    t->wanted = c->apic_id;
    t->boot_tables = (uint64_t)boot_pml4;
    t->root = c->root.v;
    t->stack = c->stack_top;
    t->cpu = (uint64_t)c;
    __atomic_store_n(&t->gate, GATE_OPEN, __ATOMIC_SEQ_CST);
    uint8_t page = (uint8_t)(start->trampoline.v >> 12);
    lapic_send_startup(c->apic_id, page);
    if (wait_while(&t->gate, GATE_OPEN, STARTUP_NS))
        return true;
    lapic_send_startup(c->apic_id, page);
    if (wait_while(&t->gate, GATE_OPEN, START_LIMIT_NS))
        return true;
    uint32_t open = GATE_OPEN;
    return !__atomic_compare_exchange_n(&t->gate, &open, GATE_CLOSED, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST);
}

/* NULL, or why it is left out. */
static const char *wait_ready(struct cpu *c)
{
    const char *silent = "it stopped answering while it was set up", *why = NULL;
    if (!wait_while(&c->phase, PHASE_NEW, SETUP_LIMIT_NS))
        why = silent;
    else if (__atomic_load_n(&c->phase, __ATOMIC_ACQUIRE) == PHASE_TSC)
        why = tsc_sync_lead(&c->tsc);
    /* Before it is let go on: it must not get at the pools. */
    if (why)
        (void)move_phase(c, PHASE_TSC, PHASE_ABANDONED);
    tsc_sync_end(&c->tsc);
    if (!why && !wait_while(&c->phase, PHASE_TSC, SETUP_LIMIT_NS))
        why = silent;
    /* Whatever it was doing, from now on it gets no further. */
    if (why && (move_phase(c, PHASE_NEW, PHASE_ABANDONED) ||
                move_phase(c, PHASE_TSC, PHASE_ABANDONED)))
        return why;
    return __atomic_load_n(&c->phase, __ATOMIC_ACQUIRE) == PHASE_REFUSED ? c->refused : why;
}

static void leave_out(uint32_t apic_id, const char *why)
{
    if (left_out_count < ARRAY_LEN(left_out))
        left_out[left_out_count++] = (struct left_out){apic_id, why};
    start->report(apic_id, why);
}

static void start_cpu(uint32_t apic_id)
{
    struct cpu *c = new_cpu(apic_id);
    if (!c) {
        leave_out(apic_id, "no memory for its stacks");
        return;
    }
    if (!enter_trampoline(c)) {
        spare = c;
        leave_out(apic_id, "it does not start");
        return;
    }
    const char *why = wait_ready(c);
    if (why) {
        leave_out(apic_id, why);
        return;
    }
    cpu_table[online] = c;
    __atomic_store_n(&online, online + 1, __ATOMIC_RELEASE);
    __atomic_store_n(&c->phase, PHASE_GO, __ATOMIC_RELEASE);
    start->report(apic_id, NULL);
}

static void remember_boot_cpu(void)
{
    boot_cr0 = read_cr0();
    boot_cr4 = read_cr4();
    boot_efer = rdmsr(MSR_IA32_EFER);
    has_pat = cpuid(1, 0).edx & CPUID_1_EDX_PAT;
    boot_pat = has_pat ? rdmsr(MSR_IA32_PAT) : 0;
    for (unsigned i = 0; i < ARRAY_LEN(leaves); i++)
        boot_leaves[i] = read_leaf(&leaves[i]);
    mtrr_save();
}

static bool wanted(unsigned i)
{
    return start->apic_ids[i] != this_cpu()->apic_id &&
           (lapic_is_x2apic() || start->apic_ids[i] < 0xff);
}

void smp_start(const struct smp_start *s)
{
    char *page = lapic_present() ? space_map_device(s->trampoline, PAGE_SIZE, RADIX_RW, RADIX_WB)
                                 : NULL;
    if (!page)
        return;
    what = *s;
    uint64_t from = (uint64_t)trampoline_start;
    memcpy(page, trampoline_start, (uint64_t)trampoline_end - from);
    gate_page = (struct trampoline *)(page + ((uint64_t)trampoline_parameters - from));
    remember_boot_cpu();
    for (unsigned i = 0; i < s->count; i++)
        if (wanted(i))
            lapic_send_init(s->apic_ids[i]);
    delay(INIT_NS);
    for (unsigned i = 0; i < s->count && online < s->limit; i++) {
        if (wanted(i))
            start_cpu(s->apic_ids[i]);
        else if (s->apic_ids[i] != this_cpu()->apic_id)
            leave_out(s->apic_ids[i], "an APIC in xAPIC mode cannot reach an ID beyond 254");
    }
}
