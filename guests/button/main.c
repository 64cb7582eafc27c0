/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * button: what an operator can do to a guest from outside, seen from inside. It listens to its
 * power button (ACPI fixed hardware) and switches itself off when it is pressed; it counts NMIs.
 * Words: deaf, it does not listen; spin, it never leaves the CPU; ignore, it hears the button and
 * stays. Have open: the ACPI specification, "ACPI Hardware Specification".
 */
#include "guests/lib/guest.h"
#include "guests/lib/irq.h"

#define PM1_STATUS  0x600
#define PM1_ENABLE  0x602
#define PM1_CONTROL 0x604
#define PWRBTN      BIT(8)
#define S5          0x3400 /* SLP_EN, and the type that the DSDT gives _S5 */
#define MS          UINT64_C(1000000)

static void wait(bool spin)
{
    uint64_t ns, tsc;
    guest_read_clocks(&ns, &tsc);
    if (!spin && guest_on_plinth())
        plinth_YIELD(ns + 5 * MS);
    else
        for (unsigned i = 0; i < 10000; i++)
            __asm__ volatile("");
}

int guest_main(const char *cmdline)
{
    bool spin = guest_option(cmdline, "spin");
    uint32_t said = 0;
    irq_init();
    if (!guest_option(cmdline, "deaf"))
        out16(PM1_ENABLE, PWRBTN);
    guest_print("button: here\n");
    for (;;) {
        if (cpus[0].seen[2] != said)
            guest_print("button: NMI %u\n", said = cpus[0].seen[2]);
        if (in16(PM1_STATUS) & PWRBTN) {
            out16(PM1_STATUS, PWRBTN);
            guest_print("button: pressed\n");
            if (!guest_option(cmdline, "ignore"))
                out16(PM1_CONTROL, S5);
        }
        wait(spin);
    }
}
