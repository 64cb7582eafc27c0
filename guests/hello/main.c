/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hello: says a line through each way out there is, checks who is underneath, and prints what the
 * vCPU looks like. Exit status: 0, or the number of things that were wrong.
 */
#include "guests/lib/guest.h"
#include "guests/lib/start_info.h"

#include "arch/x86/msr.h"
#include "core/lib/string.h"

static unsigned check_plinth(void)
{
    static const char line[] = "hello: through a hypercall\n";
    unsigned wrong = 0;
    struct cpuid_regs abi = cpuid(PLINTH_CPUID_ABI, 0);
    int64_t version = plinth_VERSION();

    if (plinth_CONSOLE_WRITE((uint64_t)line, sizeof(line) - 1) < 0) {
        guest_print("hello: CONSOLE_WRITE failed\n");
        wrong++;
    }
    if (abi.eax != PLINTH_ABI_VERSION || (uint32_t)version != PLINTH_ABI_VERSION) {
        guest_print("hello: ABI version is %u by CPUID, %u by hypercall, want %u\n", abi.eax,
                    (uint32_t)version, PLINTH_ABI_VERSION);
        wrong++;
    }
    if (abi.ebx != (uint32_t)((uint64_t)version >> 32)) {
        guest_print("hello: features differ: CPUID %#x, hypercall %#x\n", abi.ebx,
                    (uint32_t)((uint64_t)version >> 32));
        wrong++;
    }
    if (!wrong)
        guest_print("hello: on Plinth, ABI %u, features %#x\n", abi.eax, abi.ebx);
    return wrong;
}

static void print_vcpu(void)
{
    struct cpuid_regs r = cpuid(0x80000000, 0);
    uint32_t brand[13] = {0};
    const char *name = (const char *)brand;

    if (r.eax >= 0x80000004) {
        for (uint32_t i = 0; i < 3; i++) {
            r = cpuid(0x80000002 + i, 0);
            memcpy(&brand[i * 4], &r, sizeof(r));
        }
        while (*name == ' ')
            name++;
        guest_print("hello: vCPU is %s\n", name);
    }
    guest_print("hello: TSC %llu kHz, RAM up to %#llx, CR0 %#llx CR4 %#llx EFER %#llx\n",
                (unsigned long long)guest_tsc_khz(), (unsigned long long)guest_ram_end(),
                (unsigned long long)read_cr0(), (unsigned long long)read_cr4(),
                (unsigned long long)rdmsr(MSR_IA32_EFER));
}

struct start_module {
    uint64_t paddr, size, cmdline_paddr, reserved;
};

/* What the loader handed over, so that a test can compare it with what it put in. */
static void print_start(const char *cmdline)
{
    const struct start_info *info = guest_start_info_get();
    size_t len = strlen(cmdline), shown = len < 16 ? len : 16;

    guest_print("hello: command line of %llu bytes, the last are '%s'\n", (unsigned long long)len,
                cmdline + len - shown);
    for (uint32_t i = 0; info && i < info->nr_modules; i++) {
        const struct start_module *m = (const void *)(uintptr_t)info->modlist_paddr;
        const uint8_t *data = (const void *)(uintptr_t)m[i].paddr;
        uint64_t sum = 0;

        for (uint64_t at = 0; at < m[i].size; at++)
            sum += data[at];
        guest_print("hello: module %u of %llu bytes, their sum is %llu\n", i,
                    (unsigned long long)m[i].size, (unsigned long long)sum);
    }
}

int guest_main(const char *cmdline)
{
    unsigned wrong = 0;

    for (;;) {
        guest_print("hello: through the UART\n");
        for (const char *s = "hello: through the debug port\n"; *s; s++)
            out8(PLINTH_PORT_DEBUG, (uint8_t)*s);
        if (guest_on_plinth())
            wrong += check_plinth();
        else
            guest_print("hello: no Plinth underneath\n");
        print_vcpu();
        print_start(cmdline);
        if (!guest_option(cmdline, "forever") || !guest_on_plinth())
            return (int)wrong;
        plinth_YIELD((uint64_t)plinth_TIME() + 1000000000);
    }
}
