/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * life: looks whether it starts on a machine as after power-on, then makes everything dirty and
 * ends in the way its command line asks for. So, restarted, it finds whatever of its last life's
 * memory, devices and registers has leaked into this one. Words: end= one of
 * the table in end.c; delay=N, milliseconds before it. A dirty start shows as a line "life: WRONG".
 * Have open: SDM "Processor State After Reset"; the devices' data sheets.
 */
#include "guests/life/life.h"

static unsigned wrong;

static void complain(const char *what, uint64_t got, uint64_t wanted)
{
    wrong++;
    guest_print("life: WRONG: %s is %#llx, not %#llx\n", what, (unsigned long long)got,
                (unsigned long long)wanted);
}

/* --- memory: everything behind the image --- */

#define PATTERN UINT64_C(0x4c6566746f766572) /* "Leftover" */

extern uint8_t guest_image_end[];

static void check_memory(void)
{
    uint64_t *start = (uint64_t *)guest_image_end;
    uint64_t *end = (uint64_t *)(uintptr_t)guest_ram_end();
    uint64_t sum = 0;
    for (uint64_t *p = start; p < end; p++)
        sum |= *p;
    if (end <= start || sum)
        complain("memory behind the image", sum, 0);
    for (uint64_t *p = start; p < end; p++)
        *p = PATTERN;
}

/* --- registers --- */

static uint64_t read_probe(const struct probe *p)
{
    return p->read(p->where) & (p->mask ? p->mask : ~UINT64_C(0));
}

static void check_probes(void)
{
    for (size_t i = 0; i < probe_count; i++) {
        uint64_t value = read_probe(&probes[i]);
        if (value != probes[i].reset)
            complain(probes[i].name, value, probes[i].reset);
    }
}

/* A probe that does not change proves nothing when it is found unchanged. */
static void soil_probes(void)
{
    for (size_t i = 0; i < probe_count; i++) {
        probes[i].write(probes[i].where, probes[i].dirt);
        if (read_probe(&probes[i]) == probes[i].reset)
            complain("what should be dirty, ", i, probes[i].dirt);
    }
}

int guest_main(const char *cmdline)
{
    /* A life starts with the VM's clock: its TSC is young. */
    if (rdtsc() > guest_tsc_khz() * 10000)
        complain("TSC", rdtsc(), 0);
    check_probes();
    check_memory();
    soil_probes();
    guest_print("life: %u probes, %u wrong\n", (unsigned)probe_count, wrong);
    uint64_t delay = guest_option_number(cmdline, "delay", 0);
    if (delay)
        plinth_YIELD((uint64_t)plinth_TIME() + delay * 1000000);
    end_life(cmdline);
    guest_print("life: WRONG: it did not end\n");
    return 99;
}
