/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench: what operations cost, in TSC ticks. Each is timed alone 1000 times after 100 warm-ups;
 * what timing nothing costs is subtracted. One line an operation, for programs to read:
 *   bench: NAME min A median B mean C max D
 * Run it alone: a preempted sample is long, which the median, not the mean, forgives. The rows'
 * names are those of tests/bench/peers.toml.
 */
#include "guests/bench/bench.h"

#include "core/lib/fmt.h"

#define HOLE          0xfeb00000u
#define IOAPIC        0xfec00000u
#define REMAPPED      0x40000000u /* no RAM there */
#define PTE_PRESENT_WRITE 3u
#define UART          0x3f8
#define UART_THRE     0x20
/* Null hypercalls: KVM_HC_VAPIC_POLL_IRQ is made for that, XENVER_version returns a number. */
#define KVM_POLL_IRQ  1
#define XEN_VERSION   17

/* GRUB's `multiboot` can start it bare, where the entry finds no start info and does without. */
__asm__(".pushsection .text.start, \"ax\"\n\t"
        ".balign 4\n\t"
        ".long 0x1badb002, 0, -0x1badb002\n\t"
        ".popsection");

uint64_t samples[SAMPLES];
static uint64_t empty_min, empty_median;
static uint64_t saved; /* the register value an operation writes back */

/* Shell sort: 1000 numbers, no stack, no library. */
static void sort_samples(void)
{
    for (unsigned gap = SAMPLES / 2; gap; gap /= 2)
        for (unsigned i = gap; i < SAMPLES; i++) {
            uint64_t x = samples[i];
            unsigned j = i;
            for (; j >= gap && samples[j - gap] > x; j -= gap)
                samples[j] = samples[j - gap];
            samples[j] = x;
        }
}

static unsigned long long less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static void print_row(const char *name, uint64_t off_min, uint64_t off)
{
    uint64_t sum = 0;
    sort_samples();
    for (unsigned i = 0; i < SAMPLES; i++)
        sum += samples[i];
    guest_print("bench: %s min %llu median %llu mean %llu max %llu\n", name,
                less(samples[0], off_min), less(samples[SAMPLES / 2], off),
                less(sum / SAMPLES, off), less(samples[SAMPLES - 1], off));
}

void report(const char *name)
{
    print_row(name, empty_min, empty_median);
}

void report_raw(const char *name)
{
    print_row(name, 0, 0);
}

void report_pair(const char *name, unsigned n)
{
    char text[32];
    fmt_print(text, sizeof(text), "%s-%u", name, n);
    print_row(text, 0, 0);
}

static void measure_empty(void)
{
    MEASURE((void)0);
    sort_samples();
    empty_min = samples[0];
    empty_median = samples[SAMPLES / 2];
    guest_print("bench: empty min %llu median %llu\n", (unsigned long long)empty_min,
                (unsigned long long)empty_median);
}

static uint32_t mmio_read(uint32_t address)
{
    return *(volatile uint32_t *)(uintptr_t)address;
}

static void measure_instructions(void)
{
    TIME("cpuid", cpuid(0, 0));
    TIME("rdmsr-apic-base", rdmsr(MSR_IA32_APIC_BASE));
    saved = rdmsr(MSR_IA32_EFER);
    TIME("wrmsr-efer", wrmsr(MSR_IA32_EFER, saved));
    TIME("in-40", in8(0x40));
    TIME("in-21", in8(0x21));
    TIME("out-80", out8(0x80, 0));
    TIME("in-cf8", in32(0xcf8));
    TIME("ioapic-read", mmio_read(IOAPIC));
    TIME("mmio-hole", mmio_read(HOLE));
}

static void measure_registers(void)
{
    saved = read_cr3();
    TIME("mov-cr3", write_cr3(saved));
    TIME("invlpg", __asm__ volatile("invlpg (%0)" : : "r"(&saved) : "memory"));
    TIME("mov-cr8", write_cr8(0));
    uint64_t cr4 = read_cr4(), cr0 = read_cr0();
    TIME("cr4-pge", write_cr4(cr4 ^= CR4_PGE));
    TIME("clts", __asm__ volatile("clts"));
    TIME("pause", pause());
    TIME("cr0-wp", write_cr0(cr0 ^= CR0_WP));
    write_cr0(cr0 & ~CR0_WP);
}

static void measure_xsetbv(void)
{
    if (!(cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE))
        return;
    write_cr4(read_cr4() | CR4_OSXSAVE);
    TIME("xsetbv", __asm__ volatile("xsetbv" : : "a"(1), "d"(0), "c"(0)));
}

/* A call that does nothing: there and back. Only the number differs between hypervisors. */
static void measure_vmcall(void)
{
    uint64_t number;
    if (guest_on_plinth())
        number = PLINTH_VERSION;
    else if (guest_hypervisor_is("KVMKVMKVM\0\0\0"))
        number = KVM_POLL_IRQ;
    else if (guest_hypervisor_is("XenVMMXenVMM"))
        number = XEN_VERSION;
    else
        return;
    TIME("vmcall", plinth_call(number, 0, 0, 0, 0));
}

static void measure_plinth(void)
{
    static const char text[] = "bench: a line\n";
    if (!guest_on_plinth())
        return;
    TIME("hypercall-time", plinth_TIME());
    TIME("hypercall-yield", plinth_YIELD(0));
    /* Refused since it is no RAM: the way there and back without the console's own speed. */
    TIME("console-refused", plinth_CONSOLE_WRITE(HOLE, sizeof(text) - 1));
}

/* Another page at the same address, 1000 times: no exit, so what bare has. */
static void measure_paging(void)
{
    static uint64_t table[512] __attribute__((aligned(4096)));
    volatile uint8_t *at = (volatile uint8_t *)(uintptr_t)REMAPPED;
    guest_map_table(REMAPPED, table);
    TIME("pte-remap", ({
             uint64_t entry = (i_ & 1 ? (uint64_t)samples : (uint64_t)table) & ~UINT64_C(0xfff);
             table[0] = entry | PTE_PRESENT_WRITE;
             __asm__ volatile("invlpg (%0)" : : "r"(at) : "memory");
             (void)*at;
         }));
}

/* The last rows: the console works off what they print while others would run. */
static void measure_console(void)
{
    static const char line[] = "a line of forty characters, the end too\n";
    MEASURE({
        while (!(in8(UART + 5) & UART_THRE))
            ;
        out8(UART, i_ % 40 ? '.' : '\n');
    });
    out8(UART, '\n');
    report("uart-byte");
    if (!guest_on_plinth())
        return;
    MEASURE(plinth_CONSOLE_WRITE((uint64_t)&line[i_ % 40 ? 1 : 39], 1));
    plinth_CONSOLE_WRITE((uint64_t)&line[39], 1);
    report("console-byte");
    TIME("console-line", plinth_CONSOLE_WRITE((uint64_t)line, sizeof(line) - 1));
}

int guest_main(const char *cmdline)
{
    unsigned physical = (unsigned)guest_option_number(cmdline, "physical", 0);
    if (physical) {
        measure_pair(physical);
        guest_print("bench: done\n");
        return 0;
    }
    do {
        measure_empty();
        measure_instructions();
        measure_registers();
        measure_xsetbv();
        measure_vmcall();
        measure_plinth();
        measure_interrupts();
        measure_paging();
        measure_loops();
        measure_console();
    } while (guest_option(cmdline, "forever"));
    guest_print("bench: done\n");
    return 0;
}
