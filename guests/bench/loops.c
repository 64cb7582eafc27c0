/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loops of millions of instructions: what a hypervisor leaves of a CPU to a guest that needs
 * nothing of it, to one whose timer ticks, and to one that switches between two threads. Have
 * open: SDM, "Advanced Programmable Interrupt Controller (APIC)", TSC-deadline mode.
 */
#include "guests/bench/bench.h"
#include "guests/lib/irq.h"

#include "core/lib/string.h"

#define RUNS        10u
#define LOOP_INSNS  8000000u
#define WALK_BASE   0x400000u
#define WALK_SIZE   8000000u
#define TICK        0x43
/* Under Bochs, 1000 and 4000 ticks a second. */
#define PERIOD_1K   50000u
#define PERIOD_4K   12500u
#define SWITCHES    100000u
#define THREAD_STACK 4096u

/* Ten runs: they are long. Without a median, the mean stands in its place. */
static void measure_long(const char *name, void (*loop)(void))
{
    uint64_t best = ~UINT64_C(0), sum = 0, worst = 0;
    irq_on();
    for (unsigned i = 0; i < RUNS; i++) {
        uint64_t before = rdtsc();
        loop();
        uint64_t took = rdtsc() - before;
        best = took < best ? took : best;
        worst = took > worst ? took : worst;
        sum += took;
    }
    irq_off();
    unsigned long long mean = sum / RUNS;
    guest_print("bench: %s min %llu median %llu mean %llu max %llu\n", name,
                (unsigned long long)best, mean, mean, (unsigned long long)worst);
}

/* --- no exit in here: what the hypervisor's own needs leave ---------------------------------- */

static void compute(void)
{
    uint64_t n = LOOP_INSNS / 2;
    __asm__ volatile("1: dec %0\n\tjnz 1b" : "+r"(n));
}

/* Two passes over some 8 MB: 4 instructions a word. */
static void touch_memory(void)
{
    for (unsigned pass = 0; pass < 2; pass++) {
        uint64_t at = WALK_BASE;
        __asm__ volatile("1: addq $1, (%0)\n\t"
                         "add $8, %0\n\t"
                         "cmp %1, %0\n\t"
                         "jb 1b"
                         : "+r"(at) : "r"((uint64_t)WALK_BASE + WALK_SIZE) : "memory", "cc");
    }
}

/* --- many interrupts -------------------------------------------------------------------------- */

static uint64_t period, next;

/* As a kernel's tick: the next one from the last, unless that is over. A loop that cannot keep up
 * has fewer ticks than it should, rather than never end. */
static void tick(unsigned vector, struct irq_frame *frame)
{
    (void)vector;
    (void)frame;
    uint64_t now = rdtsc();
    next = next + period > now ? next + period : now + period;
    wrmsr(MSR_IA32_TSC_DEADLINE, next);
    apic_write(APIC_EOI, 0);
}

static void measure_ticking(const char *name, uint64_t every)
{
    uint32_t before = this_cpu()->seen[TICK];
    period = every;
    next = rdtsc() + period;
    wrmsr(MSR_IA32_TSC_DEADLINE, next);
    measure_long(name, compute);
    wrmsr(MSR_IA32_TSC_DEADLINE, 0);
    irq_window();
    wrmsr(MSR_IA32_TSC_DEADLINE, 0); /* the last tick may have set it again */
    guest_print("bench: %s had %u ticks\n", name, this_cpu()->seen[TICK] - before);
}

static void measure_ticks(void)
{
    const uint32_t needed = CPUID_1_ECX_TSC_DEADLINE | CPUID_1_ECX_X2APIC;
    if ((cpuid(1, 0).ecx & needed) != needed)
        return;
    irq_init();
    apic_enter_x2apic();
    apic_enable();
    irq_handler[TICK] = tick;
    apic_write(APIC_LVT_TIMER, LVT_DEADLINE | TICK);
    __asm__ volatile("mfence");
    measure_ticking("ticks-1k", PERIOD_1K);
    measure_ticking("ticks-4k", PERIOD_4K);
}

/* --- many context switches -------------------------------------------------------------------- */

struct thread {
    uint8_t fpu[512] __attribute__((aligned(16)));
    uint64_t rsp, cr3, fs_base, gs_base;
};
static struct thread threads[2];
static uint64_t other_pml4[512] __attribute__((aligned(4096)));
static uint64_t other_stack[THREAD_STACK / 8] __attribute__((aligned(16)));

void bench_swap_stacks(uint64_t *rsp, uint64_t to);
__asm__(".text\n"
        "bench_swap_stacks:\n\t"
        "push %rbx\n\tpush %rbp\n\tpush %r12\n\tpush %r13\n\tpush %r14\n\tpush %r15\n\t"
        "mov %rsp, (%rdi)\n\t"
        "mov %rsi, %rsp\n\t"
        "pop %r15\n\tpop %r14\n\tpop %r13\n\tpop %r12\n\tpop %rbp\n\tpop %rbx\n\t"
        "ret\n");

/* What a kernel does between two processes: FPU, address space, segment bases, stack. */
static void switch_threads(struct thread *from, struct thread *to)
{
    __asm__ volatile("fxsave64 %0" : "=m"(from->fpu));
    __asm__ volatile("fxrstor64 %0" : : "m"(to->fpu));
    write_cr3(to->cr3);
    wrmsr(MSR_IA32_FS_BASE, to->fs_base);
    wrmsr(MSR_IA32_KERNEL_GS_BASE, to->gs_base);
    bench_swap_stacks(&from->rsp, to->rsp);
}

NORETURN static void other_thread(void)
{
    for (;;)
        switch_threads(&threads[1], &threads[0]);
}

static void switch_often(void)
{
    for (unsigned i = 0; i < SWITCHES / 2; i++)
        switch_threads(&threads[0], &threads[1]);
}

static void measure_switches(void)
{
    uint64_t *top = other_stack + THREAD_STACK / 8 - 2;
    *top = (uint64_t)other_thread;  /* where bench_swap_stacks() returns to */
    memcpy(other_pml4, (const void *)read_cr3(), sizeof(other_pml4));
    write_cr4(read_cr4() | CR4_OSFXSR);
    threads[0].cr3 = read_cr3();
    threads[1].cr3 = (uint64_t)other_pml4;
    threads[1].rsp = (uint64_t)(top - 6);
    __asm__ volatile("fninit\n\tfxsave64 %0" : "=m"(threads[1].fpu));
    measure_long("switches", switch_often);
}

void measure_loops(void)
{
    measure_long("compute-8m", compute);
    measure_long("memory-8m", touch_memory);
    measure_ticks();
    measure_switches();
}
