/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nap: how late a sleeper is woken. It sets its TSC deadline, halts, and looks at the TSC first
 * thing in the handler, many times over. Prints the least, the median, the most, and a histogram.
 * Words: naps=N; length=US, of a nap; most=US and median=US: later is wrong; ticks=N, the median
 * in TSC ticks (under Bochs: instructions), more is wrong. Exit status: the number of things that
 * were wrong. Have open: SDM "Advanced Programmable Interrupt Controller (APIC)", "APIC Timer".
 */
#include "arch/x86/msr.h"
#include "guests/lib/guest.h"
#include "guests/lib/irq.h"

#define NAPS_MAX 16384u
#define VECTOR   0x50u
#define BUCKETS  40u

static uint32_t late[NAPS_MAX]; /* ticks */
static volatile uint64_t woken;

static void on_timer(unsigned vector, struct irq_frame *frame)
{
    woken = rdtsc();
    irq_eoi(vector, frame);
}

static void sort(uint32_t *a, unsigned n)
{
    for (unsigned gap = n / 2; gap > 0; gap /= 2)
        for (unsigned i = gap; i < n; i++) {
            uint32_t x = a[i];
            unsigned j = i;
            for (; j >= gap && a[j - gap] > x; j -= gap)
                a[j] = a[j - gap];
            a[j] = x;
        }
}

static uint64_t us(uint64_t ticks)
{
    return guest_ticks_to_ns(ticks) / 1000;
}

static void print_histogram(unsigned n)
{
    unsigned i = 0;
    for (unsigned b = 0; b < BUCKETS && i < n; b++) {
        unsigned from = i;
        while (i < n && us(late[i]) < BIT(b))
            i++;
        if (i > from)
            guest_print("nap: below %8llu us: %u\n", (unsigned long long)BIT(b), i - from);
    }
}

static int check(const char *what, uint64_t value, uint64_t most)
{
    if (value <= most)
        return 0;
    guest_print("nap: %s: %llu is more than %llu FAILED\n", what, (unsigned long long)value,
                (unsigned long long)most);
    return 1;
}

int guest_main(const char *cmdline)
{
    uint64_t naps = guest_option_number(cmdline, "naps", 1000);
    uint64_t length = guest_option_number(cmdline, "length", 200) * guest_tsc_khz() / 1000;
    unsigned n = (unsigned)(naps < NAPS_MAX ? naps : NAPS_MAX);
    irq_init();
    apic_enable();
    irq_handler[VECTOR] = on_timer;
    apic_write(APIC_LVT_TIMER, LVT_DEADLINE | VECTOR);
    for (unsigned i = 0; i < n; i++) {
        /* Not in step with anybody's slices. */
        uint64_t at = rdtsc() + length + i * 97 % 1024;
        woken = 0;
        wrmsr(MSR_IA32_TSC_DEADLINE, at);
        while (!woken)
            __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
        late[i] = (uint32_t)(woken - at);
        if (woken < at)
            guest_print("nap: woken early FAILED\n");
    }
    sort(late, n);
    guest_print("nap: %u wake-ups late by %u to %u ticks, half of them by %u at most\n", n, late[0],
                late[n - 1], late[n / 2]);
    print_histogram(n);
    return check("median (us)", us(late[n / 2]), guest_option_number(cmdline, "median", UINT32_MAX))
         + check("most (us)", us(late[n - 1]), guest_option_number(cmdline, "most", UINT32_MAX))
         + check("median (ticks)", late[n / 2], guest_option_number(cmdline, "ticks", UINT32_MAX));
}
