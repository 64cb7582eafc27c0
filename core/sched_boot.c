/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the boot CPU does besides running vCPUs: the operator's lines, VMs that start and end.
 */
#include "core/console.h"
#include "core/control.h"
#include "core/gdb.h"
#include "core/sched_parts.h"
#include "core/stat.h"

uint64_t sched_boot_deadline(void)
{
    return min_u64(console_deadline(), stat_deadline());
}

/* 16 bytes come in 1.4 ms. Where an interrupt ends a guest's turn at once, nobody has to hurry;
 * Bochs shows a guest that runs with interrupts off none of ours. */
bool sched_lines_need_us(void)
{
    return unlikely(host_lines_late()) && (gdb_has_session() || control_has_session());
}

/* The operator has had a whole round: what starts or ends comes first in the next one, or a long
 * answer would hold a `vm destroy` up. */
static bool vms_first;

static bool work_on_vms(void)
{
    if (!vm_work())
        return false;
    host_enter_domain(0);
    return true;
}

/* Who waits for this CPU waits for one of the two at most: the operator, or a VM that starts or
 * ends. */
bool sched_boot_work(void)
{
    uint64_t begin = host_now();
    bool first = vms_first;
    vms_first = false;
    if (first && work_on_vms())
        return true;
    console_poll();
    gdb_poll();
    stat_poll();
    vms_first = host_now() - begin > sched_granule / 4;
    return vms_first || work_on_vms();
}
