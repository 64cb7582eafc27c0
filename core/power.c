/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Powering off and rebooting. The last line, "plinth: end: N ended well, M failed", is what
 * tools/plinth makes its exit status of; docs/console.md promises it.
 */
#include "core/power.h"

#include "core/control.h"
#include "core/host.h"
#include "core/log.h"
#include "core/pools.h"
#include "core/sched.h"
#include "core/trace.h"
#include "core/vm.h"

static unsigned failures;

void power_count_failure(void)
{
    failures++;
}

static void say_end(void)
{
    sched_stop_others();
    trace_release();
    unsigned well = 0, failed = failures;
    for (unsigned i = 0; i < vm_count(); i++) {
        const struct vm *vm = vm_at(i);
        if (vm->state == VM_DEFINED)
            continue;
        if (vm_ended_well(vm))
            well++;
        else
            failed++;
    }
    bool kept = false;
    for (unsigned i = 0; i < vm_count(); i++)
        kept |= vm_at(i)->state == VM_KEPT;
    if (!vm_any_alive() && !kept)
        pools_check();
    log_info("end: %u ended well, %u failed", well, failed);
}

void power_off(void)
{
    say_end();
    control_end();
    host_poweroff();
}

void power_reboot(void)
{
    say_end();
    control_end();
    host_reboot();
}
